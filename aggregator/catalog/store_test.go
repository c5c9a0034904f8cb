package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"
)

func TestStoreRoundTrip(t *testing.T) {
	unusual := listsOf(t, "a")
	unusual.Instructions = "line\n\"quoted\" <&> ü\x00"
	unusual.ServerInfo = []byte("{\r\n \"name\":\t\"pretty\"\n}")
	unusual.Tools.Items = append(unusual.Tools.Items,
		item(t, "{\n  \"title\": 9007199254740993,\n  \"n\\u0061me\" : \"caf\\u00e9 \\ud83d\" ,\"x\":{\"name\":1},\"x\":2\n}"),
		item(t, `{"name":""}`))

	tests := map[string]*Lists{
		"plain":   listsOf(t, "read", "write"),
		"unusual": unusual,
		"nothing to offer": {
			Version: "2024-11-05", Tools: List{Fetched: noon},
		},
		"failed after a success": func() *Lists {
			l := listsOf(t, "read")
			l.Failure = Failure{Kind: "timeout", Text: "no answer in 30s", At: noon}
			return l
		}(),
		"only failed": {
			Failure: Failure{Kind: "connection", Text: `starting "npx": not found`, At: noon},
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			save(t, open(t, dir), github, modern, want)
			got := load(t, open(t, dir), github, modern)
			if got.Err != nil || !got.Exact {
				t.Fatalf("got exact %v, error %v, want an exact variant", got.Exact, got.Err)
			}
			if diff := cmp.Diff(want, got.Lists, compareItems); diff != "" {
				t.Errorf("lists differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStoreKeepsServersApart(t *testing.T) {
	s := open(t, t.TempDir())
	save(t, s, github, modern, listsOf(t, "search"))
	for name, key := range map[string]Key{
		"other server":        {Server: "gitlab", Identity: github.Identity},
		"other identity":      {Server: "github", Identity: []byte("{}")},
		"shifted by one byte": {Server: "githu", Identity: append([]byte("b\x00"), github.Identity...)},
	} {
		if got := load(t, s, key, modern); got.Lists != nil || got.Err != nil {
			t.Errorf("%s: got %+v, want nothing", name, got)
		}
	}
}

func TestStoreServesTheNearestVariant(t *testing.T) {
	variant := func(modern bool, capabilities string) Variant {
		return Variant{Modern: modern, Capabilities: capabilities}
	}
	failed := &Lists{Failure: Failure{Kind: "timeout", Text: "slow", At: noon}}
	type saved struct {
		Variant
		lists *Lists
	}
	listed := func(modern bool, capabilities, tool string) saved {
		return saved{variant(modern, capabilities), listsOf(t, tool)}
	}
	tests := []struct {
		name  string
		saved []saved
		ask   Variant
		tool  string // "" = lists without tools
		exact bool
	}{
		{"exact", []saved{listed(true, "a", "one"), listed(true, "b", "two")}, variant(true, "a"), "one", true},
		{"same era before age", []saved{listed(true, "a", "one"), listed(false, "b", "two")}, variant(true, "c"), "one", false},
		{"youngest of the era", []saved{listed(true, "a", "one"), listed(true, "b", "two")}, variant(true, "c"), "two", false},
		{"listed again is youngest", []saved{listed(true, "a", "one"), listed(true, "b", "two"), listed(true, "a", "three")}, variant(true, "c"), "three", false},
		{"other era", []saved{listed(true, "a", "one"), listed(true, "b", "two")}, variant(false, "a"), "two", false},
		{"a failure keeps the lists", []saved{listed(true, "a", "one"), {variant(true, "a"), failed}}, variant(true, "a"), "one", true},
		{"a failure does not rejuvenate", []saved{listed(true, "a", "one"), listed(true, "b", "two"), {variant(true, "a"), failed}}, variant(true, "c"), "two", false},
		{"lists before an exact failure", []saved{listed(false, "b", "two"), {variant(true, "a"), failed}}, variant(true, "a"), "two", false},
		{"nothing but a failure", []saved{{variant(true, "a"), failed}}, variant(true, "a"), "", true},
		{"nothing but the failure of another", []saved{{variant(true, "a"), failed}}, variant(false, "b"), "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			for _, saved := range test.saved {
				save(t, s, github, saved.Variant, saved.lists)
			}
			got := load(t, s, github, test.ask)
			if got.Err != nil || got.Lists == nil {
				t.Fatalf("got %+v, want lists", got)
			}
			tool := ""
			if len(got.Lists.Tools.Items) > 0 {
				tool = got.Lists.Tools.Items[0].Name()
			}
			if tool != test.tool || got.Exact != test.exact {
				t.Errorf("got tool %q, exact %v, want %q, %v", tool, got.Exact, test.tool, test.exact)
			}
		})
	}
}

func TestStoreAddsFailureToLists(t *testing.T) {
	s := open(t, t.TempDir())
	save(t, s, github, modern, listsOf(t, "search"))
	failure := Failure{Kind: "authentication", Text: "HTTP 401", At: noon.Add(time.Hour)}
	save(t, s, github, modern, &Lists{Failure: failure})

	want := listsOf(t, "search")
	want.Failure = failure
	if diff := cmp.Diff(want, load(t, s, github, modern).Lists, compareItems); diff != "" {
		t.Errorf("after a failure (-want +got):\n%s", diff)
	}
	stale := listsOf(t, "stale")
	stale.Failure = failure
	save(t, s, github, modern, stale)
	if diff := cmp.Diff(want, load(t, s, github, modern).Lists, compareItems); diff != "" {
		t.Errorf("after a failure beside other lists (-want +got):\n%s", diff)
	}
	save(t, s, github, modern, listsOf(t, "search"))
	if got := load(t, s, github, modern).Lists.Failure; got.Failed() {
		t.Errorf("after a success: got failure %v, want none", got)
	}
}

func TestStoreBoundsVariants(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range maxVariants + 2 {
		save(t, s, github, Variant{Capabilities: fmt.Sprint(i)}, listsOf(t, fmt.Sprint(i)))
	}
	for i := range maxVariants + 2 {
		got := load(t, s, github, Variant{Capabilities: fmt.Sprint(i)})
		if want := i >= 2; got.Exact != want {
			t.Errorf("variant %d: got exact %v, want %v", i, got.Exact, want)
		}
	}
}

func TestStoreBoundsFiles(t *testing.T) {
	s := open(t, t.TempDir())
	large := func(size int) *Lists {
		l := listsOf(t, "large")
		big := &l.Tools.Items[0]
		big.raw = append(big.raw, bytes.Repeat([]byte{' '}, size)...)
		return l
	}
	save(t, s, github, legacy, large(maxFile/2))
	save(t, s, github, modern, large(maxFile/2))
	if got := load(t, s, github, legacy); got.Lists == nil || got.Exact {
		t.Errorf("got exact %v, error %v, want the younger variant, which left no room", got.Exact, got.Err)
	}
	tooLarge := large(maxFile)
	for range 2 {
		if err := s.Save(t.Context(), github, modern, tooLarge, noon); err == nil {
			t.Error("got no error for lists over the limit, want one")
		}
	}
	got := load(t, s, github, modern)
	if !got.Exact || len(got.Lists.Tools.Items[0].raw) >= maxFile {
		t.Errorf("got exact %v, want what was stored before", got.Exact)
	}
}

func TestStorePermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps others out by where a folder lies")
	}
	dir := filepath.Join(t.TempDir(), "cache", "weir")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	save(t, open(t, dir), github, modern, listsOf(t, "search"))
	check := func(path string, want os.FileMode) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %v, want %v", filepath.Base(path), got, want)
		}
	}
	check(dir, 0o700)
	for _, name := range names(t, dir) {
		check(filepath.Join(dir, name), 0o600)
		if strings.HasPrefix(name, ".") {
			t.Errorf("got temporary file %q, want none left", name)
		}
	}
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestStoreReplacesDamagedFiles(t *testing.T) {
	s := open(t, t.TempDir())
	want := listsOf(t, "search")
	save(t, s, github, modern, want)
	path := s.path(github)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"empty":          {},
		"half":           whole[:len(whole)/2],
		"longer":         append(bytes.Clone(whole), '\n'),
		"changed":        bytes.Replace(whole, []byte("search"), []byte("reseal"), 1),
		"something else": []byte(`{"tools":[]}`),
		"oversized":      make([]byte, maxFile+1),
	} {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := load(t, s, github, modern); !errors.Is(got.Err, ErrDamaged) || got.Lists != nil {
			t.Errorf("%s: got %+v, want %v", name, got, ErrDamaged)
		}
		save(t, s, github, modern, want)
		if got := load(t, s, github, modern); got.Err != nil || !got.Exact {
			t.Errorf("%s: after the next save: got %+v, want what was saved", name, got)
		}
	}
}

// What an older weir has written under this name is as none at all, and nobody is
// told of it. What a newer one has is kept for it: weirs of two versions may run
// side by side.
func TestStoreOtherFormats(t *testing.T) {
	s := open(t, t.TempDir())
	save(t, s, github, modern, listsOf(t, "search"))
	whole, err := os.ReadFile(s.path(github))
	if err != nil {
		t.Fatal(err)
	}
	write := func(number string) []byte {
		file := bytes.Replace(whole, []byte(magic), []byte(format+number+" "), 1)
		if err := os.WriteFile(s.path(github), file, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, older := range []string{"1", "", "x", "03"} {
		write(older)
		if got := load(t, s, github, modern); got != (Found{}) {
			t.Errorf("%q: got %+v, want nothing", older, got)
		}
		save(t, s, github, modern, listsOf(t, "search"))
		if got := load(t, s, github, modern); got.Err != nil || !got.Exact {
			t.Errorf("%q: after the next save: got %+v, want what was saved", older, got)
		}
	}
	for _, newer := range []string{"5", "17"} {
		file := write(newer)
		if got := load(t, s, github, modern); got.Lists != nil || got.Err == nil || !strings.Contains(got.Err.Error(), "newer version") {
			t.Errorf("%q: got %+v, want an error", newer, got)
		}
		if now, err := os.ReadFile(s.path(github)); !bytes.Equal(now, file) || err != nil {
			t.Errorf("%q: the file was touched (%v)", newer, err)
		}
		save(t, s, github, modern, listsOf(t, "search"))
		if got := load(t, s, github, modern); got.Err != nil || !got.Exact {
			t.Errorf("%q: after the next save: got %+v, want what was saved", newer, got)
		}
		its := strings.TrimSuffix(s.path(github), number) + newer
		if now, err := os.ReadFile(its); !bytes.Equal(now, file) || err != nil {
			t.Errorf("%q: it was not put aside under its own name (%v)", newer, err)
		}
		if err := os.WriteFile(its, []byte("newest"), 0o600); err != nil {
			t.Fatal(err)
		}
		write(newer)
		save(t, s, github, modern, listsOf(t, "search"))
		if now, err := os.ReadFile(its); string(now) != "newest" || err != nil {
			t.Errorf("%q: a newer weir's own file was touched (%v)", newer, err)
		}
	}
	damaged := write("5")
	damaged[len(damaged)-1] ^= 1
	if err := os.WriteFile(s.path(github), damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := load(t, s, github, modern); !errors.Is(got.Err, ErrDamaged) || strings.Contains(got.Err.Error(), "newer") {
		t.Errorf("a damaged number and more: got %+v, want that it is damaged", got)
	}
}

func TestStoreLeavesOthersAloneWhenOneIsDamaged(t *testing.T) {
	s := open(t, t.TempDir())
	save(t, s, github, modern, listsOf(t, "search"))
	save(t, s, files, modern, listsOf(t, "read"))
	if err := os.Remove(s.path(github)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.path(github), 0o700); err != nil {
		t.Fatal(err)
	}
	found := s.LoadAll([]Wanted{{github, modern}, {files, modern}}, noon)
	if found[0].Err == nil || found[0].Lists != nil {
		t.Errorf("got %+v for a folder, want an error", found[0])
	}
	if found[1].Err != nil || !found[1].Exact {
		t.Errorf("got %+v, want lists", found[1])
	}
}

// A Store without a usable folder stands in nobody's way.
func TestStoreWithoutFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"no home":          "",
		"a file":           file,
		"beneath a file":   filepath.Join(file, "weir"),
		"name is too long": filepath.Join(t.TempDir(), strings.Repeat("x", 5000)),
	}
	if runtime.GOOS == "linux" {
		tests["not to be made, even by the superuser"] = "/proc/weir"
	}
	for name, dir := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := OpenStore(t.Context(), dir)
			if err == nil {
				t.Fatal("got no error, want one")
			}
			if err := s.Save(t.Context(), github, modern, listsOf(t, "search"), noon); (err != nil) != (dir != "") {
				t.Errorf("saving: got %v, want an error if there may ever be a folder", err)
			}
			if got := load(t, s, github, modern); got != (Found{}) {
				t.Errorf("loading: got %+v, want nothing", got)
			}
		})
	}
}

func TestStoreReadsWhereItCannotWrite(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	save(t, s, github, modern, listsOf(t, "search"))

	// No lock can be taken where a folder stands in its place.
	lock := filepath.Join(dir, lockName)
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(lock, 0o700); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	if got := load(t, again, github, modern); !got.Exact {
		t.Errorf("got %+v, want lists", got)
	}
	write := func() error { return again.Save(t.Context(), github, modern, listsOf(t, "new"), noon) }
	if err := write(); err == nil {
		t.Error("saving: got no error, want one")
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := write(); err != nil {
		t.Errorf("saving where it works again: %v", err)
	}
	if got := load(t, again, github, modern).Lists.Tools.Items[0].Name(); got != "new" {
		t.Errorf("got tool %q, want new", got)
	}
}

func TestStoreInReadOnlyFolder(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("permissions do not stop this user; other tests put obstacles in the way that do")
	}
	dir := t.TempDir()
	save(t, open(t, dir), github, modern, listsOf(t, "search"))
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	s := open(t, dir)
	if got := load(t, s, github, modern); !got.Exact {
		t.Errorf("got %+v, want lists", got)
	}
	if err := s.Save(t.Context(), github, modern, listsOf(t, "new"), noon); err == nil {
		t.Error("got no error, want one")
	}
}

func TestStoreWaitsForLockOnlySoLong(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	lock := flock.New(filepath.Join(dir, lockName))
	if ok, err := lock.TryLock(); !ok || err != nil {
		t.Fatalf("locking: %v, %v", ok, err)
	}
	defer lock.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Save(ctx, github, modern, listsOf(t, "search"), noon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestStoreMakesDamagedKeyAnew(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, keyName)
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	save(t, open(t, dir), github, modern, listsOf(t, "search"))
	if got := load(t, open(t, dir), github, modern); !got.Exact {
		t.Errorf("got %+v, want lists", got)
	}
	if key, err := os.ReadFile(path); err != nil || len(key) != keySize {
		t.Errorf("got key of %d bytes, %v, want %d", len(key), err, keySize)
	}
}

func TestStoreSweepsWhatIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	save(t, s, github, modern, listsOf(t, "search"))
	save(t, s, files, modern, listsOf(t, "read"))
	old := noon.Add(-keep - time.Hour)
	write := func(name string, at time.Time) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gone := []string{write("0123.lists", old), write(".0123.lists99", old)}
	kept := []string{write("4567.lists", noon.Add(-keep+time.Hour)), write("notes.txt", old), s.path(github), s.path(files)}
	for _, path := range []string{s.path(github), filepath.Join(dir, keyName), filepath.Join(dir, lockName)} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	kept = append(kept, filepath.Join(dir, keyName), filepath.Join(dir, lockName))

	next := open(t, dir)
	if got := load(t, next, github, modern); !got.Exact { // to read is to use
		t.Fatalf("got %+v, want lists", got)
	}
	save(t, next, files, modern, listsOf(t, "read"))
	for _, path := range gone {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %v, want it removed", filepath.Base(path), err)
		}
	}
	for _, path := range kept {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: got %v, want it kept", filepath.Base(path), err)
		}
	}
}
