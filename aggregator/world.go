package aggregator

import (
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
)

// A world is who the servers are and what is allowed, as a configuration says.
// It is immutable: another configuration makes another world.
type world struct {
	servers   []*server // in the order of the configuration
	byName    map[string]*server
	names     namespace.Rules
	policy    *policy.Policy
	principal policy.Principal
	notice    string // why there are no servers; "" if there are
}

func newWorld(cfg *Config, servers []*server) *world {
	w := &world{
		servers: servers, byName: make(map[string]*server, len(servers)),
		names: cfg.Names, policy: cfg.Policy, principal: cfg.Principal, notice: cfg.Notice,
	}
	for _, s := range servers {
		w.byName[s.Name] = s
	}
	return w
}

// of returns the server that an upstream is.
func (w *world) of(u *upstream.Upstream) *server { return w.byName[u.Name()] }
