package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestUpdateCountsEveryWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "weir")
	const writers, times = 8, 20
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			f := At(dir) // as another process has its own
			for range times {
				err := f.Update(context.Background(), "count", func(old []byte) ([]byte, error) {
					n, _ := strconv.Atoi(string(old))
					return []byte(strconv.Itoa(n + 1)), nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got, err := At(dir).Read("count"); string(got) != strconv.Itoa(writers*times) || err != nil {
		t.Errorf("got %s, %v, want %d", got, err, writers*times)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "count": 0o600, "count.lock": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: got %v, %v, want mode %v", name, info, err, want)
		}
	}
}

func TestUpdateThatFailsChangesNothing(t *testing.T) {
	f, broken := At(t.TempDir()), errors.New("broken")
	write := func(text []byte, err error) error {
		return f.Update(context.Background(), "x", func([]byte) ([]byte, error) { return text, err })
	}
	if err := write([]byte("one"), nil); err != nil {
		t.Fatal(err)
	}
	if err := write([]byte("two"), broken); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if got, err := f.Read("x"); string(got) != "one" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := write(nil, nil); err != nil {
		t.Error(err)
	}
	if got, err := f.Read("x"); got != nil || err != nil {
		t.Errorf("got %q, %v, want nothing", got, err)
	}
}

func TestLocks(t *testing.T) {
	f := At(t.TempDir())
	unlock, err := f.Lock(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.TryLock("x"); got != nil || err != nil {
		t.Errorf("got a lock that is taken, %v", err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.Hold(impatient, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	waited := make(chan error, 1)
	go func() {
		unlock, err := f.Hold(t.Context(), "x")
		if err == nil {
			unlock()
		}
		waited <- err
	}()
	unlock()
	if err := <-waited; err != nil {
		t.Error(err)
	}
	unlock, err = f.TryLock("x")
	if unlock == nil || err != nil {
		t.Fatalf("got %v, want the lock that nobody has", err)
	}
	unlock()
	if names, err := f.Names(); len(names) != 1 || names[0] != "x.lock" || err != nil {
		t.Errorf("got %q, %v", names, err)
	}
	if names, err := At(filepath.Join(f.Path("none"))).Names(); names != nil || err != nil {
		t.Errorf("got %q, %v for a folder that is not there", names, err)
	}
}

func TestFolderWithoutPlace(t *testing.T) {
	var f Folder
	if got, err := f.Read("x"); got != nil || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := f.Update(context.Background(), "x", nil); !errors.Is(err, ErrNoFolder) {
		t.Errorf("got %v, want %v", err, ErrNoFolder)
	}
}

func TestUserFolder(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the places of other systems are the standard library's")
	}
	for _, tt := range []struct{ state, home, want string }{
		{"/s", "/h", "/s/weir"},
		{"", "/h", "/h/.local/state/weir"},
		{"relative", "/h", "/h/.local/state/weir"},
		{"", "", ""},
	} {
		f, err := UserFolder(func(key string) string {
			return map[string]string{"XDG_STATE_HOME": tt.state, "HOME": tt.home}[key]
		})
		if f.dir != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%q, %q: got %q, %v, want %q", tt.state, tt.home, f.dir, err, tt.want)
		}
	}
}

// TestReadFile: a file is read up to the limit, with its permissions; an empty one is
// not nothing.
func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	for text, isRead := range map[string]bool{"": true, "1234": true, "12345": false} {
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		got, mode, err := ReadFile(path, 4)
		switch {
		case !isRead && (err == nil || !strings.Contains(err.Error(), path)):
			t.Errorf("%q: got %q, %v, want an error", text, got, err)
		case isRead && (err != nil || got == nil || string(got) != text || runtime.GOOS != "windows" && mode != 0o640):
			t.Errorf("%q: got %q, %v, %v", text, got, mode, err)
		}
	}
	if _, _, err := ReadFile(path+"y", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
