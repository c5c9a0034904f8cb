package aggregator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// This file is what users of other gateways complain of where something was
// without bounds, or bounded for all where one was at fault.

// TestVeryLargeList: elsewhere a server with a very large list hangs for ever.
func TestVeryLargeList(t *testing.T) {
	bubble(t, "20,000 tools", func(t *testing.T) {
		script := echoScript()
		for i := range 20_000 {
			script.Tools = append(script.Tools, raw(fmt.Sprintf(`{"name":"t%d","description":%q,"inputSchema":{"type":"object"}}`, i, strings.Repeat("long ", 80))))
		}
		_, h := one(t, script)
		h.send(legacy.open()...)
		got := h.send(legacy.request("1", "tools/list", "", ""))
		if len(got) != 1 || strings.Count(got[0], `"name":"up__t`) != 20_000 {
			t.Errorf("got %d answers, want one with all tools", len(got))
		}
		want(t, "a call", h.send(legacy.call("2", "up__echo", "{}")), done("2"))
	})
}

// TestBrokenServersLeaveTheOthers: elsewhere one broken server empties the list of
// all, or ends the session.
func TestBrokenServersLeaveTheOthers(t *testing.T) {
	bubble(t, "each in its way", func(t *testing.T) {
		broken := map[string][]upstreamtest.Rule{
			"refuses":  {{On: "initialize", Do: []upstreamtest.Step{{Error: raw(`{"code":-32603,"message":"no"}`)}}}},
			"dies":     {{On: "tools/list", Do: []upstreamtest.Step{{Exit: true}}}},
			"silent":   {{On: "initialize"}},
			"mute":     {{On: "tools/list"}},
			"babbles":  {{On: "tools/list", Do: []upstreamtest.Step{{Text: strings.Repeat("no JSON\n", 100)}, {Reply: raw(`{"tools":7}`)}}}},
			"circles":  {{On: "tools/list", Do: []upstreamtest.Step{{Reply: raw(`{"tools":[],"nextCursor":"again"}`)}}}},
			"endless":  {{On: "tools/list", Do: []upstreamtest.Step{{Reply: raw(`{"tools":[],"nextCursor":"$id"}`)}}}},
			"no error": {{On: "tools/list", Do: []upstreamtest.Step{{Error: raw(`{"code":1}`)}}}},
		}
		servers, names := map[string]*upstreamtest.Server{}, []string{}
		for name, rules := range broken {
			servers[name] = upstreamtest.New(upstreamtest.Script{Tools: raws(string(upstreamtest.Tool("x"))), Rules: rules})
			names = append(names, name)
		}
		servers["well"], servers["gone"] = upstreamtest.New(echoScript()), nil
		_, h := start(t, config(t, servers, append(names, "gone", "well")...))
		h.send(legacy.open()...)
		h.send(legacy.request("1", "tools/list", "", ""))
		pass(DefaultPatience)
		got := h.received()
		if len(got) != 1 || strings.Count(got[0], `"name":`) != 1 || !strings.Contains(got[0], `"well__echo"`) {
			t.Errorf("got %.300q, want the one list there is", got)
		}
		want(t, "a call", h.send(legacy.call("2", "well__echo", "{}")), done("2"))
	})
}

// TestSlowServersAreListedAtOnce: elsewhere they are asked one after the other, and
// hosts have given up by then.
func TestSlowServersAreListedAtOnce(t *testing.T) {
	bubble(t, "twenty of two seconds", func(t *testing.T) {
		servers, names := map[string]*upstreamtest.Server{}, []string{}
		for i := range 20 {
			script := echoScript()
			script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/list", Do: []upstreamtest.Step{{Delay: upstreamtest.Duration(2 * time.Second)}, {Default: true}}})
			names = append(names, fmt.Sprint("s", i))
			servers[names[i]] = upstreamtest.New(script)
		}
		_, h := start(t, config(t, servers, names...))
		h.send(legacy.open()...)
		want(t, "at once", h.send(legacy.request("1", "tools/list", "", "")))
		pass(2 * time.Second)
		if got := h.received(); len(got) != 1 || strings.Count(got[0], `__echo"`) != 20 {
			t.Errorf("got %.300q after two seconds, want all tools", got)
		}
	})
}

// TestOwnToolsAreBounded: elsewhere the gateway's own tools return what fills the
// model's context, exempt from its own limits.
func TestOwnToolsAreBounded(t *testing.T) {
	bubble(t, "weir__servers of servers that say much", func(t *testing.T) {
		loud := upstreamtest.Script{Rules: []upstreamtest.Rule{{On: "initialize", Do: []upstreamtest.Step{
			{Error: raw(`{"code":-32603,"message":"$fill"}`)},
		}}}}
		loud.Rules[0].Do[0].Fill = 64 << 10
		servers, names := map[string]*upstreamtest.Server{}, []string{}
		for i := range 20 {
			names = append(names, fmt.Sprint("s", i))
			servers[names[i]] = upstreamtest.New(loud)
		}
		cfg := config(t, servers, names...)
		cfg.Policy = policyOf(t, `{default: execute, rules: [{server: weir, level: execute}]}`)
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		h.send(legacy.request("1", "tools/list", "", ""))
		pass(DefaultPatience)
		h.received()
		got := h.send(legacy.call("2", "weir__servers", "{}"))
		if len(got) != 1 || !strings.Contains(got[0], "s19") || len(got[0]) > 32<<10 {
			t.Errorf("got %d answers of %d bytes: %.600q", len(got), len(strings.Join(got, "")), got)
		}
	})
}
