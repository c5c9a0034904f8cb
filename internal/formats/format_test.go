package formats

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

const search = `{"name":"gh__search","title":"Search","description":"Finds \u003c things","inputSchema":` +
	`{"type": "object", "properties": {"q": {"type":"string"}, "limit": {"type":"integer","maximum":9007199254740993}}, "required": ["q"]},"annotations":{}}`

func TestDefine(t *testing.T) {
	for _, tt := range []struct {
		name  string
		style Style
		want  string
	}{
		{
			"Chat Completions",
			Style{API: OpenAI},
			`{"type":"function","function":{"name":"gh__search","description":"Finds \u003c things","parameters":` +
				`{"type": "object", "properties": {"q": {"type":"string"}, "limit": {"type":"integer","maximum":9007199254740993}}, "required": ["q"]}}}`,
		},
		{
			"Chat Completions, strict",
			Style{API: OpenAI, Strict: true},
			`{"type":"function","function":{"name":"gh__search","description":"Finds \u003c things","parameters":` +
				`{"type":"object","properties":{"q":{"type":"string"},"limit":{"type":["integer","null"],"maximum":9007199254740993}},` +
				`"required":["q","limit"],"additionalProperties":false},"strict":true}}`,
		},
		{
			"Responses say that they are not strict",
			Style{API: OpenAIResponses},
			`{"type":"function","name":"gh__search","description":"Finds \u003c things","parameters":` +
				`{"type": "object", "properties": {"q": {"type":"string"}, "limit": {"type":"integer","maximum":9007199254740993}}, "required": ["q"]},"strict":false}`,
		},
		{
			"Messages",
			Style{API: Anthropic},
			`{"name":"gh__search","description":"Finds \u003c things","input_schema":` +
				`{"type": "object", "properties": {"q": {"type":"string"}, "limit": {"type":"integer","maximum":9007199254740993}}, "required": ["q"]}}`,
		},
		{
			"Messages, strict",
			Style{API: Anthropic, Strict: true},
			`{"name":"gh__search","description":"Finds \u003c things","input_schema":` +
				`{"type":"object","properties":{"q":{"type":"string"},"limit":{"type":"integer"}},"required":["q"],"additionalProperties":false},"strict":true}`,
		},
		{
			"Gemini",
			Style{API: Gemini},
			`{"name":"gh__search","description":"Finds \u003c things","parametersJsonSchema":` +
				`{"type": "object", "properties": {"q": {"type":"string"}, "limit": {"type":"integer","maximum":9007199254740993}}, "required": ["q"]}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			definitions, _ := tt.style.Define([]Tool{NewTool([]byte(search))})
			if diff := cmp.Diff(tt.want, string(definitions[0].Raw)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestNewTool(t *testing.T) {
	for _, tt := range []struct{ name, entry, description string }{
		{"described", `{"name":"a","title":"T","description":"D"}`, `"D"`},
		{"titled", `{"name":"a","title":"T"}`, `"T"`},
		{"described by nothing", `{"name":"a","title":"T","description":""}`, `"T"`},
		{"neither", `{"name":"a"}`, ""},
		{"no text", `{"name":"a","description":7}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := NewTool([]byte(tt.entry)); string(got.Description) != tt.description || got.Name != "a" {
				t.Errorf("got %q, %s, want %s", got.Name, got.Description, tt.description)
			}
		})
	}
}

func TestFit(t *testing.T) {
	for _, tt := range []struct{ name, schema, openAI, anthropic, gemini string }{
		{
			"none", ``,
			`{"type":"object","properties":{}}`, `{"type":"object","properties":{}}`, `{"type":"object","properties":{}}`,
		},
		{
			"no properties", `{"type":"object"}`,
			`{"type":"object","properties":{}}`, `{"type":"object"}`, `{"type":"object"}`,
		},
		{
			"no type", `{"properties":{"a":{}}}`,
			`{"properties":{"a":{}},"type":"object"}`, `{"properties":{"a":{}},"type":"object"}`, `{"properties":{"a":{}}}`,
		},
		{
			"an array that says nothing of its items", `{"type":"object","properties":{"b":{"type":"integer"},"a":{"type":["array","null"]}}}`,
			`{"type":"object","properties":{"b":{"type":"integer"},"a":{"type":["array","null"],"items":{}}}}`,
			`{"type":"object","properties":{"b":{"type":"integer"},"a":{"type":["array","null"]}}}`,
			`{"type":"object","properties":{"b":{"type":"integer"},"a":{"type":["array","null"]}}}`,
		},
		{
			"such an array far within", `{"type":"object","properties":{"a":{"anyOf":[{"type":"object","additionalProperties":{"type":"array"}}]}}}`,
			`{"type":"object","properties":{"a":{"anyOf":[{"type":"object","additionalProperties":{"type":"array","items":{}}}]}}}`,
			`{"type":"object","properties":{"a":{"anyOf":[{"type":"object","additionalProperties":{"type":"array"}}]}}}`,
			`{"type":"object","properties":{"a":{"anyOf":[{"type":"object","additionalProperties":{"type":"array"}}]}}}`,
		},
		{
			"either of two required", `{"type":"object","properties":{"a":{},"b":{}},"required":["b"],"anyOf":[{"required":["a"]},{"required":["b"]}]}`,
			`{"type":"object","properties":{"a":{},"b":{}},"required":["b"]}`,
			`{"type":"object","properties":{"a":{},"b":{}},"required":["b"]}`,
			`{"type":"object","properties":{"a":{},"b":{}},"required":["b"],"anyOf":[{"required":["a"]},{"required":["b"]}]}`,
		},
		{
			"alternatives told apart by a constant",
			`{"oneOf":[{"properties":{"k":{"const":1},"x":{}},"required":["k","x"]},{"properties":{"k":{"const":2}},"required":["k"]},{"properties":{"k":{"const":3}},"required":["k"]}]}`,
			`{"properties":{"k":{"anyOf":[{"const":1},{"const":2},{"const":3}]},"x":{}},"required":["k"],"type":"object"}`,
			`{"properties":{"k":{"anyOf":[{"const":1},{"const":2},{"const":3}]},"x":{}},"required":["k"],"type":"object"}`,
			`{"oneOf":[{"properties":{"k":{"const":1},"x":{}},"required":["k","x"]},{"properties":{"k":{"const":2}},"required":["k"]},{"properties":{"k":{"const":3}},"required":["k"]}]}`,
		},
		{
			"all of a definition and more", `{"allOf":[{"$ref":"#/$defs/A"},{"properties":{"b":{}},"required":["b"]}],"$defs":{"A":{"type":"object","properties":{"a":{}},"required":["a"]}}}`,
			`{"$defs":{"A":{"type":"object","properties":{"a":{}},"required":["a"]}},"properties":{"a":{},"b":{}},"required":["a","b"],"type":"object"}`,
			`{"$defs":{"A":{"type":"object","properties":{"a":{}},"required":["a"]}},"properties":{"a":{},"b":{}},"required":["a","b"],"type":"object"}`,
			`{"allOf":[{"$ref":"#/$defs/A"},{"properties":{"b":{}},"required":["b"]}],"$defs":{"A":{"type":"object","properties":{"a":{}},"required":["a"]}}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for api, want := range map[API]string{OpenAI: tt.openAI, Anthropic: tt.anthropic, Gemini: tt.gemini} {
				got := Style{API: api}.fit([]byte(tt.schema), &notes{})
				if diff := cmp.Diff(want, string(got)); diff != "" {
					t.Errorf("%s: -want +got\n%s", api, diff)
				}
			}
		})
	}
}

// TestFitEnds has schemas that refer to themselves without end.
func TestFitEnds(t *testing.T) {
	for _, schema := range []string{
		`{"$ref":"#"}`,
		`{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}`,
		`{"allOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/A"}],"$defs":{"A":{"oneOf":[{"$ref":"#"},{"$ref":"#"}]}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"anyOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/A"}]}}}`,
		`{"type":"object","properties":{"a":{"enum":[` + strings.Repeat("1,", 1<<17) + `1]}}}`,
		`{"type":"object","properties":` + strings.Repeat(`{"a":{"type":"object","properties":`, 200) + `{}` + strings.Repeat(`}}`, 200) + `}`,
	} {
		for _, style := range []Style{{API: OpenAI, Strict: true}, {API: Anthropic, Strict: true}, {API: Gemini}} {
			definitions, _ := style.Define([]Tool{{Name: "a", InputSchema: []byte(schema)}})
			if !jsonrpc.Valid(definitions[0].Raw) {
				t.Errorf("%s: got %s", style.API, definitions[0].Raw)
			}
		}
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 65)
	for _, tt := range []struct {
		name string
		api  API
		in   []string
		want []string
	}{
		{"legal", OpenAI, []string{"gh__search", "9-a_B"}, []string{"gh__search", "9-a_B"}},
		{"as long as may be", OpenAI, []string{long[:64]}, []string{long[:64]}},
		{"too long", OpenAI, []string{long}, []string{long[:57] + "_h4ie64"}},
		{"not too long for Anthropic", Anthropic, []string{long}, []string{long}},
		{"other characters", Anthropic, []string{"a.b", "a/b"}, []string{"a_b_7r6thp", "a_b_gjhx2m"}},
		{"a digit first", Gemini, []string{"9lives"}, []string{"_9lives_2y2c6w"}},
		{"a dash first", Gemini, []string{"-x", "_x"}, []string{"_-x_2earsl", "_x"}},
		{"too long and a digit first", Gemini, []string{"9" + long}, []string{"_9" + long[:55] + "_jwha5t"}},
		{"nameless", Gemini, []string{""}, []string{"__ny2axh"}},
		{"a name that is another's mended one", OpenAI, []string{"a.b", "a_b_7r6thp"}, []string{"a_b_2mclyo", "a_b_7r6thp"}},
		{"twice", OpenAI, []string{"a.b", "a.b"}, []string{"a_b_7r6thp", "a_b_7r6thp"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tools := make([]Tool, len(tt.in))
			for i, name := range tt.in {
				tools[i].Name = name
			}
			got := Names(tt.api, tools)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			for i := range got {
				if !tt.api.takes(got[i]) {
					t.Errorf("%q is not legal", got[i])
				}
			}
		})
	}
}

// realTools are what the servers of the protocol's own collection list.
func realTools(t testing.TB) []Tool {
	t.Helper()
	raw, err := os.ReadFile("testdata/tools.json")
	if err != nil {
		t.Fatal(err)
	}
	var tools []Tool
	for _, entry := range elements(raw) {
		tools = append(tools, NewTool(entry))
	}
	if len(tools) < 30 {
		t.Fatalf("got %d tools, want all", len(tools))
	}
	return tools
}

// TestRealTools holds the definitions of real tools to the rules of the APIs, as
// their documents state them.
func TestRealTools(t *testing.T) {
	tools := realTools(t)
	for _, style := range []Style{{API: OpenAI, Strict: true}, {API: OpenAIResponses, Strict: true}, {API: Anthropic, Strict: true}} {
		definitions, _ := style.Define(tools)
		for _, d := range definitions {
			if !d.Strict {
				t.Errorf("%s: %s is not strict: %v", style.API, d.Tool, d.Notes)
			}
			checkStrict(t, style.API, d)
		}
	}
	for _, api := range APIs {
		definitions, notes := Style{API: api}.Define(tools)
		for i, d := range definitions {
			if !strings.Contains(string(d.Raw), string(tools[i].InputSchema)) {
				t.Errorf("%s: the schema of %s has changed: %s", api, d.Tool, d.Raw)
			}
			if d.Name != tools[i].Name || len(d.Notes) != 0 || len(notes) != 0 {
				t.Errorf("%s: got name %q, notes %v, %v of %s", api, d.Name, d.Notes, notes, d.Tool)
			}
		}
		if !json.Valid(api.Document(definitions)) {
			t.Errorf("%s: the document is not JSON", api)
		}
	}
}

// checkStrict reads a definition with another parser.
func checkStrict(t *testing.T, api API, d Definition) {
	t.Helper()
	var definition map[string]any
	if err := json.Unmarshal(d.Raw, &definition); err != nil {
		t.Fatal(err)
	}
	if api == OpenAI {
		definition = definition["function"].(map[string]any)
	}
	if definition["strict"] != true {
		t.Errorf("%s: %s does not say that it is strict", api, d.Tool)
	}
	schema := definition["parameters"]
	if api == Anthropic {
		schema = definition["input_schema"]
	}
	var walk func(schema map[string]any, path string)
	walk = func(schema map[string]any, path string) {
		for key, value := range schema {
			switch key {
			case "properties", "$defs", "definitions":
				for name, property := range value.(map[string]any) {
					walk(property.(map[string]any), path+"."+name)
				}
			case "items":
				walk(value.(map[string]any), path+"[]")
			case "anyOf":
				for _, branch := range value.([]any) {
					walk(branch.(map[string]any), path+"|")
				}
			case "default", "minLength", "maxLength", "allOf", "oneOf", "not":
				if api != Anthropic || key != "default" {
					t.Errorf("%s: %s%s has %s", api, d.Tool, path, key)
				}
			}
		}
		properties, isObject := schema["properties"].(map[string]any)
		if !isObject {
			return
		}
		if schema["additionalProperties"] != false {
			t.Errorf("%s: %s%s is open", api, d.Tool, path)
		}
		required, _ := schema["required"].([]any)
		for name := range properties {
			if api != Anthropic && !slices.Contains(required, any(name)) {
				t.Errorf("%s: %s%s does not require %s", api, d.Tool, path, name)
			}
		}
	}
	walk(schema.(map[string]any), "")
}
