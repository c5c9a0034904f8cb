package e2e

import "strings"

// What users, models and hosts answer.
const (
	accepted = `{"vendor":1E400,"content":{"sure":true,"number":9007199254740993,"mail":"<é>\ud83d"},"action":"accept","_meta":{"vendor/x":{}}}`
	declined = `{"action":"decline"}`
	sampled  = `{"stopReason":"toolUse","content":[{"type":"tool_use","id":"c","name":"echo","input":{"n":1E400}},{"type":"hologram"}],"model":"m","role":"assistant","vendor":1.0}`
	roots    = `{"roots":[{"uri":"file:///w%20<é>","vendor":1E400},{"uri":"file:///v","name":"v"}],"vendor":1}`

	// sampleOnce is how a host is asked for a model's answer.
	sampleOnce = `asked for sampling/createMessage: {"messages":[{"content":{"vendor":1,"type":"text","text":"hi <é>"},"role":"user"},` +
		`{"role":"assistant","content":[{"type":"image","data":"AAEC","mimeType":"image/png"},{"type":"hologram","data":1E400}],"_meta":{"vendor/x":1}}],` +
		`"temperature":0.0,"maxTokens":50,"systemPrompt":"be kind","modelPreferences":{"hints":[{"name":"m"}],"costPriority":0,"speedPriority":1.0},` +
		`"includeContext":"none","stopSequences":["\n"],"metadata":{"n":9007199254740993}}` + "\n"

	elicit = "elicitation/create"
	sample = "sampling/createMessage"
)

const (
	consentURL = `{"message":"Sign <in> é","mode":"url","url":"https://example.com/in?a=1&b=2","vendor":1.0}`
	consented  = `tools/call returns: {"content":[{"type":"text","text":"consented"}]}`
)

const complete1 = `told notifications/elicitation/complete {"vendor":1.0,"elicitationId":"E1"}` + "\n"

var questionRows = []row{
	{name: "a form", play: func(p *player) {
		for _, answer := range []string{accepted, declined, `{"action":"cancel","content":null}`} {
			p.answer(elicit, answer)
			p.callTool("ask_form", `{"b":1.0,"a":[]}`)
		}
	}},
	{name: "a form, and progress", play: func(p *player) {
		p.answer(elicit, accepted)
		p.callToolWith("ask_form", `{}`, `;"progressToken":"p"`)
	}},
	{name: "a form of old", hosts: []string{"2025-06-18"}, play: func(p *player) {
		p.answer(elicit, accepted)
		p.callTool("ask_form", `{}`)
	}, but: []difference{{
		pairs: "LM", direct: `"message":"Really <do> it? é",`, weir: `"message":"Really <do> it? é","mode":"form",`,
		why: "a modern server names the mode, a member that the host does not know",
	}}},
	{name: "a model of old", hosts: tableHosts[:2], play: func(p *player) {
		p.answer(sample, sampled)
		p.callTool("ask_model", `{}`)
		p.answer("roots/list", roots)
		p.callTool("ask_roots", `{}`)
	}},
	{name: "an answer left out", hosts: modernHosts, play: func(p *player) {
		p.react(elicit, reaction{leaveOut: true})
		p.answer(sample, sampled)
		p.answer(elicit, accepted)
		p.react(sample, reaction{result: sampled, perhaps: true})
		p.atOnce = true
		p.callTool("ask_two", `{}`)
	}, but: []difference{{pairs: "ML", direct: sampleOnce + sampleOnce, weir: sampleOnce, why: "what was answered is not asked again"}}},
	{name: "a ping", hosts: legacyHosts, server: "legacy", play: func(p *player) {
		p.react("ping", reaction{result: `{}`, perhaps: len(p.way) > 0})
		p.callTool("ask_ping", `{}`)
	}, but: []difference{{pairs: "LL", direct: "asked for ping: \n", why: "weir answers for itself"}}},
	{name: "an unknown question", hosts: legacyHosts, server: "legacy", play: func(p *player) {
		p.react("vendor/unknown", reaction{failure: `{"code":-32601,"message":"Method not found"}`, perhaps: len(p.way) > 0})
		p.callTool("ask_unknown", `{}`)
	}, but: []difference{{
		pairs: "LL", direct: `asked for vendor/unknown: {"a":1}` + "\n", why: "no host knows what weir does not",
	}}},
	{name: "a question as a task", hosts: legacyHosts, server: "legacy", play: func(p *player) {
		const task = `"taskId":"h <1>","status":"%","createdAt":"2025-11-25T10:30:00Z","lastUpdatedAt":"2025-11-25T10:30:00Z","ttl":null,"vendor":1E400`
		p.answer(sample, `{"task":{`+strings.Replace(task, "%", "working", 1)+`}}`)
		p.answer("tasks/get", `{`+strings.Replace(task, "%", "completed", 1)+`}`)
		p.answer("tasks/result", sampled)
		p.callTool("ask_as_task", `{}`)
	}},
	{name: "a URL", play: func(p *player) {
		for _, answer := range []string{`{"action":"accept"}`, declined} {
			p.answer(elicit, answer)
			p.callTool("ask_url", `{}`)
		}
	}, but: []difference{
		{pairs: "LM", direct: complete1, why: "modern servers do not tell"},
		{pairs: "LM", direct: strings.Replace(complete1, "E1", "E2", 1), why: "modern servers do not tell"},
	}},
	{name: "a model", play: func(p *player) {
		p.answer(sample, sampled)
		p.callTool("ask_model", `{}`)
		p.answer(sample, sampled)
		p.callTool("ask_model_tools", `{}`)
	}},
	{name: "roots", play: func(p *player) {
		p.answer("roots/list", roots)
		p.callTool("ask_roots", `{}`)
	}, but: []difference{{
		pairs: "ML", direct: "asked for roots/list: \n", weir: "asked for roots/list: {}\n", why: "not every client takes a question without params",
	}}},
	{name: "two questions at once", play: func(p *player) {
		p.answer(elicit, accepted)
		p.answer(sample, sampled)
		p.atOnce = true
		p.callTool("ask_two", `{}`)
	}},
	{name: "question after question", play: func(p *player) {
		for _, answer := range []string{accepted, declined, `{"action":"accept","content":{"n":3}}`} {
			p.answer(elicit, answer)
		}
		p.callTool("ask_thrice", `{"a":1.0}`)
	}},
	{name: "a question without a state", play: func(p *player) {
		p.answer(elicit, accepted)
		p.callTool("ask_forgetfully", `{}`)
	}},
	{name: "told to try again", play: func(p *player) { p.callTool("pause", `{}`) }, but: []difference{
		{pairs: "ML", direct: "told to try again\n", why: "a legacy server does all in one call"},
	}},
	{name: "a question before a prompt", play: func(p *player) {
		p.answer(elicit, accepted)
		p.ask("prompts/get", `"name":`+quoted(p.exposed("ask")), "")
	}},
	{name: "a question before a resource", play: func(p *player) {
		p.answer(elicit, accepted)
		p.ask("resources/read", `"uri":"ref:///ask"`, "")
	}},
	{name: "consent first", play: func(p *player) {
		for range 2 {
			p.react(elicit, reaction{result: `{"action":"accept"}`, perhaps: !p.isModern()})
			p.callTool("consent", `{"a":1}`)
		}
	}, but: []difference{
		{
			pairs: "ML", direct: `{"message":"Sign <in> é","mode":"url",`, weir: `{"mode":"url","message":"Sign <in> é",`,
			why: "weir asks, for a server that said so by an error",
		},
		{
			pairs: "LM",
			direct: `tools/call fails: {"code":-32042,"message":"needs <consent>","data":{"elicitations":[` + consentURL + ` with the id "E1"],"vendor":1}}` + "\n" +
				consented + modernFacts + "\n",
			weir: "asked for elicitation/create: " + consentURL + ` with the id "E1"` + "\n" + consented + modernFacts + "\n" +
				"asked for elicitation/create: " + consentURL + ` with the id "E2"` + "\n" + consented + modernFacts + "\n",
			why: "a modern server asks where a legacy one fails",
		},
	}},
	{name: "consent refused", hosts: modernHosts, play: func(p *player) {
		p.answer(elicit, declined)
		p.callTool("consent", `{"b":1}`)
	}, but: []difference{{
		pairs: "ML", direct: `{"message":"Sign <in> é","mode":"url",`, weir: `{"mode":"url","message":"Sign <in> é",`,
		why: "weir asks, for a server that said so by an error",
	}, {
		pairs: "ML", direct: `{"content":[{"type":"text","text":"no consent"}],"isError":true}`,
		weir: `{"content":[{"type":"text","text":"Server \"u\": the user has not agreed to open the page that the server asks for."}],"isError":true,` +
			`"_meta":{"weir/error":{"kind":"authorization","server":"u","tool":"consent","retryable":false}}}`,
		why: "the server is not called again",
	}}},
	{name: "a question refused by an error", hosts: legacyHosts, play: func(p *player) {
		p.react(sample, reaction{failure: `{"data":{"n":1E400},"code":-1,"message":"User <rejected> it","vendor":1}`})
		p.callTool("ask_model", `{}`)
		p.react("roots/list", reaction{failure: `{"code":-32603,"message":"no roots"}`})
		p.callTool("ask_roots", `{}`)
	}, but: []difference{
		{
			pairs: "LM", direct: `{"content":[],"structuredContent":{"answers":[{"error":{"data":{"n":1E400},"code":-1,"message":"User <rejected> it","vendor":1}}]}}` + modernFacts,
			weir: hostRefused("ask_model"), why: "a modern server cannot be told of an error",
		},
		{
			pairs: "LM", direct: `{"content":[],"structuredContent":{"answers":[{"error":{"code":-32603,"message":"no roots"}}]}}` + modernFacts,
			weir: hostRefused("ask_roots"), why: "a modern server cannot be told of an error",
		},
	}},
	{name: "progress on a question", hosts: legacyHosts, server: "legacy", play: func(p *player) {
		p.react(sample, reaction{result: sampled, progress: `"progress":9007199254740993,"total":1.50,"message":"<é>","vendor":1E400`})
		p.callTool("ask_progress", `{}`)
	}},
	{name: "a question taken back", hosts: legacyHosts, server: "legacy", play: func(p *player) {
		p.react(sample, reaction{hold: true})
		p.callTool("ask_in_vain", `{}`)
	}},
	{name: "a call cancelled while it asks", hosts: legacyHosts, play: func(p *player) {
		p.react(elicit, reaction{hold: true})
		id := p.begin(p.t, "tools/call", `"name":`+quoted(p.exposed("ask_form")), "")
		p.beAsked(elicit)
		p.notify(p.t, "notifications/cancelled", `"requestId":`+id)
		p.hear("notifications/cancelled")
	}, but: []difference{
		{pairs: "LM", direct: `,"reason":"the call is over"`, why: "it is weir that takes it back"},
	}},
	{name: "questions that cannot be asked", declares: "none", play: func(p *player) {
		for _, tool := range []string{"ask_form", "ask_url", "ask_model", "ask_model_tools", "ask_roots"} {
			p.callTool(tool, `{}`)
		}
		p.ask("prompts/get", `"name":`+quoted(p.exposed("ask")), "")
		p.ask("resources/read", `"uri":"ref:///ask"`, "")
	}, but: cannotBeAsked()},
}

// cannotBeAsked is how the eras say that the client lacks something.
func cannotBeAsked() []difference {
	var all []difference
	for _, question := range []struct{ tool, lacks, needs string }{
		{"ask_form", "elicitation form", `{"elicitation":{"form":{}}}`},
		{"ask_url", "elicitation url", `{"elicitation":{"url":{}}}`},
		{"ask_model", "sampling", `{"sampling":{}}`},
		{"ask_model_tools", "sampling tools", `{"sampling":{"tools":{}}}`},
		{"ask_roots", "roots", `{"roots":{}}`},
	} {
		lacks := `tools/call returns: {"content":[{"type":"text","text":"the client lacks ` + question.lacks + `"}],"isError":true}` + modernFacts
		needs := `tools/call fails: {"code":-32021,"message":"the client cannot be asked","data":{"requiredCapabilities":` + question.needs + `,"vendor":1}}`
		refused := `tools/call returns: {"content":[{"type":"text","text":"Server \"u\": the server refused the call: the client cannot be asked."}],"isError":true,` +
			`"_meta":{"weir/error":{"kind":"protocol","server":"u","tool":"` + question.tool + `","retryable":false}}}`
		all = append(all,
			difference{pairs: "ML", direct: needs, weir: lacks, why: "a legacy server was told at its handshake"},
			difference{pairs: "LM", direct: lacks, weir: refused, why: "a legacy host knows no such error"})
	}
	for _, method := range []string{"prompts/get", "resources/read"} {
		lacks := method + ` fails: {"code":-32603,"message":"the client lacks elicitation form"}`
		needs := method + ` fails: {"code":-32021,"message":"the client cannot be asked","data":{"requiredCapabilities":{"elicitation":{"form":{}}},"vendor":1}}`
		refused := method + ` fails: {"code":-32603,"message":"Server \"u\": the server refused the call: the client cannot be asked.","data":{"kind":"protocol","server":"u","retryable":false}}`
		all = append(all,
			difference{pairs: "ML", direct: needs, weir: lacks, why: "a legacy server was told at its handshake"},
			difference{pairs: "LM", direct: lacks, weir: refused, why: "a legacy host knows no such error"})
	}
	return all
}

// hostRefused is what becomes of a call whose question a host has answered with
// an error.
func hostRefused(tool string) string {
	return `{"content":[{"type":"text","text":"Server \"u\": the host has refused to answer the server. The call is not finished and will not be."}],"isError":true,` +
		`"_meta":{"weir/error":{"kind":"protocol","server":"u","tool":"` + tool + `","retryable":false,"maybeExecuted":true}}}`
}
