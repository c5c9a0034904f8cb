package reference

import (
	"errors"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A tool is listed and called. Definitions begin with the name.
type tool struct {
	name    string
	further string // members of its definition after the name
	legacy  string // further ones, in the legacy era
	modern  string // and in the modern era
	run     func(c *call)
	task    string // how it runs as a task; "" = never
}

func (t *tool) definition(modern bool) string {
	of := t.legacy
	if modern {
		of = t.modern
	}
	return "{" + join(`"name":`+quote(t.name), t.further, of) + "}"
}

const extraTool = `{"name":"extra","inputSchema":{"type":"object"}}`

// plain is a schema for those of which nothing is odd.
const plain = `"inputSchema":{"type":"object"}`

// odd is a definition in which all is.
const odd = `"zulu":[1E400,-0,1.0],"title":"Odd <é>","description":"odd & \ud83d ö","inputSchema":{"type":"object","$schema":"https://json-schema.org/draft/2020-12/schema",` +
	`"properties":{"b":{"x-y":{"b":1,"a":2}},"a":{"$ref":"#/$defs/d"}},"$defs":{"d":{}},"required":[]},` +
	`"annotations":{"vendor":null,"title":"Odd","readOnlyHint":true,"destructiveHint":false},"icons":[{"src":"https://example.com/i.png","sizes":["any"],"vendor":1}],` +
	`"_meta":{"vendor/x":{"z":9007199254740993,"a":[]}}`

// allTools are listed in this order.
var allTools = []*tool{
	{name: "echo", further: odd, run: (*call).echo},
	{name: "progress", further: plain, run: (*call).report},
	{name: "log", further: plain, run: (*call).log},
	{name: "is_error", further: plain, run: func(c *call) {
		c.succeed(`"vendor":{"z":1,"a":2},"isError":true,"content":[{"type":"text","text":"no such row"}]`, "")
	}},
	{name: "fails", further: plain, run: func(c *call) {
		c.x.FailRaw(`{"data":{"n":9007199254740993,"<":">"},"code":7,"message":"out of <luck> é","vendor":true}`)
	}},
	{name: "content", further: plain, run: func(c *call) { c.succeed(allContent, `"vendor/x":{"n":9007199254740993}`) }},
	{name: "odd_content", further: plain, run: func(c *call) {
		c.succeed(`"content":[{"type":"hologram","data":[1E400,2]},{"text":"\ud83d","type":"text","x":1}],"a":1,"a":2`, `"vendor/x":1E400`)
	}},
	{name: "structured", further: plain, modern: `"outputSchema":{"type":"array","x":1.0}`, run: (*call).structured},
	{name: "object", further: plain + `,"outputSchema":{"type":"object","x":1.0}`, run: (*call).structured},
	{name: "meta", further: plain, run: (*call).tellMeta},
	{name: "capabilities", further: plain, run: func(c *call) { c.tell("capabilities", string(c.declared)) }},
	{
		name: "region", further: `"inputSchema":{"type":"object","properties":{"where":{"type":"string","x-mcp-header":"Region"}}}`,
		run: (*call).region,
	},

	{name: "change", further: plain, run: (*call).change},
	{name: "touch", further: plain, run: (*call).touch},
	{name: "end_listens", further: plain, run: (*call).endListens},
	{name: "roots", further: plain, run: (*call).tellRoots},

	{name: "hang", further: plain, run: (*call).hang},
	{name: "hangs", further: plain, run: (*call).tellHanging},
	{name: "cancelled", further: plain, run: (*call).tellCancelled},

	{name: "ask_form", further: plain, run: asking(func(c *call) []*question {
		return []*question{c.elicitForm("form", "Really <do> it? é")}
	})},
	{name: "ask_url", further: plain, run: (*call).askURL},
	{name: "ask_model", further: plain, run: asking(func(*call) []*question { return []*question{sampling("m", "", "sampling")} })},
	{name: "ask_model_tools", further: plain, run: asking(func(*call) []*question {
		return []*question{sampling("m", samplingTools, "sampling tools")}
	})},
	{name: "ask_roots", further: plain, run: asking(func(*call) []*question { return []*question{rootsQuestion("r")} })},
	{name: "ask_two", further: plain, run: asking(func(c *call) []*question {
		return []*question{c.elicitForm("<é> 1", "One"), sampling("2", "", "sampling")}
	})},
	{name: "ask_thrice", further: plain, run: (*call).askThrice},
	{name: "ask_forgetfully", further: plain, run: func(c *call) {
		c.forgetful = true
		c.tellAnswers(c.ask(c.elicitForm("form", "Remember me?")))
	}},
	{name: "ask_progress", further: plain, run: (*call).askProgress},
	{name: "ask_in_vain", further: plain, run: (*call).askInVain},
	{name: "pause", further: plain, run: func(c *call) {
		for range 2 {
			if !c.pause() {
				return
			}
		}
		c.succeed(`"content":[{"type":"text","text":"twice"}]`, "")
	}},
	{name: "ask_unknown", further: plain, run: legacyAsking("", func(*call) *question {
		return &question{method: "vendor/unknown", params: `{"a":1}`}
	})},
	{name: "ask_ping", further: plain, run: legacyAsking("", func(*call) *question { return &question{method: "ping"} })},
	{name: "ask_as_task", further: plain, run: (*call).askAsTask},
	{name: "consent", further: plain, run: (*call).consent},

	{name: "task_work", further: plain, legacy: `"execution":{"taskSupport":"optional","vendor":1}`, task: "work"},
	{name: "task_only", further: plain, legacy: `"execution":{"taskSupport":"required"}`, task: "only"},
	{name: "task_ask", further: plain, legacy: `"execution":{"taskSupport":"optional"}`, task: "ask"},
	{name: "task_fail", further: plain, legacy: `"execution":{"taskSupport":"required"}`, task: "fail"},
	{name: "task_hold", further: plain, legacy: `"execution":{"taskSupport":"required"}`, task: "hold"},

	{name: "ui_open", further: plain + `,"_meta":{"vendor/x":1,"ui":{"vendor":1.0,"resourceUri":"ui://reference/panel"}}`, run: (*call).echo},
	{name: "ui_action", further: plain + `,"_meta":{"ui":{"resourceUri":"ui://reference/panel","visibility":["app"]}}`, run: (*call).echo},
}

// toolsByName has the extra one too, listed or not.
var toolsByName = index(append(slices.Clone(allTools), &tool{name: "extra", run: (*call).echo}))

func index(all []*tool) map[string]*tool {
	byName := make(map[string]*tool, len(all))
	for _, t := range all {
		byName[t.name] = t
	}
	return byName
}

// allContent has content of all kinds.
const allContent = `"content":[` +
	`{"annotations":{"priority":0.30,"audience":["user","assistant"],"vendor":1},"type":"text","text":"<é>&","_meta":{"vendor/x":1.0},"vendor":1},` +
	`{"type":"image","mimeType":"image/png","data":"AAEC"},` +
	`{"data":"AAEC","type":"audio","mimeType":"audio/wav","vendor":{}},` +
	`{"type":"resource_link","uri":"ref:///linked/from/tool","name":"link","title":"Link","description":"a link","mimeType":"text/plain","size":9007199254740993,"icons":[]},` +
	`{"type":"resource","resource":{"uri":"ref:///embedded/text","mimeType":"text/plain","text":"embedded","_meta":{"vendor/x":1}},"annotations":{}},` +
	`{"type":"resource","resource":{"blob":"AAEC","uri":"ref:///embedded/blob","vendor":1}}],"isError":false,"vendor":{"z":9007199254740993,"a":1.0}`

// echo tells the arguments as they came.
func (c *call) echo() {
	c.succeed(`"content":[{"type":"text","text":`+quote(c.x.Name())+`}],"structuredContent":{"arguments":`+orNull(c.field("arguments"))+`}`, "")
}

// tell answers with one raw value.
func (c *call) tell(key, value string) {
	c.succeed(`"content":[],"structuredContent":{`+quote(key)+`:`+value+`}`, "")
}

// report sends progress.
func (c *call) report() {
	if token := c.token(); token != nil {
		c.notify("notifications/progress", `{"vendor":"x","progress":9007199254740993,"progressToken":`+string(token)+`,"message":"<é>&","total":1.50}`)
		c.notify("notifications/progress", `{"progressToken":`+string(token)+`,"progress":9007199254740994,"_meta":{"vendor/x":1}}`)
		c.notify("notifications/progress", `{"progressToken":`+string(token)+`,"progress":9.1e15}`)
	}
	c.succeed(`"content":[]`, "")
}

// structured answers with the argument "as", where the era allows it.
func (c *call) structured() {
	as := jsonrpc.Find(c.arguments, "as")
	if !c.x.Modern() && !strings.HasPrefix(string(as), "{") {
		c.succeed(`"content":[{"type":"text","text":`+quote(string(as))+`}]`, "")
		return
	}
	c.succeed(`"content":[{"type":"text","text":`+quote(string(as))+`}],"structuredContent":`+string(as), "")
}

// tellMeta tells what has come in _meta: as it came, but for what belongs to
// the hop, of which only the names are told.
func (c *call) tellMeta() {
	var rest []jsonrpc.Member
	var ofHop []string
	for _, member := range c.meta {
		if strings.HasPrefix(string(member.Key), metaPrefix) {
			ofHop = append(ofHop, quote(string(member.Key)))
			continue
		}
		if string(member.Key) != "progressToken" {
			rest = append(rest, member)
		}
	}
	slices.Sort(ofHop)
	c.succeed(`"content":[],"structuredContent":{"hop":[`+strings.Join(ofHop, ",")+`],"rest":`+string(jsonrpc.AppendObject(nil, rest))+`}`, "")
}

// region tells its argument, if the header says the same (2026-07-28,
// Streamable HTTP, x-mcp-header).
func (c *call) region() {
	where := c.argument("where")
	if header, ok := c.x.Header("Mcp-Param-Region"); ok && c.x.Modern() && header != where {
		c.x.Fail(codeNeedsHeader, "Mcp-Param-Region does not match the body", "")
		return
	}
	c.tell("where", quote(where))
}

// tellRoots waits for the roots that the client tells after it has said that
// they changed.
func (c *call) tellRoots() {
	if c.client == nil {
		c.tell("roots", "null")
		return
	}
	c.wait("roots", c.client.roots)
}

// wait tells what comes.
func (c *call) wait(key string, values <-chan string) {
	select {
	case value := <-values:
		c.tell(key, value)
	case <-c.x.Context().Done():
	}
}

// hang waits to be cancelled, and does not answer then.
func (c *call) hang() {
	c.hanging <- struct{}{}
	<-c.x.Context().Done()
	reason := "null"
	if cancelled, ok := errors.AsType[*upstreamtest.CancelledError](contextCause(c)); ok {
		reason = orNull(cancelled.Reason)
	}
	c.server.cancelled <- reason
}

func (c *call) tellHanging() {
	select {
	case <-c.hanging:
		c.succeed(`"content":[]`, "")
	case <-c.x.Context().Done():
	}
}

func (c *call) tellCancelled() { c.wait("reason", c.server.cancelled) }
