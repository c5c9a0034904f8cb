package e2e

// What users, models and hosts answer.
const (
	accepted = `{"vendor":1E400,"content":{"sure":true,"number":9007199254740993,"mail":"<é>\ud83d"},"action":"accept","_meta":{"vendor/x":{}}}`
	declined = `{"action":"decline"}`
	sampled  = `{"stopReason":"toolUse","content":[{"type":"tool_use","id":"c","name":"echo","input":{"n":1E400}},{"type":"hologram"}],"model":"m","role":"assistant","vendor":1.0}`
	roots    = `{"roots":[{"uri":"file:///w%20<é>","vendor":1E400},{"uri":"file:///v","name":"v"}],"vendor":1}`

	elicit = "elicitation/create"
	sample = "sampling/createMessage"
)

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
	{name: "a URL", play: func(p *player) {
		for _, answer := range []string{`{"action":"accept"}`, declined} {
			p.answer(elicit, answer)
			p.callTool("ask_url", `{}`)
		}
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
	}},
	{name: "two questions at once", play: func(p *player) {
		p.answer(elicit, accepted)
		p.answer(sample, sampled)
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
	{name: "told to try again", play: func(p *player) { p.callTool("pause", `{}`) }},
	{name: "a question before a prompt", play: func(p *player) {
		p.answer(elicit, accepted)
		p.ask("prompts/get", `"name":`+quoted(p.exposed("ask")), "")
	}},
	{name: "a question before a resource", play: func(p *player) {
		p.answer(elicit, accepted)
		p.ask("resources/read", `"uri":"ref:///ask"`, "")
	}},
	{name: "consent first", play: func(p *player) {
		if p.isModern() {
			p.answer(elicit, `{"action":"accept"}`)
			p.callTool("consent", `{"a":1}`)
			return
		}
		p.callTool("consent", `{"a":1}`)
		p.callTool("consent", `{"a":1}`)
	}},
	{name: "a question refused by an error", hosts: legacyHosts, play: func(p *player) {
		p.react(sample, reaction{failure: `{"data":{"n":1E400},"code":-1,"message":"User <rejected> it","vendor":1}`})
		p.callTool("ask_model", `{}`)
		p.react("roots/list", reaction{failure: `{"code":-32603,"message":"no roots"}`})
		p.callTool("ask_roots", `{}`)
	}},
	{name: "progress on a question", hosts: legacyHosts, play: func(p *player) {
		p.react(sample, reaction{result: sampled, progress: `"progress":9007199254740993,"total":1.50,"message":"<é>","vendor":1E400`})
		p.callTool("ask_progress", `{}`)
	}},
	{name: "a question taken back", hosts: legacyHosts, play: func(p *player) {
		p.react(sample, reaction{hold: true})
		p.callTool("ask_in_vain", `{}`)
	}},
	{name: "a call cancelled while it asks", hosts: legacyHosts, play: func(p *player) {
		p.react(elicit, reaction{hold: true})
		id := p.begin(p.t, "tools/call", `"name":`+quoted(p.tool("ask_form")), "")
		p.beAsked(elicit)
		p.notify(p.t, "notifications/cancelled", `"requestId":`+id)
		p.hear("notifications/cancelled")
	}},
	{name: "questions that cannot be asked", declares: "none", play: func(p *player) {
		for _, tool := range []string{"ask_form", "ask_url", "ask_model", "ask_model_tools", "ask_roots", "ask_two"} {
			p.callTool(tool, `{}`)
		}
		p.ask("prompts/get", `"name":`+quoted(p.exposed("ask")), "")
		p.ask("resources/read", `"uri":"ref:///ask"`, "")
	}},
}
