package catalog

import (
	"cmp"
	"fmt"

	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/aggregator/overrides"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Server is one upstream on its way into a Snapshot.
type Server struct {
	namespace.Server

	// Lists are what it last told; nil if it was never asked.
	Lists *Lists

	// Tools picks, by original name, the tools to take over. nil takes all.
	Tools func(original string) bool

	// Overrides are what the user wants otherwise, by the original names of tools.
	Overrides map[string]*overrides.Override

	// AsSent shows what the server wrote to be shown as it stands, without
	// hygiene.
	AsSent bool
}

// A Snapshot is the merged view of all servers. It is immutable, and safe for
// concurrent use.
type Snapshot struct {
	// Warnings are what the servers' owner should know of: names that stand
	// twice, or had to make way. They are not more than a log can bear.
	Warnings []error

	rules   namespace.Rules
	servers []Server
	routes  [Kinds][]*Route // those that are exposed
	tools   named
	prompts named
	places  places
	served  [Kinds]served
	unsaid  int // further warnings
}

// A Route leads from an exposed name to the definition behind it. It is immutable.
type Route struct {
	Kind    Kind
	Exposed string // the name; the URI of a resource, the template of a template
	Server  string // its configured name
	Item    Item   // the definition, as the server sent it

	// Override is what the user wants otherwise; nil for nothing.
	Override *overrides.Override

	server  int            // its place among the servers
	asSent  bool           // without hygiene
	polled  bool           // for hosts without tasks, its task is waited for
	amended *Item          // the definition as the override makes it; nil without one
	pages   []jsonrpc.Edit // of the pages of a tool that stand under other URIs, in their order
}

// named are the items of a kind that goes by names.
type named struct {
	routes []Route // by item of the table, those without a name included
	table  *namespace.Table
}

// Merge makes the view of servers, which stand in the order of the
// configuration. It keeps them and their Lists, and aliases the definitions.
func Merge(rules namespace.Rules, servers []Server) *Snapshot {
	s := &Snapshot{rules: rules, servers: servers}
	spaces := make([]namespace.Server, len(servers))
	for i := range servers {
		spaces[i] = servers[i].Server
	}
	s.count()
	s.tools = s.name(Tools, spaces)
	s.prompts = s.name(Prompts, spaces)
	s.place(spaces)
	if s.unsaid > 0 {
		s.Warnings = append(s.Warnings, fmt.Errorf("%d further names stand twice or had to make way", s.unsaid))
	}
	return s
}

// count notes what the servers say of their lists.
func (s *Snapshot) count() {
	none := &Lists{}
	for i := range s.servers {
		lists := cmp.Or(s.servers[i].Lists, none)
		f := readFeatures(object(lists.Capabilities))
		for k := range Kind(Kinds) {
			at := kinds[k].feature
			s.served[k].add(lists.Of(k), lists.Modern, f.has[at], f.announces[at])
		}
		if f.has[resourcesFeature] {
			s.places.sharers = append(s.places.sharers, s.servers[i].Name)
		}
	}
}

// collect makes the routes of all items of a kind that are taken over, without
// names.
func (s *Snapshot) collect(k Kind) []Route {
	n := 0
	for i := range s.servers {
		if lists := s.servers[i].Lists; lists != nil {
			n += len(lists.Of(k).Items)
		}
	}
	routes := make([]Route, 0, n)
	for i := range s.servers {
		from := &s.servers[i]
		if from.Lists == nil {
			continue
		}
		for _, item := range from.Lists.Of(k).Items {
			if k != Tools || from.Tools == nil || from.Tools(item.name) {
				routes = append(routes, Route{Kind: k, Server: from.Name, Item: item, server: i, asSent: from.AsSent, polled: !from.Lists.Modern && item.traits&needsTask != 0})
			}
		}
	}
	return routes
}

// name gives the items of a kind their names. Those that get none are not
// exposed.
func (s *Snapshot) name(k Kind, spaces []namespace.Server) named {
	n := named{routes: s.collect(k)}
	if k == Tools {
		n.routes = s.override(n.routes)
	}
	items := make([]namespace.Item, len(n.routes))
	for i := range n.routes {
		items[i] = n.routes[i].space()
	}
	n.table = namespace.Assign(s.rules, spaces, items)
	s.routes[k] = make([]*Route, 0, len(n.routes))
	for i, name := range n.table.Names {
		route := &n.routes[i]
		route.Exposed = name
		if name == "" {
			s.warnTwice(route)
			continue
		}
		s.routes[k] = append(s.routes[k], route)
	}
	for _, c := range n.table.Collisions {
		kept, moved := &n.routes[c.Kept], &n.routes[c.Moved]
		s.warn("%s %q of upstream %q is exposed as %q: name %q belongs to %s %q of upstream %q",
			k, moved.Item.name, moved.Server, moved.Exposed, c.Name, k, kept.Item.name, kept.Server)
	}
	return n
}

// maxWarnings is how many names are told of one by one.
const maxWarnings = 100

func (s *Snapshot) warn(format string, args ...any) {
	if len(s.Warnings) >= maxWarnings {
		s.unsaid++
		return
	}
	s.Warnings = append(s.Warnings, fmt.Errorf(format, args...))
}

func (s *Snapshot) warnTwice(r *Route) {
	s.warn("upstream %q lists %s %q more than once: the first one counts", r.Server, r.Kind, r.Item.name)
}

// Routes returns all items of a kind that are exposed: in the order of the
// configuration, and then of the server. The slice must not be changed.
func (s *Snapshot) Routes(k Kind) []*Route { return s.routes[k] }

// Resolve returns the tool that a call means by name: the one with this exposed
// name, permitted or not; else the one permitted tool that can be meant, as
// namespace.Table.Resolve says. nil means that there is none, or several.
func (s *Snapshot) Resolve(name string, permitted func(*Route) bool) *Route {
	return s.tools.resolve(name, permitted)
}

// ResolvePrompt is Resolve for prompts.
func (s *Snapshot) ResolvePrompt(name string, permitted func(*Route) bool) *Route {
	return s.prompts.resolve(name, permitted)
}

func (n *named) resolve(name string, permitted func(*Route) bool) *Route {
	i, ok := n.table.Resolve(name, func(item int) bool { return permitted(&n.routes[item]) })
	if !ok {
		return nil
	}
	return &n.routes[i]
}
