package e2e

import "strings"

const hopOfModern = `"hop":["io.modelcontextprotocol/clientCapabilities","io.modelcontextprotocol/clientInfo","io.modelcontextprotocol/protocolVersion"]`

// structuredDiffer is of content that is no object, which the legacy era does
// not have.
var structuredDiffer = []difference{
	{pairs: "ML", direct: `,"structuredContent":[1E400]`, why: noObject},
	{pairs: "ML", direct: `,"structuredContent":null`, why: noObject},
	{pairs: "ML", direct: `,"structuredContent":"<é>"`, why: noObject},
	{pairs: "ML", direct: `,"structuredContent":1.50`, why: noObject},
	{pairs: "ML", direct: `,"structuredContent":false`, why: noObject},
}

const noObject = "the legacy server does not send what its era does not have"

// unknownName is what weir says more of a name that it does not know.
var unknownName = difference{
	pairs: "LL LM ML MM", direct: `no_such"}`, weir: `no_such","data":{"kind":"tool_not_found","server":"weir","tool":"u__no_such","retryable":false}}`,
	why: "weir says so itself, and what that means",
}

// ownWords is why a message differs: weir answers what is not for a server.
const ownWords = "it is weir that answers, in its own words"

var toolRows = []row{
	{name: "tools/call", hosts: tableHosts, play: func(p *player) {
		p.callTool("echo", `{"b":1,"a":{"z":9007199254740993,"e":1E400,"neg":-0},"<>&":"\u00e9\ud83d ö","d":1,"d":2}`)
		p.callTool("echo", `{}`)
		p.callTool("echo", `{"text":"`+strings.Repeat(`x\n`, 100_000)+`"}`)
	}},
	{name: "unknown tool", hosts: tableHosts, play: func(p *player) { p.callTool("no_such", `{}`) }, but: []difference{unknownName}},
	{name: "a tool that fails", hosts: tableHosts, play: func(p *player) {
		p.callTool("is_error", `{}`)
		p.callTool("fails", `{}`)
	}},
	{name: "content", hosts: tableHosts, play: func(p *player) { p.callTool("content", `{}`) }, but: []difference{
		{
			pairs: "LL LM", hosts: "2024-11-05", direct: `{"data":"AAEC","type":"audio","mimeType":"audio/wav","vendor":{}}`,
			weir: `{"type":"text","text":"[audio, audio/wav]"}`, why: "the revision knows no audio",
		},
		{
			pairs: "LL LM", hosts: "2024-11-05", direct: `{"type":"resource_link","uri":"ref:///linked/from/tool","name":"link","title":"Link","description":"a link","mimeType":"text/plain","size":9007199254740993,"icons":[]}`,
			weir: `{"type":"text","text":"[resource ref:///linked/from/tool, link, text/plain]"}`, why: "the revision knows no links",
		},
	}},
	{name: "odd content", play: func(p *player) { p.callTool("odd_content", `{}`) }},
	{name: "structured content", play: func(p *player) {
		for _, as := range []string{`{"z":1.0,"a":9007199254740993}`, `{}`, `[1E400]`, `null`, `"<é>"`, `1.50`, `false`} {
			p.callTool("structured", `{"as":`+as+`}`)
		}
		p.callTool("object", `{"as":{"z":1.0}}`)
	}, but: structuredDiffer},
	{name: "_meta", play: func(p *player) {
		p.callToolWith("meta", `{}`, `"vendor":1E400;"vendor/x":{"z":1E400,"a":1},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=1","baggage":"b=2","progressToken":5`)
	}, but: []difference{
		{pairs: "ML", direct: hopOfModern, weir: `"hop":[]`, why: "a legacy server knows of no such members"},
		{pairs: "LM", direct: `"hop":[]`, weir: hopOfModern, why: "a modern server must have them"},
	}},
	{name: "capabilities", play: func(p *player) { p.callTool("capabilities", `{}`) }, but: []difference{
		{pairs: "LL", direct: `"tasks":{"list":{},`, weir: `"tasks":{`, why: "a host's list of tasks is of all servers' and not for one"},
		{pairs: "LM", direct: `,"tasks":{` + tasksOfHost + `}`, why: "there are no such tasks in the modern era"},
	}},
	{name: "no capabilities", declares: "none", play: func(p *player) { p.callTool("capabilities", `{}`) }},
	{name: "a header for a parameter", play: func(p *player) {
		p.callTool("region", `{"where":"eu-1"}`)
		p.callTool("region", `{"where":" é"}`)
	}},
	{name: "a tool of an app", play: func(p *player) {
		p.callTool("ui_action", `{"a":1}`)
		p.ask("tools/call", `"name":"ui_action","arguments":{"a":1}`, "") // as the app calls it
	}},
	{name: "unknown method", hosts: tableHosts, play: func(p *player) {
		p.ask("vendor/unknown", `"x":1`, "")
		p.ask("tools/unknown", ``, "")
	}, but: []difference{
		{pairs: "LL LM ML MM", direct: `vendor/unknown fails: {"code":-32601,"message":"Method not found`, weir: `vendor/unknown fails: {"code":-32601,"message":"Method not found: vendor/unknown`, why: ownWords},
		{pairs: "LL LM ML MM", direct: `tools/unknown fails: {"code":-32601,"message":"Method not found`, weir: `tools/unknown fails: {"code":-32601,"message":"Method not found: tools/unknown`, why: ownWords},
	}},
	{name: "ids", hosts: tableHosts, play: func(p *player) {
		for _, id := range []string{`"a\u00e9<>\"\\"`, `""`, `9007199254740993`, `123456789012345678901234567890`, `-1`, `"1"`} {
			if err := p.send(`{"params":` + p.params(`"arguments":{},"name":`+quoted(p.exposed("echo")), "") + `,"method":"tools/call","id":` + id + `,"jsonrpc":"2.0"}`); err != nil {
				p.t.Fatal(err)
			}
			p.see("the id is " + id)
			p.see(p.outcome("tools/call", p.await(id, "")))
		}
	}},
	{name: "ping", hosts: tableHosts[:3], play: func(p *player) { p.ask("ping", ``, "") }},
	{name: "ping is no more", hosts: modernHosts, play: func(p *player) { p.ask("ping", ``, "") }, but: []difference{
		{pairs: "ML MM", direct: `Method not found`, weir: `Method not found: ping`, why: ownWords},
	}},
}
