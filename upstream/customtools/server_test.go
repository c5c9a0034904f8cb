package customtools

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

func TestEras(t *testing.T) {
	tool := command(t, "args", `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`, "{a}")
	tool.Title, tool.Annotations = "Run", []byte(`{"readOnlyHint":true}`)
	const definition = `{"name":"run","title":"Run","description":"Runs.","inputSchema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],` +
		`"additionalProperties":false},"annotations":{"readOnlyHint":true}}`
	const modern = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`
	const meta = `"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"weir-custom-tools","version":"1"}}`
	for name, dialog := range map[string][]string{
		"legacy": {
			`{"jsonrpc":"2.0","id":"a","method":"initialize","params":{"protocolVersion":"2024-11-05"}}`,
			`{"jsonrpc":"2.0","id":"a","result":{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},"serverInfo":{"name":"weir-custom-tools","version":"1"}}}`,
			`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`,
			`{"jsonrpc":"2.0","id":2,"result":{"tools":[` + definition + `]}}`,
			`{"jsonrpc":"2.0","id":3,"method":"ping"}`,
			`{"jsonrpc":"2.0","id":3,"result":{}}`,
			`{"jsonrpc":"2.0","id":4,"method":"server/discover"}`,
			`{"jsonrpc":"2.0","id":4,"error":{"code":-32601,"message":"Method not found: server/discover"}}`,
			`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"x"}}`,
			`{"jsonrpc":"2.0","id":5,"error":{"code":-32602,"message":"Unknown tool: x"}}`,
			`{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"run","arguments":{}}}`,
			`{"jsonrpc":"2.0","id":6,"result":{"content":[{"type":"text","text":"Tool \"run\" was not run: the arguments do not fit the tool's input schema:\n- \"a\" is missing"}],` +
				`"isError":true,"_meta":{"weir/error":{"kind":"validation","server":"tools","tool":"run","retryable":false}}}}`,
		},
		"modern": {
			`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + modern + `}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"capabilities":{"tools":{}},` +
				`"resultType":"complete","ttlMs":86400000,"cacheScope":"private",` + meta + `}}`,
			`{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{` + modern + `}}`,
			`{"jsonrpc":"2.0","id":2,"result":{"tools":[` + definition + `],"resultType":"complete","ttlMs":86400000,"cacheScope":"private",` + meta + `}}`,
			`{"jsonrpc":"2.0","id":3,"method":"ping","params":{` + modern + `}}`,
			`{"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"Method not found: ping"}}`,
			`{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"run","arguments":{"a":1},` + modern + `}}`,
			`{"jsonrpc":"2.0","id":6,"result":{"content":[{"type":"text","text":"Tool \"run\" was not run: the arguments do not fit the tool's input schema:\n- \"a\" must be a string, not an integer"}],` +
				`"isError":true,"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"weir-custom-tools","version":"1"},` +
				`"weir/error":{"kind":"validation","server":"tools","tool":"run","retryable":false}}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := dial(t, tool)
				for i := 0; i < len(dialog); i += 2 {
					c.send("%s", dialog[i])
					if got := c.receive(); got != dialog[i+1] {
						t.Errorf("sent %s\n got %s\nwant %s", dialog[i], got, dialog[i+1])
					}
				}
			})
		})
	}
}

func TestTemplates(t *testing.T) {
	expand := func(text string) (string, error) {
		if strings.Contains(text, "${BAD}") {
			return "", errors.New("not set")
		}
		return strings.NewReplacer("$${", "${", "${V}", "{a}").Replace(text), nil
	}
	for text, want := range map[string]string{
		"":                  "",
		"x":                 "x",
		"{a}":               "<A>",
		"x{a}y{a}":          "x<A>y<A>",
		"{{a}}":             "{a}",
		"{{{a}}}":           "{<A>}",
		"${V}":              "{a}", // what a reference is replaced by is no template
		"x${V}{a}":          "x{a}<A>",
		"$${V}{a}":          "${V}<A>",
		"$x{a}":             "$x<A>",
		"{":                 "error",
		"}":                 "error",
		"{}":                "error",
		"{a":                "error",
		"{a }":              "error",
		"{print $1}":        "error",
		"{a...}":            "error",
		"${BAD}":            "error",
		"{x.y-z_1}":         "<X>",
		"awk {{print $1}} ": "awk {print $1} ",
	} {
		parsed, err := ParseTemplate(text, expand)
		got := "error"
		if err == nil {
			args := &arguments{input: inputOf(t, `{"type":"object","properties":{"a":{"default":"<A>"},"x.y-z_1":{"default":"<X>"}}}`)}
			if got, _, err = parsed.fill(args, asItIs); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestElements(t *testing.T) {
	for text, want := range map[string]string{"{a...}": "a", "{a}": "", "x{a...}": "error", "{a...}{b...}": "error", "{...}": "error"} {
		e, err := ParseElement(text, nil)
		got := e.Spread()
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
