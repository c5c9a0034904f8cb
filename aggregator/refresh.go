package aggregator

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
)

// server is one upstream and what it lists. One goroutine at most refreshes
// its list; what asks for it in the meantime makes it ask once more.
type server struct {
	*Server
	a  *Aggregator
	up *upstream.Upstream

	mu         sync.Mutex
	level      logLevel         // that it was told to log from
	tasks      map[string]*call // those that weir waits for the end of, by the server's ids
	lists      *catalog.Lists   // nil if it was never tried
	refreshing bool
	again      bool
	failures   int // in a row; of the goroutine that refreshes

	tried       chan struct{} // closed with the outcome of the first try
	once        sync.Once     // closes tried
	reconnected chan struct{} // holds one token when a retry need not wait
}

// quiet is how long a list is left alone after it was refreshed, so that a
// server that announces changes without end is asked at that pace.
const quiet = 100 * time.Millisecond

// The pauses after failures that do not say themselves how long to wait.
const (
	firstRetry = 5 * time.Second
	lastRetry  = 5 * time.Minute
)

func newServer(a *Aggregator, cfg *Server) *server {
	return &server{
		Server: cfg, a: a, up: a.set.Get(cfg.Name), level: noLevel, tasks: make(map[string]*call),
		tried: make(chan struct{}), reconnected: make(chan struct{}, 1),
	}
}

func (s *server) current() *catalog.Lists {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists
}

// speaks reports whether the server is known to speak this era.
func (s *server) speaks(modern bool) bool {
	l := s.current()
	return l != nil && l.Known() && l.Modern == modern
}

func (s *server) keep(l *catalog.Lists) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists = l
}

// load takes the lists of all servers from the disk. It returns the servers
// that are to be asked for theirs now, and those of them that were never tried.
func (a *Aggregator) load() (wanted, untried []*server) {
	keys := make([]catalog.Key, len(a.servers))
	for i, s := range a.servers {
		keys[i] = s.key()
	}
	for i, found := range a.cfg.Store.LoadAll(keys, a.variant, time.Now()) {
		s := a.servers[i]
		if found.Err != nil {
			a.log.Warn().Err(found.Err).Str("upstream", s.Name).Msg("stored list is ignored")
		}
		s.keep(found.Lists)
		if found.Lists != nil && found.Lists.Known() && found.Exact {
			s.up.Remember(found.Lists.Modern)
		}
		if !s.wantsList(found) {
			continue
		}
		wanted = append(wanted, s)
		if found.Lists == nil {
			untried = append(untried, s)
		}
	}
	a.setSnapshot()
	return wanted, untried
}

func (s *server) key() catalog.Key {
	return catalog.Key{Server: s.Name, Identity: s.Identity}
}

// wantsList reports whether the list is to be asked for now: there is none, or
// it is old, or was listed for another sort of host.
func (s *server) wantsList(found catalog.Found) bool {
	if !s.up.Usable() {
		return false
	}
	l := found.Lists
	if l == nil || !l.Known() || l.Failure.Failed() || !found.Exact {
		return true
	}
	return s.tooOld(l, 0)
}

// tooOld reports whether the list is older than the configuration allows, or
// the server's hint, which counts for least at least.
func (s *server) tooOld(l *catalog.Lists, least time.Duration) bool {
	age := time.Since(l.Tools.Fetched)
	return age < 0 || age > s.a.cfg.MaxAge || (l.Tools.Hinted && age > max(l.Tools.TTL, least))
}

// leastAge is how long a list is good while weir runs, whatever the server says:
// hosts ask again whenever they are told of a change.
const leastAge = time.Minute

// refreshOld asks again for the lists that have become too old. It does not wait
// for them.
func (a *Aggregator) refreshOld() {
	for _, s := range a.servers {
		if l := s.current(); l != nil && l.Known() && s.up.Usable() && s.tooOld(l, leastAge) {
			s.refresh()
		}
	}
}

// list asks the wanted servers for their lists, all at once, and lets the first
// list wait for those that have never been tried.
func (a *Aggregator) list(wanted, untried []*server) {
	for _, s := range wanted {
		s.refresh()
	}
	if len(untried) == 0 {
		close(a.whole)
		return
	}
	a.spawn(func() { a.waitForFirst(untried) })
}

func (a *Aggregator) waitForFirst(untried []*server) {
	defer close(a.whole)
	patience := time.NewTimer(a.cfg.Patience)
	defer patience.Stop()
	for _, s := range untried {
		select {
		case <-s.tried:
		case <-patience.C:
			return
		case <-a.ctx.Done():
			return
		}
	}
}

// changed is the server's own word that its list has changed.
func (s *server) changed() { s.refresh() }

// connected lists once for each connection, unless that is what it was made
// for.
func (s *server) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.refreshing {
		s.ask()
		return
	}
	select {
	case s.reconnected <- struct{}{}:
	default:
	}
}

// refresh asks for the list on a goroutine of its own.
func (s *server) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refreshing {
		s.again = true
		return
	}
	s.ask()
}

// ask starts the goroutine. The caller holds s.mu.
func (s *server) ask() {
	s.refreshing = true
	s.a.spawn(s.keepAsking)
}

// keepAsking refreshes until it has succeeded and nothing has changed since. A
// server that refuses the credentials is not asked again.
func (s *server) keepAsking() {
	for {
		list, err := s.up.ListTools(s.a.ctx)
		if s.a.ctx.Err() != nil {
			return
		}
		s.reconnectedSince()
		told := s.take(list, err)
		s.once.Do(func() { close(s.tried) })
		if told != nil {
			s.store(told)
		}
		if !s.waitForMore(err) {
			return
		}
	}
}

// reconnectedSince reports whether there was a new connection since it was asked
// last. What a try to list has connected by itself says nothing new: a server
// that ends whenever it is asked to list must not be started again and again
// without a pause.
func (s *server) reconnectedSince() bool {
	select {
	case <-s.reconnected:
		return true
	default:
		return false
	}
}

// waitForMore waits a while and reports whether to ask again: because the last
// try failed, a change was announced, or there is a new connection. That one
// ends the pause after a failure.
func (s *server) waitForMore(failure error) bool {
	retry := failure != nil && !refusesCredentials(failure)
	pause, early := quiet, (chan struct{})(nil)
	if retry {
		pause, early = s.retryPause(failure), s.reconnected
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-s.a.ctx.Done():
		return false
	case <-timer.C:
	case <-early:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	more := s.reconnectedSince() || s.again || retry
	s.again, s.refreshing = false, more
	return more
}

func refusesCredentials(err error) bool {
	f, ok := errors.AsType[upstream.Failure](err)
	return ok && (f.Kind() == upstream.KindAuthentication || f.Kind() == upstream.KindAuthorization)
}

// retryPause is how long to wait after a failure before asking again: as long
// as the upstream does, else twice as long each time.
func (s *server) retryPause(err error) time.Duration {
	if failure, ok := errors.AsType[upstream.Failure](err); ok && failure.Detail().RetryAfter > 0 {
		return failure.Detail().RetryAfter
	}
	if retry := s.up.Status().Retry; time.Until(retry) > 0 {
		return time.Until(retry)
	}
	return min(firstRetry<<min(s.failures-1, 10), lastRetry)
}

// take takes over the outcome of a try and lets the hosts know what is new to
// them. It returns what is to be stored, nil for nothing.
func (s *server) take(list upstream.List, err error) *catalog.Lists {
	if err != nil {
		return s.failed(err)
	}
	s.failures = 0
	told := &catalog.Lists{
		Version:      list.Facts.Version,
		Modern:       list.Facts.Modern,
		ServerInfo:   list.Facts.ServerInfo,
		Capabilities: list.Facts.Capabilities,
		Instructions: list.Facts.Instructions,
		Tools: catalog.List{
			Items: s.items(list.Items), Fetched: time.Now(),
			TTL: list.TTL, Hinted: list.HasTTL, Scope: list.Scope,
		},
	}
	s.keep(told)
	if s.a.setSnapshot() {
		s.a.pushes.soon()
	}
	return told
}

// items leaves out definitions that are of no use, each by itself.
func (s *server) items(raw [][]byte) []catalog.Item {
	items := make([]catalog.Item, 0, len(raw))
	for _, r := range raw {
		item, err := catalog.ParseItem(catalog.Tools, r)
		if err != nil {
			s.a.log.Warn().Err(err).Str("upstream", s.Name).Msg("tool left out")
			continue
		}
		items = append(items, item)
	}
	return slices.Clip(items)
}

// failed notes the failure beside the lists of an earlier success. Those may be
// of another variant, so that the failure alone is to be stored.
func (s *server) failed(err error) *catalog.Lists {
	s.failures++
	failure := catalog.Failure{Kind: string(upstream.KindProtocol), Text: "the server refused to list its tools", At: time.Now()}
	if f, ok := errors.AsType[upstream.Failure](err); ok {
		failure.Kind, failure.Text = string(f.Kind()), f.Detail().Text
	}
	s.a.log.Debug().Err(err).Str("upstream", s.Name).Msg("listing failed")
	var lists catalog.Lists
	if old := s.current(); old != nil {
		lists = *old
	}
	known := lists.Failure
	lists.Failure = failure
	s.keep(&lists)
	if known.Kind == failure.Kind && known.Text == failure.Text {
		return nil
	}
	return &catalog.Lists{Failure: failure}
}

// store keeps what the server told for the next start.
func (s *server) store(l *catalog.Lists) {
	ctx, cancel := context.WithTimeout(s.a.ctx, saveTime)
	defer cancel()
	if err := s.a.cfg.Store.Save(ctx, s.key(), s.a.variant, l, time.Now()); err != nil {
		s.a.log.Warn().Err(err).Str("upstream", s.Name).Msg("list is not stored")
	}
}

// saveTime is how long storing a list may take.
const saveTime = 5 * time.Second
