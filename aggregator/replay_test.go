package aggregator

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// What real hosts send, to the byte but for the values of a call, and what they
// must get. A line of a host begins with "> ".
const (
	claudeMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientInfo":{"name":"claude-code","title":"Claude Code","version":"2.1.330"},` +
		`"io.modelcontextprotocol/clientCapabilities":{"roots":{"listChanged":true},"elicitation":{"form":{},"url":{}}}`

	listed       = `"tools":[{"name":"up__echo","description":"a scripted tool","inputSchema":{"type":"object"}}]`
	toolClaims   = `"capabilities":{"tools":{"listChanged":true}}`
	claims       = `"capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{}}`
	coreTasks    = `,"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}`
	taskClaims   = `,"extensions":{"io.modelcontextprotocol/tasks":{}}`
	discovered   = `"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],` + claims + `,"ttlMs":0,"cacheScope":"private",` + serverMeta
	modernListed = listed + `,"resultType":"complete","ttlMs":300000,"cacheScope":"private",` + serverMeta
)

func claudeInitialize() string {
	return `{"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true},"elicitation":{"form":{},"url":{}}},` +
		`"clientInfo":{"name":"claude-code","title":"Claude Code","version":"2.1.330"}},"jsonrpc":"2.0","id":0}`
}

func initializeResult(version string) string {
	return `{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"` + version + `",` + claims + `,"serverInfo":` + weirInfo + `}}`
}

// TestHosts replays what hosts send.
func TestHosts(t *testing.T) {
	const done = `{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"ok"}]}}`
	tests := []struct {
		host   string
		dialog []string
	}{
		{"Claude Code, modern", []string{
			`> {"jsonrpc":"2.0","id":"server-discover-probe-1","method":"server/discover","params":{` + claudeMeta + `}}}`,
			result(`"server-discover-probe-1"`, discovered),
			`> {"jsonrpc":"2.0","id":"listen:0","method":"subscriptions/listen","params":{` + claudeMeta + `},"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}}}`,
			`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"listen:0"},"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}}}`,
			`> {"method":"server/discover","jsonrpc":"2.0","id":0,"params":{` + claudeMeta + `}}}`,
			result("0", discovered),
			`> {"method":"tools/list","jsonrpc":"2.0","id":1,"params":{` + claudeMeta + `}}}`,
			result("1", modernListed),
			`> {"method":"tools/call","params":{"name":"up__echo","arguments":{"a":1},` + claudeMeta + `,"claudecode/toolUseId":"toolu_1","progressToken":2}},"jsonrpc":"2.0","id":2}`,
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":2,"progress":1}}`,
			`{"jsonrpc":"2.0","id":2,"result":{"resultType":"complete",` + serverMeta + `,"content":[{"type":"text","text":"ok"}]}}`,
		}},
		{"Claude Code, refused and legacy", []string{
			`> {"jsonrpc":"2.0","id":"server-discover-probe-1","method":"server/discover","params":{}}`,
			failure(`"server-discover-probe-1"`, -32602, "Invalid params: server/discover needs io.modelcontextprotocol/protocolVersion in _meta"),
			"> " + claudeInitialize(),
			initializeResult("2025-11-25"),
			`> {"jsonrpc":"2.0","method":"notifications/initialized"}`,
			`> {"method":"tools/list","jsonrpc":"2.0","id":1}`,
			result("1", listed),
			`> {"method":"tools/call","params":{"name":"up__echo","arguments":{}},"jsonrpc":"2.0","id":2}`,
			done,
		}},
		{"initialize after a good discover, both eras on one pipe", []string{
			`> {"jsonrpc":"2.0","id":"server-discover-probe-1","method":"server/discover","params":{` + claudeMeta + `}}}`,
			result(`"server-discover-probe-1"`, discovered),
			"> " + claudeInitialize(),
			initializeResult("2025-11-25"),
			`> {"jsonrpc":"2.0","method":"notifications/initialized"}`,
			`> {"method":"tools/list","jsonrpc":"2.0","id":1}`,
			result("1", listed),
			`> {"method":"tools/list","jsonrpc":"2.0","id":"1","params":{` + claudeMeta + `}}}`,
			result(`"1"`, modernListed),
			`> {"jsonrpc":"2.0","id":3,"method":"ping"}`,
			`{"jsonrpc":"2.0","id":3,"result":{}}`,
			`> {"jsonrpc":"2.0","id":4,"method":"ping","params":{` + claudeMeta + `}}}`,
			failure("4", -32601, "Method not found: ping"),
		}},
		{"Codex", []string{
			`> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"experimental":{"codex/auth-change":{}},"elicitation":{"form":{},"url":{}}},"clientInfo":{"name":"codex-mcp-client","title":"Codex","version":"0.169.0"}}}`,
			initializeResult("2025-06-18"),
			`> {"jsonrpc":"2.0","method":"notifications/initialized"}`,
			`> {"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"progressToken":0}}}`,
			result("1", listed),
			`> {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"_meta":{"callId":"c","x-codex-turn-metadata":{"a":1},"threadId":"t"},"name":"up__echo","arguments":{}}}`,
			done,
		}},
		{"opencode", []string{
			`> {"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{}},"clientInfo":{"name":"opencode","version":"1.18.33"}},"jsonrpc":"2.0","id":0}`,
			initializeResult("2025-11-25"),
			`> {"method":"notifications/initialized","jsonrpc":"2.0"}`,
			`> {"method":"tools/list","jsonrpc":"2.0","id":1}`,
			result("1", listed),
			`> {"method":"tools/call","params":{"name":"up__echo","arguments":{},"_meta":{"progressToken":2}},"jsonrpc":"2.0","id":2}`,
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":2,"progress":1}}`,
			done,
			`> {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2,"reason":"AbortError: The operation was aborted."}}`,
		}},
		{"Gemini CLI", []string{
			`> {"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{"listChanged":true}},"clientInfo":{"name":"gemini-cli-mcp-client","version":"0.61.0"}},"jsonrpc":"2.0","id":0}`,
			initializeResult("2025-06-18"),
			`> {"method":"notifications/initialized","jsonrpc":"2.0"}`,
			`> {"method":"tools/list","params":{},"jsonrpc":"2.0","id":1}`,
			result("1", listed),
			`> {"method":"tools/call","params":{"name":"up__echo","arguments":{},"_meta":{"progressToken":"p"}},"jsonrpc":"2.0","id":2}`,
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}`,
			done,
		}},
		{"old revisions are echoed, unknown ones countered", []string{
			`> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05"}}`,
			initializeResult("2024-11-05"),
			`> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}`,
			initializeResult("2025-03-26"),
			`> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2026-07-28"}}`,
			initializeResult("2025-11-25"),
			`> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"1.0"}}`,
			initializeResult("2025-11-25"),
		}},
	}
	for _, test := range tests {
		bubble(t, test.host, func(t *testing.T) {
			_, h := one(t, echoScript())
			replay(t, h, test.dialog)
		})
	}
}

// echoScript is a server with one tool, which tells its progress to who asks.
func echoScript() upstreamtest.Script {
	return upstreamtest.Script{
		Tools: raws(string(upstreamtest.Tool("echo"))),
		Rules: []upstreamtest.Rule{{On: "tools/call echo", Do: []upstreamtest.Step{
			{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":1}}`)},
			{Reply: raw(`{"content":[{"type":"text","text":"ok"}]}`)},
		}}},
	}
}

// replay sends the lines that begin with "> " and wants the others, in order.
func replay(t *testing.T, h *host, dialog []string) {
	t.Helper()
	for len(dialog) > 0 {
		sent, ok := strings.CutPrefix(dialog[0], "> ")
		if !ok {
			t.Fatalf("nothing causes %s", dialog[0])
		}
		next := 1
		for next < len(dialog) && !strings.HasPrefix(dialog[next], "> ") {
			next++
		}
		var want []string
		want = append(want, dialog[1:next]...)
		got := h.send(sent)
		for i := range got {
			// What is claimed hangs on whether the server has been listed.
			got[i] = strings.NewReplacer(toolClaims, claims, coreTasks, "", taskClaims, "").Replace(got[i])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("answer to %s (-want +got):\n%s", sent, diff)
		}
		dialog = dialog[next:]
	}
}
