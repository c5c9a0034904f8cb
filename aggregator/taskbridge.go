package aggregator

import (
	"context"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file waits for the end of tasks that the host's era has no word for.

// pollsTask reports whether the server makes a task of this call and the host
// has no word for that: weir asks for the task then, and gives its result. Of a
// modern server none can be asked for.
func (c *call) pollsTask(t *target, params []jsonrpc.Member) bool {
	return t.tool != nil && t.tool.Polled() && !t.server.speaks(true) && !c.s.hasTasks(c.modern) && jsonrpc.Find(params, "task") == nil
}

// hasTasks reports whether the host has a word for tasks of the core. To others
// a tool that needs one is shown as a tool that may have one.
func (s *session) hasTasks(modern bool) bool {
	return !modern && s.declared.Load().version == upstream.LatestLegacy
}

// taskRefusal refuses to make a task of a call of a modern server, which decides
// that by itself (2025-11-25, tasks).
func (t *target) taskRefusal(params []jsonrpc.Member) *refusal {
	if jsonrpc.Find(params, "task") == nil || !t.server.speaks(true) {
		return nil
	}
	return &refusal{code: codeMethodNotFound, message: "Tool " + clip(t.name) + " does not support tasks"}
}

// wantsTasks reports whether an error -32021 asks for the tasks extension.
func wantsTasks(fields []jsonrpc.Member) bool {
	required := memberOf(jsonrpc.Find(fields, "data"), "requiredCapabilities")
	return memberOf(memberOf(required, "extensions"), tasksExtension) != nil
}

// pollTask waits for the end of the task that a tells of.
func (c *call) pollTask(ctx context.Context, a upstream.Answer) (upstream.Answer, error) {
	raw := taskOf(a.Message.Fields)
	id, err := jsonrpc.String(raw)
	if err != nil {
		return a, errNoTask
	}
	task := jsonrpc.NewMember("taskId", raw)
	var outcome upstream.Answer
	if a.Modern {
		outcome, err = c.pollExtension(ctx, id, task, pollInterval(a.Message.Fields, "pollIntervalMs"))
	} else {
		c.server.expectTask(id, c)
		outcome, err = c.ask(ctx, &upstream.Call{
			Method: taskResult.method, Name: id, Params: []jsonrpc.Member{task}, Timeout: -1,
		})
		c.server.expectTask(id, nil)
		c.server.up.EndProgress(&c.first)
		if err == nil {
			outcome, err = withoutTask(outcome)
		}
	}
	if ctx.Err() != nil {
		c.server.up.Do(nil, &upstream.Call{
			Method: taskCancel.method, Name: id, Params: []jsonrpc.Member{task}, Sink: nobody{},
		})
	}
	return outcome, err
}

// withoutTask is the result of a task without the word that it is one.
func withoutTask(a upstream.Answer) (upstream.Answer, error) {
	if a.Message == nil || a.Message.Kind == jsonrpc.Failure || !isObject(a.Message.Result) {
		return a, nil
	}
	meta, err := jsonrpc.ParseObject(nil, jsonrpc.Find(a.Message.Fields, "_meta"))
	if err != nil || jsonrpc.Find(meta, metaRelatedTask) == nil {
		return a, nil
	}
	value := rewritten(meta, metaRelatedTask, nil)
	if len(meta) == 1 {
		value = nil
	}
	return outcomeOf("result", rewritten(a.Message.Fields, "_meta", value), a.Modern)
}

// outcomeOf is an answer made of a raw result or error.
func outcomeOf(member string, value []byte, modern bool) (upstream.Answer, error) {
	m := new(jsonrpc.Message)
	if err := m.Parse(append(append([]byte(`{"jsonrpc":"2.0","id":0,"`+member+`":`), value...), '}')); err != nil {
		return upstream.Answer{}, errNoTask
	}
	return upstream.Answer{Message: m, Modern: modern}, nil
}

// nobody is the Sink of work whose outcome is of no interest.
type nobody struct{}

func (nobody) Progress(*jsonrpc.Batch, *jsonrpc.Message) {}
func (nobody) Done(*jsonrpc.Batch, upstream.Answer)      {}

// pollExtension asks for the state of a task until it has ended, and lets a
// legacy host answer what the task asks.
func (c *call) pollExtension(ctx context.Context, id string, task jsonrpc.Member, interval time.Duration) (upstream.Answer, error) {
	answered := map[string]bool{}
	for {
		if err := pause(ctx, interval); err != nil {
			return upstream.Answer{}, err
		}
		a, err := c.askTask(ctx, taskGet.method, id, task)
		if err != nil || a.Message == nil || a.Message.Kind == jsonrpc.Failure {
			return a, err
		}
		status, _ := jsonrpc.String(jsonrpc.Find(a.Message.Fields, "status")) // another kind is no end
		switch status {
		case "completed", "failed", "cancelled":
			return endOfTask(a)
		case "input_required":
			if err := c.answerTask(ctx, id, task, a, answered); err != nil {
				return a, err
			}
		}
		interval = pollInterval(a.Message.Fields, "pollIntervalMs")
	}
}

func (c *call) askTask(ctx context.Context, method, id string, params ...jsonrpc.Member) (upstream.Answer, error) {
	return c.ask(ctx, &upstream.Call{
		Method: method, Name: id, Params: params, Meta: c.kept.meta, Capabilities: c.kept.declared.withTasks(),
	})
}

// answerTask lets the host answer what a task asks and was not answered before:
// a server may take a while to notice an answer.
func (c *call) answerTask(ctx context.Context, id string, task jsonrpc.Member, a upstream.Answer, answered map[string]bool) error {
	requests, err := inputRequests(a.Message.Fields)
	if err != nil {
		return err
	}
	fresh := requests[:0]
	for _, r := range requests {
		if !answered[string(r.name)] {
			fresh = append(fresh, r)
			answered[string(r.name)] = true
		}
	}
	if len(answered) > maxTimesAsked {
		return errAsksForEver
	}
	responses, err := c.askHost(ctx, fresh)
	if err != nil || responses == nil {
		return err
	}
	_, err = c.askTask(ctx, taskUpdate.method, id, task, jsonrpc.NewMember("inputResponses", responses))
	return err
}

// endOfTask is the outcome that a task which has ended holds.
func endOfTask(a upstream.Answer) (upstream.Answer, error) {
	member, value := "result", jsonrpc.Find(a.Message.Fields, "result")
	if value == nil {
		member, value = "error", jsonrpc.Find(a.Message.Fields, "error")
	}
	if !isObject(value) {
		return a, errTaskCancelled
	}
	return outcomeOf(member, value, a.Modern)
}

// The bounds of how often a task is asked for.
const (
	usualPoll   = time.Second
	fastestPoll = 100 * time.Millisecond
	slowestPoll = time.Minute
)

func pollInterval(fields []jsonrpc.Member, member string) time.Duration {
	ms, err := strconv.ParseFloat(string(jsonrpc.Find(fields, member)), 64)
	if err != nil {
		return usualPoll
	}
	ms = min(max(ms, float64(fastestPoll.Milliseconds())), float64(slowestPoll.Milliseconds()))
	return time.Duration(ms) * time.Millisecond
}
