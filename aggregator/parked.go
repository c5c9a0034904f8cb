package aggregator

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file lets a modern host answer what a server with a handshake asks in
// the middle of a call. The server's call stays open. The host's request is
// answered with input_required and a requestState that stands for the call
// (2026-07-28, multi round-trip requests); the host asks again with its answers,
// and its new request takes the call over. The server is never called twice.

const (
	// gatherTime lets questions that a server asks together become one.
	gatherTime = 20 * time.Millisecond

	// answerTime is how long a host may take to ask again, or to answer what it was
	// asked.
	answerTime = 15 * time.Minute

	// maxParked is how many calls of one host may wait for its answers; of one
	// server no more than are left for others.
	maxParked = 128

	// maxPutBy is how many bytes of results may wait for one host to ask again.
	maxPutBy = 64 << 20

	// maxTimesAsked is how often one call may ask the host.
	maxTimesAsked = 100
)

// waiting is what a call waits for from a modern host. All of it is guarded by
// the session's mu.
type waiting struct {
	open    []*openQuestion
	asked   int                // questions so far: no two have one key
	handle  handle             // by which the call is parked
	parked  bool               // it has been answered with input_required
	expire  context.CancelFunc // of parked: ends the wait for its expiry
	outcome *upstream.Answer   // came while it was parked; its own copy
	consent bool               // the call is to be made once the host has agreed
}

// openQuestion is one that the host has not answered.
type openQuestion struct {
	key    string             // in inputRequests
	q      *upstream.Question // nil for one that is weir's own
	method string
	params []byte // raw, as the host gets them; nil for none
	shown  bool   // the host has been asked
	heard  *heard // nil for one that is weir's own
}

// hear takes a question of the server for the call.
func (c *call) hear(q *upstream.Question) {
	method, params := string(q.Message.Method), q.Message.Fields
	if c.kept == nil {
		q.Refuse(nil, codeMethodNotFound, "the client cannot be asked in this call")
		return
	}
	heard := c.s.hearOf(c.server, method, len(q.Message.Raw))
	refused := c.server.mayAsk(c.kept.declared, method, params, len(q.Message.Params))
	if refused == nil && !safeURL(method, params) {
		refused = &unasked{code: codeInvalidParams, message: unsafeURL}
	}
	if refused != nil {
		heard.settled(audit.Refused, 0)
		q.Refuse(nil, refused.code, refused.message)
		return
	}
	c.s.a.rememberQuestion(q, func(*jsonrpc.Batch, []byte) { c.unhear(q) })
	if !c.enlist(&openQuestion{q: q, method: method, params: c.server.inputRequest(method, q.Message), heard: heard}) {
		heard.settled(audit.Refused, 0)
		c.s.a.forgetQuestion(q)
		q.Refuse(nil, codeInternal, "the client has stopped listening")
	}
}

// inputRequest is the params of a server's question as a modern host gets them:
// without what only its own era has.
func (s *server) inputRequest(method string, m *jsonrpc.Message) []byte {
	if m.Params == nil || m.Params[0] != '{' {
		return nil
	}
	params := namedAsker(s, method, m.Fields)
	if method == "elicitation/create" {
		params = rewrittenMembers(params, "elicitationId", nil)
	}
	params = rewrittenMembers(params, "task", nil)
	if meta, err := jsonrpc.ParseObject(nil, jsonrpc.Find(params, "_meta")); err == nil {
		meta = slices.DeleteFunc(meta, func(m jsonrpc.Member) bool {
			return string(m.Key) == upstream.MetaProgress || string(m.Key) == metaRelatedTask
		})
		value := jsonrpc.AppendObject(nil, meta)
		if len(meta) == 0 {
			value = nil
		}
		params = rewrittenMembers(params, "_meta", value)
	}
	return jsonrpc.AppendObject(nil, params)
}

// enlist adds a question to those of the call, and asks the host a moment later.
// It reports false if the call has ended or asks too much.
func (c *call) enlist(o *openQuestion) bool {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	attached := s.calls.has(c)
	if c.waiting == nil {
		c.waiting = &waiting{}
	}
	w := c.waiting
	if !attached && !w.parked || w.asked >= maxTimesAsked {
		return false
	}
	w.asked++
	o.key = "q" + strconv.Itoa(w.asked)
	w.open = append(w.open, o)
	if attached && len(w.open) == 1 {
		s.behind.Go(func() {
			select {
			case <-time.After(gatherTime):
				c.park(nil)
			case <-s.ctx.Done():
			}
		})
	}
	return true
}

// enlistConsent makes questions of weir's own those of the call. It reports
// false if the call has ended or asks too much.
func (c *call) enlistConsent(questions []*openQuestion) bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.waiting == nil {
		c.waiting = &waiting{}
	}
	w := c.waiting
	if !c.s.calls.has(c) || w.asked+len(questions) > maxTimesAsked {
		return false
	}
	c.work, w.consent = nil, true
	for _, o := range questions {
		w.asked++
		o.key = "q" + strconv.Itoa(w.asked)
	}
	w.open = append(w.open, questions...)
	return true
}

// unhear takes back a question that its server has withdrawn.
func (c *call) unhear(q *upstream.Question) {
	var heard *heard
	c.s.mu.Lock()
	c.waiting.open = slices.DeleteFunc(c.waiting.open, func(o *openQuestion) bool {
		if o.q == q {
			heard = o.heard
		}
		return o.q == q
	})
	c.s.mu.Unlock()
	heard.settled(audit.Cancelled, 0)
}

// park asks the host what is open, as the answer to its request. The call waits
// for the request that brings the answers. It does nothing if nothing is open.
func (c *call) park(b *jsonrpc.Batch) {
	s := c.s
	s.mu.Lock()
	w := c.waiting
	if !s.calls.has(c) || len(w.open) == 0 {
		s.mu.Unlock()
		return
	}
	c.leaveTable()
	c.leavePlace()
	full := !fair(s.parkedOf(c.server), 1, maxParked-len(s.parked))
	if full {
		c.letGo()
	}
	patience, sent := answerTime, true
	if c.errand != nil || c.link != nil {
		patience, sent = approval.WaitTime, false
	}
	if !full {
		h := newHandle()
		w.handle, w.parked = h, true
		s.parked[h] = c
		ctx, cancel := context.WithTimeout(s.ctx, patience)
		w.expire = cancel
		s.behind.Go(func() { c.awaitAnswers(ctx, h) })
	}
	id, h, told := c.id, w.handle, c.told
	questions := slices.Clone(w.open)
	for _, o := range questions {
		o.shown = true
	}
	s.mu.Unlock()
	if full {
		c.giveUp(nil)
		c.fail(b, upstream.RateLimitError{Fault: &upstream.Fault{
			Server: c.serverName(), Text: "too many calls wait for answers of the host", MaybeExecuted: sent,
		}})
		return
	}
	state := s.a.seal.state(h, time.Now().Add(patience), c.kept.digest)
	result := s.a.inputRequired(questions, state)
	c.recordAsked(&told, len(result))
	s.write(b, replyHead(id), result, []byte("}"))
}

// inputRequired is the result that asks a modern host.
func (a *Aggregator) inputRequired(questions []*openQuestion, state string) []byte {
	out := []byte(`{"resultType":"input_required","inputRequests":{`)
	for i, o := range questions {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(jsonrpc.AppendString(out, o.key), `:{"method":`...)
		out = append(jsonrpc.AppendString(out, o.method), `,"params":`...)
		if o.params == nil {
			out = append(out, "{}"...) // the Go SDK takes no question without (v1.8.0)
		}
		out = append(append(out, o.params...), '}')
	}
	out = jsonrpc.AppendString(append(out, `},"requestState":`...), state)
	return append(a.appendServerMeta(append(out, ',')), '}')
}

// awaitAnswers gives a parked call up when the host has not asked again in time.
// Its host cannot cancel it: the request has ended.
func (c *call) awaitAnswers(ctx context.Context, h handle) {
	<-ctx.Done()
	s := c.s
	s.mu.Lock()
	late := s.parked[h] == c
	if late {
		delete(s.parked, h)
		c.letGo()
	}
	s.mu.Unlock()
	if late {
		s.a.log.Info().Str("upstream", c.serverName()).Str(c.op.kind, c.name).Msg("host has not answered, call given up")
		c.giveUp([]byte(`"no answer to the server's question"`))
	}
}

// dropQuestions answers the questions of a call that is over, but for those that
// were another call's: nobody else will.
func (c *call) dropQuestions() {
	c.s.mu.Lock()
	var questions []*openQuestion
	if c.waiting != nil {
		questions, c.waiting.open = c.waiting.open, nil
	}
	c.s.mu.Unlock()
	for _, o := range questions {
		o.heard.settled(audit.Cancelled, 0)
		switch {
		case o.q == nil:
		case !o.shown && c.passOn(o.q):
		case o.method == "elicitation/create":
			c.s.a.forgetQuestion(o.q)
			o.q.Reply(nil, []byte(`{"action":"cancel"}`))
		default:
			c.s.a.forgetQuestion(o.q)
			o.q.Refuse(nil, codeInternal, "the client has not answered")
		}
	}
}

// passOn gives a question to another call that its server works on, if there is
// one: the host has not seen it, and this call, which ended without an answer to
// it, was not what the server asked for. It was taken for that because it was the
// oldest (see callOf).
func (c *call) passOn(q *upstream.Question) bool {
	if q.Call != nil {
		return false // it was asked on the stream of this call
	}
	next := c.s.a.callOf(c.server, q)
	if next == nil || next == c || next.isParked() {
		return false
	}
	c.s.a.forgetQuestion(q)
	if next.modern {
		next.hear(q)
	} else {
		next.s.relay(nil, next.server, q)
	}
	return true
}

// putBy keeps an outcome that came while the call is parked until the host asks
// again. It reports false if the call is not parked.
func (c *call) putBy(a upstream.Answer) bool {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.waiting == nil || !c.waiting.parked {
		return false
	}
	if s.parked[c.waiting.handle] != c {
		return true // its time is over
	}
	c.work = nil
	outcome := keptAnswer(a)
	if outcome.Message != nil && s.putBy+len(outcome.Message.Raw) > maxPutBy {
		outcome = upstream.Answer{Modern: a.Modern, Err: upstream.RateLimitError{Fault: &upstream.Fault{
			Server: c.server.Name, MaybeExecuted: true,
			Text: "the result came before the host had answered and was too large to be kept",
		}}}
	}
	if outcome.Message != nil {
		s.putBy += len(outcome.Message.Raw)
	}
	c.waiting.outcome = &outcome
	return true
}

// keptAnswer is an answer that stays good.
func keptAnswer(a upstream.Answer) upstream.Answer {
	if a.Message == nil {
		return a
	}
	own := new(jsonrpc.Message)
	if err := own.Parse(bytes.Clone(a.Message.Raw)); err != nil {
		panic(err) // it has been parsed before
	}
	a.Message = own
	return a
}

// resume takes a request that goes on with a parked call. It reports false if
// the request names none of weir's: then it is for its server to know, which may
// be a weir as well. A server with a handshake never gets what nobody knows.
func (s *session) resume(r *request, op *operation) bool {
	if !op.asks || !r.modern {
		return false
	}
	state, err := jsonrpc.String(jsonrpc.Find(r.params, "requestState"))
	if err != nil {
		return false
	}
	h, expiry, digest, own := s.a.seal.open(state)
	if !own {
		return false
	}
	var c *call
	if time.Now().Before(expiry) {
		c = s.unpark(r, h, op, digest)
	}
	if c == nil {
		s.recordTurnedDown(r)
		s.refuseWith(&s.batch, r.id, lostState())
		return true
	}
	c.take(&s.batch, jsonrpc.Find(r.params, "inputResponses"))
	return true
}

// unpark makes r the request of the call that is parked by h, if that is for the
// same thing; nil if not. No state is good twice.
func (s *session) unpark(r *request, h handle, op *operation, digest digest) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.parked[h]
	if c == nil || c.op != op || digest != c.kept.digest || digest != op.digest(r.params) || s.calls.len() >= maxInFlight {
		return nil
	}
	delete(s.parked, h)
	c.waiting.expire()
	c.waiting.parked = false
	c.told.takeOver(&r.told)
	if c.share != nil {
		c.share.calls++
	}
	c.attach(r)
	return c
}

// parkedOf counts the calls of a server that are parked; nil stands for those of
// no server yet. The caller holds s.mu.
func (s *session) parkedOf(of *server) int {
	n := 0
	for _, c := range s.parked {
		if c.server == of {
			n++
		}
	}
	return n
}

// take gives the host's answers to the server, and asks again for those that are
// missing. Answers to what was not asked are left alone.
func (c *call) take(b *jsonrpc.Batch, responses []byte) {
	members, _ := jsonrpc.ParseObject(nil, responses) // what is no object answers nothing
	answers, outcome, consent, rest := c.takeAnswered(members)
	switch {
	case outcome != nil:
		// The server did not need them for this call, so for another.
		c.passBack(b, answers)
		if c.end() {
			c.dropQuestions()
			c.answer(b, *outcome)
		}
	case consent && rest == 0:
		c.agree(b, answers)
	default:
		c.passBack(b, answers)
		if rest > 0 {
			c.park(b)
		}
	}
}

// passBack gives the host's answers to the server.
func (c *call) passBack(b *jsonrpc.Batch, answers []answeredQuestion) {
	for _, a := range answers {
		c.s.a.forgetQuestion(a.q)
		a.heard.settled(audit.OK, len(a.value))
		a.q.Reply(b, bytes.Clone(a.value))
	}
}

// answered is a question with the host's answer.
type answeredQuestion struct {
	*openQuestion
	value []byte // raw object
}

// takeAnswered takes the questions that have an answer among members from the
// open ones.
func (c *call) takeAnswered(members []jsonrpc.Member) (answers []answeredQuestion, outcome *upstream.Answer, consent bool, rest int) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	w := c.waiting
	outcome, w.outcome = w.outcome, nil
	if outcome != nil && outcome.Message != nil {
		s.putBy -= len(outcome.Message.Raw)
	}
	open := w.open[:0:0]
	for _, o := range w.open {
		value := jsonrpc.Find(members, o.key)
		if o.shown && isObject(value) {
			answers = append(answers, answeredQuestion{o, value})
		} else {
			open = append(open, o)
		}
	}
	if w.consent && len(open) > 0 {
		return nil, outcome, true, len(w.open) // weir's own questions are answered together
	}
	w.open = open
	return answers, outcome, w.consent, len(open)
}
