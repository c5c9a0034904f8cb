package reference

import (
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// getPrompt is prompts/get (2025-11-25 and 2026-07-28, Prompts).
func (c *call) getPrompt() {
	switch name := c.x.Name(); name {
	case "plain", "extra":
		c.prompt(`{"vendor":1E400,"role":"user","content":{"text":"plain <é> \ud83d","type":"text","vendor":1}},` +
			`{"role":"assistant","content":{"type":"resource","resource":{"uri":"ref:///text","text":"embedded","vendor":1}}},` +
			`{"role":"user","content":{"type":"resource_link","uri":"ref:///linked/from/prompt","name":"link"}},` +
			`{"role":"user","content":{"type":"hologram","data":[1.0]}}`)
	case "args":
		if jsonrpc.Find(c.arguments, "who") == nil {
			c.x.Fail(codeInvalidParams, "who is missing", `{"vendor":1.0}`)
			return
		}
		c.prompt(`{"role":"user","content":{"type":"text","text":` + quote(string(c.field("arguments"))) + `}}`)
	case "ask":
		c.askFirst(func(answer string) {
			c.prompt(`{"role":"user","content":{"type":"text","text":` + quote(answer) + `}}`)
		})
	default:
		c.x.Fail(codeInvalidParams, "Unknown prompt: "+name, "")
	}
}

func (c *call) prompt(messages string) {
	c.succeed(`"vendor":1,"messages":[`+messages+`],"description":"of <é>"`, `"vendor/y":{}`)
}

// complete is completion/complete (2025-11-25 and 2026-07-28, Completion). The
// values say what was asked.
func (c *call) complete() {
	ref := members(c.field("ref"))
	target := ""
	switch text(jsonrpc.Find(ref, "type")) {
	case "ref/prompt":
		target = text(jsonrpc.Find(ref, "name"))
	case "ref/resource":
		target = text(jsonrpc.Find(ref, "uri"))
	}
	if target == "" || strings.Contains(target, "no_such") {
		c.x.Fail(codeInvalidParams, "unknown reference", `{"vendor":1E400}`)
		return
	}
	values := []string{quote(target), quote(string(c.field("argument"))), quote(orNull(c.field("context")))}
	c.succeed(`"completion":{"vendor":1.0,"values":[`+strings.Join(values, ",")+`],"total":9007199254740993,"hasMore":true},"vendor":1`, `"vendor/y":1`)
}
