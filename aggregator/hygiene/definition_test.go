package hygiene

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func cleaned(raw string) string {
	text := []byte(raw)
	return string(jsonrpc.Splice(nil, text, Edits(text)...))
}

func TestEdits(t *testing.T) {
	for _, tt := range []struct{ name, raw, want string }{
		{"raw", "{\"name\":\"x\",\"description\":\"a\u200bb\"}", `{"name":"x","description":"ab"}`},
		{"escaped", `{"name":"x", "description" : "a\u200Bb\u202e\"\/\n\t"  }`, `{"name":"x", "description" : "ab\"\/\n\t"  }`},
		{"name and title", `{"name":"x\u200b","title":"\ufeffT","annotations":{"title":"A\u2060","x":"\u200b"}}`, `{"name":"x","title":"T","annotations":{"title":"A","x":"\u200b"}}`},
		{"tags", `{"description":"a\udb40\udc41\uDB40\uDC7Fb` + "\U000e0041" + `"}`, `{"description":"ab"}`},
		{"controls", `{"description":"a\u0000\b\f\r\u007f\u0085b` + "\u0085\x7f" + `"}`, `{"description":"ab"}`},
		{"escape sequence", `{"description":"a\u001b[1;31mred\u001b[0mb"}`, `{"description":"aredb"}`},
		{"emoji, Persian, Hebrew", "{\"description\":\"👩\u200d👧 \\ud83d\\udc69\\u200d می\u200cخواهم \\u200e\\u200f\\u00ad\"}", ""},
		{"prompt", `{"name":"p","arguments":[{"name":"a\u200b","description":"b\u200b","title":"c\u200b"},{"description":7}]}`, `{"name":"p","arguments":[{"name":"a\u200b","description":"b","title":"c"},{"description":7}]}`},
		{
			"schema", `{"inputSchema":{"type":"object","title":"\u200b","properties":{"description":{"description":"\u200b1","type":"string"},"default":{"title":"\u200b2"}},` +
				`"$defs":{"enum":{"description":"\u200b3"}},"anyOf":[{"description":"\u200b4"},true]}}`,
			`{"inputSchema":{"type":"object","title":"","properties":{"description":{"description":"1","type":"string"},"default":{"title":"2"}},` +
				`"$defs":{"enum":{"description":"3"}},"anyOf":[{"description":"4"},true]}}`,
		},
		{
			"values", `{"uri":"\u200b","mimeType":"\u200b","_meta":{"description":"\u200b"},"outputSchema":{"properties":{"\u200b":{"enum":["\u200b"],"const":{"title":"\u200b"},` +
				`"default":{"description":"\u200b"},"examples":[{"title":"\u200b"}],"pattern":"\u200b","x-text":"\u200b"}},"required":["\u200b"]},"other":{"description":"\u200b"}}`, "",
		},
		{"another case", `{"Description":"\u200b","de\u017fcription":"\u200b","d\u0065scription":"\u200b"}`, `{"Description":"","de\u017fcription":"","d\u0065scription":""}`},
		{"twice", `{"title":"\u200b1","title":"\u200b2"}`, `{"title":"1","title":"2"}`},
		{"other types", `{"description":{"a":"\u200b"},"title":["\u200b"],"annotations":"\u200b","arguments":{"title":"\u200b"},"inputSchema":"\u200b","icons":7}`, ""},
		{"surrogates that would join", `{"description":"\udb40\u200b\udc41 \ud83d\u200b\ude00 \ud83d"}`, `{"description":"\udb40\ufffd \ud83d\ufffd \ud83d"}`},
		{"backslashes", `{"description":"\\u200b \\\u200b\\"}`, `{"description":"\\u200b \\\\"}`},
		{"space", " { } ", ""},
		{"clean", `{"name":"x","description":"größe\n日本 é 👍🏽","icons":[]}`, ""},

		{"icons", `{"icons":[{"src":"javascript:alert(1)"}, {"src":"https://a/b"},{"src":"data:text/html,x"} , {"src":"DATA:image/png;base64,AA"}]}`, `{"icons":[ {"src":"https://a/b"} , {"src":"DATA:image/png;base64,AA"}]}`},
		{"no icon left", `{"icons":[{"src":"file:///etc/passwd"} , {"src":"ui://x"},{"src":"/x.png"}]}`, `{"icons":[ ]}`},
		{"icons that stay", `{"icons":[{"src":"data:image/svg+xml;base64,AA","x":1},{"sizes":["any"]},{"src":"http://a"},7]}`, ""},
		{"icons in disguise", `{"ICONS":[{"src":"https://a","SRC":"javascript:x"},{"\u0073rc":"\u006aavascript:x"},{"src":" javascript:x"},{"src":7},"javascript:x"],"x":1}`, `{"ICONS":[],"x":1}`},
		{"icons elsewhere", `{"_meta":{"icons":[{"src":"javascript:x"}]}}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == "" {
				tt.want = tt.raw
			}
			if diff := cmp.Diff(tt.want, cleaned(tt.raw)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSuspectAllocatesNothing(t *testing.T) {
	raw := []byte(`{"name":"x","description":"` + strings.Repeat(`größe\n日本 é 👍🏽 plain\u00e9 `, 20) + `"}`)
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() {
		if Suspect(raw, members) {
			t.Error("got a suspect, want none")
		}
	}); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

// FuzzEdits: what is left is valid JSON and says the same, but for what is taken
// out of it, and there is nothing left to take out.
func FuzzEdits(f *testing.F) {
	f.Add(`{"name":"x\u200b","description":"a\u001b]8;;http://x\u0007b\udb40\u200b\udc41","icons":[{"src":"x"},{"src":"https://x"}]}`)
	f.Add(`{"inputSchema":{"properties":{"title":{"title":"\u202e","default":{"title":"\u202e"}}},"anyOf":[{"description":"\ufeff"}]}}`)
	f.Add(` {"icons": [ {"src":1} , "" , {"SRC":"http://x"},[ ] ,{ }] ,"arguments":[{"title":"\u007f"},null]} `)
	f.Fuzz(func(t *testing.T, raw string) {
		text := []byte(raw)
		members, err := jsonrpc.ParseObject(nil, text)
		if err != nil {
			return
		}
		edits := Edits(text)
		if len(edits) > 0 && !Suspect(text, members) {
			t.Fatalf("%q is no suspect and has %d edits", raw, len(edits))
		}
		got := jsonrpc.Splice(nil, text, edits...)
		if !jsonrpc.Valid(got) {
			t.Fatalf("%q became %q, which is not valid", raw, got)
		}
		if again := Edits(got); len(again) > 0 {
			t.Fatalf("%q became %q, in which there is more", raw, got)
		}
		if diff := cmp.Diff(model(t, text), model(t, got)); diff != "" {
			t.Errorf("%q became %q (-want +got):\n%s", raw, got, diff)
		}
	})
}

// model is what a definition says, without its icons and without what is hidden.
func model(t *testing.T, raw []byte) any {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Skip(err) // deeper than that reads
	}
	for key := range value {
		if isIcons([]byte(key)) {
			delete(value, key)
		}
	}
	return plain(value)
}

func plain(value any) any {
	switch value := value.(type) {
	case string:
		return Text(value)
	case []any:
		for i := range value {
			value[i] = plain(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = plain(value[key])
		}
	}
	return value
}

func BenchmarkSuspect(b *testing.B) {
	raw := []byte(`{"name":"x","description":"` + strings.Repeat("Reads things. It's \\\"good\\\".\\n", 30) + `"}`)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if Suspect(raw, nil) {
			b.Fatal("got a suspect")
		}
	}
}
