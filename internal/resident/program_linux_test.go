package resident

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGiveBackProgram: less of the program's file is in memory afterwards, and the
// process goes on.
func TestGiveBackProgram(t *testing.T) {
	before := ofFiles(t)
	size, err := GiveBackProgram()
	if err != nil {
		t.Fatal(err)
	}
	if after := ofFiles(t); size == 0 || after >= before {
		t.Errorf("gave back at most %d bytes: %d kB of files are in memory, %d were", size, after, before)
	}
}

// ofFiles is how many kB of the process's memory are of files.
func ofFiles(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(status), "RssFile:")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kB, err := strconv.Atoi(number)
	if !found || err != nil {
		t.Fatalf("got %q, want RssFile in it", status)
	}
	return kB
}

// TestUnchanged: only what can be read from the file again is given back.
func TestUnchanged(t *testing.T) {
	smaps := strings.Join([]string{
		"00400000-00d3a000 r-xp 00000000 fe:00 10  /opt/my weir", "Size:  9448 kB", "Anonymous:  0 kB", "VmFlags: rd ex mr mw me sd",
		"00d3a000-0176a000 r--p 0093a000 fe:00 10  /opt/my weir", "Anonymous:  4 kB",
		"0176a000-017e0000 rw-p 0136a000 fe:00 10  /opt/my weir", "Anonymous:  0 kB",
		"017e0000-03827000 rw-p 00000000 00:00 0", "Anonymous:  0 kB",
		"7fb85c9ef000-7fb85ca15000 r--p 00000000 fe:00 11  /lib/libc.so.6", "Anonymous:  0 kB",
		"7fb85ca15000-7fb85ca16000 r--p 00000000 fe:00 10  /opt/my weir", "Anonymous:  0 kB", "",
	}, "\n")
	got, err := unchanged(strings.NewReader(smaps), "/opt/my weir")
	want := []span{{0x400000, 0xd3a000}, {0x7fb85ca15000, 0x7fb85ca16000}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(span{})); diff != "" || err != nil {
		t.Errorf("error %v, spans (-want +got):\n%s", err, diff)
	}
	if _, err := unchanged(strings.NewReader("x-y r--p 0 fe:00 1 /f"), "/f"); err == nil {
		t.Error("took an address that is none")
	}
}
