package aggregator

import (
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// plainlyTwice takes each level apart, as a plain reading of what twice looks for.
func plainlyTwice(raw []byte) bool {
	var parts [][]byte
	switch raw[0] {
	case '{':
		members, _ := jsonrpc.ParseObject(nil, raw)
		seen := map[string]bool{}
		for _, m := range members {
			if seen[string(m.Key)] {
				return true
			}
			seen[string(m.Key)] = true
			parts = append(parts, m.Value)
		}
	case '[':
		parts, _ = jsonrpc.ParseArray(nil, raw)
	}
	for _, part := range parts {
		if plainlyTwice(part) {
			return true
		}
	}
	return false
}

func FuzzTwice(f *testing.F) {
	for _, text := range []string{
		`{"a":1,"b":{"a":2}}`, `{"a":1,"\u0061":2}`, `[{"a":"a"},{"a":["a","a"]},[[{"x":1,"x":2}]]]`, `{"a":"\"","b":"{","c":",","b":1}`,
		`{"":{},"":[]}`, `{"a":{"b":1},"b":{"a":1}}`, ` {"a" : "b" , "b" : 1 } `,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = []byte(strings.Trim(string(text), " \t\r\n"))
		if !jsonrpc.Valid(text) || strings.Count(string(text), "{")+strings.Count(string(text), "[") > 500 {
			return
		}
		if got, want := twice(text) != "", plainlyTwice(text); got != want {
			t.Errorf("twice(%q) = %q, want %v", text, twice(text), want)
		}
	})
}

func TestTwiceIsBounded(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"as deep as may be", nested(maxArgumentDepth+1, false), ""},
		{"deeper", nested(maxArgumentDepth+2, false), "too deep nesting"},
		{"as many as may be", "[" + strings.Repeat("1,", jsonrpc.MaxMembers-1) + "1]", ""},
		{"more", "[" + strings.Repeat("1,", jsonrpc.MaxMembers) + "1]", "too many members or elements"},
	} {
		if got := twice([]byte(tt.text)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
