package e2e

import (
	"encoding/json"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

var (
	typeScript1       = guide{name: "TypeScript SDK 1", mode: "legacy", hasTasks: true, lead: leadNode("1.x")}
	typeScript2       = guide{name: "TypeScript SDK 2", mode: "legacy", lead: leadNode("2.x")}
	typeScript2Modern = guide{name: "TypeScript SDK 2, modern", mode: upstreamtest.Modern, lead: leadNode("2.x")}
)

func leadNode(client string) func(*testing.T, target, tour) [][]event {
	return func(t *testing.T, to target, through tour) [][]event {
		t.Helper()
		job := nodeJob(to, client, through.mode)
		job["capabilities"], job["roots"] = json.RawMessage(through.capabilities), json.RawMessage(tourRoots)
		steps := []map[string]any{}
		for _, s := range through.steps {
			steps = append(steps, to.nodeStep(t, s))
		}
		job["steps"] = steps
		input, err := json.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		out, err := runNode(t, input, nil, "tour.mjs")
		if err != nil {
			t.Fatal(err)
		}
		var events [][]event
		if err := json.Unmarshal(out, &events); err != nil {
			t.Fatalf("tour.mjs: %v: %s", err, shorten(out))
		}
		return events
	}
}

func (to target) nodeStep(t *testing.T, s step) map[string]any {
	t.Helper()
	job := map[string]any{
		"do": s.do, "params": json.RawMessage(to.named(t, s)),
		"progress": s.progress, "cancel": s.cancel, "task": s.task,
	}
	if s.answers != "" {
		job["answers"] = json.RawMessage(s.answers)
	}
	if s.awaits != "" {
		job["awaits"] = []string{s.awaits}
	}
	return job
}

// named is the params of a step with the name that the target has for what is
// named there.
func (to target) named(t *testing.T, s step) string {
	t.Helper()
	if s.params == "" {
		return "{}"
	}
	if to.isOne {
		return s.params
	}
	raw := []byte(s.params)
	members := objectOf(t, raw)
	name := jsonrpc.Find(members, "name")
	if ref, err := jsonrpc.ParseObject(nil, jsonrpc.Find(members, "ref")); err == nil {
		name = jsonrpc.Find(ref, "name")
	}
	original, err := jsonrpc.String(name)
	if err != nil {
		return s.params
	}
	return string(jsonrpc.Splice(nil, raw, jsonrpc.Edit{At: name, With: []byte(quoted(exposedPrefix + original))}))
}
