package aggregator

import (
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
)

// load takes the lists of these servers from the disk. It returns those that are
// to be asked for theirs now, and those of them that were never tried.
func (a *Aggregator) load(servers []*server) (wanted, untried []*server) {
	stored := make([]catalog.Wanted, len(servers))
	for i, s := range servers {
		stored[i] = catalog.Wanted{Key: s.key(), Variant: s.variant()}
	}
	for i, found := range a.cfg.Store.LoadAll(stored, time.Now()) {
		s := servers[i]
		if found.Err != nil {
			a.log.Warn().Err(found.Err).Str("upstream", s.Name).Msg("stored lists are ignored")
		}
		s.keepStored(found.Lists)
		if found.Lists != nil && found.Lists.Known() && found.Exact {
			s.up.Remember(found.Lists.Modern)
		}
		if !s.wantsLists(found) {
			continue
		}
		wanted = append(wanted, s)
		if found.Lists == nil {
			untried = append(untried, s)
		}
	}
	return wanted, untried
}

func (s *server) key() catalog.Key {
	return catalog.Key{Server: s.Name, Identity: s.Identity}
}

// variant is the sort of host that the server is told of.
func (s *server) variant() catalog.Variant {
	v := s.a.variant
	v.Capabilities = string(upstream.Withhold([]byte(v.Capabilities), s.Questions.withheld()))
	return v
}

// wantsLists reports whether the lists are to be asked for now: one is not there,
// or is old, or they were told for another sort of host.
func (s *server) wantsLists(found catalog.Found) bool {
	if !s.up.Usable() {
		return false
	}
	l := found.Lists
	if l == nil || !l.Known() || l.Failure.Failed() || !found.Exact {
		return true
	}
	for k := range catalog.Kind(catalog.Kinds) {
		if s.tooOld(l.Of(k), 0) {
			return true
		}
	}
	return false
}

// tooOld reports whether a list is older than the configuration allows, or the
// server's hint, which counts for least at least.
func (s *server) tooOld(l *catalog.List, least time.Duration) bool {
	age := time.Since(l.Fetched)
	return age < 0 || age > s.a.world.Load().maxAge || (l.Hinted && age > max(l.TTL, least))
}

// leastAge is how long a list is good while weir runs, whatever the server says:
// hosts ask again whenever they are told of a change.
const leastAge = time.Minute

// refreshOld asks again for the lists of a kind that have become too old. It does
// not wait for them. One that was never told is asked for anyway, at the pace of
// what fails.
func (a *Aggregator) refreshOld(k catalog.Kind) {
	for _, s := range a.world.Load().servers {
		l := s.current()
		if l != nil && !l.Of(k).Fetched.IsZero() && s.up.Usable() && s.tooOld(l.Of(k), leastAge) {
			s.refresh(only(k))
		}
	}
}

// list asks the wanted servers for their lists, all at once, and lets the first
// list wait for those that have never been tried.
func (a *Aggregator) list(wanted, untried []*server) {
	for _, s := range wanted {
		s.refresh(everyKind)
	}
	if len(untried) == 0 {
		close(a.whole)
		return
	}
	a.spawn(func() { a.waitForFirst(untried) })
}

func (a *Aggregator) waitForFirst(untried []*server) {
	defer close(a.whole)
	patience := time.NewTimer(a.world.Load().patience)
	defer patience.Stop()
	for _, s := range untried {
		select {
		case <-s.tried:
		case <-s.ctx.Done(): // it has left
		case <-patience.C:
			return
		case <-a.ctx.Done():
			return
		}
	}
}
