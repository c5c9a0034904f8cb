package catalog

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Server is one upstream on its way into a Snapshot.
type Server struct {
	namespace.Server

	// Lists are what it last told; nil if it was never asked.
	Lists *Lists

	// Tools picks, by original name, the tools to take over. nil takes all.
	Tools func(original string) bool
}

// A Snapshot is the merged view of all servers. It is immutable, and safe for
// concurrent use.
type Snapshot struct {
	// Warnings are what the servers' owner should know of: names that stand
	// twice, or had to make way.
	Warnings []error

	tools  []*Route
	routes []Route // by item of names, those without a name included
	names  *namespace.Table
	served toolsServed
}

// A Route leads from an exposed name to the definition behind it. It is immutable.
type Route struct {
	Exposed string
	Server  string // its configured name
	Item    Item   // the definition, as the server sent it

	server int // its place among the servers
}

// Merge makes the view of servers, which stand in the order of the
// configuration. It keeps their Lists and aliases the definitions.
func Merge(rules namespace.Rules, servers []Server) *Snapshot {
	s := &Snapshot{}
	for i := range servers {
		s.served.add(servers[i].Lists)
	}
	s.route(servers)
	s.name(rules, servers)
	s.warn()
	return s
}

// route makes the routes of all tools that are taken over, without names.
func (s *Snapshot) route(servers []Server) {
	s.routes = make([]Route, 0, countTools(servers))
	for i := range servers {
		from := &servers[i]
		if from.Lists == nil {
			continue
		}
		for _, item := range from.Lists.Tools.Items {
			if from.Tools == nil || from.Tools(item.name) {
				s.routes = append(s.routes, Route{Server: from.Name, Item: item, server: i})
			}
		}
	}
}

func countTools(servers []Server) (n int) {
	for i := range servers {
		if servers[i].Lists != nil {
			n += len(servers[i].Lists.Tools.Items)
		}
	}
	return n
}

// name gives the routes their names. Those that get none are not exposed.
func (s *Snapshot) name(rules namespace.Rules, servers []Server) {
	spaces := make([]namespace.Server, len(servers))
	for i := range servers {
		spaces[i] = servers[i].Server
	}
	items := make([]namespace.Item, len(s.routes))
	for i := range s.routes {
		items[i] = namespace.Item{Server: s.routes[i].server, Original: s.routes[i].Item.name}
	}
	s.names = namespace.Assign(rules, spaces, items)
	s.tools = make([]*Route, 0, len(s.routes))
	for i, name := range s.names.Names {
		s.routes[i].Exposed = name
		if name != "" {
			s.tools = append(s.tools, &s.routes[i])
		}
	}
}

func (s *Snapshot) warn() {
	for i := range s.routes {
		if route := &s.routes[i]; route.Exposed == "" {
			s.Warnings = append(s.Warnings, fmt.Errorf("upstream %q lists tool %q more than once: the first one counts",
				route.Server, route.Item.name))
		}
	}
	for _, c := range s.names.Collisions {
		kept, moved := &s.routes[c.Kept], &s.routes[c.Moved]
		s.Warnings = append(s.Warnings, fmt.Errorf("tool %q of upstream %q is exposed as %q: name %q belongs to tool %q of upstream %q",
			moved.Item.name, moved.Server, moved.Exposed, c.Name, kept.Item.name, kept.Server))
	}
}

// Tools returns all tools: in the order of the configuration, and then of the
// server. The slice must not be changed.
func (s *Snapshot) Tools() []*Route { return s.tools }

// Resolve returns the tool that a call means by name: the one with this exposed
// name, permitted or not; else the one permitted tool that can be meant, as
// namespace.Table.Resolve says. nil means that there is none, or several.
func (s *Snapshot) Resolve(name string, permitted func(*Route) bool) *Route {
	i, ok := s.names.Resolve(name, func(item int) bool { return permitted(&s.routes[item]) })
	if !ok {
		return nil
	}
	return &s.routes[i]
}

// AppendDefinition appends the definition as the host sees it: the server's own,
// to the byte, but for the name.
func (r *Route) AppendDefinition(dst []byte) []byte {
	before, after := r.Item.aroundName()
	dst = append(dst, before...)
	dst = jsonrpc.AppendString(dst, r.Exposed)
	return append(dst, after...)
}

// aroundName is what stands before and after the name in the definition.
func (i *Item) aroundName() (before, after []byte) {
	return i.raw[:i.nameAt], i.raw[i.nameEnd:]
}

// AppendTools appends the member "tools" of the result of tools/list.
func AppendTools(dst []byte, tools []*Route) []byte {
	size := len(`"tools":[]`)
	for _, r := range tools {
		size += len(r.Item.raw) + len(r.Exposed) + len(`"",`)
	}
	dst = append(slices.Grow(dst, size), `"tools":[`...)
	for i, r := range tools {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.AppendDefinition(dst)
	}
	return append(dst, ']')
}

// Same reports whether a host would see the same definitions in the same order.
// It costs little where both alias the same lists.
func Same(a, b []*Route) bool {
	return slices.EqualFunc(a, b, func(a, b *Route) bool {
		beforeA, afterA := a.Item.aroundName()
		beforeB, afterB := b.Item.aroundName()
		return a.Exposed == b.Exposed && bytes.Equal(beforeA, beforeB) && bytes.Equal(afterA, afterB)
	})
}
