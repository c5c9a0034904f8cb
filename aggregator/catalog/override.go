package catalog

import (
	"maps"
	"slices"

	"github.com/weir-mcp/weir/aggregator/namespace"
)

// override lets the user's word stand above the servers'. A tool whose definition
// cannot be amended is left out: what it is to hide would be seen.
func (s *Snapshot) override(tools []Route) []Route {
	if !slices.ContainsFunc(s.servers, func(s Server) bool { return len(s.Overrides) > 0 }) {
		return tools
	}
	kept := tools[:0]
	for _, r := range tools {
		if s.amend(&r) {
			kept = append(kept, r)
		}
	}
	s.warnUnused(kept)
	return kept
}

// amend applies the override of a tool, if it has one. It reports false if it
// cannot.
func (s *Snapshot) amend(r *Route) bool {
	o := s.servers[r.server].Overrides[r.Item.name]
	if o == nil {
		return true
	}
	raw, err := o.Definition(r.Item.raw)
	if err == nil {
		var item Item
		if item, err = ParseItem(Tools, raw); err == nil {
			r.Override, r.amended = o, &item
			return true
		}
	}
	s.warn("tool %q of upstream %q is left out, its override cannot be applied: %w", r.Item.name, r.Server, err)
	return false
}

// warnUnused tells of overrides for tools that a server does not list.
func (s *Snapshot) warnUnused(tools []Route) {
	for i := range s.servers {
		from := &s.servers[i]
		if from.Lists == nil || from.Lists.Tools.Fetched.IsZero() {
			continue // it may yet
		}
		for _, name := range slices.Sorted(maps.Keys(from.Overrides)) {
			if !slices.ContainsFunc(tools, func(r Route) bool { return r.server == i && r.Item.name == name }) {
				s.warn("upstream %q has no tool %q: its override changes nothing", from.Name, name)
			}
		}
	}
}

// shown is the definition that hosts see, with the name that the exposed one is
// made of.
func (r *Route) shown() *Item {
	if r.amended != nil {
		return r.amended
	}
	return &r.Item
}

// Called is what the tool or prompt is called where its server needs no telling:
// as its server does, or the user.
func (r *Route) Called() string { return r.shown().name }

// space is what the names of items are made of. Tools that the user calls the same
// as another of their server stay two.
func (r *Route) space() namespace.Item {
	item := namespace.Item{Server: r.server, Original: r.shown().name}
	if item.Original != r.Item.name {
		item.Key = r.Item.name
	}
	return item
}
