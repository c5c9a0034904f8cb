package aggregator

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file takes the questions of servers with a handshake (sampling,
// elicitation, roots), finds out for which call each is asked, and relays it to
// a legacy host. Of a modern host the call waits, see waiting.go.

const metaRelatedTask = "io.modelcontextprotocol/related-task"

// question takes a server's question.
func (a *Aggregator) question(b *jsonrpc.Batch, q *upstream.Question) {
	asker := a.world.Load().of(q.Upstream)
	c := a.callOf(asker, q)
	switch {
	case c != nil && c.modern:
		c.hear(q)
	case c != nil:
		c.s.relay(b, asker, q)
	default:
		a.unrelated(b, asker, q)
	}
}

// unrelated takes a question that no call is open for: many servers ask for the
// roots as soon as they are initialized. A legacy host is asked all the same. A
// modern one cannot be: it has told no roots then.
func (a *Aggregator) unrelated(b *jsonrpc.Batch, asker *server, q *upstream.Question) {
	for _, s := range a.sessionList() {
		if s.declared.Load().version != "" {
			s.relaySoon(b, asker, q)
			return
		}
	}
	if name := asker.Questions.denied(string(q.Message.Method)); name != "" {
		q.Refuse(b, codeMethodNotFound, lacks+name)
		return
	}
	if string(q.Message.Method) == "roots/list" {
		q.Reply(b, []byte(`{"roots":[]}`))
		return
	}
	q.Refuse(b, codeMethodNotFound, "no call is open that this could be asked for")
}

// callOf finds the call that a server asks for: the one on whose stream it asks,
// the one whose task it names, else the oldest of those it works on that has not
// asked yet, since pipes do not tell.
func (a *Aggregator) callOf(asker *server, q *upstream.Question) *call {
	if q.Call != nil {
		return hostCallOf(q.Call)
	}
	if c := asker.taskCall(relatedTask(q.Message.Fields)); c != nil {
		return c
	}
	var found *call
	for _, s := range a.sessionList() {
		found = older(found, s.oldestAsker(asker))
	}
	return found
}

// hostCallOf is the call that work of a server is done for; nil for weir's own.
func hostCallOf(work *upstream.Call) *call {
	if work == nil {
		return nil
	}
	if sink, ok := work.Sink.(interface{ hostCall() *call }); ok {
		return sink.hostCall()
	}
	return nil
}

func (c *call) hostCall() *call { return c }

func (c *call) isParked() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.waiting != nil && c.waiting.parked
}

// older returns the call that is to be taken for a question's: one that the
// host waits for before one that waits for the host.
func older(a, b *call) *call {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.isParked() != b.isParked():
		if a.isParked() {
			return b
		}
		return a
	case b.number < a.number:
		return b
	}
	return a
}

// oldestAsker is the oldest call of the session that the server works on and may
// ask for.
func (s *session) oldestAsker(asker *server) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var attached, parked *call
	for c := range s.calls.all() {
		if c.server == asker && c.op.asks && (attached == nil || c.number < attached.number) {
			attached = c
		}
	}
	for _, c := range s.parked {
		if c.server == asker && (parked == nil || c.number < parked.number) {
			parked = c
		}
	}
	if attached != nil {
		attached.pinned = true
		return attached
	}
	return parked
}

// relatedTask is the task that a message says it belongs to, as its sender calls
// it; "" without one.
func relatedTask(params []jsonrpc.Member) string {
	related := memberOf(jsonrpc.Find(params, "_meta"), metaRelatedTask)
	id, err := jsonrpc.String(memberOf(related, "taskId"))
	if err != nil {
		return ""
	}
	return id
}

// relay asks a legacy host what a server asks, and gives the server its answer,
// both to the byte but for ids, tokens and the name of who asks.
func (s *session) relay(b *jsonrpc.Batch, asker *server, q *upstream.Question) {
	method, params := string(q.Message.Method), q.Message.Fields
	heard := s.hearOf(asker, method, len(q.Message.Raw))
	refused := asker.mayAsk(s.declared.Load(), method, params, len(q.Message.Params))
	if isTaskMethod(method) {
		refused = s.hostTaskRefusal(asker, params)
	}
	if refused == nil && !safeURL(method, params) {
		refused = &unasked{code: codeInvalidParams, message: unsafeURL}
	}
	if refused != nil {
		heard.settled(audit.Refused, 0)
		q.Refuse(b, refused.code, refused.message)
		return
	}
	a := &asked{
		of:       asker,
		progress: func(m *jsonrpc.Message) { q.Progress(&s.batch, m) },
		gone: func() {
			heard.settled(audit.Cancelled, 0)
			q.Refuse(nil, codeInternal, errHostGone.Error())
		},
		late: func() {
			s.a.forgetQuestion(q)
			heard.settled(audit.Cancelled, 0)
			q.Refuse(nil, codeInternal, errHostSilent.Error())
		},
	}
	a.answer = func(b *jsonrpc.Batch, m *jsonrpc.Message) {
		s.a.forgetQuestion(q)
		heard.answered(m)
		if m.Kind == jsonrpc.Failure {
			q.Fail(b, m.Error)
			return
		}
		s.noteHostTask(asker, m.Fields)
		q.Reply(b, s.a.unsealed(asker, m.Result))
	}
	if err := s.newAsked(a); err != nil {
		heard.settled(audit.Refused, 0)
		q.Refuse(b, codeInternal, err.Error())
		return
	}
	s.a.rememberQuestion(q, func(b *jsonrpc.Batch, reason []byte) {
		if s.retract(b, a, reason) {
			heard.settled(audit.Cancelled, 0)
		}
	})
	s.sendAsked(b, a, q.Message.Method, s.a.relayed(asker, q.Message, a.id))
}

// relaySoon is relay for a host that may not be ready for questions yet: then it
// gets them when it is.
func (s *session) relaySoon(b *jsonrpc.Batch, asker *server, q *upstream.Question) {
	s.mu.Lock()
	waits := !s.pushed && s.asking != nil && len(s.early) < maxAsked
	if waits {
		s.early = append(s.early, earlyQuestion{asker, q})
	}
	s.mu.Unlock()
	if !waits {
		s.relay(b, asker, q)
	}
}

// earlyQuestion is one that has come before the host was ready.
type earlyQuestion struct {
	asker *server
	q     *upstream.Question
}

// relayEarly asks the host what has waited for it to be ready. What was withdrawn
// in the meantime its server takes no notice of.
func (s *session) relayEarly() {
	s.mu.Lock()
	early := s.early
	s.early = nil
	s.mu.Unlock()
	for _, e := range early {
		s.relay(&s.batch, e.asker, e.q)
	}
}

// relayed is the params of a server's question as a legacy host gets them.
func (a *Aggregator) relayed(asker *server, m *jsonrpc.Message, id uint64) []byte {
	if m.Params == nil || m.Params[0] != '{' {
		return m.Params
	}
	params := namedAsker(asker, string(m.Method), m.Fields)
	if elicitation, err := jsonrpc.String(jsonrpc.Find(params, "elicitationId")); err == nil {
		params = rewrittenMembers(params, "elicitationId", jsonrpc.AppendString(nil, scopedID(asker, elicitation)))
	}
	if meta, err := jsonrpc.ParseObject(nil, jsonrpc.Find(params, "_meta")); err == nil {
		meta = rewrittenMembers(meta, upstream.MetaProgress, strconv.AppendUint(nil, id, 10))
		meta = a.sealRelatedTask(asker, meta)
		params = rewrittenMembers(params, "_meta", jsonrpc.AppendObject(nil, meta))
	}
	return jsonrpc.AppendObject(nil, params)
}

// scopedID makes ids of several servers different for the host.
func scopedID(asker *server, id string) string { return asker.Name + ":" + id }

// namedAsker puts the name of the server that asks before what the user reads:
// clients must show who asks, and see weir only (2025-11-25, elicitation).
func namedAsker(asker *server, method string, params []jsonrpc.Member) []jsonrpc.Member {
	if method != "elicitation/create" {
		return params
	}
	message, err := jsonrpc.String(jsonrpc.Find(params, "message"))
	if err != nil {
		return params
	}
	return rewrittenMembers(params, "message", jsonrpc.AppendString(nil, attributed(asker, message)))
}

// attributed is a message to the user with the name of the server that asks.
func attributed(asker *server, message string) string { return "[" + asker.Name + "] " + message }

const unsafeURL = "the url of an elicitation must be http or https"

// safeURL reports whether an elicitation by URL has one that a host may open.
func safeURL(method string, params []jsonrpc.Member) bool {
	if method != "elicitation/create" || string(jsonrpc.Find(params, "mode")) != `"url"` {
		return true
	}
	text, err := jsonrpc.String(jsonrpc.Find(params, "url"))
	if err != nil {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && (strings.EqualFold(u.Scheme, "https") || strings.EqualFold(u.Scheme, "http")) && u.Host != ""
}

// rememberQuestion notes what is to be done if a server withdraws a question.
func (a *Aggregator) rememberQuestion(q *upstream.Question, withdraw func(b *jsonrpc.Batch, reason []byte)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.questions[q] = withdraw
}

// forgetQuestion returns what was to be done; nil if it is not open any more.
func (a *Aggregator) forgetQuestion(q *upstream.Question) func(b *jsonrpc.Batch, reason []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	withdraw := a.questions[q]
	delete(a.questions, q)
	return withdraw
}

// withdrawn takes a question back from whoever was to answer it.
func (a *Aggregator) withdrawn(b *jsonrpc.Batch, q *upstream.Question, reason []byte) {
	if withdraw := a.forgetQuestion(q); withdraw != nil {
		withdraw(b, reason)
	}
}

// elicitationComplete passes the word that what a user was sent to a page for is
// done (2025-11-25, elicitation). A modern host does not wait for it.
func (a *Aggregator) elicitationComplete(b *jsonrpc.Batch, from *server, m *jsonrpc.Message) {
	raw := jsonrpc.Find(m.Fields, "elicitationId")
	id, err := jsonrpc.String(raw)
	if err != nil || from.Questions.NoElicitation {
		return
	}
	scoped := jsonrpc.Edit{At: raw, With: jsonrpc.AppendString(nil, scopedID(from, id))}
	for _, s := range a.sessionList() {
		if s.ready() && s.declared.Load().url {
			s.write(b, pieces(m.Raw, []jsonrpc.Edit{scoped})...)
			s.holdBackChatter(b)
		}
	}
}
