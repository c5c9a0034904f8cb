package aggregator

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const changed = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`

func definition(name string) string {
	return strings.Replace(string(upstreamtest.Tool("x")), `"x"`, `"`+name+`"`, 1)
}

func list(id string, names ...string) string {
	definitions := make([]string, len(names))
	for i, name := range names {
		definitions[i] = definition(name)
	}
	return result(id, `"tools":[`+strings.Join(definitions, ",")+`]`)
}

// withTools is a server that lists these, once it is let if gated.
func withTools(names ...string) upstreamtest.Script {
	var s upstreamtest.Script
	for _, name := range names {
		s.Tools = append(s.Tools, upstreamtest.Tool(name))
	}
	return s
}

func gated(s upstreamtest.Script) upstreamtest.Script {
	s.Rules = append(s.Rules, upstreamtest.Rule{On: "tools/list", Do: []upstreamtest.Step{{Await: "listed"}, {Default: true}}})
	return s
}

// TestFirstList: it waits for servers never listed before, but not for long, and
// not for one that fails.
func TestFirstList(t *testing.T) {
	request := legacy.request("1", "tools/list", "", "")
	bubble(t, "all at once, in the order of the configuration", func(t *testing.T) {
		b := upstreamtest.New(gated(withTools("y")))
		servers := map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x")), "b": b, "c": upstreamtest.New(withTools("z"))}
		_, h := start(t, config(t, servers, "c", "b", "a"))
		h.send(legacy.open()...)
		want(t, "before all have answered", h.send(request))
		b.Release("listed")
		want(t, "afterwards", h.received(), list("1", "c__z", "b__y", "a__x"))
	})
	bubble(t, "a late one is announced", func(t *testing.T) {
		late := upstreamtest.New(gated(withTools("y")))
		servers := map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x")), "b": late}
		_, h := start(t, config(t, servers, "a", "b"))
		h.send(legacy.open()...)
		began := time.Now()
		want(t, "at once", h.send(request))
		want(t, "in the end", []string{h.next()}, list("1", "a__x"))
		if took := time.Since(began); took != DefaultPatience {
			t.Errorf("first list took %v, want %v", took, DefaultPatience)
		}
		late.Release("listed")
		pass(time.Second)
		want(t, "pushed", h.received(), changed)
		want(t, "then", h.send(request), list("1", "a__x", "b__y"))
	})
	bubble(t, "nobody waits for one that fails", func(t *testing.T) {
		servers := map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x"))}
		_, h := start(t, config(t, servers, "a", "gone"))
		h.send(legacy.open()...)
		want(t, "list", h.send(request), list("1", "a__x"))
	})
	bubble(t, "call before the list", func(t *testing.T) {
		server := upstreamtest.New(gated(withTools("x")))
		_, h := start(t, config(t, map[string]*upstreamtest.Server{"a": server}, "a"))
		h.send(legacy.open()...)
		want(t, "before", h.send(legacy.call("1", "a__x", `{"n":1.0}`), legacy.call("2", "a__y", `{}`)))
		server.Release("listed")
		got := h.received()
		if len(got) == 2 && strings.Contains(got[0], `"id":2`) {
			got[0], got[1] = got[1], got[0]
		}
		want(t, "after", got, result("1", `"content":[{"type":"text","text":"x"}],"structuredContent":{"arguments":{"n":1.0}}`),
			noTool("2", "a__y"))
	})
	bubble(t, "ping does not decide the era", func(t *testing.T) {
		server := upstreamtest.New(withTools("x"))
		_, h := start(t, config(t, map[string]*upstreamtest.Server{"a": server}, "a"))
		h.send(`{"jsonrpc":"2.0","id":0,"method":"ping"}`)
		if got := server.Received("initialize"); len(got) > 0 {
			t.Errorf("got %s before the host's era is known, want nothing", got[0].Message)
		}
		h.send(strings.Replace(initialize, "2025-11-25", "2025-06-18", 1))
		got := server.Received("initialize")
		if len(got) != 1 || !strings.Contains(string(got[0].Message), `"protocolVersion":"2025-06-18"`) {
			t.Errorf("server got %q, want the host's revision 2025-06-18", got)
		}
	})
}

// TestChanges: a change is pushed if this host sees it, once for several.
func TestChanges(t *testing.T) {
	begin := func(t *testing.T) (*upstreamtest.Server, *host) {
		server := upstreamtest.New(withTools("x"))
		cfg := config(t, map[string]*upstreamtest.Server{"a": server}, "a")
		cfg.Servers[0].Tools = policy.Filters{{Exclude: globs(t, "hidden*")}}
		_, h := start(t, cfg)
		return server, h
	}
	after := func(h *host) []string {
		pass(time.Second)
		return h.received()
	}
	bubble(t, "legacy host", func(t *testing.T) {
		server, h := begin(t)
		h.send(legacy.open()...)
		h.send(legacy.request("1", "tools/list", "", ""))
		server.SetTools(upstreamtest.Tool("x"), upstreamtest.Tool("y"))
		server.SetTools(upstreamtest.Tool("x"), upstreamtest.Tool("z"))
		want(t, "two changes", after(h), changed)
		want(t, "list", h.send(legacy.request("2", "tools/list", "", "")), list("2", "a__x", "a__z"))
		server.SetTools(upstreamtest.Tool("x"), upstreamtest.Tool("z"))
		want(t, "no change", after(h))
		server.SetTools(upstreamtest.Tool("x"), upstreamtest.Tool("hidden"), upstreamtest.Tool("z"))
		want(t, "a change that this host does not see", after(h))
	})
	bubble(t, "legacy host that is not ready", func(t *testing.T) {
		server, h := begin(t)
		h.send(initialize)
		h.send(legacy.request("1", "tools/list", "", ""))
		server.SetTools(upstreamtest.Tool("y"))
		want(t, "before initialized", after(h))
		h.send(initialized)
		want(t, "after it", after(h), changed)
	})
	bubble(t, "host that has not asked for the list", func(t *testing.T) {
		server, h := begin(t)
		h.send(legacy.open()...)
		server.SetTools(upstreamtest.Tool("y"))
		want(t, "change", after(h))
	})
	bubble(t, "modern host, on each stream that asked", func(t *testing.T) {
		server, h := begin(t)
		h.send(modern.open()...)
		h.send(modern.request("1", "tools/list", "", ""))
		server.SetTools(upstreamtest.Tool("y"))
		want(t, "nobody listens", after(h))
		ack := func(id, what string) string {
			return `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `},"notifications":{` + what + `}}}`
		}
		told := func(id string) string {
			return `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `}}}`
		}
		listen := func(id, what string) string {
			return modern.request(id, "subscriptions/listen", `"notifications":{`+what+`}`, "")
		}
		want(t, "two streams", h.send(listen("2", `"toolsListChanged":true`), listen(`"2"`, `"toolsListChanged":true,"promptsListChanged":true`), listen("3", `"toolsListChanged":false`)),
			ack("2", `"toolsListChanged":true`), ack(`"2"`, `"toolsListChanged":true,"promptsListChanged":true`), ack("3", ""))
		want(t, "what it has missed", after(h), told("2"), told(`"2"`))
		server.SetTools(upstreamtest.Tool("z"))
		want(t, "the next change", after(h), told("2"), told(`"2"`))
	})
}

func globs(t *testing.T, patterns ...string) []policy.Glob {
	t.Helper()
	out := make([]policy.Glob, len(patterns))
	for i, pattern := range patterns {
		g, err := policy.ParseGlob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = g
	}
	return out
}

// TestStoredLists: what was listed once is there at once, whatever has become of
// the server.
func TestStoredLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		life := func(servers map[string]*upstreamtest.Server, e era, use func(h *host)) {
			store, err := catalog.OpenStore(t.Context(), folder)
			if err != nil {
				t.Fatal(err)
			}
			cfg := config(t, servers, "a")
			cfg.Store = store
			a := New(cfg)
			h := hostOf(t, a)
			h.send(e.open()...)
			use(h)
			h.close()
			a.Close()
		}
		request := func(e era) string { return e.request("1", "tools/list", "", "") }
		there := map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x"))}
		gone := map[string]*upstreamtest.Server{}

		life(there, legacy, func(h *host) { want(t, "first life", h.send(request(legacy)), list("1", "a__x")) })
		pass(DefaultMaxAge + time.Hour)
		life(gone, legacy, func(h *host) { want(t, "server is gone", h.send(request(legacy)), list("1", "a__x")) })
		// For the other era the list is the nearest one, and stays that after a
		// failure: it must be asked for again.
		life(gone, modern, func(h *host) {
			if got := strings.Join(h.send(request(modern)), ""); !strings.Contains(got, definition("a__x")) {
				t.Errorf("modern host got %s, want the list of the legacy one", got)
			}
		})
		store, err := catalog.OpenStore(t.Context(), folder)
		if err != nil {
			t.Fatal(err)
		}
		found := store.LoadAll([]catalog.Wanted{{
			Key:     catalog.Key{Server: "a", Identity: []byte("a")},
			Variant: catalog.Variant{Modern: true, Capabilities: "{}"},
		}}, time.Now())
		if found[0].Lists == nil || found[0].Exact {
			t.Errorf("after a failure: got %+v, want the lists of the other variant, not exact", found[0])
		}
		other := map[string]*upstreamtest.Server{"a": upstreamtest.New(gated(withTools("y")))}
		life(other, legacy, func(h *host) {
			want(t, "stored first", h.send(request(legacy)), list("1", "a__x"))
			other["a"].Release("listed")
			pass(time.Second)
			want(t, "refreshed behind, as the last try had failed", h.received(), changed)
			want(t, "then", h.send(request(legacy)), list("1", "a__y"))
		})
	})
}

// TestListsToldAtTheEnd: what a server has told whole is stored, though weir ends
// before it has come to that; a part of it is not.
func TestListsToldAtTheEnd(t *testing.T) {
	for name, failing := range map[string]error{"whole": nil, "in part": context.Canceled} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(withTools("x"))}, "up")
			store, err := catalog.OpenStore(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			cfg.Store = store
			a := New(cfg)
			s := a.world.Load().byName["up"]
			told := s.begin(upstream.Facts{Version: upstream.LatestLegacy, Capabilities: []byte(`{"tools":{},"prompts":{}}`)})
			asked := told.undeclared(only(catalog.Tools) | only(catalog.Prompts))
			a.Close()
			told.take(outcome{kind: catalog.Tools, list: upstream.List{Items: [][]byte{[]byte(definition("x"))}}})
			told.take(outcome{kind: catalog.Prompts, err: failing})
			told.end(asked)
			found := store.LoadAll([]catalog.Wanted{{Key: s.key(), Variant: s.variant()}}, time.Now())
			if got := found[0].Lists != nil; got != (failing == nil) {
				t.Errorf("lists are stored: got %t (%v)", got, found[0].Err)
			}
		})
	}
}

// TestOldLists: a list that has become too old is served, and asked for again
// behind.
func TestOldLists(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String()+" server", func(t *testing.T) {
			script := withTools("x")
			script.Versions, script.Capabilities = e.versions(), []byte(`{"tools":{}}`) // it tells of no changes
			server, h := one(t, script)
			h.send(legacy.open()...)
			asked := func(after time.Duration) int {
				pass(after)
				h.send(legacy.request("1", "tools/list", "", ""))
				return len(server.Received("tools/list"))
			}
			got := []int{asked(0), asked(time.Second), asked(time.Hour), asked(DefaultMaxAge + time.Hour)}
			// The modern one gives its list no time at all.
			want := map[era][]int{legacy: {1, 1, 1, 2}, modern: {1, 1, 2, 3}}[e]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("times that the server was asked (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReconnect: a server that has come back is asked for its list, be it at once,
// while the last list is left alone, or later.
func TestReconnect(t *testing.T) {
	for _, pause := range []time.Duration{0, time.Second} {
		bubble(t, pause.String(), func(t *testing.T) {
			script := withTools("x")
			script.Rules = []upstreamtest.Rule{{On: "tools/call x", Nth: 1, Do: []upstreamtest.Step{{Exit: true}}}}
			server, h := one(t, script)
			h.send(legacy.open()...)
			h.send(legacy.request("1", "tools/list", "", ""))
			h.send(legacy.call("2", "up__x", "{}"))
			pass(pause)
			h.send(legacy.call("3", "up__x", "{}"))
			pass(time.Second)
			synctest.Wait()
			if n := len(server.Received("tools/list")); n != 2 {
				t.Errorf("server was asked %d times to list, want 2", n)
			}
		})
	}
}

// TestWarnings: what is wrong with a list is told once, and hides nothing else.
func TestWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := withTools("x", "y")
		a.Tools = append(a.Tools, raw(`{"description":"no name"}`), raw(`{"name":"z","name":"y"}`), raw(`7`))
		servers := map[string]*upstreamtest.Server{"a": upstreamtest.New(a), "b": upstreamtest.New(withTools("x"))}
		cfg := config(t, servers, "a", "b")
		cfg.Log = zerolog.New(zerolog.SyncWriter(&log)).Level(zerolog.WarnLevel)
		for i := range cfg.Servers {
			cfg.Servers[i].Prefix = ""
		}
		weir, h := start(t, cfg)
		h.send(legacy.open()...)
		got := strings.Join(h.send(legacy.request("1", "tools/list", "", "")), "")
		if n := strings.Count(got, `"name":`); n != 3 || !strings.Contains(got, `"name":"x","description"`) {
			t.Errorf("got %s, want 3 tools, the first called x", got)
		}
		servers["b"].SetTools(upstreamtest.Tool("x"), upstreamtest.Tool("w"))
		pass(time.Second)
		h.close()
		weir.Close()
		for text, want := range map[string]int{"item left out": 3, "merging lists": 1} {
			if n := strings.Count(log.String(), text); n != want {
				t.Errorf("got %d warnings %q, want %d:\n%s", n, text, want, log.String())
			}
		}
	})
}

// TestNoHotLoop: a server that ends whenever it is asked to list is started
// again with pauses.
func TestNoHotLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := withTools("x")
		script.Rules = []upstreamtest.Rule{{On: "tools/list", Do: []upstreamtest.Step{{Exit: true}}}}
		cfg := config(t, map[string]*upstreamtest.Server{"a": upstreamtest.New(script)}, "a")
		dial, dials := cfg.Dialers["memory"], 0
		cfg.Dialers["memory"] = func(ctx context.Context, c upstream.Config, recv transport.Receiver) (transport.Conn, error) {
			dials++
			return dial(ctx, c, recv)
		}
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		pass(time.Minute)
		synctest.Wait()
		if dials < 2 || dials > 8 {
			t.Errorf("server was started %d times in a minute, want some times", dials)
		}
	})
}

// TestPolicy: what is denied is not there; what is listed only, says so.
func TestPolicy(t *testing.T) {
	level := func(l policy.Level) *policy.Level { return &l }
	text := func(s string) *string { return &s }
	compiled, err := policy.Compile(policy.Config{
		Default: level(policy.Execute),
		Rules: []policy.Rule{
			{Server: text("*"), Tool: text("hidden"), Level: level(policy.Deny)},
			{Server: text("a"), Tool: text("seen"), Level: level(policy.Read), Pos: policy.Position{File: "/home/u/weir/mcp.yaml", Line: 7}},
		},
	}, policy.Servers{})
	if err != nil {
		t.Fatal(err)
	}
	begin := func(t *testing.T, p *policy.Policy, names ...string) (*upstreamtest.Server, *host) {
		server := upstreamtest.New(withTools("x", "hidden", "seen", "weir__servers"))
		cfg := config(t, map[string]*upstreamtest.Server{"a": server}, names...)
		cfg.Policy = p
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		return server, h
	}
	bubble(t, "rules", func(t *testing.T) {
		server, h := begin(t, compiled, "a")
		want(t, "list", h.send(legacy.request("1", "tools/list", "", "")), list("1", "a__x", "a__seen", "a__weir__servers"))
		for _, name := range []string{"a__hidden", "hidden", "mcp_a__hidden", "weir__servers", "a__nothing"} {
			want(t, "call of "+name, h.send(legacy.call("1", name, "{}")), noTool("1", name))
		}
		got := strings.Join(h.send(legacy.call("1", "a__seen", "{}")), "")
		if !strings.Contains(got, `"isError":true`) || !strings.Contains(got, "(mcp.yaml:7)") ||
			!strings.Contains(got, `"weir/error":{"kind":"authorization","server":"a","tool":"seen","retryable":false}`) || strings.Contains(got, "/home") {
			t.Errorf("call of a tool that is listed only: got %s", got)
		}
		if n := len(server.Received("tools/call")); n != 0 {
			t.Errorf("server got %d calls, want none", n)
		}
	})
	bubble(t, "none denies everything", func(t *testing.T) {
		_, h := begin(t, nil, "a")
		want(t, "list", h.send(legacy.request("1", "tools/list", "", "")), list("1"))
		want(t, "call", h.send(legacy.call("1", "a__x", "{}")), noTool("1", "a__x"))
		want(t, "weir's own", h.send(legacy.call("1", "weir__servers", "{}")), noTool("1", "weir__servers"))
	})
}

// TestOwnTools: weir__servers is there while nothing is configured, or by a rule.
func TestOwnTools(t *testing.T) {
	const notice, escaped = "Add servers to <mcp.yaml>.", `Add servers to \u003cmcp.yaml\u003e.`
	level := func(l policy.Level) *policy.Level { return &l }
	own := policy.Own
	ruled := func(t *testing.T, l policy.Level) *policy.Policy {
		p, err := policy.Compile(policy.Config{Default: level(policy.Deny), Rules: []policy.Rule{{Server: &own, Level: level(l)}}}, policy.Servers{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	bubble(t, "no servers", func(t *testing.T) {
		cfg := config(t, nil)
		cfg.Notice, cfg.Policy = notice, policy.DenyAll("broken")
		_, h := start(t, cfg)
		want(t, "initialize", h.send(initialize), result(`"init"`, `"protocolVersion":"2025-11-25",`+toolClaims+`,"instructions":"`+notice+`","serverInfo":`+weirInfo))
		want(t, "list", h.send(legacy.request("1", "tools/list", "", "")), result("1", `"tools":[`+ownDefinitions("servers")+`]`))
		want(t, "call", h.send(legacy.call("2", "weir__servers", "{}")), result("2", `"content":[{"type":"text","text":"`+escaped+`"}]`))
		want(t, "modern call", h.send(modern.call("2", "weir__servers", "{}")), result("2", `"content":[{"type":"text","text":"`+escaped+`"}],"resultType":"complete",`+serverMeta))
	})
	bubble(t, "no servers, but a rule that denies", func(t *testing.T) {
		cfg := config(t, nil)
		cfg.Policy = ruled(t, policy.Deny)
		_, h := start(t, cfg)
		want(t, "initialize", h.send(initialize), result(`"init"`, `"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":`+weirInfo))
		want(t, "call", h.send(legacy.call("2", "weir__servers", "{}")), noTool("2", "weir__servers"))
	})
	bubble(t, "by a rule", func(t *testing.T) {
		cfg := config(t, map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("weir__servers"))}, "a", "gone")
		cfg.Policy = ruled(t, policy.Execute)
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		want(t, "list", h.send(legacy.request("1", "tools/list", "", "")), result("1", `"tools":[`+ownDefinitions("servers", "explain", "restart")+`]`))
		want(t, "call", h.send(legacy.call("2", "weir__servers", "{}")), result("2",
			`"content":[{"type":"text","text":"a: ready for 0s, 1 tools, protocol 2025-11-25, listed 0s ago\ngone: backoff for 0s, 0 tools: the server could not be reached (the next try may be in 1s)"}]`))
	})
	bubble(t, "listed only", func(t *testing.T) {
		cfg := config(t, nil, "gone")
		cfg.Policy = ruled(t, policy.Read)
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		got := strings.Join(h.send(legacy.call("2", "weir__servers", "{}")), "")
		if !strings.Contains(got, `"isError":true`) || !strings.Contains(got, `{"kind":"authorization","server":"weir","tool":"servers","retryable":false}`) {
			t.Errorf("got %s, want a refusal", got)
		}
	})
}

// TestTwoHosts: one Aggregator, two sessions, nothing shared but the servers.
func TestTwoHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(gateScript())
		a, one := start(t, config(t, map[string]*upstreamtest.Server{"up": server}, "up"))
		two := hostOf(t, a)
		one.send(legacy.open()...)
		two.send(modern.open()...)
		want(t, "one calls", one.send(legacy.call("1", "up__gate", "{}")))
		want(t, "two calls under the same id", two.send(modern.call("1", "up__gate", "{}")))
		want(t, "two cancels", two.send(cancelled("1")))
		server.Release("open")
		want(t, "one", one.received(), done("1"))
		want(t, "two", two.received())
		status := a.Status()
		if len(status) != 1 || status[0].State != upstream.Ready || status[0].Tools != 2 || status[0].Fetched.IsZero() {
			t.Errorf("status: got %+v", status)
		}
	})
}
