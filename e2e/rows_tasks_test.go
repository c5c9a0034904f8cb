package e2e

import (
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

var unknownTask = []difference{{
	pairs: "LL LM ML MM", direct: `"message":"no such task","data":{"vendor":1.0}`, weir: `"message":"Unknown task: no such"`, why: ownWords,
}}

// done is what comes of a task in the end.
const (
	done = `tools/call returns: {"content":[{"type":"text","text":"done: only","vendor":1}],"structuredContent":{"arguments":{"a":1.0}},"_meta":{"vendor/x":1.0}}` + modernFacts
	died = `tools/call fails: {"data":{"n":9007199254740993},"message":"out of <luck> é","code":7}`
)

// tasksAreWaitedFor is of tools that run as tasks only: between the eras weir
// waits for their end.
var tasksAreWaitedFor = []difference{
	{pairs: "LM", direct: `tools/call fails: {"code":-32601,"message":"the tool task_only runs as a task only"}`, weir: done, why: "weir waits for its end"},
	{pairs: "LM", direct: `tools/call fails: {"code":-32601,"message":"the tool task_fail runs as a task only"}`, weir: died, why: "weir waits for its end"},
	{pairs: "ML", direct: needsTasks + "\n" + needsTasks, weir: done + "\n" + died, why: "weir waits for their ends"},
}

const needsTasks = `tools/call fails: {"code":-32021,"message":"the client cannot be asked","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}},"vendor":1}}`

var taskRows = []row{
	{name: "a task", hosts: legacyHosts, server: "legacy", play: func(p *player) {
		id := legacyTask(p, "task_work", `{"a":1.0}`, `"task":{"vendor":1,"ttl":60000}`)
		for range 3 {
			p.ask("tasks/get", `"taskId":`+id, "")
		}
		p.ask("tasks/result", `"taskId":`+id, "")
		p.ask("tasks/cancel", `"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":"no such"`, "")
	}, but: unknownTask},
	{name: "tasks are listed", hosts: legacyHosts, server: "legacy", play: func(p *player) {
		first, second := legacyTask(p, "task_hold", `{}`, `"task":{}`), legacyTask(p, "task_hold", `{}`, `"task":{}`)
		p.list("tasks/list", "tasks")
		p.ask("tasks/cancel", `"taskId":`+first, "")
		p.list("tasks/list", "tasks")
		p.ask("tasks/cancel", `"taskId":`+second, "")
	}},
	{name: "a task that asks", hosts: legacyHosts, server: "legacy", play: func(p *player) {
		id := legacyTask(p, "task_ask", `{}`, `"task":{}`)
		p.ask("tasks/get", `"taskId":`+id, "")
		p.answer(elicit, accepted)
		p.ask("tasks/result", `"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":`+id, "")
	}},
	{name: "a task that fails", hosts: legacyHosts, server: "legacy", play: func(p *player) {
		id := legacyTask(p, "task_fail", `{}`, `"task":{}`)
		p.ask("tasks/result", `"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":`+id, "")
	}},
	{name: "a task tells of itself", hosts: legacyHosts, server: "legacy", play: func(p *player) {
		id := legacyTask(p, "task_work", `{"notify":true}`, `"task":{};"progressToken":"of the task"`)
		p.ask("tasks/get", `"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":`+id, "")
		p.hear("notifications/progress")
		p.hear("notifications/tasks/status")
	}},
	{name: "task and no task", play: func(p *player) {
		p.callTool("task_work", `{"a":1.0}`)
		p.callTool("task_only", `{"a":1.0}`)
		p.callTool("task_fail", `{}`)
		p.answer(elicit, accepted)
		p.callTool("task_ask", `{}`)
	}, but: tasksAreWaitedFor},
	{name: "a task of a server without tasks", hosts: legacyHosts, server: "modern", play: func(p *player) {
		p.callToolWith("task_only", `{}`, `"task":{}`)
	}, but: []difference{{
		pairs:  "LM",
		direct: `tools/call returns: {"task":{"vendor":9007199254740993,"taskId":"T1","status":"working","statusMessage":"is <working>","createdAt":"2026-07-28T10:30:00Z","lastUpdatedAt":"2026-07-28T10:30:01Z","ttl":null,"pollInterval":1},"_meta":{"vendor/x":1.0}}` + modernFacts,
		weir:   `tools/call fails: {"code":-32601,"message":"Tool task_only does not support tasks"}`,
		why:    "no server behind weir declares tasks of this era, so neither does weir",
	}}},

	{name: "a modern task", hosts: modernHosts, server: "modern", declares: "tasks", play: func(p *player) {
		id := modernTask(p, "task_only", `{"a":1.0}`)
		for range 3 {
			p.ask("tasks/get", `"taskId":`+id, "")
		}
		p.ask("tasks/cancel", `"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":"no such"`, "")
	}, but: unknownTask},
	{name: "a modern task that asks", hosts: modernHosts, server: "modern", declares: "tasks", play: func(p *player) {
		id := modernTask(p, "task_ask", `{}`)
		m := p.ask("tasks/get", `"taskId":`+id, "")
		p.answer(elicit, accepted)
		responses := p.responses(jsonrpc.Find(m.Fields, "inputRequests"))
		p.ask("tasks/update", `"inputResponses":`+responses+`,"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":`+id, "")
	}},
	{name: "a modern task that fails", hosts: modernHosts, server: "modern", declares: "tasks", play: func(p *player) {
		id := modernTask(p, "task_fail", `{}`)
		p.ask("tasks/get", `"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":`+id, "")
	}},
	{name: "a modern task tells of itself", hosts: modernHosts, server: "modern", declares: "tasks", play: func(p *player) {
		id := modernTask(p, "task_hold", `{}`)
		p.listen(`"taskIds":[` + id + `]`)
		p.ask("tasks/cancel", `"taskId":`+id, "")
		p.hear("notifications/tasks")
		p.unwatch()
	}},
}

// legacyTask calls a tool as a task and returns the raw id.
func legacyTask(p *player, tool, arguments, more string) (id string) {
	p.t.Helper()
	m := p.callToolWith(tool, arguments, more)
	created, err := jsonrpc.ParseObject(nil, jsonrpc.Find(m.Fields, "task"))
	if err != nil {
		p.t.Fatalf("no task: %s", m.Raw)
	}
	return string(jsonrpc.Find(created, "taskId"))
}

// modernTask calls a tool that the server makes a task of.
func modernTask(p *player, tool, arguments string) (id string) {
	p.t.Helper()
	id = string(jsonrpc.Find(p.callToolWith(tool, arguments, "").Fields, "taskId"))
	if id == "" {
		p.t.Fatalf("no task:\n%s", p.transcript())
	}
	return id
}
