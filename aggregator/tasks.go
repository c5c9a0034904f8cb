package aggregator

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is tasks: those of the core (2025-11-25) and those of the extension
// (2026-07-28). Where host and server are of one era they pass, with ids of
// weir's own, which say whose they are and are good after any reconnect. Between
// the eras weir waits for the end of the task and gives its result.

// The operations on tasks. A result that is waited for may take its time.
var (
	taskGet    = taskOperation("tasks/get", 0)
	taskResult = taskOperation("tasks/result", -1)
	taskCancel = taskOperation("tasks/cancel", 0)
	taskUpdate = taskOperation("tasks/update", 0)
)

func taskOperation(method string, timeout time.Duration) *operation {
	return &operation{
		method: method, kind: "task", member: "taskId", timeout: timeout,
		subject: named(method, "taskId"), find: (*session).findTask,
	}
}

func isTaskMethod(method string) bool {
	switch method {
	case taskGet.method, taskResult.method, taskCancel.method:
		return true
	}
	return false
}

// findTask finds whose task it is. A task of a server that is denied to the
// principal does not exist.
func (s *session) findTask(sealed string, _ bool) (target, *refusal) {
	name, id, ok := s.a.tasks.open(sealed)
	server := s.a.byName[name]
	if !ok || server == nil || !s.a.cfg.Policy.Decide(policy.Request{Server: name}).Listed() {
		return target{}, &refusal{code: codeInvalidParams, message: "Unknown task: " + clip(sealed)}
	}
	return target{server: server, name: id, value: jsonrpc.AppendString(nil, id)}, nil
}

// taskOf is the raw id of the task that a result tells of, in either design; nil
// for none.
func taskOf(fields []jsonrpc.Member) []byte {
	if string(jsonrpc.Find(fields, "resultType")) == `"task"` {
		return jsonrpc.Find(fields, "taskId")
	}
	return memberOf(jsonrpc.Find(fields, "task"), "taskId")
}

// taskEdits puts weir's ids in place of the server's: in a result that tells of
// one task, alone or as the member "task", and in its _meta.
func (c *call) taskEdits(edits []jsonrpc.Edit, fields []jsonrpc.Member) []jsonrpc.Edit {
	for _, raw := range [][]byte{
		jsonrpc.Find(fields, "taskId"),
		memberOf(jsonrpc.Find(fields, "task"), "taskId"),
		memberOf(memberOf(jsonrpc.Find(fields, "_meta"), metaRelatedTask), "taskId"),
	} {
		edits = c.s.a.appendTaskEdit(edits, c.server, raw)
	}
	return edits
}

// appendTaskEdit appends the edit that seals a raw task id, if it is one.
func (a *Aggregator) appendTaskEdit(edits []jsonrpc.Edit, owner *server, raw []byte) []jsonrpc.Edit {
	id, err := jsonrpc.String(raw)
	if err != nil {
		return edits
	}
	return append(edits, jsonrpc.Edit{At: raw, With: jsonrpc.AppendString(nil, a.tasks.seal(owner.Name, id))})
}

// sealRelatedTask is a _meta with weir's id of the task that it names.
func (a *Aggregator) sealRelatedTask(owner *server, meta []jsonrpc.Member) []jsonrpc.Member {
	related := jsonrpc.Find(meta, metaRelatedTask)
	edits := a.appendTaskEdit(nil, owner, memberOf(related, "taskId"))
	if edits == nil {
		return meta
	}
	return rewrittenMembers(meta, metaRelatedTask, jsonrpc.Splice(nil, related, edits...))
}

// unsealed is a host's result with the server's own id of the task that its
// _meta names.
func (a *Aggregator) unsealed(owner *server, result []byte) []byte {
	if !bytes.Contains(result, []byte(metaRelatedTask)) {
		return result
	}
	raw := memberOf(memberOf(memberOf(result, "_meta"), metaRelatedTask), "taskId")
	sealed, err := jsonrpc.String(raw)
	if err != nil {
		return result
	}
	name, id, ok := a.tasks.open(sealed)
	if !ok || name != owner.Name {
		return result
	}
	return jsonrpc.Splice(nil, result, jsonrpc.Edit{At: raw, With: jsonrpc.AppendString(nil, id)})
}

// pollsTask reports whether the server makes a task of this call and the host
// has no word for that: weir asks for the task then, and gives its result.
func (c *call) pollsTask(t target, params []jsonrpc.Member) bool {
	if t.tool == nil || !c.modern && c.s.declared.Load().version == upstream.LatestLegacy || jsonrpc.Find(params, "task") != nil {
		return false
	}
	return requiresTask(t.tool)
}

// taskRefusal refuses to make a task of a call of a modern server, which decides
// that by itself (2025-11-25, tasks).
func (t target) taskRefusal(params []jsonrpc.Member) *refusal {
	if jsonrpc.Find(params, "task") == nil || !t.server.speaks(true) {
		return nil
	}
	return &refusal{code: codeMethodNotFound, message: "Tool " + clip(t.name) + " does not support tasks"}
}

func requiresTask(tool *catalog.Route) bool {
	raw := tool.Item.Raw()
	return bytes.Contains(raw, []byte(`"taskSupport"`)) &&
		string(memberOf(memberOf(raw, "execution"), "taskSupport")) == `"required"`
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

// expectTask notes for which call the server works on a task; nil for none any
// more.
func (s *server) expectTask(id string, c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c == nil {
		delete(s.tasks, id)
		return
	}
	s.tasks[id] = c
}

// taskCall is the call for which the server works on a task; nil if it is the
// host's own task, or none.
func (s *server) taskCall(id string) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tasks[id]
}

// maxHostTasks is how many tasks of a host are remembered.
const maxHostTasks = 1000

// noteHostTask notes whose task a host has begun, if that is what it answers.
func (s *session) noteHostTask(asker *server, fields []jsonrpc.Member) {
	id, err := jsonrpc.String(memberOf(jsonrpc.Find(fields, "task"), "taskId"))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.hostTasks) >= maxHostTasks {
		for old := range s.hostTasks {
			delete(s.hostTasks, old)
			break
		}
	}
	s.hostTasks[id] = asker
}

// hostTaskRefusal is why a server must not ask for a task of the host: it is
// another server's, or none.
func (s *session) hostTaskRefusal(asker *server, params []jsonrpc.Member) (code int, message string) {
	id, err := jsonrpc.String(jsonrpc.Find(params, "taskId"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.hostTasks[id] != asker {
		return codeInvalidParams, "Unknown task"
	}
	return 0, ""
}

// taskStatus tells the legacy hosts of a change of a task (2025-11-25, tasks).
func (a *Aggregator) taskStatus(b *jsonrpc.Batch, from *server, m *jsonrpc.Message) {
	raw := jsonrpc.Find(m.Fields, "taskId")
	if id, err := jsonrpc.String(raw); err != nil || from.taskCall(id) != nil {
		return // the host knows nothing of it
	}
	edits := a.appendTaskEdit(nil, from, raw)
	edits = a.appendTaskEdit(edits, from, memberOf(memberOf(jsonrpc.Find(m.Fields, "_meta"), metaRelatedTask), "taskId"))
	inOrder(edits)
	for _, s := range a.sessionList() {
		if s.ready() {
			s.write(b, pieces(m.Raw, edits)...)
			s.holdBack(b)
		}
	}
}
