package policy

import "slices"

// A server is what can be found out about one beforehand, or about all that no
// rule and no alias names.
type server struct {
	gate   *Verdict // the gate's no; nil if it lets pass
	one    bool     // the rules are known to be about it: server patterns have been matched
	byName map[item][]*rule
	byHead map[item][]*rule // by the first byte, where the pattern is no name and has one
	rest   []*rule          // all others
	tags   []string
	trust  bool // what it says of its tools may grant

	looksAtArguments bool // a condition does
}

// An item is what a rule may name without a pattern, or how that begins.
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
	switch head := r.name.head(); {
	case r.narrow && r.name.Literal():
		s.byName = put(s.byName, item{r.kind, r.name.String()}, r)
	case r.narrow && head != "":
		s.byHead = put(s.byHead, item{r.kind, head}, r)
	default:
		s.rest = append(s.rest, r)
	}
}

func put(index map[item][]*rule, at item, r *rule) map[item][]*rule {
	if index == nil {
		index = map[item][]*rule{}
	}
	index[at] = append(index[at], r)
	return index
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
	server string
	item   item
	one    bool
	from   [3][]*rule // each in order
}

func (s *server) matching(r *Request) matching {
	m := matching{server: r.Server, item: item{r.Kind, r.Name}, one: s.one, from: [3][]*rule{s.rest}}
	if s.byName != nil {
		m.from[1] = s.byName[m.item]
	}
	if s.byHead != nil && r.Name != "" {
		m.from[2] = s.byHead[item{r.Kind, r.Name[:1]}]
	}
	return m
}

// next returns the next rule, or nil.
func (m *matching) next() *rule {
	for {
		first := -1
		for i, rules := range m.from {
			if len(rules) > 0 && (first < 0 || rules[0].number < m.from[first][0].number) {
				first = i
			}
		}
		if first < 0 {
			return nil
		}
		r := m.from[first][0]
		m.from[first] = m.from[first][1:]
		if (m.one || r.server.Match(m.server)) && r.about(m.item) {
			return r
		}
	}
}

// about reports whether a rule is about what is asked for, whatever the server.
func (r *rule) about(i item) bool {
	if r.kind != AnyKind && r.kind != i.kind {
		return false
	}
	return !r.narrow || r.name.Match(i.name)
}
