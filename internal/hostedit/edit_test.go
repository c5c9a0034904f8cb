package hostedit

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// languages are those that testdata has a folder for.
var languages = map[string]Language{"json": JSON{}, "toml": TOML{}}

// A change is a line of a test: "set KEY... = VALUE" or "remove [MADE] KEY...".
type change struct {
	path  []string
	value []byte // nil to remove
	made  int
}

func readChange(t testing.TB, line string) change {
	t.Helper()
	verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	keys, value, _ := strings.Cut(rest, " = ")
	c := change{path: strings.Fields(keys)}
	switch {
	case verb == "set":
		c.value = []byte(value)
	case verb != "remove":
		t.Fatalf("unknown change %q", line)
	default:
		if n, err := strconv.Atoi(c.path[0]); err == nil {
			c.path, c.made = c.path[1:], n
		}
	}
	return c
}

func (c change) apply(l Language, text []byte) ([]byte, error) {
	if c.value == nil {
		return l.Remove(text, c.path, c.made)
	}
	return l.Set(text, c.path, c.value)
}

// TestEdit: testdata has a change, the text before and what comes of it, each also
// with Windows' line ends, without the last line end and with a byte order mark.
func TestEdit(t *testing.T) {
	for name, language := range languages {
		files, err := filepath.Glob("testdata/" + name + "/*.txtar")
		if err != nil || len(files) == 0 {
			t.Fatal("no tests", err)
		}
		for _, file := range files {
			t.Run(name+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
				testEdit(t, language, file)
			})
		}
	}
}

func testEdit(t *testing.T, language Language, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := readChange(t, string(archive.Comment))
	before, after := archive.Files[0].Data, archive.Files[1].Data
	if archive.Files[1].Name == "error" {
		if got, err := c.apply(language, before); err == nil || err.Error()+"\n" != string(after) {
			t.Errorf("got %s, %v, want %s", got, err, after)
		}
		return
	}
	windows := func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) }
	open := func(text []byte) []byte { return bytes.TrimSuffix(text, []byte("\n")) }
	marked := func(text []byte) []byte { return append([]byte(byteOrderMark), text...) }
	check := func(manner string, in, want []byte) {
		t.Helper()
		got, err := c.apply(language, in)
		if diff := cmp.Diff(string(want), string(got)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", manner, err, diff)
		}
		if again, err := c.apply(language, got); string(again) != string(got) || err != nil {
			t.Errorf("%s, for the second time: %v (-want +got):\n%s", manner, err, cmp.Diff(string(got), string(again)))
		}
	}
	check("as it is", before, after)
	check("with a byte order mark", marked(before), marked(after))
	if bytes.Contains(before, []byte("\n")) {
		check("with Windows' line ends", windows(before), windows(after))
	}
	if bytes.Count(before, []byte("\n")) > 1 {
		check("without the last line end", open(before), open(after))
	}
}

func TestMissing(t *testing.T) {
	path := []string{"a", "b", "c"}
	for text, want := range map[string]int{
		"": 2, "{}": 2, `{"a": {}}`: 1, `{"a": {"b": {}}}`: 0, `{"a": {"b": {"c": 1}}}`: 0,
	} {
		if got, err := (JSON{}).Missing([]byte(text), path); got != want || err != nil {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestFind(t *testing.T) {
	const text = `{"a": {"b": [1.50, /* x */ "\u00e9<", {"c": null,}]}, "cut": "\ud83d"}`
	for path, want := range map[string]string{
		"a b": `[1.50,"é<",{"c":null}]`, "a": `{"b":[1.50,"é<",{"c":null}]}`, "b": "", "a c": "",
	} {
		if got, err := (JSON{}).Find([]byte(text), strings.Fields(path)); string(got) != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", path, got, err, want)
		}
	}
}

// FuzzJSON: whatever a file holds, an entry that is set is there and nothing else
// has changed; taken out again, it leaves the bytes that were there, if it had
// neighbours.
func FuzzJSON(f *testing.F) {
	files, _ := filepath.Glob("testdata/json/*.txtar") // without them it begins from nothing
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
		f.Add(archive.Files[1].Data)
	}
	f.Fuzz(thereAndBack)
}

// FuzzJSONShapes is FuzzJSON for texts that can be read, in all manners of writing.
func FuzzJSONShapes(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		choices := make([]byte, 1+random.IntN(80))
		for i := range choices {
			choices[i] = byte(random.Uint32())
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		w := &writer{choices: choices}
		text := w.document()
		if _, err := parse(text); err != nil {
			t.Fatalf("the test writes %q, which is no JSON: %v", text, err)
		}
		thereAndBack(t, text)
	})
}

func thereAndBack(t *testing.T, text []byte) {
	path, value := []string{"mcpServers", "weir"}, []byte(`{"command":"/bin/weir","args":["serve"],"env":{}}`)
	w, err := walk(text, path)
	if err != nil {
		return
	}
	isNew := len(w.left) > 0
	hasNeighbours := isNew && w.root != nil && len(w.end().members) > 0
	set, err := JSON{}.Set(text, path, value)
	if err != nil {
		t.Fatalf("setting in %q: %v", text, err) // it could be right, but no such text is known
	}
	if found, err := (JSON{}).Find(set, path); string(found) != string(value) || err != nil {
		t.Fatalf("%q: got %s, %v, want %s", set, found, err, value)
	}
	if hasNeighbours && !hasOnlyMore(text, set) {
		t.Fatalf("%q became %q: something was taken out", text, set)
	}
	removed, err := JSON{}.Remove(set, path, max(0, len(w.left)-1))
	if err != nil {
		t.Fatalf("removing from %q: %v", set, err)
	}
	if hasNeighbours && string(removed) != string(text) {
		t.Fatalf("%q became %q, and then %q", text, set, removed)
	}
	if !isNew && !hasOnlyMore(removed, text) && !hasOnlyMore(removed, set) {
		t.Fatalf("%q became %q, and then %q: something came in", text, set, removed)
	}
	if found, err := (JSON{}).Find(removed, path); found != nil || err != nil {
		t.Fatalf("%q: got %s, %v, want nothing", removed, found, err)
	}
	after, err := parse(removed)
	if err != nil || w.root != nil && !sameBut(w.root, after, path) {
		t.Fatalf("%q became %q, which says something else: %v", text, removed, err)
	}
}

// hasOnlyMore reports whether a text is another one and something in between.
func hasOnlyMore(before, after []byte) bool {
	i := 0
	for _, c := range after {
		if i < len(before) && before[i] == c {
			i++
		}
	}
	return i == len(before)
}

// A writer writes JSON as choices tell it.
type writer struct {
	choices []byte
	text    []byte
}

func (w *writer) choose(n int) int {
	if len(w.choices) == 0 {
		return 0
	}
	c := w.choices[0]
	w.choices = w.choices[1:]
	return int(c) % n
}

func (w *writer) oneOf(texts ...string) {
	w.text = append(w.text, texts[w.choose(len(texts))]...)
}

func (w *writer) trivia() {
	w.oneOf("", "", " ", "\n", "\n  ", "\r\n\t", " // x\n", "/* x */", " // x\r\n    ", "\n/* \n x */ ", "\n\n  // {\n  ")
}

func (w *writer) document() []byte {
	w.oneOf("", byteOrderMark)
	w.trivia()
	w.object([]string{"a", "mcpServers", "ä\\u0041"}, 0)
	w.trivia()
	return w.text
}

func (w *writer) object(names []string, depth int) {
	w.oneOf("{")
	w.trivia()
	for i, name := range names {
		if w.choose(3) == 0 {
			continue
		}
		w.text = append(w.text, `"`+name+`"`...)
		w.trivia()
		w.oneOf(":")
		w.trivia()
		switch {
		case name == "mcpServers":
			w.object([]string{"a", "weir", "c"}, depth+1)
		case depth < 3 && w.choose(2) == 0:
			w.object([]string{"command", "weir"}, depth+1)
		default:
			w.oneOf("1", `"}"`, "[1, 2]", "[ // x\n]", "{}", "null", "[[],{},]")
		}
		w.trivia()
		if i < len(names)-1 || w.choose(2) == 0 {
			w.oneOf(",")
			w.trivia()
		}
	}
	w.oneOf("}")
}

// TestChecked: a splice that went wrong does not get out.
func TestChecked(t *testing.T) {
	value, err := parse([]byte(`{"x": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	before, err := parse([]byte(`{"a": 1, "b": {"c": [1, {"d": 2}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		`{"a": 1, "b": {"c": [1, {"d": 2}], "w": {"x": 1}}}`:         true,
		`{"a": 2, "b": {"c": [1, {"d": 2}], "w": {"x": 1}}}`:         false,
		`{"a": 1, "b": {"c": [1, {"d": 3}], "w": {"x": 1}}}`:         false,
		`{"a": 1, "b": {"c": [1, {"d": 2}], "w": {"x": 2}}}`:         false,
		`{"b": {"c": [1, {"d": 2}], "w": {"x": 1}}}`:                 false,
		`{"a": 1, "b": {"c": [1, {"d": 2}]}, "w": {"x": 1}}`:         false,
		`{"a": 1, "b": {"c": [1, {"d": 2}], "w": {"x": 1}}, "e": 1}`: false,
		`{"a": 1, "b": {"c": [1, {"d": 2}], "w": {"x": 1}}`:          false,
	} {
		if err := checked(before, []byte(text), []string{"b", "w"}, value); (err == nil) != want {
			t.Errorf("%s: got %v", text, err)
		}
	}
	if err := checked(before, []byte(`{"a": 1, "b": {"c": [1, {"d": 2}], "w": 1}}`), []string{"b", "w"}, nil); err == nil {
		t.Error("what was to be removed is still there, and nobody complains")
	}
}
