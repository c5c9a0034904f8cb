package pins

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/canonical"
	"github.com/weir-mcp/weir/upstream/state"
)

var day = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func tool(name, raw string) Item { return Item{Key: Key{Kind: Tool, Name: name}, Raw: []byte(raw)} }

func mustPin(t *testing.T, s *Store, items ...Item) *Book {
	t.Helper()
	b, err := s.Pin(t.Context(), "srv", items, day)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func standings(b *Book, items ...Item) (all []Standing) {
	for _, item := range items {
		all = append(all, b.Judge(item))
	}
	return all
}

// TestFirstSightIsBaseline: what was seen first counts until another definition
// is approved, whatever comes and goes in between.
func TestFirstSightIsBaseline(t *testing.T) {
	folder := state.At(t.TempDir())
	s := NewStore(folder)
	first, respelled := tool("a", `{"name":"a","description":"x"}`), tool("a", "{ \"description\":\"\\u0078\",\n\"name\":\"a\"}")
	poisoned := tool("a", `{"name":"a","description":"y"}`)
	prompt := Item{Key: Key{Kind: Prompt, Name: "a"}, Raw: []byte(`{"name":"a"}`)}
	words, none := Item{Key: Key{Kind: Instructions}, Raw: []byte(`"use it"`)}, Item{Key: Key{Kind: Instructions}, Raw: []byte(`""`)}

	empty, err := s.Load("srv")
	if err != nil || !empty.Since.IsZero() || len(empty.Pins()) != 0 {
		t.Fatalf("nothing yet: got %+v, %v", empty, err)
	}
	if diff := cmp.Diff([]Standing{New, New, New, New}, standings(empty, first, prompt, words, none)); diff != "" {
		t.Errorf("nothing yet (-want +got):\n%s", diff)
	}
	mustPin(t, s, first, none, tool("gone", `{"name":"gone"}`))
	b := mustPin(t, NewStore(folder), poisoned, words, prompt, tool("gone", `{"name":"gone","x":1}`))
	got := standings(b, first, respelled, poisoned, words, none, prompt, tool("gone", `{"name":"gone","x":1}`), tool("new", `{}`))
	if diff := cmp.Diff([]Standing{Same, Same, Changed, Changed, Same, Same, Changed, New}, got); diff != "" {
		t.Errorf("another process (-want +got):\n%s", diff)
	}
	silent, err := s.Pin(t.Context(), "silent", []Item{words}, day)
	if err != nil || silent.Judge(none) != Same {
		t.Errorf("instructions that are gone: got %v, %v, want them to be no change", silent.Judge(none), err)
	}
	loaded, err := s.Load("srv")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.Pins(), loaded.Pins()); diff != "" || !loaded.Since.Equal(day) {
		t.Errorf("loaded since %v (-pinned +loaded):\n%s", loaded.Since, diff)
	}
}

func TestApprove(t *testing.T) {
	s := NewStore(state.At(t.TempDir()))
	at := func(n int) Item { return tool("a", fmt.Sprintf(`{"name":"a","v":%d}`, n)) }
	mustPin(t, s, at(0), tool("b", `{"name":"b"}`))
	approve := func(n, before int) error {
		return s.Approve(t.Context(), "srv", []Approval{{Item: at(n), Before: canonical.DigestOf(at(before).Raw)}}, day.Add(time.Hour))
	}
	if err := approve(2, 1); !errors.Is(err, ErrMoved) {
		t.Errorf("compared with what is not pinned: got %v, want ErrMoved", err)
	}
	if err := s.Approve(t.Context(), "srv", []Approval{{Item: at(2)}}, day); !errors.Is(err, ErrMoved) {
		t.Errorf("compared with nothing: got %v, want ErrMoved", err)
	}
	for n := range 5 {
		if err := approve(n+1, n); err != nil {
			t.Fatal(err)
		}
	}
	b, err := s.Load("srv")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Standing{Changed, Changed, Same, Same, Same, Same, Changed}, standings(b, at(0), at(1), at(2), at(3), at(4), at(5), at(6))); diff != "" {
		t.Errorf("only so many are kept (-want +got):\n%s", diff)
	}
	if p := b.Latest(at(5).Key); string(p.Definition) != string(at(5).Raw) || !p.Approved || !p.At.Equal(day.Add(time.Hour)) {
		t.Errorf("latest: got %+v", p)
	}
	if p := b.Latest(Key{Kind: Tool, Name: "b"}); p == nil || p.Approved {
		t.Errorf("what nobody spoke of: got %+v", p)
	}
}

// TestManyProcesses: whoever is first pins, and nothing is lost.
func TestManyProcesses(t *testing.T) {
	dir := t.TempDir()
	const processes, items = 8, 10
	books := make([]*Book, processes)
	var all sync.WaitGroup
	for p := range processes {
		all.Go(func() {
			for i := range items {
				b, err := NewStore(state.At(dir)).Pin(t.Context(), "srv", []Item{
					tool(fmt.Sprint(i), fmt.Sprintf(`{"by":%d}`, p)), tool(fmt.Sprint("own", p, "-", i), `{}`),
				}, day)
				if err != nil {
					t.Error(err)
					return
				}
				books[p] = b
			}
		})
	}
	all.Wait()
	b, err := NewStore(state.At(dir)).Load("srv")
	if err != nil || len(b.Pins()) != items+processes*items {
		t.Fatalf("got %d pins, %v, want %d", len(b.Pins()), err, items+processes*items)
	}
	for p, seen := range books {
		for i := range items {
			key := Key{Kind: Tool, Name: fmt.Sprint(i)}
			if seen.Latest(key).Digest != b.Latest(key).Digest {
				t.Errorf("process %d was told another pin of %s than there is", p, key)
			}
		}
	}
}

// TestDamagedFile: what cannot be read is not replaced until the user says so.
func TestDamagedFile(t *testing.T) {
	s := NewStore(state.At(t.TempDir()))
	mustPin(t, s, tool("a", `{"name":"a"}`))
	whole, err := os.ReadFile(s.Path("srv"))
	if err != nil {
		t.Fatal(err)
	}
	digest := canonical.DigestOf([]byte(`{"name":"a"}`)).String()
	for name, text := range map[string]string{
		"cut":            string(whole[:len(whole)/2]),
		"empty":          "",
		"another format": strings.Replace(string(whole), "weir pins 1", "weir pins 2", 1),
		"unknown kind":   strings.Replace(string(whole), `"tool"`, `"tole"`, 1),
		"no name":        strings.Replace(string(whole), `"name":"a","sha`, `"sha`, 1),
		"short digest":   strings.Replace(string(whole), digest, digest[2:], 1),
		"long digest":    strings.Replace(string(whole), digest, digest+"00", 1),
		"no time":        strings.Replace(string(whole), "2026-01-02T03:04:05Z", "yesterday", 1),
		"huge":           strings.Repeat(" ", state.MaxFile) + string(whole),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(s.Path("srv"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Load("srv"); err == nil || name != "huge" && !errors.Is(err, ErrDamaged) {
				t.Errorf("loading: got %v, want ErrDamaged", err)
			}
			if _, err := s.Pin(t.Context(), "srv", []Item{tool("a", `{}`)}, day); err == nil {
				t.Error("pinning: got no error")
			}
			if err := s.Approve(t.Context(), "srv", []Approval{{Item: tool("a", `{}`)}}, day); err == nil {
				t.Error("approving: got no error")
			}
			if now, err := os.ReadFile(s.Path("srv")); string(now) != text {
				t.Errorf("file was touched: %.100s, %v", now, err)
			}
			aside, err := s.SetAside(t.Context(), "srv", day)
			if err != nil {
				t.Fatal(err)
			}
			if kept, err := os.ReadFile(aside); string(kept) != text {
				t.Errorf("set aside: got %.100s, %v", kept, err)
			}
			if b, err := s.Load("srv"); err != nil || len(b.Pins()) != 0 {
				t.Errorf("afterwards: got %v, %v, want nothing", b, err)
			}
		})
	}
	mustPin(t, s, tool("a", `{}`))
	if aside, err := s.SetAside(t.Context(), "srv", day); aside != "" || err != nil {
		t.Errorf("a good file: got %q, %v, want it to stay", aside, err)
	}
}

// TestBounds: large definitions have a digest only; too many are none at all.
func TestBounds(t *testing.T) {
	s := NewStore(state.At(t.TempDir()))
	text := func(n int, end string) string { return `{"d":"` + strings.Repeat("x", n) + end + `"}` }
	deep := strings.Repeat("[", 128+2) + strings.Repeat("]", 128+2)
	items := []Item{tool("large", text(maxDefinition, "1")), tool("huge", text(canonical.MaxSize, "1")), tool("deep", deep)}
	for i := range 40 { // more than may be kept together
		items = append(items, tool(fmt.Sprint(i), text(maxDefinition-100, fmt.Sprint(i))))
	}
	mustPin(t, s, items...)
	b, err := s.Load("srv")
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, item := range items {
		if b.Latest(item.Key).Definition != nil {
			kept += len(item.Raw)
		}
		if got := b.Judge(item); got != Same {
			t.Errorf("%s: got %v, want the same", item.Key, got)
		}
		other := item
		other.Raw = append([]byte(" [0,"), append(item.Raw, ']')...)
		if got := b.Judge(other); got != Changed {
			t.Errorf("another %s: got %v, want changed", item.Key, got)
		}
	}
	if kept == 0 || kept > maxKept || b.Latest(items[0].Key).Definition != nil || b.Latest(items[2].Key).Definition != nil {
		t.Errorf("kept %d bytes of definitions, want at most %d, none of a large or deep one", kept, maxKept)
	}

	many := make([]Item, maxPins)
	for i := range many {
		many[i] = tool(fmt.Sprint("n", i), `{}`)
	}
	if _, err := s.Pin(t.Context(), "srv", many, day); !errors.Is(err, ErrFull) {
		t.Errorf("too many: got %v, want ErrFull", err)
	}
	if _, err := s.Pin(t.Context(), "srv", []Item{tool(strings.Repeat("n", maxHeads), `{}`)}, day); !errors.Is(err, ErrFull) {
		t.Errorf("too long a name: got %v, want ErrFull", err)
	}
	if again, err := s.Load("srv"); err != nil || len(again.Pins()) != len(items) {
		t.Errorf("after that: got %d pins, %v, want %d", len(again.Pins()), err, len(items))
	}
}

func TestForget(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "weir")
	s := NewStore(state.At(dir))
	if err := s.Forget(t.Context(), "srv"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("forgetting nothing has made a folder")
	}
	before := s.Stamp("srv")
	mustPin(t, s, tool("a", `{}`))
	if s.Stamp("srv") == before {
		t.Error("stamp is the same with a file and without")
	}
	if err := s.Forget(t.Context(), "srv"); err != nil {
		t.Error(err)
	}
	if b, err := s.Load("srv"); err != nil || len(b.Pins()) != 0 {
		t.Errorf("got %v, %v, want nothing", b, err)
	}
}

func TestNoPlace(t *testing.T) {
	s := NewStore(state.Folder{})
	if b, err := s.Load("srv"); err != nil || len(b.Pins()) != 0 {
		t.Errorf("loading: got %v, %v, want nothing", b, err)
	}
	if _, err := s.Pin(t.Context(), "srv", []Item{tool("a", `{}`)}, day); !errors.Is(err, state.ErrNoFolder) {
		t.Errorf("pinning: got %v, want ErrNoFolder", err)
	}
}

func TestFileName(t *testing.T) {
	seen := map[string]string{}
	for _, server := range []string{"files", "my-db_2", "Files", "a/b", `a\b`, "..", "", ".", "con", "a b", "é", strings.Repeat("x", 65), strings.Repeat("x", 64)} {
		name := fileName(server)
		if other, taken := seen[strings.ToLower(name)]; taken {
			t.Errorf("%q and %q have one file, %q", server, other, name)
		}
		seen[strings.ToLower(name)] = server
		if filepath.Base(name) != name || strings.ContainsAny(name, `\ `) || !strings.HasPrefix(name, "pins-") {
			t.Errorf("%q: got %q, want a plain file name", server, name)
		}
	}
	if got := fileName("files"); got != "pins-files.json" {
		t.Errorf("got %q", got)
	}
}

func TestMode(t *testing.T) {
	for _, m := range []Mode{Warn, Off, Block} {
		var got Mode
		if err := got.UnmarshalText([]byte(m.String())); err != nil || got != m {
			t.Errorf("%v: got %v, %v", m, got, err)
		}
	}
	var m Mode
	if err := m.UnmarshalText([]byte("strict")); err == nil {
		t.Error("got no error for an unknown word")
	}
	if m != Warn {
		t.Errorf("zero mode: got %v, want warn", m)
	}
}

// FuzzDecodeBook: no file makes trouble, and what is read is written the same.
func FuzzDecodeBook(f *testing.F) {
	b := newBook(day, []Pin{pinOf(tool("a", `{"name":"a"}`), day), pinOf(Item{Key: Key{Kind: Instructions}, Raw: []byte(`""`)}, day)})
	text, err := encodeBook(b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format":"weir pins 1","since":"2026-01-02T03:04:05Z","pins":[]}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		b, err := decodeBook(file)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged", err)
			}
			return
		}
		text, err := encodeBook(b)
		if err != nil {
			return
		}
		again, err := decodeBook(text)
		if err != nil {
			t.Fatalf("%q became %q: %v", file, text, err)
		}
		for i, p := range again.Pins() {
			if p.Key != b.Pins()[i].Key || p.Digest != b.Pins()[i].Digest {
				t.Errorf("pin %d: got %+v, want %+v", i, p, b.Pins()[i])
			}
		}
	})
}
