package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/state"
)

// TestDraft: a draft changes nothing until it is saved, and then what it said; the
// change can be taken back, and made again that way.
func TestDraft(t *testing.T) {
	dir := t.TempDir()
	locks := state.At(filepath.Join(dir, "state"))
	o := Options{Path: filepath.Join(dir, "new", "mcp.yaml")}
	read := func() string {
		data, err := os.ReadFile(o.Path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(data)
	}
	save := func(d *Draft, err error) {
		t.Helper()
		before := read()
		if err != nil {
			t.Fatal(err)
		}
		if got := read(); got != before || string(d.Before) != before {
			t.Errorf("before it is saved: got %q, draft of %q, want %q", got, d.Before, before)
		}
		if err := d.Save(t.Context(), locks); err != nil {
			t.Fatal(err)
		}
		if got := read(); got != string(d.After) {
			t.Errorf("saved: got %q, want %q", got, d.After)
		}
	}
	if _, err := UndoDraft(o); !errors.Is(err, errNothingToUndo) {
		t.Errorf("undo of nothing: got %v", err)
	}
	save(NewDraft(o, AddServer{Name: "a", Command: "x"}, AddServer{Name: "b", Command: "x"}, AddAlias{"c", "b"}))
	first := read()
	if !strings.Contains(first, "  b:") || !strings.Contains(first, "  c: b") {
		t.Errorf("several changes: got %s", first)
	}
	if info, err := os.Stat(o.Path); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("mode: got %v, %v", info.Mode(), err)
	}
	save(UndoDraft(o))
	if _, err := os.Stat(o.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file that was made is still there: %v", err)
	}
	save(UndoDraft(o))
	if got := read(); got != first {
		t.Errorf("made again: got %q, want %q", got, first)
	}
	save(NewDraft(o, RemoveServer{"b"}))
	save(UndoDraft(o))
	if got := read(); got != first {
		t.Errorf("taken back: got %q, want %q", got, first)
	}
}

func TestDraftThatFails(t *testing.T) {
	dir := t.TempDir()
	locks := state.At(filepath.Join(dir, "state"))
	o := Options{Path: filepath.Join(dir, "mcp.yaml")}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(o.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const text = "servers:\n  a: {command: x}\nprofiles: {p: {servers: [a]}}\n"
	write(text)
	for name, test := range map[string]struct {
		changes []Change
		want    any
	}{
		"the second":          {[]Change{AddServer{Name: "b", Command: "x"}, SetEnabled{"none", true}}, new(*NameError)},
		"unusable afterwards": {[]Change{RemoveServer{"a"}}, new(*EditError)},
	} {
		if _, err := NewDraft(o, test.changes...); !errors.As(err, test.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	d, err := NewDraft(o, SetEnabled{"a", false})
	if err != nil {
		t.Fatal(err)
	}
	write(text + "# by hand\n")
	if err := d.Save(t.Context(), locks); !errors.Is(err, ErrMoved) {
		t.Errorf("a file that has changed: got %v, want ErrMoved", err)
	}
	if data, _ := os.ReadFile(o.Path); string(data) != text+"# by hand\n" {
		t.Errorf("a file that has changed: got %s", data)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "mcp.yaml*")); len(left) != 1 {
		t.Errorf("files are left: %q", left)
	}
	if err := os.WriteFile(d.Backup(), []byte("servers: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := UndoDraft(o); !errors.As(err, new(*EditError)) {
		t.Errorf("undo to what cannot be used: got %v", err)
	}
}
