package pipe

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A file cannot be waited for as pipes are, and need not be.
func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, []byte("line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(uintptr(fd))
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8)
	if n, err := e.Read(buf); err != nil || string(buf[:n]) != "line\n" {
		t.Errorf("got %q, %v, want the line", buf[:n], err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseLeavesNoDescriptor(t *testing.T) {
	before := descriptors(t)
	near, far, err := Input()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := far.WriteString("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := near.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if near.inputs.epoll < 0 {
		t.Error("the pipe is not waited for by what the kernel was told")
	}
	for _, end := range []interface{ Close() error }{near, far} {
		if err := end.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
