package e2e

import "slices"

// toolsDiffer are the members of definitions that the reference server has in
// one era only.
var toolsDiffer = []difference{
	{pairs: "ML", direct: `,"outputSchema":{"type":"array","x":1.0}`, weir: ``, why: "a legacy server has no such schemas"},
	{pairs: "ML", direct: `"task_work","inputSchema":{"type":"object"}`, weir: `"task_work","inputSchema":{"type":"object"},"execution":{"taskSupport":"optional","vendor":1}`, why: ofLegacyTasks},
	{pairs: "ML", direct: `"task_only","inputSchema":{"type":"object"}`, weir: `"task_only","inputSchema":{"type":"object"},"execution":{"taskSupport":"optional"}`, why: ofLegacyTasks},
	{pairs: "ML", direct: `"task_ask","inputSchema":{"type":"object"}`, weir: `"task_ask","inputSchema":{"type":"object"},"execution":{"taskSupport":"optional"}`, why: ofLegacyTasks},
	{pairs: "ML", direct: `"task_fail","inputSchema":{"type":"object"}`, weir: `"task_fail","inputSchema":{"type":"object"},"execution":{"taskSupport":"optional"}`, why: ofLegacyTasks},
	{pairs: "ML", direct: `"task_hold","inputSchema":{"type":"object"}`, weir: `"task_hold","inputSchema":{"type":"object"},"execution":{"taskSupport":"optional"}`, why: ofLegacyTasks},
	{pairs: "LL", hosts: "2024-11-05 2025-03-26 2025-06-18", direct: `"execution":{"taskSupport":"required"}`, weir: `"execution":{"taskSupport":"optional"}`, why: "weir waits for the end of the task for a host without tasks"},
	{pairs: "LM", direct: `,"execution":{"taskSupport":"optional","vendor":1}`, weir: ``, why: "a modern server does not say so"},
	{pairs: "LM", direct: `,"execution":{"taskSupport":"optional"}`, weir: ``, why: "a modern server does not say so"},
	{pairs: "LM", direct: `,"execution":{"taskSupport":"required"}`, weir: ``, why: "a modern server does not say so"},
}

const ofLegacyTasks = "a legacy server says so; a modern host does not know the member"

var listRows = []row{
	{name: "tools/list", hosts: tableHosts, play: func(p *player) { p.list("tools/list", "tools") }, but: toolsDiffer},
	{name: "prompts/list", hosts: tableHosts, play: func(p *player) { p.list("prompts/list", "prompts") }},
	{name: "resources/list", hosts: tableHosts, play: func(p *player) { p.list("resources/list", "resources") }},
	{name: "resources/templates/list", hosts: tableHosts, play: func(p *player) {
		p.list("resources/templates/list", "resourceTemplates")
	}},
	{name: "tools/list without apps", declares: "none", play: func(p *player) { p.list("tools/list", "tools") }, but: append(slices.Clip(toolsDiffer), difference{
		pairs: "LL LM ML MM", why: "tools for apps alone are not shown to a host that has no apps",
		direct: `tools: {"name":"ui_action","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://reference/panel","visibility":["app"]}}}` + "\n",
	})},
	{name: "unknown cursor", play: func(p *player) { p.ask("prompts/list", `"cursor":"no such"`, "") }, but: []difference{
		{pairs: "LL LM ML MM", direct: `"Invalid cursor"`, weir: `"Invalid params: unknown cursor"`, why: ownWords},
	}},

	{name: "tools change", play: func(p *player) { changes(p, "tools", "tools/list", "tools") }, but: toolsDiffer},
	{name: "prompts change", play: func(p *player) { changes(p, "prompts", "prompts/list", "prompts") }},
	{name: "resources change", play: func(p *player) { changes(p, "resources", "resources/list", "resources") }},
	{name: "templates change", play: func(p *player) { changes(p, "templates", "resources/templates/list", "resourceTemplates") }},
	{name: "only what was asked for changes", hosts: modernHosts, play: func(p *player) {
		p.watch([]string{"prompts"})
		for range 2 {
			p.callTool("change", `{"list":"tools"}`)
			p.callTool("change", `{"list":"prompts"}`)
			p.hear("notifications/prompts/list_changed")
		}
		p.unwatch()
	}},

	{name: "prompts/get", hosts: tableHosts, play: func(p *player) {
		p.ask("prompts/get", `"name":`+quoted(p.exposed("plain")), "")
		p.ask("prompts/get", `"name":`+quoted(p.exposed("args"))+`,"arguments":{"who":"<é>","how":"\ud83d"}`, "")
		p.ask("prompts/get", `"name":`+quoted(p.exposed("args"))+`,"arguments":{}`, "")
		p.ask("prompts/get", `"name":`+quoted(p.exposed("no_such")), "")
	}, but: []difference{unknownName, {
		pairs: "LL LM", hosts: "2024-11-05", direct: `{"type":"resource_link","uri":"ref:///linked/from/prompt","name":"link"}`,
		weir: `{"type":"text","text":"[resource ref:///linked/from/prompt, link]"}`, why: "the revision knows no links",
	}}},
	{name: "resources/read", hosts: tableHosts, play: func(p *player) {
		for _, uri := range []string{
			"ref:///text", "ref:///blob", "ref:///many/", "ui://reference/panel", "https://example.com/doc", "ref:///odd%20name?q=<é>&n=1#f", "ref:///empty",
		} {
			p.ask("resources/read", `"uri":`+quoted(uri), "")
		}
	}},
	{name: "resources/read by template", play: func(p *player) {
		p.ask("resources/read", `"uri":"ref:///items/1?q=%C3%A9"`, "")
		p.ask("resources/read", `"uri":"ref:///a/b/raw"`, "")
	}},
	{name: "resources/read of what was linked to", play: func(p *player) {
		p.callTool("content", `{}`)
		p.ask("resources/read", `"uri":"ref:///linked/from/tool"`, "")
	}},
	{name: "resource not found", hosts: tableHosts, play: func(p *player) {
		p.ask("resources/read", `"uri":"ref:///missing"`, "")
		p.ask("resources/read", `"uri":"unknown:scheme"`, "")
	}},

	{name: "completion/complete", play: func(p *player) {
		const context = `,"context":{"arguments":{"how":"<é>"},"vendor":1.0}`
		p.ask("completion/complete", `"argument":{"name":"who","value":"x<é>","vendor":1E400},"ref":{"type":"ref/prompt","name":`+quoted(p.exposed("args"))+`,"title":"Args"}`+context, "")
		p.ask("completion/complete", `"ref":{"type":"ref/resource","uri":"ref:///items/{id}{?q}"},"argument":{"name":"id","value":""}`, "")
		p.ask("completion/complete", `"ref":{"type":"ref/resource","uri":"ref:///text"},"argument":{"name":"id","value":""}`, "")
		p.ask("completion/complete", `"ref":{"type":"ref/prompt","name":`+quoted(p.exposed("no_such"))+`},"argument":{"name":"id","value":""}`, "")
	}, but: []difference{{
		pairs: "LL LM ML MM", direct: `"unknown reference","data":{"vendor":1E400}`,
		weir: `"Unknown prompt: no_such","data":{"kind":"tool_not_found","server":"weir","tool":"u__no_such","retryable":false}`, why: ownWords,
	}}},

	{name: "resources/updated", play: func(p *player) {
		p.watch(nil, "ref:///text", "ref:///odd%20name?q=<é>&n=1#f")
		p.callTool("touch", `{"uri":"ref:///blob"}`) // nobody has asked for it
		p.callTool("touch", `{"uri":"ref:///text"}`)
		p.hear("notifications/resources/updated")
		p.callTool("touch", `{"uri":"ref:///odd%20name?q=<é>&n=1#f"}`)
		p.hear("notifications/resources/updated")
		p.unwatch("ref:///text", "ref:///odd%20name?q=<é>&n=1#f")
		p.callTool("touch", `{"uri":"ref:///text"}`)
	}},
	{name: "what is not honoured", play: func(p *player) { p.watch([]string{"tools"}, "deaf:1"); p.unwatch("deaf:1") }, but: []difference{{
		pairs: "LM", direct: `{"code":-32002,"message":"Resource not found","data":{"vendor":1E400,"uri":"deaf:1"}}`,
		weir: `{"code":-32602,"message":"The server does not tell updates of this resource"}`, why: "a modern server says so by what it acknowledges",
	}}},
	{name: "two streams", hosts: modernHosts, play: func(p *player) {
		p.watch(nil, "ref:///text")
		first := p.stream
		p.watch(nil, "ref:///blob")
		p.callTool("touch", `{"uri":"ref:///blob"}`)
		p.hear("notifications/resources/updated")
		second := p.stream
		p.stream = first
		p.callTool("touch", `{"uri":"ref:///text"}`)
		p.hear("notifications/resources/updated")
		p.unwatch()
		p.stream = second
		p.callTool("touch", `{"uri":"ref:///blob"}`)
		p.hear("notifications/resources/updated")
		p.unwatch()
	}},
}

// changes has an item come into a list and go again.
func changes(p *player, list, method, member string) {
	p.t.Helper()
	told := list
	if list == "templates" {
		told = "resources"
	}
	p.watch([]string{told})
	for range 2 {
		p.callTool("change", `{"list":"`+list+`"}`)
		p.hear("notifications/" + told + "/list_changed")
		p.list(method, member)
	}
	p.unwatch()
}
