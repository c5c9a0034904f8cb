package aggregator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/pins"
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

// refusal is a request that weir answers with an error, or with a result that
// says as much.
type refusal struct {
	code    int
	message string
	data    []byte // raw; nil for none
	result  []byte // raw: instead of an error; nil for none

	// held is the server whose pins hold back what is asked for; nil for none.
	held *server

	// unknown says that nobody has what is asked for: nobody yet, perhaps.
	unknown bool
}

func (s *session) refuse(b *jsonrpc.Batch, id []byte, code int, message string) {
	s.refuseWith(b, id, &refusal{code: code, message: message})
}

// refuseWith answers with an error. An id that could not be read is left out
// (2025-11-25, schema, JSONRPCErrorResponse).
func (s *session) refuseWith(b *jsonrpc.Batch, id []byte, r *refusal) {
	if r.result != nil {
		s.reply(b, id, r.result)
		return
	}
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

// fail tells of a request that did not reach its end. A tool call gets a result
// that a model can act on, others an error.
func (c *call) fail(b *jsonrpc.Batch, err error) {
	c.recordFailure(err)
	text, data := c.failure(err)
	if c.op == toolCall {
		c.s.reply(b, c.id, c.s.a.toolError(text, data, c.modern))
		return
	}
	c.s.refuseWith(b, c.id, &refusal{code: codeInternal, message: text, data: data})
}

// failure puts an error into words and into the value of "weir/error".
func (c *call) failure(err error) (text string, data []byte) {
	return failureOfUse(c.op, c.serverName(), c.name, c.s.remedied(c.serverName(), err))
}

func failureOfUse(op *operation, server, name string, err error) (text string, data []byte) {
	tool := ""
	if op == toolCall {
		tool = name
	}
	f, ok := errors.AsType[upstream.Failure](err)
	if !ok {
		text = fmt.Sprintf("Server %q: the call of %q failed.", server, name)
		return text, errorData(upstream.KindToolExecution, &upstream.Fault{Server: server}, tool)
	}
	text = fmt.Sprintf("Server %q: %s.", f.Detail().Server, f.Detail().Text)
	text += sinceWhen(f.Detail())
	if hint := f.Detail().Hint; hint != "" {
		text += " " + hint
	}
	if after := f.Detail().RetryAfter; after > 0 {
		text += fmt.Sprintf(" The next try may be in %.0f s.", math.Ceil(after.Seconds()))
	}
	return text, errorData(f.Kind(), f.Detail(), tool)
}

// sinceWhen is a sentence on how long a server cannot be used already; "" if that
// is not known, or has just begun.
func sinceWhen(f *upstream.Fault) string {
	gone := time.Since(f.Since).Truncate(time.Second)
	if f.Since.IsZero() || gone <= 0 {
		return ""
	}
	return fmt.Sprintf(" It has been out of use since %s (%v).", f.Since.UTC().Format(time.RFC3339), gone)
}

// deniedResult is a tool that is listed and may not be called, or not with these
// arguments.
func (a *Aggregator) deniedResult(route *catalog.Route, v policy.Verdict, modern bool) []byte {
	text := deniedText("Tool", "called", route, v)
	data := errorData(upstream.KindAuthorization, &upstream.Fault{Server: route.Server}, route.Item.Name())
	return a.toolError(text, data, modern)
}

// deniedPrompt is a prompt that is listed and may not be used with these
// arguments.
func deniedPrompt(route *catalog.Route, v policy.Verdict) *refusal {
	data := errorData(upstream.KindAuthorization, &upstream.Fault{Server: route.Server}, "")
	return &refusal{code: codeInternal, message: deniedText("Prompt", "used", route, v), data: data}
}

func deniedText(kind, done string, route *catalog.Route, v policy.Verdict) string {
	where := shortPosition(v.Pos)
	if where != "" {
		where = " (" + where + ")"
	}
	how := "may be seen but not " + done
	if v.Best > v.Level {
		how = "may not be " + done + " with these arguments"
	}
	return fmt.Sprintf("%s %q of server %q %s: %s%s. Only the user can change that, in weir's configuration.",
		kind, route.Item.Name(), route.Server, how, v.Reason, where)
}

// unapproved refuses what a person has not approved.
func (a *Aggregator) unapproved(op *operation, server, name string, modern bool, why string, retryable bool) *refusal {
	tool := ""
	if op == toolCall {
		tool = name
	}
	text := fmt.Sprintf("Server %q, %s %q: %s.", server, op.kind, clip(name), why)
	data := errorData(upstream.KindApproval, &upstream.Fault{Server: server, Retryable: retryable}, tool)
	if op == toolCall {
		return &refusal{result: a.toolError(text, data, modern)}
	}
	return &refusal{code: codeInternal, message: text, data: data}
}

// notCompared refuses what was not sent, for its server does not list it now.
func (a *Aggregator) notCompared(op *operation, t target, err error, modern bool) *refusal {
	text, data := failureOfUse(op, t.server.Name, t.name, err)
	if op == toolCall {
		return &refusal{result: a.toolError(text, data, modern)}
	}
	return &refusal{code: codeInternal, message: text, data: data}
}

// changedResult is a tool that is held back because its definition has changed.
func (a *Aggregator) changedResult(route *catalog.Route, p *standing, modern bool) []byte {
	data := errorData(upstream.KindToolChanged, &upstream.Fault{Server: route.Server}, route.Item.Name())
	return a.toolError(changedText("Tool", route, p), data, modern)
}

// changedPrompt refuses a prompt for the same reason.
func changedPrompt(route *catalog.Route, s *server, p *standing) *refusal {
	data := errorData(upstream.KindToolChanged, &upstream.Fault{Server: route.Server}, "")
	return &refusal{code: codeInternal, message: changedText("Prompt", route, p), data: data, held: s}
}

func changedText(what string, route *catalog.Route, p *standing) string {
	server := route.Server
	why := "its definition has changed since weir first saw it"
	then := fmt.Sprintf("`weir pins diff %s` shows what has changed, `weir pins approve %s` accepts it", server, server)
	switch {
	case p.unknown:
		why = "weir cannot read what it remembers of the server's definitions"
		then = fmt.Sprintf("`weir pins approve %s` says what is wrong and begins anew", server)
	case p.items[pinKey(route)] == pins.New:
		why = "weir cannot remember its definition"
		then = fmt.Sprintf("weir's log says why, `weir pins approve %s` tries once more", server)
	}
	return fmt.Sprintf("%s %q of server %q is held back: %s. Nothing was sent. Only the user can change that, in a terminal: %s.",
		what, route.Item.Name(), server, why, then)
}

// shortPosition leaves the folder out: hosts see no paths.
func shortPosition(p policy.Position) string {
	p.File = p.File[strings.LastIndexAny(p.File, `/\`)+1:]
	return p.String()
}

// errorData is the value of "weir/error". Where a request was not sent because of
// the state of its server, that and the beginning of its outage are in it.
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
	if !f.Since.IsZero() {
		out = jsonrpc.AppendString(append(out, `,"state":`...), string(f.State))
		out = jsonrpc.AppendString(append(out, `,"since":`...), f.Since.UTC().Format(time.RFC3339))
	}
	return append(out, '}')
}

// unknownTool refuses a call of what is not there, be it for everybody or for
// the principal only: nothing tells the one from the other.
func unknownTool(name string) *refusal {
	name = clip(name)
	data := errorData(upstream.KindToolNotFound, &upstream.Fault{Server: policy.Own}, name)
	return &refusal{code: codeInvalidParams, message: "Unknown tool: " + name, data: data, unknown: true}
}

func unknownPrompt(name string) *refusal {
	name = clip(name)
	data := errorData(upstream.KindToolNotFound, &upstream.Fault{Server: policy.Own}, name)
	return &refusal{code: codeInvalidParams, message: "Unknown prompt: " + name, data: data, unknown: true}
}

// unknownResource has a code of its own in the legacy era (2025-11-25,
// resources), and tells the URI (2026-07-28, resources).
func unknownResource(uri string, modern bool) *refusal {
	code := codeResourceNotFound
	if modern {
		code = codeInvalidParams
	}
	uri = clip(uri)
	data := errorData(upstream.KindToolNotFound, &upstream.Fault{Server: policy.Own}, "")
	data = jsonrpc.AppendString(append(data[:len(data)-1], `,"uri":`...), uri)
	return &refusal{code: code, message: "Resource not found: " + uri, data: append(data, '}'), unknown: true}
}

// lostState refuses a request that goes on with a call which weir does not have
// any more, or never had: the call is never made again by itself.
func lostState() *refusal {
	data := errorData(upstream.KindValidation, &upstream.Fault{Server: policy.Own, MaybeExecuted: true}, "")
	return &refusal{
		code: codeInvalidParams, data: data,
		message: "This requestState is unknown, expired, used already or for another request. " +
			"The call that it belongs to may have run; do not repeat it without looking.",
	}
}

// tooMany refuses what is over a limit of weir's own.
func tooMany(what string) *refusal {
	data := errorData(upstream.KindRateLimited, &upstream.Fault{Server: policy.Own, Retryable: true}, "")
	return &refusal{code: codeInternal, message: "Too many " + what, data: data}
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
func (c *call) passError(b *jsonrpc.Batch, a upstream.Answer) {
	m := a.Message
	if err := c.server.checkError(m.Fields); err != nil {
		c.fail(b, err)
		return
	}
	code := jsonrpc.Find(m.Fields, "code")
	n, err := strconv.Atoi(string(code))
	var edits []jsonrpc.Edit
	switch {
	case err != nil:
	case n == codeHeaderMismatch, n == codeUnsupportedVersion, n == codeMissingCapability && !c.modern:
		c.fail(b, c.refusedBy(m))
		return
	case n == codeURLElicitation && (c.modern || !c.s.declared.Load().url && elicitations(m) != nil):
		c.fail(b, c.wantsVisit(m))
		return
	case n == codeURLElicitation:
		edits = c.scopedElicitations(m)
	case n == codeResourceNotFound && c.modern:
		edits = []jsonrpc.Edit{{At: code, With: strconv.AppendInt(nil, codeInvalidParams, 10)}}
	case n == codeInvalidParams && a.Modern && !c.modern && c.notFound(m):
		edits = []jsonrpc.Edit{{At: code, With: strconv.AppendInt(nil, codeResourceNotFound, 10)}}
	case n == codeInvalidParams, n == codeMethodNotFound:
		// It may be something that the server has dropped without a word.
		c.server.doubted(c.op.kind)
	}
	c.pass(b, m, m.Error, edits)
}

// notFound reports whether an error says that the resource is not there: a modern
// server names its URI then (2026-07-28, resources).
func (c *call) notFound(m *jsonrpc.Message) bool {
	uri, err := jsonrpc.String(memberOf(jsonrpc.Find(m.Fields, "data"), "uri"))
	return c.op == resourceRead && err == nil && uri == c.name
}

// scopedElicitations makes the ids in an error -32042 weir's own, and names the
// server that asks.
func (c *call) scopedElicitations(m *jsonrpc.Message) (edits []jsonrpc.Edit) {
	for _, e := range elicitations(m) {
		raw := memberOf(e, "elicitationId")
		if id, err := jsonrpc.String(raw); err == nil {
			edits = append(edits, jsonrpc.Edit{At: raw, With: jsonrpc.AppendString(nil, scopedID(c.server, id))})
		}
		edits = appendNaming(edits, c.server, memberOf(e, "message"))
	}
	inOrder(edits)
	return edits
}

// elicitations are the raw objects in an error -32042 (2025-11-25, elicitation).
func elicitations(m *jsonrpc.Message) [][]byte {
	list, err := jsonrpc.ParseArray(nil, memberOf(jsonrpc.Find(m.Fields, "data"), "elicitations"))
	if err != nil || len(list) > maxInputs {
		return nil
	}
	return list
}

// wantsVisit is an error -32042 for a host that cannot open a page: the user has
// to do that otherwise. The server's words stay its own.
func (c *call) wantsVisit(m *jsonrpc.Message) error {
	hosts := ""
	for _, e := range elicitations(m) {
		if text, err := jsonrpc.String(memberOf(e, "url")); err == nil {
			if u, err := url.Parse(text); err == nil && u.Host != "" {
				hosts += " " + clip(u.Host)
			}
		}
	}
	fault := &upstream.Fault{
		Server: c.server.Name, Text: "the user must first agree on a page of the server",
		Hint: "This host cannot show it: ask the user to go there another way, then call again.", Retryable: true,
	}
	if hosts != "" {
		fault.Text += " at" + hosts
	}
	return upstream.AuthorizationError{Fault: fault}
}

// refusedBy is an error of the server that only weir could have done something
// about.
func (c *call) refusedBy(m *jsonrpc.Message) error {
	text, err := jsonrpc.String(jsonrpc.Find(m.Fields, "message"))
	if err != nil {
		text = "no reason given"
	}
	return upstream.ProtocolError{Fault: &upstream.Fault{
		Server: c.server.Name, Text: "the server refused the call: " + text,
	}}
}

// unsuitable is a result that the host's era has no word for.
func (c *call) unsuitable() error {
	return c.unfinished("the server asks for something that this host cannot give")
}

func (c *call) unfinished(text string) error {
	return upstream.ProtocolError{Fault: &upstream.Fault{
		Server: c.server.Name, Text: text,
		Hint: "The call is not finished and will not be.", MaybeExecuted: true,
	}}
}

// Why a call between the eras did not come to its end.
var (
	errAsksForEver   = errors.New("the server asks without end")
	errAsksNothing   = errors.New("the server asks for more input and does not say which")
	errAsksWrongly   = errors.New("the server asks in a way that cannot be understood")
	errUndeclared    = errors.New("the server asks for what this host cannot give")
	errHostRefused   = errors.New("the host has refused to answer the server")
	errNoTask        = errors.New("the server tells of a task and not which")
	errTaskCancelled = errors.New("the server has cancelled the task")
)

// unsettled is the failure of a call that ended between the eras.
func (c *call) unsettled(err error) error {
	if _, told := errors.AsType[upstream.Failure](err); told {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return c.unfinished("it took too long to answer the server's questions")
	}
	return c.unfinished(err.Error())
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
