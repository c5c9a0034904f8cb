package reference

import (
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const metaPrefix = "io.modelcontextprotocol/"

// A call is one request that is being answered.
type call struct {
	*server
	x         upstreamtest.Exchange
	fields    []jsonrpc.Member // of params
	meta      []jsonrpc.Member // of params._meta
	arguments []jsonrpc.Member // of params.arguments
	client    *client          // nil in the modern era
	declared  []byte           // what the client can do, raw
	level     string           // from which on the client wants log messages; "" = none

	// What a modern client has answered.
	state     state            // before this request
	responses []jsonrpc.Member // with it
	taken     bool             // responses is in state now
	asked     int              // rounds so far, counted anew with each run
	paused    int              // pauses so far, likewise
	forgetful bool             // it gives no requestState, and wants none
}

// call takes the request apart. It answers what is none of its era, and returns
// nil.
func (s *server) call(x upstreamtest.Exchange) *call {
	c := &call{server: s, x: x, fields: x.Message().Fields}
	c.meta = members(c.field("_meta"))
	c.arguments = members(c.field("arguments"))
	if x.Modern() {
		return c.modern()
	}
	c.client = s.client(x)
	if c.client == nil {
		x.Fail(codeInvalidParams, "initialize comes first", "")
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.declared, c.level = c.client.capabilities, c.client.level
	return c
}

func (c *call) modern() *call {
	c.declared = jsonrpc.Find(c.meta, metaPrefix+"clientCapabilities")
	if _, err := jsonrpc.ParseObject(nil, c.declared); err != nil {
		c.x.Fail(codeInvalidParams, "_meta lacks "+metaPrefix+"clientCapabilities", "")
		return nil
	}
	if raw := jsonrpc.Find(c.meta, metaPrefix+"logLevel"); raw != nil {
		c.level = text(raw)
		if severity(c.level) < 0 {
			c.x.Fail(codeInvalidParams, "unknown log level", "")
			return nil
		}
	}
	return c
}

// field returns a raw member of params, nil without it.
func (c *call) field(key string) []byte { return jsonrpc.Find(c.fields, key) }

// argument returns a member of the arguments as text.
func (c *call) argument(key string) string { return text(jsonrpc.Find(c.arguments, key)) }

func (c *call) token() []byte { return jsonrpc.Find(c.meta, "progressToken") }

// succeed answers with these members of a result, and of its _meta.
func (c *call) succeed(result, meta string) { c.x.Reply(c.result(result, meta)) }

func (c *call) result(result, meta string) string {
	if c.x.Modern() {
		result = join(`"resultType":"complete"`, result)
		meta = join(meta, `"`+metaPrefix+`serverInfo":`+c.x.ServerInfo())
	}
	if meta != "" {
		result = join(result, `"_meta":{`+meta+`}`)
	}
	return "{" + result + "}"
}

// kept is result, with the hints for those who keep it.
func (c *call) kept(result string) string {
	if c.x.Modern() {
		return join(result, c.x.Hints())
	}
	return result
}

// notify sends a notification that belongs to the call.
func (c *call) notify(method, params string) { c.x.Send(notification(method, params)) }

func notification(method, params string) string {
	return `{"jsonrpc":"2.0","method":"` + method + `","params":` + params + `}`
}

// callTool is tools/call (2025-11-25 and 2026-07-28, Tools).
func (c *call) callTool() {
	t := toolsByName[c.x.Name()]
	switch {
	case t == nil:
		c.x.Fail(codeInvalidParams, "Unknown tool: "+c.x.Name(), "")
	case t.task != "":
		c.callTask(t)
	case c.field("task") != nil && !c.x.Modern():
		c.x.Fail(-32601, "the tool "+c.x.Name()+" makes no task", "")
	case c.resume():
		t.run(c)
	}
}

func members(raw []byte) []jsonrpc.Member {
	all, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil
	}
	return all
}

// text returns a string, "" for what is none.
func text(raw []byte) string {
	value, err := jsonrpc.String(raw)
	if err != nil {
		return ""
	}
	return value
}

func quote(value string) string { return string(jsonrpc.AppendString(nil, value)) }

func orNull(raw []byte) string {
	if raw == nil {
		return "null"
	}
	return string(raw)
}

// join separates members of an object.
func join(parts ...string) string {
	kept := make([]string, 0, len(parts))
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ",")
}
