package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/weir-mcp/weir/upstream/state"
)

func TestEditFile(t *testing.T) {
	dir := t.TempDir()
	locks := state.At(filepath.Join(dir, "state"))
	path, link := filepath.Join(dir, "real", "mcp.yaml"), filepath.Join(dir, "link.yaml")
	edit := func(change Change) error { return EditFile(t.Context(), Options{Path: link}, change, locks) }
	read := func(path string) string {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	write := func(text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	const text = "# mine\nservers:\n  a: {command: b}\nprofiles: {p: {servers: [a]}}\n"
	write(text)
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err) // Windows lets not everybody make links
	}

	if err := edit(SetEnabled{"a", false}); err != nil {
		t.Fatal(err)
	}
	if got, want := read(path), strings.Replace(text, "{command", "{enabled: false, command", 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := read(path + ".bak"); got != text {
		t.Errorf("backup: got %s, want %s", got, text)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is none any more: %v, %v", info.Mode(), err)
	}
	for _, name := range []string{path, path + ".bak"} {
		if info, err := os.Stat(name); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o640) {
			t.Errorf("%s: got mode %v, %v", name, info.Mode(), err)
		}
	}

	before := read(path)
	for name, test := range map[string]struct {
		change Change
		want   any
	}{
		"leaves a profile without its server": {RemoveServer{"a"}, new(*EditError)},
		"no such server":                      {SetEnabled{"b", true}, new(*NameError)},
		"one that fits":                       {AddServer{Name: "x", Command: "y"}, nil},
	} {
		err := edit(test.change)
		if test.want == nil {
			if err != nil {
				t.Errorf("%s: got %v", name, err)
			}
			if err := edit(RemoveServer{"x"}); err != nil {
				t.Error(err)
			}
			continue
		}
		if !errors.As(err, test.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got := read(path); got != before {
		t.Errorf("what was refused has changed the file:\n%s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "real", "*")); len(left) != 2 {
		t.Errorf("files are left: %q", left)
	}
	if err := EditFile(t.Context(), Options{Path: dir}, SetEnabled{"a", true}, locks); err == nil {
		t.Error("a folder was changed")
	}
	if err := EditFile(t.Context(), Options{Path: link}, SetEnabled{"a", true}, state.Folder{}); !errors.Is(err, state.ErrNoFolder) {
		t.Errorf("without a place for locks: got %v", err)
	}
}

// TestEditFileOfMany: no change is lost, however many make one at once, and the
// first makes the file.
func TestEditFileOfMany(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "mcp.yaml")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			locks := state.At(filepath.Join(dir, "state")) // as another process has its own
			change := AddServer{Name: fmt.Sprint("s", i), Command: "x"}
			if err := EditFile(context.Background(), Options{Path: path}, change, locks); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	file, err := Load(Options{Path: path})
	if err != nil || len(file.Servers) != 8 {
		t.Fatalf("got %+v, %v", file, err)
	}
	if info, err := os.Stat(path); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("got mode %v, %v", info.Mode(), err)
	}
}

// TestLiteral: what is written by Literal is read as it was.
func TestLiteral(t *testing.T) {
	t.Setenv("SECRET", "s3cr3t")
	for _, text := range []string{"${SECRET}", "$${SECRET}", "$$${SECRET}", "${", "$", "a${env:SECRET}b${file:/etc/passwd}", "${SECRET:-x}", "\\${SECRET}", "$${", "'\"#: {}"} {
		data, err := Edit(nil, AddServer{Name: "a", Command: "x", Args: []string{Literal(text)}, Env: map[string]string{"E": Literal(text)}})
		if err != nil {
			t.Fatal(err)
		}
		file, err := parse(Options{Path: "/x/mcp.yaml"}, data)
		if err != nil {
			t.Fatal(err)
		}
		s := file.Servers[0]
		if s.Broken != nil || s.Resolve != nil || s.Args[0] != text || s.Env["E"] != text {
			t.Errorf("%q: got %q and %q, broken: %v", text, s.Args[0], s.Env["E"], s.Broken)
		}
	}
}

// TestRestoreFile: a file is given back only as long as it is the one that was
// left.
func TestRestoreFile(t *testing.T) {
	locks := state.At(t.TempDir())
	path := write(t, "mcp.yaml", "# before\n")
	var edited Edited
	change := DefineServer{"s", NewDefinition("run")}
	keep := func(e Edited) error {
		edited = e
		return nil
	}
	if _, after, err := Preview(Options{Path: path}, change); err != nil || len(after.Servers) != 1 {
		t.Fatalf("got %+v, %v", after, err)
	}
	if err := EditFileKeeping(t.Context(), Options{Path: path}, change, locks, keep); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != string(edited.After) || string(edited.Before) != "# before\n" || edited.New {
		t.Fatalf("got %q, %v, told %+v", data, err, edited)
	}
	backup := func() string {
		data, _ := os.ReadFile(path + ".bak")
		return string(data)
	}
	if got := backup(); got != "# before\n" {
		t.Errorf("the last change could not be taken back: the backup is %q", got)
	}
	if err := RestoreFile(t.Context(), path, sha256.Sum256([]byte("other")), edited.Before, locks); !errors.Is(err, ErrOther) {
		t.Errorf("got %v for another file", err)
	}
	if err := RestoreFile(t.Context(), path, sha256.Sum256(edited.After), edited.Before, locks); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "# before\n" || backup() != string(edited.After) {
		t.Errorf("got %q, %v, and in the backup %q", data, err, backup())
	}
	if err := RestoreFile(t.Context(), path, sha256.Sum256(edited.Before), nil, locks); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want it gone", err)
	}
}

// TestKeepingFails: where the text before cannot be kept, nothing is changed.
func TestKeepingFails(t *testing.T) {
	path := write(t, "mcp.yaml", "# before\n")
	lost := errors.New("no room")
	err := EditFileKeeping(t.Context(), Options{Path: path}, DefineServer{"s", NewDefinition("run")}, state.At(t.TempDir()), func(Edited) error { return lost })
	if data, _ := os.ReadFile(path); !errors.Is(err, lost) || string(data) != "# before\n" {
		t.Errorf("got %v and %q", err, data)
	}
}
