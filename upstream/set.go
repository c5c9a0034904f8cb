package upstream

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/process"
)

// A Handler learns what upstreams do by themselves. Its methods must not
// block, and are called from many goroutines.
type Handler interface {
	// Notification takes a notification of the server that is no call's progress
	// and no part of a subscription's own life. m is good until it returns. call
	// is the call on whose own stream it came, which may be one of weir's own;
	// nil where the transport cannot tell.
	Notification(u *Upstream, b *jsonrpc.Batch, m *jsonrpc.Message, call *Call)

	// StateChanged tells that Status has changed, except to Closed, or that somebody
	// has logged in while the upstream is Ready. Changes that follow one another
	// closely may be told late, or once.
	StateChanged(u *Upstream)

	// Question takes a request of the server to its client. It must be answered,
	// at any time.
	Question(b *jsonrpc.Batch, q *Question)

	// Withdrawn tells, once and after Question has returned, that nobody waits
	// for the answer any more: the server has cancelled the question, with the
	// raw reason if it gave one, or its connection is lost.
	Withdrawn(b *jsonrpc.Batch, q *Question, reason []byte)
}

// Options are what the upstreams of a Set share.
type Options struct {
	Name, Version string // of weir, for clientInfo
	Process       ProcessOptions
	Handler       Handler
	Log           zerolog.Logger

	// Auth keeps logins; nil where none is to be had, and only credentials that
	// stand in the configuration are used.
	Auth *auth.Keeper

	// InUse reports whether somebody uses an upstream though none of its
	// connection's calls is under way: a person is asked something between two
	// of them, say. It must not block; nil for nobody. See Config.IdleStop.
	InUse func(u *Upstream) bool

	// Dialers are further transports by their names, or others in place of
	// weir's own.
	Dialers map[string]Dialer
}

// ProcessOptions are what child processes are started with.
type ProcessOptions struct {
	Environ  []string          // weir's own environment, of which children get a part
	Weir     map[string]string // what weir tells its children about itself
	Guardian []string          // the command that runs weir as the guardian of its children
}

// A Set is all configured upstreams. It owns every goroutine and child process
// of theirs.
type Set struct {
	handler    Handler
	log        zerolog.Logger
	process    ProcessOptions
	clientInfo []byte // raw
	guardian   *process.Guardian
	finder     *process.Finder
	auth       *auth.Keeper
	dialers    map[string]dialer
	inUse      func(*Upstream) bool
	peer       atomic.Pointer[Peer]

	ctx    context.Context //nolint:containedctx // the life of the Set itself
	cancel context.CancelFunc

	mu     sync.Mutex
	all    []*Upstream          // those that leave among them
	byName map[string]*Upstream // without those
	closed bool
}

// NewSet makes the upstreams of cfgs, in that order. It starts nothing; close
// it all the same.
func NewSet(cfgs []Config, o Options) *Set {
	s := &Set{
		byName:  make(map[string]*Upstream, len(cfgs)),
		handler: o.Handler,
		log:     o.Log,
		process: o.Process,
		auth:    o.Auth,
		inUse:   o.InUse,
		clientInfo: object(
			jsonrpc.NewMember("name", quoted(o.Name)),
			jsonrpc.NewMember("version", quoted(o.Version)),
		),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.guardian = process.NewGuardian(o.Process.Guardian, func(err error) {
		s.log.Warn().Err(err).Msg("children have no guardian")
	})
	s.finder = process.NewFinder(s.guardian, o.Process.Environ)
	s.dialers = map[string]dialer{
		Stdio: plain(s.dialStdio), HTTP: dialHTTP, SSE: dialSSE, WebSocket: dialWebSocket, Custom: plain(s.dialCustom),
	}
	for name, d := range o.Dialers {
		s.dialers[name] = plain(d)
	}
	s.peer.Store(&Peer{Version: LatestLegacy})
	for _, cfg := range cfgs {
		s.Add(cfg)
	}
	return s
}

// Add makes one more upstream. It starts nothing. One of that name that is
// there still must be leaving.
func (s *Set) Add(cfg Config) *Upstream {
	u := newUpstream(cfg, s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, u)
	s.byName[cfg.Name] = u
	return u
}

// Get returns the upstream called name, or nil.
func (s *Set) Get(name string) *Upstream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byName[name]
}

// Open tells who the host is: connections made from now on are made for it.
// Eager upstreams connect.
func (s *Set) Open(p Peer) {
	s.peer.Store(&p)
	for _, u := range s.everyone() {
		u.ConnectIfEager()
	}
}

func (s *Set) everyone() []*Upstream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// Remove ends the connection of an upstream and its child process, in their own
// time, and returns when nothing is left of it. Calls still pending fail. It may
// be called again, and while the Set is closed.
func (s *Set) Remove(u *Upstream) {
	u.Leave()
	s.mu.Lock()
	u.cancel()
	s.mu.Unlock()
	u.wait.Wait()
	u.shut()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(other *Upstream) bool { return other == u })
	if s.byName[u.Name()] == u {
		delete(s.byName, u.Name())
	}
}

// run runs a part of u until its context ends. It reports whether it runs: not in
// a closed Set, nor once u is being removed.
func (s *Set) run(u *Upstream, part func(ctx context.Context)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || u.ctx.Err() != nil {
		return false
	}
	u.wait.Go(func() { part(u.ctx) })
	return true
}

// Close ends every connection and child process, all at once, and returns when
// nothing is left of them: after 2 s at the latest, when stubborn children are
// killed. Calls still pending fail.
func (s *Set) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	for _, u := range s.everyone() {
		u.wait.Wait()
		u.shut()
	}
	<-s.guardian.Close()
}
