package aggregator

import (
	"bytes"
	"time"

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
// principal does not exist, and where no server has tasks there is no such method.
func (s *session) findTask(q query) (target, *refusal) {
	v := s.view()
	name, id, ok := s.a.tasks.open(q.subject)
	server := v.byName[name]
	if ok && server != nil && v.present(name) {
		return target{server: server, name: id, value: jsonrpc.AppendString(nil, id), verdict: new(policy.Verdict)}, nil
	}
	if claims := v.claims(); !claims.HasTasks(q.modern) {
		return target{}, &refusal{code: codeMethodNotFound, message: "Method not found: no server has tasks"}
	}
	return target{}, &refusal{code: codeInvalidParams, message: "Unknown task: " + clip(q.subject)}
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
// another server's, or none. nil if it may.
func (s *session) hostTaskRefusal(asker *server, params []jsonrpc.Member) *unasked {
	id, err := jsonrpc.String(jsonrpc.Find(params, "taskId"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.hostTasks[id] != asker {
		return &unasked{code: codeInvalidParams, message: "Unknown task"}
	}
	return nil
}

// taskStatus tells the legacy hosts that know tasks of a change of one
// (2025-11-25, tasks).
func (a *Aggregator) taskStatus(b *jsonrpc.Batch, from *server, m *jsonrpc.Message) {
	raw := jsonrpc.Find(m.Fields, "taskId")
	if id, err := jsonrpc.String(raw); err != nil || from.taskCall(id) != nil {
		return // the host knows nothing of it
	}
	edits := a.appendTaskEdit(nil, from, raw)
	edits = a.appendTaskEdit(edits, from, memberOf(memberOf(jsonrpc.Find(m.Fields, "_meta"), metaRelatedTask), "taskId"))
	inOrder(edits)
	for _, s := range a.sessionList() {
		if s.ready() && s.declared.Load().version == upstream.LatestLegacy {
			s.write(b, pieces(m.Raw, edits)...)
			s.holdBackChatter(b)
		}
	}
}
