package aggregator

import (
	"slices"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The operations, and where each finds its server. What is denied does not
// exist: it is answered like what nobody has.
var (
	toolCall = &operation{
		method: "tools/call", kind: "tool", member: "name", asks: true,
		subject: named("tools/call", "name"), find: (*session).findTool,
	}
	promptGet = &operation{
		method: "prompts/get", kind: "prompt", member: "name", asks: true,
		subject: named("prompts/get", "name"), find: (*session).findPrompt,
	}
	resourceRead = &operation{
		method: "resources/read", kind: "resource", member: "uri", asks: true,
		subject: named("resources/read", "uri"), find: (*session).findResource,
	}
	completion = &operation{
		method: "completion/complete", kind: "prompt", member: "ref",
		subject: completed, find: (*session).findCompleted,
	}
)

// forwarding is the method of an operation.
func forwarding(op *operation) method {
	return func(s *session, r *request) { s.forward(r, op) }
}

// named reads a subject that is a string.
func named(method, member string) func([]jsonrpc.Member) (string, *refusal) {
	refused := &refusal{code: codeInvalidParams, message: "Invalid params: " + method + " needs the string " + member}
	return func(params []jsonrpc.Member) (string, *refusal) {
		subject, err := jsonrpc.String(jsonrpc.Find(params, member))
		if err != nil {
			return "", refused
		}
		return subject, nil
	}
}

// completed reads the raw reference of a completion.
func completed(params []jsonrpc.Member) (string, *refusal) {
	ref := jsonrpc.Find(params, "ref")
	if len(ref) == 0 || ref[0] != '{' {
		return "", &refusal{code: codeInvalidParams, message: "Invalid params: completion/complete needs the object ref"}
	}
	return string(ref), nil
}

// replace puts value in place of what names the subject.
func (op *operation) replace(params []jsonrpc.Member, value []byte) {
	for i := range params {
		if string(params[i].Key) == op.member {
			params[i].Value = value
		}
	}
}

func (s *session) findTool(q query) (target, *refusal) {
	w := q.known
	if w == nil {
		v := s.view()
		route := v.tool(q.subject)
		if route == nil {
			return target{}, unknownTool(q.subject)
		}
		w = v.way(route)
	}
	t := w.target()
	t.tool, t.arguments = w.route, jsonrpc.Find(q.params, "arguments")
	return t, w.view.admit(s, q, &t)
}

// targetOf is what is behind a route.
func (v *view) targetOf(route *catalog.Route) target { return v.way(route).target() }

// target is what is at the end of the way.
func (w *way) target() target {
	item := w.route.Item
	return target{server: w.server, name: item.Name(), value: item.RawName(), item: w.route, way: w}
}

func (s *session) findPrompt(q query) (target, *refusal) {
	v := s.view()
	route := v.prompt(q.subject)
	if route == nil {
		return target{}, unknownPrompt(q.subject)
	}
	t := v.targetOf(route)
	t.arguments = jsonrpc.Find(q.params, "arguments")
	if refused := v.checkReading(&t); refused != nil {
		return t, refused
	}
	if t.verdict = v.judgeOn(t.way, route, t.arguments); t.verdict.Level < policy.Read {
		return t, deniedPrompt(route, *t.verdict)
	}
	return t, v.heldBack(&t)
}

// heldBack refuses a prompt that pins keep from hosts.
func (v *view) heldBack(t *target) *refusal {
	if !v.held.withholds(t.item) {
		return nil
	}
	return changedPrompt(t.item, t.server, v.held[t.item.Server])
}

// findCompletedPrompt finds a prompt whose arguments are still being thought of:
// what a condition would say of them keeps nobody from it.
func (s *session) findCompletedPrompt(q query) (target, *refusal) {
	v := s.view()
	route := v.prompt(q.subject)
	if route == nil {
		return target{}, unknownPrompt(q.subject)
	}
	t := v.targetOf(route)
	verdict := v.judge(route, nil)
	verdict.Level = max(verdict.Level, verdict.Best)
	t.verdict = &verdict
	return t, v.heldBack(&t)
}

func (s *session) findResource(q query) (target, *refusal) {
	v := s.view()
	server, original := v.resource(q.subject)
	if server == nil {
		return target{}, unknownResource(q.subject, q.modern)
	}
	verdict := v.judgeURI(server.Name, original)
	t := target{server: server, name: original, verdict: &verdict}
	if original != q.subject {
		t.value = jsonrpc.AppendString(nil, original)
	}
	return t, nil
}

// findCompleted finds the server of a prompt or of a resource template, and
// writes the reference as it knows it (2025-11-25, completion).
func (s *session) findCompleted(q query) (target, *refusal) {
	members, err := jsonrpc.ParseObject(nil, []byte(q.subject))
	if why := ambiguous(members, paramsMembers); err != nil || why != "" {
		return target{}, &refusal{code: codeInvalidRequest, message: "Invalid request: " + why + " in ref"}
	}
	member, find := "name", (*session).findCompletedPrompt
	if kind, err := jsonrpc.String(jsonrpc.Find(members, "type")); err == nil && kind == "ref/resource" {
		member, find = "uri", (*session).findTemplate
	}
	subject, err := jsonrpc.String(jsonrpc.Find(members, member))
	if err != nil {
		return target{}, &refusal{code: codeInvalidParams, message: "Invalid params: ref needs the string " + member}
	}
	t, refused := find(s, query{subject: subject, modern: q.modern})
	if refused == nil && t.value != nil {
		t.value = rewritten(members, member, t.value)
	}
	return t, refused
}

// findTemplate finds what a reference names: a template as it is listed, or a
// URI.
func (s *session) findTemplate(q query) (target, *refusal) {
	v := s.view()
	route := v.template(q.subject)
	if route == nil {
		return s.findResource(q)
	}
	t := v.targetOf(route)
	verdict := v.judge(route, nil)
	t.verdict = &verdict
	return t, nil
}

// rewritten is an object of the members with another value for one of them; a
// nil value leaves it out.
func rewritten(members []jsonrpc.Member, key string, value []byte) []byte {
	return jsonrpc.AppendObject(nil, rewrittenMembers(members, key, value))
}

// rewrittenMembers is the members with another value for one of them, of which
// nil leaves it out when they are written.
func rewrittenMembers(members []jsonrpc.Member, key string, value []byte) []jsonrpc.Member {
	members = slices.Clone(members)
	for i := range members {
		if string(members[i].Key) == key {
			members[i].Value = value
		}
	}
	return members
}
