package aggregator

import (
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// declared is what a host says it can do: in initialize, or in the _meta of each
// modern request. It is immutable.
type declared struct {
	raw     []byte // the object as it was declared; its own memory
	modern  []byte // the same for modern servers: without what only the legacy era has
	version string // agreed on by initialize; "" before, and of a modern request

	roots         bool
	sampling      bool
	samplingTools bool // sampling with tools
	form, url     bool // the modes of elicitation
	ui            bool // the extension MCP Apps
	tasks         bool // the extension of that name
}

const (
	tasksExtension = "io.modelcontextprotocol/tasks"
	uiExtension    = "io.modelcontextprotocol/ui"
)

// readDeclared reads a host's capabilities, nil for none. Elicitation without a
// mode is by form (2025-11-25, elicitation).
func readDeclared(raw []byte) *declared {
	d := &declared{raw: []byte("{}"), modern: []byte("{}")}
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return d
	}
	d.raw = append([]byte(nil), raw...)
	d.modern = d.raw
	if jsonrpc.Find(members, "tasks") != nil {
		d.modern = rewritten(members, "tasks", nil)
	}
	d.roots = isObject(jsonrpc.Find(members, "roots"))
	if sampling := jsonrpc.Find(members, "sampling"); isObject(sampling) {
		d.sampling = true
		d.samplingTools = isObject(memberOf(sampling, "tools"))
	}
	if elicitation := jsonrpc.Find(members, "elicitation"); isObject(elicitation) {
		d.url = isObject(memberOf(elicitation, "url"))
		d.form = !d.url || isObject(memberOf(elicitation, "form"))
	}
	extensions := jsonrpc.Find(members, "extensions")
	d.ui = isObject(memberOf(extensions, uiExtension))
	d.tasks = isObject(memberOf(extensions, tasksExtension))
	return d
}

// handshakeMembers are the capabilities of a host that weir carries between a
// server with a handshake and any host. Others would be claimed without cover.
var handshakeMembers = []string{"roots", "sampling", "elicitation", "extensions"}

// forHandshake is what servers with a handshake are told of the host, and what
// weir's own requests declare. The core's tasks (2025-11-25) are told of a host
// of that era only, without the lists of all tasks that a host has: those are
// for no single server.
func (d *declared) forHandshake(legacy bool) []byte {
	members, err := jsonrpc.ParseObject(nil, d.raw)
	if err != nil {
		return d.raw
	}
	var out []jsonrpc.Member
	for _, key := range handshakeMembers {
		if value := jsonrpc.Find(members, key); isObject(value) {
			out = append(out, jsonrpc.NewMember(key, value))
		}
	}
	if tasks := jsonrpc.Find(members, "tasks"); legacy && isObject(tasks) {
		fields, _ := jsonrpc.ParseObject(nil, tasks) // it is an object
		out = append(out, jsonrpc.NewMember("tasks", rewritten(fields, "list", nil)))
	}
	return jsonrpc.AppendObject(nil, out)
}

// withTasks is the capabilities with the tasks extension (2026-07-28, tasks
// extension) among them.
func (d *declared) withTasks() []byte {
	members, err := jsonrpc.ParseObject(nil, d.modern)
	if err != nil {
		return d.modern
	}
	extensions, err := jsonrpc.ParseObject(nil, jsonrpc.Find(members, "extensions"))
	if err != nil {
		extensions = nil
	}
	extensions = append(extensions, jsonrpc.NewMember(tasksExtension, []byte("{}")))
	members = rewrittenMembers(members, "extensions", nil)
	members = append(members, jsonrpc.NewMember("extensions", jsonrpc.AppendObject(nil, extensions)))
	return jsonrpc.AppendObject(nil, members)
}

// lacks begins what a server is told of a capability that the host does not have.
const lacks = "the client does not support "

// refusal is a question that this host must not be asked: it says with which
// error a server is told so (2025-11-25, elicitation and sampling). Code 0 is
// none.
func (d *declared) refusal(method string, params []jsonrpc.Member) (code int, message string) {
	switch method {
	case "roots/list":
		if !d.roots {
			return codeMethodNotFound, lacks + "roots"
		}
	case "sampling/createMessage":
		if !d.sampling {
			return codeMethodNotFound, lacks + "sampling"
		}
		if !d.samplingTools && (jsonrpc.Find(params, "tools") != nil || jsonrpc.Find(params, "toolChoice") != nil) {
			return codeInvalidParams, lacks + "sampling with tools"
		}
	case "elicitation/create":
		return d.elicitationRefusal(params)
	default:
		return codeMethodNotFound, "Method not found"
	}
	return 0, ""
}

func (d *declared) elicitationRefusal(params []jsonrpc.Member) (code int, message string) {
	if !d.form && !d.url {
		return codeMethodNotFound, lacks + "elicitation"
	}
	mode, supported := "form", d.form
	if raw := jsonrpc.Find(params, "mode"); raw != nil && string(raw) != `"form"` {
		mode, supported = "that mode of", d.url && string(raw) == `"url"`
	}
	if !supported {
		return codeInvalidParams, lacks + mode + " elicitation"
	}
	return 0, ""
}

// memberOf is a member of a raw object; nil where there is none.
func memberOf(object []byte, key string) []byte {
	if !isObject(object) {
		return nil
	}
	members, _ := jsonrpc.ParseObject(nil, object) // what does not parse has none
	return jsonrpc.Find(members, key)
}

func isObject(raw []byte) bool { return len(raw) > 0 && raw[0] == '{' }

// declares is what the host of a request declares: in it, or in initialize.
func (s *session) declares(r *request) *declared {
	if r.modern {
		return readDeclared(jsonrpc.Find(r.meta, upstream.MetaCapabilities))
	}
	return s.declared.Load()
}
