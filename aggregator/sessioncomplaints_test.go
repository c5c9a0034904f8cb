package aggregator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestOneSessionForAll: elsewhere each call shakes hands anew and each look at a
// list opens a session that nobody closes; and what a host says of itself when it
// begins is passed on to servers that have long begun, which breaks them.
func TestOneSessionForAll(t *testing.T) {
	bubble(t, "three hosts", func(t *testing.T) {
		server := upstreamtest.New(withTools("x"))
		a, first := start(t, config(t, map[string]*upstreamtest.Server{"a": server}, "a"))
		hosts := []*host{first, hostOf(t, a), hostOf(t, a)}
		for i, h := range hosts {
			e := []era{legacy, legacy, modern}[i]
			h.send(e.open()...)
			for id := range 5 {
				server.SetTools(upstreamtest.Tool("x"), upstreamtest.Tool(fmt.Sprint("y", id)))
				pass(time.Second)
				listed := strings.Join(h.send(e.request(fmt.Sprint(100+id), "tools/list", "", "")), "\n")
				if !strings.Contains(listed, fmt.Sprintf(`"a__y%d"`, id)) {
					t.Errorf("got %s, want the list of after change %d", listed, id)
				}
				h.send(e.call(fmt.Sprint(200+id), "a__x", "{}"))
			}
		}
		if n := len(server.Received("tools/call")); n != 15 {
			t.Errorf("the server got %d calls, want 15", n)
		}
		for _, method := range []string{"initialize", "notifications/initialized"} {
			if n := len(server.Received(method)); n != 1 {
				t.Errorf("the server got %d times %s, want one", n, method)
			}
		}
	})
}
