package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFormats reads folders as versions of weir have left them, one for each
// format: testdata/format-4 and so on. What this format's holds must be read to
// the last member for as long as files of it may lie in somebody's folder. A change
// of the format needs another number, and adds a folder, which this test writes:
// those that are there are never written again. Of other formats nothing is read,
// and nothing touched.
func TestFormats(t *testing.T) {
	const here = "testdata/format-"
	if _, err := os.Stat(here + number); err != nil {
		writeFormat(t, here+number)
		t.Errorf("there was no folder of this format: %s is new, and belongs to the change", here+number)
	}
	folders, err := filepath.Glob(here + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			s := open(t, dir)
			for i, want := range formatLists(t) {
				got := load(t, s, want.Key, want.Variant)
				switch {
				case folder != here+number:
					if got != (Found{}) {
						t.Errorf("%d: got %+v, want nothing", i, got)
					}
				case got.Err != nil || !got.Exact:
					t.Errorf("%d: got %+v, want lists", i, got)
				default:
					if diff := cmp.Diff(want.lists, got.Lists, compareItems); diff != "" {
						t.Errorf("%d: lists differ (-want +got):\n%s", i, diff)
					}
				}
			}
			save(t, s, Key{Server: "another"}, modern, listsOf(t, "x"))
			after := contents(t, dir)
			for name, text := range before {
				if after[name] != text {
					t.Errorf("%s was touched", name)
				}
			}
		})
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, name := range names(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

// A formatList is what is stored of one server for one sort of host.
type formatList struct {
	Key
	Variant
	lists *Lists
}

// formatLists are all that a format must be able to keep.
func formatLists(t *testing.T) []formatList {
	one := func(kind Kind, raw string) Item {
		i, err := ParseItem(kind, []byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	full := &Lists{
		Version: "2026-07-28", Modern: true,
		ServerInfo:   []byte("{\"name\":\"x\",\r\n \"version\":\"1.0\"}"),
		Capabilities: []byte(`{"tools":{"listChanged":true},"prompts":{},"resources":{"subscribe":true}}`),
		Instructions: "Two lines,\nand \"quotes\" <&> ü.",
		Tools: List{
			Items: []Item{
				one(Tools, `{"name":"read","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}`),
				one(Tools, "{\"inputSchema\":{\"name\":1e400},\n \"n\\u0061me\" : \"caf\\u00e9 \\ud83d\", \"x\":1, \"x\":2}"),
				one(Tools, `{"name":"hidden","description":"a\u200bb"}`),
			},
			Fetched: noon, TTL: time.Minute, Hinted: true, Scope: ScopePublic,
		},
		Prompts:   List{Items: []Item{one(Prompts, `{"name":"p"}`)}, Fetched: noon.Add(time.Second), Scope: "odd"},
		Resources: List{Items: []Item{one(Resources, `{"uri":"file:///a","name":"a"}`)}, Fetched: noon.Add(time.Minute)},
		Templates: List{Items: []Item{one(Templates, `{"uriTemplate":"file:///{path}"}`)}, Fetched: noon},
	}
	failed := listsOf(t, "search")
	failed.Failure = Failure{Kind: "timeout", Text: "no answer in 30s", At: noon.Add(time.Hour)}
	return []formatList{
		{github, legacy, failed},
		{github, modern, full},
		{Key{Server: "gone"}, legacy, &Lists{Failure: Failure{Kind: "connection", Text: "the server could not be started", At: noon}}},
		{files, modern, &Lists{Version: "2024-11-05", Tools: List{Fetched: noon}}},
	}
}

func writeFormat(t *testing.T, dir string) {
	t.Helper()
	key := make([]byte, keySize)
	for i := range key {
		key[i] = byte(i)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, keyName), key, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	for _, l := range formatLists(t) {
		save(t, s, l.Key, l.Variant, l.lists)
	}
	for _, name := range names(t, dir) {
		if !strings.HasSuffix(name, listsExt) && name != keyName {
			_ = os.Remove(filepath.Join(dir, name))
		}
	}
}
