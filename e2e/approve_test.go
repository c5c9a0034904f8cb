//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/upstream/state"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// An approving is a server with one tool that a rule asks about, behind weir, for
// official TypeScript clients.
type approving struct {
	t      *testing.T
	p      places
	served target
}

func newApproving(t *testing.T) approving {
	p := testPlaces(t)
	p.write(t, "files.json", fmt.Sprintf(`{"log": %q, "tools": [{"name": "remove", "inputSchema": {"type": "object"}}]}`, filepath.Join(p.home, "calls.log")))
	config := fmt.Sprintf("servers: {files: {command: fake, args: [%q]}}\npolicy: {default: execute, rules: [{server: files, ask: true}]}\n",
		filepath.Join(p.home, "files.json"))
	p.write(t, "mcp.yaml", config)
	return approving{t, p, target{command: func() *exec.Cmd {
		return p.command(context.Background(), "weir", "serve", "--config", filepath.Join(p.home, "mcp.yaml"))
	}}}
}

// call lets a client of its own make the call as often as there are answers of its
// user, "" for none, and returns what came of each. A client without answers
// declares no elicitation.
func (a approving) call(client, mode string, answers ...string) (results []string) {
	job := nodeJob(a.served, client, mode)
	capabilities := map[string]any{}
	var steps []map[string]any
	for _, answer := range answers {
		step := map[string]any{"do": "tools/call", "params": json.RawMessage(`{"name":"files__remove","arguments":{"path":"/x"}}`)}
		if answer != "" {
			capabilities["elicitation"] = map[string]any{"form": map[string]any{}}
			step["answers"] = []json.RawMessage{json.RawMessage(answer)}
		}
		steps = append(steps, step)
	}
	job["capabilities"], job["steps"], job["roots"] = capabilities, steps, []any{}
	input, err := json.Marshal(job)
	if err != nil {
		a.t.Error(err)
		return nil
	}
	out, err := runNode(a.t, input, nil, "tour.mjs")
	var events [][]json.RawMessage
	if err == nil {
		err = json.Unmarshal(out, &events)
	}
	if err != nil || len(events) != len(answers)+1 {
		a.t.Errorf("tour.mjs: %v: %s", err, shorten(out))
		return nil
	}
	for _, step := range events[:len(answers)] {
		var all []string
		for _, event := range step {
			all = append(all, string(event))
		}
		results = append(results, strings.Join(all, "\n"))
	}
	return results
}

// calls is how many calls the server got.
func (a approving) calls() int {
	text, err := os.ReadFile(filepath.Join(a.p.home, "calls.log"))
	if err != nil {
		a.t.Fatal(err)
	}
	return strings.Count(string(text), `"method":"tools/call"`)
}

var approvingClients = []struct{ name, client, mode string }{
	{"TypeScript SDK 1", "1.x", "legacy"},
	{"TypeScript SDK 2", "2.x", "legacy"},
	{"TypeScript SDK 2, modern", "2.x", upstreamtest.Modern},
}

func isDone(result string) bool {
	return strings.Contains(result, `"text":"remove"`) && !strings.Contains(result, "isError")
}

// TestApproveWithClientOfForms: a real client that can ask its user is asked by
// weir, in each era.
func TestApproveWithClientOfForms(t *testing.T) {
	const decline, once = `{"action":"decline"}`, `{"action":"accept","content":{"approval":"once"}}`
	const session = `{"action":"accept","content":{"approval":"this tool for this session"}}`
	for _, c := range approvingClients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newApproving(t)
			got := a.call(c.client, c.mode, decline, once, session, "")
			for i, want := range []struct{ asked, done bool }{{true, false}, {true, true}, {true, true}, {false, true}} {
				if i >= len(got) {
					t.Fatalf("got %q", got)
				}
				if asked := strings.Contains(got[i], "weir asks: may this tool be called?"); asked != want.asked || isDone(got[i]) != want.done {
					t.Errorf("call %d: got %s, want it asked %v, done %v", i+1, got[i], want.asked, want.done)
				}
			}
			if n := a.calls(); n != 3 {
				t.Errorf("server got %d calls, want 3", n)
			}
		})
	}
}

// TestApproveWithTwoWeirs: of two weirs that a client each has started, exactly
// one lets through what was approved once.
func TestApproveWithTwoWeirs(t *testing.T) {
	for _, c := range approvingClients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newApproving(t)
			refused := a.call(c.client, c.mode, "")
			if len(refused) != 1 || !strings.Contains(refused[0], "`weir approve`") || !strings.Contains(refused[0], `"approval_required"`) {
				t.Fatalf("got %s, want it to be left to a terminal", refused)
			}
			store := approval.NewStore(state.At(filepath.Join(a.p.state, "weir")))
			waiting, err := store.Waiting()
			if err != nil || len(waiting) != 1 {
				t.Fatalf("got %d requests, %v", len(waiting), err)
			}
			if err := store.Approve(t.Context(), waiting[0], approval.ThisCall); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			var mu sync.Mutex
			done := 0
			for range 2 {
				all.Go(func() {
					got := a.call(c.client, c.mode, "", "")
					mu.Lock()
					defer mu.Unlock()
					for _, result := range got {
						if isDone(result) {
							done++
						}
					}
				})
			}
			all.Wait()
			if n := a.calls(); done != 1 || n != 1 {
				t.Errorf("%d clients were served and the server got %d calls, want one", done, n)
			}
		})
	}
}
