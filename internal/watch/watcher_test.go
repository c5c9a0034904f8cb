package watch

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// patience only ends a test that hangs.
const patience = 20 * time.Second

// A folder is one of the test's own, in which things happen.
type folder struct {
	t    *testing.T
	path string
}

func newFolder(t *testing.T) *folder {
	path, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &folder{t, path}
}

func (f *folder) at(name string) string { return filepath.Join(f.path, filepath.FromSlash(name)) }

func (f *folder) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) write(name, text string) {
	f.t.Helper()
	f.must(os.WriteFile(f.at(name), []byte(text), 0o600))
}

func (f *folder) mkdir(name string) {
	f.t.Helper()
	f.must(os.MkdirAll(f.at(name), 0o700))
}

func (f *folder) rename(from, to string) {
	f.t.Helper()
	f.must(os.Rename(f.at(from), f.at(to)))
}

func (f *folder) remove(name string) {
	f.t.Helper()
	f.must(os.RemoveAll(f.at(name)))
}

func (f *folder) link(target, name string) {
	f.t.Helper()
	if err := os.Symlink(filepath.FromSlash(target), f.at(name)); err != nil {
		f.t.Skip(err) // not everybody may on Windows
	}
}

// replaceLink is how a link is switched.
func (f *folder) replaceLink(target, name string) {
	f.t.Helper()
	f.link(target, name+".new")
	f.rename(name+".new", name)
}

// scenes are ways in which what stands at "mcp.yaml", or "home/weir/mcp.yaml", may
// change. Each step is one change.
var scenes = []struct {
	name  string
	path  string
	begin func(f *folder)
	steps []func(f *folder)
}{
	{
		"written", "mcp.yaml",
		func(f *folder) { f.write("mcp.yaml", "a") },
		[]func(f *folder){
			func(f *folder) { f.write("mcp.yaml", "bb") },
			func(f *folder) { f.write("mcp.yaml", "ccc") },
		},
	},
	{
		"renamed over", "mcp.yaml",
		func(f *folder) { f.write("mcp.yaml", "a") },
		[]func(f *folder){
			func(f *folder) { f.write("new", "bb"); f.rename("new", "mcp.yaml") },
			func(f *folder) { f.write("new", "ccc"); f.rename("new", "mcp.yaml") },
		},
	},
	{
		"deleted and written again", "mcp.yaml",
		func(f *folder) { f.write("mcp.yaml", "a") },
		[]func(f *folder){
			func(f *folder) { f.remove("mcp.yaml") },
			func(f *folder) { f.write("mcp.yaml", "bb") },
		},
	},
	{
		"the folder comes later", "home/weir/mcp.yaml",
		func(*folder) {},
		[]func(f *folder){
			func(f *folder) { f.mkdir("home/weir"); f.write("home/weir/mcp.yaml", "a") },
			func(f *folder) { f.write("home/weir/mcp.yaml", "bb") },
			func(f *folder) { f.remove("home") },
			func(f *folder) { f.mkdir("home/weir"); f.write("home/weir/mcp.yaml", "ccc") },
		},
	},
	{
		"another folder in its place", "home/weir/mcp.yaml",
		func(f *folder) { f.mkdir("home/weir"); f.write("home/weir/mcp.yaml", "a") },
		[]func(f *folder){
			func(f *folder) { f.rename("home/weir", "home/old") },
			func(f *folder) { f.mkdir("home/weir"); f.write("home/weir/mcp.yaml", "bb") },
			func(f *folder) { f.write("home/weir/mcp.yaml", "ccc") },
		},
	},
	{
		"a link to the file", "mcp.yaml",
		func(f *folder) {
			f.mkdir("dotfiles")
			f.write("dotfiles/a", "a")
			f.write("dotfiles/b", "bb")
			f.link("dotfiles/a", "mcp.yaml")
		},
		[]func(f *folder){
			func(f *folder) { f.write("dotfiles/a", "aaaa") },
			func(f *folder) { f.replaceLink("dotfiles/b", "mcp.yaml") },
			func(f *folder) { f.write("dotfiles/b", "ccc") },
		},
	},
	{
		"a link to the folder", "home/weir/mcp.yaml",
		func(f *folder) {
			f.mkdir("home")
			f.mkdir("dotfiles/weir")
			f.mkdir("other")
			f.write("dotfiles/weir/mcp.yaml", "a")
			f.write("other/mcp.yaml", "bb")
			f.link(f.at("dotfiles/weir"), "home/weir")
		},
		[]func(f *folder){
			func(f *folder) { f.write("dotfiles/weir/mcp.yaml", "aaaa") },
			func(f *folder) { f.replaceLink("../other", "home/weir") },
			func(f *folder) { f.write("other/mcp.yaml", "ccc") },
		},
	},
	{
		"as Kubernetes does", "mcp.yaml",
		func(f *folder) {
			f.mkdir("..1")
			f.mkdir("..2")
			f.write("..1/mcp.yaml", "a")
			f.write("..2/mcp.yaml", "bb")
			f.link("..1", "..data")
			f.link("..data/mcp.yaml", "mcp.yaml")
		},
		[]func(f *folder){
			func(f *folder) { f.replaceLink("..2", "..data"); f.remove("..1") },
			func(f *folder) { f.mkdir("..3"); f.write("..3/mcp.yaml", "ccc"); f.replaceLink("..3", "..data") },
		},
	},
}

// TestFollow: whatever is done to a file, it is told of, by the system and by
// looking.
func TestFollow(t *testing.T) {
	byLooking := func(report func(error)) *Watcher {
		noWatches := func() (*fsnotify.Watcher, error) { return nil, errors.New("no watches are left") }
		return newWatcher(report, noWatches, silent, 5*time.Millisecond)
	}
	onSilentDisks := func(report func(error)) *Watcher {
		return newWatcher(report, fsnotify.NewWatcher, func(string) bool { return true }, 5*time.Millisecond)
	}
	for _, way := range []struct {
		name    string
		make    func(report func(error)) *Watcher
		reports int
	}{{"told", New, 0}, {"without watches", byLooking, 1}, {"on silent disks", onSilentDisks, 1}} {
		for _, scene := range scenes {
			t.Run(way.name+"/"+scene.name, func(t *testing.T) {
				t.Parallel()
				f := newFolder(t)
				scene.begin(f)
				reports := 0
				w := way.make(func(error) { reports++ })
				defer w.Close()
				path := f.at(scene.path)
				w.Follow([]string{path})
				settled(t, w, path, func() bool { return true })
				for i, step := range scene.steps {
					before := content(path)
					step(f)
					if content(path) == before {
						t.Fatalf("step %d changes nothing", i)
					}
					settled(t, w, path, func() bool { return content(path) != before })
				}
				if reports != way.reports {
					t.Errorf("got %d reports, want %d", reports, way.reports)
				}
			})
		}
	}
}

// settled waits until it is told of a change, and follows as long as there is more
// to tell.
func settled(t *testing.T, w *Watcher, path string, done func() bool) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for quiet := time.NewTimer(time.Hour); ; {
		select {
		case <-w.Happened():
			w.Follow([]string{path})
			if done() {
				quiet.Reset(20 * time.Millisecond)
			}
		case <-quiet.C:
			return
		case <-late.C:
			t.Fatal("it was never told")
		}
	}
}

func content(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestConcern: what happens beside the file is not told.
func TestConcern(t *testing.T) {
	f := newFolder(t)
	f.mkdir("real")
	f.link("real", "weir")
	p := placesOf([]string{f.at("weir/mcp.yaml"), f.at("gone/env")})
	for name, want := range map[string]bool{
		"weir": true, "real/mcp.yaml": true, "real/MCP.yaml": true, "gone": true, "real": true,
		"real/mcp.yaml.swp": false, "env": false, "beside": false, "real/state": false,
	} {
		if got := p.concern(f.at(name)); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// TestClosed: nothing is left.
func TestClosed(t *testing.T) {
	f := newFolder(t)
	before := runtime.NumGoroutine()
	for range 20 {
		w := New(func(err error) { t.Error(err) })
		w.Follow([]string{f.at("a"), f.at("b/c")})
		w.Close()
	}
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("got %d goroutines, want %d", runtime.NumGoroutine(), before)
		}
	}
}

func TestPlacesOfCircles(t *testing.T) {
	f := newFolder(t)
	f.link("b", "a")
	f.link("a", "b")
	p := placesOf([]string{f.at("a/mcp.yaml")})
	if len(p.folders) != 1 || len(p.names) != 2 {
		t.Errorf("got %+v", p)
	}
}
