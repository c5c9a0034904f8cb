package e2e

import (
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

var taskRows = []row{
	{name: "a task", hosts: legacyHosts, play: func(p *player) {
		id := legacyTask(p, "task_work", `{"a":1.0}`, `"task":{"vendor":1,"ttl":60000}`)
		for range 3 {
			p.ask("tasks/get", `"taskId":`+id, "")
		}
		p.ask("tasks/result", `"taskId":`+id, "")
		p.ask("tasks/cancel", `"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":"no such"`, "")
	}},
	{name: "tasks are listed", hosts: legacyHosts, play: func(p *player) {
		first, second := legacyTask(p, "task_hold", `{}`, `"task":{}`), legacyTask(p, "task_hold", `{}`, `"task":{}`)
		p.list("tasks/list", "tasks")
		p.ask("tasks/cancel", `"taskId":`+first, "")
		p.list("tasks/list", "tasks")
		p.ask("tasks/cancel", `"taskId":`+second, "")
	}},
	{name: "a task that asks", hosts: legacyHosts, play: func(p *player) {
		id := legacyTask(p, "task_ask", `{}`, `"task":{}`)
		p.ask("tasks/get", `"taskId":`+id, "")
		p.answer(elicit, accepted)
		p.ask("tasks/result", `"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":`+id, "")
	}},
	{name: "a task that fails", hosts: legacyHosts, play: func(p *player) {
		id := legacyTask(p, "task_fail", `{}`, `"task":{}`)
		p.ask("tasks/result", `"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":`+id, "")
	}},
	{name: "a task tells of itself", hosts: legacyHosts, play: func(p *player) {
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
	}},

	{name: "a modern task", hosts: modernHosts, declares: "tasks", play: func(p *player) {
		id := modernTask(p, "task_only", `{"a":1.0}`)
		for range 3 {
			p.ask("tasks/get", `"taskId":`+id, "")
		}
		p.ask("tasks/cancel", `"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":"no such"`, "")
	}},
	{name: "a modern task that asks", hosts: modernHosts, declares: "tasks", play: func(p *player) {
		id := modernTask(p, "task_ask", `{}`)
		m := p.ask("tasks/get", `"taskId":`+id, "")
		p.answer(elicit, accepted)
		responses := p.responses(jsonrpc.Find(m.Fields, "inputRequests"))
		p.ask("tasks/update", `"inputResponses":`+responses+`,"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":`+id, "")
	}},
	{name: "a modern task that fails", hosts: modernHosts, declares: "tasks", play: func(p *player) {
		id := modernTask(p, "task_fail", `{}`)
		p.ask("tasks/get", `"taskId":`+id, "")
		p.ask("tasks/get", `"taskId":`+id, "")
	}},
	{name: "a modern task tells of itself", hosts: modernHosts, declares: "tasks", play: func(p *player) {
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
