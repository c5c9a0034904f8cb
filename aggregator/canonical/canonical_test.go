package canonical

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func TestCanonical(t *testing.T) {
	tests := []struct{ raw, want string }{
		{`{"b":1,"a":2}`, `{"a":2,"b":1}`},
		{" { \"b\" :\t[ 1 , {\"d\":[ ],\"c\":{ }} ] ,\r\n\"a\" : null } ", `{"a":null,"b":[1,{"c":{},"d":[]}]}`},
		{`{"\u0061":"\u00e9\/\t"}`, "{\"a\":\"é/\\u0009\"}"},
		{`"\ud83d\ude00"`, `"😀"`},
		{`"\uD83D"`, `"\ud83d"`},
		{`"\ud83d\ud83d\ude00"`, `"\ud83d😀"`},
		{`"\ude00\ud83d"`, `"\ude00\ud83d"`},
		{`"\"\\\u0022\u005c\b\f\n\r\t\u007f"`, `"\"\\\"\\\u0008\u000c\u000a\u000d\u0009` + "\x7f" + `"`},
		{`[1,1.0,1e0,-0,9007199254740993]`, `[1,1.0,1e0,-0,9007199254740993]`},
		{`{"a":2,"b":0,"a":1}`, `{"a":2,"a":1,"b":0}`},
		{`{"b":0,"a":1,"\u0061":2}`, `{"a":1,"a":2,"b":0}`},
		{`true`, `true`},
		{` "x" `, `"x"`},
		{strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1), strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)},
	}
	for _, test := range tests {
		got, err := Text([]byte("x"), []byte(test.raw))
		if err != nil || string(got) != "x"+test.want {
			t.Errorf("%s: got %s, %v, want %s", test.raw, got, err, test.want)
		}
	}
}

// TestDigestOfWhatIsNotTaken: what Text does not take has a digest too, of
// what it is to the byte.
func TestDigestOfWhatIsNotTaken(t *testing.T) {
	deep := strings.Repeat(`{"a":[`, maxDepth) + strings.Repeat("]}", maxDepth)
	large := `"` + strings.Repeat("x", MaxSize) + `"`
	for _, raw := range []string{deep, large, `{"a":`, ``, "\"\xff\""} {
		dst := []byte("kept")
		if got, err := Text(dst, []byte(raw)); err == nil || string(got) != "kept" {
			t.Errorf("%.20s: got %.20s, %v, want an error", raw, got, err)
		}
		if DigestOf([]byte(raw)) == DigestOf([]byte(raw+" ")) {
			t.Errorf("%.20s: got the same digest for another spelling", raw)
		}
	}
	if DigestOf([]byte(`{"a":1,"b":2}`)) != DigestOf([]byte(`{ "b":2, "\u0061":1 }`)) {
		t.Error("got different digests of what says the same")
	}
}

// TestCanonicalProperties: any other spelling of a value is the same, any other
// value is not.
func TestCanonicalProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		v := randomValue(random, 4)
		first, second := v.spell(random), v.spell(random)
		a, errA := Text(nil, []byte(first))
		b, errB := Text(nil, []byte(second))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Fatalf("%s and %s: got %s and %s, %v, %v, want the same", first, second, a, b, errA, errB)
		}
		v.mutate(random)
		other := v.spell(random)
		if c, err := Text(nil, []byte(other)); err != nil || bytes.Equal(a, c) {
			t.Fatalf("%s and %s: got the same text %s, %v", first, other, a, err)
		}
	}
}

// A node is a JSON value that can be spelled in many ways.
type node struct {
	atom string // of a number or word, as it is
	text []rune // of a string
	list []*node
	keys []string // of an object, beside list
	kind byte     // a atom, s string, l list, o object
}

func randomValue(r *rand.Rand, depth int) *node {
	switch n := r.IntN(10); {
	case depth > 0 && n < 4:
		v := &node{kind: 'o'}
		for i := range r.IntN(5) {
			v.keys = append(v.keys, fmt.Sprintf("%c%d\"é", 'a'+rune(r.IntN(26)), i))
			v.list = append(v.list, randomValue(r, depth-1))
		}
		return v
	case depth > 0 && n < 6:
		v := &node{kind: 'l'}
		for range r.IntN(5) {
			v.list = append(v.list, randomValue(r, depth-1))
		}
		return v
	case n < 8:
		v := &node{kind: 's'}
		for range r.IntN(6) {
			v.text = append(v.text, []rune("ab\"\\/\n\x01é😀\u200b ")[r.IntN(11)])
		}
		return v
	}
	return &node{kind: 'a', atom: []string{"1", "1.0", "1e0", "-0", "true", "false", "null", "9007199254740993"}[r.IntN(8)]}
}

func (n *node) spell(r *rand.Rand) string {
	space := func() string { return []string{"", "", " ", "\n\t"}[r.IntN(4)] }
	var b strings.Builder
	b.WriteString(space())
	switch n.kind {
	case 'a':
		b.WriteString(n.atom)
	case 's':
		b.WriteString(spellText(r, n.text))
	case 'l':
		parts := make([]string, len(n.list))
		for i, e := range n.list {
			parts[i] = e.spell(r)
		}
		b.WriteString("[" + strings.Join(parts, ",") + space() + "]")
	case 'o':
		parts := make([]string, len(n.list))
		for i, at := range r.Perm(len(n.list)) {
			parts[i] = space() + spellText(r, []rune(n.keys[at])) + space() + ":" + n.list[at].spell(r)
		}
		b.WriteString("{" + strings.Join(parts, ",") + space() + "}")
	}
	b.WriteString(space())
	return b.String()
}

func spellText(r *rand.Rand, text []rune) string {
	out := `"`
	for _, c := range text {
		plain := jsonrpc.AppendString(nil, string(c))
		switch {
		case r.IntN(2) == 0:
			out += string(plain[1 : len(plain)-1])
		case c > 0xffff:
			c -= 0x10000
			out += fmt.Sprintf(`\u%04x\u%04X`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			out += fmt.Sprintf(`\u%04x`, c)
		}
	}
	return out + `"`
}

// mutate changes one thing.
func (n *node) mutate(r *rand.Rand) {
	switch {
	case len(n.list) > 0 && r.IntN(3) > 0:
		n.list[r.IntN(len(n.list))].mutate(r)
	case n.kind == 'o' && len(n.keys) > 0 && r.IntN(2) == 0:
		n.keys[0] += "x"
	case n.kind == 'o':
		n.keys, n.list = append(n.keys, "new"), append(n.list, &node{kind: 'a', atom: "null"})
	case n.kind == 'l':
		n.list = append(n.list, &node{kind: 'a', atom: "null"})
	case n.kind == 's':
		n.text = append(n.text, '\u200b')
	default:
		n.atom = map[bool]string{true: "2", false: "1.00"}[n.atom != "2"]
	}
}

// FuzzCanonical: the canonical text is one, is the canonical text of itself, and
// is nothing but another order: every member is in it.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"b":1,"a":[{"c":null,"\u0062":"\ud83d"}]}`, `{"a":1,"a":2}`, `[1.0,-0,1E+5]`, `"\ud83d\ude00\/"`, ` {} `, `{"":{"":""}}`, `[[[[]]]]`, `"\u0000"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := Text(nil, raw)
		if err != nil {
			if jsonrpc.Valid(raw) && len(raw) <= MaxSize && bytes.Count(raw, []byte("["))+bytes.Count(raw, []byte("{")) <= maxDepth {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		again, err := Text(nil, text)
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%q: canonical text %q has canonical text %q, %v", raw, text, again, err)
		}
		if members, err := jsonrpc.ParseObject(nil, raw); err == nil {
			ordered, err := jsonrpc.ParseObject(nil, text)
			if err != nil || len(ordered) != len(members) {
				t.Fatalf("%q: got %d members, %v, want %d", raw, len(ordered), err, len(members))
			}
		}
	})
}
