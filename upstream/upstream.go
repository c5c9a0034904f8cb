package upstream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// A State is where an upstream stands in its life.
type State string

// The states of an upstream.
const (
	Idle       State = "idle"        // not connected; the next call dials
	Connecting State = "connecting"  // dialling and shaking hands
	Ready      State = "ready"       // connected
	Backoff    State = "backoff"     // the last try failed; the next waits a while
	NeedsLogin State = "needs_login" // nothing is sent before somebody has logged in
	Failed     State = "failed"      // cannot be used as configured, or with the credentials there are
	Disabled   State = "disabled"    // switched off in the configuration
	Closed     State = "closed"      // weir is ending, or does without this server from now on
)

// Status is a moment in the life of an upstream.
type Status struct {
	State  State
	Since  time.Time
	Reason error     // why it is Backoff, NeedsLogin, Failed or Disabled; of Idle, why the last connection ended, of Connecting, why the last try failed; may be nil
	Retry  time.Time // of Backoff: when the next try may be; of NeedsLogin and Failed: not before then, whatever changes
	Facts  Facts     // of Ready

	// Failures are the tries to connect, and the connections, that came to nothing
	// in a row.
	Failures int
}

// An Upstream is one configured server and the connection to it. Its methods
// are safe for concurrent use.
type Upstream struct {
	cfg   Config
	set   *Set
	auth  authenticator
	log   zerolog.Logger
	noise noise

	ctx    context.Context //nolint:containedctx // the life of the Upstream itself
	cancel context.CancelFunc
	wait   sync.WaitGroup

	unasked sync.Once // a modern server that makes requests is logged once

	demand chan struct{} // holds a token when the supervisor is to look at wanted

	// The supervisor's own.
	ending <-chan struct{} // Done of the connection before
	lapses int             // connections in a row that held for a moment only
	rest   time.Duration   // how long to wait before a connection that nobody asks for
	stamp  string          // of the credentials that were tried last
	tried  uint64          // the epoch of them

	epoch   atomic.Uint64 // counts logins; written under mu or not
	largest atomic.Int64  // as SetMessageLimit

	mu       sync.Mutex
	status   Status
	tally    Tally
	conn     *connection    // of Ready
	waiting  []*Call        // to be sent when ready
	watchers []chan outcome // each gets the outcome of the present try to connect
	wanted   bool           // somebody wants a connection, waiting or not
	hint     *bool          // the era found last time: modern or not
	failures int            // in a row: no connection, or one that answered nothing
	gone     time.Time      // since when it cannot be used; zero if it never could not
	running  bool           // the supervisor has been started
	leaving  bool           // no more connections are made
	standing bool           // a lost connection is made again though nobody asks: eager, and not ended for want of use
	kept     kept

	refused  bool             // NeedsLogin or Failed: until there are other credentials
	renewed  bool             // there surely are
	refusals int              // in a row, without a connection that was of use
	looked   time.Time        // when it was last looked for other credentials
	stepUp   *auth.LoginError // what a call wanted since the last login
	attempt  *login.Attempt   // the login that was begun last
	held     time.Time        // no call is sent before then
}

func newUpstream(cfg Config, set *Set) *Upstream {
	cfg = cfg.withDefaults()
	u := &Upstream{
		cfg:    cfg,
		set:    set,
		log:    set.log.With().Str("upstream", cfg.Name).Logger(),
		demand: make(chan struct{}, 1),
		status: Status{State: Idle, Since: time.Now()},
	}
	u.auth = newAuthenticator(&u.cfg, set.auth)
	u.noise.log = u.log
	u.largest.Store(int64(cfg.MessageLimit))
	u.ctx, u.cancel = context.WithCancel(set.ctx)
	switch {
	case cfg.Disabled:
		u.status.State, u.gone = Disabled, u.status.Since
		u.status.Reason = ConfigurationError{&Fault{Server: cfg.Name, Text: "the server is switched off in the configuration"}}
	case cfg.Broken != nil:
		u.status.State, u.gone = Failed, u.status.Since
		u.status.Reason = ConfigurationError{&Fault{
			Server: cfg.Name, Err: cfg.Broken,
			Text: "the server cannot be used as configured",
			Hint: "`weir servers` says what is wrong.",
		}}
		u.log.Warn().Err(cfg.Broken).Msg("cannot be used as configured")
	}
	return u
}

// Name returns the configured name.
func (u *Upstream) Name() string { return u.cfg.Name }

// Config returns the configuration, with defaults filled in.
func (u *Upstream) Config() Config { return u.cfg }

// Usable reports whether the upstream could ever connect: it is neither
// switched off nor misconfigured.
func (u *Upstream) Usable() bool { return !u.cfg.Disabled && u.cfg.Broken == nil }

// Status returns the present state.
func (u *Upstream) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.statusNow()
}

// statusNow is Status for a caller that holds u.mu.
func (u *Upstream) statusNow() Status {
	s := u.status
	s.Failures = u.failures
	return s
}

// Remember gives the era that was spoken with this server last time, so that
// it is tried first and the probe spared. It changes nothing once connected.
func (u *Upstream) Remember(modern bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hint = &modern
}

// Do starts a call and returns at once; the outcome goes to its Sink, possibly
// before Do returns. Requests are written when b is flushed, with a nil b at
// once. If the upstream is not connected the call waits for that, at most for
// the connect timeout.
//
// A subscription to a resource, once accepted, holds over all connections, and
// sees to it that there is one, until it is given up. A modern server gets
// resources/subscribe and resources/unsubscribe as changes of the filter of its
// one subscription, and they are answered when that tells (2026-07-28,
// subscriptions).
func (u *Upstream) Do(b *jsonrpc.Batch, call *Call) {
	u.mu.Lock()
	if call.cancelled {
		u.mu.Unlock()
		return
	}
	if err := u.heldBack(); err != nil {
		u.mu.Unlock()
		call.done(b, Answer{Err: err})
		return
	}
	conn := u.conn
	call.conn = conn
	err, over := error(nil), false
	if conn == nil {
		if over = u.unsubscribed(call); !over {
			err = u.enqueue(call)
		}
	}
	u.mu.Unlock()
	switch {
	case over:
		call.done(b, emptyResult())
	case err != nil:
		call.done(b, Answer{Err: err})
	case conn != nil:
		u.send(b, conn, call)
	}
}

// send gives a call to a connection that is ready.
func (u *Upstream) send(b *jsonrpc.Batch, conn *connection, call *Call) {
	switch {
	case call.Resumes && !conn.modern():
		call.done(b, Answer{Err: u.cannotResume()})
	case call.Method == subscribeMethod, call.Method == unsubscribeMethod:
		u.sendSubscription(b, conn, call)
	default:
		u.transmit(b, conn, call)
	}
}

func (u *Upstream) transmit(b *jsonrpc.Batch, conn *connection, call *Call) {
	if conn.modern() && u.cfg.Transport == HTTP {
		call.keep() // its headers may be refused; see amend
	}
	err := conn.send(b, call)
	switch {
	case err == nil:
	case errors.Is(err, transport.ErrCongested):
		call.done(b, Answer{Err: u.failure(err)})
	default:
		u.again(b, call, conn, err)
	}
}

// dropConn stops using conn for new calls. The caller holds u.mu.
func (u *Upstream) dropConn(conn *connection) {
	if u.conn == conn {
		u.conn = nil
	}
}

// enqueue makes the call wait for a connection, or says why it cannot. The
// caller holds u.mu.
func (u *Upstream) enqueue(call *Call) error {
	if u.isProbed() {
		return u.probed()
	}
	if err := u.want(); err != nil {
		return err
	}
	call.keep()
	u.waiting = append(u.waiting, call)
	return nil
}

// refusal is why no connection is to be had now. The caller holds u.mu.
func (u *Upstream) refusal() error {
	if u.leaving {
		return u.closing()
	}
	switch u.status.State {
	case Failed, NeedsLogin:
		if !u.mayLook() {
			return u.dated(u.status.Reason)
		}
	case Disabled:
		return u.dated(u.status.Reason)
	case Closed:
		return u.closing()
	case Backoff:
		if wait := time.Until(u.status.Retry); wait > 0 {
			return u.letAlone(wait)
		}
	case Idle, Connecting, Ready:
	}
	return nil
}

// want asks the supervisor for a connection, and starts it for the first one,
// or says why none is to be had now. The caller holds u.mu.
func (u *Upstream) want() error {
	if err := u.refusal(); err != nil {
		return err
	}
	if !u.running {
		if u.running = u.set.run(u, u.supervise); !u.running {
			return u.closing()
		}
	}
	u.wanted = true
	poke(u.demand)
	return nil
}

// poke sees to it that there is a token in c, which has room for one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Connect connects if need be and returns what the server said of itself. The
// error is a Failure, or ctx's.
func (u *Upstream) Connect(ctx context.Context) (Facts, error) {
	u.mu.Lock()
	if u.conn != nil {
		defer u.mu.Unlock()
		return *u.conn.facts.Load(), nil
	}
	if err := u.want(); err != nil {
		u.mu.Unlock()
		return Facts{}, err
	}
	told := make(chan outcome, 1)
	u.watchers = append(u.watchers, told)
	u.mu.Unlock()
	select {
	case o := <-told:
		return o.facts, o.err
	case <-ctx.Done():
		return Facts{}, context.Cause(ctx)
	}
}

// outcome is what became of a try to connect.
type outcome struct {
	facts Facts
	err   error
}

// ConnectIfEager connects an upstream that is configured to be connected before
// anybody needs it, and sees to it from now on that it is. It waits for nothing.
func (u *Upstream) ConnectIfEager() {
	if !u.cfg.Eager || !u.Usable() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.standing = true
	if u.conn == nil {
		_ = u.want() // the status says why not
	}
}

// takeWaiting returns who waits for a connection; nobody wants one then. The
// caller holds u.mu.
func (u *Upstream) takeWaiting() ([]*Call, []chan outcome) {
	calls, watchers := u.waiting, u.watchers
	u.waiting, u.watchers, u.wanted = nil, nil, false
	return calls, watchers
}

// giveUp ends calls and watchers that no connection will be made for now.
func giveUp(calls []*Call, watchers []chan outcome, err error) {
	for _, call := range calls {
		call.done(nil, Answer{Err: err})
	}
	for _, w := range watchers {
		w <- outcome{err: err}
	}
}

// Cancel gives a call up, at any point of its life: one that was not given to
// Do yet will not be made, and one that has ended is left alone. The server is
// told if it has the call, with the host's raw reason if that is not nil.
func (u *Upstream) Cancel(call *Call, reason []byte) {
	u.mu.Lock()
	conn := call.conn
	id, tell := uint64(0), false
	if conn != nil {
		id, tell = conn.withdraw(call)
	} else {
		call.cancelled = true
		u.waiting = slices.DeleteFunc(u.waiting, func(c *Call) bool { return c == call })
	}
	if call.subscription != nil {
		call.subscription.leave(call, false)
	}
	u.mu.Unlock()
	if tell {
		conn.abandon(id, reason)
	}
}
