package aggregator

import (
	"context"
	"slices"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
)

// view is what the principal sees of a snapshot, encoded once for all the
// times it is asked for. It is immutable.
type view struct {
	snapshot *catalog.Snapshot
	routes   []*catalog.Route // the listed ones
	tools    []byte           // the member "tools" of a list result
}

// setSnapshot merges what the servers list now. It reports whether the view of
// it is another one.
func (a *Aggregator) setSnapshot() bool {
	a.merging.Lock()
	defer a.merging.Unlock()
	servers := make([]catalog.Server, len(a.servers))
	for i, s := range a.servers {
		servers[i] = catalog.Server{Lists: s.current(), Tools: s.Tools.Admits}
		servers[i].Name, servers[i].Prefix, servers[i].Aliases = s.Name, s.Prefix, s.Aliases
	}
	snapshot := catalog.Merge(a.cfg.Names, servers)
	old := a.view.Load()
	for _, warning := range snapshot.Warnings {
		if old == nil || !slices.ContainsFunc(old.snapshot.Warnings, sameText(warning)) {
			a.log.Warn().Err(warning).Msg("name is taken")
		}
	}
	v := a.look(snapshot)
	a.view.Store(v)
	return old == nil || !catalog.Same(old.routes, v.routes)
}

func sameText(a error) func(error) bool {
	return func(b error) bool { return a.Error() == b.Error() }
}

// look applies the policy to a snapshot. weir's own tools stand behind the
// servers'.
func (a *Aggregator) look(snapshot *catalog.Snapshot) *view {
	v := &view{snapshot: snapshot}
	for _, route := range snapshot.Routes(catalog.Tools) {
		if a.listed(route) {
			v.routes = append(v.routes, route)
		}
	}
	v.tools = catalog.AppendList(nil, catalog.Tools, v.routes, (*catalog.Route).AppendDefinition)
	if a.ownTools().Listed() {
		v.tools = appendOwnTools(v.tools, len(v.routes) == 0)
	}
	return v
}

// judge is the policy's word on a tool.
func (a *Aggregator) judge(route *catalog.Route) policy.Verdict {
	return a.cfg.Policy.Decide(policy.Request{Server: route.Server, Kind: policy.Tool, Name: route.Item.Name()})
}

func (a *Aggregator) listed(route *catalog.Route) bool { return a.judge(route).Listed() }

// claimsTools reports whether hosts are told of tools: while any server has not
// been listed it may have some.
func (a *Aggregator) claimsTools() bool {
	claims := a.view.Load().snapshot.Claims(func(string) bool { return true })
	return claims.Tools || a.ownTools().Listed()
}

// firstLists waits until the first lists are in, or were waited for long
// enough. It reports false if ctx ended before.
func (a *Aggregator) firstLists(ctx context.Context) bool {
	select {
	case <-a.whole:
		return true
	case <-ctx.Done():
		return false
	}
}

// listsAreIn is firstLists without waiting.
func (a *Aggregator) listsAreIn() bool {
	select {
	case <-a.whole:
		return true
	default:
		return false
	}
}
