package aggregator

import (
	"context"
	"errors"
	"slices"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is requests that a person must approve before anything is sent. A
// host that can ask its user by a form does so: a legacy one is asked while the
// request waits, a modern one by input_required, as parked.go has it. For others
// the request is refused, and goes through when it comes again and was approved
// at a terminal.

// An errand is what a request comes to once it is approved. It is immutable.
type errand struct {
	asked *approval.Call

	// params are those of the request, in memory of their own: one that goes on
	// with it must be for the same.
	params []jsonrpc.Member

	// run does it. The request is in the table still, and may be ended by others
	// meanwhile.
	run func(b *jsonrpc.Batch, c *call)
}

// kindOf is what of the policy's kinds an operation uses.
var kindOf = map[*operation]policy.Kind{
	toolCall: policy.Tool, promptGet: policy.Prompt, resourceRead: policy.Resource,
}

// forwardApproved forwards what the policy wants a person to approve.
func (s *session) forwardApproved(r *request, op *operation, subject string, t *target) {
	if s.continues(r, op) {
		s.send(r, op, t, op.digestOf(r.params))
		return
	}
	s.tell(&r.told, t)
	asked, refused := s.subjectOf(op, t, r.modern)
	switch {
	case refused != nil:
		s.recordRefused(r.told, op, query{subject: subject, params: r.params}, t, refused)
		s.refuseWith(&s.batch, r.id, refused)
	case s.approvals.Remembers(asked):
		s.send(r, op, t, op.digestOf(r.params))
	default:
		s.whenApproved(r, op, s.errandFor(op, subject, asked, r.params))
	}
}

// send forwards a request that nothing stands in the way of any more. approved is
// what of it a person had to approve; nil otherwise. It is begin, bind and do at
// once: only the last is seen by anybody else.
func (s *session) send(r *request, op *operation, t *target, approved *digest) {
	c := s.newCall(r, op)
	c.approved = approved
	meta := leveled(r.meta, r.modern, s.level) // which the reader alone writes
	c.outfit(t, r.params, meta, c.keptFor(t, r.params, meta))
	if c.mayBeSpent() {
		c.first.Spent = spentCall
	}
	var over error
	s.mu.Lock()
	entered := s.enter(c)
	if entered {
		over = c.takeShare()
	}
	s.mu.Unlock()
	switch {
	case !entered:
		s.refuseMore(r)
	case over != nil:
		c.finish(&s.batch, upstream.Answer{Err: over})
	default:
		c.submit(&s.batch)
	}
}

func (op *operation) digestOf(params []jsonrpc.Member) *digest {
	d := op.digest(params)
	return &d
}

// subjectOf is what a person is asked about a target. What is no use of the item
// cannot be approved, and nothing that nobody could read.
func (s *session) subjectOf(op *operation, t *target, modern bool) (*approval.Call, *refusal) {
	kind, approvable := kindOf[op]
	if !approvable {
		return nil, s.unapproved(op, t, modern, "what the user must approve has no "+op.method, false)
	}
	return s.newApproval(op, approval.Subject{
		Server: t.server.Name, Kind: kind, Name: t.name, Arguments: t.arguments, Definition: t.definition(), Why: askedBy(*t.verdict),
	}, modern)
}

// newApproval completes a subject with who asks.
func (s *session) newApproval(op *operation, subject approval.Subject, modern bool) (*approval.Call, *refusal) {
	subject.Principal, subject.Client = s.view().principal, s.client.Load().Client
	asked, err := approval.NewCall(subject)
	if err == nil {
		return asked, nil
	}
	text := "the user must approve this, but the arguments cannot be shown: they are no JSON of bounded depth"
	if errors.Is(err, approval.ErrTooLarge) {
		text = "the user must approve this, but the arguments are larger than the 1 MiB that can be shown"
	}
	return nil, s.a.unapproved(op, subject.Server, subject.Name, modern, text, false)
}

// askedBy is which rule asks, for people and hosts.
func askedBy(v policy.Verdict) string {
	where := shortPosition(v.AskPos)
	if v.AskReason == "" || where == "" {
		return v.AskReason + where
	}
	return v.AskReason + " (" + where + ")"
}

// definition is the raw item, as far as it is listed.
func (t *target) definition() []byte {
	if t.item == nil {
		return nil
	}
	return t.item.Item.Raw()
}

// errandFor is the forwarding of a request. When it is approved the target is
// found anew: it must be the one that was approved, and still allowed.
func (s *session) errandFor(op *operation, subject string, asked *approval.Call, params []jsonrpc.Member) *errand {
	params = cloneMembers(params)
	return &errand{asked: asked, params: params, run: func(b *jsonrpc.Batch, c *call) {
		t, refused := s.target(op, query{subject: subject, params: params, modern: c.modern})
		if refused == nil {
			var now *approval.Call
			if now, refused = s.subjectOf(op, &t, c.modern); refused == nil && !now.Same(asked) {
				refused = s.unapproved(op, &t, c.modern, "it has changed while it waited for the user's approval", true)
			}
		}
		if refused != nil {
			c.refuse(b, refused)
			return
		}
		meta, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(params, "_meta")) // it was parsed before
		c.approved = op.digestOf(params)
		if c.bind(&t, params, meta) {
			c.do(b)
		}
	}}
}

// whenApproved runs an errand once it is approved. The request can be cancelled
// until then.
func (s *session) whenApproved(r *request, op *operation, e *errand) {
	s.later(r, op, func(ctx context.Context, c *call) { c.seekApproval(ctx, e) })
}

// seekApprovalOf forwards what the policy wants a person to approve and what had
// to wait before.
func (c *call) seekApprovalOf(ctx context.Context, subject string, t *target, params []jsonrpc.Member) {
	c.s.mu.Lock()
	c.s.tell(&c.told, t)
	c.s.mu.Unlock()
	asked, refused := c.s.subjectOf(c.op, t, c.modern)
	if refused != nil {
		c.refuse(nil, refused)
		return
	}
	c.seekApproval(ctx, c.s.errandFor(c.op, subject, asked, params))
}

// seekApproval finds out whether an errand is approved, or asks for it. It runs
// on a goroutine of the request's own.
func (c *call) seekApproval(ctx context.Context, e *errand) {
	s := c.s
	if s.approvals == nil {
		c.unapproved(nil, e, "the user would have to approve this, and nothing can be approved here", false)
		return
	}
	approved, err := s.approvals.Approved(ctx, e.asked)
	form := approvalForm(e.asked)
	switch {
	case ctx.Err() != nil: // the request has ended
	case err != nil:
		s.a.log.Warn().Err(err).Msg("approvals cannot be read")
		c.unapproved(nil, e, "the user must approve this, and the approvals cannot be read: run `weir approve` in a terminal", true)
	case approved:
		e.run(nil, c)
	case form == nil || !c.takesForms(e):
		c.leaveToTerminal(ctx, e)
	case c.modern:
		c.askByResult(e, form)
	default:
		c.askByRequest(ctx, e, form)
	}
}

// takesForms reports whether the host can ask its user by a form.
func (c *call) takesForms(e *errand) bool {
	if !c.modern {
		return c.s.declared.Load().form
	}
	return readDeclared(memberOf(jsonrpc.Find(e.params, "_meta"), upstream.MetaCapabilities)).form
}

// leaveToTerminal refuses the request and lets it wait for "weir approve".
func (c *call) leaveToTerminal(ctx context.Context, e *errand) {
	err := c.s.approvals.Wait(ctx, e.asked)
	switch {
	case err == nil:
		c.unapproved(nil, e, "the user must approve this: run `weir approve` in a terminal, then make the same call again", true)
	case errors.Is(err, approval.ErrFull):
		c.unapproved(nil, e, "the user must approve this, but too much waits for approval already: run `weir approve` in a terminal", true)
	case ctx.Err() == nil:
		c.s.a.log.Warn().Err(err).Msg("approvals cannot be written")
		c.unapproved(nil, e, "the user must approve this, but nothing can wait for approval here", false)
	}
}

// askByRequest asks a legacy host's user while the request waits.
func (c *call) askByRequest(ctx context.Context, e *errand, form []byte) {
	ctx, cancel := context.WithTimeout(ctx, approval.WaitTime)
	defer cancel()
	wait, err := c.s.ask("elicitation/create", func(uint64) []byte { return form })
	if err != nil {
		c.unapproved(nil, e, "the user must approve this, and has too many questions to answer already", true)
		return
	}
	answer, err := wait(ctx)
	if err != nil {
		c.unapproved(nil, e, "the user has not answered whether this may be done", true)
		return
	}
	c.decided(ctx, e, answer.result)
}

// askByResult asks a modern host's user: the request is answered with the
// question, and the next one takes it over.
func (c *call) askByResult(e *errand, form []byte) {
	c.s.mu.Lock()
	c.errand, c.name = e, e.asked.Name
	c.kept = &kept{digest: c.op.digest(e.params)}
	c.s.mu.Unlock()
	if c.enlistConsent([]*openQuestion{{method: "elicitation/create", params: form}}) {
		c.park(nil)
	}
}

// answeredForm goes on with what a modern host's user has answered. The reader
// does not wait for the file of approvals.
func (c *call) answeredForm(e *errand, answer []byte) {
	s := c.s
	answer = slices.Clone(answer)
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	c.cancel = cancel
	ended := !s.calls.has(c)
	s.mu.Unlock()
	if ended {
		cancel()
		return
	}
	s.behind.Go(func() {
		defer cancel()
		c.decided(ctx, e, answer)
	})
}

// decided goes on with what the host's user has answered: raw, nil for an error.
func (c *call) decided(ctx context.Context, e *errand, answer []byte) {
	scope, refusal := chosenScope(e.asked, answer)
	if scope == "" {
		c.unapproved(nil, e, refusal, false)
		return
	}
	c.s.a.log.Info().Str("upstream", e.asked.Server).Str(e.asked.Kind, e.asked.Name).Str("scope", string(scope)).Msg("approved by the user")
	if err := c.s.approvals.Grant(ctx, e.asked, scope); err != nil && ctx.Err() == nil {
		c.s.a.log.Warn().Err(err).Msg("approval is not remembered")
	}
	e.run(nil, c)
}

// refuse ends the request with a refusal, unless it has ended.
func (c *call) refuse(b *jsonrpc.Batch, r *refusal) {
	if c.end() {
		c.recordRefusal(r)
		c.s.refuseWith(b, c.id, r)
	}
}

func (c *call) unapproved(b *jsonrpc.Batch, e *errand, why string, retryable bool) {
	if why := e.asked.Why(); why != "" {
		c.s.a.log.Info().Str("upstream", e.asked.Server).Str(e.asked.Kind, e.asked.Name).Str("rule", why).Msg("not approved")
	}
	c.refuse(b, c.s.a.unapproved(c.op, e.asked.Server, e.asked.Name, c.modern, withRule(why, e.asked.Why()), retryable))
}

func (s *session) unapproved(op *operation, t *target, modern bool, why string, retryable bool) *refusal {
	return s.a.unapproved(op, t.server.Name, t.name, modern, withRule(why, askedBy(*t.verdict)), retryable)
}

func withRule(why, rule string) string {
	if rule == "" {
		return why
	}
	return why + ". The reason: " + rule
}

// serverName is whose work the call is: weir's own before any server's.
func (c *call) serverName() string {
	switch {
	case c.server != nil:
		return c.server.Name
	case c.errand != nil:
		return c.errand.asked.Server
	}
	return policy.Own
}
