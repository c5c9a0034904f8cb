//go:build linux

package e2e

// What real hosts were seen to send, to the byte but for the values of a call,
// or are described to; and what they must see. The steps are those of a dialog,
// see hostMain. $CLAIMS are weir's capabilities, $LOG is where the server "files"
// writes down what it receives.

// claudeMeta is what Claude Code has in each modern request; it stays open.
const claudeMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
	`"io.modelcontextprotocol/clientInfo":{"name":"claude-code","title":"Claude Code","version":"2.1.330","websiteUrl":"https://claude.com/claude-code","description":"Anthropic's agentic coding tool"},` +
	`"io.modelcontextprotocol/clientCapabilities":{"roots":{"listChanged":true},"elicitation":{"form":{},"url":{}}}`

const claudeModern = `
> {"jsonrpc":"2.0","id":"server-discover-probe-1","method":"server/discover","params":{` + claudeMeta + `}}}
< {"jsonrpc":"2.0","id":"server-discover-probe-1","result":{"resultType":"complete","supportedVersions":["2026-07-28",...],"capabilities":$CLAIMS,..."ttlMs":...,"cacheScope":"private",...}}
> {"jsonrpc":"2.0","id":"listen:0","method":"subscriptions/listen","params":{` + claudeMeta + `},"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}}}
< {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"listen:0"},"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}}}
> {"method":"server/discover","jsonrpc":"2.0","id":0,"params":{` + claudeMeta + `}}}
< {"jsonrpc":"2.0","id":0,"result":{"resultType":"complete","supportedVersions":["2026-07-28",...],"capabilities":$CLAIMS,...}}
> {"method":"tools/list","jsonrpc":"2.0","id":1,"params":{` + claudeMeta + `}}}
> {"method":"prompts/list","jsonrpc":"2.0","id":2,"params":{` + claudeMeta + `}}}
> {"method":"resources/list","jsonrpc":"2.0","id":3,"params":{` + claudeMeta + `}}}
< {"jsonrpc":"2.0","id":1,"result":{` + toolsSeen + `,"resultType":"complete","ttlMs":...,"cacheScope":"private",...}}
< {"jsonrpc":"2.0","id":2,"result":{` + promptsSeen + `,"resultType":"complete",...}}
< {"jsonrpc":"2.0","id":3,"result":{` + resourcesSeen + `,"resultType":"complete",...}}
> {"method":"tools/call","params":{"name":"files__echo","arguments":{"n":9007199254740993},` + claudeMeta + `,"claudecode/toolUseId":"toolu_01","progressToken":4}},"jsonrpc":"2.0","id":4}
< {"jsonrpc":"2.0","id":4,"result":{"resultType":"complete",..."content":[{"type":"text","text":"echo"}],"structuredContent":{"arguments":{"n":9007199254740993}}}}
file $LOG "claudecode/toolUseId":"toolu_01"
> {"method":"tools/call","params":{"name":"files__ask","arguments":{},` + claudeMeta + `,"claudecode/toolUseId":"toolu_02","progressToken":5}},"jsonrpc":"2.0","id":5}
< {"jsonrpc":"2.0","id":5,"result":{"resultType":"input_required","inputRequests":{"q1":{"method":"roots/list","params":{}},"q2":{"method":"elicitation/create","params":{"message":"[files] How many?","requestedSchema":{"type":"object","properties":{"n":{"type":"integer"}}}}}},"requestState":"...",...}}
> {"method":"tools/call","params":{"name":"early__ok","arguments":{},` + claudeMeta + `,"claudecode/toolUseId":"toolu_03","progressToken":6}},"jsonrpc":"2.0","id":6}
< {"jsonrpc":"2.0","id":6,"result":{"resultType":"complete",...}}
file $EARLY {"jsonrpc":"2.0","id":"soon","result":{"roots":[]}}
> {"method":"tools/call","params":{"name":"files__change","arguments":{},` + claudeMeta + `,"claudecode/toolUseId":"toolu_04","progressToken":7}},"jsonrpc":"2.0","id":7}
< {"jsonrpc":"2.0","id":7,"result":{"resultType":"complete",...}}
< {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"listen:0"}}}
> {"method":"tools/list","jsonrpc":"2.0","id":8,"params":{` + claudeMeta + `}}}
< {"jsonrpc":"2.0","id":8,"result":{...{"name":"files__new"}...}}
> {"method":"tools/call","params":{"name":"files__new","arguments":{},` + claudeMeta + `,"claudecode/toolUseId":"toolu_05","progressToken":9}},"jsonrpc":"2.0","id":9}
< {"jsonrpc":"2.0","id":9,"result":{"resultType":"complete",...}}
< {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"listen:0"}}}
> {"method":"tools/list","jsonrpc":"2.0","id":10,"params":{` + claudeMeta + `}}}
< {"jsonrpc":"2.0","id":10,"result":{` + toolsSeen + `,...}}
`

const claudeLegacy = `
> {"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true},"elicitation":{"form":{},"url":{}}},"clientInfo":{"name":"claude-code","title":"Claude Code","version":"2.1.330","websiteUrl":"https://claude.com/claude-code"}},"jsonrpc":"2.0","id":0}
< {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":$CLAIMS,...}}
> {"jsonrpc":"2.0","method":"notifications/initialized"}
> {"method":"tools/list","jsonrpc":"2.0","id":1}
> {"method":"prompts/list","jsonrpc":"2.0","id":2}
> {"method":"resources/list","jsonrpc":"2.0","id":3}
< {"jsonrpc":"2.0","id":1,"result":{` + toolsSeen + `}}
< {"jsonrpc":"2.0","id":2,"result":{` + promptsSeen + `}}
< {"jsonrpc":"2.0","id":3,"result":{` + resourcesSeen + `}}
> {"method":"tools/call","params":{"name":"files__ask","arguments":{},"_meta":{"claudecode/toolUseId":"toolu_01","progressToken":4}},"jsonrpc":"2.0","id":4}
< {"jsonrpc":"2.0","id":1,"method":"roots/list"}
< {"jsonrpc":"2.0","id":2,"method":"elicitation/create","params":{"message":"[files] How many?","requestedSchema":{"type":"object","properties":{"n":{"type":"integer"}}}}}
> {"jsonrpc":"2.0","id":1,"result":{"roots":[{"uri":"file:///w"}]}}
> {"jsonrpc":"2.0","id":2,"result":{"action":"cancel"}}
< {"jsonrpc":"2.0","id":4,"result":{"content":[{"type":"text","text":"ask"}],...}}
file $LOG {"jsonrpc":"2.0","id":"roots","result":{"roots":[{"uri":"file:///w"}]}}
file $LOG {"jsonrpc":"2.0","id":"form","result":{"action":"cancel"}}
file $LOG {"jsonrpc":"2.0","id":"model","error":{"code":-32601,
> {"method":"tools/call","params":{"name":"files__change","arguments":{},"_meta":{"claudecode/toolUseId":"toolu_02","progressToken":5}},"jsonrpc":"2.0","id":5}
< {"jsonrpc":"2.0","id":5,"result":{...}}
< {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}
> {"method":"tools/list","jsonrpc":"2.0","id":6}
< {"jsonrpc":"2.0","id":6,"result":{...{"name":"files__new"}...}}
> {"method":"tools/call","params":{"name":"files__new","arguments":{},"_meta":{"claudecode/toolUseId":"toolu_03","progressToken":7}},"jsonrpc":"2.0","id":7}
< {"jsonrpc":"2.0","id":7,"result":{...}}
< {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}
> {"method":"tools/list","jsonrpc":"2.0","id":8}
< {"jsonrpc":"2.0","id":8,"result":{` + toolsSeen + `}}
`

// claudeTurned has found a server of the modern era, and shakes hands.
const claudeTurned = `
> {"jsonrpc":"2.0","id":"server-discover-probe-1","method":"server/discover","params":{` + claudeMeta + `}}}
< {"jsonrpc":"2.0","id":"server-discover-probe-1","result":{...}}
` + claudeLegacy

const codex = `
> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"experimental":{"codex/auth-change":{}},"elicitation":{"form":{},"url":{}}},"clientInfo":{"name":"codex-mcp-client","title":"Codex","version":"0.169.0"}}}
< {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":$CLAIMS,...}}
> {"jsonrpc":"2.0","method":"notifications/initialized"}
> {"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"progressToken":0}}}
< {"jsonrpc":"2.0","id":1,"result":{` + toolsSeen + `}}
> {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"_meta":{"callId":"call_1","x-codex-turn-metadata":{"turn_id":"t1","n":1.50},"threadId":"th1"},"name":"files__echo","arguments":{"n":9007199254740993}}}
< {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"echo"}],"structuredContent":{"arguments":{"n":9007199254740993}}}}
file $LOG "x-codex-turn-metadata":{"turn_id":"t1","n":1.50}
> {"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"_meta":{"callId":"call_2","x-codex-turn-metadata":{"turn_id":"t1"},"threadId":"th1"},"name":"files__ask","arguments":{}}}
< {"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"[files] How many?",...}}
> {"jsonrpc":"2.0","id":1,"result":{"action":"decline"}}
< {"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"ask"}],...}}
file $LOG {"jsonrpc":"2.0","id":"roots","error":{"code":-32601,
file $LOG {"jsonrpc":"2.0","id":"form","result":{"action":"decline"}}
file $LOG {"jsonrpc":"2.0","id":"model","error":{"code":-32601,
`

// opencode takes back what has been answered already: that causes nothing.
const opencode = `
> {"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{}},"clientInfo":{"name":"opencode","version":"1.18.33"}},"jsonrpc":"2.0","id":0}
< {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":$CLAIMS,...}}
> {"method":"notifications/initialized","jsonrpc":"2.0"}
> {"method":"tools/list","jsonrpc":"2.0","id":1}
< {"jsonrpc":"2.0","id":1,"result":{` + toolsSeen + `}}
> {"method":"tools/call","params":{"name":"files__wait","arguments":{},"_meta":{"progressToken":2}},"jsonrpc":"2.0","id":2}
# Progress must not wait: its clock for the call starts anew with it.
< {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":2,"progress":1}}
> {"method":"tools/call","params":{"name":"files__go","arguments":{},"_meta":{"progressToken":3}},"jsonrpc":"2.0","id":3}
< {"jsonrpc":"2.0","id":3,"result":{...}}
> {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3,"reason":"AbortError: The operation was aborted."}}
< {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"wait"}],...}}
> {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2,"reason":"AbortError: The operation was aborted."}}
> {"method":"tools/call","params":{"name":"files__ask","arguments":{},"_meta":{"progressToken":4}},"jsonrpc":"2.0","id":4}
< {"jsonrpc":"2.0","id":1,"method":"roots/list"}
> {"result":{"roots":[{"uri":"file:///w","name":"w"}]},"jsonrpc":"2.0","id":1}
< {"jsonrpc":"2.0","id":4,"result":{"content":[{"type":"text","text":"ask"}],...}}
> {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4,"reason":"AbortError: The operation was aborted."}}
file $LOG {"jsonrpc":"2.0","id":"roots","result":{"roots":[{"uri":"file:///w","name":"w"}]}}
file $LOG {"jsonrpc":"2.0","id":"form","error":{"code":-32601,
file $LOG {"jsonrpc":"2.0","id":"model","error":{"code":-32601,
`

const gemini = `
> {"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{"listChanged":true}},"clientInfo":{"name":"gemini-cli-mcp-client","version":"0.61.0"}},"jsonrpc":"2.0","id":0}
< {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":$CLAIMS,...}}
> {"method":"notifications/initialized","jsonrpc":"2.0"}
> {"method":"prompts/list","params":{},"jsonrpc":"2.0","id":1}
< {"jsonrpc":"2.0","id":1,"result":{` + promptsSeen + `}}
> {"method":"tools/list","params":{},"jsonrpc":"2.0","id":2}
< {"jsonrpc":"2.0","id":2,"result":{` + toolsSeen + `}}
> {"method":"resources/list","params":{},"jsonrpc":"2.0","id":3}
< {"jsonrpc":"2.0","id":3,"result":{` + resourcesSeen + `}}
> {"method":"tools/call","params":{"name":"files__wait","arguments":{},"_meta":{"progressToken":"0gx9a"}},"jsonrpc":"2.0","id":4}
< {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"0gx9a","progress":1}}
> {"method":"tools/call","params":{"name":"files__go","arguments":{},"_meta":{"progressToken":"1b0c"}},"jsonrpc":"2.0","id":5}
< {"jsonrpc":"2.0","id":5,"result":{...}}
< {"jsonrpc":"2.0","id":4,"result":{"content":[{"type":"text","text":"wait"}],...}}
> {"method":"tools/call","params":{"name":"files__ask","arguments":{},"_meta":{"progressToken":"2z"}},"jsonrpc":"2.0","id":6}
< {"jsonrpc":"2.0","id":1,"method":"roots/list"}
> {"result":{"roots":[{"uri":"file:///w","name":"w"}]},"jsonrpc":"2.0","id":1}
< {"jsonrpc":"2.0","id":6,"result":{"content":[{"type":"text","text":"ask"}],...}}
file $LOG {"jsonrpc":"2.0","id":"form","error":{"code":-32601,
file $LOG {"jsonrpc":"2.0","id":"model","error":{"code":-32601,
`

// claudeDesktop can be asked nothing. It was not seen, only described.
const claudeDesktop = `
> {"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"claude-ai","version":"0.1.0"}},"jsonrpc":"2.0","id":0}
< {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":$CLAIMS,...}}
> {"method":"notifications/initialized","jsonrpc":"2.0"}
> {"method":"tools/list","params":{},"jsonrpc":"2.0","id":1}
< {"jsonrpc":"2.0","id":1,"result":{` + toolsSeen + `}}
> {"method":"tools/call","params":{"name":"files__ask","arguments":{}},"jsonrpc":"2.0","id":2}
< {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"ask"}],...}}
file $LOG {"jsonrpc":"2.0","id":"roots","error":{"code":-32601,
file $LOG {"jsonrpc":"2.0","id":"form","error":{"code":-32601,
file $LOG {"jsonrpc":"2.0","id":"model","error":{"code":-32601,
`

// cursor was not seen, only described.
const cursor = `
> {"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"tools":true,"prompts":true,"resources":true,"logging":false,"elicitation":{},"roots":{"listChanged":false}},"clientInfo":{"name":"cursor-vscode","version":"1.0.0"}},"jsonrpc":"2.0","id":0}
< {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":$CLAIMS,...}}
> {"method":"notifications/initialized","jsonrpc":"2.0"}
> {"method":"tools/list","jsonrpc":"2.0","id":1}
< {"jsonrpc":"2.0","id":1,"result":{` + toolsSeen + `}}
> {"method":"prompts/list","jsonrpc":"2.0","id":2}
< {"jsonrpc":"2.0","id":2,"result":{` + promptsSeen + `}}
> {"method":"resources/list","jsonrpc":"2.0","id":3}
< {"jsonrpc":"2.0","id":3,"result":{` + resourcesSeen + `}}
> {"method":"tools/call","params":{"name":"files__ask","arguments":{},"_meta":{"progressToken":"a1b2"}},"jsonrpc":"2.0","id":4}
< {"jsonrpc":"2.0","id":1,"method":"roots/list"}
< {"jsonrpc":"2.0","id":2,"method":"elicitation/create","params":{"message":"[files] How many?",...}}
> {"result":{"action":"accept","content":{"n":3}},"jsonrpc":"2.0","id":2}
> {"result":{"roots":[]},"jsonrpc":"2.0","id":1}
< {"jsonrpc":"2.0","id":4,"result":{"content":[{"type":"text","text":"ask"}],...}}
file $LOG {"jsonrpc":"2.0","id":"form","result":{"action":"accept","content":{"n":3}}}
file $LOG {"jsonrpc":"2.0","id":"model","error":{"code":-32601,
`

// vsCode was not seen, only described.
const vsCode = `
> {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{},"url":{}}},"clientInfo":{"name":"Visual Studio Code","version":"1.125.0"}}}
< {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":$CLAIMS,...}}
> {"method":"notifications/initialized","jsonrpc":"2.0"}
> {"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"info"}}
> {"jsonrpc":"2.0","id":3,"method":"tools/list","params":{}}
> {"jsonrpc":"2.0","id":4,"method":"prompts/list","params":{}}
> {"jsonrpc":"2.0","id":5,"method":"resources/list","params":{}}
< {"jsonrpc":"2.0","id":2,"result":{}}
< {"jsonrpc":"2.0","id":3,"result":{` + toolsSeen + `}}
< {"jsonrpc":"2.0","id":4,"result":{` + promptsSeen + `}}
< {"jsonrpc":"2.0","id":5,"result":{` + resourcesSeen + `}}
> {"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"files__log","arguments":{}}}
< {"jsonrpc":"2.0","method":"notifications/message","params":{"logger":"files","level":"info","data":"logged"}}
< {"jsonrpc":"2.0","id":7,"result":{...}}
> {"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"files__ask","arguments":{},"_meta":{"progressToken":"5f0e9d5c-7f9c-4f0b-9d55-6a9b4c5a3b10","vscode.conversationId":"c1","vscode.requestId":"r1"}}}
< {"jsonrpc":"2.0","id":1,"method":"roots/list"}
< {"jsonrpc":"2.0","id":2,"method":"elicitation/create","params":{"message":"[files] How many?",...}}
< {"jsonrpc":"2.0","id":3,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}
> {"jsonrpc":"2.0","id":1,"result":{"roots":[{"uri":"file:///w","name":"w"}]}}
> {"jsonrpc":"2.0","id":3,"result":{"model":"m","role":"assistant","content":{"type":"text","text":"hi"}}}
> {"jsonrpc":"2.0","id":2,"result":{"action":"decline"}}
< {"jsonrpc":"2.0","id":6,"result":{"content":[{"type":"text","text":"ask"}],...}}
file $LOG "level":"info"
file $LOG {"jsonrpc":"2.0","id":"model","result":{"model":"m","role":"assistant","content":{"type":"text","text":"hi"}}}
`

// newcomer is a host that nobody knows yet: its first words are of no revision.
const newcomer = `
> {"jsonrpc":"2.0","id":"hello","method":"server/introduce","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}}}
< {"jsonrpc":"2.0","id":"hello","error":{"code":-32022,..."supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"2099-01-01"}}}
> {"jsonrpc":"2.0","id":"again","method":"server/introduce"}
< {"jsonrpc":"2.0","id":"again","error":{"code":-32600,...}}
> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2026-07-28","capabilities":{},"clientInfo":{"name":"newcomer","version":"0"}}}
< {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":$CLAIMS,...}}
> {"jsonrpc":"2.0","method":"notifications/initialized"}
> {"jsonrpc":"2.0","id":1,"method":"tools/list"}
< {"jsonrpc":"2.0","id":1,"result":{` + toolsSeen + `}}
`
