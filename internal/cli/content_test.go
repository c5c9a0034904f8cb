package cli

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// shown is a result as a person with so many columns sees it, or with none a
// program; DIR is where bytes go.
func shown(t *testing.T, result string, columns int) string {
	t.Helper()
	var b strings.Builder
	folder := t.TempDir()
	v := &view{out: &b, terminal: columns > 0, width: columns, files: shelf{dir: folder, stem: "a__b"}}
	members, err := jsonrpc.ParseObject(nil, []byte(result))
	if err != nil {
		t.Fatal(err)
	}
	content, _ := jsonrpc.ParseArray(nil, jsonrpc.Find(members, "content"))
	v.result(&toolResult{Content: content, Structured: jsonrpc.Find(members, "structuredContent")})
	return strings.ReplaceAll(b.String(), folder+string(filepath.Separator), "DIR/")
}

func TestBlocks(t *testing.T) {
	tests := []struct{ name, block, want string }{
		{"text", `{"type":"text","text":"a\nb"}`, "a\nb"},
		{"image", `{"type":"image","mimeType":"image/png","data":"AAAA"}`, "[image, image/png, 3 bytes: saved as DIR/weir-a__b.png]"},
		{"sound", `{"type":"audio","mimeType":"audio/wav","data":"AA"}`, "[audio, audio/wav, 1 byte: saved as DIR/weir-a__b.wav]"},
		{"of no type", `{"type":"image","data":""}`, "[image, 0 bytes: saved as DIR/weir-a__b.bin]"},
		{"no base64", `{"type":"image","mimeType":"image/png","data":"<>"}`, "[image, image/png, not saved: its data is not base64; --json has it]"},
		{"link", `{"type":"resource_link","name":"n","uri":"file:///x"}`, "[resource n: file:///x]"},
		{"link with words", `{"type":"resource_link","name":"n","uri":"u","description":"a\nb"}`, "[resource n: u, a b]"},
		{"embedded text", `{"type":"resource","resource":{"uri":"u","text":"body"}}`, "body"},
		{"embedded bytes", `{"type":"resource","resource":{"uri":"u","mimeType":"m","blob":"AAAA"}}`, "[resource u, m, 3 bytes: saved as DIR/weir-a__b.bin]"},
		{"unknown", `{"type":"hologram","x":1}`, `{"type":"hologram","x":1}`},
		{"no object", `3`, `3`},
	}
	for _, tt := range tests {
		for reader, columns := range map[string]int{"person": 80, "program": 0} {
			t.Run(tt.name+" to a "+reader, func(t *testing.T) {
				if got := shown(t, `{"content":[`+tt.block+`]}`, columns); got != tt.want+"\n" {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
	}
}

func TestStructuredContent(t *testing.T) {
	const list = `[{"id":1,"title":"One","open":true},{"id":22,"note":null,"title":"A title that is rather long, as titles are"}]`
	quotedList := string(jsonrpc.AppendString(nil, list))
	tests := []struct {
		name, result string
		columns      int
		want         string
	}{
		{"a list", `{"structuredContent":` + list + `}`, 60, `id  title                                       open  note
1   One                                         true
22  A title that is rather long, as titles are
`},
		{"a wrapped list", `{"content":[],"structuredContent":{"result":` + list + `}}`, 40, `id  title                     open  note
1   One                       true
22  A title that is rather…
`},
		{"its text is left out", `{"content":[{"type":"text","text":` + quotedList + `}],"structuredContent":{"result":` + list + `}}`, 40, `id  title                     open  note
1   One                       true
22  A title that is rather…
`},
		{"other texts are not", `{"content":[{"type":"text","text":"Two found."}],"structuredContent":[{"a":1}]}`, 40, "Two found.\na\n1\n"},
		{"to a program", `{"content":[{"type":"text","text":"{\"a\":1}"}],"structuredContent":{"a":1}}`, 0, "{\"a\":1}\n"},
		{"to a program, alone", `{"structuredContent":{"a":1.0}}`, 0, "{\n  \"a\": 1.0\n}\n"},
		{"an object", `{"structuredContent":{"name":"weir","size":9007199254740993,"parts":["a","b"],"rows":[{"x":1}],"deep":{"y":[]}}}`, 60, `name  weir
size  9007199254740993
parts:
a
b
rows:
x
1
deep:
{
  "y": []
}
`},
		{"a number said as text", `{"content":[{"type":"text","text":"42"}],"structuredContent":{"result":42}}`, 40, "42\n"},
		{"a text", `{"structuredContent":{"result":"x"}}`, 40, "x\n"},
		{"too narrow for a table", `{"structuredContent":[{"first":"aaaaaaaaaaaa","second":"bbbbbbbbbbbbb"},{"first":"c","second":"d"}]}`, 16, `first   aaaaaaaaaaaa
second  bbbbbbbbbbb…

first   c
second  d
`},
		{"nested rows", `{"structuredContent":[{"a":{"b":1}}]}`, 40, "[\n  {\n    \"a\": {\n      \"b\": 1\n    }\n  }\n]\n"},
		{"nothing in it", `{"structuredContent":{}}`, 40, "{}\n"},
		{"escape sequences", `{"content":[{"type":"text","text":"x\u001b[2J"}],"structuredContent":[{"a\u001b":"\u001b]0;b\u0007"}]}`, 40, "x[2J\na\n]0;b\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Split(shown(t, tt.result, tt.columns), "\n")
			for i := range got {
				got[i] = strings.TrimRight(got[i], " ")
			}
			if diff := cmp.Diff(strings.Split(tt.want, "\n"), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// More columns than anybody looks for are no table, whatever they cost.
func TestManyColumns(t *testing.T) {
	rows := make([][]byte, maxColumns+1)
	for i := range rows {
		rows[i] = []byte(`{"` + strings.Repeat("k", i+1) + `":1}`)
	}
	if tableOf(rows[:maxColumns]) == nil {
		t.Errorf("%d columns: no table", maxColumns)
	}
	if tableOf(rows) != nil {
		t.Errorf("%d columns: a table", maxColumns+1)
	}
}

func TestShelf(t *testing.T) {
	dir := t.TempDir()
	first := filepath.Join(dir, "weir-x_y.png")
	if err := os.WriteFile(first, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := shelf{dir: dir, stem: "../x/y"}
	for _, want := range []string{"weir-x_y-2.png", "weir-x_y-3.png"} {
		path, err := s.put("image/PNG; charset=x", []byte("theirs"))
		if err != nil || filepath.Base(path) != want || filepath.Dir(path) != dir {
			t.Errorf("got %q, %v, want %q", path, err, want)
		}
		if info, err := os.Stat(path); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
			t.Errorf("%s: got mode %v, %v, want 0600", path, info.Mode(), err)
		}
	}
	if data, _ := os.ReadFile(first); string(data) != "mine" {
		t.Errorf("a file that was there: got %q", data)
	}
	if _, err := (shelf{dir: filepath.Join(dir, "none"), stem: "x"}).put("", nil); err == nil {
		t.Error("no error of a folder that is not there")
	}
}

func TestSafeName(t *testing.T) {
	for text, want := range map[string]string{
		"gh__a": "gh__a", "": "answer", "..": "answer", "a/../b": "a_.._b", "x\x00y": "x_y", strings.Repeat("x", 99): strings.Repeat("x", maxStem),
	} {
		if got := safeName(text); got != want {
			t.Errorf("safeName(%q): got %q, want %q", text, got, want)
		}
	}
}

func TestDecodeBytes(t *testing.T) {
	for _, encode := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
		if got, err := decodeBytes(encode.EncodeToString([]byte("ab"))); string(got) != "ab" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
}
