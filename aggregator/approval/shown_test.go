package approval

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestShown(t *testing.T) {
	tests := []struct{ name, raw, want string }{
		{"lines", `{"b":1.0,"a":[1,{"c":[]},{}]}`, "{\n|  \"b\": 1.0,\n|  \"a\": [\n|    1,\n|    {\n|      \"c\": []\n|    },\n|    {}\n|  ]\n|}"},
		{"white space", " [ \n ] ", "[]"},
		{"what is disguised", `"\u0072\u006d -rf \/"`, `"rm -rf /"`},
		{"quotes stay", `"a\u0022, \"b\u005c\\"`, `"a\u0022, \"b\u005c\\"`},
		{"lines within strings", `"a\nb\u000ac\r"`, `"a\nb\u000ac\r"`},
		{"escape sequences", `"\u001b[2K\u009b\u0007"`, `"\u001b[2K\u009b\u0007"`},
		{"turned around", "\"a\u202eb\\u2066c\"", `"a\u202eb\u2066c"`},
		{"without width", "\"a\u200bb\ufe0fc\U000e0041d\U000e0100\u3164\"", `"a\u200bb\ufe0fc\udb40\udc41d\udb40\udd00\u3164"`},
		{"other spaces", "\"a\u00a0b\u2028c\"", `"a\u00a0b\u2028c"`},
		{"pair", `"\ud83d\ude00 😀 é"`, `"😀 😀 é"`},
		{"half a pair", `"\ud83d x \ude00\ud83d"`, `"\ud83d x \ude00\ud83d"`},
		{"names", "{\"a\u200b\":1}", "{\n|  \"a\\u200b\": 1\n|}"},
		{"not JSON", "{\x1b", `{\u001b`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Shown([]byte(test.raw), "|")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzShown: what is shown says the same, and nothing in it does anything to a
// terminal.
func FuzzShown(f *testing.F) {
	for _, seed := range []string{`{"b":1,"a":[{"x":"\"}"}]}`, `"\u001b\u202e\ud83d"`, "[\"\u200b\", {\"\":[]}]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		shown := Shown(raw, "  ")
		for _, r := range shown {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%q: shown with %U", raw, r)
			}
		}
		var want, got any
		if json.Unmarshal(raw, &want) != nil {
			return
		}
		if err := json.Unmarshal([]byte(shown), &got); err != nil {
			t.Fatalf("%q: shown as %q: %v", raw, shown, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: shown as %q (-want +got):\n%s", raw, shown, diff)
		}
	})
}

func TestVisible(t *testing.T) {
	got := Visible("a\nb\x1b[31m\u202e\U000e0041\xff é")
	if want := `a\nb\u001b[31m\u202e\udb40\udc41\ufffd é`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("got %q", got)
	}
}
