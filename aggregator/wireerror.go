package aggregator

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file alone decides what a host sees of a failure.

// JSON-RPC and MCP error codes that weir itself answers with.
const (
	codeParse              = -32700
	codeInvalidRequest     = -32600
	codeMethodNotFound     = -32601
	codeInvalidParams      = -32602
	codeInternal           = -32603
	codeUnsupportedVersion = -32022
)

// Codes that are the business of one hop, or of one era.
const (
	codeHeaderMismatch    = -32020
	codeMissingCapability = -32021
	codeResourceNotFound  = -32002
	codeURLElicitation    = -32042
)

// refusal is a request that weir answers with an error.
type refusal struct {
	code    int
	message string
	data    []byte // raw; nil for none
}

func (s *session) refuse(b *jsonrpc.Batch, id []byte, code int, message string) {
	s.refuseWith(b, id, &refusal{code, message, nil})
}

// refuseWith answers with an error. An id that could not be read is left out
// (2025-11-25, schema, JSONRPCErrorResponse).
func (s *session) refuseWith(b *jsonrpc.Batch, id []byte, r *refusal) {
	msg := []byte(`{"jsonrpc":"2.0",`)
	if id != nil {
		msg = append(append(append(msg, `"id":`...), id...), ',')
	}
	msg = strconv.AppendInt(append(msg, `"error":{"code":`...), int64(r.code), 10)
	msg = jsonrpc.AppendString(append(msg, `,"message":`...), r.message)
	if r.data != nil {
		msg = append(append(msg, `,"data":`...), r.data...)
	}
	s.write(b, append(msg, "}}"...))
}

// reply answers with a result of weir's own.
func (s *session) reply(b *jsonrpc.Batch, id, result []byte) {
	s.write(b, replyHead(id), result, []byte("}"))
}

func replyHead(id []byte) []byte {
	head := make([]byte, 0, 32+len(id))
	head = append(append(head, `{"jsonrpc":"2.0","id":`...), id...)
	return append(head, `,"result":`...)
}

// failedResult is a tool call that did not reach its end, told so that a model
// can act on it.
func (a *Aggregator) failedResult(c *call, err error) []byte {
	tool := c.route.Item.Name()
	f, ok := errors.AsType[upstream.Failure](err)
	if !ok {
		text := fmt.Sprintf("Server %q: the call of %q failed.", c.route.Server, tool)
		return a.toolError(text, errorData(upstream.KindToolExecution, &upstream.Fault{Server: c.route.Server}, tool), c.modern)
	}
	text := fmt.Sprintf("Server %q: %s.", f.Detail().Server, f.Detail().Text)
	if hint := f.Detail().Hint; hint != "" {
		text += " " + hint
	}
	if after := f.Detail().RetryAfter; after > 0 {
		text += fmt.Sprintf(" The next try may be in %.0f s.", after.Seconds())
	}
	return a.toolError(text, errorData(f.Kind(), f.Detail(), tool), c.modern)
}

// deniedResult is a tool that is listed and may not be called.
func (a *Aggregator) deniedResult(route *catalog.Route, v policy.Verdict, modern bool) []byte {
	where := shortPosition(v.Pos)
	if where != "" {
		where = " (" + where + ")"
	}
	text := fmt.Sprintf("Tool %q of server %q may be seen but not called: %s%s. Only the user can change that, in weir's configuration.",
		route.Item.Name(), route.Server, v.Reason, where)
	data := errorData(upstream.KindAuthorization, &upstream.Fault{Server: route.Server}, route.Item.Name())
	return a.toolError(text, data, modern)
}

// shortPosition leaves the folder out: hosts see no paths.
func shortPosition(p policy.Position) string {
	p.File = p.File[strings.LastIndexAny(p.File, `/\`)+1:]
	return p.String()
}

// errorData is the value of "weir/error".
func errorData(kind upstream.Kind, f *upstream.Fault, tool string) []byte {
	out := jsonrpc.AppendString([]byte(`{"kind":`), string(kind))
	out = jsonrpc.AppendString(append(out, `,"server":`...), f.Server)
	if tool != "" {
		out = jsonrpc.AppendString(append(out, `,"tool":`...), tool)
	}
	out = strconv.AppendBool(append(out, `,"retryable":`...), f.Retryable)
	if f.MaybeExecuted {
		out = append(out, `,"maybeExecuted":true`...)
	}
	if f.RetryAfter > 0 {
		out = strconv.AppendInt(append(out, `,"retryAfterMs":`...), f.RetryAfter.Milliseconds(), 10)
	}
	return append(out, '}')
}

// unknownTool refuses a call of what is not there, be it for everybody or for
// the principal only: nothing tells the one from the other.
func unknownTool(name string) *refusal {
	name = clip(name)
	data := errorData(upstream.KindToolNotFound, &upstream.Fault{Server: policy.Own}, name)
	return &refusal{codeInvalidParams, "Unknown tool: " + name, data}
}

// tooMany refuses what is over a limit of weir's own.
func tooMany(what string) *refusal {
	data := errorData(upstream.KindRateLimited, &upstream.Fault{Server: policy.Own, Retryable: true}, "")
	return &refusal{codeInternal, "Too many " + what, data}
}

// toolError is a result with isError.
func (a *Aggregator) toolError(text string, data []byte, modern bool) []byte {
	out := jsonrpc.AppendString([]byte(`{"content":[{"type":"text","text":`), text)
	out = append(out, `}],"isError":true,`...)
	if modern {
		out = append(out, `"resultType":"complete",`...)
	}
	out = append(out, `"_meta":{`...)
	if modern {
		out = append(append(append(out, `"`+upstream.MetaServerInfo+`":`...), a.serverInfo...), ',')
	}
	out = append(append(out, `"weir/error":`...), data...)
	return append(out, "}}"...)
}

// passError writes the upstream's own error, to the byte, with the host's id.
// Errors that are the business of the other hop, or that the host's era does
// not have, become what the host can understand.
func (c *call) passError(b *jsonrpc.Batch, m *jsonrpc.Message) {
	code := jsonrpc.Find(m.Fields, "code")
	n, err := strconv.Atoi(string(code))
	var edits []jsonrpc.Edit
	switch {
	case err != nil:
	case n == codeHeaderMismatch, n == codeUnsupportedVersion, n == codeMissingCapability && !c.modern,
		n == codeURLElicitation && c.modern:
		c.s.reply(b, c.id, c.s.a.failedResult(c, c.refusedBy(m)))
		return
	case n == codeResourceNotFound && c.modern:
		edits = []jsonrpc.Edit{{At: code, With: strconv.AppendInt(nil, codeInvalidParams, 10)}}
	case n == codeInvalidParams, n == codeMethodNotFound:
		// It may be a tool that the server has dropped without a word.
		c.server.changed()
	}
	c.pass(b, m, m.Error, edits)
}

// refusedBy is an error of the server that only weir could have done something
// about.
func (c *call) refusedBy(m *jsonrpc.Message) error {
	text, err := jsonrpc.String(jsonrpc.Find(m.Fields, "message"))
	if err != nil {
		text = "no reason given"
	}
	return upstream.ProtocolError{Fault: &upstream.Fault{
		Server: c.route.Server, Text: "the server refused the call: " + text,
	}}
}

// unsuitable is a result that the host's era has no word for.
func (c *call) unsuitable() error {
	return upstream.ProtocolError{Fault: &upstream.Fault{
		Server: c.route.Server, Text: "the server asks for something that this host cannot give",
		Hint: "The call is not finished and will not be.", MaybeExecuted: true,
	}}
}

// publicReason is what a host may know of an error of an upstream.
func publicReason(err error) string {
	if f, ok := errors.AsType[upstream.Failure](err); ok {
		return f.Detail().Text
	}
	return "the connection ended"
}

// clip shortens what a host wrote, to be quoted in an error.
func clip(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	return strings.ToValidUTF8(text[:maxQuoted], "") + "…"
}

// maxQuoted is how many bytes of its own words a host is told.
const maxQuoted = 300
