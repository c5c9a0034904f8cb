package aggregator

import (
	"bytes"
	"reflect"
	"slices"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
)

// This file puts a new world in the place of the old one while hosts are served.

// Changes are the servers that another configuration has changed, by name, in
// its order; those removed in the order of the old one.
type Changes struct {
	Added, Changed, Removed []string
}

// Reconfigure goes on with another configuration: its Servers, Names, Policy,
// Principal, Expose, MaxTools, MaxAge, Patience, Notice, MessageLimit and Audit; the rest of it stays as
// New was told. A server
// that is configured as before keeps its connection, its lists and its calls, be
// it exposed otherwise or not. One that is not any more, or otherwise, takes no
// more requests from now on; what it works on may go on for 30 s, and then it
// ends. Requests that were judged before are not judged again. Hosts are told of
// lists that have changed for them. What is written of a request that ends at this
// moment may still go to the Audit of before. The error is ErrClosed.
func (a *Aggregator) Reconfigure(cfg Config) (Changes, error) {
	a.shaping.Lock()
	defer a.shaping.Unlock()
	if a.ctx.Err() != nil {
		return Changes{}, ErrClosed
	}
	m := a.move(&cfg, nil)
	a.problem.Store(nil)
	a.settle(m, &cfg)
	return m.changes, nil
}

// settle puts the next world in place. The caller holds a.shaping.
func (a *Aggregator) settle(m *move, cfg *Config) {
	wanted := a.welcome(m)
	before := a.view.Load().snapshot
	a.world.Store(m.world(cfg))
	a.setMessageLimits()
	if a.setSnapshot() {
		a.pushes.soon()
	}
	a.refollow(before, m.successors)
	if a.opened.Load() {
		for _, s := range m.fresh {
			s.up.ConnectIfEager()
		}
	}
	for _, s := range wanted {
		s.refresh(everyKind)
	}
	for s := range m.successors {
		s.cancel()
		s.up.Leave()
		a.spawn(func() { a.drain(s) })
	}
}

// setMessageLimits sets those that another configuration may have changed: for
// hosts at once, for servers with their next connection.
func (a *Aggregator) setMessageLimits() {
	w := a.world.Load()
	for i, s := range w.servers {
		s.up.SetMessageLimit(w.exposed[i].MessageLimit)
	}
	for _, s := range a.sessionList() {
		if r := s.reader.Load(); r != nil {
			r.SetLimit(w.limit)
		}
	}
}

// NoteProblem says why a configuration that was to be taken is not: weir__servers
// tells it until there is one that is.
func (a *Aggregator) NoteProblem(text string) { a.problem.Store(&text) }

// A move is the way from one world to the next.
type move struct {
	from    *world
	servers []*server // of the next world
	fresh   []*server // those of them that are new

	// successors are the servers that leave, each with the one that takes its
	// name; nil for none.
	successors map[*server]*server

	changes Changes
}

// move finds out who stays, and makes who comes. ending does not stay, whatever is
// configured; nil for none.
func (a *Aggregator) move(cfg *Config, ending *server) *move {
	m := &move{from: a.world.Load(), successors: make(map[*server]*server)}
	for _, s := range m.from.servers {
		m.successors[s] = nil
	}
	for i := range cfg.Servers {
		next := &cfg.Servers[i]
		old := m.from.byName[next.Name]
		if old != nil && old != ending && old.stays(next) {
			delete(m.successors, old)
			m.servers = append(m.servers, old)
			continue
		}
		s := newServer(a, next, a.set.Add(next.upstream()))
		m.servers, m.fresh = append(m.servers, s), append(m.fresh, s)
		if old == nil {
			m.changes.Added = append(m.changes.Added, s.Name)
			continue
		}
		m.successors[old] = s
		s.tally = old.tally
		s.tally.inherit(old.up.Tally())
		m.changes.Changed = append(m.changes.Changed, s.Name)
	}
	for _, s := range m.from.servers {
		if successor, leaves := m.successors[s]; leaves && successor == nil {
			m.changes.Removed = append(m.changes.Removed, s.Name)
		}
	}
	return m
}

// stays reports whether a server can go on as it is: what is configured
// otherwise, if anything, is no more than how it is exposed.
func (s *server) stays(next *Server) bool {
	if !s.Server.Config.Same(next.Config) {
		return false
	}
	old, fresh := reflect.ValueOf(*s.Server), reflect.ValueOf(*next)
	for i := range old.NumField() {
		if slices.Contains(exposure, old.Type().Field(i).Name) {
			continue
		}
		if !reflect.DeepEqual(old.Field(i).Interface(), fresh.Field(i).Interface()) {
			return false
		}
	}
	return true
}

// exposure are the fields of a Server that say how it is exposed: those that the
// world's own copy is asked for. Config is compared by itself.
var exposure = []string{"Config", "Prefix", "Aliases", "Tools", "Overrides", "Validate", "AsSent"}

// world makes the next world. Who leaves is known to it until nothing is left of
// it: an upstream that is closed for calls may still read what its server says.
func (m *move) world(cfg *Config) *world {
	w := newWorld(cfg, m.servers)
	for up, s := range m.from.owners {
		if !s.gone.Load() {
			w.owners[up] = s
		}
	}
	return w
}

// welcome gives the new servers what is known of them, and returns those that
// are to be asked for their lists. Before the first host they all have time.
func (a *Aggregator) welcome(m *move) (wanted []*server) {
	if !a.opened.Load() {
		return nil
	}
	wanted, _ = a.load(m.fresh)
	for old, s := range m.successors {
		if s != nil && s.current() == nil && bytes.Equal(old.Identity, s.Identity) {
			s.keepStored(old.current())
		}
	}
	if level := a.mostVerbose(); level != noLevel {
		for _, s := range m.fresh {
			s.log(level, func() {})
		}
	}
	return wanted
}

// leaveTime is how long a server that has left may go on with its calls.
const leaveTime = 30 * time.Second

// drain ends a server that has left when its calls have ended.
func (a *Aggregator) drain(s *server) {
	limit := time.NewTimer(leaveTime)
	defer limit.Stop()
	for over := false; !over && a.works(s); {
		select {
		case <-s.freed:
		case <-limit.C:
			over = true
		case <-a.ctx.Done():
			return
		}
	}
	a.set.Remove(s.up)
	s.gone.Store(true)
	for _, session := range a.sessionList() {
		session.forget(s)
	}
	a.log.Info().Str("upstream", s.Name).Msg("server has left")
}

// works reports whether a call of any host is with the server.
func (a *Aggregator) works(s *server) bool {
	for _, session := range a.sessionList() {
		if session.uses(s) {
			return true
		}
	}
	return false
}

func (s *session) uses(server *server) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.calls.all() {
		if c.server == server {
			return true
		}
	}
	for _, c := range s.parked {
		if c.server == server {
			return true
		}
	}
	return false
}

// free is called when a call has ended that may have been the server's, which
// may be nil.
func (s *server) free() {
	if s == nil || s.ctx.Err() == nil {
		return
	}
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// forget drops what the session knows of a server that has left.
func (s *session) forget(of *server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.shares, of)
	for id, asker := range s.hostTasks {
		if asker == of {
			delete(s.hostTasks, id)
		}
	}
}

// refollow makes what hosts follow fit the present view: of what has gone to
// another server of that name, that one is to tell; of what is not there for them
// any more they hear this last word. before is how URIs were exposed until now.
func (a *Aggregator) refollow(before *catalog.Snapshot, successors map[*server]*server) {
	follow := func(v *view, f followed) (followed, bool) {
		if successor, leaves := successors[f.server]; leaves {
			f.server = successor
		}
		switch {
		case f.server == nil:
			return f, false
		case f.task:
			return f, v.present(f.server.Name)
		}
		return f, v.readable(f.server.Name, f.name)
	}
	var dropped, moved []followed
	for _, s := range a.sessionList() {
		v := s.view()
		d, m := s.refollow(before, func(f followed) (followed, bool) { return follow(v, f) })
		dropped, moved = append(dropped, d...), append(moved, m...)
	}
	a.unfollowAll(dropped)
	for _, f := range moved {
		a.followAgain(f)
	}
}

// followAgain makes the server tell what its predecessor was to tell.
func (a *Aggregator) followAgain(f followed) {
	switch {
	case !a.follow(f):
	case f.task:
		f.server.up.WatchTask(f.name, func(bool) {})
	default:
		a.tell(f, resourceSubscribe, &insistent{a, f}) // which announces it too
	}
}

// refollow replaces what the host follows by what follow says of it, and has it
// told of what it follows no more. It returns that, and what it follows now.
func (s *session) refollow(before *catalog.Snapshot, follow func(followed) (followed, bool)) (dropped, moved []followed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := func(f followed, subscription []byte) (followed, bool) {
		now, still := follow(f)
		if now != f || !still {
			dropped = append(dropped, f)
		}
		if now != f && still {
			moved = append(moved, now)
		}
		if !still {
			s.tellLost(before, f, subscription)
		}
		return now, still
	}
	following := make(map[followed]bool, len(s.following))
	for f := range s.following {
		if now, still := one(f, nil); still {
			following[now] = true
		}
	}
	s.following = following
	for _, l := range s.listeners {
		var follows []followed
		for _, f := range l.follows {
			if now, still := one(f, l.id); still {
				follows = append(follows, now)
			}
		}
		l.follows = follows
	}
	return dropped, moved
}
