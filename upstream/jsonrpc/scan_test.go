package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

func TestValid(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bool
	}{
		{`{}`, true},
		{" \t\r\n[ ] ", true},
		{`{"a":1,"a":2}`, true}, // names may repeat
		{`"\ud83d"`, true},      // a cut emoji of Node
		{`"\udc00\ud83d"`, true},
		{`-0.0e-7`, true},
		{`1E+9`, true},
		{"\"\x7f\"", true},
		{`"水は堰を越えて流れる。"`, true},
		{`"привет, мир 🌊 é"`, true},
		{"\"\u0800\ufffd\U0010ffff\"", true},
		{"\"\u0080......\"", true},
		{"\"\u07ff......\"", true},

		{``, false},
		{` `, false},
		{`{`, false},
		{`{}}`, false},
		{`{} {}`, false},
		{`{"a"}`, false},
		{`{"a":}`, false},
		{`{"a":1,}`, false},
		{`{,}`, false},
		{`{a:1}`, false},
		{`[1,]`, false},
		{`[1 2]`, false},
		{`[`, false},
		{`01`, false},
		{`-`, false},
		{`1.`, false},
		{`.5`, false},
		{`1e`, false},
		{`+1`, false},
		{`tru`, false},
		{`nul`, false},
		{`NaN`, false},
		{`"`, false},
		{`"\`, false},
		{`"\x"`, false},
		{`"\u12"`, false},
		{`"\u12g4"`, false},
		{"\"\n\"", false},
		{"\"1234567\x1f90\"", false},
		{"\"\xff\"", false},
		{"\"\xc0\x80\"", false},     // an overlong form
		{"\"\xed\xa0\x80\"", false}, // a surrogate in UTF-8
		{"\"\xe6\xb0\xb4\xed\xa0\x80....\"", false}, // the same, second of a pair
		{"\"\xe0\x80\x80\xe6\xb0\xb4....\"", false},
		{"\"\xe6\xb0\"", false},
		{"\"\xf4\x90\x80\x80\"", false}, // above U+10FFFF
		{"\ufeff{}", false},
		{"{}\x00", false},
	} {
		if got := Valid([]byte(tt.text)); got != tt.want {
			t.Errorf("Valid(%q): got %v, want %v", tt.text, got, tt.want)
		}
		if got := oracle([]byte(tt.text)); got != tt.want {
			t.Errorf("encoding/json on %q: got %v, want %v", tt.text, got, tt.want)
		}
	}
}

// oracle is what we call valid, said by encoding/json.
func oracle(data []byte) bool { return json.Valid(data) && utf8.Valid(data) }

func TestDepth(t *testing.T) {
	for _, tt := range []struct {
		depth int
		want  bool
	}{{MaxDepth, true}, {MaxDepth + 1, false}} {
		arrays := strings.Repeat("[", tt.depth) + strings.Repeat("]", tt.depth)
		objects := strings.Repeat(`{"a":`, tt.depth-1) + "{}" + strings.Repeat("}", tt.depth-1)
		for _, text := range []string{arrays, objects} {
			if got := Valid([]byte(text)); got != tt.want {
				t.Errorf("depth %d of %.5s: got %v, want %v", tt.depth, text, got, tt.want)
			}
			if got := json.Valid([]byte(text)); got != tt.want {
				t.Errorf("encoding/json, depth %d of %.5s: got %v, want %v", tt.depth, text, got, tt.want)
			}
		}
	}
	flat := "[" + strings.Repeat("[],{},", MaxDepth) + "0]"
	if !Valid([]byte(flat)) {
		t.Error("siblings count as depth")
	}
}

// Each place of a string is once at each place of a scanner's words and blocks,
// with a rest that fills another and with none.
func TestStringAlignment(t *testing.T) {
	const places = shortString + 2*blockSize
	for _, bad := range []string{"\x00", "\x1f", "\n", "\xff", "\xe6\xb0", `\q`, `\u00g0`} {
		for n := range places {
			for _, m := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, blockSize} {
				text := `"` + strings.Repeat("a", n) + bad + strings.Repeat("b", m) + `"`
				s := scanner{data: []byte(text)}
				syntax, ok := errors.AsType[*SyntaxError](s.document(nil, nil))
				if !ok || syntax.Offset != n+1 {
					t.Fatalf("%q: got %v, want a SyntaxError at byte %d", text, syntax, n+1)
				}
			}
		}
	}
	for _, good := range []string{"", "\x7f", `\"`, `\\`, `\u005c`, "é", "水", "水堰", "🌊", "Вода идёт", "!#[]", `\"\\\n#!`} {
		for n := range places {
			for _, m := range []int{0, 1, 7, blockSize} {
				text := `"` + strings.Repeat("a", n) + good + strings.Repeat("b", m) + `"`
				s := scanner{data: []byte(text + `" "`)}
				if end := s.str(0); end != len(text) || s.escaped != strings.Contains(good, `\`) {
					t.Fatalf("%q: got %v, an end at %d, escapes: %v, want an end at %d", text, s.err, end, s.escaped, len(text))
				}
			}
		}
	}
}

func TestSyntaxErrorOffset(t *testing.T) {
	for text, want := range map[string]int{
		``:              0,
		`{"a" 1}`:       5,
		`{"a":1 "b":2}`: 7,
		`[1,x]`:         3,
		`[1`:            2,
		`{"a":tru}`:     5,
		`1 1`:           2,
		`"abc`:          4,
		`-x`:            1,
	} {
		s := scanner{data: []byte(text)}
		syntax, ok := errors.AsType[*SyntaxError](s.document(nil, nil))
		if !ok || syntax.Offset != want {
			t.Errorf("%q: got %v, want a SyntaxError at byte %d", text, syntax, want)
		}
	}
}

func TestParseObject(t *testing.T) {
	raw := []byte(` { "a" : 1 , "b\u0062" : { "a" : 2 } ,"a":[ 3 ]} `)
	members, err := ParseObject(nil, raw)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`a "a" 1`, `bb "b\u0062" { "a" : 2 }`, `a "a" [ 3 ]`}
	var got []string
	for _, m := range members {
		got = append(got, string(m.Key)+" "+string(m.Name)+" "+string(m.Value))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if got := string(Find(members, "a")); got != "1" {
		t.Errorf("Find: got %s, want the first, 1", got)
	}
	if got := Find(members, "A"); got != nil {
		t.Errorf("Find of another case: got %s, want nothing", got)
	}
}

func TestParseRefuses(t *testing.T) {
	kept := []Member{{Key: []byte("kept")}}
	for _, text := range []string{``, ` `, `[]`, `1`, `{"a":1,`, `{"a":1}x`} {
		got, err := ParseObject(kept, []byte(text))
		if err == nil || len(got) != 1 {
			t.Errorf("ParseObject(%q): got %d members, %v, want the one given and an error", text, len(got), err)
		}
	}
	for _, text := range []string{``, ` `, `{}`, `1`, `[1,`, `[1]x`} {
		got, err := ParseArray(nil, []byte(text))
		if err == nil || got != nil {
			t.Errorf("ParseArray(%q): got %q, %v, want an error", text, got, err)
		}
	}
}

func TestParseArray(t *testing.T) {
	got, err := ParseArray(nil, []byte(` [ {"a":[1,2]} , [ 3 ] ,"x",[]] `))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]byte{[]byte(`{"a":[1,2]}`), []byte(`[ 3 ]`), []byte(`"x"`), []byte(`[]`)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
}

func TestMaxMembers(t *testing.T) {
	list := func(item string, n int) []byte { return []byte(strings.Repeat(item+",", n-1) + item) }
	for _, tt := range []struct {
		n    int
		want bool
	}{{MaxMembers, true}, {MaxMembers + 1, false}} {
		object := slices.Concat([]byte("{"), list(`"":0`, tt.n), []byte("}"))
		array := slices.Concat([]byte("["), list(`0`, tt.n), []byte("]"))
		if _, err := ParseObject(nil, object); (err == nil) != tt.want {
			t.Errorf("ParseObject of %d members: got %v, want success: %v", tt.n, err, tt.want)
		}
		if _, err := ParseArray(nil, array); (err == nil) != tt.want {
			t.Errorf("ParseArray of %d elements: got %v, want success: %v", tt.n, err, tt.want)
		}
		if !Valid(object) || !Valid(array) {
			t.Errorf("Valid of %d: got false, want true, since nothing is noted", tt.n)
		}
		var m Message
		message := slices.Concat([]byte(`{"jsonrpc":"2.0","method":"m","params":`), object, []byte("}"))
		if err := m.Parse(message); (err == nil) != tt.want {
			t.Errorf("Parse with %d params: got %v, want success: %v", tt.n, err, tt.want)
		}
	}
}

func FuzzValid(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-2.5e+3,"\"\\\u00e9",true,false,null]}`, `"水は堰を越えて"`, "\"\xed\xa0\x80aaaaa\"", `"\ud83d"`, "[\x01]", `{"":{}}`,
		`"` + strings.Repeat(`The quick brown fox, \"and so on\"; größer als 0123456789.\n`, 5) + `"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want := oracle(data)
		if got := Valid(data); got != want {
			t.Fatalf("Valid: got %v, want %v as encoding/json", got, want)
		}
		lenient := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
		if got := jsontext.Value(data).IsValid(lenient...) && utf8.Valid(data); got != want {
			t.Fatalf("jsontext: got %v, want %v", got, want)
		}
	})
}

func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{`{"a":1,"\u0061":{"b":2}}`, ` { "x" : [ ] } `, `{"\ud83d":"\ud83d\ude00"}`, `{`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ParseObject(nil, data)
		if isObject := oracle(data) && strings.HasPrefix(strings.TrimLeft(string(data), " \t\r\n"), "{"); isObject != (err == nil) {
			t.Fatalf("got error %v, want an object: %v", err, isObject)
		}
		if err != nil {
			return
		}
		want := jsontextMembers(t, data)
		if len(got) != len(want) {
			t.Fatalf("got %d members, want %d", len(got), len(want))
		}
		for i := range got {
			if string(got[i].Key) != string(want[i].Key) || string(got[i].Value) != string(want[i].Value) {
				t.Fatalf("member %d: got %q: %s, want %q: %s", i, got[i].Key, got[i].Value, want[i].Key, want[i].Value)
			}
		}
	})
}

func jsontextMembers(t *testing.T, data []byte) []Member {
	d := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := d.ReadToken(); err != nil {
		t.Fatal(err)
	}
	var members []Member
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			t.Fatal(err)
		}
		key := []byte(name.String())
		value, err := d.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, Member{Key: key, Value: bytes.Clone(value)})
	}
	if _, err := d.ReadToken(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the object: got %v, want EOF", err)
	}
	return members
}

// All leading bytes with all second ones, and some after them, are judged as
// package utf8 does, at the head of a word and at the end of the text.
func TestUTF8(t *testing.T) {
	for lead := 0x80; lead <= 0xFF; lead++ {
		for second := range 0x100 {
			for _, rest := range []string{"", "\x80", "\xbf\x80", "\xbf\xbf", "\xc0"} {
				char := string([]byte{byte(lead), byte(second)}) + rest
				for _, text := range []string{char, char + "12345678", "水" + char + "12345678"} {
					raw := []byte(`"` + text + `"`)
					if got, want := Valid(raw), oracle(raw); got != want {
						t.Fatalf("%q: got %v, want %v", raw, got, want)
					}
				}
			}
		}
	}
}
