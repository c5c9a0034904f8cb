package aggregator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/aggregator/overrides"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const searchTool = `{"name":"search","description":"Old.","inputSchema":{"type":"object","properties":{"org":{"type":"string"},"limit":{"type":"integer","maximum":50},` +
	`"q":{"type":"string"},"debug":{"type":"boolean"}},"required":["org","q"],"additionalProperties":false}}`

// searchOverride is one of all sorts.
func searchOverride() *overrides.Override {
	description := "New."
	return &overrides.Override{
		Name: "find", Description: &description,
		Fixed: []overrides.Argument{{Name: "org", Value: []byte(`"acme"`)}}, Default: []overrides.Argument{{Name: "limit", Value: []byte(`20`)}},
		Hide: []string{"debug"},
	}
}

func searchScript(version string) upstreamtest.Script {
	return upstreamtest.Script{
		Versions: []string{version}, Tools: raws(searchTool, `{"name":"other","inputSchema":{"type":"object"}}`),
		Rules: []upstreamtest.Rule{{On: "tools/call", Do: []upstreamtest.Step{{Reply: raw(`{"content":[{"type":"text","text":"ok"}]}`)}}}},
	}
}

// argumentsSent are those of the calls that a server got, with the tool's name.
func argumentsSent(t *testing.T, server *upstreamtest.Server) (sent []string) {
	t.Helper()
	for _, r := range server.Received("tools/call") {
		var m jsonrpc.Message
		if err := m.Parse(r.Message); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, string(jsonrpc.Find(m.Fields, "name"))+string(jsonrpc.Find(m.Fields, "arguments")))
	}
	return sent
}

// mixtures runs f for each mixture of eras of host and server.
func mixtures(t *testing.T, f func(t *testing.T, host era, serverVersion string)) {
	t.Helper()
	for _, host := range []era{legacy, modern} {
		for _, server := range []era{legacy, modern} {
			t.Run(fmt.Sprintf("%v host, %v server", host, server), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { f(t, host, server.versions()[0]) })
			})
		}
	}
}

func single(t *testing.T, what string, got []string) string {
	t.Helper()
	if len(got) != 1 {
		t.Fatalf("%s: got %q, want one message", what, got)
	}
	return got[0]
}

func TestOverride(t *testing.T) {
	mixtures(t, func(t *testing.T, e era, version string) {
		server := upstreamtest.New(searchScript(version))
		cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
		cfg.Servers[0].Overrides = map[string]*overrides.Override{"search": searchOverride()}
		_, h := start(t, cfg)
		h.send(e.open()...)
		list := single(t, "list", h.send(e.request("0", "tools/list", "", "")))
		if want := `{"name":"up__find","description":"New.","inputSchema":{"type":"object","properties":{"limit":{"type":"integer","maximum":50,"default":20},` +
			`"q":{"type":"string"}},"required":["q"],"additionalProperties":false}}`; !strings.Contains(list, want) || strings.Contains(list, "search") {
			t.Errorf("list: got %s, want %s in it", list, want)
		}
		for i, call := range []string{
			e.call("1", "up__find", `{ "q" : "\u0041" }`),
			e.call("2", "find", `{"limit":5.0,"q":"a","org":"acme"}`),
			e.call("3", "mcp_up__find", `{}`),
			e.request("4", "tools/call", `"name":"up__find"`, ""),
		} {
			if got := single(t, call, h.send(call)); !strings.Contains(got, `"ok"`) {
				t.Errorf("call %d: got %s", i, got)
			}
		}
		want(t, "sent", argumentsSent(t, server),
			`"search"{ "q" : "\u0041","org":"acme","limit":20 }`,
			`"search"{"limit":5.0,"q":"a","org":"acme"}`,
			`"search"{"org":"acme","limit":20}`,
			`"search"{"org":"acme","limit":20}`)

		for _, name := range []string{"up__search", "search", "mcp_up__search"} {
			want(t, "by its old name", h.send(e.call("5", name, `{"q":"a"}`)), noTool("5", name))
		}
		for _, arguments := range []string{`{"org":"evil","q":"a"}`, `{"debug":true}`, `{"\u006frg":"evil"}`} {
			got := single(t, arguments, h.send(e.call("6", "up__find", arguments)))
			if !strings.Contains(got, `"isError":true`) || !strings.Contains(got, `"kind":"validation"`) || !strings.Contains(got, "cannot be given") {
				t.Errorf("%s: got %s", arguments, got)
			}
		}
		for _, arguments := range []string{`{"q":"a","q":"b"}`, `{"q":{"x":[{"y":1,"\u0079":2}]}}`} {
			got := single(t, arguments, h.send(e.call("7", "up__find", arguments)))
			if !strings.Contains(got, `"code":-32600`) || !strings.Contains(got, "stands twice in arguments") {
				t.Errorf("%s: got %s", arguments, got)
			}
		}
		if n := len(server.Received("tools/call")); n != 4 {
			t.Errorf("server got %d calls, want 4", n)
		}
		// Where nobody looks they pass.
		h.send(e.call("8", "up__other", `{"q":"a","q":"b"}`))
		if sent := argumentsSent(t, server); sent[len(sent)-1] != `"other"{"q":"a","q":"b"}` {
			t.Errorf("sent %q", sent)
		}
	})
}

// TestPolicyJudgesWhatIsSent: a condition sees fixed and default arguments, not
// what the host wrote.
func TestPolicyJudgesWhatIsSent(t *testing.T) {
	up, when, tool := "up", `args.org != "acme" || args.limit > 20`, "search"
	p, err := policy.Compile(policy.Config{
		Default: level(policy.Execute), Rules: []policy.Rule{{Server: &up, Tool: &tool, Level: level(policy.Deny), When: &when}},
	}, policy.Servers{})
	if err != nil {
		t.Fatal(err)
	}
	mixtures(t, func(t *testing.T, e era, version string) {
		server := upstreamtest.New(searchScript(version))
		cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
		cfg.Servers[0].Overrides = map[string]*overrides.Override{"search": searchOverride()}
		cfg.Policy = p
		_, h := start(t, cfg)
		h.send(e.open()...)
		h.send(e.request("0", "tools/list", "", ""))
		for arguments, wanted := range map[string]string{
			`{"q":"a"}`:                         `"ok"`,
			`{"q":"a","limit":20}`:              `"ok"`,
			`{"q":"a","limit":21}`:              `"kind":"authorization"`,
			`{"q":"a","limit":21,"org":"acme"}`: `"kind":"authorization"`,
			`{"q":"a","org":"evil"}`:            `"kind":"validation"`, // judged with the fixed one, and not sent all the same
		} {
			if got := single(t, arguments, h.send(e.call("1", "up__find", arguments))); !strings.Contains(got, wanted) {
				t.Errorf("%s: got %s, want %s", arguments, got, wanted)
			}
		}
		// The policy looks at the arguments of this server: they have one reading.
		if got := single(t, "twice", h.send(e.call("2", "up__other", `{"a":1,"a":2}`))); !strings.Contains(got, `"code":-32600`) {
			t.Errorf("twice: got %s", got)
		}
		sent := argumentsSent(t, server)
		slices.Sort(sent)
		want(t, "sent", sent, `"search"{"q":"a","limit":20,"org":"acme"}`, `"search"{"q":"a","org":"acme","limit":20}`)
	})
}

// TestDeniedStaysUnknown: neither overrides nor arguments that are wrong tell that
// there is a tool.
func TestDeniedStaysUnknown(t *testing.T) {
	up, when, tool := "up", `args.x == 1`, "search"
	p, err := policy.Compile(policy.Config{Default: level(policy.Execute), Rules: []policy.Rule{
		{Server: &up, Tool: &tool, Level: level(policy.Deny)}, {Server: &up, Level: level(policy.Deny), When: &when},
	}}, policy.Servers{})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(searchScript(upstreamtest.Legacy))
		cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
		cfg.Servers[0].Overrides = map[string]*overrides.Override{"search": searchOverride()}
		cfg.Servers[0].Validate = true
		cfg.Policy = p
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		h.send(legacy.request("0", "tools/list", "", ""))
		for _, arguments := range []string{`{}`, `{"org":"evil"}`, `{"debug":1}`, `{"a":1,"a":2}`, `[]`, `{"limit":"x"}`} {
			want(t, arguments, h.send(legacy.call("1", "up__find", arguments)), noTool("1", "up__find"))
		}
	})
}

func TestValidate(t *testing.T) {
	mixtures(t, func(t *testing.T, e era, version string) {
		script := searchScript(version)
		script.Tools = append(script.Tools, raw(`{"name":"odd","inputSchema":{"type":"object","properties":{"a":{"pattern":"(?=x)"}}}}`), raw(`{"name":"none"}`))
		server := upstreamtest.New(script)
		cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
		cfg.Servers[0].Validate = true
		_, h := start(t, cfg)
		h.send(e.open()...)
		h.send(e.request("0", "tools/list", "", ""))
		got := single(t, "wrong", h.send(e.call("1", "up__search", `{"limit":51,"q":9007199254740993,"x":1}`)))
		const text = `"text":"Tool \"search\" of server \"up\" was not called, its arguments are wrong:\n- \"org\" is missing\n- \"limit\" must be at most 50\n` +
			`- \"q\" must be a string, not an integer\n- \"x\" is not known (known: org, limit, q, debug)"`
		const data = `"weir/error":{"kind":"validation","server":"up","tool":"search","retryable":false}`
		if !strings.Contains(got, text) || !strings.Contains(got, `"isError":true`) || !strings.Contains(got, data) {
			t.Errorf("wrong: got %s\nwant %s and %s", got, text, data)
		}
		for id, call := range []string{
			e.call("2", "up__search", `{"org":"a","q":"b","limit":5.0}`),
			e.call("2", "up__odd", `{"a":1}`),
			e.call("2", "up__none", `{"a":1}`),
			e.request("2", "tools/call", `"name":"up__other"`, ""),
		} {
			if got := single(t, call, h.send(call)); !strings.Contains(got, `"ok"`) {
				t.Errorf("good call %d: got %s", id, got)
			}
		}
		if n := len(server.Received("tools/call")); n != 4 {
			t.Errorf("server got %d calls, want 4", n)
		}
	})
}

// TestValidateWithOverride: what is checked is what is sent.
func TestValidateWithOverride(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(searchScript(upstreamtest.Legacy))
		cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
		cfg.Servers[0].Overrides = map[string]*overrides.Override{"search": searchOverride()}
		cfg.Servers[0].Validate = true
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		h.send(legacy.request("0", "tools/list", "", ""))
		if got := single(t, "good", h.send(legacy.call("1", "up__find", `{"q":"a"}`))); !strings.Contains(got, `"ok"`) {
			t.Errorf("good: got %s", got)
		}
		got := single(t, "wrong", h.send(legacy.call("1", "up__find", `{"limit":"x"}`)))
		if !strings.Contains(got, `Tool \"find\" of`) || !strings.Contains(got, `\"q\" is missing`) || !strings.Contains(got, `\"limit\" must be an integer`) || strings.Contains(got, "org") {
			t.Errorf("wrong: got %s", got)
		}
	})
}

// TestSchemasAreKept: a schema is made once for each definition.
func TestSchemasAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(searchScript(upstreamtest.Legacy))
		a, h := start(t, config(t, map[string]*upstreamtest.Server{"up": server}, "up"))
		h.send(legacy.open()...)
		h.send(legacy.request("0", "tools/list", "", ""))
		look := func() bool {
			_, fresh, err := a.schemas.of(a.view.Load().tool("up__search"))
			if err != nil {
				t.Error(err)
			}
			return fresh
		}
		if !look() || look() {
			t.Error("the schema is not made once")
		}
		server.SetTools(raw(strings.Replace(searchTool, "50", "60", 1)))
		pass(time.Second)
		if !look() || look() {
			t.Error("the schema of the new definition is not made once")
		}
	})
}
