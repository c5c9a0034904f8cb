package aggregator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is calls of weir's own tools. They stand on the server "weir", which
// no default and no glob of a policy covers: only a rule that names it.

// A deed is what a call of one of weir's own tools comes to.
type deed struct {
	// run does it, and says what is to be told. An error is a *ChangeError, or one
	// that hosts are told nothing of.
	run func(ctx context.Context, s *session) (string, error)

	// why is what a person must be told, who is always asked; nil if nobody is.
	why func(v *view) string

	// prepare finds out what is to be done, where that is not in the arguments
	// alone; nil if it is. The deed it returns has none.
	prepare func(s *session) (deed, error)

	// shown is the raw arguments as a person is to see them; nil for those of the
	// call. A yes is to exactly that.
	shown []byte

	quick bool // it waits for nothing

	// drive is run for a deed that has to do with its request: it may have the host
	// asked. nil where there is run.
	drive func(ctx context.Context, c *call) (string, error)

	// look is drive for what is told in more than a text.
	look func(ctx context.Context, c *call) (said, error)
}

// said is what a deed has to tell.
type said struct {
	text       string
	structured []byte // an object, raw; nil for none
}

// listedOwn are weir's own tools that are in the list.
func (v *view) listedOwn() []*ownTool {
	var listed []*ownTool
	for _, t := range ownTools {
		if v.judgeOwn(t, policy.Request{Listing: true}).Listed() {
			listed = append(listed, t)
		}
	}
	return listed
}

// judgeOwn is the policy's word on one of weir's own tools; r says how it is asked
// for. Without any rule weir__servers may be used while no server is configured,
// for somebody must say what to do, weir__login while a server that is there
// for the principal wants a login, and the tools that find others where those may
// not be in the list. A tool that nobody has made possible is not there; and what
// finds others is in no list that is whole.
func (v *view) judgeOwn(t *ownTool, r policy.Request) policy.Verdict {
	if !v.able[t.able] || r.Listing && t.able == searching && !v.tools.searched {
		return policy.Verdict{}
	}
	return v.ruleOwn(t, r)
}

// ruleOwn is judgeOwn for a tool that is possible.
func (v *view) ruleOwn(t *ownTool, r policy.Request) policy.Verdict {
	r.Server, r.Kind, r.Name = policy.Own, policy.Tool, t.short
	verdict := v.decide(r)
	unruled := t.short == serversTool && len(v.servers) == 0 && verdict.Rule == "" || (t.short == loginTool || t.able == searching) && verdict.Silent()
	if unruled {
		return policy.Verdict{Level: policy.Execute}
	}
	return verdict
}

// callOwnTool answers a call of one of weir's own tools. It reports false for any
// other name, and where the tool does not exist for the principal.
func (s *session) callOwnTool(r *request, name string) bool {
	short, ok := strings.CutPrefix(name, namespace.Reserved)
	t := ownToolOf(short)
	if !ok || t == nil {
		return false
	}
	arguments := jsonrpc.Find(r.params, "arguments")
	v := s.view()
	verdict := v.judgeOwn(t, policy.Request{Arguments: arguments})
	if !verdict.Listed() {
		return false
	}
	s.tellOwn(&r.told, t, &verdict, arguments)
	if refused := s.a.refuseOwn(t, verdict, r.modern); refused != nil {
		s.refuseOwnCall(r, refused, audit.Denied)
		return true
	}
	args := readOwnArguments(arguments)
	d := t.deed(args)
	if problems := args.wrong(); problems != "" {
		s.refuseOwnCall(r, s.a.ownFailure(t, upstream.KindValidation, problems, r.modern), audit.Refused)
		return true
	}
	if d.prepare != nil {
		var err error
		if d, err = d.prepare(s); err != nil {
			result, outcome := s.a.ownAnswer(t, said{}, err, r.modern)
			s.refuseOwnCall(r, &refusal{result: result}, outcome)
			return true
		}
	}
	switch {
	case d.why != nil || verdict.Ask:
		s.askForOwn(r, t, d, v, verdict, arguments)
	case d.quick:
		text, err := d.run(s.ctx, s)
		result, outcome := s.a.ownAnswer(t, said{text: text}, err, r.modern)
		s.recordOwn(&r.told, outcome, len(result))
		s.reply(&s.batch, r.id, result)
	default:
		k := s.keptUnsent(toolCall, r.params, r.modern)
		s.later(r, toolCall, func(ctx context.Context, c *call) {
			c.keepUnsent(t.short, k)
			c.doOwn(ctx, t, d)
		})
	}
	return true
}

// refuseOwnCall answers a call of one of weir's own tools that comes to nothing.
func (s *session) refuseOwnCall(r *request, refused *refusal, outcome string) {
	s.recordOwn(&r.told, outcome, len(refused.result))
	s.refuseWith(&s.batch, r.id, refused)
}

// refuseOwn refuses a tool that may be seen but not called; nil if it may be.
func (a *Aggregator) refuseOwn(t *ownTool, verdict policy.Verdict, modern bool) *refusal {
	if verdict.Level >= t.needs {
		return nil
	}
	text := fmt.Sprintf("Tool %q may be seen but not called: it needs the level %s on the server %q, and %s. "+
		"Only the user can change that, in weir's configuration.", t.name(), t.needs, policy.Own, verdict.Reason)
	data := errorData(upstream.KindAuthorization, &upstream.Fault{Server: policy.Own}, t.short)
	return &refusal{result: a.toolError(text, data, modern)}
}

func (a *Aggregator) ownFailure(t *ownTool, kind upstream.Kind, text string, modern bool) *refusal {
	data := errorData(kind, &upstream.Fault{Server: policy.Own}, t.short)
	return &refusal{result: a.toolError(text, data, modern)}
}

// askForOwn does a deed once a person has approved it.
func (s *session) askForOwn(r *request, t *ownTool, d deed, v *view, verdict policy.Verdict, arguments []byte) {
	why := whyOwn(v, d, verdict)
	subject := approval.Subject{Server: policy.Own, Kind: policy.Tool, Name: t.short, Arguments: arguments, Why: why}
	if d.shown != nil {
		subject.Arguments = d.shown
	}
	asked, refused := s.newApproval(toolCall, subject, r.modern)
	if refused != nil {
		s.refuseOwnCall(r, refused, audit.Refused)
		return
	}
	params := cloneMembers(r.params)
	s.whenApproved(r, toolCall, &errand{asked: asked, params: params, run: func(_ *jsonrpc.Batch, c *call) {
		now := s.view()
		arguments := jsonrpc.Find(params, "arguments")
		verdict := now.judgeOwn(t, policy.Request{Arguments: arguments})
		s.mu.Lock()
		s.tellOwn(&c.told, t, &verdict, arguments)
		s.mu.Unlock()
		switch {
		case !verdict.Listed():
			c.refuse(nil, unknownTool(t.name()))
		case verdict.Level < t.needs:
			c.refuse(nil, s.a.refuseOwn(t, verdict, c.modern))
		case whyOwn(now, d, verdict) != why:
			c.refuse(nil, s.a.ownFailure(t, upstream.KindApproval,
				"The policy has changed while this waited for the user's approval. Nothing was done; make the call again.", c.modern))
		default:
			c.keepUnsent(t.short, s.keptUnsent(toolCall, params, c.modern))
			ctx, cancel := c.whileWanted()
			defer cancel()
			c.doOwn(ctx, t, d)
		}
	}})
}

// whileWanted returns a context that ends with the request, as cancel is called or
// the session ends.
func (c *call) whileWanted() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.s.ctx)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.cancel = cancel
	if !c.s.calls.has(c) {
		cancel()
	}
	return ctx, cancel
}

// whyOwn is what a person is told of why they are asked.
func whyOwn(v *view, d deed, verdict policy.Verdict) string {
	var reasons []string
	if d.why != nil {
		reasons = append(reasons, d.why(v))
	}
	if verdict.Ask {
		reasons = append(reasons, askedBy(verdict))
	}
	return strings.Join(reasons, "; ")
}

// doOwn does a deed and answers the request, unless that has ended.
func (c *call) doOwn(ctx context.Context, t *ownTool, d deed) {
	what, err := d.carryOut(ctx, c)
	if !c.end() {
		return
	}
	result, outcome := c.s.a.ownAnswer(t, what, err, c.modern)
	c.record(outcome, len(result), "", false)
	c.s.reply(nil, c.id, result)
}

func (d *deed) carryOut(ctx context.Context, c *call) (said, error) {
	if d.look != nil {
		return d.look(ctx, c)
	}
	run := func(ctx context.Context, c *call) (string, error) { return d.run(ctx, c.s) }
	if d.drive != nil {
		run = d.drive
	}
	text, err := run(ctx, c)
	return said{text: text}, err
}

// ownAnswer is the result that tells what came of a deed, and what that is for the
// audit log.
func (a *Aggregator) ownAnswer(t *ownTool, what said, err error, modern bool) (result []byte, outcome string) {
	if err == nil {
		return a.saidResult(what, modern), audit.OK
	}
	failed, ok := errors.AsType[*ChangeError](err)
	if !ok {
		a.log.Warn().Err(err).Str("tool", t.name()).Msg("calling")
		failed = &ChangeError{Kind: upstream.KindToolExecution, Text: "It could not be done; weir's log says why."}
	}
	return a.ownFailure(t, failed.Kind, failed.Text, modern).result, audit.Error
}

// saidResult is a result of one text, and of what is structured.
func (a *Aggregator) saidResult(what said, modern bool) []byte {
	out := encoded(mcp.NewToolResultText(what.text))
	out = out[:len(out)-1]
	if what.structured != nil {
		out = append(append(out, `,"structuredContent":`...), what.structured...)
	}
	if modern {
		out = a.appendServerMeta(append(out, `,"resultType":"complete",`...))
	}
	return append(out, '}')
}

// untilNextTry tells of a server that is let alone for a while when that ends.
func untilNextTry(s upstream.Status) string {
	wait := max(time.Until(s.Retry), 0).Round(time.Second)
	if s.IsOpen() {
		return fmt.Sprintf("%d failures in a row, the next try may be in %v", s.Failures, wait)
	}
	return fmt.Sprintf("the next try may be in %v", wait)
}

// describeServers tells the state of every server in words.
func (a *Aggregator) describeServers() string {
	var b strings.Builder
	if notice := a.world.Load().notice; notice != "" {
		b.WriteString(notice + "\n")
	}
	if problem := a.problem.Load(); problem != nil {
		b.WriteString(*problem + "\n")
	}
	w := a.world.Load()
	busy := a.busy()
	for _, s := range a.Status() {
		fmt.Fprintf(&b, "%s: %s for %v, %d tools", s.Name, s.State, time.Since(s.Since).Round(time.Second), s.Tools)
		if s.Prompts > 0 {
			fmt.Fprintf(&b, ", %d prompts", s.Prompts)
		}
		if s.Resources > 0 {
			fmt.Fprintf(&b, ", %d resources", s.Resources)
		}
		if s.Facts.Version != "" {
			fmt.Fprintf(&b, ", protocol %s", s.Facts.Version)
		}
		if !catalog.Undated(s.Fetched) {
			fmt.Fprintf(&b, ", listed %v ago", time.Since(s.Fetched).Round(time.Second))
		}
		if known := w.byName[s.Name]; known != nil {
			f := known.figures(busy[known.tally])
			b.WriteString(f.words())
		}
		if s.Changed > 0 && s.Withheld {
			fmt.Fprintf(&b, ", %d definitions held back as they have changed (`weir pins diff` in a terminal shows how)", s.Changed)
		}
		if s.Reason != nil {
			fmt.Fprintf(&b, ": %s", publicReason(s.Reason))
		}
		if s.State == upstream.Backoff {
			fmt.Fprintf(&b, " (%s)", untilNextTry(s.Status))
		}
		if s.State == upstream.NeedsLogin {
			fmt.Fprintf(&b, " (`weir login %s` in a terminal lets the user log in)", s.Name)
		}
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n")
}
