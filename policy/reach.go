package policy

// Reaches reports whether anything that a server may have could be there for who
// asks, while nobody knows yet what it has. Of r, Server, Principal and Client
// count. What hangs on a tool's own words, which are not known, is not there; what
// hangs on arguments may be.
func (p *Policy) Reaches(r Request) bool {
	r.Kind, r.Name, r.Listing = AnyKind, "", true
	switch verdict := p.Decide(r); {
	case verdict.Listed():
		return true
	case p == nil, verdict.Rule != "":
		return false // a rule keeps all of it away
	}
	s := p.about(r.Server)
	if s.gate != nil {
		return false
	}
	for i := range p.rules {
		if rule := p.rules[i]; rule.levels && rule.verdict.Level >= Read && p.covers(rule, r.Server) && s.reached(rule, r) {
			return true
		}
	}
	return false
}

// covers reports whether the server pattern of a rule matches a server.
func (p *Policy) covers(r *rule, name string) bool {
	if name == Own && !r.server.Literal() {
		return false
	}
	for _, known := range p.servers.calledBy(name) {
		if r.server.Match(known) {
			return true
		}
	}
	return false
}

// reached reports whether a rule could grant anything at the server.
func (s *server) reached(granting *rule, r Request) bool {
	if granting.when == nil {
		return true
	}
	if granting.when.claims {
		return false
	}
	d := decision{request: r, tags: s.tags, trust: s.trust, listing: true}
	d.request.Kind = granting.kind
	if d.hangsOnArguments(granting) {
		return true
	}
	holds, problem := d.evaluate(granting)
	return holds && problem == (fault{})
}

// Silent reports whether nothing in the policy speaks of the one of weir's own
// tools that was judged: no rule and no gate.
func (v Verdict) Silent() bool { return v.Rule == "" && v.Reason == ownReason }
