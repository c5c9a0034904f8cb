package catalog

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func TestParseItem(t *testing.T) {
	tests := []struct {
		raw  string
		name string
		err  string // a part of it; "" = none
	}{
		{raw: `{"name":"read"}`, name: "read"},
		{raw: " {\n\"inputSchema\":{\"name\":1}, \"n\\u0061me\" : \"caf\\u00e9\" }\n", name: "café"},
		{raw: `{"name":""}`, name: ""},
		{raw: `{"Name":1,"name":"read","NAME":"write"}`, name: "read"},
		{raw: `{"title":"x"}`, err: `no member "name"`},
		{raw: `{"name":7}`, err: "not a JSON string"},
		{raw: `{"name":null}`, err: "not a JSON string"},
		{raw: `{"name":"a","x":1,"name":"b"}`, err: `two members "name"`},
		{raw: `{"name":"a","\u006eame":"a"}`, err: `two members "name"`},
		{raw: `["name","a"]`, err: "want an object"},
		{raw: `"name"`, err: "want an object"},
		{raw: `{"name":"a"`, err: "invalid JSON"},
		{raw: "{\"name\":\"\xff\"}", err: "not UTF-8"},
		{raw: ``, err: "want an object"},
	}
	for _, test := range tests {
		got, err := ParseItem(Tools, []byte(test.raw))
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: got error %v, want one with %q", test.raw, err, test.err)
			}
			continue
		}
		if err != nil || got.Name() != test.name || string(got.Raw()) != test.raw {
			t.Errorf("%s: got name %q, raw %s, error %v, want name %q", test.raw, got.Name(), got.Raw(), err, test.name)
		}
	}
}

func TestParseItemOfEachKind(t *testing.T) {
	const raw = `{"name":"a","uri":"b","uriTemplate":"c"}`
	for k, want := range map[Kind]string{Tools: "a", Prompts: "a", Resources: "b", Templates: "c"} {
		if got, err := ParseItem(k, []byte(raw)); err != nil || got.Name() != want {
			t.Errorf("%s: got name %q, error %v, want name %q", k, got.Name(), err, want)
		}
		if _, err := ParseItem(k, []byte(`{"title":"x"}`)); err == nil {
			t.Errorf("%s: got no error for one without a name", k)
		}
	}
}

// FuzzParseItem: a definition that was taken over reaches the host with another
// name, and not one other byte changed.
func FuzzParseItem(f *testing.F) {
	f.Add(`{"name":"read"}`, "files__read")
	f.Add("{\"x\":{\"name\":\"y\"},\n\"n\\u0061me\" :\t\"a\\\"b\" ,\"z\":1e99}", "")
	f.Add(`{"name":"a","NAME":"b","description":"name"}`, `"`)
	f.Fuzz(func(t *testing.T, raw, exposed string) {
		before, err := ParseItem(Tools, []byte(raw))
		if err != nil {
			return
		}
		// Names that hosts see are legal; quoting must hold with any.
		definition := (&Route{Exposed: exposed, Item: before}).AppendDefinition(nil, Shape{})
		after, err := ParseItem(Tools, definition)
		if err != nil {
			t.Fatalf("%s became %s: %v", raw, definition, err)
		}
		if utf8.ValidString(exposed) && after.Name() != exposed {
			t.Errorf("got name %q, want %q", after.Name(), exposed)
		}
		back := jsonrpc.Splice(nil, definition, jsonrpc.Edit{
			At:   definition[after.nameAt:after.nameEnd],
			With: before.raw[before.nameAt:before.nameEnd],
		})
		if string(back) != raw {
			t.Errorf("with its own name: got %s, want %s", back, raw)
		}
	})
}
