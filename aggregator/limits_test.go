package aggregator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// limited is start with a server "up" of these limits and one "other" without.
func limited(t *testing.T, e era, limits Limits) (*upstreamtest.Server, *host) {
	t.Helper()
	script := gateScript()
	script.Versions = e.versions()
	up, other := upstreamtest.New(script), upstreamtest.New(script)
	cfg := config(t, map[string]*upstreamtest.Server{"up": up, "other": other}, "up", "other")
	cfg.Servers[0].Limits = limits
	_, h := start(t, cfg)
	h.send(e.open()...)
	h.send(e.request("0", "tools/list", "", ""))
	return up, h
}

func limitedResult(id, text, data string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":%q}],"isError":true,"_meta":{"weir/error":{"kind":"rate_limited","server":"up",%s}}}}`, id, text, data)
}

const (
	overTwo = `Server "up": the limit of 2 requests a minute in weir's configuration is reached. Nothing was sent. The next try may be in 30 s.`
	busy    = `Server "up": the server works on 1 requests, as many as weir's configuration allows at once. Nothing was sent; call again when others have ended.`
)

func TestRateLimit(t *testing.T) {
	bubble(t, "calls", func(t *testing.T) {
		up, h := limited(t, legacy, Limits{Rate: Rate{Count: 2, Per: time.Minute}})
		for id := range 2 {
			want(t, "within", h.send(legacy.call(fmt.Sprint(id), "up__echo", "{}")), done(fmt.Sprint(id)))
		}
		want(t, "over", h.send(legacy.call("3", "up__echo", "{}")),
			limitedResult("3", overTwo, `"tool":"echo","retryable":true,"retryAfterMs":30000`))
		want(t, "others", h.send(legacy.call("4", "other__echo", "{}")), done("4"))
		want(t, "lists", h.send(legacy.request("5", "ping", "", "")), result("5", ""))
		if n := len(up.Received("tools/call")); n != 2 {
			t.Errorf("server got %d calls, want 2", n)
		}
		pass(30 * time.Second)
		want(t, "later", h.send(legacy.call("6", "up__echo", "{}")), done("6"))
	})
}

func TestMaxConcurrent(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		calls := func(up *upstreamtest.Server) int { return len(up.Received("tools/call")) }
		answered := func(t *testing.T, what string, got []string, ids ...string) {
			t.Helper()
			if len(got) != len(ids) {
				t.Fatalf("%s: got %d answers %q, want %v", what, len(got), got, ids)
			}
			for i, id := range ids {
				if !strings.HasPrefix(got[i], `{"jsonrpc":"2.0","id":`+id+`,"result"`) || strings.Contains(got[i], "isError") {
					t.Errorf("%s: got %s, want the result of %s", what, got[i], id)
				}
			}
		}
		bubble(t, e.String()+": the next has its turn when one has ended, and others do not wait", func(t *testing.T) {
			up, h := limited(t, e, Limits{Concurrent: 1})
			answered(t, "first", h.send(e.call("1", "up__gate", "{}"), e.call("2", "up__echo", `{"n":2}`), e.call("3", "up__echo", "{}")))
			if n := calls(up); n != 1 {
				t.Errorf("server got %d calls, want 1", n)
			}
			answered(t, "other server", h.send(e.call("4", "other__echo", "{}")), "4")
			up.Release("open")
			answered(t, "in order", h.received(), "1", "2", "3")
			if last := up.Received("tools/call"); len(last) != 3 || !strings.Contains(string(last[1].Message), `"arguments":{"n":2}`) {
				t.Errorf("server got %d calls, want three with the arguments that were sent", len(last))
			}
			answered(t, "afterwards", h.send(e.call("5", "up__echo", "{}")), "5")
		})
		bubble(t, e.String()+": as many at once as allowed", func(t *testing.T) {
			up, h := limited(t, e, Limits{Concurrent: 2})
			h.send(e.call("1", "up__gate", "{}"), e.call("2", "up__gate", "{}"), e.call("3", "up__gate", "{}"))
			if n := calls(up); n != 2 {
				t.Errorf("server got %d calls, want 2", n)
			}
		})
		bubble(t, e.String()+": a cancelled call frees its place, or leaves the queue", func(t *testing.T) {
			up, h := limited(t, e, Limits{Concurrent: 1})
			h.send(e.call("1", "up__gate", "{}"), e.call("2", "up__echo", "{}"), e.call("3", "up__echo", "{}"))
			want(t, "waiting", h.send(cancelled("2")))
			answered(t, "its place", h.send(cancelled("1")), "3")
			if n := calls(up); n != 2 {
				t.Errorf("server got %d calls, want 2", n)
			}
		})
	}
	bubble(t, "it is not waited for ever", func(t *testing.T) {
		up, h := limited(t, legacy, Limits{Concurrent: 1})
		h.send(legacy.call("1", "up__gate", "{}"), legacy.call("2", "up__echo", "{}"))
		pass(29 * time.Second)
		want(t, "early", h.received())
		pass(time.Second)
		want(t, "late", h.received(), limitedResult("2", busy, `"tool":"echo","retryable":true`))
		up.Release("open")
		want(t, "the first", h.received(), done("1"))
		want(t, "its place is free", h.send(legacy.call("3", "up__echo", "{}")), done("3"))
	})
	bubble(t, "the queue has an end", func(t *testing.T) {
		up, h := limited(t, legacy, Limits{Concurrent: 1})
		h.send(legacy.call("0", "up__gate", "{}"))
		var lines []string
		for id := range maxQueue {
			lines = append(lines, legacy.call(fmt.Sprint(id+1), "up__echo", "{}"))
		}
		want(t, "in the queue", h.send(lines...))
		want(t, "one more", h.send(legacy.call("9999", "up__echo", "{}")), limitedResult("9999", busy, `"tool":"echo","retryable":true`))
		up.Release("open")
		if n := len(h.received()); n != maxQueue+1 {
			t.Errorf("got %d answers, want %d", n, maxQueue+1)
		}
	})
	bubble(t, "a host that goes leaves no place taken", func(t *testing.T) {
		script := gateScript()
		up := upstreamtest.New(script)
		cfg := config(t, map[string]*upstreamtest.Server{"up": up}, "up")
		cfg.Servers[0].Limits.Concurrent = 1
		a, h := start(t, cfg)
		h.send(legacy.open()...)
		h.send(legacy.request("0", "tools/list", "", ""))
		h.send(legacy.call("1", "up__gate", "{}"), legacy.call("2", "up__echo", "{}"))
		h.close()
		next := hostOf(t, a)
		next.send(legacy.open()...)
		want(t, "next host", next.send(legacy.call("1", "up__echo", "{}")), done("1"))
	})
}

// Who waits for the user has no place: the server's question is answered while
// another call runs.
func TestPlaceOfParkedCall(t *testing.T) {
	bubble(t, "modern host, server with a handshake", func(t *testing.T) {
		script := echoScript()
		script.Tools = append(script.Tools, upstreamtest.Tool("ask"))
		script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/call ask", Do: []upstreamtest.Step{
			{Send: raw(`{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}}`)},
			{Await: "response q"},
			{Reply: raw(`{"content":[]}`)},
		}})
		up := upstreamtest.New(script)
		cfg := config(t, map[string]*upstreamtest.Server{"up": up}, "up")
		cfg.Servers[0].Limits.Concurrent = 1
		_, h := start(t, cfg)
		able := strings.ReplaceAll(modern.call("1", "up__ask", "{}"), `"io.modelcontextprotocol/clientCapabilities":{}`, `"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}}`)
		h.send(strings.ReplaceAll(modern.open()[0], `"io.modelcontextprotocol/clientCapabilities":{}`, `"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}}`))
		h.send(able)
		pass(gatherTime)
		if got := h.received(); len(got) != 1 || !strings.Contains(got[0], "input_required") {
			t.Fatalf("got %q, want the question", got)
		}
		if got := h.send(modern.call("2", "up__echo", "{}")); len(got) != 1 || !strings.Contains(got[0], `"text":"ok"`) {
			t.Errorf("got %q, want the result of the other call", got)
		}
	})
}
