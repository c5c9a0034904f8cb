package catalog

import (
	"cmp"
	"slices"

	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// places are the resources and templates by their URIs: what leads from a URI to
// a server, and back.
type places struct {
	several   bool     // there are two servers or more
	sharers   []string // the servers that have resources
	labels    *namespace.Labels
	resources map[string]*Route // by exposed URI
	templates map[string]*Route // by exposed template
	pages     map[string]int    // the URIs that tools name and no list has, by server
	patterns  []pattern         // the most literal ones first
	moved     map[origin]string // the exposed URIs of the resources that have others
}

// origin is a URI as its server calls it.
type origin struct {
	server int
	uri    string
}

// A pattern is a template that matches.
type pattern struct {
	template
	route *Route
}

// place gives resources and templates their URIs: their own, but where a server
// before has the same. Those that cannot have another one are left out.
func (s *Snapshot) place(spaces []namespace.Server) {
	p := &s.places
	p.several = len(spaces) > 1
	p.labels = namespace.NewLabels(spaces)
	p.moved = map[origin]string{}
	p.resources = s.locate(Resources)
	p.templates = s.locate(Templates)
	for _, r := range s.routes[Resources] {
		if r.Exposed != r.Item.name {
			p.moved[origin{r.server, r.Item.name}] = r.Exposed
		}
	}
	s.compile()
	s.linkPages()
}

// locate returns the routes of a kind by the URIs that it gives them.
func (s *Snapshot) locate(k Kind) map[string]*Route {
	routes := s.collect(k)
	placed := make(map[string]*Route, len(routes))
	for i := range routes {
		r := &routes[i]
		r.Exposed = r.Item.name
		if first := placed[r.Exposed]; first != nil && !s.move(r, first, placed) {
			continue
		}
		placed[r.Exposed] = r
		s.routes[k] = append(s.routes[k], r)
	}
	return placed
}

// move gives r another URI than that of first. It reports false if there is
// none, or r is first listed once more.
func (s *Snapshot) move(r, first *Route, placed map[string]*Route) bool {
	if r.server == first.server {
		s.warnTwice(r)
		return false
	}
	other, ok := s.places.labels.Rewrite(r.server, r.Item.name)
	if before := placed[other]; before != nil && before.server == r.server {
		s.warnTwice(r)
		return false
	}
	if !ok || placed[other] != nil {
		s.warn("%s %q of upstream %q is left out: upstream %q has it too", r.Kind, r.Item.name, r.Server, first.Server)
		return false
	}
	r.Exposed = other
	s.warn("%s %q of upstream %q is exposed as %q: upstream %q has it too", r.Kind, r.Item.name, r.Server, other, first.Server)
	return true
}

// maxPatterns is how many templates of one server are matched.
const maxPatterns = 256

// compile makes the patterns of the templates. One that is none is in the list
// all the same, for who knows how to read it.
func (s *Snapshot) compile() {
	count := make([]int, len(s.servers))
	for _, r := range s.routes[Templates] {
		if count[r.server]++; count[r.server] > maxPatterns {
			if count[r.server] == maxPatterns+1 {
				s.warn("upstream %q has more than %d resource templates: the others match no URI", r.Server, maxPatterns)
			}
			continue
		}
		t, err := parseTemplate(r.Exposed)
		if err != nil {
			s.warn("resource template %q of upstream %q matches no URI: %w", r.Item.name, r.Server, err)
			continue
		}
		s.places.patterns = append(s.places.patterns, pattern{t, r})
	}
	slices.SortStableFunc(s.places.patterns, func(a, b pattern) int { return cmp.Compare(b.literals, a.literals) })
}

// linkPages finds the pages of tools, be they listed or not, and gives those
// their place that another server has too.
func (s *Snapshot) linkPages() {
	var tools []*Route
	for _, r := range s.routes[Tools] {
		if r.shown().traits&hasPage != 0 {
			tools = append(tools, r)
		}
	}
	p := &s.places
	p.pages = make(map[string]int, len(tools))
	for _, r := range tools {
		for _, raw := range r.shown().pages() {
			uri, err := jsonrpc.String(raw)
			if _, taken := p.pages[uri]; err == nil && !taken && p.resources[uri] == nil {
				p.pages[uri] = r.server
			}
		}
	}
	for _, r := range tools {
		for _, raw := range r.shown().pages() {
			uri, err := jsonrpc.String(raw)
			if exposed := p.expose(r.server, uri, maxRewritten); err == nil && exposed != uri {
				r.pages = append(r.pages, jsonrpc.Edit{At: raw, With: jsonrpc.AppendString(nil, exposed)})
			}
		}
	}
}

// pages returns the URIs of the pages of a tool, raw, in their order.
func (i *Item) pages() (raw [][]byte) {
	members, err := jsonrpc.ParseObject(nil, i.raw)
	if err != nil {
		return nil
	}
	for k := range members {
		if string(members[k].Key) == "_meta" {
			raw = pages(raw, members[k].Value)
		}
	}
	return raw
}

func whatever(*Route) bool { return true }

// exact finds the server that a list tells has an exposed URI: the one that lists
// it, or names it as the page of a tool.
func (p *places) exact(uri string) (server int, original string, ok bool) {
	if r := p.resources[uri]; r != nil {
		return r.server, r.Item.name, true
	}
	server, ok = p.pages[uri]
	return server, uri, ok
}

// maxRewritten is how often a URI may have been rewritten: by a weir behind weir,
// and so on.
const maxRewritten = 4

// owner finds the server that an exposed URI leads to. It takes away what
// rewriting has added this many times at most.
func (p *places) owner(uri string, permitted func(*Route) bool, times int) (server int, original string, ok bool) {
	if server, original, ok = p.exact(uri); ok {
		return server, original, true
	}
	server, original, ok = p.labels.Original(uri)
	if ok && times > 0 && p.expose(server, original, times-1) == uri {
		return server, original, true
	}
	for i := range p.patterns {
		r := p.patterns[i].route
		if !p.patterns[i].matches(uri) || !permitted(r) {
			continue
		}
		if r.Exposed == r.Item.name {
			return r.server, uri, true
		}
		_, original, ok = p.labels.Original(uri)
		return r.server, original, ok
	}
	return 0, "", false
}

// expose returns the URI by which hosts reach what a server calls uri.
func (p *places) expose(server int, uri string, times int) string {
	if !p.many() {
		return uri
	}
	if exposed, ok := p.moved[origin{server, uri}]; ok {
		return exposed
	}
	if owner, _, ok := p.owner(uri, whatever, times); !ok || owner == server {
		return uri
	}
	exposed, ok := p.labels.Rewrite(server, uri)
	if other, _, taken := p.exact(exposed); !ok || taken && other != server {
		return uri
	}
	return exposed
}

// many reports whether two servers may have resources, listed or not.
func (p *places) many() bool { return len(p.sharers) > 1 || p.several && len(p.pages) > 0 }

// Sharers returns the servers that have resources, in the order of the
// configuration. The slice must not be changed.
func (s *Snapshot) Sharers() []string { return s.places.sharers }

// Locate finds the server that a host's URI leads to, and what that server calls
// it: the server that lists it, permitted or not; that ExposeURI has rewritten it
// for; that has a permitted template which it matches, the one with most literal
// characters. The caller still has to judge what it gets.
func (s *Snapshot) Locate(uri string, permitted func(*Route) bool) (server, original string, ok bool) {
	i, original, ok := s.places.owner(uri, permitted, maxRewritten)
	if !ok {
		return "", "", false
	}
	return s.servers[i].Name, original, true
}

// Template returns the resource template that a host calls so; nil if there is
// none.
func (s *Snapshot) Template(exposed string) *Route { return s.places.templates[exposed] }

// MayMoveURIs reports whether ExposeURI has anything to do: whether two servers
// have resources.
func (s *Snapshot) MayMoveURIs() bool { return s.places.many() }

// ExposeURI returns the URI by which the host reaches what a server calls so:
// the same, unless that one leads to another server. It is for the URIs in what
// the server sends. Of a URI that cannot be rewritten (namespace.Labels) it is
// the same nevertheless.
func (s *Snapshot) ExposeURI(server, original string) string {
	if !s.MayMoveURIs() {
		return original
	}
	i := slices.IndexFunc(s.servers, func(s Server) bool { return s.Name == server })
	if i < 0 {
		return original
	}
	return s.places.expose(i, original, maxRewritten)
}
