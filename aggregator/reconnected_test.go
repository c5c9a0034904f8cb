package aggregator

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestConnectedAgainWhileItLists: a server is asked for its lists once for each
// connection, also where it is there again while those of the one before are still
// coming in, or one of them is never told.
func TestConnectedAgainWhileItLists(t *testing.T) {
	for name, end := range map[string]upstreamtest.Step{
		"told": {Reply: raw(`{"prompts":[],"resultType":"complete","ttlMs":0,"cacheScope":"private"}`)},
		"not":  {Error: raw(`{"code":-32603,"message":"not now"}`)},
	} {
		bubble(t, name, func(t *testing.T) {
			server := upstreamtest.New(upstreamtest.Script{
				Versions: modern.versions(), Capabilities: raw(`{"tools":{},"prompts":{}}`), Tools: raws(definition("x")),
				Rules: []upstreamtest.Rule{
					{On: "prompts/list", Nth: 1, Do: []upstreamtest.Step{{Await: "late"}, end}},
					// It speaks no more to who has read what it spoke first, but ends what it has begun.
					{On: "tools/call x", Nth: 1, Do: []upstreamtest.Step{{Error: raw(`{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}`)}}},
				},
			})
			_, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
			h.send(modern.open()...)
			pass(2 * kindGrace)
			server.SetTools(raw(definition("x")), raw(definition("y")))
			h.send(modern.call("1", "up__x", "{}"))
			h.send(modern.call("2", "up__x", "{}"))
			if n := len(server.Received("server/discover")); n != 2 {
				t.Fatalf("got %d connections, want 2", n)
			}
			if n := len(server.Received("tools/list")); n != 1 {
				t.Fatalf("tools were asked for %d times, want once so far", n)
			}
			server.Release("late")
			pass(time.Minute)
			h.received()
			if got := strings.Join(h.send(listRequest(modern, "3")), ""); !strings.Contains(got, "up__y") {
				t.Errorf("got %s, want the list of the new connection", got)
			}
			if n := len(server.Received("tools/list")); n != 2 {
				t.Errorf("tools were asked for %d times, want once for each connection", n)
			}
		})
	}
}

// TestConnectedByAskingForSome: where a list that has changed is what the server is
// connected to anew for, it is asked for the others as well.
func TestConnectedByAskingForSome(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		const changed = `{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`
		server := upstreamtest.New(upstreamtest.Script{
			Capabilities: raw(`{"tools":{},"prompts":{"listChanged":true}}`), Tools: raws(definition("x")),
			Rules: []upstreamtest.Rule{
				{On: "prompts/list", Do: []upstreamtest.Step{{Reply: raw(`{"prompts":[]}`)}}},
				{On: "tools/call x", Nth: 3, Do: []upstreamtest.Step{{Exit: true}}},
				{On: "tools/call x", Do: []upstreamtest.Step{{Send: raw(changed)}, {Reply: raw(`{"content":[]}`)}}},
			},
		})
		_, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		h.send(legacy.open()...)
		pass(time.Minute)
		h.send(legacy.call("1", "up__x", "{}")) // asked for the prompts at once, it is left alone for a while
		h.send(legacy.call("2", "up__x", "{}"))
		h.send(legacy.call("3", "up__x", "{}"))
		server.SetTools(raw(definition("x")), raw(definition("y")))
		pass(time.Minute)
		h.received()
		if n := len(server.Received("initialize")); n != 2 {
			t.Fatalf("got %d connections, want 2", n)
		}
		if got := strings.Join(h.send(listRequest(legacy, "4")), ""); !strings.Contains(got, "up__y") {
			t.Errorf("got %s, want the list of the new connection", got)
		}
		if n := len(server.Received("tools/list")); n != 2 {
			t.Errorf("tools were asked for %d times, want once for each connection", n)
		}
	})
}
