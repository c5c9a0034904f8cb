package policy

// Decide judges one request: the gate first; then a matching rule that denies,
// wherever it stands; then the first rule that matches; then the default. It
// allocates nothing where no condition is to be evaluated.
func (p *Policy) Decide(r Request) Verdict {
	if p == nil {
		return Verdict{Reason: "there is no policy"}
	}
	s := p.about(r.Server)
	if s.gate != nil {
		return *s.gate
	}
	fallback := &p.fallback
	if r.Server == Own {
		fallback = &p.own
	}
	if s.rest == nil && s.byName == nil && s.byHead == nil {
		return *fallback
	}
	d := decision{request: r, tags: s.tags, trust: s.trust, listing: r.Listing || r.Kind == AnyKind}
	matching := s.matching(&r)
	for rule := matching.next(); rule != nil && !d.closed; rule = matching.next() {
		d.consider(rule)
	}
	return d.verdict(fallback)
}

// A decision is what the rules so far come to.
type decision struct {
	request Request
	listing bool
	tags    []string // of the server
	trust   bool     // of the server
	facts   *facts   // once a condition is evaluated

	deny   finding // the first rule that denies
	level  finding // the first rule that gives a level
	ask    finding // the first rule that asks
	failed finding // the first rule that would have given one, but for its fault

	best    Level // the most that the rules so far could give to any arguments
	settled bool  // the rules to come cannot give more: one decides for all arguments
	closed  bool  // one denies all arguments
}

// A finding is a rule that matters, and what went wrong with its condition.
type finding struct {
	rule  *rule
	fault fault
}

func (f *finding) set(r *rule, problem fault) {
	if f.rule == nil {
		*f = finding{r, problem}
	}
}

// consider takes the next rule that matches but for its condition.
func (d *decision) consider(r *rule) {
	denies := r.levels && r.verdict.Level == Deny
	grants := r.levels && !denies && !d.settled && d.mayGrant(r)
	open := d.hangsOnArguments(r)
	if grants && open {
		d.best = max(d.best, r.verdict.Level)
	}
	if !d.matters(r, denies, grants, open) {
		return
	}
	holds, problem := d.evaluate(r)
	closes := holds || problem != (fault{})
	if denies && closes {
		d.deny.set(r, problem)
		d.closed = d.closed || !open
	}
	if r.asks && closes {
		d.ask.set(r, problem)
	}
	switch {
	case grants && holds:
		d.level.set(r, fault{})
		d.settled = !open
	case grants && closes:
		d.failed.set(r, problem)
	}
	if d.settled && grants {
		d.best = max(d.best, r.verdict.Level)
	}
}

// mayGrant: what a server says of its tools is heard where it closes, and where
// it opens only if the server is trusted.
func (d *decision) mayGrant(r *rule) bool {
	return r.when == nil || !r.when.claims || d.trust
}

// hangsOnArguments reports whether a rule could match with some arguments and
// not with others.
func (d *decision) hangsOnArguments(r *rule) bool {
	return r.when != nil && r.when.arguments && d.request.Kind != Resource
}

// matters reports whether a rule can change the verdict: conditions are not
// evaluated for nothing, and those that look at arguments not where there are
// none.
func (d *decision) matters(r *rule, denies, grants, open bool) bool {
	switch {
	case r.when == nil:
		return true
	case d.listing && open:
		return false
	case denies:
		return !open || d.deny.rule == nil
	case r.asks && d.ask.rule == nil && d.deny.rule == nil && !d.listing:
		return true
	default:
		return grants && (!open || d.level.rule == nil)
	}
}

// evaluate reports whether a rule's condition holds.
func (d *decision) evaluate(r *rule) (bool, fault) {
	if r.when == nil {
		return true, fault{}
	}
	if d.facts == nil {
		d.facts = &facts{request: d.request, tags: d.tags}
	}
	return d.facts.holds(r.when)
}

func (d *decision) verdict(fallback *Verdict) Verdict {
	v := *fallback
	decided := d.level
	if d.deny.rule != nil {
		decided = d.deny
	}
	if decided.rule != nil {
		v = decided.rule.verdict
		v.blame(&v.Reason, decided.fault)
	}
	if !d.settled {
		d.best = max(d.best, fallback.Level)
	}
	v.Best = d.best
	if d.closed {
		v.Best = Deny
	}
	if f := d.failed; f.rule != nil && d.deny.rule == nil && v.Level < f.rule.verdict.Level {
		v.Reason += "; " + f.rule.verdict.Reason
		v.blame(&v.Reason, f.fault)
	}
	if d.ask.rule != nil && v.Level > Deny && !d.listing {
		v.Ask, v.AskReason, v.AskPos = true, d.ask.rule.asking, d.ask.rule.pos
		v.blame(&v.AskReason, d.ask.fault)
	}
	return v
}

// blame adds to a reason why the condition of its rule could not be evaluated.
func (v *Verdict) blame(reason *string, problem fault) {
	if problem == (fault{}) {
		return
	}
	*reason += ", which cannot be evaluated: " + problem.reason
	if problem.hint != "" {
		*reason += " (" + problem.hint + " tests for it)"
		v.Hint = problem.hint
	}
}
