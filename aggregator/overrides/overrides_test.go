package overrides

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func text(s string) *string { return &s }

func TestDefinition(t *testing.T) {
	const tool = `{ "description" : "Old\u0020one", "x":1.50,"name":"s","inputSchema":{"type":"object", "properties": {"org":{"type":"string"}, "limit":{"type":"integer","default":5} ,"q":{"type":"string"},"debug":true},` +
		`"required":["org","q","limit"],"$comment":"<&>"},"y":[1,2] }`
	for _, tt := range []struct {
		name string
		o    Override
		raw  string
		want string
	}{
		{"nothing", Override{}, tool, tool},
		{"name", Override{Name: "find \"it\""}, tool, `{ "description" : "Old\u0020one", "x":1.50,"name":"find \"it\"","inputSchema":{"type":"object", "properties": {"org":{"type":"string"}, "limit":{"type":"integer","default":5} ,"q":{"type":"string"},"debug":true},"required":["org","q","limit"],"$comment":"<&>"},"y":[1,2] }`},
		{"description", Override{Description: text("New.")}, `{"name":"s", "description" : "Old", "description":"older"}`, `{"name":"s", "description" : "New.", "description":"New."}`},
		{"description and title that were not there", Override{Description: text("D"), Title: text("T")}, `{"name":"s" }`, `{"name":"s","title":"T","description":"D" }`},
		{
			"arguments",
			Override{Fixed: []Argument{{"org", []byte(`"acme"`)}}, Default: []Argument{{"limit", []byte(`20`)}, {"q", []byte(`"*"`)}}, Hide: []string{"debug"}},
			tool,
			`{ "description" : "Old\u0020one", "x":1.50,"name":"s","inputSchema":{"type":"object", "properties": {"limit":{"type":"integer","default":20} ,"q":{"type":"string","default":"*"}},"required":[],"$comment":"<&>"},"y":[1,2] }`,
		},
		{"last property", Override{Hide: []string{"q"}}, `{"inputSchema":{"properties":{"a":{} , "q":{} }},"name":"s"}`, `{"inputSchema":{"properties":{"a":{} }},"name":"s"}`},
		{"all properties", Override{Hide: []string{"q", "a"}}, `{"inputSchema":{"properties":{ "a":{},"q":{} },"required":["b"]},"name":"s"}`, `{"inputSchema":{"properties":{  },"required":["b"]},"name":"s"}`},
		{"first properties", Override{Hide: []string{"q", "a"}}, `{"inputSchema":{"properties":{ "a":{},"q":{} , "c":1}},"name":"s"}`, `{"inputSchema":{"properties":{ "c":1}},"name":"s"}`},
		{"escaped name", Override{Hide: []string{"q"}}, `{"inputSchema":{"properties":{"\u0071":{},"a":{}},"required":["\u0071"]},"name":"s"}`, `{"inputSchema":{"properties":{"a":{}},"required":[]},"name":"s"}`},
		{"empty property", Override{Default: []Argument{{"q", []byte(`1`)}}}, `{"inputSchema":{"properties":{"q":{}}},"name":"s"}`, `{"inputSchema":{"properties":{"q":{"default":1}}},"name":"s"}`},
		{"no schema", Override{Hide: []string{"q"}}, `{"name":"s","inputSchema":true}`, `{"name":"s","inputSchema":true}`},
		{"two schemas", Override{Hide: []string{"q"}}, `{"inputSchema":{"properties":{"q":{}}},"name":"s","inputSchema":{"properties":{"q":{}}}}`, `{"inputSchema":{"properties":{}},"name":"s","inputSchema":{"properties":{}}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.o.Definition([]byte(tt.raw))
			if err != nil || string(got) != tt.want {
				t.Errorf("\n got %s (%v)\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestArguments(t *testing.T) {
	o := &Override{
		Fixed:   []Argument{{"org", []byte(`"acme"`)}, {"deep", []byte(`{"a":[1]}`)}},
		Default: []Argument{{"limit", []byte(`20`)}},
		Hide:    []string{"debug", "trace"},
	}
	const conflict, hidden = `"org" cannot be given: the user has fixed it`, `"debug" cannot be given: the user has hidden it`
	for _, tt := range []struct {
		raw, want string
		problems  []string
	}{
		{``, `{"org":"acme","deep":{"a":[1]},"limit":20}`, nil},
		{`{}`, `{"org":"acme","deep":{"a":[1]},"limit":20}`, nil},
		{`{ "q" : 1.0 }`, `{ "q" : 1.0,"org":"acme","deep":{"a":[1]},"limit":20 }`, nil},
		{`{"limit":null,"q":"\u0041"}`, `{"limit":null,"q":"\u0041","org":"acme","deep":{"a":[1]}}`, nil},
		{`{"deep":{"a":[1]},"limit":5,"org":"acme"}`, `{"deep":{"a":[1]},"limit":5,"org":"acme"}`, nil},
		{`{"org":"evil"}`, `{"org":"acme","deep":{"a":[1]},"limit":20}`, []string{conflict}},
		{`{"\u006frg":"evil","limit":1}`, `{"\u006frg":"acme","limit":1,"deep":{"a":[1]}}`, []string{conflict}},
		{`{"debug":true}`, `{"org":"acme","deep":{"a":[1]},"limit":20}`, []string{hidden}},
		{`{"debug":true,"q":1,"trace":1,"org":"acme","deep":{"a":[1]},"limit":1}`, `{"q":1,"org":"acme","deep":{"a":[1]},"limit":1}`, []string{hidden, `"trace" cannot be given: the user has hidden it`}},
		{`[1]`, `[1]`, nil},
		{`null`, `null`, nil},
	} {
		var raw []byte
		if tt.raw != "" {
			raw = []byte(tt.raw)
		}
		got, problems := o.Arguments(raw)
		if string(got) != tt.want || !slices.Equal(problems, tt.problems) {
			t.Errorf("%s:\n got %s, %q\nwant %s, %q", tt.raw, got, problems, tt.want, tt.problems)
		}
	}
	none := &Override{Name: "x"}
	if got, problems := none.Arguments(nil); got != nil || problems != nil {
		t.Errorf("without arguments: got %s, %q", got, problems)
	}
}

// FuzzOverride: what comes out is JSON, hides what is to be hidden, and has the
// user's values.
func FuzzOverride(f *testing.F) {
	f.Add(`{"name":"s","inputSchema":{"properties":{"a":{},"b":{"default":1},"c":true},"required":["a","b"]}}`, `{"a":1,"b":2,"d":{}}`)
	f.Add(`{"inputSchema":{"properties":{"c":{}}},"name":"s","description":1}`, `{ "c" : 1 }`)
	f.Fuzz(func(t *testing.T, definition, arguments string) {
		o := &Override{
			Name: "n", Title: text("t"), Description: text("d"),
			Fixed: []Argument{{"a", []byte(`[1]`)}}, Default: []Argument{{"b", []byte(`2`)}}, Hide: []string{"c"},
		}
		if d := []byte(definition); jsonrpc.Valid(d) && d[0] == '{' {
			got, err := o.Definition(d)
			if err != nil {
				return
			}
			if !json.Valid(got) && json.Valid(d) || !jsonrpc.Valid(got) {
				t.Fatalf("%s became %s, %v", definition, got, err)
			}
			members, _ := jsonrpc.ParseObject(nil, got)
			schema, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(members, "inputSchema"))
			properties, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(schema, "properties"))
			if jsonrpc.Find(properties, "a") != nil || jsonrpc.Find(properties, "c") != nil || string(jsonrpc.Find(members, "description")) != `"d"` {
				t.Fatalf("%s became %s", definition, got)
			}
		}
		if a := []byte(arguments); jsonrpc.Valid(a) && a[0] == '{' {
			got, _ := o.Arguments(a)
			members, err := jsonrpc.ParseObject(nil, got)
			if err != nil || string(jsonrpc.Find(members, "a")) != "[1]" || jsonrpc.Find(members, "b") == nil || jsonrpc.Find(members, "c") != nil {
				t.Fatalf("%s became %s, %v", arguments, got, err)
			}
		}
	})
}
