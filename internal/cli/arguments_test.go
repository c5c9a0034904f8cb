package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

const searchSchema = `{"type":"object","properties":{
	"query":{"type":"string"},
	"limit":{"type":"integer"},
	"score":{"type":"number"},
	"exact":{"type":"boolean"},
	"tags":{"type":"array","items":{"type":"string"}},
	"sizes":{"type":"array","items":{"type":"integer"}},
	"filter":{"type":"object"},
	"page":{"anyOf":[{"type":"integer"},{"type":"null"}]},
	"note":{"type":["string","null"]},
	"any":{}
}}`

func TestParseArguments(t *testing.T) {
	const open = `{"type":"object"}`
	tests := []struct {
		name   string
		schema string
		words  string // separated by |
		want   string // the object, or a part of the error after "!"
	}{
		{"none", searchSchema, "", `{}`},
		{"string that looks like a number", searchSchema, "query=42", `{"query":"42"}`},
		{"string with = and quotes", searchSchema, `query=a="b"`, `{"query":"a=\"b\""}`},
		{"empty string", searchSchema, `query=`, `{"query":""}`},
		{"integer beyond 2^53", searchSchema, "limit=9007199254740993", `{"limit":9007199254740993}`},
		{"integer wants no fraction", searchSchema, "limit=1.5", `!argument "limit": want integer, got "1.5"`},
		{"integer wants no word", searchSchema, "limit=ten", `!want integer`},
		{"number", searchSchema, "score=1e3", `{"score":1e3}`},
		{"number with a space", searchSchema, "score= 1", `!want number`},
		{"boolean", searchSchema, "exact=true", `{"exact":true}`},
		{"boolean wants true or false", searchSchema, "exact=yes", `!want boolean`},
		{"array of one", searchSchema, "tags=a", `{"tags":["a"]}`},
		{"array by repetition", searchSchema, "tags=a|limit=1|tags=2", `{"tags":["a","2"],"limit":1}`},
		{"array as JSON", searchSchema, `tags=["a","b"]`, `{"tags":["a","b"]}`},
		{"array as JSON and an element", searchSchema, `tags=["a"]|tags=b`, `!given twice`},
		{"elements have their type", searchSchema, "sizes=1|sizes=2", `{"sizes":[1,2]}`},
		{"element of another type", searchSchema, "sizes=big", `!want integer`},
		{"object as JSON", searchSchema, `filter={"a":1}`, `{"filter":{"a":1}}`},
		{"optional integer", searchSchema, "page=3", `{"page":3}`},
		{"optional null", searchSchema, "page=null", `{"page":null}`},
		{"string or null", searchSchema, "note=null", `{"note":null}`},
		{"string or null, a word", searchSchema, "note=nil", `{"note":"nil"}`},
		{"untyped, like JSON", searchSchema, "any=3", `{"any":3}`},
		{"untyped, a word", searchSchema, "any=three", `{"any":"three"}`},
		{"as it stands", searchSchema, `query:=[1,{"a":null}]`, `{"query":[1,{"a":null}]}`},
		{"as it stands, not JSON", searchSchema, `query:=x`, `!"x" is not JSON`},
		{"typo", searchSchema, "limt=3", `!did you mean "limit"?`},
		{"unknown", searchSchema, "zebra=3", `!it has query, limit`},
		{"unknown as it stands", searchSchema, "zebra:=3", `{"zebra":3}`},
		{"twice", searchSchema, "limit=1|limit=2", `!argument "limit" is given twice`},
		{"no form", searchSchema, "limit", `!argument "limit" is not of the form`},
		{"no key", searchSchema, "=1", `!not of the form`},
		{"whole object", searchSchema, `{"limit": 5}`, `{"limit": 5}`},
		{"whole object, broken", searchSchema, `{"limit": }`, `!arguments: invalid JSON`},
		{"schema without properties", open, "a=1|b=x", `{"a":1,"b":"x"}`},
		{"no schema", ``, "a=1", `{"a":1}`},
		{"schema that says it is open", `{"properties":{"a":{"type":"string"}},"additionalProperties":true}`, "b=1", `{"b":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var words []string
			if tt.words != "" {
				words = strings.Split(tt.words, "|")
			}
			got, err := parseArguments(words, []byte(tt.schema))
			if want, fails := strings.CutPrefix(tt.want, "!"); fails {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("got %s and error %v, want an error with %q", got, err, want)
				}
				if exit, ok := errors.AsType[*exitError](err); !ok || exit.code != exitUsage {
					t.Errorf("got %#v, want a usage error", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzParseArguments(f *testing.F) {
	f.Add("limit=3", "tags=x", searchSchema)
	f.Add("a:={}", "b", `{"properties":{"a":{"anyOf":[{"type":["x"]}]}}}`)
	f.Add("{}", "", `[`)
	f.Fuzz(func(t *testing.T, first, second, inputSchema string) {
		got, err := parseArguments([]string{first, second}, []byte(inputSchema))
		if err != nil {
			return
		}
		if _, err := jsonrpc.ParseObject(nil, got); err != nil {
			t.Errorf("parseArguments(%q, %q): %s is no object: %v", first, second, got, err)
		}
	})
}
