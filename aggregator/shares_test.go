package aggregator

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// gates are servers that answer calls of "gate" when they are let, and those of
// "echo" at once.
func gates(t *testing.T, cfg func(*Config), names ...string) (map[string]*upstreamtest.Server, *host, *Aggregator) {
	t.Helper()
	servers := make(map[string]*upstreamtest.Server, len(names))
	for _, name := range names {
		servers[name] = upstreamtest.New(gateScript())
	}
	c := config(t, servers, names...)
	if cfg != nil {
		cfg(&c)
	}
	a, h := start(t, c)
	h.send(legacy.open()...)
	h.send(legacy.request("0", "tools/list", "", ""))
	return servers, h, a
}

// refusals counts the answers that refuse a call of a server for its share, and
// returns the others.
func refusals(lines []string, server string) (refused int, others []string) {
	for _, line := range lines {
		if strings.Contains(line, `{"kind":"rate_limited","server":"`+server+`","tool":"gate","retryable":true}`) && strings.Contains(line, `"isError":true`) {
			refused++
		} else {
			others = append(others, line)
		}
	}
	return refused, others
}

// unheld reports what a host holds when nothing is in flight.
func unheld(t *testing.T, a *Aggregator) {
	t.Helper()
	for _, s := range a.sessionList() {
		s.mu.Lock()
		if s.held != (share{}) || s.calls.len() != 0 {
			t.Errorf("%d calls hold %+v, want nothing", s.calls.len(), s.held)
		}
		for server, has := range s.shares {
			if *has != (share{}) {
				t.Errorf("%s has %+v, want nothing", server.Name, *has)
			}
		}
		s.mu.Unlock()
	}
}

// TestSharesOfPlaces: a server that never answers gets no more places than are
// left for others, and two of them no more either.
func TestSharesOfPlaces(t *testing.T) {
	flood := func(from, n int, server string) []string {
		lines := make([]string, n)
		for i := range lines {
			lines[i] = legacy.call(strconv.Itoa(from+i), server+"__gate", "{}")
		}
		return lines
	}
	bubble(t, "one", func(t *testing.T) {
		servers, h, a := gates(t, nil, "dead", "well")
		refused, others := refusals(h.send(flood(1, maxInFlight, "dead")...), "dead")
		if refused != maxInFlight/2 || len(others) != 0 {
			t.Fatalf("%d calls were refused, and %d answered, want %d and none", refused, len(others), maxInFlight/2)
		}
		want(t, "the other server", h.send(legacy.call(`"w"`, "well__echo", "{}")), done(`"w"`))
		want(t, "a cancelled one", h.send(cancelled("1"), cancelled("1"), legacy.call(`"x"`, "dead__gate", "{}")))
		servers["dead"].Release("open")
		if n := len(h.received()); n != maxInFlight/2 {
			t.Errorf("got %d answers, want %d", n, maxInFlight/2)
		}
		want(t, "afterwards", h.send(legacy.call(`"y"`, "dead__gate", "{}")), done(`"y"`))
		unheld(t, a)
	})
	bubble(t, "two", func(t *testing.T) {
		_, h, _ := gates(t, nil, "dead", "gone", "well")
		h.send(flood(1, maxInFlight, "dead")...)
		refused, _ := refusals(h.send(flood(maxInFlight+1, maxInFlight, "gone")...), "gone")
		if taken := maxInFlight - refused; taken != maxInFlight/4 {
			t.Errorf("the second server has %d places, want %d", taken, maxInFlight/4)
		}
		want(t, "the well one", h.send(legacy.call(`"w"`, "well__echo", "{}")), done(`"w"`))
	})
}

// TestSharesOfBytes: what waits for a server that cannot be connected to is bounded
// in bytes as well, and others are not kept from theirs.
func TestSharesOfBytes(t *testing.T) {
	const limit = 64 << 10
	large := func(id, server string) string {
		return legacy.call(id, server+"__gate", `{"x":"`+strings.Repeat("x", 40<<10)+`"}`)
	}
	bubble(t, "waiting for a connection", func(t *testing.T) {
		script := gateScript()
		script.Rules = append([]upstreamtest.Rule{
			{On: "tools/call echo", Do: []upstreamtest.Step{{Exit: true}}},
			{On: "initialize", Nth: 1, Do: []upstreamtest.Step{{Default: true}}},
			{On: "initialize"},
		}, script.Rules...)
		servers := map[string]*upstreamtest.Server{"dead": upstreamtest.New(script), "well": upstreamtest.New(gateScript())}
		cfg := config(t, servers, "dead", "well")
		cfg.MessageLimit = limit
		a, h := start(t, cfg)
		h.send(legacy.open()...)
		h.send(legacy.request("0", "tools/list", "", ""))
		h.send(legacy.call("1", "dead__echo", "{}")) // ends it
		var lines []string
		for id := range 10 {
			lines = append(lines, large(strconv.Itoa(10+id), "dead"))
		}
		refused, others := refusals(h.send(lines...), "dead")
		if refused != 7 || len(others) != 0 {
			t.Errorf("%d of ten calls were refused, %d answered, want seven and none", refused, len(others))
		}
		want(t, "a large one of the other server", h.send(large(`"w"`, "well")))
		servers["well"].Release("open")
		want(t, "its answer", h.received(), done(`"w"`))
		pass(upstream.DefaultConnectTimeout)
		if got := h.received(); len(got) != 3 || !strings.Contains(got[0], "was not ready within 30s") {
			t.Errorf("got %.300q, want three failures to connect", got)
		}
		unheld(t, a)
	})
	bubble(t, "one message there is always room for", func(t *testing.T) {
		servers, h, _ := gates(t, func(c *Config) { c.MessageLimit = limit }, "up")
		most := legacy.call("1", "up__gate", `{"x":"`+strings.Repeat("x", limit-200)+`"}`)
		servers["up"].Release("open")
		for range 5 {
			want(t, "alone", h.send(most), done("1"))
		}
	})
	bubble(t, "of all", func(t *testing.T) {
		script := gateScript()
		script.Rules = []upstreamtest.Rule{{On: "tools/list"}} // so that nobody knows whose calls are
		cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up")
		cfg.MessageLimit = limit
		a, h := start(t, cfg)
		h.send(legacy.open()...)
		var lines []string
		for id := range 10 {
			lines = append(lines, large(strconv.Itoa(id), "up"))
		}
		if got := h.send(lines...); len(got) != 4 || !strings.Contains(got[0], `"id":6,`) || !strings.Contains(got[0], "Too many requests are in flight") {
			t.Errorf("got %.200q, want the last four of ten refused", got)
		}
		pass(DefaultPatience + upstream.DefaultListTimeout)
		if got := h.received(); len(got) != 6 {
			t.Errorf("got %d answers, want 6", len(got))
		}
		unheld(t, a)
	})
}

// TestSharesOfQuestions: a server whose questions stay open leaves room for those
// of others, in both eras of the host.
func TestSharesOfQuestions(t *testing.T) {
	script := asking("", "{}")
	script.Rules = []upstreamtest.Rule{{On: "tools/call ask", Do: []upstreamtest.Step{
		{Send: raw(`{"jsonrpc":"2.0","id":"$id","method":"roots/list"}`)}, {Await: "never"},
	}}}
	servers := func() map[string]*upstreamtest.Server {
		return map[string]*upstreamtest.Server{"nosy": upstreamtest.New(script), "well": upstreamtest.New(script)}
	}
	bubble(t, "modern host", func(t *testing.T) {
		a, h := start(t, config(t, servers(), "nosy", "well"))
		h.send(modern.capable()...)
		parked := func(id, tool string) bool {
			h.send(modern.capableCall(id, tool, ""))
			pass(gatherTime)
			got := h.received()
			if len(got) != 1 {
				t.Fatalf("got %q, want one answer", got)
			}
			if !strings.Contains(got[0], "input_required") && !strings.Contains(got[0], `"kind":"rate_limited","server":"nosy"`) {
				t.Fatalf("got %s, want a question or rate_limited", got[0])
			}
			return strings.Contains(got[0], "input_required")
		}
		n := 0
		for n < maxParked && parked(strconv.Itoa(n), "nosy__ask") {
			n++
		}
		if n != maxParked/2 {
			t.Errorf("one server may ask in %d calls at once, want %d", n, maxParked/2)
		}
		if !parked(`"w"`, "well__ask") {
			t.Error("another one may not ask")
		}
		pass(answerTime + time.Second)
		unheld(t, a)
	})
	bubble(t, "legacy host", func(t *testing.T) {
		nosy := upstreamtest.Script{Tools: script.Tools, Rules: []upstreamtest.Rule{{On: "tools/call ask", Do: []upstreamtest.Step{
			{Send: raw(`{"jsonrpc":"2.0","id":$n,"method":"roots/list"}`), Repeat: maxAsked}, {Await: "never"},
		}}}}
		all := servers()
		all["nosy"], all["also"] = upstreamtest.New(nosy), upstreamtest.New(nosy)
		_, h := start(t, config(t, all, "nosy", "also", "well"))
		h.send(legacy.capable()...)
		asked := func(id, tool string) int {
			return strings.Count(strings.Join(h.send(legacy.call(id, tool, "{}")), "\n"), "roots/list")
		}
		first, second, third := asked("1", "nosy__ask"), asked("2", "also__ask"), asked("3", "well__ask")
		if first != maxAsked/2 || second != maxAsked/4 || third != 1 {
			t.Errorf("the servers may ask %d, %d and %d questions, want %d, %d and one", first, second, third, maxAsked/2, maxAsked/4)
		}
	})
}

// TestUnansweredQuestion: a legacy host that never answers what a server asks has
// the question taken back, and the server hears of it; progress gives more time.
func TestUnansweredQuestion(t *testing.T) {
	bubble(t, "legacy host", func(t *testing.T) {
		script := asking("", "{}")
		script.Rules[0].Do[0] = upstreamtest.Step{Send: raw(`{"jsonrpc":"2.0","id":"q<1>","method":"sampling/createMessage","params":{"_meta":{"progressToken":1},"messages":[]}}`)}
		server, h := one(t, script)
		h.send(legacy.capable()...)
		got := h.send(legacy.call("1", "up__ask", "{}"))
		if len(got) != 1 || !strings.Contains(got[0], `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"`) {
			t.Fatalf("got %q, want the question", got)
		}
		pass(answerTime - time.Second)
		want(t, "in time", h.send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`))
		pass(answerTime - time.Second)
		want(t, "after progress", h.received())
		pass(time.Second)
		want(t, "late", h.received(),
			`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"no answer in time"}}`, result("1", `"content":[{"type":"text","text":"done"}]`))
		want(t, "far too late", h.send(result("1", "")))
		if got := answersTo(server); len(got) != 1 || !strings.Contains(got[0], errHostSilent.Error()) {
			t.Errorf("server got %q, want to hear that nobody has answered", got)
		}
	})
	bubble(t, "answered ones cost nothing", func(t *testing.T) {
		_, h := one(t, asking("roots/list", "{}"))
		h.send(legacy.capable()...)
		for id := range 3 {
			h.send(legacy.call(fmt.Sprint(id), "up__ask", "{}"))
			h.send(result(strconv.Itoa(id+1), `"roots":[]`))
			pass(answerTime)
			want(t, "nothing more", h.received())
		}
	})
}
