package aggregator

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// fillScript has a tool that answers with as many x as its number says, and the
// arguments behind them.
func fillScript(sizes ...int) upstreamtest.Script {
	script := echoScript()
	for i, size := range sizes {
		name := fmt.Sprint("fill", i)
		script.Tools = append(script.Tools, upstreamtest.Tool(name))
		script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/call " + name, Do: []upstreamtest.Step{
			{Reply: raw(`{"content":[{"type":"text","text":"$fill"}],"structuredContent":"$arguments"}`), Fill: size},
		}})
	}
	return script
}

// Results that are read into the same memory, one after the other and many at once,
// come out as they came in, also to a host that takes its time.
func TestLargeResultsInTurn(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String(), func(t *testing.T) {
			sizes := []int{100_000, 300_000, 40_000}
			script := fillScript(sizes...)
			script.Versions = e.versions()
			a, _ := start(t, config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up"))
			h := hostOf(t, a)
			h.send(e.open()...)
			h.send(e.request("0", "tools/list", "", ""))
			for round := range 2 {
				var calls []string
				for i := range 4 * len(sizes) {
					id := fmt.Sprint(1000*(round+1) + i)
					calls = append(calls, e.call(id, fmt.Sprint("up__fill", i%len(sizes)), `{"id":`+id+`}`))
				}
				if round == 0 {
					for _, call := range calls {
						checkFilled(t, h.send(call), 1, sizes)
					}
					continue
				}
				checkFilled(t, h.send(calls...), len(calls), sizes)
			}
		})
	}
}

func checkFilled(t *testing.T, got []string, n int, sizes []int) {
	t.Helper()
	if len(got) != n {
		t.Fatalf("got %d answers, want %d", len(got), n)
	}
	for _, line := range got {
		var answer struct {
			ID     int
			Result struct {
				Content           []struct{ Text string }
				StructuredContent struct{ ID int }
			}
		}
		if err := json.Unmarshal([]byte(line), &answer); err != nil {
			t.Fatalf("%.200s: %v", line, err)
		}
		text := answer.Result.Content[0].Text
		if answer.Result.StructuredContent.ID != answer.ID || text != strings.Repeat("x", sizes[answer.ID%1000%len(sizes)]) {
			t.Errorf("answer %d is for %d and has %d bytes", answer.ID, answer.Result.StructuredContent.ID, len(text))
		}
	}
}
