package catalog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFolderGoesWhileInUse: the user may delete the folder, or empty it, at any
// time. What is stored afterwards is found by the next weir.
func TestFolderGoesWhileInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "weir")
	s := open(t, dir)
	save(t, s, github, modern, listsOf(t, "search"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got := load(t, s, github, modern); got != (Found{}) {
		t.Errorf("got %+v, want nothing", got)
	}
	save(t, s, github, modern, listsOf(t, "new"))
	if got := load(t, open(t, dir), github, modern); !got.Exact {
		t.Errorf("after it was removed: got %+v, want lists", got)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	other := open(t, dir) // makes another key
	save(t, s, github, modern, listsOf(t, "new"))
	save(t, other, files, modern, listsOf(t, "read"))
	if got := load(t, other, github, modern); !got.Exact {
		t.Errorf("with the key of another weir: got %+v, want lists", got)
	}
	if got := load(t, s, files, modern); !got.Exact {
		t.Errorf("what the other weir has stored: got %+v, want lists", got)
	}
}

// TestWriterIsKilled: what it leaves behind is no hindrance, and goes with a later
// start.
func TestWriterIsKilled(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	save(t, s, github, modern, listsOf(t, "search"))
	whole, err := os.ReadFile(s.path(github))
	if err != nil {
		t.Fatal(err)
	}
	left := func(name string, age time.Duration) string {
		path := filepath.Join(dir, name)
		at := noon.Add(-age)
		if err := errors.Join(os.WriteFile(path, whole[:len(whole)/2], 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	base := "." + filepath.Base(s.path(github))
	gone := []string{
		left(base+"123", 2*writeTime), left(base+"9223372036854775807", 100*keep),
		left(base+"4", -2*writeTime), // by a clock that was ahead
		left("."+keyName+"55", 2*writeTime), left("."+strings.TrimSuffix(base, listsExt)[1:]+anyLists+"3"+"77", 2*writeTime),
	}
	kept := []string{left(base+"5", writeTime/2), left(".notes", keep*2), left(".keys1", keep*2)}

	next := open(t, dir)
	if got := load(t, next, github, modern); !got.Exact {
		t.Errorf("got %+v, want lists", got)
	}
	save(t, next, github, modern, listsOf(t, "search"))
	there := names(t, dir)
	for _, name := range gone {
		if slices.Contains(there, name) {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range kept {
		if !slices.Contains(there, name) {
			t.Errorf("%s is not there any more", name)
		}
	}
}

// TestSweepOfOtherFormats: those that are older go as ours do when nobody uses
// them. A newer weir looks after its own.
func TestSweepOfOtherFormats(t *testing.T) {
	dir := t.TempDir()
	old := noon.Add(-keep - time.Hour)
	stays := map[string]bool{
		"0123.lists": false, "0123.lists3": false, "0123.lists4": false,
		"0123.lists5": true, "0123.lists17": true, "listing": true,
	}
	for name := range stays {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	// A clock that is behind all of them takes none for old.
	s := open(t, dir)
	if err := s.Save(t.Context(), github, modern, listsOf(t, "search"), time.Unix(300, 0)); err != nil {
		t.Fatal(err)
	}
	for name := range stays {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s, with a clock that is behind: %v", name, err)
		}
	}
	save(t, open(t, dir), github, modern, listsOf(t, "search"))
	for name, stays := range stays {
		_, err := os.Stat(filepath.Join(dir, name))
		if stays && err != nil || !stays && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want it to stay: %v", name, err, stays)
		}
	}
}

// TestTimesOfAWrongClock: times ahead of now say nothing but that there are lists.
func TestTimesOfAWrongClock(t *testing.T) {
	lists := listsOf(t, "search")
	lists.Failure = Failure{Kind: "timeout", Text: "slow", At: noon.Add(time.Hour)}
	tests := map[string]struct {
		now               time.Time
		fetched, failedAt bool // dated still
	}{
		"later":                  {noon.Add(2 * time.Hour), true, true},
		"twenty years later":     {noon.AddDate(20, 0, 0), true, true},
		"in between":             {noon.Add(time.Minute), true, false},
		"a day back":             {noon.AddDate(0, 0, -1), false, false},
		"twenty years back":      {noon.AddDate(-20, 0, 0), false, false},
		"1970":                   {time.Unix(60, 0), false, false},
		"before any clock began": {time.Time{}, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			save(t, s, github, modern, lists)
			found := s.LoadAll([]Wanted{{github, modern}}, tt.now)[0]
			variants, err := s.Variants(github, tt.now)
			if found.Lists == nil || err != nil || len(variants) != 1 {
				t.Fatalf("got %+v, %v, %v, want lists", found, variants, err)
			}
			for _, l := range []*Lists{found.Lists, variants[0]} {
				if !l.Known() || len(l.Tools.Items) != 1 || !l.Failure.Failed() {
					t.Errorf("got %+v, want all that was stored", l)
				}
				if got := l.Tools.Fetched.Equal(noon); got != tt.fetched || Undated(l.Tools.Fetched) == tt.fetched {
					t.Errorf("got lists of %v, want them dated: %v", l.Tools.Fetched, tt.fetched)
				}
				if got := l.Failure.At.Equal(noon.Add(time.Hour)); got != tt.failedAt || Undated(l.Failure.At) == tt.failedAt {
					t.Errorf("got a failure of %v, want it dated: %v", l.Failure.At, tt.failedAt)
				}
			}
			// It is written again as it is, and stays what it is.
			save(t, s, github, legacy, found.Lists)
			again := s.LoadAll([]Wanted{{github, legacy}}, tt.now)[0].Lists
			if again == nil || !again.Known() || again.Tools.Fetched.Unix() != found.Lists.Tools.Fetched.Unix() {
				t.Errorf("written again: got %+v", again)
			}
		})
	}
}
