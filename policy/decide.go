package policy

// Decide judges one request: the gate first; then a matching rule that denies,
// wherever it stands; then the first rule that matches; then the default. It
// allocates nothing.
func (p *Policy) Decide(r Request) Verdict {
	if p == nil {
		return Verdict{Reason: "there is no policy"}
	}
	s := p.about(r.Server)
	if s.gate != nil {
		return *s.gate
	}
	if winner := s.winner(r); winner != nil {
		return winner.verdict
	}
	if r.Server == Own {
		return p.own
	}
	return p.fallback
}

// about returns what concerns a server.
func (p *Policy) about(name string) server {
	if s, ok := p.named[name]; ok {
		return s
	}
	gate := p.refusal(name, func(g Glob) bool { return g.Match(name) })
	return server{gate: gate, rules: p.rules}
}

// refusal returns the gate's no to a server, or nil. That it has no pattern for
// weir's own tools does not count: no glob covers them.
func (p *Policy) refusal(name string, matches func(Glob) bool) *Verdict {
	for i := range p.deny {
		if matches(p.deny[i].glob) {
			return &p.deny[i].verdict
		}
	}
	if p.open || name == Own {
		return nil
	}
	for i := range p.allow {
		if matches(p.allow[i].glob) {
			return nil
		}
	}
	return &p.unlisted
}

// winner returns the rule that decides, or nil.
func (s server) winner(r Request) (first *rule) {
	for i := range s.rules {
		rule := &s.rules[i]
		if !rule.matches(r) {
			continue
		}
		if rule.verdict.Level == Deny {
			return rule
		}
		if first == nil {
			first = rule
		}
	}
	return first
}

func (r *rule) matches(req Request) bool {
	if r.kind != AnyKind && r.kind != req.Kind {
		return false
	}
	if r.narrow && !r.name.Match(req.Name) {
		return false
	}
	return r.server.Match(req.Server)
}
