package aggregator

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestServerAsksForEver: a server with a handshake that asks one thing after the
// other wears out neither host; its call ends all the same.
func TestServerAsksForEver(t *testing.T) {
	steps := []upstreamtest.Step{}
	for i := range maxTimesAsked + 5 {
		steps = append(steps,
			upstreamtest.Step{Send: raw(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"roots/list"}`, i))},
			upstreamtest.Step{Await: fmt.Sprintf("response %d", i)})
	}
	script := asking("", "{}")
	script.Rules = []upstreamtest.Rule{{On: "tools/call ask", Do: append(steps, upstreamtest.Step{Default: true})}}
	bubble(t, "modern host", func(t *testing.T) {
		server, h := one(t, script)
		h.send(modern.capable()...)
		h.send(modern.capableCall("0", "up__ask", ""))
		rounds := 0
		for {
			pass(gatherTime)
			got := h.received()
			if len(got) != 1 || !strings.Contains(got[0], "input_required") {
				if len(got) != 1 || !strings.Contains(got[0], `"resultType":"complete"`) {
					t.Errorf("got %q, want the result", got)
				}
				break
			}
			rounds++
			requests, state := inputRequired(t, got)
			key := strings.Split(requests, `"`)[1]
			line := modern.capableCall(fmt.Sprint(rounds), "up__ask", resumeWith(`{"`+key+`":{"roots":[]}}`, state))
			if early := h.send(line); len(early) > 0 {
				break
			}
		}
		if rounds != maxTimesAsked {
			t.Errorf("the host was asked %d times, want %d", rounds, maxTimesAsked)
		}
		if refused := strings.Count(strings.Join(answersTo(server), "\n"), `"error"`); refused != 5 {
			t.Errorf("server was refused %d times, want 5", refused)
		}
	})
	bubble(t, "all at once, legacy host", func(t *testing.T) {
		flood := []upstreamtest.Step{}
		for i := range maxAsked + 50 {
			flood = append(flood, upstreamtest.Step{Send: raw(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"roots/list"}`, i))})
		}
		script := script
		script.Rules = []upstreamtest.Rule{{On: "tools/call ask", Do: append(flood, upstreamtest.Step{Default: true})}}
		_, h := one(t, script)
		h.send(legacy.capable()...)
		asked := 0
		for _, line := range h.send(legacy.call("1", "up__ask", "{}")) {
			if strings.Contains(line, "roots/list") {
				asked++
			}
		}
		if asked != maxAsked/2 {
			t.Errorf("the host was asked %d things at once, want %d", asked, maxAsked/2)
		}
	})
}

// TestTokensOfOthers: what a server says about another server's work reaches
// nobody.
func TestTokensOfOthers(t *testing.T) {
	bubble(t, "progress", func(t *testing.T) {
		slow := asking("", "{}")
		slow.Rules = []upstreamtest.Rule{{On: "tools/call ask", Do: []upstreamtest.Step{{Await: "go"}, {Default: true}}}}
		var lies []upstreamtest.Step
		for token := range 10 {
			lies = append(lies, upstreamtest.Step{Send: raw(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%d,"progress":1}}`, token))})
		}
		lies = append(lies, upstreamtest.Step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"mine","progress":1}}`)})
		liar := asking("", "{}")
		liar.Rules = []upstreamtest.Rule{{On: "tools/call other", Do: append(lies, upstreamtest.Step{Default: true})}}
		servers := map[string]*upstreamtest.Server{"slow": upstreamtest.New(slow), "liar": upstreamtest.New(liar)}
		_, h := start(t, config(t, servers, "slow", "liar"))
		h.send(legacy.capable()...)
		h.send(legacy.request("1", "tools/call", `"name":"slow__ask","arguments":{}`, `"progressToken":"mine"`))
		got := h.send(legacy.call("2", "liar__other", "{}"))
		if len(got) != 1 || !strings.Contains(got[0], `"id":2`) {
			t.Errorf("got %q, want the answer alone", got)
		}
		servers["slow"].Release("go")
		h.received()
	})
	bubble(t, "answers", func(t *testing.T) {
		slow := asking("", "{}")
		slow.Rules = []upstreamtest.Rule{{On: "tools/call ask", Do: []upstreamtest.Step{{Await: "go"}, {Default: true}}}}
		var lies []upstreamtest.Step
		for id := range 10 {
			lies = append(lies, upstreamtest.Step{Send: raw(fmt.Sprintf(`{"jsonrpc":"2.0","id":"%d","result":{"content":[{"type":"text","text":"lie"}]}}`, id))})
		}
		liar := asking("", "{}")
		liar.Rules = []upstreamtest.Rule{{On: "tools/call other", Do: append(lies, upstreamtest.Step{Default: true})}}
		servers := map[string]*upstreamtest.Server{"slow": upstreamtest.New(slow), "liar": upstreamtest.New(liar)}
		_, h := start(t, config(t, servers, "slow", "liar"))
		h.send(legacy.capable()...)
		h.send(legacy.call("1", "slow__ask", "{}"))
		if got := strings.Join(h.send(legacy.call("2", "liar__other", "{}")), "\n"); strings.Contains(got, "lie\"") {
			t.Errorf("got %q", got)
		}
		servers["slow"].Release("go")
		h.received()
	})
}

// TestTaskAfterReconnect: a task's id is good after its server was lost and, in
// another weir of the same user, after weir itself was.
func TestTaskAfterReconnect(t *testing.T) {
	dir := t.TempDir()
	script := taskServer()
	script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/call echo", Do: []upstreamtest.Step{{Exit: true}}})
	id := ""
	for _, life := range []string{"first weir", "second weir"} {
		bubble(t, life, func(t *testing.T) {
			store, err := catalog.OpenStore(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up")
			cfg.Store = store
			_, h := start(t, cfg)
			h.send(legacy.capable()...)
			if id == "" {
				got := h.send(legacy.request("1", "tools/call", `"name":"up__long","arguments":{},"task":{}`, ""))
				id = taskIDOf(t, got[0])
				h.send(legacy.call("2", "up__echo", "{}")) // the end of the connection
			}
			got := h.send(legacy.request("3", "tasks/get", `"taskId":"`+id+`"`, ""))
			if len(got) != 1 || !strings.Contains(got[0], `"status":"completed"`) || taskIDOf(t, got[0]) != id {
				t.Errorf("got %q, want the task", got)
			}
		})
	}
}
