package approval

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
		{` { "b" : 1 , "a" : [ 1 , { } , [ ] ] } `, `{"a":[1,{},[]],"b":1}`},
		{`{"a":{"d":1,"c":2}}`, `{"a":{"c":2,"d":1}}`},
		{`1.0`, `1.0`},
		{`[1E400,-0,9007199254740993,true,null]`, `[1E400,-0,9007199254740993,true,null]`},
		{`" a \" b "`, `" a \" b "`},
		{`"\u0061"`, `"\u0061"`},
		{`{"a,}":"]\\","\u0061":2}`, `{"\u0061":2,"a,}":"]\\"}`},
		{`{"a":2,"b":0,"a":1}`, `{"a":2,"a":1,"b":0}`}, // readers differ on which one counts
		{`{"\u0061":2,"a":1}`, `{"\u0061":2,"a":1}`},
	}
	var mixed, as, bs string // too many to be sorted by insertion
	for i := range 40 {
		as += fmt.Sprintf(`"a":%d,`, i)
		bs += fmt.Sprintf(`,"b":%d`, i)
		mixed += fmt.Sprintf(`,"b":%d,"a":%d`, i, i)
	}
	tests = append(tests, struct{ raw, want string }{"{" + mixed[1:] + "}", "{" + as + bs[1:] + "}"})
	for _, test := range tests {
		got, err := Canonical(nil, []byte(test.raw))
		if string(got) != test.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", test.raw, got, err, test.want)
		}
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for _, raw := range []string{``, `{`, `{"a"}`, `1 2`, strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2)} {
		if got, err := Canonical(nil, []byte(raw)); err == nil {
			t.Errorf("%.20s: got %.20s, want an error", raw, got)
		}
	}
}

// FuzzCanonical: the form is JSON, is its own form, and is that of the same
// members in any order.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`{"b":1,"a":[{"x":"\"}"}]}`, `{"a":1,"a":2}`, `[1.0,"\ud83d"," "]`, `{"":{}}`} {
		f.Add([]byte(seed), uint64(1))
	}
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		form, err := Canonical(nil, raw)
		if err != nil {
			return
		}
		if !jsonrpc.Valid(form) {
			t.Fatalf("%q became %q", raw, form)
		}
		if again, err := Canonical(nil, form); !bytes.Equal(again, form) || err != nil {
			t.Errorf("%q: got %q, %v", form, again, err)
		}
		members, err := jsonrpc.ParseObject(nil, raw)
		if err != nil || hasTwice(members) {
			return
		}
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(members), func(i, k int) { members[i], members[k] = members[k], members[i] })
		shuffled := jsonrpc.AppendObject(nil, members)
		if other, err := Canonical(nil, shuffled); !bytes.Equal(other, form) || err != nil {
			t.Errorf("%q: got %q, want %q, %v", shuffled, other, form, err)
		}
	})
}

func hasTwice(members []jsonrpc.Member) bool {
	seen := map[string]bool{}
	for _, m := range members {
		if seen[string(m.Key)] {
			return true
		}
		seen[string(m.Key)] = true
	}
	return false
}
