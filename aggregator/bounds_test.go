package aggregator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestPutByIsBounded: of the results that came before a modern host has answered,
// the one that is too much fails, as one that may have run. The one before, and all
// else, is not concerned.
func TestPutByIsBounded(t *testing.T) {
	bubble(t, "two large results", func(t *testing.T) {
		script := asking("roots/list", `{}`)
		const large = maxPutBy/2 + 1<<10
		script.Rules[0].Do[0] = upstreamtest.Step{Send: raw(`{"jsonrpc":"2.0","id":"$id","method":"roots/list"}`)}
		script.Rules[0].Do[1] = upstreamtest.Step{Delay: upstreamtest.Duration(time.Second)} // it waits for no answer
		script.Rules[0].Do[2] = upstreamtest.Step{Reply: raw(`{"content":[{"type":"text","text":"$fill"}]}`), Fill: large}
		script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/call other", Do: []upstreamtest.Step{
			{Reply: raw(`{"content":[{"type":"text","text":"ok"}]}`)},
		}})
		_, h := one(t, script)
		h.send(modern.capable()...)
		var states []string
		for id := range 2 {
			h.send(modern.capableCall(fmt.Sprint(id), "up__ask", ""))
			pass(gatherTime)
			_, state := inputRequired(t, h.received())
			states = append(states, state)
			pass(2 * time.Second)
		}
		want(t, "another call", h.send(modern.call(`"x"`, "up__other", "{}")), result(`"x"`, `"resultType":"complete",`+serverMeta+`,"content":[{"type":"text","text":"ok"}]`))
		answer := func(id int) string {
			t.Helper()
			got := h.send(modern.capableCall(fmt.Sprint(10+id), "up__ask", resumeWith(`{"q1":{"roots":[]}}`, states[id])))
			if len(got) != 1 {
				t.Fatalf("got %d answers, want one", len(got))
			}
			return got[0]
		}
		if got := answer(1); !strings.Contains(got, `"kind":"rate_limited"`) || !strings.Contains(got, `"maybeExecuted":true`) {
			t.Errorf("the one too many: got %.300q, want it to fail", got)
		}
		if got := answer(0); len(got) < large || strings.Contains(got, "weir/error") {
			t.Errorf("the one before: got %.300q, want the result", got)
		}
		h.send(modern.capableCall("20", "up__ask", ""))
		pass(gatherTime)
		_, state := inputRequired(t, h.received())
		pass(2 * time.Second)
		states = append(states, state)
		if got := answer(2); len(got) < large {
			t.Errorf("there is room again: got %.300q, want the result", got)
		}
	})
}

// TestFollowedAreBounded: of the resources that one subscription of a modern host
// names, those over the bound are not followed, and the acknowledgement says so.
func TestFollowedAreBounded(t *testing.T) {
	bubble(t, "one too many", func(t *testing.T) {
		servers := map[string]*upstreamtest.Server{}
		for _, name := range []string{"a", "b"} { // as each follows no more than so many either
			script := sharing(legacy)
			script.Rules = append([]upstreamtest.Rule{{On: "resources/templates/list", Do: []upstreamtest.Step{
				{Reply: raw(`{"resourceTemplates":[{"uriTemplate":"` + name + `:///{n}","name":"n"}]}`)},
			}}}, script.Rules...)
			servers[name] = upstreamtest.New(script)
		}
		_, h := start(t, config(t, servers, "a", "b"))
		h.send(modern.open()...)
		h.send(modern.request("0", "resources/list", "", ""))
		uris := make([]string, maxFollowed+1)
		for i := range uris {
			uris[i] = fmt.Sprintf(`"%c:///%d"`, "ab"[i%2], i)
		}
		listen := func(id string, uris ...string) string {
			return strings.Join(h.send(modern.request(id, "subscriptions/listen", `"notifications":{"resourceSubscriptions":[`+strings.Join(uris, ",")+`]}`, "")), "")
		}
		got := listen(`"L"`, uris...)
		if n := strings.Count(got, `:///`); n != maxFollowed || strings.Contains(got, uris[maxFollowed]) {
			t.Errorf("%d are honoured, want %d", n, maxFollowed)
		}
		if n := len(servers["a"].Received("resources/subscribe")) + len(servers["b"].Received("resources/subscribe")); n != maxFollowed {
			t.Errorf("the servers were asked for %d, want %d", n, maxFollowed)
		}
		h.send(cancelled(`"L"`))
		if got := listen(`"M"`, uris[maxFollowed]); !strings.Contains(got, uris[maxFollowed]) {
			t.Errorf("by itself: got %.300s, want it to be followed", got)
		}
	})
}

// TestLargestListIsSent: a host that has read all it was sent gets a list that is
// larger than what may wait for it, and is not taken for one that does not read.
func TestLargestListIsSent(t *testing.T) {
	bubble(t, "a list", func(t *testing.T) {
		const large = maxUnwritten + maxOwn + 1<<20
		tool := `{"name":"x","description":"` + strings.Repeat("x", large) + `","inputSchema":{"type":"object"}}`
		_, h := one(t, upstreamtest.Script{Tools: raws(tool)})
		h.send(legacy.open()...)
		for range 2 {
			if got := h.send(legacy.request("1", "tools/list", "", "")); len(got) != 1 || len(got[0]) < large {
				t.Fatalf("got %d answers, want the list", len(got))
			}
		}
	})
}

// TestAnnouncementsAreBounded: a server that announces a change every millisecond,
// and does change each time, is asked ten times a second at most, and its host told
// as often; another server is asked no more, and answers.
func TestAnnouncementsAreBounded(t *testing.T) {
	bubble(t, "a thousand changes in a second", func(t *testing.T) {
		const changes = 1000
		servers := map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x")), "b": upstreamtest.New(gateScript())}
		_, h := start(t, config(t, servers, "a", "b"))
		h.send(legacy.open()...)
		h.send(legacy.request("1", "tools/list", "", ""))
		for i := range changes {
			servers["a"].SetTools(upstreamtest.Tool(fmt.Sprintf("t%d", i)))
			pass(time.Millisecond)
			if i == changes/2 {
				want(t, "a call of the other server", answers(h.send(legacy.call("2", "b__echo", "{}"))), done("2"))
			}
		}
		pass(time.Second)
		told := h.received()
		most := int(changes*time.Millisecond/quiet) + 3 // one at once, one behind, and the first list
		if n := len(servers["a"].Received("tools/list")); n < 3 || n > most {
			t.Errorf("the server was asked %d times, want %d at most", n, most)
		}
		if n := len(told); n < 1 || n > most {
			t.Errorf("the host was told %d times, want %d at most", n, most)
		}
		if n := len(servers["b"].Received("tools/list")); n != 1 {
			t.Errorf("the other server was asked %d times, want once", n)
		}
		want(t, "the last list", h.send(legacy.request("3", "tools/list", "", "")), list("3", fmt.Sprintf("a__t%d", changes-1), "b__echo", "b__gate"))
	})
}

// answers are the lines without the notifications.
func answers(lines []string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return line == changed })
}
