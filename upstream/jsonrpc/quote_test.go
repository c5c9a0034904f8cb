package jsonrpc

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppendString(t *testing.T) {
	for text, want := range map[string]string{
		"":                       `""`,
		"a":                      `"a"`,
		"<>&\u2028\x7f":          "\"<>&\u2028\x7f\"",
		"\"\\/":                  `"\"\\/"`,
		"\n\r\t\b\f\x00\x1f":     `"\n\r\t\u0008\u000c\u0000\u001f"`,
		"水🌊":                     `"水🌊"`,
		"a\xffb":                 "\"a\ufffdb\"",
		"\xed\xa0\x80":           "\"\ufffd\ufffd\ufffd\"",
		"\ufffd":                 "\"\ufffd\"",
		"a\nb\xc3":               "\"a\\nb\ufffd\"",
		strings.Repeat("é\"", 3): `"é\"é\"é\""`,
	} {
		if got := string(AppendString([]byte(">"), text)); got != ">"+want {
			t.Errorf("AppendString(%q): got %s, want >%s", text, got, want)
		}
	}
}

func TestAppendStrings(t *testing.T) {
	for want, texts := range map[string][]string{`[]`: nil, `["a"]`: {"a"}, `["","\"","<"]`: {"", `"`, "<"}} {
		if got := string(AppendStrings([]byte(">"), texts)); got != ">"+want {
			t.Errorf("AppendStrings(%q): got %s, want >%s", texts, got, want)
		}
	}
}

func TestString(t *testing.T) {
	for raw, want := range map[string]string{
		`""`:                         "",
		`"plain"`:                    "plain",
		`"\"\\\/\b\f\n\r\t"`:         "\"\\/\b\f\n\r\t",
		`"\u00e9\u6C34x"`:            "é水x",
		`"\ud83c\udf0a"`:             "🌊",
		`"\ud83c"`:                   "\ufffd",
		`"\ud83cx\udf0a"`:            "\ufffdx\ufffd",
		`"\udf0a\ud83c\udf0a"`:       "\ufffd🌊",
		`"\ud83c\ud83c\udf0a"`:       "\ufffd🌊",
		`"\ud83c\u0041\u0000"`:       "\ufffdA\x00",
		`"\\ud83c\\"`:                `\ud83c\`,
		`"\ud83c\n"`:                 "\ufffd\n",
		`"tail\ud83c\\udf0a\u0041"`:  "tail\ufffd\\udf0aA",
		`"水\n"`:                      "水\n",
		`"\ufffd and \uFFFF and \/"`: "\ufffd and \uffff and /",
	} {
		got, err := String([]byte(raw))
		if err != nil || got != want {
			t.Errorf("String(%s): got %q, %v, want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{``, `"`, `1`, `null`, `"a`, `a"`} {
		if got, err := String([]byte(raw)); err == nil {
			t.Errorf("String(%s): got %q, want an error", raw, got)
		}
	}
}

func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "a\"b\\", "\x00\x1f\n", "水🌊\xff", "<script>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted := AppendString(nil, text)
		if !Valid(quoted) {
			t.Fatalf("got %s, which is not valid", quoted)
		}
		// Converting to runes makes U+FFFD of each byte that is not UTF-8.
		want := string([]rune(text))
		if got, err := String(quoted); err != nil || got != want {
			t.Fatalf("round trip: got %q, %v, want %q", got, err, want)
		}
		var got string
		if err := json.Unmarshal(quoted, &got); err != nil || got != want {
			t.Fatalf("encoding/json reads %q, %v, want %q", got, err, want)
		}
	})
}

func FuzzString(f *testing.F) {
	for _, seed := range []string{`"\ud83c\udf0a"`, `"\udf0a\u0041\\"`, `"\"\/"`, `"é"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !Valid(raw) || raw[0] != '"' || raw[len(raw)-1] != '"' {
			return
		}
		var want string
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		got, err := String(raw)
		if err != nil || got != want || !utf8.ValidString(got) {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	})
}
