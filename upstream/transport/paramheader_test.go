package transport

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mark3labs/mcp-go/mcp"
)

const regionSchema = `{"type":"object","properties":{
	"region":{"type":"string","x-mcp-header":"Region"},
	"count":{"x-mcp-header":"Count","type":"integer"},
	"dry":{"type":["boolean","null"],"x-mcp-header":"Dry-Run"},
	"x-mcp-header":{"type":"string"},
	"where":{"type":"object","properties":{"zone":{"type":"string","x-mcp-header":"Zone"}}},
	"plain":{"type":"string","default":{"x-mcp-header":"data"},"examples":[{"x-mcp-header":"data"}]}}}`

func TestParamHeaders(t *testing.T) {
	tests := []struct {
		name, arguments string
		want            http.Header
	}{
		{"none", `{}`, nil},
		{"no object", `[]`, nil},
		{"no JSON", `{"region":`, nil},
		{"absent arguments", ``, nil},
		{"string", `{"region":"eu-1"}`, http.Header{"Mcp-Param-Region": {"eu-1"}}},
		{"empty string", `{"region":""}`, http.Header{"Mcp-Param-Region": {""}}},
		{"escaped string", `{"region":"a\u0062\/c"}`, http.Header{"Mcp-Param-Region": {"ab/c"}}},
		{"not ASCII", `{"region":"köln"}`, http.Header{"Mcp-Param-Region": {"=?base64?a8O2bG4=?="}}},
		{"line end", `{"region":"a\r\nX-Evil: 1"}`, http.Header{"Mcp-Param-Region": {"=?base64?YQ0KWC1FdmlsOiAx?="}}},
		{"null", `{"region":null,"count":null}`, nil},
		{"integer", `{"count":-12}`, http.Header{"Mcp-Param-Count": {"-12"}}},
		{"long integer", `{"count":12345678901234567890123}`, http.Header{"Mcp-Param-Count": {"12345678901234567890123"}}},
		{"integer with a fraction of zero", `{"count":1.0}`, http.Header{"Mcp-Param-Count": {"1"}}},
		{"integer with an exponent", `{"count":1.5e3}`, http.Header{"Mcp-Param-Count": {"1500"}}},
		{"no integer", `{"count":1.5}`, nil},
		{"number out of range", `{"count":1e999}`, nil},
		{"booleans", `{"dry":false}`, http.Header{"Mcp-Param-Dry-Run": {"false"}}},
		{"object for a string", `{"region":{"a":1}}`, nil},
		{"nested", `{"where":{"zone":"b","region":"c"}}`, http.Header{"Mcp-Param-Zone": {"b"}}},
		{"nested in no object", `{"where":"zone"}`, nil},
		{"twice", `{"region":"a","region":"b"}`, http.Header{"Mcp-Param-Region": {"b"}}},
		{"other case", `{"Region":"a"}`, nil},
		{
			"all", `{"dry":true,"region":"r","count":1,"plain":"p"}`,
			http.Header{"Mcp-Param-Region": {"r"}, "Mcp-Param-Count": {"1"}, "Mcp-Param-Dry-Run": {"true"}},
		},
	}
	params, err := ParseParamHeaders([]byte(regionSchema))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, params.Header([]byte(tt.arguments))); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParamHeaderRules(t *testing.T) {
	property := func(schema string) string { return `{"properties":{"a":` + schema + `}}` }
	const good = `{"type":"string","x-mcp-header":"A"}`
	tests := []struct {
		name, schema, want string // want is part of the error; "" for none
	}{
		{"good", property(good), ""},
		{"nothing", `{"type":"object"}`, ""},
		{"no JSON, no annotation", `{`, ""},
		{"the word in a text", property(`{"type":"string","description":"see x-mcp-header"}`), ""},
		{"no JSON", `{"x-mcp-header"`, "reading schema"},
		{"no object", `["x-mcp-header", {"a":"x-mcp-header"}]`, "want an object"},
		{"empty", property(`{"type":"string","x-mcp-header":""}`), `property "a": x-mcp-header must be`},
		{"no string", property(`{"type":"string","x-mcp-header":1}`), "must be an HTTP header name"},
		{"no token", property(`{"type":"string","x-mcp-header":"a b"}`), "must be an HTTP header name"},
		{"line end", property(`{"type":"string","x-mcp-header":"a\r\nb"}`), "must be an HTTP header name"},
		{"not ASCII", property(`{"type":"string","x-mcp-header":"ä"}`), "must be an HTTP header name"},
		{"number", property(`{"type":"number","x-mcp-header":"A"}`), "needs the type"},
		{"object", property(`{"type":"object","x-mcp-header":"A"}`), "needs the type"},
		{"no type", property(`{"x-mcp-header":"A"}`), "needs the type"},
		{"only null", property(`{"type":["null"],"x-mcp-header":"A"}`), "needs the type"},
		{"a number among them", property(`{"type":["string","number"],"x-mcp-header":"A"}`), "needs the type"},
		{"twice", `{"properties":{"a":` + good + `,"b":{"type":"string","x-mcp-header":"a"}}}`, `property "b": x-mcp-header "a" stands on another`},
		{"twice in depth", `{"properties":{"a":` + good + `,"b":{"properties":{"c":` + good + `}}}}`, `property "b.c"`},
		{"repeated member", property(`{"type":"string","x-mcp-header":"A","x-mcp-header":"B"}`), `"x-mcp-header" stands twice`},
		{"root", `{"type":"string","x-mcp-header":"A"}`, "cannot be reached"},
		{"items", property(`{"type":"array","items":` + good + `}`), "cannot be reached"},
		{"prefixItems", property(`{"type":"array","prefixItems":[` + good + `]}`), "cannot be reached"},
		{"anyOf", property(`{"anyOf":[{"type":"null"},` + good + `]}`), "cannot be reached"},
		{"properties in anyOf", `{"anyOf":[` + property(good) + `]}`, "cannot be reached"},
		{"then", `{"then":` + property(good) + `}`, "cannot be reached"},
		{"not", property(`{"not":` + good + `}`), "cannot be reached"},
		{"$defs", `{"$defs":{"a":` + good + `},"properties":{"a":{"$ref":"#/$defs/a"}}}`, "cannot be reached"},
		{"patternProperties", `{"patternProperties":{"properties":` + good + `}}`, "cannot be reached"},
		{"additionalProperties", `{"additionalProperties":` + good + `}`, "cannot be reached"},
		{"unknown keyword", `{"x-more":{"deep":[[` + good + `]]}}`, "cannot be reached"},
		{"deep", strings.Repeat(`{"properties":{"a":`, 70) + good + strings.Repeat(`}}`, 70), "nest more than 64 deep"},
		{"deep arrays", `{"oneOf":` + strings.Repeat(`[`, 9000) + good + strings.Repeat(`]`, 9000) + `}`, "nest more than 64 deep"},
		{"properties is no object", `{"properties":["x-mcp-header"]}`, "want an object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			params, err := ParseParamHeaders([]byte(tt.schema))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got error %v, want none", err)
			case tt.want != "" && err == nil:
				t.Errorf("got no error, want one with %q", tt.want)
			case tt.want != "" && !strings.Contains(err.Error(), tt.want):
				t.Errorf("got error %v, want one with %q", err, tt.want)
			case err != nil && params != nil:
				t.Error("got params beside an error")
			}
		})
	}
}

// A tool without an annotation costs no parsing and no headers.
func TestNoParamHeaders(t *testing.T) {
	params, err := ParseParamHeaders([]byte(`{"type":"object","properties":{"a":{"type":"string"}}}`))
	if params != nil || err != nil {
		t.Errorf("got %v, %v, want nil, nil", params, err)
	}
	if got := params.Header([]byte(`{"a":"b"}`)); got != nil {
		t.Errorf("got %v, want nil", got)
	}
}

// An independent server accepts what is sent.
func TestParamHeadersAgainstPeer(t *testing.T) {
	schema := strings.Replace(regionSchema, `["boolean","null"]`, `"boolean"`, 1)
	params, err := ParseParamHeaders([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	tool := &mcp.Tool{Name: "t", RawInputSchema: json.RawMessage(schema)}
	for _, arguments := range []string{
		`{}`, `{"region":" a","count":3,"dry":true}`, `{"region":"=?base64?eA==?=","where":{"zone":"\t"}}`, `{"region":"","count":-1.0}`,
		`{"region":"日本","count":null}`, `{"region":"a\tb"}`,
	} {
		header := params.Header([]byte(arguments))
		lookup := func(name string) (string, bool) { return header.Get(name), len(header.Values(name)) > 0 }
		call := json.RawMessage(`{"name":"t","arguments":` + arguments + `}`)
		if err := mcp.ValidateParamHeadersLookup(lookup, tool, call); err != nil {
			t.Errorf("arguments %s: peer refuses: %v", arguments, err)
		}
	}
}

func FuzzHeaderEncoding(f *testing.F) {
	for _, text := range []string{"", "plain", " a", "a\t", "=?base64?eA==?=", "=?base64??=", "=?base64?=", "\x00", "ü", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		encoded := encodeHeader(text)
		for _, c := range []byte(encoded) {
			if c != '\t' && (c < ' ' || c > '~') {
				t.Fatalf("encoding %q: got byte %#x in a header", text, c)
			}
		}
		if decoded, ok := mcp.DecodeHeaderValue(encoded); !ok || decoded != text {
			t.Errorf("decoding %q: got %q, %v, want %q", encoded, decoded, ok, text)
		}
	})
}

func FuzzParamHeaders(f *testing.F) {
	f.Add([]byte(regionSchema), []byte(`{"region":"a","count":1e2,"where":{"zone":"z"}}`))
	f.Add([]byte(`{"properties":{"a":{"items":[{"x-mcp-header":"A"}]}}}`), []byte(`{"a":[1]}`))
	f.Fuzz(func(t *testing.T, schema, arguments []byte) {
		params, err := ParseParamHeaders(schema)
		if err != nil {
			return
		}
		for name, values := range params.Header(arguments) {
			if !strings.HasPrefix(name, paramPrefix) || !isToken(name) || !isPlain(values[0]) && !strings.HasPrefix(values[0], sentinelStart) {
				t.Errorf("schema %s, arguments %s: got header %q: %q", schema, arguments, name, values)
			}
		}
	})
}
