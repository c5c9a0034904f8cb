package aggregator

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestUnheard: a request by a name of a server that has never listed waits for that
// server as any other does, and fails as any other.
func TestUnheard(t *testing.T) {
	slow := func(names ...string) *upstreamtest.Server {
		script := withTools(names...)
		script.Capabilities = []byte(`{"tools":{},"prompts":{}}`)
		script.Rules = []upstreamtest.Rule{
			{On: "initialize", Do: []upstreamtest.Step{{Await: "ready"}, {Default: true}}},
			{On: "prompts/list", Do: []upstreamtest.Step{{Reply: []byte(`{"prompts":[{"name":"p"}]}`)}}},
			{On: "prompts/get", Do: []upstreamtest.Step{{Reply: []byte(`{"messages":[]}`)}}},
		}
		return upstreamtest.New(script)
	}
	late := func(t *testing.T, e era, server *upstreamtest.Server, edit func(*Config)) *host {
		cfg := config(t, map[string]*upstreamtest.Server{"up": server, "other": upstreamtest.New(withTools("y"))}, "up", "other")
		if edit != nil {
			edit(&cfg)
		}
		_, h := start(t, cfg)
		h.send(e.open()...)
		first := h.send(e.request("0", "tools/list", "", ""))
		pass(DefaultPatience)
		if got := strings.Join(append(first, h.received()...), ""); strings.Contains(got, "up__x") || !strings.Contains(got, "y") {
			t.Fatalf("first list: got %s, want the other server's tool alone", got)
		}
		return h
	}
	for _, e := range []era{legacy, modern} {
		bubble(t, "server that is slow, "+e.String(), func(t *testing.T) {
			server := slow("x")
			h := late(t, e, server, nil)
			want(t, "before it is there", h.send(
				e.call("1", "up__x", "{}"), e.call("2", "up__z", "{}"), e.request("3", "prompts/get", `"name":"up__p"`, "")))
			server.Release("ready")
			pass(time.Second)
			got := strings.Join(h.received(), "\n")
			wantText(t, "answers", got, `"text":"x"`, "Unknown tool: up__z", `"messages":[]`)
		})
	}
	bubble(t, "server that is down", func(t *testing.T) {
		h := late(t, legacy, nil, nil)
		wantText(t, "call", strings.Join(h.send(legacy.call("1", "up__x", "{}")), ""),
			`"isError":true`, `Server \"up\": the server could not be reached`, `"kind":"connection","server":"up","tool":"x"`)
		wantText(t, "prompt", strings.Join(h.send(legacy.request("2", "prompts/get", `"name":"up__p"`, "")), ""),
			`"code":-32603`, `"kind":"connection","server":"up"`)
		wantText(t, "another server's name", strings.Join(h.send(legacy.call("3", "other__x", "{}")), ""), "Unknown tool: other__x")
		wantText(t, "nobody's name", strings.Join(h.send(legacy.call("4", "x", "{}")), ""), "Unknown tool: x")
	})
	bubble(t, "server that does not come", func(t *testing.T) {
		h := late(t, legacy, slow("x"), nil)
		want(t, "call", h.send(legacy.call("1", "up__x", "{}")))
		pass(time.Minute)
		wantText(t, "in the end", strings.Join(h.received(), ""), `"isError":true`, `was not ready within 30s`)
	})
	bubble(t, "what is not permitted is unknown at once", func(t *testing.T) {
		hidden, err := policy.ParseGlob("v")
		if err != nil {
			t.Fatal(err)
		}
		h := late(t, legacy, slow("x", "w"), func(c *Config) {
			c.Policy = policyOf(t, `{default: execute, rules: [{server: up, tool: w, level: deny}]}`)
			c.Servers[0].Tools = policy.Filters{{Exclude: []policy.Glob{hidden}}}
		})
		for _, name := range []string{"up__w", "up__v"} {
			wantText(t, name, strings.Join(h.send(legacy.call("1", name, "{}")), ""), "Unknown tool: "+name)
		}
	})
	bubble(t, "names without a prefix", func(t *testing.T) {
		server := slow("x")
		h := late(t, legacy, server, func(c *Config) { c.Servers[0].Prefix = "" })
		want(t, "call", h.send(legacy.call("1", "x", "{}")))
		server.Release("ready")
		pass(time.Second)
		wantText(t, "call", strings.Join(h.received(), ""), `"text":"x"`)
	})
	bubble(t, "cancelled while it waits", func(t *testing.T) {
		server := slow("x")
		h := late(t, legacy, server, nil)
		h.send(legacy.call("1", "up__x", "{}"))
		h.send(cancelled("1"))
		server.Release("ready")
		pass(time.Second)
		h.received()
		wantEqual(t, "calls", len(server.Received("tools/call")), 0)
	})
}
