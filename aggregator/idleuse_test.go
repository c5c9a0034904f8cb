package aggregator

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// idleAfter is the idle_stop of these tests; what goes on takes several of it.
const idleAfter = time.Minute

// idling is a host of servers that are stopped when they are idle, the first of
// which is "up".
type idling struct {
	*host
	a *Aggregator
}

func startIdling(t *testing.T, e era, edit func(*Config), scripts ...upstreamtest.Script) (idling, *upstreamtest.Server) {
	t.Helper()
	names := []string{"up", "other"}[:len(scripts)]
	servers := map[string]*upstreamtest.Server{}
	for i, name := range names {
		servers[name] = upstreamtest.New(scripts[i])
	}
	cfg := config(t, servers, names...)
	for i := range cfg.Servers {
		cfg.Servers[i].IdleStop = idleAfter
	}
	if edit != nil {
		edit(&cfg)
	}
	a, h := start(t, cfg)
	h.send(e.capable()...)
	h.send(e.request(`"list"`, "tools/list", "", ""))
	return idling{h, a}, servers["up"]
}

// wantState checks what has become of "up" after a while.
func (i idling) wantState(t *testing.T, after time.Duration, when string, want upstream.State) {
	t.Helper()
	pass(after)
	synctest.Wait()
	if got := i.a.Status()[0]; got.State != want {
		t.Errorf("%s: up is %q (%v), want %q", when, got.State, got.Reason, want)
	}
}

// holding is a script whose tool "hold" is not answered before "go" is released.
func holding(e era) upstreamtest.Script {
	s := withTools("hold", "echo")
	s.Versions, s.TTL = e.versions(), int(time.Hour.Milliseconds())
	s.Rules = []upstreamtest.Rule{{On: "tools/call hold", Do: []upstreamtest.Step{{Await: "go"}, {Default: true}}}}
	return s
}

// TestIdleStopKnowsWhatIsInUse: whatever a host has begun with a server, and has
// not ended, keeps the server alive, though nothing of it be with the server; and
// the server is stopped when it has ended.
func TestIdleStopKnowsWhatIsInUse(t *testing.T) {
	const state, key = `"requestState":"`, `{"q1":`
	resume := func(h *host, tool string, got []string, answer string) {
		t.Helper()
		text := strings.Join(got, "")
		_, state, _ := strings.Cut(text, state)
		state, _, _ = strings.Cut(state, `"`)
		h.send(modern.capableCall("2", tool, resumeWith(key+answer+`}`, state)))
	}
	tests := []struct {
		name   string
		host   era
		script upstreamtest.Script
		begin  func(t *testing.T, h *host, up *upstreamtest.Server) (end func())
	}{
		{"a call", legacy, holding(legacy), func(_ *testing.T, h *host, up *upstreamtest.Server) func() {
			h.send(legacy.call("1", "up__hold", "{}"))
			return func() { up.Release("go") }
		}},
		{"a call that the host gives up", modern, holding(modern), func(_ *testing.T, h *host, _ *upstreamtest.Server) func() {
			h.send(modern.call("1", "up__hold", "{}"))
			return func() { h.send(cancelled("1")) }
		}},
		{
			// The server has answered, and has no request until the host has.
			"a question of a modern server to a legacy host", legacy, modern.asksForm(),
			func(t *testing.T, h *host, _ *upstreamtest.Server) func() {
				if got := h.send(legacy.call("1", "up__ask", "{}")); len(got) != 1 || !strings.Contains(got[0], "elicitation/create") {
					t.Fatalf("got %q, want a question", got)
				}
				return func() { h.send(`{"jsonrpc":"2.0","id":1,"result":{"action":"decline"}}`) }
			},
		},
		{
			"a question of a legacy server to a legacy host", legacy, legacy.asksForm(),
			func(_ *testing.T, h *host, _ *upstreamtest.Server) func() {
				h.send(legacy.call("1", "up__ask", "{}"))
				return func() { h.send(`{"jsonrpc":"2.0","id":1,"result":{"action":"decline"}}`) }
			},
		},
		{
			"a call that waits for a modern host's answer", modern, legacy.asksForm(),
			func(_ *testing.T, h *host, _ *upstreamtest.Server) func() {
				h.send(modern.capableCall("1", "up__ask", ""))
				pass(gatherTime)
				got := h.received()
				return func() { resume(h, "up__ask", got, `{"action":"decline"}`) }
			},
		},
		{
			// The server did not wait for the answer: nothing of the call is with it.
			"a result that waits for a modern host", modern,
			func() upstreamtest.Script {
				s := legacy.asksForm()
				s.Rules[0].Do[1] = upstreamtest.Step{Await: "shown"}
				s.Rules[0].Do = append(s.Rules[0].Do[:2:2], upstreamtest.Step{
					Send: raw(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q<1>"}}`),
				}, s.Rules[0].Do[2])
				return s
			}(),
			func(_ *testing.T, h *host, up *upstreamtest.Server) func() {
				h.send(modern.capableCall("1", "up__ask", ""))
				pass(gatherTime)
				got := h.received()
				up.Release("shown")
				synctest.Wait()
				return func() { resume(h, "up__ask", got, `{"action":"decline"}`) }
			},
		},
		{"a subscription of a legacy host", legacy, sharing(legacy), func(_ *testing.T, h *host, _ *upstreamtest.Server) func() {
			h.send(legacy.request("1", "resources/subscribe", `"uri":"file:///a"`, ""))
			return func() { h.send(legacy.request("2", "resources/unsubscribe", `"uri":"file:///a"`, "")) }
		}},
		{"a subscription of a modern host", modern, sharing(legacy), func(_ *testing.T, h *host, _ *upstreamtest.Server) func() {
			h.send(modern.request(`"L"`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["file:///a"]}`, ""))
			return func() { h.send(cancelled(`"L"`)) }
		}},
		{"a task, as long as its server says", legacy, func() upstreamtest.Script {
			s := taskServer()
			s.Rules[0].Do[0].Reply = raw(`{"task":{"taskId":"t1","status":"working","ttl":300000}}`)
			return s
		}(), func(_ *testing.T, h *host, _ *upstreamtest.Server) func() {
			h.send(legacy.request("1", "tools/call", `"name":"up__long","arguments":{},"task":{"ttl":300000}`, ""))
			return func() {}
		}},
	}
	for _, test := range tests {
		bubble(t, test.name, func(t *testing.T) {
			i, up := startIdling(t, test.host, nil, test.script)
			i.wantState(t, 0, "listed", upstream.Ready)
			end := test.begin(t, i.host, up)
			i.wantState(t, 5*idleAfter, "in use", upstream.Ready)
			end()
			i.received()
			i.wantState(t, idleAfter/2, "a moment later", upstream.Ready)
			i.wantState(t, idleAfter, "not any more", upstream.Idle)
		})
	}
}

// TestIdleStopKnowsWhatIsNoUse: a host that is there, what it does with weir itself
// and with other servers, and what weir does of its own accord keep no server alive.
func TestIdleStopKnowsWhatIsNoUse(t *testing.T) {
	tests := []struct {
		name string
		host era
		do   func(h *host)
	}{
		{"calls that the user has not approved yet", legacy, func(h *host) { h.send(legacy.call("1", "up__echo", "{}")) }},
		{"the same, in the modern era", modern, func(h *host) { h.send(modern.capableCall("1", "up__echo", "")) }},
		{"the host is there", legacy, func(*host) {}},
		{"it lists", legacy, func(h *host) { h.send(legacy.request("1", "tools/list", "", "")) }},
		{"it lists, in the modern era", modern, func(h *host) { h.send(modern.request("1", "tools/list", "", "")) }},
		{"pings", legacy, func(h *host) { h.send(legacy.request("1", "ping", "", "")) }},
		{"the level of the log", legacy, func(h *host) { h.send(legacy.request("1", "logging/setLevel", `"level":"info"`, "")) }},
		{"weir's own tools", legacy, func(h *host) { h.send(legacy.call("1", "weir__servers", "{}")) }},
		{"a call of another server", legacy, func(h *host) { h.send(legacy.call("1", "other__echo", "{}")) }},
		{"an unknown tool", legacy, func(h *host) { h.send(legacy.call("1", "up__none", "{}")) }},
	}
	for _, test := range tests {
		for _, server := range []era{legacy, modern} {
			bubble(t, test.name+"/"+server.String()+" server", func(t *testing.T) {
				approve := func(cfg *Config) { cfg.Policy, cfg.Approvals = policyOf(t, askPolicy), newApprovals(t).store() }
				i, _ := startIdling(t, test.host, approve, holding(server), holding(server))
				i.send(test.host.call(`"held"`, "other__hold", "{}")) // stays open
				if test.host == modern {
					i.send(modern.request(`"L"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`, ""))
				}
				for range 7 {
					pass(idleAfter / 5)
					test.do(i.host)
				}
				i.wantState(t, 0, "nobody uses it", upstream.Idle)
				if got := i.a.Status()[1]; got.State != upstream.Ready {
					t.Errorf("the other server is %q, want ready: it has a call", got.State)
				}
			})
		}
	}
}
