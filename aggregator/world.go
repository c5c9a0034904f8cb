package aggregator

import (
	"cmp"
	"time"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
)

// A world is who the servers are and what is allowed, as a configuration says.
// It is immutable: another configuration makes another world.
type world struct {
	servers   []*server          // in the order of the configuration
	exposed   []*Server          // how each of them is exposed in this world
	settings  map[string]*Server // the same, by name
	byName    map[string]*server
	owners    map[*upstream.Upstream]*server // those that leave among them
	names     namespace.Rules
	policy    *policy.Policy
	principal policy.Principal
	maxAge    time.Duration // of stored lists
	patience  time.Duration // for the first list
	who       string        // the principal in a word
	notice    string        // why there are no servers; "" if there are
	exposure  Exposure
	maxTools  int        // in a list; 0 = no limit
	limit     int        // bytes of one message from a host
	audit     *audit.Log // nil for nowhere
}

// newWorld makes the world of a configuration, the servers of which are these.
func newWorld(cfg *Config, servers []*server) *world {
	w := &world{
		servers: servers, exposed: make([]*Server, len(servers)),
		settings: make(map[string]*Server, len(servers)),
		byName:   make(map[string]*server, len(servers)),
		owners:   make(map[*upstream.Upstream]*server, len(servers)),
		names:    cfg.Names, policy: cfg.Policy, principal: cfg.Principal, who: whoIs(cfg.Principal), notice: cfg.Notice,
		maxAge: cmp.Or(cfg.MaxAge, DefaultMaxAge), patience: cmp.Or(cfg.Patience, DefaultPatience),
		exposure: cfg.Expose, maxTools: cfg.MaxTools,
		limit: cmp.Or(cfg.MessageLimit, upstream.DefaultMessageLimit), audit: cfg.Audit,
	}
	for i, s := range servers {
		w.exposed[i] = &cfg.Servers[i]
		w.settings[s.Name] = &cfg.Servers[i]
		w.byName[s.Name] = s
		w.owners[s.up] = s
	}
	return w
}

// of returns the server that an upstream is, which may be on its way out.
func (w *world) of(u *upstream.Upstream) *server { return w.owners[u] }
