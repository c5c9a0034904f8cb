package pins

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/canonical"
)

func TestDifferences(t *testing.T) {
	tests := []struct {
		name, before, after string
		want                string // a line for each
	}{
		{"nothing", `{"a":1,"b":[1,2]}`, `{ "b":[1,2],"\u0061":1}`, ""},
		{"a text", `{"name":"x","description":"old"}`, `{"description":"new","name":"x"}`, `description: "old" -> "new"`},
		{"members", `{"a":1,"b":2}`, `{"c":3,"b":2,"d":{"e":{}}}`, "a: 1 -> \nc:  -> 3\nd:  -> {\"e\":{}}"},
		{"null is there", `{"a":null}`, `{}`, "a: null -> "},
		{
			"deep", `{"inputSchema":{"properties":{"path":{"type":"string"},"a b":{"type":"x"}}}}`,
			`{"inputSchema":{"properties":{"path":{"type":"number"},"a b":{"type":"y"}}}}`,
			`inputSchema.properties.path.type: "string" -> "number"` + "\n" + `inputSchema.properties["a b"].type: "x" -> "y"`,
		},
		{"a set", `{"required":["a","b","b"]}`, `{"required":["b","c","a"]}`, "required[]: \"b\" -> \nrequired[]:  -> \"c\""},
		{"another order", `{"required":["a","b"]}`, `{"required":["b","a"]}`, `required: ["a","b"] -> ["b","a"]`},
		{"a list of objects", `{"anyOf":[{"a":1},{"b":1}]}`, `{"anyOf":[{"a":1},{"b":2},{}]}`, "anyOf[1].b: 1 -> 2\nanyOf[2]:  -> {}"},
		{"a kind", `{"a":{"b":1}}`, `{"a":[1]}`, `a: {"b":1} -> [1]`},
		{"a number's spelling", `{"a":1}`, `{"a":1.0}`, `a: 1 -> 1.0`},
		{"members that stand twice", `{"x":{"a":1,"a":2}}`, `{"x":{"a":2,"a":1}}`, `x: {"a":1,"a":2} -> {"a":2,"a":1}`},
		{"a dot in a key", `{"a.b":1,"":1}`, `{"a.b":2,"":2}`, "[\"a.b\"]: 1 -> 2\n[\"\"]: 1 -> 2"},
		{"from nothing", "", `{"a":1,"b":2}`, "a:  -> 1\nb:  -> 2"},
		{"instructions", `"old"`, `"new"`, `: "old" -> "new"`},
		{"instructions from nothing", "", `"new"`, `:  -> "new"`},
		{"too deep", `{"a":1}`, strings.Repeat("[", 200) + strings.Repeat("]", 200), `: {"a":1} -> ` + strings.Repeat("[", 200) + strings.Repeat("]", 200)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			raw := func(text string) []byte {
				if text == "" {
					return nil
				}
				return []byte(text)
			}
			var lines []string
			for _, d := range Differences(raw(test.before), raw(test.after)) {
				lines = append(lines, d.Path+": "+string(d.Old)+" -> "+string(d.New))
			}
			if diff := cmp.Diff(test.want, strings.Join(lines, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzDifferences: what has no difference is the same, and the other way round.
func FuzzDifferences(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[1]}`), []byte(`{"b":[1,2],"a":1}`))
	f.Add([]byte(`{"a":1,"a":2}`), []byte(`{"a":2,"a":1}`))
	f.Add([]byte(`{"a":["x","y"]}`), []byte(`{"a":["y","x"]}`))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		a, errA := canonical.Text(nil, before)
		b, errB := canonical.Text(nil, after)
		if errA != nil || errB != nil {
			return
		}
		if got := len(Differences(before, after)) == 0; got != (string(a) == string(b)) {
			t.Errorf("%s and %s: no difference is %v", before, after, got)
		}
	})
}
