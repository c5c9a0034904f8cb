package policy

import "slices"

// A server is what can be found out about one beforehand, or about all that no
// rule and no alias names.
type server struct {
	gate   *Verdict // the gate's no; nil if it lets pass
	one    bool     // the rules are known to be about it: server patterns have been matched
	byName map[item][]*rule
	rest   []*rule // those without a kind, or with a pattern that is no name
	tags   []string
	trust  bool // what it says of its tools may grant

	looksAtArguments bool // a condition does
}

// An item is what a rule may name without a pattern.
type item struct {
	kind Kind
	name string
}

// LooksAtArguments reports whether a condition about this server does: then what
// stands in them twice must be refused before.
func (p *Policy) LooksAtArguments(name string) bool {
	if p == nil {
		return false
	}
	if s, ok := p.named[name]; ok {
		return s.looksAtArguments
	}
	return p.others.looksAtArguments
}

// LooksAtClient reports whether a condition does: then hosts may see different
// lists.
func (p *Policy) LooksAtClient() bool {
	return p != nil && slices.ContainsFunc(p.rules, func(r *rule) bool { return r.when != nil && r.when.client })
}

// index finds out beforehand what concerns each server that a rule or an alias
// names, and what may concern all others.
func (p *Policy) index() {
	names := map[string]bool{Own: true}
	for _, r := range p.rules {
		if r.server.Literal() {
			names[r.server.String()] = true
		}
	}
	for _, name := range p.servers.Aliases {
		names[name] = true
	}
	p.named = make(map[string]server, len(names))
	for name := range names {
		p.named[name] = p.server(name)
	}
	for _, r := range p.rules {
		if !r.server.Literal() {
			p.others.add(r)
		}
	}
}

// server gathers what concerns one server.
func (p *Policy) server(name string) server {
	known := p.servers.calledBy(name)
	matches := func(g Glob) bool {
		if name == Own {
			return g.Literal() && g.Match(Own)
		}
		return slices.ContainsFunc(known, g.Match)
	}
	s := server{gate: p.refusal(name, matches), one: true, tags: p.servers.Tags[name], trust: p.servers.trusts(name)}
	for _, r := range p.rules {
		if matches(r.server) {
			s.add(r)
		}
	}
	return s
}

func (s *server) add(r *rule) {
	s.looksAtArguments = s.looksAtArguments || r.when != nil && r.when.arguments
	if !r.narrow || !r.name.Literal() {
		s.rest = append(s.rest, r)
		return
	}
	if s.byName == nil {
		s.byName = map[item][]*rule{}
	}
	i := item{r.kind, r.name.String()}
	s.byName[i] = append(s.byName[i], r)
}

// about returns what concerns a server.
func (p *Policy) about(name string) server {
	if s, ok := p.named[name]; ok {
		return s
	}
	s := p.others
	s.gate = p.refusal(name, func(g Glob) bool { return g.Match(name) })
	s.tags, s.trust = p.servers.Tags[name], p.servers.trusts(name)
	return s
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

// matching are the rules that match what is asked for, but for their conditions,
// in their order.
type matching struct {
	request *Request
	one     bool
	byName  []*rule
	rest    []*rule
}

func (s *server) matching(r *Request) matching {
	m := matching{request: r, one: s.one, rest: s.rest}
	if s.byName != nil {
		m.byName = s.byName[item{r.Kind, r.Name}]
	}
	return m
}

// next returns the next rule, or nil.
func (m *matching) next() *rule {
	for len(m.byName) > 0 || len(m.rest) > 0 {
		from := &m.rest
		if len(m.rest) == 0 || len(m.byName) > 0 && m.byName[0].number < m.rest[0].number {
			from = &m.byName
		}
		r := (*from)[0]
		*from = (*from)[1:]
		if (m.one || r.server.Match(m.request.Server)) && r.about(m.request) {
			return r
		}
	}
	return nil
}

// about reports whether a rule is about what is asked for, whatever the server.
func (r *rule) about(req *Request) bool {
	if r.kind != AnyKind && r.kind != req.Kind {
		return false
	}
	return !r.narrow || r.name.Match(req.Name)
}
