package aggregator

import (
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const (
	secret   = "ghp_a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2"
	redacted = "[redacted:github]"
)

// everywhere is a result that has a secret wherever one can be, and whether it is
// to be taken out.
const everywhere = `{"content":[{"type":"text","text":"a\u0020$"},{"type":"image","data":"$","mimeType":"$"},` +
	`{"type":"resource","resource":{"uri":"x://$","text":"$"}},{"type":"resource_link","uri":"x://$","description":"$"},{"type":"vendor","x":{"y":["$"]}}],` +
	`"structuredContent":{"n":1e400,"s":["$"],"$":1},"_meta":{"x":"$"},"other":"$"}`

const everywhereRedacted = `{"content":[{"type":"text","text":"a #"},{"type":"image","data":"$","mimeType":"$"},` +
	`{"type":"resource","resource":{"uri":"x://$","text":"#"}},{"type":"resource_link","uri":"x://$","description":"#"},{"type":"vendor","x":{"y":["#"]}}],` +
	`"structuredContent":{"n":1e400,"s":["#"],"$":1},"_meta":{"x":"$"},"other":"$"}`

func filled(text string) string {
	return strings.NewReplacer("$token", "$token", "$", secret, "#", redacted).Replace(text)
}

func TestRedaction(t *testing.T) {
	script := upstreamtest.Script{
		Capabilities: raw(`{"tools":{},"prompts":{},"resources":{},"logging":{}}`),
		Tools:        raws(string(upstreamtest.Tool("echo")), string(upstreamtest.Tool("fail"))),
		Rules: []upstreamtest.Rule{
			{On: "tools/call echo", Do: []upstreamtest.Step{
				{Send: raw(filled(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"message":"$","progress":1,"progressToken":"$token"}}`))},
				{Reply: raw(filled(everywhere))},
			}},
			{On: "tools/call fail", Do: []upstreamtest.Step{{Error: raw(filled(`{"code":-1,"message":"$","data":{"x":"$"}}`))}}},
			{On: "prompts/list", Do: []upstreamtest.Step{{Reply: raw(`{"prompts":[{"name":"p"}]}`)}}},
			{On: "prompts/get", Do: []upstreamtest.Step{{Reply: raw(filled(`{"description":"$","messages":[{"role":"user","content":{"type":"text","text":"$"}},{"role":"$","content":[{"type":"text","text":"$"}]}]}`))}}},
			{On: "resources/list", Do: []upstreamtest.Step{{Reply: raw(`{"resources":[{"uri":"x:1","name":"x"}]}`)}}},
			{On: "resources/read", Do: []upstreamtest.Step{
				{Send: raw(filled(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","logger":"l","data":{"a":"$"}}}`))},
				{Reply: raw(filled(`{"contents":[{"uri":"x:1","text":"$"},{"uri":"x:1","blob":"$"}]}`))},
			}},
		},
	}
	bubble(t, "on", func(t *testing.T) {
		up := upstreamtest.New(script)
		cfg := config(t, map[string]*upstreamtest.Server{"up": up}, "up")
		cfg.Servers[0].Redact = []string{"github"}
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		h.send(legacy.request("0", "tools/list", "", ""), legacy.request("00", "prompts/list", "", ""))
		want(t, "result and progress", h.send(legacy.request("1", "tools/call", `"name":"up__echo"`, `"progressToken":7`)),
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"message":"`+redacted+`","progress":1,"progressToken":7}}`,
			filled(`{"jsonrpc":"2.0","id":1,"result":`+everywhereRedacted+`}`))
		want(t, "error", h.send(legacy.request("2", "tools/call", `"name":"up__fail"`, "")),
			filled(`{"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"#","data":{"x":"#"}}}`))
		want(t, "prompt", h.send(legacy.request("3", "prompts/get", `"name":"up__p"`, "")),
			filled(`{"jsonrpc":"2.0","id":3,"result":{"description":"#","messages":[{"role":"user","content":{"type":"text","text":"#"}},{"role":"$","content":[{"type":"text","text":"#"}]}]}}`))
		want(t, "resource and log", h.send(legacy.request("4", "resources/read", `"uri":"x:1"`, "")),
			filled(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","logger":"up/l","data":{"a":"#"}}}`),
			filled(`{"jsonrpc":"2.0","id":4,"result":{"contents":[{"uri":"x:1","text":"#"},{"uri":"x:1","blob":"$"}]}}`))
	})
	bubble(t, "off", func(t *testing.T) {
		_, h := one(t, script)
		h.send(legacy.open()...)
		h.send(legacy.request("0", "tools/list", "", ""))
		want(t, "result", h.send(legacy.request("1", "tools/call", `"name":"up__echo"`, "")),
			filled(`{"jsonrpc":"2.0","id":1,"result":`+everywhere+`}`))
	})
}

// Where a URL is to be opened it stays whole.
func TestRedactionLeavesURLsToOpen(t *testing.T) {
	const refusal = `{"code":-32042,"message":"go","data":{"elicitations":[{"mode":"url","url":"https://u:pass@h/"}]}}`
	bubble(t, "error -32042", func(t *testing.T) {
		script := upstreamtest.Script{
			Tools: raws(string(upstreamtest.Tool("go"))),
			Rules: []upstreamtest.Rule{{On: "tools/call", Do: []upstreamtest.Step{{Error: raw(refusal)}}}},
		}
		cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up")
		cfg.Servers[0].Redact = []string{"all"}
		_, h := start(t, cfg)
		h.send(strings.Replace(initialize, `"capabilities":{}`, `"capabilities":{"elicitation":{"url":{}}}`, 1), initialized)
		h.send(legacy.request("0", "tools/list", "", ""))
		if got := h.send(legacy.call("1", "up__go", "{}")); len(got) != 1 || !strings.Contains(got[0], `"https://u:pass@h/"`) {
			t.Errorf("got %q, want the URL", got)
		}
	})
}
