package aggregator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// bench is a weir whose configuration changes, over servers that are there all
// the time.
type bench struct {
	*Aggregator
	cfg  Config
	open atomic.Int32 // connections that are open
	last atomic.Int64 // the message limit of the last one
}

// change makes the configuration that names names, edited.
func (b *bench) change(t *testing.T, names []string, edit func(*Config)) Config {
	t.Helper()
	cfg := config(t, nil, names...)
	cfg.Store, cfg.Dialers = b.cfg.Store, b.cfg.Dialers
	if edit != nil {
		edit(&cfg)
	}
	return cfg
}

func (b *bench) reconfigure(t *testing.T, names []string, edit func(*Config)) Changes {
	t.Helper()
	changes, err := b.Reconfigure(b.change(t, names, edit))
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// benchOf opens a weir over servers, of which it is configured with names.
func benchOf(t *testing.T, servers map[string]*upstreamtest.Server, names ...string) (*bench, *host) {
	t.Helper()
	return benchIn(t, noStore, servers, names...)
}

// benchIn is benchOf with a folder for the lists.
func benchIn(t *testing.T, folder string, servers map[string]*upstreamtest.Server, names ...string) (*bench, *host) {
	t.Helper()
	b := &bench{cfg: config(t, servers, names...)}
	b.cfg.Store, _ = catalog.OpenStore(t.Context(), folder) // good without a folder
	b.cfg.Dialers["memory"] = func(_ context.Context, cfg upstream.Config, recv transport.Receiver) (transport.Conn, error) {
		near, far := transport.Memory()
		b.open.Add(1)
		b.last.Store(int64(cfg.MessageLimit))
		go func() {
			defer b.open.Add(-1)
			defer far.Close()
			_ = servers[cfg.Name].ServeLines(context.Background(), far.Input(), far.Output(), io.Discard) // its end is seen here
		}()
		return transport.NewLines(near, recv, upstream.DefaultMessageLimit), nil
	}
	var h *host
	b.Aggregator, h = start(t, b.cfg)
	return b, h
}

func listRequest(e era, id string) string { return e.request(id, "tools/list", "", "") }

// TestReconfigureKeeps: a server that is configured as before keeps what it has,
// also where it is exposed otherwise.
func TestReconfigureKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(gateScript())
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		h.send(legacy.request("2", "tools/call", `"name":"up__gate"`, `"progressToken":"p"`))
		if diff := cmp.Diff(Changes{}, b.reconfigure(t, []string{"up"}, nil)); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		pass(time.Second)
		want(t, "told of what has not changed", h.received())

		b.reconfigure(t, []string{"up"}, func(c *Config) {
			c.Servers[0].Prefix, c.Servers[0].Aliases = "new", []string{"other"}
			c.Servers[0].Tools = policy.Filters{{Exclude: globs(t, "echo")}}
		})
		b.reconfigure(t, []string{"up"}, func(c *Config) {
			c.Servers[0].Prefix, c.Servers[0].Aliases = "new", []string{"other"}
			c.Servers[0].Tools = policy.Filters{{Exclude: globs(t, "echo")}}
		})
		pass(time.Second)
		want(t, "told of two changes soon after one another", h.received(), changed)
		if got := strings.Join(h.send(listRequest(legacy, "3")), ""); !strings.Contains(got, `"new__gate"`) || strings.Contains(got, "up__") || strings.Contains(got, "echo") {
			t.Errorf("list: got %s", got)
		}
		want(t, "old name", h.send(legacy.call("4", "up__echo", "{}")), noTool("4", "up__echo"))
		server.Release("open")
		want(t, "the call under way, and one by the alias", append(h.received(), h.send(legacy.call("5", "other__gate", "{}"))...), done("2"), done("5"))
		if n := len(server.Received("initialize")); n != 1 {
			t.Errorf("got %d connections, want the old one only", n)
		}
	})
}

// TestReconfigureAdds: a new server is asked for its lists behind, and the host is
// told of it.
func TestReconfigureAdds(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String(), func(t *testing.T) {
			late := upstreamtest.New(withTools("y"))
			b, h := benchOf(t, map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x")), "b": late}, "a")
			h.send(e.open()...)
			h.send(listRequest(e, "1"))
			if e == modern {
				h.send(modern.request(`"L"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`, ""))
			}
			got := b.reconfigure(t, []string{"b", "a"}, nil)
			if diff := cmp.Diff(Changes{Added: []string{"b"}}, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			pass(time.Second)
			if got := h.received(); len(got) != 1 || !strings.Contains(got[0], "notifications/tools/list_changed") {
				t.Errorf("got %q, want to be told once", got)
			}
			list := strings.Join(h.send(listRequest(e, "2")), "")
			if strings.Index(list, "b__y") > strings.Index(list, "a__x") || !strings.Contains(list, "b__y") {
				t.Errorf("list: got %s", list)
			}
			if got := strings.Join(h.send(e.call("3", "b__y", "{}")), ""); !strings.Contains(got, `"text":"y"`) {
				t.Errorf("call: got %s", got)
			}
		})
	}
	bubble(t, "where there was nothing", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x"))})
		h.send(legacy.open()...)
		want(t, "before", h.send(listRequest(legacy, "1")), result("1", `"tools":[`+ownDefinitions("servers")+`]`))
		b.reconfigure(t, []string{"a"}, nil)
		pass(time.Second)
		told(t, h)
		want(t, "after", h.send(listRequest(legacy, "2")), list("2", "a__x"))
	})
	bubble(t, "a lazy one that is stored is not started", func(t *testing.T) {
		b, h := benchIn(t, t.TempDir(), map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x"))}, "a")
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		b.reconfigure(t, nil, nil)
		pass(time.Minute)
		b.reconfigure(t, []string{"a"}, nil)
		pass(time.Minute)
		if n := b.open.Load(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
		h.received()
		want(t, "list", h.send(listRequest(legacy, "2")), list("2", "a__x"))
	})
}

// TestReconfigureRemoves: a server that is removed takes nothing more at once,
// finishes what it has, and then nothing is left of it.
func TestReconfigureRemoves(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		bubble(t, "finishes, "+e.String(), func(t *testing.T) {
			script := gateScript()
			script.Versions = e.versions()
			script.Rules = []upstreamtest.Rule{{On: "tools/call gate", Do: []upstreamtest.Step{
				{Await: "open"},
				{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":9}}`)},
				{Reply: raw(`{"content":[{"type":"text","text":"late"}]}`)},
			}}}
			server := upstreamtest.New(script)
			b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server, "b": upstreamtest.New(withTools("y"))}, "up", "b")
			h.send(e.open()...)
			h.send(listRequest(e, "1"))
			want(t, "call", h.send(e.request("2", "tools/call", `"name":"up__gate"`, `"progressToken":"p"`)))
			if diff := cmp.Diff(Changes{Removed: []string{"up"}}, b.reconfigure(t, []string{"b"}, nil)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			want(t, "a call afterwards", h.send(e.call("3", "up__gate", "{}")), noTool("3", "up__gate"))
			pass(leaveTime - 2*time.Second)
			if e == legacy {
				told(t, h)
			}
			if n := b.open.Load(); n != 2 {
				t.Errorf("%d connections are open, want both", n)
			}
			server.Release("open")
			got := strings.Join(h.received(), "\n")
			if !strings.Contains(got, `"progressToken":"p","progress":9`) || !strings.Contains(got, `"text":"late"`) {
				t.Errorf("got %s, want progress and the answer", got)
			}
			pass(2 * time.Second)
			if n := b.open.Load(); n != 1 {
				t.Errorf("%d connections are open, want that of the other", n)
			}
		})
	}
	bubble(t, "does not answer", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(gateScript())}, "up")
		h.send(legacy.open()...)
		h.send(legacy.call("2", "up__gate", "{}"))
		b.reconfigure(t, nil, nil)
		pass(leaveTime + time.Second)
		got := strings.Join(h.received(), "")
		if !strings.Contains(got, `"isError":true`) || !strings.Contains(got, "taken out of weir's configuration") || !strings.Contains(got, `"maybeExecuted":true`) {
			t.Errorf("got %s", got)
		}
		if n := b.open.Load(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
	})
	bubble(t, "the host gives up", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(gateScript())}, "up")
		h.send(legacy.open()...)
		h.send(legacy.call("2", "up__gate", "{}"))
		b.reconfigure(t, nil, nil)
		synctest.Wait()
		if n := b.open.Load(); n != 1 {
			t.Errorf("%d connections are open, want one", n)
		}
		h.send(cancelled("2"))
		pass(time.Second)
		if n := b.open.Load(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
	})
	bubble(t, "weir ends first", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(gateScript())}, "up")
		h.send(legacy.open()...)
		h.send(legacy.call("2", "up__gate", "{}"))
		b.reconfigure(t, nil, nil)
		began := time.Now()
		h.close()
		b.Close()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		if _, err := b.Reconfigure(b.cfg); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v, want %v", err, ErrClosed)
		}
	})
}

// TestReconfigureInQuestions: what a server asks in the middle of a call is asked
// and answered, though it has left meanwhile.
func TestReconfigureInQuestions(t *testing.T) {
	bubble(t, "of a legacy host", func(t *testing.T) {
		script := asking("elicitation/create", `{"message":"m","requestedSchema":{}}`)
		script.Rules[0].Do = append([]upstreamtest.Step{{Await: "left"}}, script.Rules[0].Do...)
		server := upstreamtest.New(script)
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(legacy.capable()...)
		h.send(legacy.call("1", "up__ask", "{}"))
		b.reconfigure(t, nil, nil)
		server.Release("left")
		if got := strings.Join(h.received(), ""); !strings.Contains(got, `"[up] m"`) {
			t.Fatalf("got %s, want the question", got)
		}
		want(t, "answer", h.send(`{"jsonrpc":"2.0","id":1,"result":{"action":"decline"}}`), result("1", `"content":[{"type":"text","text":"done"}]`))
	})
	bubble(t, "of a legacy host, by a modern server", func(t *testing.T) {
		server := upstreamtest.New(modernAsking(`{"resultType":"input_required","requestState":"s","inputRequests":{"a":{"method":"roots/list"}}}`))
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(legacy.capable()...)
		h.send(legacy.call("1", "up__ask", "{}"))
		b.reconfigure(t, nil, nil)
		pass(leaveTime / 2)
		got := h.send(`{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}`)
		want(t, "result", got, result("1", `"resultType":"complete","content":[{"type":"text","text":"done"}]`))
	})
	bubble(t, "of a modern host that has been answered with it", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(asking("roots/list", `{}`))}, "up")
		h.send(modern.capable()...)
		h.send(modern.capableCall("1", "up__ask", ""))
		pass(gatherTime)
		_, state := inputRequired(t, h.received())
		b.reconfigure(t, nil, func(c *Config) { c.Policy = policy.DenyAll("no more") })
		pass(leaveTime / 2)
		got := strings.Join(h.send(modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"roots":[]}}`, state))), "")
		if !strings.Contains(got, `"done"`) {
			t.Errorf("got %s, want the result", got)
		}
		pass(time.Second)
		if n := b.open.Load(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
	})
}

// TestReconfigureReplaces: a server that is configured otherwise takes the name
// over, while the old one finishes.
func TestReconfigureReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(gateScript())
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		h.send(legacy.call("2", "up__gate", "{}"))
		slower := func(c *Config) { c.Servers[0].Timeout = time.Hour }
		if diff := cmp.Diff(Changes{Changed: []string{"up"}}, b.reconfigure(t, []string{"up"}, slower)); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		h.send(legacy.call("3", "up__gate", "{}"))
		if n := b.open.Load(); n != 2 {
			t.Errorf("%d connections are open, want an old and a new one", n)
		}
		server.Release("open")
		got := h.received()
		if len(got) != 2 || !strings.Contains(strings.Join(got, ""), done("2")) || !strings.Contains(strings.Join(got, ""), done("3")) {
			t.Errorf("got %q, want both answers and no changed list", got)
		}
		pass(time.Second)
		if n := b.open.Load(); n != 1 {
			t.Errorf("%d connections are open, want the new one", n)
		}
		want(t, "told", h.received())
	})
}

// TestReconfigureShowsOldLists: what a server is known to list is shown while the
// one that takes its place is not there yet.
func TestReconfigureShowsOldLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := withTools("x")
		script.Rules = []upstreamtest.Rule{{On: "tools/list", Nth: 1, Do: []upstreamtest.Step{{Default: true}}}, {On: "tools/list"}}
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up")
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Timeout = time.Hour })
		want(t, "list", h.send(listRequest(legacy, "2")), list("2", "up__x"))
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Identity = []byte("another") })
		want(t, "list of another", h.send(listRequest(legacy, "3")), result("3", `"tools":[]`))
	})
}

// TestReconfigureDisables: what a server has is not shown while it is switched off,
// though it is known, and is there again at once.
func TestReconfigureDisables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(withTools("x"))
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(legacy.open()...)
		want(t, "list", h.send(listRequest(legacy, "1")), list("1", "up__x"))
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Disabled = true })
		told(t, h)
		want(t, "list of nobody", h.send(listRequest(legacy, "2")), result("2", `"tools":[]`))
		b.reconfigure(t, []string{"up"}, nil)
		told(t, h)
		want(t, "list again", h.send(listRequest(legacy, "3")), list("3", "up__x"))
	})
}

// told waits until the host has been told once that there are other tools.
func told(t *testing.T, h *host) {
	t.Helper()
	pass(time.Second)
	if got := h.received(); len(got) != 1 || !strings.Contains(got[0], "notifications/tools/list_changed") {
		t.Errorf("got %q, want to be told once", got)
	}
}

// TestReconfigureStartsNothing: a server that leaves and ends is not started
// again for what asks for more.
func TestReconfigureStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := modernAsking(`{"resultType":"input_required","requestState":"s","inputRequests":{"a":{"method":"roots/list"}}}`)
		script.Rules[0].Do = append(script.Rules[0].Do, upstreamtest.Step{Exit: true})
		server := upstreamtest.New(script)
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(legacy.capable()...)
		h.send(legacy.call("1", "up__ask", "{}"))
		b.reconfigure(t, nil, nil)
		got := strings.Join(h.send(`{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}`), "")
		if !strings.Contains(got, `"isError":true`) || len(server.Received("tools/call")) != 1 {
			t.Errorf("got %s", got)
		}
	})
}

// TestReconfigurePolicy: another policy holds for the next request, and hosts are
// told of what they see now.
func TestReconfigurePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(gateScript())
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		h.send(legacy.call("2", "up__gate", "{}"))
		b.reconfigure(t, []string{"up"}, func(c *Config) {
			c.Policy = ruled(t, policy.Rule{Server: text("up"), Tool: text("gate"), Level: level(policy.Deny)})
		})
		want(t, "the next", h.send(legacy.call("3", "up__gate", "{}")), noTool("3", "up__gate"))
		server.Release("open")
		want(t, "the one that is on its way", h.received(), done("2"))
		pass(time.Second)
		told(t, h)
		if got := strings.Join(h.send(listRequest(legacy, "4")), ""); strings.Contains(got, "gate") {
			t.Errorf("list: got %s", got)
		}
	})
}

// sharing is a server of a resource that can be subscribed to, and says that it
// has changed whenever the tool is called.
func sharing(e era) upstreamtest.Script {
	s := upstreamtest.Script{
		Versions:     e.versions(),
		Capabilities: raw(`{"tools":{},"resources":{"subscribe":true}}`),
		Tools:        raws(`{"name":"touch","inputSchema":{"type":"object"}}`),
		Rules: []upstreamtest.Rule{
			{On: "resources/list", Do: []upstreamtest.Step{{Reply: raw(`{"resources":[{"uri":"file:///a","name":"a"}]}`)}}},
			{On: "resources/templates/list", Do: []upstreamtest.Step{{Reply: raw(`{"resourceTemplates":[]}`)}}},
			{On: "resources/subscribe", Do: []upstreamtest.Step{{Reply: raw(`{}`)}}},
			{On: "resources/unsubscribe", Do: []upstreamtest.Step{{Reply: raw(`{}`)}}},
			{On: "tools/call touch", Do: []upstreamtest.Step{
				{Send: raw(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///a"}}`)}, {Default: true},
			}},
		},
	}
	return s
}

// TestReconfigureSubscriptions: what a host follows goes to the server that takes
// the place of the old one, and ends where there is none, or where it may not
// follow any more.
func TestReconfigureSubscriptions(t *testing.T) {
	const updated = "notifications/resources/updated"
	begin := func(t *testing.T) (*bench, *host, *upstreamtest.Server) {
		server := upstreamtest.New(sharing(legacy))
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		want(t, "subscribe", h.send(legacy.request("2", "resources/subscribe", `"uri":"file:///a"`, "")), result("2", ""))
		if got := strings.Join(h.send(legacy.call("3", "up__touch", "{}")), ""); !strings.Contains(got, updated) {
			t.Fatalf("got %s, want to be told", got)
		}
		return b, h, server
	}
	told := func(t *testing.T, h *host) bool {
		t.Helper()
		return strings.Contains(strings.Join(h.send(legacy.call("9", "up__touch", "{}")), ""), updated)
	}
	bubble(t, "replaced", func(t *testing.T) {
		b, h, server := begin(t)
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Timeout = time.Hour })
		synctest.Wait()
		if n := len(server.Received("resources/subscribe")); n != 2 {
			t.Errorf("servers were subscribed to %d times, want 2", n)
		}
		if !told(t, h) {
			t.Error("the host is not told any more")
		}
		before := len(server.Received("resources/unsubscribe"))
		h.send(legacy.request("4", "resources/unsubscribe", `"uri":"file:///a"`, ""))
		if n := len(server.Received("resources/unsubscribe")) - before; n != 1 || len(b.followers) != 0 {
			t.Errorf("server heard of %d ends, and %v are followed", n, b.followers)
		}
	})
	bubble(t, "removed", func(t *testing.T) {
		b, h, _ := begin(t)
		b.reconfigure(t, nil, nil)
		pass(time.Minute)
		b.reconfigure(t, []string{"up"}, nil)
		pass(time.Minute)
		h.received()
		if told(t, h) || len(b.followers) != 0 {
			t.Errorf("the host is told, or %v are followed", b.followers)
		}
	})
	bubble(t, "denied", func(t *testing.T) {
		b, h, server := begin(t)
		b.reconfigure(t, []string{"up"}, func(c *Config) {
			c.Policy = ruled(t, policy.Rule{Server: text("*"), Resource: text("*"), Level: level(policy.Deny)})
		})
		h.received() // the last word
		if told(t, h) || len(b.followers) != 0 {
			t.Errorf("the host is told, or %v are followed", b.followers)
		}
		if n := len(server.Received("resources/unsubscribe")); n != 1 {
			t.Errorf("server heard of %d ends, want 1", n)
		}
	})
	bubble(t, "modern host", func(t *testing.T) {
		server := upstreamtest.New(sharing(legacy))
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(modern.open()...)
		h.send(listRequest(modern, "1"))
		h.send(modern.request(`"L"`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["file:///a"]}`, ""))
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Timeout = time.Hour })
		synctest.Wait()
		touch := func() string { return strings.Join(h.send(modern.call("3", "up__touch", "{}")), "") }
		if got := touch(); !strings.Contains(got, `"io.modelcontextprotocol/subscriptionId":"L"`) {
			t.Errorf("got %s, want to be told", got)
		}
		b.reconfigure(t, nil, nil)
		if len(b.followers) != 0 {
			t.Errorf("%v are followed", b.followers)
		}
	})
}

// TestReconfigureTasks: a task that a server has made is found under its id while
// the server has its name, be it another one.
func TestReconfigureTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(taskServer())}, "up")
		h.send(legacy.capable()...)
		got := h.send(legacy.request("1", "tools/call", `"name":"up__long","arguments":{},"task":{}`, ""))
		id := taskIDOf(t, got[0])
		ask := func(id, task string) string {
			return strings.Join(h.send(legacy.request(id, "tasks/get", `"taskId":"`+task+`"`, "")), "")
		}
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Timeout = time.Hour })
		if got := ask("2", id); !strings.Contains(got, "completed") {
			t.Errorf("got %s", got)
		}
		b.reconfigure(t, nil, nil)
		if got := ask("3", id); !strings.Contains(got, `"code":-32601`) {
			t.Errorf("got %s, want it to be unknown", got)
		}
	})
}

// TestReconfigureEarly: before the first message, and while the first lists are
// awaited.
func TestReconfigureEarly(t *testing.T) {
	bubble(t, "before the host", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x")), "b": upstreamtest.New(withTools("y"))}, "a")
		b.reconfigure(t, []string{"b"}, func(c *Config) { c.Servers[0].Eager = true })
		synctest.Wait()
		if n := b.open.Load(); n != 0 {
			t.Errorf("%d connections before the host's first message", n)
		}
		h.send(legacy.open()...)
		want(t, "list", h.send(listRequest(legacy, "1")), list("1", "b__y"))
	})
	bubble(t, "the one that is waited for leaves", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"a": upstreamtest.New(gated(withTools("x"))), "b": upstreamtest.New(withTools("y"))}, "a", "b")
		h.send(legacy.open()...)
		want(t, "before", h.send(listRequest(legacy, "1")))
		b.reconfigure(t, []string{"b"}, nil)
		want(t, "list", h.received(), list("1", "b__y"))
	})
	bubble(t, "a call waits for it", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"a": upstreamtest.New(gated(withTools("x")))}, "a")
		h.send(legacy.open()...)
		h.send(legacy.call("1", "a__x", "{}"))
		b.reconfigure(t, nil, nil)
		want(t, "call", h.received(), noTool("1", "a__x"))
	})
}

// TestLevelOfNewServers: a server that comes later logs what the host wants.
func TestLevelOfNewServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := withTools("x")
		script.Capabilities = raw(`{"tools":{},"logging":{}}`)
		script.Rules = []upstreamtest.Rule{{On: "logging/setLevel", Do: []upstreamtest.Step{{Reply: raw(`{}`)}}}}
		server := upstreamtest.New(script)
		b, h := benchOf(t, map[string]*upstreamtest.Server{"a": server})
		h.send(legacy.open()...)
		h.send(legacy.request("1", "logging/setLevel", `"level":"error"`, ""))
		b.reconfigure(t, []string{"a"}, nil)
		synctest.Wait()
		got := server.Received("logging/setLevel")
		if len(got) != 1 || !strings.Contains(string(got[0].Message), `"error"`) {
			t.Errorf("server got %q", got)
		}
	})
}

// TestWithheldFromNewServers: a server that comes later, or comes back, is not
// told of what it may not ask for either.
func TestWithheldFromNewServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(withTools("x"))
		b, h := benchOf(t, map[string]*upstreamtest.Server{"a": server}, "a")
		h.send(legacy.capable()...)
		b.reconfigure(t, []string{"a"}, func(c *Config) { c.Servers[0].Questions.NoElicitation = true })
		synctest.Wait()
		got := server.Received("initialize")
		if len(got) != 2 || !strings.Contains(string(got[0].Message), "elicitation") || strings.Contains(string(got[1].Message), "elicitation") {
			t.Errorf("server got %q", got)
		}
	})
}

// TestReconfigureStorm: many configurations one upon the other, by several at
// once, under hosts that call. Every request is answered once, and in the end
// nothing is left.
func TestReconfigureStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := map[string]*upstreamtest.Server{}
		for i := range 4 {
			servers[fmt.Sprint("s", i)] = upstreamtest.New(withTools("x", "y"))
		}
		b, h := benchOf(t, servers, "s0", "s1")
		other := hostOf(t, b.Aggregator)
		h.send(legacy.open()...)
		other.send(modern.open()...)
		shapes := [][]string{{"s0"}, {"s1", "s2"}, {}, {"s3", "s0", "s2", "s1"}, {"s0", "s1"}}
		var all sync.WaitGroup
		for w := range 3 {
			all.Go(func() {
				for i := range 40 {
					cfg := b.change(t, shapes[(i+w)%len(shapes)], func(c *Config) {
						for k := range c.Servers {
							c.Servers[k].Timeout = time.Duration(1+(i+k+w)%3) * time.Minute
						}
					})
					if _, err := b.Reconfigure(cfg); err != nil {
						t.Error(err)
					}
					<-time.After(time.Duration(1+w) * time.Millisecond)
				}
			})
		}
		answers := func(h *host, e era) {
			for i := range 60 {
				line := e.call(fmt.Sprint(i), fmt.Sprintf("s%d__x", i%4), "{}")
				if i%5 == 0 {
					line = listRequest(e, fmt.Sprint(i))
				}
				if _, err := io.WriteString(h.in, line+"\n"); err != nil {
					t.Error(err)
				}
				<-time.After(time.Millisecond)
			}
		}
		all.Go(func() { answers(h, legacy) })
		all.Go(func() { answers(other, modern) })
		all.Wait()
		pass(time.Minute)
		for e, h := range []*host{h, other} {
			answered := 0
			for _, line := range h.received() {
				if strings.Contains(line, `"id":`) {
					answered++
				}
			}
			if answered != 60 {
				t.Errorf("%v host: %d of 60 requests were answered", era(e), answered)
			}
		}
		b.reconfigure(t, nil, nil)
		pass(time.Minute)
		if n := b.open.Load(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
	})
}
