package aggregator

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestOutageIsDated: a request that fails because its server is gone says since
// when, in words and in its data, to hosts of both eras.
func TestOutageIsDated(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String(), func(t *testing.T) {
			folder := t.TempDir()
			life := func(servers map[string]*upstreamtest.Server, use func(h *host)) {
				store, err := catalog.OpenStore(t.Context(), folder)
				if err != nil {
					t.Fatal(err)
				}
				cfg := config(t, servers, "a")
				cfg.Store = store
				a := New(cfg)
				h := hostOf(t, a)
				h.send(e.open()...)
				use(h)
				h.close()
				a.Close()
			}
			script := withTools("x")
			script.Versions, script.Capabilities = e.versions(), []byte(`{"tools":{},"prompts":{}}`)
			script.Rules = []upstreamtest.Rule{{On: "prompts/list", Do: []upstreamtest.Step{{Reply: []byte(`{"prompts":[{"name":"p"}]}`)}}}}
			life(map[string]*upstreamtest.Server{"a": upstreamtest.New(script)}, func(h *host) {
				h.send(e.request("1", "tools/list", "", ""))
			})
			life(nil, func(h *host) {
				began := time.Now().UTC().Format(time.RFC3339)
				data := `"retryable":true,"retryAfterMs":`
				dated := `,"state":"backoff","since":"` + began + `"}`
				first := strings.Join(h.send(e.call("1", "a__x", "{}")), "")
				if !strings.Contains(first, dated) || strings.Contains(first, "out of use") {
					t.Errorf("at once: got %s, want %s, and nothing of it in words", first, dated)
				}
				for _, request := range []string{e.call("1", "a__x", "{}"), e.request("1", "prompts/get", `"name":"a__p"`, "")} {
					pass(20 * time.Second)
					h.send(e.call("0", "a__x", "{}")) // is tried
					got := strings.Join(h.send(request), "")
					words := `Server \"a\": the server could not be reached. It has been out of use since ` + began + ` (`
					if !strings.Contains(got, words) || !strings.Contains(got, data) || !strings.Contains(got, dated) {
						t.Errorf("later: got %s, want %s and %s", got, words, dated)
					}
					if n := strings.Count(got, "next try"); n != 1 {
						t.Errorf("got %s, which tells of the next try %d times", got, n)
					}
				}
			})
		})
	}
}
