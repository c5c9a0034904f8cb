package formats

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// arguments is a schema with one optional argument.
func arguments(schema string) []byte {
	return []byte(`{"type":"object","properties":{"a":` + schema + `}}`)
}

func TestStrict(t *testing.T) {
	for _, tt := range []struct{ name, schema, openAI, anthropic string }{
		{"text", `{"type":"string"}`, `{"type":["string","null"]}`, `{"type":"string"}`},
		{"may be null already", `{"type":["null","string"]}`, `{"type":["null","string"]}`, `{"type":["null","string"]}`},
		{"enum", `{"type":"string","enum":["x"]}`, `{"type":["string","null"],"enum":["x",null]}`, `{"type":"string","enum":["x"]}`},
		{"enum of no type", `{"enum":["x",1]}`, `{"type":["string","integer","null"],"enum":["x",1,null]}`, `{"type":["string","integer"],"enum":["x",1]}`},
		{"enum without null", `{"type":["string","null"],"enum":["x"]}`, `{"type":["string","null"],"enum":["x",null]}`, `{"type":["string","null"],"enum":["x"]}`},
		{"constant", `{"const":"x"}`, `{"anyOf":[{"type":"string","const":"x"},{"type":"null"}]}`, `{"type":"string","const":"x"}`},
		{
			"limits of numbers", `{"type":"number","minimum":1.50,"maximum":1e400,"multipleOf":0.1}`,
			`{"type":["number","null"],"minimum":1.50,"maximum":1e400,"multipleOf":0.1}`, `{"type":"number"}`,
		},
		{"limits of draft 4", `{"type":"number","minimum":1,"exclusiveMinimum":true}`, `{"type":["number","null"],"minimum":1}`, `{"type":"number"}`},
		{
			"limits of texts", `{"type":"string","minLength":1,"maxLength":9,"pattern":"^a"}`,
			`{"type":["string","null"],"pattern":"^a"}`, `{"type":"string"}`,
		},
		{"a pattern that looks ahead", `{"type":"string","pattern":"^(?!a)"}`, `{"type":["string","null"]}`, `{"type":"string"}`},
		{"uri", `{"type":"string","format":"uri"}`, `{"type":["string","null"]}`, `{"type":"string","format":"uri"}`},
		{"date", `{"type":"string","format":"date"}`, `{"type":["string","null"],"format":"date"}`, `{"type":"string","format":"date"}`},
		{
			"array", `{"type":"array","items":{"type":"string"},"minItems":2,"maxItems":3,"uniqueItems":true}`,
			`{"type":["array","null"],"items":{"type":"string"},"minItems":2,"maxItems":3}`, `{"type":"array","items":{"type":"string"}}`,
		},
		{"one at least", `{"items":{"type":"string"},"minItems":1}`, `{"type":["array","null"],"items":{"type":"string"},"minItems":1}`, `{"type":"array","items":{"type":"string"},"minItems":1}`},
		{
			"object", `{"type":"object","properties":{"b":{"type":"integer"},"c":{"type":"integer"}},"required":["c"],"x-own":1,"$defs":{}}`,
			`{"type":["object","null"],"properties":{"b":{"type":["integer","null"]},"c":{"type":"integer"}},"required":["b","c"],"additionalProperties":false}`,
			`{"type":"object","properties":{"b":{"type":"integer"},"c":{"type":"integer"}},"required":["c"],"additionalProperties":false}`,
		},
		{
			"an object without anything", `{"type":"object","additionalProperties":false}`,
			`{"type":["object","null"],"additionalProperties":false,"properties":{},"required":[]}`,
			`{"type":"object","additionalProperties":false,"properties":{}}`,
		},
		{
			"union", `{"oneOf":[{"type":"string","minLength":1},{"type":"integer"}],"description":"D","default":1}`,
			`{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"null"}],"description":"D"}`,
			`{"anyOf":[{"type":"string"},{"type":"integer"}],"description":"D","default":1}`,
		},
		{
			"union with null", `{"anyOf":[{"type":"string"},{"type":"null"}]}`,
			`{"anyOf":[{"type":"string"},{"type":"null"}]}`, `{"anyOf":[{"type":"string"},{"type":"null"}]}`,
		},
		{
			"union that narrows a type", `{"type":"object","oneOf":[{"properties":{"b":{"type":"null"}},"required":["b"]}]}`,
			`{"anyOf":[{"type":"object","properties":{"b":{"type":"null"}},"required":["b"],"additionalProperties":false},{"type":"null"}]}`,
			`{"anyOf":[{"type":"object","properties":{"b":{"type":"null"}},"required":["b"],"additionalProperties":false}]}`,
		},
		{
			"union of limits", `{"type":"string","anyOf":[{"minLength":3},{"pattern":"x"}]}`,
			`{"type":["string","null"]}`, `{"type":"string"}`,
		},
		{"conditions", `{"type":"string","not":{"const":"x"},"if":{},"then":{}}`, `{"type":["string","null"]}`, `{"type":"string"}`},
		{"one of all", `{"allOf":[{"type":"string"}],"description":"D"}`, `{"type":["string","null"],"description":"D"}`, `{"type":"string","description":"D"}`},
		{"a key twice", `{"type":"string","type":"integer"}`, `{"type":["string","null"]}`, `{"type":"string"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for api, want := range map[API]string{
				OpenAI:    `{"type":"object","properties":{"a":` + tt.openAI + `},"required":["a"],"additionalProperties":false}`,
				Anthropic: `{"type":"object","properties":{"a":` + tt.anthropic + `},"additionalProperties":false}`,
			} {
				got, _, err := strictSchema(dialects[api], arguments(tt.schema))
				if err != nil {
					t.Fatalf("%s: %v", api, err)
				}
				if diff := cmp.Diff(want, string(got)); diff != "" {
					t.Errorf("%s: -want +got\n%s", api, diff)
				}
			}
		})
	}
}

func TestStrictDefinitions(t *testing.T) {
	const schema = `{"type":"object","properties":{"a":{"$ref":"#/$defs/A"},"b":{"$ref":"#/$defs/A","description":"B","default":1},"c":{"$ref":"#/$defs/N"},"d":{"$ref":"#/$defs/A","description":"D"}},` +
		`"required":["d"],"$defs":{"A":{"type":"string","minLength":1},"Unused":{"type":"object","additionalProperties":true},"N":{"type":"null"}}}`
	const want = `{"type":"object","properties":{"a":{"anyOf":[{"$ref":"#/$defs/A"},{"type":"null"}]},` +
		`"b":{"description":"B","anyOf":[{"$ref":"#/$defs/A"},{"type":"null"}]},"c":{"$ref":"#/$defs/N"},"d":{"description":"D","anyOf":[{"$ref":"#/$defs/A"}]}},` +
		`"required":["a","b","c","d"],"$defs":{"A":{"type":"string"},"N":{"type":"null"}},"additionalProperties":false}`
	got, lost, err := strictSchema(openAIDialect, []byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{`goes without "default" of b`, `goes without "minLength" of A`}, lost.texts()); diff != "" {
		t.Errorf("notes: -want +got\n%s", diff)
	}
}

func TestStrictRefused(t *testing.T) {
	enum := strings.Repeat(`"x",`, 1000) + `"y"`
	deep := strings.Repeat(`{"type":"object","properties":{"a":`, 11) + `{"type":"string"}` + strings.Repeat(`},"required":["a"]}`, 11)
	for _, tt := range []struct{ name, schema, openAI, anthropic string }{
		{"anything", `{}`, "a takes any value", "a takes any value"},
		{"true", `true`, "a takes any value", "a takes any value"},
		{"a map", `{"type":"object","additionalProperties":{"type":"string"}}`, "a takes any key", "a takes any key"},
		{"a map with a known key", `{"type":"object","properties":{"b":{"type":"string"}},"additionalProperties":true}`, "a takes any key", "a takes any key"},
		{"an object of anything", `{"type":"object","properties":{}}`, "a takes any key", "a takes any key"},
		{"patterns for keys", `{"type":"object","patternProperties":{"^x":{}}}`, "a has patternProperties", "a has patternProperties"},
		{"an array of anything", `{"type":"array"}`, "a[] takes any value", "a[] takes any value"},
		{"a tuple", `{"type":"array","prefixItems":[{"type":"string"}]}`, "a has prefixItems", "a has prefixItems"},
		{"an old tuple", `{"type":"array","items":[{"type":"string"}]}`, "a[] takes any value", "a[] takes any value"},
		{"two of all", `{"allOf":[{"type":"string"},{"minLength":1}]}`, "a has allOf", "a has allOf"},
		{"within", `{"type":"array","items":{"type":"object","properties":{"b":{}}}}`, "a[].b takes any value", "a[].b takes any value"},
		{"what it says nothing of", `{"type":"object","properties":{"b":{"type":"string"}},"required":["c"]}`, `a requires "c" and does not say what it is`, `a requires "c" and does not say what it is`},
		{"a reference elsewhere", `{"$ref":"https://example.com/s"}`, `a refers to "https://example.com/s"`, `a refers to "https://example.com/s"`},
		{"a reference to a place", `{"$ref":"#/properties/a"}`, `a refers to "#/properties/a"`, `a refers to "#/properties/a"`},
		{"recursion", `{"anyOf":[{"$ref":"#"},{"type":"null"}]}`, "", "a definition contains itself"},
		{"two unions", `{"anyOf":[{"type":"string"}],"oneOf":[{"type":"string"}]}`, "a has both", "a has both"},
		{"a union beside properties", `{"properties":{"b":{"type":"string"}},"anyOf":[{"type":"object"}]}`, "a combines anyOf with properties", "a combines anyOf with properties"},
		{"many values", `{"type":"string","enum":[` + enum + `]}`, "its enums have 1001 values, more than 1000", ""},
		{"deep", deep, "is an object within 10 others", ""},
		{"too deep for anyone", strings.Repeat(`{"type":"array","items":`, 60) + `{"type":"string"}` + strings.Repeat("}", 60), "nests too deep", "nests too deep"},
		{"enum of arrays", `{"type":"array","items":{"type":"string"},"enum":[["x"]]}`, "an enum of objects or arrays", "an enum of objects or arrays"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for api, want := range map[API]string{OpenAI: tt.openAI, Anthropic: tt.anthropic} {
				_, _, err := strictSchema(dialects[api], arguments(tt.schema))
				switch {
				case want == "" && err != nil:
					t.Errorf("%s: got %v, want none", api, err)
				case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
					t.Errorf("%s: got %v, want %q", api, err, want)
				}
			}
		})
	}
}

// TestStrictTool is about the schema as a whole.
func TestStrictTool(t *testing.T) {
	for _, tt := range []struct{ name, schema, want, note string }{
		{
			"no arguments", `{"type":"object","properties":{}}`,
			`{"type":"function","function":{"name":"t","parameters":{"type":"object","properties":{},"required":[],"additionalProperties":false},"strict":true}}`, "",
		},
		{
			"whatever arguments", `{"type":"object","additionalProperties":{}}`,
			`{"type":"function","function":{"name":"t","parameters":{"type":"object","additionalProperties":{},"properties":{}},"strict":false}}`,
			"is not strict: the tool takes any key",
		},
		{
			"nothing is lost of what is not strict", `{"type":"object","properties":{"a":{"type":"string","minLength":1},"b":{}}}`,
			`{"type":"function","function":{"name":"t","parameters":{"type":"object","properties":{"a":{"type":"string","minLength":1},"b":{}}},"strict":false}}`,
			"is not strict: b takes any value",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			definitions, _ := Style{API: OpenAI, Strict: true}.Define([]Tool{{Name: "t", InputSchema: []byte(tt.schema)}})
			if diff := cmp.Diff(tt.want, string(definitions[0].Raw)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if got := strings.Join(definitions[0].Notes, "\n"); got != tt.note {
				t.Errorf("got note %q, want %q", got, tt.note)
			}
		})
	}
}

func TestTooManyStrictTools(t *testing.T) {
	_, notes := Style{API: Anthropic, Strict: true}.Define(make([]Tool, 21))
	if len(notes) != 1 || !strings.Contains(notes[0], "21 strict tools") {
		t.Errorf("got notes %q, want one of the number of strict tools", notes)
	}
	if _, notes := (Style{API: Anthropic}).Define(make([]Tool, 21)); len(notes) != 0 {
		t.Errorf("got notes %q, want none of tools that are not strict", notes)
	}
}
