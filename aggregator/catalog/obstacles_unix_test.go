//go:build unix

package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// obstacles are what may lie in the place of a file, and whether a file can take
// its place.
var obstacles = map[string]struct {
	put   func(path string) error
	yield bool
}{
	"pipe":           {func(path string) error { return syscall.Mkfifo(path, 0o600) }, true},
	"device":         {func(path string) error { return os.Symlink("/dev/zero", path) }, true},
	"folder":         {func(path string) error { return os.Mkdir(path, 0o700) }, false},
	"link to itself": {func(path string) error { return os.Symlink(path, path) }, true},
	"link to nothing": {func(path string) error {
		return os.Symlink(filepath.Join(filepath.Dir(path), "nothing"), path)
	}, true},
	"4 GiB": {func(path string) error {
		return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 4<<30))
	}, true},
	"zeros": {func(path string) error { return os.WriteFile(path, make([]byte, 5000), 0o600) }, true},
}

// TestObstacles: whatever lies where the lists of a server should, nobody waits
// for it, the lists of others are there, and it is replaced if that can be.
func TestObstacles(t *testing.T) {
	for name, obstacle := range obstacles {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			save(t, s, files, modern, listsOf(t, "read"))
			if err := obstacle.put(s.path(github)); err != nil {
				t.Fatal(err)
			}
			found := s.LoadAll([]Wanted{{github, modern}, {files, modern}}, noon)
			if found[0].Lists != nil || (found[0].Err == nil) != (name == "link to nothing") {
				t.Errorf("got %+v, want an error if anything is there", found[0])
			}
			if found[1].Err != nil || !found[1].Exact {
				t.Errorf("the other server: got %+v, want lists", found[1])
			}
			err := s.Save(t.Context(), github, modern, listsOf(t, "search"), noon)
			got := load(t, s, github, modern)
			if (err == nil) != obstacle.yield || got.Exact != obstacle.yield {
				t.Errorf("saving: got %v, then %+v, want it stored: %v", err, got, obstacle.yield)
			}
		})
	}
}

// TestObstaclesToTheKey: the same for the key. One that may be there, and cannot be
// read, is not replaced.
func TestObstaclesToTheKey(t *testing.T) {
	for name, obstacle := range obstacles {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := obstacle.put(filepath.Join(dir, keyName)); err != nil {
				t.Fatal(err)
			}
			s, err := OpenStore(t.Context(), dir)
			usable := obstacle.yield && name != "link to itself"
			if (err == nil) != usable || s.Usable() != usable {
				t.Errorf("got %v, usable %v, want it usable: %v", err, s.Usable(), usable)
			}
			if !usable {
				return
			}
			save(t, s, github, modern, listsOf(t, "search"))
			if got := load(t, open(t, dir), github, modern); !got.Exact {
				t.Errorf("got %+v, want lists", got)
			}
		})
	}
}
