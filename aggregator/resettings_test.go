package aggregator

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// This file is what another configuration changes besides servers and policies.

// TestReconfigureNothing: the same configuration once more, and one that says the
// same in other words, touch nothing, and nobody is told.
func TestReconfigureNothing(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String(), func(t *testing.T) {
			up, other := upstreamtest.New(withTools("x")), upstreamtest.New(withTools("y"))
			b, h := benchOf(t, map[string]*upstreamtest.Server{"up": up, "other": other}, "up", "other")
			h.send(e.open()...)
			h.send(listRequest(e, "1"))
			if e == modern {
				h.send(modern.request(`"L"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`, ""))
			}
			for line := range 3 {
				b.reconfigure(t, []string{"up", "other"}, func(c *Config) {
					c.Policy = ruled(t, policy.Rule{Server: text("*"), Level: level(policy.Execute), Pos: policy.Position{File: "mcp.yaml", Line: 1 + line}})
				})
			}
			pass(time.Minute)
			want(t, "told", h.received())
			if n := len(up.Received("tools/list")) + len(other.Received("tools/list")); n != 2 {
				t.Errorf("servers were asked for lists %d times, want once each", n)
			}
		})
	}
}

// TestReconfigureOrder: servers in another order are listed in that, and none of
// them is started anew.
func TestReconfigureOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x")), "b": upstreamtest.New(withTools("y"))}, "a", "b")
		h.send(legacy.open()...)
		want(t, "before", h.send(listRequest(legacy, "1")), list("1", "a__x", "b__y"))
		if diff := cmp.Diff(Changes{}, b.reconfigure(t, []string{"b", "a"}, nil)); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		pass(time.Second)
		want(t, "told", h.received(), changed)
		want(t, "after", h.send(listRequest(legacy, "2")), list("2", "b__y", "a__x"))
		if n := b.open.Load(); n != 2 {
			t.Errorf("%d connections are open, want the two of before", n)
		}
	})
}

// TestReconfigureMessageLimit: another limit holds for the host at once, and for
// a server with its next connection; none is ended for it.
func TestReconfigureMessageLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(withTools("x"))
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		limited := func(bytes int) func(*Config) {
			return func(c *Config) { c.MessageLimit, c.Servers[0].MessageLimit = bytes, bytes }
		}
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		long := legacy.call("2", "up__x", `{"a":"`+strings.Repeat("x", 100_000)+`"}`)
		if diff := cmp.Diff(Changes{}, b.reconfigure(t, []string{"up"}, limited(90_000))); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if got := strings.Join(h.send(long), ""); !strings.Contains(got, "longer than 90000 bytes") {
			t.Errorf("lowered: got %s", got)
		}
		other := hostOf(t, b.Aggregator)
		other.send(legacy.open()...)
		if got := strings.Join(other.send(long), ""); !strings.Contains(got, "longer than 90000 bytes") {
			t.Errorf("a host that came later: got %s", got)
		}
		b.reconfigure(t, []string{"up"}, limited(200_000))
		if got := strings.Join(h.send(long), ""); !strings.Contains(got, `"text":"x"`) {
			t.Errorf("raised: got %s", got)
		}
		if n := len(server.Received("initialize")); n != 1 {
			t.Errorf("got %d connections, want the old one only", n)
		}
		if err := b.Restart("up"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := b.last.Load(); got != 200_000 {
			t.Errorf("the next connection: got a limit of %d", got)
		}
		if got := strings.Join(h.send(long), ""); !strings.Contains(got, `"text":"x"`) {
			t.Errorf("after a restart: got %s", got)
		}
	})
}

// TestNextConnectionsLimit: a server that is connected again by itself is with the
// limit that is configured by then.
func TestNextConnectionsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := withTools("x")
		script.Rules = []upstreamtest.Rule{{On: "tools/call x", Nth: 1, Do: []upstreamtest.Step{{Default: true}, {Exit: true}}}}
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up")
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Servers[0].MessageLimit = 200_000 })
		h.send(legacy.call("2", "up__x", "{}"))
		pass(time.Minute)
		h.send(legacy.call("3", "up__x", "{}"))
		pass(time.Minute)
		if got := b.last.Load(); got != 200_000 {
			t.Errorf("got a limit of %d", got)
		}
	})
}

// TestReconfigureAudit: requests are recorded where the configuration says when
// they end, or nowhere.
func TestReconfigureAudit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(gateScript())
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		h.send(legacy.call("2", "up__gate", `{}`)) // before anything is recorded
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		log := audit.Open(audit.Config{Path: path, Redact: func(dst, raw []byte) []byte { return append(dst, raw...) }})
		to := func(l *audit.Log) func(*Config) { return func(c *Config) { c.Audit = l } }
		b.reconfigure(t, []string{"up"}, to(log))
		server.Release("open")
		h.received()
		h.send(legacy.call("3", "up__echo", `{"n":3}`))
		if err := b.Restart("up"); err != nil { // which changes nothing else
			t.Fatal(err)
		}
		h.send(legacy.call("4", "up__echo", `{"n":4}`))
		b.reconfigure(t, []string{"up"}, to(nil))
		h.send(legacy.call("5", "up__echo", `{"n":5}`))
		recorded := &auditedHost{host: h, log: log, path: path}
		recorded.wants(
			"tool up gate execute ok",
			`tool up echo execute ok {"n":3}`,
			`tool up echo execute ok {"n":4}`,
		)
	})
}

// TestReconfigurePrincipal: whom weir serves may change: the next request is
// theirs, and hosts are told of what they see now.
func TestReconfigurePrincipal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(withTools("x", "y"))}, "up")
		only := func(key string) func(*Config) {
			return func(c *Config) {
				c.Principal = policy.Principal{Key: key}
				c.Policy = ruled(t, policy.Rule{Server: text("up"), Tool: text("y"), Level: level(policy.Deny), When: text(`principal.key == "laptop"`)})
			}
		}
		h.send(legacy.open()...)
		b.reconfigure(t, []string{"up"}, only("laptop"))
		want(t, "one", h.send(listRequest(legacy, "1")), list("1", "up__x"))
		pass(time.Second)
		h.received()
		b.reconfigure(t, []string{"up"}, only("desktop"))
		pass(time.Second)
		want(t, "told", h.received(), changed)
		want(t, "the other", h.send(listRequest(legacy, "2")), list("2", "up__x", "up__y"))
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Policy = policy.DenyAll("the key is not known any more") })
		want(t, "nobody", h.send(legacy.call("3", "up__x", "{}")), noTool("3", "up__x"))
	})
}
