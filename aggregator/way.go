package aggregator

import (
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
)

// A way is what a view knows of a route beforehand, so that it need not be found
// out for each call. It is immutable, as the view is.
type way struct {
	view             *view
	route            *catalog.Route
	server           *server
	looksAtArguments bool            // a condition of the policy may
	validates        bool            // the user wants arguments checked
	verdict          *policy.Verdict // on every use of the item; nil where that hangs on arguments
}

// way is that of a route, found out once.
func (v *view) way(route *catalog.Route) *way {
	if known, ok := v.ways.Load(route); ok {
		return known.(*way) //nolint:errcheck,forcetypeassert // nothing else is kept there
	}
	w := &way{view: v, route: route, server: v.byName[route.Server], looksAtArguments: v.policy.LooksAtArguments(route.Server)}
	if settings := v.settings[route.Server]; settings != nil {
		w.validates = settings.Validate
	}
	if !w.looksAtArguments {
		verdict := v.judge(route, nil)
		w.verdict = &verdict
	}
	v.ways.Store(route, w)
	return w
}

// judgeOn is judge for who knows the way.
func (v *view) judgeOn(w *way, route *catalog.Route, arguments []byte) *policy.Verdict {
	if w.verdict != nil {
		return w.verdict
	}
	verdict := v.judge(route, arguments)
	return &verdict
}
