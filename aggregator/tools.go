package aggregator

import (
	"strings"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/policy"
)

// resolve finds the tool that is meant by name. No name of weir's own tools
// ever means another's, be they there for the principal or not.
func (a *Aggregator) resolve(name string) *catalog.Route {
	if strings.HasPrefix(name, namespace.Reserved) {
		return nil
	}
	return a.view.Load().snapshot.Resolve(name, a.listed)
}

// verdict is the policy's word on a tool that was called; nil is denied.
func (a *Aggregator) verdict(route *catalog.Route) policy.Verdict {
	if route == nil {
		return policy.Verdict{}
	}
	return a.judge(route)
}
