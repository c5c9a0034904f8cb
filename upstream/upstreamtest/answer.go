package upstreamtest

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The error codes that the server uses of its own accord.
const (
	codeMethodNotFound     = -32601
	codeInvalidParams      = -32602
	codeUnsupportedVersion = -32022
	codeHeaderMismatch     = -32020
)

// answer is what a well-behaved server does about the message.
func (x *exchange) answer() {
	method := string(x.message.Method)
	switch {
	case x.message.Kind == jsonrpc.Notification:
		if method == "notifications/initialized" {
			x.initialized()
		}
		x.handled()
	case method == "initialize":
		x.initialize()
	case x.version != "" && !x.server.script.speaksModern():
		// A server from before the modern era does not look at _meta.
		x.legacy(method)
	case x.version != "":
		x.modern(method)
	default:
		x.legacy(method)
	}
}

func (x *exchange) initialize() {
	wanted, _ := jsonrpc.String(jsonrpc.Find(x.message.Fields, "protocolVersion"))
	script := &x.server.script
	if _, err := time.Parse(time.DateOnly, wanted); err != nil {
		x.fail(codeInvalidParams, "protocolVersion is no revision", "")
		return
	}
	version := script.bestLegacy()
	if wanted < Modern && script.speaks(wanted) {
		version = wanted
	}
	if version == "" {
		x.unsupported(wanted)
		return
	}
	x.client.agree(version)
	x.handled()
	result := `{"protocolVersion":` + quote(version) + `,"capabilities":` + x.capabilities(version) + `,"serverInfo":` + x.serverInfo()
	if script.Instructions != "" {
		result += `,"instructions":` + quote(script.Instructions)
	}
	x.reply("result", []byte(result+"}"))
}

func (x *exchange) unsupported(wanted string) {
	supported, err := json.Marshal(x.server.script.versions())
	if err != nil {
		panic(err)
	}
	x.fail(codeUnsupportedVersion, "Unsupported protocol version",
		`{"supported":`+string(supported)+`,"requested":`+quote(wanted)+`}`)
}

// initialized makes a legacy client one that gets notifications unasked.
func (x *exchange) initialized() {
	x.client.pushing.Lock()
	defer x.client.pushing.Unlock()
	if x.client.push != nil {
		x.server.listen(x.client.push)
	}
}

func (x *exchange) legacy(method string) {
	if method == "ping" {
		x.reply("result", []byte("{}"))
		return
	}
	if x.client.agreed() == "" && x.server.script.bestLegacy() == "" {
		x.fail(codeInvalidParams, "_meta lacks io.modelcontextprotocol/protocolVersion", "")
		return
	}
	x.common(method)
}

func (x *exchange) modern(method string) {
	switch {
	case !x.server.script.speaks(x.version):
		x.unsupported(x.version)
	case method == "server/discover":
		x.discover()
	case method == "subscriptions/listen":
		if !x.handled() {
			x.subscribe()
		}
	default:
		x.common(method)
	}
}

// common is what both eras have.
func (x *exchange) common(method string) {
	if x.handled() {
		return
	}
	switch method {
	case "tools/list":
		x.listTools()
	case "tools/call":
		x.callTool()
	default:
		x.fail(codeMethodNotFound, "Method not found", "")
	}
}

func (x *exchange) discover() {
	versions, err := json.Marshal(x.server.script.versions())
	if err != nil {
		panic(err)
	}
	result := `"supportedVersions":` + string(versions) + `,"capabilities":` + x.capabilities(x.version)
	if text := x.server.script.Instructions; text != "" {
		result += `,"instructions":` + quote(text)
	}
	x.succeed(result + "," + x.hints())
}

func (x *exchange) subscribe() {
	filter, err := jsonrpc.ParseObject(nil, jsonrpc.Find(x.message.Fields, "notifications"))
	if err != nil {
		x.fail(codeInvalidParams, "notifications is missing", "")
		return
	}
	l := &listener{way: x.way, subscription: x.message.ID}
	if string(jsonrpc.Find(filter, "toolsListChanged")) == "true" {
		x.server.listen(l)
		defer x.server.unlisten(l)
	}
	meta := subscriptionMeta(x.message.ID)
	x.way.send([]byte(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":` +
		strings.TrimSuffix(meta, "}") + `,"notifications":` + string(honoured(filter)) + `}}`))
	<-x.ctx.Done()
}

// honoured is the part of a filter that the server knows.
func honoured(filter []jsonrpc.Member) []byte {
	var known []jsonrpc.Member
	for _, m := range filter {
		switch string(m.Key) {
		case "toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions", "taskIds":
			known = append(known, m)
		}
	}
	return jsonrpc.AppendObject(nil, known)
}

func (x *exchange) listTools() {
	x.server.mu.Lock()
	tools := x.server.tools
	x.server.mu.Unlock()
	from := 0
	if raw := jsonrpc.Find(x.message.Fields, "cursor"); raw != nil {
		cursor, err := jsonrpc.String(raw)
		if err == nil {
			from, err = strconv.Atoi(cursor)
		}
		if err != nil || from < 0 || from > len(tools) {
			x.fail(codeInvalidParams, "Invalid cursor", "")
			return
		}
	}
	to := len(tools)
	if size := x.server.script.PageSize; size > 0 {
		to = min(to, from+size)
	}
	var b strings.Builder
	b.WriteString(`"tools":[`)
	for i, tool := range tools[from:to] {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(oneLine(tool))
	}
	b.WriteByte(']')
	if to < len(tools) {
		b.WriteString(`,"nextCursor":"` + strconv.Itoa(to) + `"`)
	}
	if x.isModern() {
		b.WriteString("," + x.hints())
	}
	x.succeed(b.String())
}

// callTool answers a call of a listed tool with its name and the arguments, as
// they came.
func (x *exchange) callTool() {
	if !x.hasTool() {
		x.fail(codeInvalidParams, "Unknown tool: "+x.name, "")
		return
	}
	x.succeed(`"content":[{"type":"text","text":` + quote(x.name) + `}],"structuredContent":{"arguments":` +
		string(orNull(x.arguments)) + `}`)
}

func (x *exchange) hasTool() bool {
	x.server.mu.Lock()
	defer x.server.mu.Unlock()
	for _, tool := range x.server.tools {
		members, err := jsonrpc.ParseObject(nil, tool)
		if err != nil {
			continue
		}
		if name, _ := jsonrpc.String(jsonrpc.Find(members, "name")); name == x.name {
			return true
		}
	}
	return false
}

func (x *exchange) isModern() bool { return x.version != "" && x.server.script.speaksModern() }

// succeed answers with a result of these members.
func (x *exchange) succeed(members string) {
	if x.isModern() {
		members = `"resultType":"complete",` + members + `,"_meta":{"io.modelcontextprotocol/serverInfo":` + x.serverInfo() + `}`
	}
	x.reply("result", []byte("{"+members+"}"))
}

// fail answers with an error; data is raw JSON, "" for none.
func (x *exchange) fail(code int, message, data string) {
	text := `{"code":` + strconv.Itoa(code) + `,"message":` + quote(message)
	if data != "" {
		text += `,"data":` + data
	}
	x.reply("error", []byte(text+"}"))
}

func (x *exchange) hints() string {
	scope := x.server.script.CacheScope
	if scope == "" {
		scope = "private"
	}
	return `"ttlMs":` + strconv.Itoa(x.server.script.TTL) + `,"cacheScope":` + quote(scope)
}

func (x *exchange) capabilities(version string) string {
	if h := x.server.handler; h != nil {
		return string(oneLine(h.Capabilities(version)))
	}
	if c := x.server.script.Capabilities; c != nil {
		return string(oneLine(c))
	}
	return `{"tools":{"listChanged":true}}`
}

func (x *exchange) serverInfo() string {
	if info := x.server.script.ServerInfo; info != nil {
		return string(oneLine(info))
	}
	name := x.server.script.Name
	if name == "" {
		name = "scripted"
	}
	return `{"name":` + quote(name) + `,"version":"1.0.0"}`
}
