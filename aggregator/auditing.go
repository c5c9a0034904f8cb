package aggregator

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is what the audit log is told: one record for each request of the
// host, by whoever ends it, and one for each question that a server asks the
// host. What only keeps a conversation going has none where it goes well:
// initialize, server/discover, ping and logging/setLevel.

// An account is what is remembered of a request for the record of its end. The
// zero account is that of one that nobody will ask for.
type account struct {
	begun  time.Time
	ended  time.Time // zero: when it is recorded
	size   int       // bytes
	from   *server   // that it is for; nil for none, and while none is found
	server string    // its name, or that of weir's own tools; "" while none is found
	name   string    // what the server calls it; what the host has written while there is none
	judged judged
	span   *traced // nil unless the request is traced
	args   []byte  // raw, a copy; nil unless arguments are recorded
}

// judged is what a record tells of a verdict.
type judged struct {
	level policy.Level
	asked bool // there was a verdict
	ask   bool // it demands an approval
	rule  string
	pos   policy.Position
}

// judgedAs is what a record tells of a verdict; nil is none.
func judgedAs(v *policy.Verdict) judged {
	if v == nil {
		return judged{}
	}
	j := judged{level: v.Level, asked: v.Reason != "" || v.Level != policy.Deny, rule: v.Rule, pos: v.Pos}
	switch {
	case v.Ask && v.Level > policy.Deny:
		j.ask, j.rule, j.pos = true, v.AskReason, v.AskPos
	case j.rule == "":
		j.rule = v.Reason
	}
	return j
}

// openAccount returns the account of a request that has just come.
func (s *session) openAccount(m *jsonrpc.Message) account {
	return account{begun: s.batch.Now(), size: len(m.Raw)}
}

// duration is how long the request has taken.
func (t *account) duration() time.Duration {
	if t.ended.IsZero() {
		return time.Since(t.begun)
	}
	return t.ended.Sub(t.begun)
}

// tell notes what a request is for, the verdict on that, and the arguments if they
// are recorded.
func (s *session) tell(told *account, t *target) {
	told.from, told.server, told.name, told.judged = t.server, t.server.Name, t.name, judgedAs(t.verdict)
	if s.a.world.Load().audit.TakesArguments() {
		told.args = bytes.Clone(t.arguments)
	}
}

// record counts and writes a record that has all but what the session and the
// account know.
func (s *session) record(told *account, r *audit.Record) {
	r.Time, r.Duration, r.RequestBytes = told.begun, told.duration(), told.size
	s.a.tallyOf(told.from).count(r)
	s.recordSpans(told, r)
	w := s.a.world.Load()
	if w.audit == nil {
		return
	}
	r.Principal, r.Host = w.who, s.client.Load().label
	if told.judged.asked {
		r.Verdict = told.judged.level.String()
		if told.judged.ask {
			r.Verdict = "ask"
		}
		r.Rule, r.RuleFile, r.RuleLine = told.judged.rule, told.judged.pos.File, told.judged.pos.Line
	}
	r.Arguments = told.args
	w.audit.Write(r)
}

// record writes what became of a call that is out of the table.
func (c *call) record(outcome string, size int, failure upstream.Kind, mayHaveRun bool) {
	kind := auditKind(c.op.method)
	if kind == "" {
		return
	}
	c.s.record(&c.told, &audit.Record{
		Server: c.told.server, Kind: kind, Method: c.op.method, Name: c.told.name,
		Outcome: outcome, ResponseBytes: size, Failure: string(failure), MaybeRan: mayHaveRun,
	})
}

// recordRefusal writes that weir has refused a call which had to wait: for an
// approval, mostly.
func (c *call) recordRefusal(refused *refusal) {
	outcome := audit.Refused
	if j := &c.told.judged; j.asked && j.level < leastFor(c.op) {
		outcome = audit.Denied
	}
	c.record(outcome, len(refused.result), "", false)
}

// recordAnswer writes how the server has answered.
func (c *call) recordAnswer(b *jsonrpc.Batch, m *jsonrpc.Message) {
	c.told.ended = b.Now()
	outcome := audit.OK
	switch {
	case m.Kind == jsonrpc.Failure, c.op == toolCall && string(jsonrpc.Find(m.Fields, "isError")) == "true":
		outcome = audit.Error
	case !complete(m.Fields) && string(jsonrpc.Find(m.Fields, "resultType")) == `"input_required"`:
		outcome = audit.Asked
		c.recordInputs(m.Fields)
	}
	c.record(outcome, len(m.Raw), "", false)
}

// recordFailure writes that there was no answer.
func (c *call) recordFailure(err error) {
	kind, mayHaveRun := upstream.KindToolExecution, true
	if f, ok := errors.AsType[upstream.Failure](err); ok {
		kind, mayHaveRun = f.Kind(), f.Detail().MaybeExecuted
	}
	c.s.a.tallyOf(c.told.from).noteFailure(kind, err)
	c.record(audit.Failed, 0, kind, mayHaveRun)
}

// recordAsked writes that the host was asked instead of answered. told is that
// of the request which has had this for its answer: the next one may have come.
func (c *call) recordAsked(told *account, size int) {
	alone := told.withoutPart()
	c.s.record(&alone, &audit.Record{
		Server: told.server, Kind: auditKind(c.op.method), Method: c.op.method, Name: told.name,
		Outcome: audit.Asked, ResponseBytes: size,
	})
}

// recordCancelled writes that the host does not wait for the answer any more. A
// call that is parked has no request: that was answered by a question.
func (c *call) recordCancelled() {
	kind := auditKind(c.op.method)
	if kind == "" {
		return
	}
	c.s.mu.Lock()
	told, works, parked := c.told, c.work != nil, c.waiting != nil && c.waiting.parked
	c.s.mu.Unlock()
	if !parked {
		c.s.record(&told, &audit.Record{
			Server: told.server, Kind: kind, Method: c.op.method, Name: told.name, Outcome: audit.Cancelled, MaybeRan: works,
		})
	}
}

// recordRefused writes of a request that goes to no server, and why: what the
// policy hides is told from what nobody has here, as it is nowhere else. refused
// is nil for one that would need an approval.
func (s *session) recordRefused(told account, op *operation, q query, t *target, refused *refusal) {
	r := audit.Record{
		Kind: auditKind(op.method), Method: op.method, Name: clip(q.subject), Outcome: audit.Refused,
	}
	if refused != nil {
		r.ResponseBytes = len(refused.result)
	}
	verdict := t.verdict
	if t.server != nil {
		told.from, r.Server, r.Name = t.server, t.server.Name, t.name
	} else if refused != nil && refused.unknown {
		r.Outcome = audit.Unknown
		if server, name, hidden := s.view().hides(op, q); hidden != nil {
			r.Server, r.Name, verdict = server, name, hidden
			told.from = s.a.world.Load().byName[server]
		}
	}
	told.judged = judgedAs(verdict)
	if least := leastFor(op); told.judged.asked && told.judged.level < least {
		r.Outcome = audit.Denied
	}
	if s.a.world.Load().audit.TakesArguments() {
		told.args = jsonrpc.Find(q.params, "arguments")
	}
	s.record(&told, &r)
}

func leastFor(op *operation) policy.Level {
	if op == toolCall {
		return policy.Execute
	}
	return policy.Read
}

// hides finds what a query would mean if all were permitted, with the verdict
// that keeps it from the host; nil if nobody has it.
func (v *view) hides(op *operation, q query) (server, name string, verdict *policy.Verdict) {
	kind := catalog.Tools
	switch op.kind {
	case "prompt":
		kind = catalog.Prompts
	case "resource":
		kind = catalog.Resources
	}
	if short, isOwn := strings.CutPrefix(q.subject, namespace.Reserved); isOwn && kind == catalog.Tools && ownToolOf(short) != nil {
		denied := v.judgeOwn(ownToolOf(short), policy.Request{Arguments: jsonrpc.Find(q.params, "arguments")})
		return policy.Own, short, &denied
	}
	route, e := v.meant(Use{Kind: kind, Name: q.subject})
	switch {
	case route != nil:
		denied := v.judge(route, jsonrpc.Find(q.params, "arguments"))
		return e.Server, e.Name, &denied
	case kind != catalog.Resources:
		return "", "", nil
	}
	for _, server := range v.snapshot.Sharers() {
		if denied := v.judgeURI(server, q.subject); !denied.Listed() {
			return server, q.subject, &denied
		}
	}
	return "", "", nil
}

// recordList writes that a list was told.
func (s *session) recordList(told *account, method string, count, size int) {
	s.record(told, &audit.Record{
		Kind: audit.KindList, Method: method, Name: told.name, Count: count, Outcome: audit.OK, ResponseBytes: size,
	})
}

// tellOwn is tell for one of weir's own tools.
func (s *session) tellOwn(told *account, t *ownTool, verdict *policy.Verdict, arguments []byte) {
	told.server, told.name, told.judged = policy.Own, t.short, judgedAs(verdict)
	if s.a.world.Load().audit.TakesArguments() {
		told.args = bytes.Clone(arguments)
	}
}

// recordOwn writes what became at once of a call of one of weir's own tools.
func (s *session) recordOwn(told *account, outcome string, size int) {
	s.record(told, &audit.Record{
		Server: policy.Own, Kind: audit.KindTool, Method: toolCall.method, Name: told.name, Outcome: outcome, ResponseBytes: size,
	})
}

// recordListener writes what a modern host has subscribed to. That is in force
// from now until the host or the session ends it.
func (s *session) recordListener(l *listener, outcome string) {
	s.record(&l.told, &audit.Record{
		Kind: audit.KindSubscription, Method: listening.method, Name: clip(string(jsonrpc.AppendObject(nil, l.honoured))),
		Outcome: outcome,
	})
}

// listeningTo is subscriptions/listen for one thing that is named: what of those
// is refused has a record of its own.
func listeningTo(task bool) *operation {
	if task {
		return &operation{method: listening.method, kind: "task"}
	}
	return &operation{method: listening.method, kind: "resource"}
}

// recordUnsubscribed writes that a legacy host has lost its interest, and another
// has not: then no server is told.
func (s *session) recordUnsubscribed(r *request, t *target) {
	s.record(&r.told, &audit.Record{
		Server: t.server.Name, Kind: audit.KindSubscription, Method: resourceUnsubscribe.method, Name: t.name, Outcome: audit.OK,
	})
}

// recordTurnedDown writes that a request of any method was refused before
// anything was sought for it.
func (s *session) recordTurnedDown(r *request) {
	method := clip(string(r.method))
	kind := auditKind(method)
	if kind == "" {
		kind = audit.KindMessage
	}
	s.record(&r.told, &audit.Record{Kind: kind, Method: method, Name: clip(r.told.name), Outcome: audit.Refused})
}

// recordUnreadable writes that the host has sent what is no request; size is 0
// where it is not known.
func (s *session) recordUnreadable(size int) {
	told := account{begun: time.Now(), size: size}
	s.record(&told, &audit.Record{Kind: audit.KindMessage, Outcome: audit.Refused})
}

// auditKind is what requests of a method are about; "" for those that keep the
// conversation going.
func auditKind(method string) string {
	switch method {
	case "tools/call":
		return audit.KindTool
	case "prompts/get":
		return audit.KindPrompt
	case "resources/read":
		return audit.KindResource
	case "completion/complete":
		return audit.KindCompletion
	case "tasks/get", "tasks/result", "tasks/cancel", "tasks/update":
		return audit.KindTask
	case "resources/subscribe", "resources/unsubscribe", "subscriptions/listen":
		return audit.KindSubscription
	case "tools/list", "prompts/list", "resources/list", "resources/templates/list", "tasks/list":
		return audit.KindList
	}
	return ""
}

// A heard is a question that a server asks the host, until it is settled.
type heard struct {
	s      *session
	asker  *server
	method string
	told   account
}

// hearOf begins the record of a question.
func (s *session) hearOf(asker *server, method string, size int) *heard {
	if questionKind(method) == "" {
		return nil
	}
	return &heard{s: s, asker: asker, method: method, told: account{begun: time.Now(), size: size, from: asker}}
}

// settled ends it. A nil heard is none.
func (h *heard) settled(outcome string, size int) {
	if h == nil {
		return
	}
	h.s.record(&h.told, &audit.Record{
		Server: h.asker.Name, Kind: questionKind(h.method), Method: h.method, Outcome: outcome, ResponseBytes: size,
	})
}

// answered ends it with the host's answer.
func (h *heard) answered(m *jsonrpc.Message) {
	if m.Kind == jsonrpc.Failure {
		h.settled(audit.Error, len(m.Raw))
		return
	}
	h.settled(audit.OK, len(m.Raw))
}

// waited ends it with the end of a wait for the host's answer.
func (h *heard) waited(answer hostAnswer, err error) {
	switch {
	case err != nil:
		h.settled(audit.Cancelled, 0)
	case answer.failed != nil:
		h.settled(audit.Error, len(answer.failed))
	default:
		h.settled(audit.OK, len(answer.result))
	}
}

// recordInputs writes the questions that a modern server asks a modern host: who
// answers them to whom weir does not learn.
func (c *call) recordInputs(fields []jsonrpc.Member) {
	requests, _ := inputRequests(fields) // what cannot be read asks nothing
	for _, r := range requests {
		c.s.hearOf(c.server, r.method, len(r.raw)).settled(audit.Asked, 0)
	}
}

func questionKind(method string) string {
	switch method {
	case "sampling/createMessage":
		return audit.KindSampling
	case "elicitation/create":
		return audit.KindElicitation
	case "roots/list":
		return audit.KindRoots
	}
	return ""
}

// whoIs names a principal: by the key, else by the profile.
func whoIs(p policy.Principal) string {
	switch {
	case p.Key != "":
		return p.Key
	case p.Profile != "":
		return "profile " + p.Profile
	}
	return ""
}

// count is how many items a list has in a shape.
func (l *viewedList) count(in shape) int {
	n := len(l.routes)
	if l.hidden && !in.apps {
		n -= len(slices.DeleteFunc(slices.Clone(l.routes), func(r *catalog.Route) bool { return !r.AppOnly() }))
	}
	return n + len(l.own)
}
