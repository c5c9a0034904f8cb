package aggregator

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/policy"
)

// A Use is what a host might want to do.
type Use struct {
	Kind      catalog.Kind // Tools, Prompts or Resources
	Server    string       // that has it; "" = found by Name
	Name      string       // as hosts write it; the server's own with Server
	Arguments []byte       // raw object; nil for none
}

// An Explanation is what the policy says of a use, and why.
type Explanation struct {
	Server string // that has it
	Kind   policy.Kind
	Name   string // the original name, or the URI, at that server
	policy.Verdict

	// Definition is the item as its server lists it, raw; nil if none lists it:
	// then it is judged by its name alone. It must not be changed.
	Definition []byte
}

// ErrNoSuchName is the error of Explain for what can be no server's.
var ErrNoSuchName = errors.New("no server lists it, and none is named in it")

// Explain says what the policy makes of a use, with the lists as they are now.
// It asks nobody and sends nothing.
func (a *Aggregator) Explain(u Use) (Explanation, error) { return a.view.Load().explain(u) }

func (v *view) explain(u Use) (Explanation, error) {
	route, e := v.meant(u)
	if e.Server == "" {
		return e, fmt.Errorf("%q: %w", u.Name, ErrNoSuchName)
	}
	e.Kind = policyKinds[u.Kind]
	r := policy.Request{Server: e.Server, Kind: e.Kind, Name: e.Name}
	if route != nil {
		r = requestFor(route)
		e.Definition = route.Item.Raw()
	}
	r.Arguments = u.Arguments
	if route != nil && route.Override != nil {
		r.Arguments, _ = route.Override.Arguments(u.Arguments)
	}
	e.Verdict = v.decide(r)
	return e, nil
}

// meant finds what a use means, permitted or not, and whose it is.
func (v *view) meant(u Use) (*catalog.Route, Explanation) {
	if u.Server != "" {
		return v.itemOf(u), Explanation{Server: u.Server, Name: u.Name}
	}
	everything := func(*catalog.Route) bool { return true }
	var route *catalog.Route
	switch u.Kind {
	case catalog.Tools:
		route = v.snapshot.Resolve(u.Name, everything)
	case catalog.Prompts:
		route = v.snapshot.ResolvePrompt(u.Name, everything)
	default:
		server, uri, _ := v.snapshot.Locate(u.Name, everything)
		return v.itemOf(Use{Kind: u.Kind, Server: server, Name: uri}), Explanation{Server: server, Name: uri}
	}
	if route != nil {
		return route, Explanation{Server: route.Server, Name: route.Item.Name()}
	}
	server, name := v.split(u.Name)
	return nil, Explanation{Server: server, Name: name}
}

// itemOf returns the item of a server by its own name; nil if it is not listed.
func (v *view) itemOf(u Use) *catalog.Route {
	for _, route := range v.snapshot.Routes(u.Kind) {
		if route.Server == u.Server && route.Item.Name() == u.Name {
			return route
		}
	}
	return nil
}

// split reads a name that nobody lists as one of a server that is named in it. It
// serves to explain, and to find whose list has to be waited for: calls go by what
// is listed.
func (v *view) split(name string) (server, original string) {
	if own, ok := strings.CutPrefix(name, namespace.Reserved); ok {
		return policy.Own, own
	}
	for _, s := range v.exposed {
		tool, ok := namespace.Behind(v.names, namespace.Server{Name: s.Name, Prefix: s.Prefix, Aliases: s.Aliases}, name)
		if ok && (server == "" || len(tool) < len(original)) {
			server, original = s.Name, tool
		}
	}
	return server, original
}

// Items returns what the servers list, by the servers' names and by their own
// names for it, permitted or not. Of a server that has never been listed there is
// nothing; its resources are nil where templates can make more of them.
func (a *Aggregator) Items() policy.LintCatalog {
	items := policy.LintCatalog{}
	for _, s := range a.world.Load().servers {
		lists := s.current()
		if lists == nil || !lists.Known() {
			continue
		}
		known := policy.LintItems{Tools: namesOf(&lists.Tools), Prompts: namesOf(&lists.Prompts)}
		if templates := namesOf(&lists.Templates); templates != nil && len(templates) == 0 {
			known.Resources = namesOf(&lists.Resources)
		}
		items[s.Name] = known
	}
	return items
}

// namesOf returns the names in a list; nil if it was never told.
func namesOf(l *catalog.List) []string {
	if l.Fetched.IsZero() {
		return nil
	}
	names := make([]string, len(l.Items))
	for i, item := range l.Items {
		names[i] = item.Name()
	}
	return names
}
