//go:build unix

package state

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// obstacles are what may lie in the place of a file. None may be waited for, or
// be read whole.
var obstacles = map[string]func(t *testing.T, path string){
	"pipe": func(t *testing.T, path string) {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	},
	"socket": func(t *testing.T, path string) {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
	},
	"folder": func(t *testing.T, path string) {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	},
	"link to itself": func(t *testing.T, path string) {
		if err := os.Symlink(path, path); err != nil {
			t.Fatal(err)
		}
	},
	"4 GiB": func(t *testing.T, path string) {
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 4<<30)); err != nil {
			t.Fatal(err)
		}
	},
}

// TestObstacles: whatever lies where a file should is an error at once, and stays.
func TestObstacles(t *testing.T) {
	for name, put := range obstacles {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "o") // short enough for the path of a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			f := At(dir)
			put(t, f.Path("x"))
			before, err := os.Lstat(f.Path("x"))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := f.Read("x"); got != nil || err == nil {
				t.Errorf("reading: got %d bytes, %v, want an error", len(got), err)
			}
			called := func([]byte) ([]byte, error) { panic("there is nothing to change") }
			if err := f.Update(t.Context(), "x", called); err == nil {
				t.Error("updating: got no error")
			}
			if after, err := os.Lstat(f.Path("x")); err != nil || !os.SameFile(before, after) {
				t.Errorf("got %v, %v, want it to stay", after, err)
			}
		})
	}
}

// TestObstaclesToLocks: a lock that cannot be one is an error at once.
func TestObstaclesToLocks(t *testing.T) {
	for _, name := range []string{"pipe", "folder", "link to itself"} {
		f := At(t.TempDir())
		obstacles[name](t, f.Path("x"+lockExt))
		if _, err := f.Lock(t.Context(), "x"); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want an error at once", name, err)
		}
		if _, err := f.TryLock("x"); err == nil {
			t.Errorf("%s: got a lock", name)
		}
	}
}

// TestUpdateSweeps what a writer has left that was killed, and nothing else.
func TestUpdateSweeps(t *testing.T) {
	f := At(t.TempDir())
	left, others := []string{".x123", ".x9223372036854775807"}, []string{".x", ".xy1", ".y123", "x.lock1", ".x12a"}
	for _, name := range append(left, others...) {
		if err := os.WriteFile(f.Path(name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := f.Update(t.Context(), "x", func([]byte) ([]byte, error) { return []byte("whole"), nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range left {
		if _, err := os.Lstat(f.Path(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want it to be gone", name, err)
		}
	}
	for _, name := range others {
		if _, err := os.Lstat(f.Path(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTroubleReadsTheSame each time, so that it is told once, and names the file
// that could not be written. Nothing is left behind.
func TestTroubleReadsTheSame(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, replace := range map[string]func(string, []byte) error{"kept": ReplaceFile, "cached": ReplaceCached} {
		for _, to := range []string{path, filepath.Join(dir, "no such folder", "x")} {
			one, two := replace(to, []byte("a")), replace(to, []byte("b"))
			if one == nil || two == nil || one.Error() != two.Error() || !strings.Contains(one.Error(), to+":") {
				t.Errorf("%s: got %v, then %v", name, one, two)
			}
		}
	}
	if names, err := At(dir).Names(); len(names) != 1 || err != nil {
		t.Errorf("got %q, %v", names, err)
	}
}
