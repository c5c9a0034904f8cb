package aggregator

import (
	"context"
	"slices"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is the path of a request that one server is to answer: found by
// what it names, sent with the server's own name for that, answered raw.

// An operation is a method whose requests each go to one server.
type operation struct {
	method  string
	kind    string        // of what is named: "tool", "prompt", "resource", "task"
	member  string        // of params that names it
	asks    bool          // the server may ask the host before it answers (2026-07-28, multi round-trip requests)
	timeout time.Duration // as upstream.Call has it

	// subject reads what the request is about.
	subject func(params []jsonrpc.Member) (string, *refusal)

	// find finds who has it, for this host; or why it may not go on.
	find func(*session, query) (target, *refusal)

	// succeeded notes that there is a result; nil for nothing.
	succeeded func(*call)
}

// A target is what a request is about, at the server that has it.
type target struct {
	server *server
	name   string         // what the server calls it
	value  []byte         // raw: what the member of params that names it becomes; nil leaves it
	tool   *catalog.Route // of tools/call
	item   *catalog.Route // what is listed of it; nil for nothing
	way    *way           // of item

	// What was judged: the raw arguments, nil for none, and the policy's word.
	arguments []byte
	verdict   *policy.Verdict // not to be changed; nil where nothing was found

	// Overrides have made the arguments others than those of the request, or found
	// what it must not have sent.
	amended  bool
	problems []string
}

// forward takes a request as far as it goes without waiting.
func (s *session) forward(r *request, op *operation) {
	if op == toolCall && callsAnother(r.params) {
		s.direct(r)
	}
	if s.resume(r, op) {
		return
	}
	known, subject := s.recall(op, r.params)
	if known == nil {
		var refused *refusal
		if subject, refused = op.subject(r.params); refused != nil {
			s.recordTurnedDown(r)
			s.refuseWith(&s.batch, r.id, refused)
			return
		}
	}
	r.told.name = subject
	r.told.traceName(op, subject)
	if op == toolCall && known == nil && s.callOwnTool(r, subject) {
		return
	}
	s.a.noticePins()
	t, refused := s.target(op, query{subject: subject, params: r.params, modern: r.modern, known: known})
	if known == nil && refused == nil && t.tool != nil {
		s.remember(r.params, subject, t.way)
	}
	switch {
	case refused != nil && refused.unknown && (!s.a.listsAreIn() || s.unheard(op, subject).server != nil):
		s.forwardLater(r, op, subject, func(context.Context, *call) error { return nil })
	case refused != nil && refused.held != nil && refused.held.pinsMoved():
		held := refused.held
		s.forwardLater(r, op, subject, func(ctx context.Context, _ *call) error { return held.recheck(ctx) })
	case refused != nil:
		s.recordRefused(r.told, op, query{subject: subject, params: r.params}, &t, refused)
		s.refuseWith(&s.batch, r.id, refused)
	case t.mustCompare(op):
		s.tell(&r.told, &t)
		k := s.keptUnsent(op, r.params, r.modern)
		server := t.server
		s.forwardLater(r, op, subject, func(ctx context.Context, c *call) error { return c.compareFirst(ctx, server, k) })
	case t.verdict.Ask && op != resourceUnsubscribe: // to hear no more needs nobody's yes
		s.forwardApproved(r, op, subject, &t)
	default:
		s.send(r, op, &t, nil)
	}
}

// target finds who is to answer, or why nobody will.
func (s *session) target(op *operation, q query) (target, *refusal) {
	t, refused := op.find(s, q)
	if refused == nil && op == toolCall && !q.modern {
		refused = t.taskRefusal(q.params)
	}
	return t, refused
}

// forwardLater forwards what cannot be judged yet, when the first lists are in and
// after another look: nobody has listed it, it was held back, or its server has
// not listed it since it was connected.
func (s *session) forwardLater(r *request, op *operation, subject string, look func(context.Context, *call) error) {
	params := cloneMembers(r.params)
	s.whenListed(r, op, func(ctx context.Context, c *call) {
		q := query{subject: subject, params: params, modern: c.modern}
		notSeen := look(ctx, c)
		t, refused := s.target(op, q)
		switch {
		case refused == nil && notSeen != nil:
			refused = c.notSeen(t, notSeen)
		case refused != nil && refused.unknown:
			t, refused = c.findUnheard(ctx, q, t, refused)
		}
		if refused != nil {
			if c.end() {
				s.recordRefused(c.told, op, q, &t, refused)
				s.refuseWith(nil, c.id, refused)
			}
			return
		}
		if t.verdict.Ask {
			c.seekApprovalOf(ctx, subject, &t, params)
			return
		}
		meta, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(params, "_meta")) // it was parsed before
		if c.bind(&t, params, meta) {
			c.do(nil)
		}
	})
}

func cloneMembers(members []jsonrpc.Member) []jsonrpc.Member {
	out := make([]jsonrpc.Member, len(members))
	for i, m := range members {
		out[i] = jsonrpc.Member{Key: slices.Clone(m.Key), Name: slices.Clone(m.Name), Value: slices.Clone(m.Value)}
	}
	return out
}

// whenListed handles a request on a goroutine of its own when the first lists
// are in. It can be cancelled until then.
func (s *session) whenListed(r *request, op *operation, then func(context.Context, *call)) {
	s.later(r, op, func(ctx context.Context, c *call) {
		if s.a.firstLists(ctx) {
			then(ctx, c)
		}
	})
}

// later handles a request on a goroutine of its own. The context ends when the
// request does.
func (s *session) later(r *request, op *operation, handle func(context.Context, *call)) {
	c := s.begin(r, op)
	if c == nil {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	c.cancel = cancel
	s.mu.Unlock()
	s.behind.Go(func() {
		defer cancel()
		handle(ctx, c)
	})
}

// bind makes the request work for its target. What was judged is what is sent:
// the members of params as they were read, with the server's own name in place.
// It reports false if the request has ended.
func (c *call) bind(t *target, params, meta []jsonrpc.Member) bool {
	meta = c.s.withLevel(meta, c.modern)
	k := c.keptFor(t, params, meta)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.outfit(t, params, meta, k)
	return c.s.calls.has(c)
}

// outfit is the part of bind that makes the work. What of the request is kept is
// known. The caller holds the session's mu, or nobody else knows the call yet.
func (c *call) outfit(t *target, params, meta []jsonrpc.Member, k *kept) {
	switch {
	case k != nil:
		params, meta = k.params, k.meta
	case t.value != nil:
		params = t.sent(params)
		c.op.replace(params, t.value)
	}
	c.server, c.name, c.kept, c.cancel, c.errand = t.server, t.name, k, nil, nil
	c.s.tell(&c.told, t)
	params, meta = c.told.passTrace(params, meta)
	if k != nil {
		k.params, k.meta = params, meta
	}
	c.first.Method, c.first.Params, c.first.Meta, c.first.Sink = c.op.method, params, meta, c
	c.first.Name, c.first.Progress, c.first.Timeout = t.name, c.token != nil, c.op.timeout
	if c.modern {
		c.first.Resumes = resumes(params)
	} else {
		c.first.Capabilities = c.s.declared.Load().modern
	}
	if t.tool != nil {
		c.first.Definition = t.tool.Item.Raw()
	}
	c.work = &c.first
}

// resumes reports whether params go on with a request that a server has answered
// with a question.
func resumes(params []jsonrpc.Member) bool {
	for i := range params {
		if key := string(params[i].Key); key == "inputResponses" || key == "requestState" {
			return true
		}
	}
	return false
}

// start gives the work to the server, once that logs what the host wants.
func (c *call) start(b *jsonrpc.Batch) {
	if c.level != noLevel && c.kept != nil && c.server.logFor(c.level, func() { c.server.up.Do(nil, &c.first) }) {
		return
	}
	c.server.up.Do(b, &c.first)
}

// answer writes the outcome of a call for the host. It is out of the table.
func (c *call) answer(b *jsonrpc.Batch, a upstream.Answer) {
	c.log(a)
	a = c.screened(a)
	switch {
	case a.Err != nil:
		c.fail(b, a.Err)
	case a.Message.Kind == jsonrpc.Failure:
		c.passError(b, a)
	default:
		c.passResult(b, a)
	}
}

// pass writes the upstream's message with the host's id, and with edits that lie
// within payload, a member of it. All other bytes stay as they are.
func (c *call) pass(b *jsonrpc.Batch, m *jsonrpc.Message, payload []byte, edits []jsonrpc.Edit) {
	c.recordAnswer(b, m)
	before, after := jsonrpc.Cut(m.Raw, m.ID)
	if len(edits) == 0 {
		c.s.writeLent(b, c.lent(m), before, c.id, after)
		return
	}
	id := jsonrpc.Edit{At: m.ID, With: c.id}
	if beforePayload, _ := jsonrpc.Cut(m.Raw, payload); len(before) < len(beforePayload) {
		edits = slices.Insert(edits, 0, id)
	} else {
		edits = append(edits, id)
	}
	c.s.writeLent(b, c.lent(m), pieces(m.Raw, edits)...)
}

// lent is the loan of a message that is read no more once it is written: the outcome
// of a call that nothing else can come of. Of others parts may be kept.
func (c *call) lent(m *jsonrpc.Message) *jsonrpc.Loan {
	if !c.op.isWork() || c.kept != nil || c.approved != nil || c.lasts {
		return nil
	}
	return m.Loan
}

// pieces is jsonrpc.Splice without the copy.
func pieces(raw []byte, edits []jsonrpc.Edit) [][]byte {
	out := make([][]byte, 0, 2*len(edits)+1)
	for _, e := range edits {
		before, after := jsonrpc.Cut(raw, e.At)
		out = append(out, before, e.With)
		raw = after
	}
	return append(out, raw)
}

// log tells of a call that has ended, where anybody wants to know.
func (c *call) log(a upstream.Answer) {
	line := c.s.a.log.Debug()
	if line == nil {
		return // what follows costs something
	}
	outcome := "ok"
	switch {
	case a.Err != nil:
		outcome = "failed"
	case a.Message.Kind == jsonrpc.Failure:
		outcome = "error"
	}
	line.Err(a.Err).Str("upstream", c.server.Name).Str(c.op.kind, c.name).
		Dur("took", time.Since(c.told.begun)).Str("outcome", outcome).Msg(c.op.method)
}
