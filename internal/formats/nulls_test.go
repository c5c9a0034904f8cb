package formats

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/schema"
)

// TestWithoutNulls takes arguments that a model makes in strict mode, and what is
// left of them for the server. They must fit the schema that the model is shown,
// and what is left the server's own.
func TestWithoutNulls(t *testing.T) {
	for _, tt := range []struct{ name, schema, arguments, want string }{
		{
			"optional", `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["b"]}`,
			`{"a":null, "b":1}`, `{"b":1}`,
		},
		{
			"nothing to take out", `{"type":"object","properties":{"a":{"type":"string"}}}`,
			`{ "a" : "x" }`, `{ "a" : "x" }`,
		},
		{
			"the server's own null", `{"type":"object","properties":{"a":{"type":["string","null"]},"b":{"anyOf":[{"type":"string"},{"type":"null"}]},"c":{"enum":[null,1]}}}`,
			`{"a":null,"b":null,"c":null}`, `{"a":null,"b":null,"c":null}`,
		},
		{
			"required", `{"type":"object","properties":{"a":{"type":"null"}},"required":["a"]}`,
			`{"a":null}`, `{"a":null}`,
		},
		{
			"enum and constant", `{"type":"object","properties":{"a":{"enum":["x"]},"b":{"const":1}}}`,
			`{"a":null,"b":null}`, `{}`,
		},
		{
			"within objects and arrays",
			`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{"b":{"type":"string"},"c":{"type":"string"}},"required":["c"]}}}}`,
			`{"a":[{"b":null,"c":"x"},{"b":"y","c":"z"}]}`, `{"a":[{"c":"x"},{"b":"y","c":"z"}]}`,
		},
		{
			"by definitions",
			`{"type":"object","properties":{"a":{"$ref":"#/$defs/T"}},"$defs":{"T":{"type":"object","properties":{"v":{"type":"integer"},"t":{"$ref":"#/$defs/T"}}}}}`,
			`{"a":{"v":null,"t":{"v":2,"t":null}}}`, `{"a":{"t":{"v":2}}}`,
		},
		{
			"a definition beside a description",
			`{"type":"object","properties":{"a":{"allOf":[{"$ref":"#/definitions/T"}],"description":"D"}},"definitions":{"T":{"type":"object","properties":{"v":{"type":"integer"}}}}}`,
			`{"a":{"v":null}}`, `{"a":{}}`,
		},
		{
			"alternatives told apart by a constant",
			`{"type":"object","properties":{"a":{"oneOf":[` +
				`{"type":"object","properties":{"k":{"const":"x"},"v":{"type":["integer","null"]}},"required":["k","v"]},` +
				`{"type":"object","properties":{"k":{"const":"y"},"v":{"type":"integer"}},"required":["k"]}]}}}`,
			`{"a":{"k":"y","v":null}}`, `{"a":{"k":"y"}}`,
		},
		{
			"alternatives told apart by what they have",
			`{"type":"object","properties":{"a":{"anyOf":[{"type":"object","properties":{"x":{"type":"string"}}},{"type":"object","properties":{"y":{"type":"string"},"z":{"type":"string"}},"required":["z"]}]}}}`,
			`{"a":{"y":null,"z":"1"}}`, `{"a":{"z":"1"}}`,
		},
		{
			"alternatives at the root",
			`{"type":"object","anyOf":[{"properties":{"x":{"type":"string"}},"required":["x"]},{"properties":{"y":{"type":"string"}},"required":["y"]}]}`,
			`{"x":null,"y":"1"}`, `{"y":"1"}`,
		},
		{
			"a list in an alternative",
			`{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"object","properties":{"b":{"type":"string"}}}}]}}}`,
			`{"a":[{"b":null}]}`, `{"a":[{}]}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := string(WithoutNulls([]byte(tt.schema), []byte(tt.arguments)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			shown, _, err := strictSchema(openAIDialect, Style{API: OpenAI}.fit([]byte(tt.schema), &notes{}))
			if err != nil {
				t.Fatal(err)
			}
			fits(t, string(shown), tt.arguments)
			fits(t, tt.schema, got)
		})
	}
}

func fits(t *testing.T, raw, arguments string) {
	t.Helper()
	s, err := schema.Compile([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if problems := s.Check([]byte(arguments)); len(problems) > 0 {
		t.Errorf("%s does not fit %s: %v", arguments, raw, problems)
	}
}

// TestNullsStay has what no strict mode can have put there.
func TestNullsStay(t *testing.T) {
	for _, tt := range []struct{ schema, arguments string }{
		{`{"type":"object","properties":{"a":{}}}`, `{"a":null}`},
		{`{"type":"object","properties":{"a":true}}`, `{"a":null}`},
		{`{"type":"object","properties":{"a":{"description":"anything"}}}`, `{"a":null}`},
		{`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`, `{"a":null}`},
		{`{"type":"object","properties":{"a":{"type":"object","additionalProperties":{"type":"string"}}}}`, `{"a":{"x":null}}`},
		{`{"type":"object","properties":{"a":{"$ref":"#/nowhere"}}}`, `{"a":null}`},
		{`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"$ref":"#/$defs/A"}}}`, `{"a":null}`},
		{`{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}}}}`, `{"a":[null]}`},
		{`{"type":"object"}`, `{"b":null}`},
		{``, `{"b":null}`},
		{`{"type":"object","properties":{"a":{"type":"string"}}}`, `[null]`},
	} {
		if got := string(WithoutNulls([]byte(tt.schema), []byte(tt.arguments))); got != tt.arguments {
			t.Errorf("%s: got %s of %s", tt.schema, got, tt.arguments)
		}
	}
}

// TestWithoutNullsEnds has a schema that leads to more and more places.
func TestWithoutNullsEnds(t *testing.T) {
	const raw = `{"type":"object","properties":{"a":{"anyOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/A"}]}},` +
		`"$defs":{"A":{"anyOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/A"}]}}}`
	deep := `{"a":` + strings.Repeat(`{"a":`, 100) + `null` + strings.Repeat("}", 101)
	for _, arguments := range []string{`{"a":null}`, deep} {
		if got := string(WithoutNulls([]byte(raw), []byte(arguments))); got != arguments {
			t.Errorf("got %.40s of %.40s", got, arguments)
		}
	}
}
