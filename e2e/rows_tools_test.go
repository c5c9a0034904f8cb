package e2e

import "strings"

var toolRows = []row{
	{name: "tools/call", hosts: tableHosts, play: func(p *player) {
		p.callTool("echo", `{"b":1,"a":{"z":9007199254740993,"e":1E400,"neg":-0},"<>&":"\u00e9\ud83d ö","d":1,"d":2}`)
		p.callTool("echo", `{}`)
		p.callTool("echo", `{"text":"`+strings.Repeat(`x\n`, 100_000)+`"}`)
	}},
	{name: "unknown tool", hosts: tableHosts, play: func(p *player) { p.callTool("no_such", `{}`) }},
	{name: "a tool that fails", hosts: tableHosts, play: func(p *player) {
		p.callTool("is_error", `{}`)
		p.callTool("fails", `{}`)
	}},
	{name: "content", hosts: tableHosts, play: func(p *player) { p.callTool("content", `{}`) }},
	{name: "odd content", play: func(p *player) { p.callTool("odd_content", `{}`) }},
	{name: "structured content", play: func(p *player) {
		for _, as := range []string{`{"z":1.0,"a":9007199254740993}`, `{}`, `[1E400]`, `null`, `"<é>"`, `1.50`, `false`} {
			p.callTool("structured", `{"as":`+as+`}`)
		}
		p.callTool("object", `{"as":{"z":1.0}}`)
	}},
	{name: "_meta", play: func(p *player) {
		p.callToolWith("meta", `{}`, `"vendor":1E400;"vendor/x":{"z":1E400,"a":1},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=1","baggage":"b=2","progressToken":5`)
	}},
	{name: "capabilities", play: func(p *player) { p.callTool("capabilities", `{}`) }},
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
	}},
	{name: "ping", hosts: tableHosts[:3], play: func(p *player) { p.ask("ping", ``, "") }},
	{name: "ping is no more", hosts: modernHosts, play: func(p *player) { p.ask("ping", ``, "") }},
}
