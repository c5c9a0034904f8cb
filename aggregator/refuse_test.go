package aggregator

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestRefusals is what a host gets for what it should not have sent. The session
// goes on after each.
func TestRefusals(t *testing.T) {
	meta := `"_meta":{` + modernMeta + `}`
	modernCall := func(params string) string {
		return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{` + join(params, meta) + `}}`
	}
	call := func(params string) string {
		return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{` + params + `}}`
	}
	noID := func(code int, message string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","error":{"code":%d,"message":%q}}`, code, message)
	}
	first := failure("7", -32600, "Invalid request: send initialize first, or io.modelcontextprotocol/protocolVersion in _meta")
	twice := func(name, where string) string {
		return failure("7", -32600, `Invalid request: member "`+name+`" stands twice`+where)
	}
	like := func(key, name, where string) string {
		return failure("7", -32600, `Invalid request: member "`+key+`" looks like "`+name+`"`+where)
	}
	unsupported := func(version string) string {
		return `{"jsonrpc":"2.0","id":7,"error":{"code":-32022,"message":"Unsupported protocol version","data":` +
			`{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"` + version + `"}}}`
	}
	long := strings.Repeat("é", 200)

	tests := []struct {
		name string
		open []string // sent before
		line string
		want string // "" = nothing
	}{
		// Before any era is known.
		{"tools/list before initialize", nil, `{"jsonrpc":"2.0","id":7,"method":"tools/list"}`, first},
		{"unknown method before initialize", nil, `{"jsonrpc":"2.0","id":7,"method":"nothing"}`, first},
		{"ping before initialize", nil, `{"jsonrpc":"2.0","id":7,"method":"ping"}`, `{"jsonrpc":"2.0","id":7,"result":{}}`},
		{
			"discover without _meta", nil, `{"jsonrpc":"2.0","id":7,"method":"server/discover"}`,
			failure("7", -32602, "Invalid params: server/discover needs io.modelcontextprotocol/protocolVersion in _meta"),
		},
		{
			"initialize without a revision", nil, `{"jsonrpc":"2.0","id":7,"method":"initialize","params":{}}`,
			failure("7", -32602, "Invalid params: initialize needs protocolVersion"),
		},
		{
			"batch before initialize", nil, `[{"jsonrpc":"2.0","id":7,"method":"ping"}]`,
			noID(-32600, "Invalid request: a batch like this is not accepted here, send one message a line"),
		},
		{"notification", nil, `{"jsonrpc":"2.0","method":"notifications/unheard-of"}`, ""},
		{"answer to nothing", nil, `{"jsonrpc":"2.0","id":7,"result":{}}`, ""},
		{"cancellation of nothing", nil, cancelled("7"), ""},

		// No messages.
		{"no JSON", nil, `nonsense`, noID(-32700, "Parse error: invalid JSON at byte 0: want a value")},
		{"no JSON, but an id", nil, `{"jsonrpc":"2.0","id":7,"method":"ping",}`, failure("7", -32700, "Parse error: invalid JSON at byte 40: want a member name")},
		{"no UTF-8", nil, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xff\"}", failure("7", -32700, "Parse error: invalid JSON at byte 34: text is not UTF-8")},
		{"no object", nil, `7`, noID(-32600, "Invalid request: want an object")},
		{"other JSON-RPC", nil, `{"jsonrpc":"1.0","id":7,"method":"ping"}`, failure("7", -32600, `Invalid request: want "jsonrpc":"2.0"`)},
		{"no method", nil, `{"jsonrpc":"2.0","id":7}`, failure("7", -32600, "Invalid request: want a method, or an id and one of result and error")},
		{"id null", nil, `{"jsonrpc":"2.0","id":null,"method":"ping"}`, noID(-32600, "Invalid request: id must be a string or an integer")},
		{"id no integer", nil, `{"jsonrpc":"2.0","id":1e3,"method":"ping"}`, noID(-32600, "Invalid request: id must be a string or an integer")},
		{"params an array", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":[]}`, failure("7", -32602, "Invalid params: want an object")},
		{"_meta no object", legacy.open(), call(`"name":"up__echo","_meta":[]`), failure("7", -32602, "Invalid params: _meta must be an object")},

		// Eras.
		{"unsupported modern revision", nil, `{"jsonrpc":"2.0","id":7,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2027-01-01"}}}`, unsupported("2027-01-01")},
		{"legacy revision in _meta", nil, `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}}`, unsupported("2025-11-25")},
		{"long revision", nil, `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"` + long + `"}}}`, unsupported(long[:300] + "…")},
		{
			"revision no string", nil, `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}}`,
			failure("7", -32602, "Invalid params: io.modelcontextprotocol/protocolVersion must be a string"),
		},
		{
			"no capabilities in _meta", nil, `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`,
			failure("7", -32602, "Invalid params: _meta needs the object io.modelcontextprotocol/clientCapabilities"),
		},
		{"legacy method of a modern host", nil, `{"jsonrpc":"2.0","id":7,"method":"initialize","params":{` + meta + `}}`, failure("7", -32601, "Method not found: initialize")},
		{"modern method of a legacy host", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{}}}`, failure("7", -32601, "Method not found: subscriptions/listen")},
		{
			"listen to nothing", nil, `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{` + meta + `}}`,
			failure("7", -32602, "Invalid params: subscriptions/listen needs the object notifications"),
		},

		// Not carried yet.
		{"Prompts/list", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"Prompts/list"}`, failure("7", -32601, "Method not found: Prompts/list")},
		{"prompts/get", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"prompts/get","params":{"name":"x"}}`, `{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"Unknown prompt: x","data":{"kind":"tool_not_found","server":"weir","tool":"x","retryable":false}}}`},
		{"resources/read", nil, `{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"x:",` + meta + `}}`, `{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"Resource not found: x:","data":{"kind":"tool_not_found","server":"weir","retryable":false,"uri":"x:"}}}`},
		{"resources/read, legacy", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"x:"}}`, `{"jsonrpc":"2.0","id":7,"error":{"code":-32002,"message":"Resource not found: x:","data":{"kind":"tool_not_found","server":"weir","retryable":false,"uri":"x:"}}}`},
		{"completion/complete", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"completion/complete"}`, failure("7", -32602, "Invalid params: completion/complete needs the object ref")},
		{"logging/setLevel", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"logging/setLevel","params":{"level":"info"}}`, `{"jsonrpc":"2.0","id":7,"result":{}}`},
		{"unknown level", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"logging/setLevel","params":{"level":"loud"}}`, failure("7", -32602, "Invalid params: unknown log level")},
		{"modern logging/setLevel", modern.open(), modern.request("7", "logging/setLevel", `"level":"info"`, ""), failure("7", -32601, "Method not found: logging/setLevel")},
		{"unknown level of a request", modern.open(), modern.request("7", "tools/call", `"name":"up__echo"`, `"io.modelcontextprotocol/logLevel":"loud"`), failure("7", -32602, "Invalid params: unknown log level in io.modelcontextprotocol/logLevel")},
		{"long method", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"` + long + `"}`, failure("7", -32601, "Method not found: "+long[:300]+"…")},

		// Tools.
		{"cursor", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":""}}`, failure("7", -32602, "Invalid params: unknown cursor")},
		{"call without a name", legacy.open(), call(`"arguments":{}`), failure("7", -32602, "Invalid params: tools/call needs the string name")},
		{"name no string", legacy.open(), call(`"name":["up__echo"]`), failure("7", -32602, "Invalid params: tools/call needs the string name")},
		{"unknown tool", legacy.open(), call(`"name":"up__<nothing>"`), noTool("7", "up__<nothing>")},
		{"weir's own name", legacy.open(), call(`"name":"weir__servers"`), noTool("7", "weir__servers")},
		{"long name", legacy.open(), call(`"name":"` + long + `"`), noTool("7", long[:300]+"…")},

		// Smuggling.
		{"method twice", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/list"}`, failure("7", -32600, `Invalid request: member "method" stands twice`)},
		{"method twice, escaped", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"ping","m\u0065thod":"tools/list"}`, failure("7", -32600, `Invalid request: member "method" stands twice`)},
		{"method in capitals", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"ping","METHOD":"tools/list"}`, like("METHOD", "method", "")},
		{"jsonrpc with a long s", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"ping","paramſ":{}}`, like("paramſ", "params", "")},
		{"unknown member of the message twice", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"ping","x":1,"x":1}`, twice("x", "")},
		{"name twice", legacy.open(), call(`"name":"up__echo","name":"up__echo"`), twice("name", " in params")},
		{"name twice, escaped", legacy.open(), call(`"name":"up__echo","n\u0061me":"up__other"`), twice("name", " in params")},
		{"name in capitals", legacy.open(), call(`"name":"up__echo","NAME":"up__other"`), like("NAME", "name", " in params")},
		{"name in capitals alone", legacy.open(), call(`"NAME":"up__other"`), like("NAME", "name", " in params")},
		{"arguments with a long s", legacy.open(), call(`"name":"up__echo","argumentſ":{}`), like("argumentſ", "arguments", " in params")},
		{"task with a Kelvin sign", legacy.open(), call(`"name":"up__echo","tas\u212a":{}`), like("tas\u212a", "task", " in params")},
		{"unknown member of params twice", legacy.open(), call(`"name":"up__echo","x":1,"x":1`), twice("x", " in params")},
		{"_meta twice", nil, modernCall(`"name":"up__echo","_meta":{}`), twice("_meta", " in params")},
		{"member of _meta twice", legacy.open(), call(`"name":"up__echo","_meta":{"x/y":1,"x/y":1}`), twice("x/y", " in _meta")},
		{
			"revision in capitals", legacy.open(), call(`"name":"up__echo","_meta":{"IO.modelcontextprotocol/protocolVersion":"2026-07-28"}`),
			like("IO.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/protocolVersion", " in _meta"),
		},
		{"token with Kelvin sign", legacy.open(), call(`"name":"up__echo","_meta":{"progressTo\u212aen":1}`), like("progressTo\u212aen", "progressToken", " in _meta")},
		{"too many members", legacy.open(), call(`"name":"up__echo"` + strings.Repeat(`,"":1`, 200)), failure("7", -32600, "Invalid request: too many members in params")},

		// What looks odd and is none of weir's business.
		{"odd arguments", legacy.open(), call(`"name":"up__echo","arguments":{"name":"x","NAME":"y","a":1,"a":2,"_meta":3}`), done("7")},
		{"escaped names", legacy.open(), call(`"n\u0061me":"up__\u0065cho"`), done("7")},
		{"cursor null", legacy.open(), `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":null}}`, result("7", listed)},
		{"token null", legacy.open(), call(`"name":"up__echo","_meta":{"progressToken":null}`), done("7")},
		{"token no token", legacy.open(), call(`"name":"up__echo","_meta":{"progressToken":{}}`), done("7")},
		{"server's name for mcp_", legacy.open(), call(`"name":"mcp_up__echo"`), done("7")},
		{"bare name", legacy.open(), call(`"name":"echo"`), done("7")},
	}
	for _, test := range tests {
		bubble(t, test.name, func(t *testing.T) {
			_, h := one(t, echoScript())
			h.send(test.open...)
			var want []string
			if test.want != "" {
				want = []string{test.want}
			}
			if diff := cmp.Diff(want, h.send(test.line), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("answer to %s (-want +got):\n%s", test.line, diff)
			}
			const ping = `{"jsonrpc":"2.0","id":8,"method":"ping"}`
			if diff := cmp.Diff([]string{`{"jsonrpc":"2.0","id":8,"result":{}}`}, h.send(ping)); diff != "" {
				t.Errorf("ping afterwards (-want +got):\n%s", diff)
			}
		})
	}
}

func done(id string) string {
	return result(id, `"content":[{"type":"text","text":"ok"}]`)
}

// TestBatches: a legacy host may send arrays; each message is answered by
// itself.
func TestBatches(t *testing.T) {
	const notHere = `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid request: a batch like this is not accepted here, send one message a line"}}`
	tests := []struct {
		name, line string
		want       []string
	}{
		{
			"two requests and a notification", `[{"jsonrpc":"2.0","id":1,"method":"ping"}, {"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"up__echo"}}]`,
			[]string{`{"jsonrpc":"2.0","id":1,"result":{}}`, done("2")},
		},
		{"one that is none", `[{"jsonrpc":"2.0","id":1},{"jsonrpc":"2.0","id":2,"method":"ping"}]`, []string{
			failure("1", -32600, "Invalid request: want a method, or an id and one of result and error"),
			`{"jsonrpc":"2.0","id":2,"result":{}}`,
		}},
		{"batch in a batch", `[[{"jsonrpc":"2.0","id":1,"method":"ping"}]]`, []string{`{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid request: a batch"}}`}},
		{
			"same id twice", `[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"up__gate"}},{"jsonrpc":"2.0","id":1,"method":"ping"}]`,
			[]string{failure("1", -32600, "Invalid request: a request with this id is in flight")},
		},
		{"empty", `[]`, []string{notHere}},
		{"too many", `[0` + strings.Repeat(",0", maxBatch) + `]`, []string{notHere}},
		{"too long", `["` + strings.Repeat("x", maxBatchBytes) + `"]`, []string{notHere}},
	}
	for _, test := range tests {
		bubble(t, test.name, func(t *testing.T) {
			_, h := one(t, gateScript())
			h.send(legacy.open()...)
			if diff := cmp.Diff(test.want, h.send(test.line)); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

// gateScript is echoScript with a tool that answers when it is let.
func gateScript() upstreamtest.Script {
	script := echoScript()
	script.Tools = append(script.Tools, upstreamtest.Tool("gate"))
	script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/call gate", Do: []upstreamtest.Step{
		{Await: "open"}, {Reply: raw(`{"content":[{"type":"text","text":"ok"}]}`)},
	}})
	return script
}

func TestOverlongMessage(t *testing.T) {
	bubble(t, "its id is found and the session goes on", func(t *testing.T) {
		cfg := config(t, map[string]*upstreamtest.Server{})
		cfg.MessageLimit = 1000
		_, h := start(t, cfg)
		got := h.send(`{"jsonrpc":"2.0","method":"ping","x":"`+strings.Repeat("x", 1000)+`","id":7}`, `{"jsonrpc":"2.0","id":8,"method":"ping"}`)
		want := []string{
			failure("7", -32600, "Invalid request: message is longer than 1000 bytes"),
			`{"jsonrpc":"2.0","id":8,"result":{}}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

// TestLimits: what is over a limit is refused, and the rest goes on.
func TestLimits(t *testing.T) {
	tooMany := func(what string) string {
		return `"error":{"code":-32603,"message":"Too many ` + what + `","data":{"kind":"rate_limited","server":"weir","retryable":true}}`
	}
	bubble(t, "subscriptions", func(t *testing.T) {
		_, h := start(t, config(t, nil))
		for i := range maxListeners {
			h.send(modern.request(strconv.Itoa(i), "subscriptions/listen", `"notifications":{}`, ""))
		}
		want(t, "one more", h.send(modern.request(`"x"`, "subscriptions/listen", `"notifications":{}`, "")), `{"jsonrpc":"2.0","id":"x",`+tooMany("subscriptions are open")+`}`)
	})
	bubble(t, "requests", func(t *testing.T) {
		script := gateScript()
		script.Rules = []upstreamtest.Rule{{On: "tools/list"}} // so that nobody knows whose they are
		_, h := one(t, script)
		h.send(legacy.open()...)
		lines := make([]string, maxInFlight)
		for i := range lines {
			lines[i] = legacy.call(strconv.Itoa(i), "up__gate", "{}")
		}
		want(t, "as many as may be", h.send(lines...))
		want(t, "one more", h.send(legacy.call(`"x"`, "up__gate", "{}")), `{"jsonrpc":"2.0","id":"x",`+tooMany("requests are in flight")+`}`)
		pass(DefaultPatience + upstream.DefaultListTimeout)
		if got := len(h.received()); got != maxInFlight {
			t.Errorf("got %d answers, want %d", got, maxInFlight)
		}
		want(t, "afterwards", h.send(legacy.request(`"x"`, "ping", "", "")), result(`"x"`, ""))
	})
}
