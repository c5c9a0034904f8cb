package hostedit

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
	"github.com/rogpeppe/go-internal/txtar"
)

func TestFindTOML(t *testing.T) {
	const text = `a.b = [1_0, 0x10, +2.50, true, 'x\', 1979-05-27, {c.d = "e\t"}]
[t]
u.v = """
x"""
[t.w]
`
	for path, want := range map[string]string{
		"a b": `[10,16,2.50,true,"x\\","1979-05-27",{"c":{"d":"e\t"}}]`,
		"a":   `{"b":[10,16,2.50,true,"x\\","1979-05-27",{"c":{"d":"e\t"}}]}`,
		"t":   `{"u":{"v":"x"},"w":{}}`,
		"t u": `{"v":"x"}`,
		"x":   "",
	} {
		if got, err := (TOML{}).Find([]byte(text), strings.Fields(path)); string(got) != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", path, got, err, want)
		}
	}
}

// FuzzTOML: as FuzzJSON, and another reader of TOML agrees.
func FuzzTOML(f *testing.F) {
	files, _ := filepath.Glob("testdata/toml/*.txtar") // without them it begins from nothing
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
		f.Add(archive.Files[1].Data)
	}
	f.Fuzz(tomlThereAndBack)
}

// FuzzTOMLShapes is FuzzTOML for texts that can be read, in all manners of writing.
func FuzzTOMLShapes(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		choices := make([]byte, 1+random.IntN(60))
		for i := range choices {
			choices[i] = byte(random.Uint32())
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		w := &writer{choices: choices}
		tomlThereAndBack(t, w.tables())
	})
}

func (w *writer) tables() []byte {
	w.oneOf("", byteOrderMark)
	between := func() { w.oneOf("", "", "\n", "# x\n", "\n\n# [y]\n", " \t\n", "\r\n", "\n\n\n") }
	for range w.choose(6) {
		between()
		w.oneOf("[a]", "[mcp_servers]", "[mcp_servers.a]", `[ mcp_servers . "b" ]`, "[mcp_servers.weir]", "[mcp_servers.weir.env]", "[mcp_servers.a.env]", "[[l]]", "")
		w.oneOf("\n", " # x\n", "\r\n")
		for i := range w.choose(3) {
			between()
			w.oneOf("", "  ", "\t")
			w.oneOf("x", `"y z"`, "weir.u", "p.q")
			w.oneOf(string('a'+byte(i)), "")
			w.oneOf(" = ", "=", "\t=  ")
			w.oneOf("1", `"#"`, "'''\n[x]\n'''", "[1,\n # x\n 2]", "{ a = 1 }", `"""\n"""`)
			w.oneOf("\n", " # = 1\n", "\r\n", "")
		}
	}
	between()
	return w.text
}

func tomlThereAndBack(t *testing.T, text []byte) {
	path, value := []string{"mcp_servers", "weir"}, []byte(`{"command":"/bin/weir","args":["serve"],"env":{"A":"b"}}`)
	before, err := decoded(text)
	if err != nil {
		return
	}
	old, err := TOML{}.Find(text, path)
	if err != nil {
		return
	}
	set, err := TOML{}.Set(text, path, value)
	if err != nil {
		t.Fatalf("setting in %q: %v", text, err)
	}
	if found, err := (TOML{}).Find(set, path); string(found) != `{"command":"/bin/weir","args":["serve"],"env":{"A":"b"}}` || err != nil {
		t.Fatalf("%q: got %s, %v, want %s", set, found, err, value)
	}
	after, err := decoded(set)
	if err != nil {
		t.Fatalf("%q became %q, which another reader does not understand: %v", text, set, err)
	}
	entry := map[string]any{"command": "/bin/weir", "args": []any{"serve"}, "env": map[string]any{"A": "b"}}
	if diff := cmp.Diff(entry, take(after)); diff != "" {
		t.Fatalf("%q became %q, which another reader takes for (-want +got):\n%s", text, set, diff)
	}
	take(before)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Fatalf("%q became %q, which another reader takes for (-want +got):\n%s", text, set, diff)
	}
	removed, err := TOML{}.Remove(set, path, 0)
	if err != nil {
		t.Fatalf("removing from %q: %v", set, err)
	}
	if old == nil && string(removed) != string(text) {
		t.Fatalf("%q became %q, and then %q", text, set, removed)
	}
	now, err := decoded(removed)
	if err != nil {
		t.Fatalf("%q became %q, which another reader does not understand: %v", set, removed, err)
	}
	take(now)
	if diff := cmp.Diff(before, now); diff != "" {
		t.Fatalf("%q became %q, which another reader takes for (-want +got):\n%s", set, removed, diff)
	}
}

func decoded(text []byte) (all map[string]any, err error) {
	err = toml.Unmarshal(bytes.TrimPrefix(text, []byte(byteOrderMark)), &all)
	return all, err
}

// take takes the entry out of what a text says, and what holds nothing else.
func take(all map[string]any) any {
	servers, ok := all["mcp_servers"].(map[string]any)
	if !ok {
		return nil
	}
	entry := servers["weir"]
	delete(servers, "weir")
	if len(servers) == 0 {
		delete(all, "mcp_servers")
	}
	return entry
}

// TestCheckedTOML: a splice that went wrong does not get out.
func TestCheckedTOML(t *testing.T) {
	value, err := parse([]byte(`{"x": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	before, err := readStatements([]byte("a = 1\n[b]\nc = [1]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"a = 1\n[b]\nc = [1]\n[w]\nx = 1\n":  true,
		"a = 1\n[w]\nx = 1\n[b]\nc = [1]\n":  true,
		"a = 1\n[b]\nc = [2]\n[w]\nx = 1\n":  false,
		"a = 1\n[d]\nc = [1]\n[w]\nx = 1\n":  false,
		"a = 1\n[b]\n[w]\nx = 1\nc = [1]\n":  false,
		"a = 1\n[b]\nc = [1]\n[w]\nx = 2\n":  false,
		"a = 1\n[b]\nc = [1]\n":              false,
		"a = 1\n[b]\nc = [1]\n[w]\nx = 1\n[": false,
	} {
		if err := before.checked([]byte(text), []string{"w"}, value); (err == nil) != want {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if err := before.checked([]byte("a = 1\n[b]\nc = [1]\n[w]\n"), []string{"w"}, nil); err == nil {
		t.Error("what was to be removed is still there, and nobody complains")
	}
}
