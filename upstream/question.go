package upstream

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// maxQuestions bounds those of one connection that are open at a time.
const maxQuestions = 100

// A Question is a request of a legacy server to its client: for sampling,
// elicitation, roots, or anything else but ping (2025-11-25, client features).
// It is answered once, by Reply, Fail or Refuse, from any goroutine. What comes
// after that, or after it was withdrawn, does nothing.
type Question struct {
	Upstream *Upstream
	Message  *jsonrpc.Message // the request; good for ever

	// Call is the call on whose own stream the request came, which may be one of
	// weir's own; nil where the transport cannot tell.
	Call *Call

	conn  *connection
	token []byte // raw: where the server wants progress; else nil

	// Guarded by the connection's mu.
	offered   bool   // the handler has taken it
	withdrawn bool   // nobody waits for the answer; told when offered
	reason    []byte // of that, raw or nil
}

// Reply answers with a result, given in raw pieces. One of jsonrpc.Large bytes
// or more must not change any more.
func (q *Question) Reply(b *jsonrpc.Batch, result ...[]byte) {
	q.answer(b, `,"result":`, result)
}

// Fail answers with an error object, given in raw pieces as to Reply.
func (q *Question) Fail(b *jsonrpc.Batch, rawError ...[]byte) {
	q.answer(b, `,"error":`, rawError)
}

// Refuse answers with an error.
func (q *Question) Refuse(b *jsonrpc.Batch, code int, message string) {
	q.Fail(b, errorObject(code, message))
}

func (q *Question) answer(b *jsonrpc.Batch, member string, value [][]byte) {
	if q.conn.closeQuestion(q) {
		q.conn.respond(b, q.Message.ID, member, value...)
	}
}

// Progress passes on what the host's notifications/progress, m as it was parsed,
// tells of the question, with the server's token in place of the host's. It is
// dropped if the server asked for none.
func (q *Question) Progress(b *jsonrpc.Batch, m *jsonrpc.Message) {
	if q.token == nil || !q.conn.isAsked(q) {
		return
	}
	var edits []jsonrpc.Edit
	for _, f := range m.Fields {
		if string(f.Key) == MetaProgress {
			edits = append(edits, jsonrpc.Edit{At: f.Value, With: q.token})
		}
	}
	if edits != nil {
		q.conn.notifyIn(b, string(q.Message.ID), progressMethod, jsonrpc.Splice(nil, m.Params, edits...))
	}
}

// question takes a request of the server to the handler.
func (c *connection) question(b *jsonrpc.Batch, m *jsonrpc.Message, origin uint64) {
	q := newQuestion(c, m)
	code, refusal := c.openQuestion(q, origin)
	if refusal != "" {
		c.u.noise.refused(m.Method, refusal)
		c.respond(b, m.ID, `,"error":`, errorObject(code, refusal))
		return
	}
	c.u.set.handler.Question(b, q)
	if reason, withdrawn := c.offered(q); withdrawn {
		c.u.set.handler.Withdrawn(b, q, reason)
	}
}

func newQuestion(c *connection, m *jsonrpc.Message) *Question {
	raw := m.Raw
	if len(raw) < jsonrpc.Large {
		raw = bytes.Clone(raw)
	}
	own := new(jsonrpc.Message)
	if err := own.Parse(raw); err != nil {
		panic(err) // it has been parsed before
	}
	q := &Question{Upstream: c.u, Message: own, conn: c}
	if token := jsonrpc.Find(metaOf(own.Fields), MetaProgress); isToken(token) {
		q.token = token
	}
	return q
}

// isToken reports whether raw is a string or a number.
func isToken(raw []byte) bool {
	return len(raw) > 0 && (raw[0] == '"' || raw[0] == '-' || raw[0]-'0' < 10)
}

// openQuestion notes a question, or says why there cannot be one more. The time
// limit of the call that it belongs to stands still meanwhile, since a person
// may have to think: that of every call where the transport cannot tell.
func (c *connection) openQuestion(q *Question, origin uint64) (code int, refusal string) {
	id := string(q.Message.ID)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return codeInternal, "the connection has ended"
	case c.questions[id] != nil:
		return codeInvalidRequest, "the id is in use by another request"
	case len(c.questions) >= maxQuestions, c.asked+len(q.Message.Raw) > c.u.messageLimit():
		return codeInternal, "too many requests are open"
	}
	if c.questions == nil {
		c.questions = make(map[string]*Question)
	}
	c.questions[id] = q
	c.asked += len(q.Message.Raw)
	if q.Call = c.pending.At(origin); q.Call != nil {
		q.Call.asking++
	} else {
		c.asking++
	}
	return 0, ""
}

// closeQuestion takes a question out of the open ones. It reports false if it
// is none any more.
func (c *connection) closeQuestion(q *Question) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := string(q.Message.ID)
	if c.questions[id] != q {
		return false
	}
	delete(c.questions, id)
	c.asked -= len(q.Message.Raw)
	c.touch()
	c.resume(q.Call)
	return true
}

// resume lets time limits run again, from their beginning. The caller holds
// c.mu.
func (c *connection) resume(call *Call) {
	now := time.Now()
	if call != nil {
		if call.asking--; c.pending.At(call.id) == call && !c.isThinking(call) {
			c.watchAnew(call, now)
		}
		return
	}
	if c.asking--; c.asking > 0 {
		return
	}
	for _, call := range c.pending.All() {
		if call.asking == 0 {
			c.watchAnew(call, now)
		}
	}
}

// isThinking reports whether somebody may be thinking about a question that
// holds the call up. The caller holds c.mu.
func (c *connection) isThinking(call *Call) bool { return c.asking > 0 || call.asking > 0 }

func (c *connection) isAsked(q *Question) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.questions[string(q.Message.ID)] == q
}

// offered notes that the handler knows the question. It reports whether it was
// withdrawn meanwhile.
func (c *connection) offered(q *Question) (reason []byte, withdrawn bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q.offered = true
	return q.reason, q.withdrawn
}

// withdrawQuestion ends a question that nobody waits for any more. The handler
// is told, if it knows the question, now; else by question.
func (c *connection) withdrawQuestion(b *jsonrpc.Batch, q *Question, reason []byte) {
	if !c.closeQuestion(q) {
		return
	}
	c.mu.Lock()
	q.withdrawn, q.reason = true, reason
	offered := q.offered
	c.mu.Unlock()
	if offered {
		c.u.set.handler.Withdrawn(b, q, reason)
	}
}

// questionCancelled takes the server's notifications/cancelled for a request of
// its own (2025-11-25, basic, cancellation).
func (c *connection) questionCancelled(b *jsonrpc.Batch, m *jsonrpc.Message) {
	id := jsonrpc.Find(m.Fields, "requestId")
	c.mu.Lock()
	q := c.questions[string(id)]
	c.mu.Unlock()
	if q == nil {
		return
	}
	reason := jsonrpc.Find(m.Fields, "reason")
	if len(reason) == 0 || reason[0] != '"' {
		reason = nil
	}
	c.withdrawQuestion(b, q, slices.Clone(reason))
}

// withdrawAll ends every question when the connection does.
func (c *connection) withdrawAll() {
	c.mu.Lock()
	open := make([]*Question, 0, len(c.questions))
	for _, q := range c.questions {
		open = append(open, q)
	}
	c.mu.Unlock()
	for _, q := range open {
		c.withdrawQuestion(nil, q, nil)
	}
}

// respond answers a request of the server. Where that cannot be sent the server
// is gone, or does not read.
func (c *connection) respond(b *jsonrpc.Batch, id []byte, member string, value ...[]byte) {
	pieces := append(make([][]byte, 0, len(value)+4), []byte(`{"jsonrpc":"2.0","id":`), id, []byte(member))
	pieces = append(append(pieces, value...), []byte("}"))
	if err := c.t.Send(b, &transport.Outgoing{Pieces: pieces, Thread: string(id)}); err != nil {
		c.u.log.Debug().Err(err).Msg("answer to a server request not sent")
	}
}

func errorObject(code int, message string) []byte {
	return object(
		jsonrpc.NewMember("code", strconv.AppendInt(nil, int64(code), 10)),
		jsonrpc.NewMember("message", quoted(message)),
	)
}
