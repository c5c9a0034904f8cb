package aggregator

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/redact"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/auth"
)

// server is one upstream and what it lists. Its Server is that of the world that
// it came with; how it is exposed another world may say otherwise. One goroutine at most refreshes
// its lists; what asks for some in the meantime makes it ask once more.
type server struct {
	*Server
	a  *Aggregator
	up *upstream.Upstream

	ctx    context.Context //nolint:containedctx // from the configuration that names it to one that does not
	cancel context.CancelFunc
	freed  chan struct{} // once it has left, holds a token when a call of it has ended
	gone   atomic.Bool   // nothing is left of it, so that no word of it can come any more

	samplings allowance // for what it asks the host's model
	work      allowance // for what hosts ask it
	places    places    // for what it works on at once
	redactor  *redact.Redactor
	desk      *desk // where its user logs in; nil for nowhere
	tally     *tally

	lists atomic.Pointer[catalog.Lists] // written under mu; nil if it was never tried

	mu         sync.Mutex
	level      logLevel         // that it was told to log from
	tasks      map[string]*call // those that weir waits for the end of, by the server's ids
	told       []string         // what of it the log knows to be cleaned
	refreshing bool
	due        kindSet // to be asked for once more
	failures   int     // in a row; of the goroutine that refreshes

	pinning    pinning
	comparison comparison // guarded by mu

	tried       chan struct{} // closed with the outcome of the first try
	once        sync.Once     // closes tried
	reconnected chan struct{} // holds one token when a retry need not wait
	urged       chan struct{} // holds one when somebody waits for it
}

// quiet is how long a list is left alone after it was refreshed, so that a
// server that announces changes without end is asked at that pace.
const quiet = 100 * time.Millisecond

// The pauses after failures that do not say themselves how long to wait.
const (
	firstRetry = 5 * time.Second
	lastRetry  = 5 * time.Minute
)

func newServer(a *Aggregator, cfg *Server, up *upstream.Upstream) *server {
	s := &server{
		Server: cfg, a: a, up: up, level: noLevel, tasks: make(map[string]*call), pinning: newPinning(),
		tried: make(chan struct{}), reconnected: make(chan struct{}, 1), urged: make(chan struct{}, 1), freed: make(chan struct{}, 1),
		tally: &tally{},
	}
	s.redactor = newRedactor(cfg.Redact)
	s.desk = newDesk(gateOf(up))
	s.ctx, s.cancel = context.WithCancel(a.ctx)
	return s
}

// current is what it is known to list; nil if it was never tried.
func (s *server) current() *catalog.Lists { return s.lists.Load() }

// speaks reports whether the server is known to speak this era.
func (s *server) speaks(modern bool) bool {
	l := s.current()
	return l != nil && l.Known() && l.Modern == modern
}

func (s *server) keep(l *catalog.Lists) {
	s.mu.Lock()
	s.lists.Store(l)
	s.mu.Unlock()
	if l != nil {
		s.tellCleaned(l)
	}
}

// A kindSet is some of the kinds of lists, one bit each.
type kindSet uint8

const everyKind kindSet = 1<<catalog.Kinds - 1

func only(k catalog.Kind) kindSet { return 1 << k }

func (s kindSet) has(k catalog.Kind) bool { return s&only(k) != 0 }

// changes are the notifications by which servers announce that lists of theirs
// have changed, and hosts are told.
var changes = [...]struct {
	method string
	filter string // the member of the filter of a subscription that asks for it
	kinds  kindSet
}{
	{"notifications/tools/list_changed", "toolsListChanged", only(catalog.Tools)},
	{"notifications/prompts/list_changed", "promptsListChanged", only(catalog.Prompts)},
	{"notifications/resources/list_changed", "resourcesListChanged", only(catalog.Resources) | only(catalog.Templates)},
}

// announced takes the server's own word that lists of it have changed. It reports
// false for other notifications.
func (s *server) announced(method []byte) bool {
	for i := range changes {
		if changes[i].method == string(method) {
			s.outdate(changes[i].kinds)
			s.refresh(changes[i].kinds)
			return true
		}
	}
	return false
}

// doubted is the suspicion that the server has dropped without a word what it was
// asked for, a thing of this kind. Resources come and go unlisted, so that of
// theirs nothing follows.
func (s *server) doubted(kind string) {
	switch kind {
	case "tool":
		s.refresh(only(catalog.Tools))
	case "prompt":
		s.refresh(only(catalog.Prompts))
	}
}

// connected lists once for each connection, unless that is what it was made
// for.
func (s *server) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.refreshing {
		s.ask(everyKind)
		return
	}
	offer(s.reconnected)
}

// offer sees to it that there is a token in c, which has room for one.
func offer(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// taken takes the token out of c, and reports whether there was one.
func taken(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// refresh asks for lists on a goroutine of its own.
func (s *server) refresh(kinds kindSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refreshing {
		s.due |= kinds
		return
	}
	s.ask(kinds)
}

// askLater has the goroutine that asks ask once more.
func (s *server) askLater(kinds kindSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due |= kinds
}

// ask starts the goroutine. The caller holds s.mu.
func (s *server) ask(kinds kindSet) {
	if s.ctx.Err() != nil {
		return
	}
	s.refreshing = true
	s.noteAsking(kinds)
	s.a.spawn(func() { s.keepAsking(kinds) })
}

// keepAsking refreshes until it has succeeded and nothing has changed since. A
// server that refuses the credentials is not asked again.
func (s *server) keepAsking(kinds kindSet) {
	for kinds != 0 {
		failed, connection, err := s.try(kinds)
		s.compareTold()
		s.showLogin() // before the first list, which some hosts never ask for again
		if s.ctx.Err() != nil {
			return
		}
		if taken(s.reconnected) {
			s.askLater(s.untold(kinds, connection))
		}
		s.once.Do(func() { close(s.tried) })
		s.noteTried()
		kinds = s.waitForMore(failed, err)
	}
}

// untold is what there is to ask for on the present connection, which was made
// while the server was asked for these kinds. A connection that the try has made
// itself says nothing new of them: a server that ends whenever it is asked to list
// must not be started again and again without a pause. One that was made since has
// told nothing yet.
func (s *server) untold(asked kindSet, connection time.Time) kindSet {
	switch now := s.connectedSince(); {
	case now.IsZero():
		return 0
	case now.Equal(connection):
		return everyKind &^ asked
	}
	return everyKind
}

// waitForMore waits a while and returns what to ask for again: what failed, what
// was announced to have changed, all if there is a new connection. That one ends
// the pause after a failure, and so does who waits for a list.
func (s *server) waitForMore(failed kindSet, failure error) (more kindSet) {
	if failure != nil && refusesCredentials(failure) {
		failed = 0
	}
	pause, early, urged := quiet, (chan struct{})(nil), (chan struct{})(nil)
	if failed != 0 {
		pause, early = s.retryPause(failure), s.reconnected
		if demandedPause(failure) == 0 {
			urged = s.urged
		}
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	reconnected := false
	select {
	case <-s.ctx.Done():
		return 0
	case <-timer.C:
	case <-urged:
	case <-early:
		reconnected = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	taken(s.urged)
	more = failed | s.due
	if taken(s.reconnected) || reconnected {
		more = everyKind
	}
	s.due, s.refreshing = 0, more != 0
	s.noteAsking(more)
	return more
}

// refusesCredentials reports whether only other credentials can help. Where the
// authorization server has no token just now, time can.
func refusesCredentials(err error) bool {
	if none, ok := errors.AsType[*auth.TokenError](err); ok && none.Temporary {
		return false
	}
	f, ok := errors.AsType[upstream.Failure](err)
	return ok && (f.Kind() == upstream.KindAuthentication || f.Kind() == upstream.KindAuthorization)
}

// demandedPause is how long to wait since the server said so, or its upstream; 0
// for as one likes.
func demandedPause(err error) time.Duration {
	if failure, ok := errors.AsType[upstream.Failure](err); ok {
		return failure.Detail().RetryAfter
	}
	return 0
}

// retryPause is how long to wait after a failure before asking again: as long
// as the upstream does, else twice as long each time.
func (s *server) retryPause(err error) time.Duration {
	if pause := demandedPause(err); pause > 0 {
		return pause
	}
	if retry := s.up.Status().Retry; time.Until(retry) > 0 {
		return time.Until(retry)
	}
	return min(firstRetry<<min(s.failures-1, 10), lastRetry)
}
