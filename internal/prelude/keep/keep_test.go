//go:build unix

package keep

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/internal/prelude"
)

// started is a way to start weir.
func started(t *testing.T, folder string, args ...string) *prelude.Start {
	t.Helper()
	s, err := prelude.NewStart(prelude.Process{
		Folder: folder, Program: filepath.Join(folder, "key"), Args: args,
		Lookup: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newFolder(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "weir")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"key": strings.Repeat("k", 32), "a.lists4": "lists"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func recordOf(first string) *prelude.Record {
	return &prelude.Record{Made: time.Now(), Answers: []prelude.Answer{{Line: []byte(first), Reply: []byte("{}\n")}}}
}

// What is kept is bounded, the user's alone, and touches nothing else that lies in
// the folder.
func TestRecordsAreBounded(t *testing.T) {
	folder := newFolder(t)
	old := time.Now().Add(-longest - time.Hour)
	aged := filepath.Join(folder, "0123"+prelude.AnyRecords+"0")
	if err := os.Mkdir(aged, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(aged, old, old); err != nil {
		t.Fatal(err)
	}
	last := ""
	for start := range maxStarts + 3 {
		s := started(t, folder, fmt.Sprint(start))
		for host := range maxHosts + 2 {
			last = fmt.Sprint("host ", host)
			if err := Record(s, recordOf(last)); err != nil {
				t.Fatal(err)
			}
			last = s.Path([]byte(last))
		}
	}
	starts, err := filepath.Glob(filepath.Join(folder, "*"+prelude.AnyRecords+"*"))
	if err != nil || len(starts) != maxStarts {
		t.Errorf("got records of %d starts, %v, want %d", len(starts), err, maxStarts)
	}
	for _, records := range starts {
		hosts, err := os.ReadDir(records)
		if err != nil || len(hosts) != maxHosts {
			t.Errorf("got records of %d hosts, %v, want %d", len(hosts), err, maxHosts)
		}
		if info, err := os.Stat(records); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the records' folder: %v, %v, want 0700", info.Mode(), err)
		}
	}
	info, err := os.Stat(last)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the last record: %v, %v, want it there, 0600", info, err)
	}
	if _, err := os.Stat(aged); err == nil {
		t.Error("a record that is too old is still there")
	}
	if _, err := os.Stat(filepath.Join(folder, "a.lists4")); err != nil {
		t.Error(err)
	}
	Forget(started(t, folder, fmt.Sprint(maxStarts+2)), []byte(fmt.Sprint("host ", maxHosts+1)))
	if _, err := os.Stat(last); err == nil {
		t.Error("a record that was taken away is still there")
	}
}

func TestNothingIsRecorded(t *testing.T) {
	folder := newFolder(t)
	s := started(t, folder)
	for name, r := range map[string]*prelude.Record{
		"no answer":      {},
		"a notification": {Answers: []prelude.Answer{{Line: []byte("x")}}},
		"too much":       {Answers: []prelude.Answer{{Line: []byte("x"), Reply: make([]byte, 33<<20)}}},
	} {
		if err := Record(s, r); err == nil {
			t.Errorf("%s: it was recorded", name)
		}
	}
	if left, err := filepath.Glob(filepath.Join(folder, "*"+prelude.AnyRecords+"*", "*")); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Record(s, recordOf("x")); err == nil {
		t.Error("it was recorded where no folder can be")
	}
}
