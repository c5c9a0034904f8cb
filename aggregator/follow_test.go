package aggregator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// silentAt is a sharing server that does not answer the nth subscription.
func silentAt(n int) *upstreamtest.Server {
	s := sharing(legacy)
	s.Rules = slices.Insert(s.Rules, 0, upstreamtest.Rule{On: "resources/subscribe", Nth: n})
	return upstreamtest.New(s)
}

// TestFollowedThoughUnanswered: a subscription that a host believes to hold, while
// the server has not said a word of it, is asked for again until it has; unless
// the host is not interested any more.
func TestFollowedThoughUnanswered(t *testing.T) {
	subscriptions := func(server *upstreamtest.Server) int { return len(server.Received("resources/subscribe")) }
	listen := func(t *testing.T) (*bench, *host, *upstreamtest.Server) {
		t.Helper()
		server := silentAt(1)
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server})
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Timeout = 5 * time.Second })
		h.send(modern.open()...)
		h.send(listRequest(modern, "1"))
		h.send(modern.request(`"L"`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["file:///a"]}`, ""))
		pass(agreeTime)
		if got := strings.Join(h.received(), ""); !strings.Contains(got, `"resourceSubscriptions":["file:///a"]`) || subscriptions(server) != 1 {
			t.Fatalf("got %s after %d subscriptions, want it acknowledged without an answer", got, subscriptions(server))
		}
		return b, h, server
	}
	bubble(t, "acknowledged", func(t *testing.T) {
		b, h, server := listen(t)
		pass(time.Minute)
		if n := subscriptions(server); n != 2 {
			t.Errorf("the server was asked %d times, want once more", n)
		}
		h.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"L"}}`)
		if n := len(server.Received("resources/unsubscribe")); n != 1 || len(b.followers) != 0 {
			t.Errorf("the server heard of %d ends, and %v are followed", n, b.followers)
		}
	})
	bubble(t, "given up", func(t *testing.T) {
		_, h, server := listen(t)
		h.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"L"}}`)
		pass(time.Minute)
		if n := subscriptions(server); n != 1 {
			t.Errorf("the server was asked %d times, want once", n)
		}
	})
	bubble(t, "in time", func(t *testing.T) {
		server := silentAt(1)
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server})
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Timeout = time.Second })
		h.send(modern.open()...)
		h.send(listRequest(modern, "1"))
		h.send(modern.request(`"L"`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["file:///a"]}`, ""))
		pass(time.Minute)
		if got := strings.Join(h.received(), ""); !strings.Contains(got, `"resourceSubscriptions":[]`) || subscriptions(server) != 1 || len(b.followers) != 0 {
			t.Errorf("got %s after %d subscriptions, and %v are followed; want it declined", got, subscriptions(server), b.followers)
		}
	})
	bubble(t, "of a server that was replaced", func(t *testing.T) {
		server := silentAt(2)
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		want(t, "subscribe", h.send(legacy.request("2", "resources/subscribe", `"uri":"file:///a"`, "")), result("2", ""))
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].Timeout = 5 * time.Second })
		pass(time.Minute)
		if n := subscriptions(server); n != 3 {
			t.Errorf("the server was asked %d times, want once more", n)
		}
	})
}
