package aggregator

import (
	"context"
	"slices"
	"sync"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
)

// view is what the principal sees of a world and of what its servers list. It is
// immutable.
type view struct {
	*world
	client   policy.Client // whose view it is, where that makes a difference
	clients  *clientViews  // the views of the others; nil where it makes none
	able     abilities
	learned  *learned
	snapshot *catalog.Snapshot
	held     held // of it, what pins keep from hosts
	lists    [catalog.Kinds]*viewedList
	shown    map[string]bool // the servers that are there for the principal
	sharers  []string        // those of them that have resources
	wanting  []*server       // those of them that want a login
	tools    assortment      // the tools that are there for the principal
	ways     sync.Map        // of *way by *catalog.Route: those that were asked for
}

// merge is setSnapshot for its own use.
func (a *Aggregator) merge() (changed bool) {
	w := a.world.Load()
	servers := make([]catalog.Server, len(w.servers))
	var h held
	for i, s := range w.servers {
		exposed := w.exposed[i]
		lists, standing := s.listsAndStanding()
		if exposed.Disabled {
			lists = nil // what is stored of it is for the day when it is switched on again
		}
		h = h.with(s.Name, standing)
		servers[i] = catalog.Server{Lists: lists, Tools: exposed.Tools.Admits, Overrides: exposed.Overrides, AsSent: exposed.AsSent}
		servers[i].Name, servers[i].Prefix, servers[i].Aliases = s.Name, exposed.Prefix, exposed.Aliases
	}
	old := a.view.Load()
	if old == nil {
		old = &view{world: w, snapshot: &catalog.Snapshot{}}
	}
	v := a.look(w, policy.Client{}, catalog.Merge(w.names, servers), h)
	for _, warning := range v.snapshot.Warnings {
		if !slices.ContainsFunc(old.snapshot.Warnings, sameText(warning)) {
			a.log.Warn().Err(warning).Msg("merging lists")
		}
	}
	for k, l := range v.lists {
		if !l.adopt(old.lists[k]) {
			changed = true
		}
	}
	if w.policy.LooksAtClient() || w.perHost() {
		v.clients = &clientViews{}
	}
	if v.clients != nil || old.clients != nil {
		changed = true // each session finds out for itself
	}
	a.tellExposure(v, old)
	a.view.Store(v)
	return changed
}

func sameText(a error) func(error) bool {
	return func(b error) bool { return a.Error() == b.Error() }
}

// look applies the policy to a snapshot. weir's own tools stand behind the
// servers'.
func (a *Aggregator) look(w *world, client policy.Client, snapshot *catalog.Snapshot, h held) *view {
	v := &view{world: w, client: client, able: a.abilities(), learned: a.learned, snapshot: snapshot, held: h, shown: make(map[string]bool, len(w.servers))}
	for k := range catalog.Kind(catalog.Kinds) {
		l := &viewedList{kind: k}
		for _, route := range snapshot.Routes(k) {
			if !v.listed(route) {
				continue
			}
			v.shown[route.Server] = true
			if !h.withholds(route) {
				l.add(route)
			}
		}
		v.lists[k] = l
	}
	v.wanting = v.wantingLogin(v.shown)
	v.able[wanted] = len(v.wanting) > 0
	v.able[searching] = w.exposure != ExposeAll || w.maxTools > 0
	for _, s := range w.servers {
		if v.mayShow(s) {
			v.shown[s.Name] = true
		}
	}
	for _, name := range snapshot.Sharers() {
		if v.shown[name] {
			v.sharers = append(v.sharers, name)
		}
	}
	v.expose()
	return v
}

// mayShow reports whether a server is there for the principal, whatever it lists.
// Of what one might list that was never asked nothing is known.
func (v *view) mayShow(s *server) bool {
	if lists := s.current(); lists == nil || !lists.Known() {
		return true
	}
	return v.present(s.Name)
}

// claims are the capabilities that hosts are told of. weir's own tools are tools
// too.
func (v *view) claims() catalog.Claims {
	claims := v.snapshot.Claims(v.shows)
	claims.Tools = claims.Tools || len(v.lists[catalog.Tools].own) > 0
	return claims
}

func (v *view) shows(server string) bool { return v.shown[server] }

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
