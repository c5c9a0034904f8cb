package aggregator

import (
	"context"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
)

// This file is names that nobody lists, of servers that never told the list in
// which they would stand. A host may know them from an earlier time, or from its
// user. Such a request waits for its server as any other does, and fails as any
// other if that is down: it is not said to be unknown before anybody could know.

// unheard is whose an unknown name would be, if that was never listed; no server
// if the name is nobody's. What may be known from the policy is: nothing is waited
// for that would not be permitted.
func (s *session) unheard(op *operation, subject string) target {
	k, pinned := listKindOf(op)
	if !pinned || op == completion {
		return target{}
	}
	v := s.view()
	name, original := v.split(subject)
	if name == "" {
		name, original = v.unprefixed(), subject
	}
	from, settings := v.byName[name], v.settings[name]
	if from == nil || !from.up.Usable() || k == catalog.Tools && !settings.Tools.Admits(original) {
		return target{}
	}
	if l := from.current(); l != nil && !l.Of(k).Fetched.IsZero() {
		return target{}
	}
	use := policy.Request{Server: name, Kind: policyKinds[k], Name: original, Listing: true}
	if !v.decide(use).Listed() {
		return target{}
	}
	return target{server: from, name: original}
}

// unprefixed is the server whose names are exposed as they are; "" for none, or
// for several.
func (v *view) unprefixed() (name string) {
	for _, s := range v.exposed {
		switch {
		case s.Prefix != "":
		case name != "":
			return ""
		default:
			name = s.Name
		}
	}
	return name
}

// findUnheard looks once more for what nobody lists, when the server that would
// has listed. Otherwise it returns what was found before.
func (c *call) findUnheard(ctx context.Context, q query, t target, refused *refusal) (target, *refusal) {
	meant := c.s.unheard(c.op, q.subject)
	if meant.server == nil {
		return t, refused
	}
	notSeen := c.compareFirst(ctx, meant.server, c.s.keptUnsent(c.op, q.params, q.modern))
	if notSeen != nil {
		return meant, c.notSeen(meant, notSeen)
	}
	return c.s.target(c.op, q)
}

// notSeen refuses what was not sent, since its server does not list it now.
func (c *call) notSeen(t target, why error) *refusal {
	return c.s.a.notCompared(c.op, t, c.s.remedied(t.server.Name, why), c.modern)
}
