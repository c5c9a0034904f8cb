package aggregator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// wordOf is an update of a resource, as weir itself tells of it, to a legacy host
// or on a stream of a modern one.
func wordOf(e era, uri string) string {
	meta := ""
	if e == modern {
		meta = `,"_meta":{"io.modelcontextprotocol/subscriptionId":"L"}`
	}
	return `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"` + uri + `"` + meta + `}}`
}

// followFrom has the host of an era follow resources, in one way or the other.
func followFrom(t *testing.T, h *host, e era, uris ...string) {
	t.Helper()
	h.send(e.open()...)
	h.send(listRequest(e, "1"))
	if e == modern {
		filter := `"notifications":{"resourceSubscriptions":["` + strings.Join(uris, `","`) + `"]}`
		if got := strings.Join(h.send(modern.request(`"L"`, "subscriptions/listen", filter, "")), ""); !strings.Contains(got, strings.Join(uris, `","`)) {
			t.Fatalf("got %s, want it acknowledged", got)
		}
		return
	}
	for _, uri := range uris {
		want(t, "subscribe", h.send(legacy.request("2", "resources/subscribe", `"uri":"`+uri+`"`, "")), result("2", ""))
	}
}

// TestUpdateWhileTheServerWasAway: a host that follows a resource hears of it once
// when its server is back, be the server of whichever era; others hear nothing.
func TestUpdateWhileTheServerWasAway(t *testing.T) {
	for _, speaks := range []era{legacy, modern} {
		for _, e := range []era{legacy, modern} {
			bubble(t, e.String()+" host, "+speaks.String()+" server", func(t *testing.T) {
				s := sharing(speaks)
				s.Tools = append(s.Tools, raw(`{"name":"die","inputSchema":{"type":"object"}}`))
				s.Rules = append(s.Rules, upstreamtest.Rule{On: "tools/call die", Do: []upstreamtest.Step{{Exit: true}}})
				b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(s)}, "up")
				other := hostOf(t, b.Aggregator)
				other.send(legacy.open()...)
				followFrom(t, h, e, "file:///a")
				pass(time.Minute)
				want(t, "while it is there", h.received())
				told := h.send(e.call("5", "up__die", "{}"))
				pass(time.Minute)
				told = append(told, h.received()...)
				told = slices.DeleteFunc(told, func(line string) bool { return strings.Contains(line, `"id":5`) })
				want(t, "once it is back", told, wordOf(e, "file:///a"))
				want(t, "who does not follow it", other.received())
			})
		}
	}
}

// TestUpdateByReconfiguration: a resource that goes to another server with a new
// configuration is told of once that one has been told to tell, or will not; one
// that goes away is told of at once, for nothing will be any more.
func TestUpdateByReconfiguration(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		open := func(t *testing.T, rules ...upstreamtest.Rule) (*bench, *host) {
			s := sharing(legacy)
			s.Rules = append(rules, s.Rules...)
			b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(s)}, "up")
			followFrom(t, h, e, "file:///a")
			return b, h
		}
		replace := func(t *testing.T, b *bench) {
			b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Timeout = time.Hour })
		}
		bubble(t, "replaced, "+e.String(), func(t *testing.T) {
			b, h := open(t)
			replace(t, b)
			want(t, "told", h.received(), wordOf(e, "file:///a"))
			pass(time.Hour)
			want(t, "told later", h.received())
		})
		bubble(t, "replaced by one that does not have it, "+e.String(), func(t *testing.T) {
			b, h := open(t, upstreamtest.Rule{On: "resources/subscribe", Nth: 2, Do: []upstreamtest.Step{{Error: raw(`{"code":-32002,"message":"Resource not found"}`)}}})
			replace(t, b)
			want(t, "told", h.received(), wordOf(e, "file:///a"))
		})
		bubble(t, "replaced by one that is silent at first, "+e.String(), func(t *testing.T) {
			b, h := open(t, upstreamtest.Rule{On: "resources/subscribe", Nth: 2})
			b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Timeout = 5 * time.Second })
			want(t, "told at once", h.received())
			pass(time.Minute)
			want(t, "told at last", h.received(), wordOf(e, "file:///a"))
		})
		bubble(t, "removed, "+e.String(), func(t *testing.T) {
			b, h := open(t)
			b.reconfigure(t, nil, nil)
			if got := strings.Join(h.received(), ""); strings.Count(got, wordOf(e, "file:///a")) != 1 || strings.Count(got, "resources/updated") != 1 {
				t.Errorf("got %s, want to be told of it", got)
			}
			if got := strings.Join(h.send(e.request("7", "resources/read", `"uri":"file:///a"`, "")), ""); !strings.Contains(got, `"error"`) {
				t.Errorf("got %s, want it to be unknown", got)
			}
			if len(b.followers) != 0 {
				t.Errorf("%v are followed", b.followers)
			}
		})
		bubble(t, "denied, "+e.String(), func(t *testing.T) {
			b, h := open(t)
			b.reconfigure(t, []string{"up"}, func(c *Config) {
				c.Policy = ruled(t, policy.Rule{Server: text("*"), Resource: text("*"), Level: level(policy.Deny)})
			})
			if got := strings.Join(h.received(), ""); strings.Count(got, wordOf(e, "file:///a")) != 1 {
				t.Errorf("got %s, want to be told of it", got)
			}
		})
	}
	bubble(t, "removed, of a host that is not ready", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(sharing(legacy))}, "up")
		h.send(initialize)
		h.send(listRequest(legacy, "1"))
		h.send(legacy.request("2", "resources/subscribe", `"uri":"file:///a"`, ""))
		if len(b.followers) != 1 {
			t.Fatalf("%v are followed, want one", b.followers)
		}
		b.reconfigure(t, nil, nil)
		want(t, "told", h.received())
	})
	bubble(t, "two hosts", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(sharing(legacy))}, "up")
		other := hostOf(t, b.Aggregator)
		followFrom(t, h, legacy, "file:///a")
		followFrom(t, other, modern, "file:///a")
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Timeout = time.Hour })
		pass(time.Second)
		want(t, "one", h.received(), wordOf(legacy, "file:///a"))
		want(t, "the other", other.received(), wordOf(modern, "file:///a"))
	})
	bubble(t, "by the name that the host knows", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"a": upstreamtest.New(sharing(legacy)), "b": upstreamtest.New(sharing(legacy))}, "a", "b")
		followFrom(t, h, legacy, "b+file:///a")
		b.reconfigure(t, []string{"a"}, nil)
		if got := strings.Join(h.received(), ""); !strings.Contains(got, wordOf(legacy, "b+file:///a")) {
			t.Errorf("got %s, want to be told of it", got)
		}
	})
	bubble(t, "of what a task was, nothing", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(sharing(legacy))}, "up")
		followFrom(t, h, modern, "file:///a")
		for l := range b.sessions {
			l.mu.Lock()
			l.listeners[0].follows = []followed{{b.world.Load().byName["up"], "a task", true}}
			l.mu.Unlock()
		}
		b.followers[followed{b.world.Load().byName["up"], "a task", true}] = 1
		b.reconfigure(t, nil, nil)
		if got := strings.Join(h.received(), ""); strings.Contains(got, "resources/updated") {
			t.Errorf("got %s", got)
		}
	})
}

// TestUpdateBeforeTheServerAnswered: a modern host that was told that a resource is
// followed, before the server said so, hears of it when it does; who follows
// another hears nothing.
func TestUpdateBeforeTheServerAnswered(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		s := sharing(legacy)
		s.Rules = append([]upstreamtest.Rule{{On: "resources/subscribe", Nth: 1, Do: []upstreamtest.Step{{Await: "take"}, {Reply: raw(`{}`)}}}}, s.Rules...)
		server := upstreamtest.New(s)
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		other := hostOf(t, b.Aggregator)
		h.send(modern.open()...)
		h.send(listRequest(modern, "1"))
		h.send(modern.request(`"L"`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["file:///a"]}`, ""))
		pass(agreeTime)
		if got := strings.Join(h.received(), ""); !strings.Contains(got, `"resourceSubscriptions":["file:///a"]`) {
			t.Fatalf("got %s, want it acknowledged", got)
		}
		followFrom(t, other, legacy, "file:///b")
		server.Release("take")
		want(t, "told", h.received(), wordOf(modern, "file:///a"))
		want(t, "who follows another", other.received())
	})
}
