package e2e

var notificationRows = []row{
	{name: "progress", hosts: tableHosts, play: func(p *player) {
		for _, token := range []string{`"t<1>é"`, `7`, `9007199254740993`, `""`} {
			p.callToolWith("progress", `{}`, `;"progressToken":`+token)
		}
		p.callTool("progress", `{}`) // without a token there is none
	}},
	{name: "log before a level is set", hosts: []string{"2025-06-18"}, play: func(p *player) { p.callTool("log", `{}`) }},
	{name: "log", hosts: legacyHosts, play: func(p *player) {
		for _, level := range []string{"warning", "debug", "emergency"} {
			p.ask("logging/setLevel", `"level":"`+level+`"`, "")
			p.callTool("log", `{}`)
		}
		p.ask("logging/setLevel", `"level":"loud"`, "")
	}, but: []difference{{pairs: "LL LM", direct: `"message":"unknown log level"`, weir: `"message":"Invalid params: unknown log level"`, why: ownWords}}},
	{name: "log for a request", hosts: modernHosts, play: func(p *player) {
		for _, level := range []string{"warning", "debug", "emergency"} {
			p.callToolWith("log", `{}`, `;"io.modelcontextprotocol/logLevel":"`+level+`"`)
		}
		p.callTool("log", `{}`)
		p.callToolWith("log", `{}`, `;"io.modelcontextprotocol/logLevel":"loud"`)
	}, but: []difference{{
		pairs: "ML MM", direct: `"message":"unknown log level"`, weir: `"message":"Invalid params: unknown log level in io.modelcontextprotocol/logLevel"`, why: ownWords,
	}}},
	{name: "cancellation", hosts: tableHosts, play: func(p *player) {
		id := p.begin(p.t, "tools/call", `"name":`+quoted(p.exposed("hang")), "")
		p.callTool("hangs", `{}`)
		p.notify(p.t, "notifications/cancelled", `"requestId":`+id+`,"reason":"<enough> é"`)
		p.callTool("cancelled", `{}`)
		p.notify(p.t, "notifications/cancelled", `"requestId":`+id) // once more, too late
		p.notify(p.t, "notifications/cancelled", `"requestId":"never"`)
	}, but: []difference{{
		pairs: "LM MM", transports: "http,http stream", direct: `"reason":"<enough> é"`, weir: `"reason":null`,
		why: "over modern HTTP a request is cancelled by its end, which gives no reason",
	}}},
	{name: "roots change", hosts: legacyHosts, server: "legacy", play: func(p *player) {
		for range 2 {
			p.answer("roots/list", `{"roots":[{"vendor":1E400,"uri":"file:///w%20<é>","name":"w"}],"_meta":{"vendor/x":1}}`)
			p.notify(p.t, "notifications/roots/list_changed", "")
			p.beAsked("roots/list")
			p.callTool("roots", `{}`)
		}
	}},
	{name: "graceful end of a stream", hosts: modernHosts, play: func(p *player) {
		p.watch([]string{"prompts"})
		p.callTool("end_listens", `{}`)
		if len(p.way) == 0 {
			p.see(p.outcome("subscriptions/listen", p.await(p.stream, "")))
			p.watch([]string{"prompts"})
		}
		for range 2 {
			p.callTool("change", `{"list":"prompts"}`)
			p.hear("notifications/prompts/list_changed")
		}
		p.unwatch()
	}, but: []difference{{
		pairs: "ML MM", direct: "subscriptions/listen returns: {}" + modernFacts + "\n" +
			`told notifications/subscriptions/acknowledged on the stream {"notifications":{"promptsListChanged":true}}` + "\n",
		why: "weir opens its own again, and the host's stays",
	}}},
	{name: "unknown notification", hosts: tableHosts, play: func(p *player) {
		p.notify(p.t, "notifications/vendor/unknown", `"x":1E400`)
		p.notify(p.t, "vendor", ``)
		p.callTool("echo", `{"after":1}`)
	}},
}
