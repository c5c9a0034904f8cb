package aggregator

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// session is one host on one byte stream.
type session struct {
	a      *Aggregator
	out    *jsonrpc.Writer
	reader atomic.Pointer[jsonrpc.Reader] // nil before run
	batch  jsonrpc.Batch                  // of the reader

	ctx    context.Context //nolint:containedctx // the life of the session itself
	cancel context.CancelCauseFunc
	behind sync.WaitGroup // goroutines of requests that wait for something

	approvals *approval.Session // nil: nothing can be approved

	declared atomic.Pointer[declared] // by initialize, which the reader alone handles
	client   atomic.Pointer[client]   // by initialize, or the latest modern request; written by the reader

	// Of the reader alone.
	message jsonrpc.Message
	request request
	meta    []jsonrpc.Member // room for a request's
	unread  int              // bytes of its answers since the host has left too much unread
	recent  recent

	spares spares

	mu        sync.Mutex
	calls     callTable // in flight; closed after the end
	begun     uint64    // calls so far
	held      share     // by all calls; their number is that of calls
	shares    map[*server]*share
	parked    map[handle]*call  // that wait for a modern host's answers
	putBy     int               // bytes of their results
	thinned   []*call           // whose progress waits for the host to read
	thinning  bool              // a goroutine waits for that
	asking    map[uint64]*asked // questions to a legacy host; nil after the end
	lastAsked uint64
	early     []earlyQuestion    // that wait for the host to be ready
	hostTasks map[string]*server // whose tasks the host works on
	level     logLevel           // that a legacy host has set
	following map[followed]bool  // what a legacy host has subscribed to
	listeners []*listener        // open subscriptions
	pushed    bool               // messages may be sent unasked: a legacy host is ready
	late      bool               // a goroutine waits for the host to read, to tell it of changes
	seen      [catalog.Kinds]sight
	rounds    map[round]time.Time // that approved calls may go on with, and until when
}

func newSession(a *Aggregator, out io.Writer) *session {
	s := &session{
		a: a, level: noLevel, parked: make(map[handle]*call), shares: make(map[*server]*share),
		asking: make(map[uint64]*asked), hostTasks: make(map[string]*server), following: make(map[followed]bool),
		rounds: make(map[round]time.Time), approvals: a.cfg.Approvals.NewSession(),
	}
	s.declared.Store(readDeclared(nil))
	s.client.Store(&client{})
	s.out = jsonrpc.NewWriter(newOutput(out, func(err error) { s.cancel(err) }, a.answered))
	return s
}

// view is what the host may see now.
func (s *session) view() *view {
	v := s.a.view.Load()
	if v.clients == nil {
		return v
	}
	return s.a.viewOf(v, s.client.Load().Client)
}

// run reads until the host or ctx ends, then gives up what is in flight. What
// was answered before is written, if the host takes it soon.
func (s *session) run(ctx context.Context, in io.Reader) error {
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	defer s.cancel(nil)
	stop := context.AfterFunc(s.ctx, func() { unblock(in) })
	r := jsonrpc.NewReader(in, upstream.DefaultMessageLimit, s.batch.Flush)
	s.reader.Store(r)
	r.SetLimit(s.a.world.Load().limit) // after it is there for who sets another one
	err := s.read(r)
	stop()
	if s.ctx.Err() != nil {
		err = context.Cause(s.ctx)
	}
	if err != nil {
		s.endListeners()
	}
	s.cancel(err)
	s.giveUp()
	s.behind.Wait()
	return err
}

// unblock ends a read that waits. A file of a pipe has deadlines; others are
// closed.
func unblock(in io.Reader) {
	if d, ok := in.(interface{ SetReadDeadline(time.Time) error }); ok {
		if d.SetReadDeadline(time.Unix(0, 1)) == nil {
			return
		}
	}
	if c, ok := in.(io.Closer); ok {
		_ = c.Close() // there is nothing else to do
	}
}

// read takes lines until the stream ends. A host that writes what is no
// message is told, and read on.
func (s *session) read(r *jsonrpc.Reader) error {
	for {
		line, err := r.Next()
		tooLong, ok := errors.AsType[*jsonrpc.LineTooLongError](err)
		switch {
		case s.ctx.Err() != nil:
			return context.Cause(s.ctx)
		case ok:
			s.recordUnreadable(0)
			s.refuse(&s.batch, tooLong.ID, codeInvalidRequest, "Invalid request: "+tooLong.Error())
		case errors.Is(err, io.EOF):
			s.batch.Flush()
			return nil
		case err != nil:
			return err
		default:
			s.line(line)
			if len(line) >= jsonrpc.Large {
				s.message = jsonrpc.Message{} // it would keep the line while the host is silent
			}
		}
	}
}

func (s *session) line(line []byte) {
	err := s.message.Parse(line)
	switch {
	case err == nil:
		s.dispatch(&s.message)
	case errors.Is(err, jsonrpc.ErrBatch):
		s.splitBatch(line)
	default:
		s.unusable(err)
	}
}

// Bounds of a batch: a line of empty elements would fill many times its own
// memory.
const (
	maxBatchBytes = 4 << 20
	maxBatch      = 1000
)

// splitBatch takes a legacy batch apart (2025-03-26, basic, batching): each
// message is answered by itself.
func (s *session) splitBatch(line []byte) {
	var elements [][]byte
	if s.declared.Load().version != "" && len(line) <= maxBatchBytes {
		elements, _ = jsonrpc.ParseArray(nil, line) // it has just been scanned
	}
	if len(elements) == 0 || len(elements) > maxBatch {
		s.recordUnreadable(len(line))
		s.refuse(&s.batch, nil, codeInvalidRequest, "Invalid request: a batch like this is not accepted here, send one message a line")
		return
	}
	for _, element := range elements {
		if err := s.message.Parse(element); err != nil {
			s.unusable(err)
			continue
		}
		s.dispatch(&s.message)
	}
}

// unusable refuses what s.message should be and is not, by its id if one can be
// found.
func (s *session) unusable(err error) {
	s.a.log.Debug().Err(err).Msg("host wrote what is no message")
	s.recordUnreadable(len(s.message.Raw))
	if _, ok := errors.AsType[*jsonrpc.SyntaxError](err); ok {
		s.refuse(&s.batch, jsonrpc.FindID(s.message.Raw), codeParse, "Parse error: "+err.Error())
		return
	}
	why := err.Error()
	if invalid, ok := errors.AsType[*jsonrpc.InvalidError](err); ok {
		why = invalid.What
	}
	s.refuse(&s.batch, s.message.ID, codeInvalidRequest, "Invalid request: "+why)
}

func (s *session) dispatch(m *jsonrpc.Message) {
	switch m.Kind {
	case jsonrpc.Request:
		s.take(m)
	case jsonrpc.Notification:
		s.notification(m)
	case jsonrpc.Response, jsonrpc.Failure:
		s.answered(m)
	case jsonrpc.Invalid: // never comes here
	}
}

func (s *session) notification(m *jsonrpc.Message) {
	switch string(m.Method) {
	case "notifications/cancelled":
		s.cancelRequest(m)
	case "notifications/initialized":
		s.mu.Lock()
		s.pushed = s.declared.Load().version != ""
		s.mu.Unlock()
		s.relayEarly()
		s.a.pushes.soon() // the host may have asked for the list already
	case "notifications/progress":
		s.hostProgress(m)
	case "notifications/roots/list_changed":
		s.rootsChanged(m)
	}
}

// ready reports whether the host is a legacy one that may be sent what it has
// not asked for.
func (s *session) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pushed
}

// rootsChanged tells the servers with a handshake. Modern ones ask when they
// want to know.
func (s *session) rootsChanged(m *jsonrpc.Message) {
	if !s.declared.Load().roots {
		return
	}
	params := []byte("{}")
	if isObject(m.Params) {
		params = slices.Clone(m.Params)
	}
	for _, server := range s.a.world.Load().servers {
		if !server.Questions.NoRoots {
			server.up.Notify("notifications/roots/list_changed", params)
		}
	}
}

// cancelRequest ends a request as the host wishes: it gets no answer
// (2025-11-25, cancellation). One that is unknown or answered already is not an
// error.
func (s *session) cancelRequest(m *jsonrpc.Message) {
	id := jsonrpc.Find(m.Fields, "requestId")
	if id == nil {
		return
	}
	key := keyOf(id)
	if s.closeListener(key) {
		return
	}
	s.mu.Lock()
	c := s.calls.at(key)
	if c != nil {
		c.leaveTable()
		c.letGo()
	}
	s.mu.Unlock()
	if c != nil {
		c.recordCancelled()
		c.giveUp(jsonrpc.Find(m.Fields, "reason"))
	}
}

// drainTime is how long what is answered already may take to be written when
// the host has gone.
const drainTime = 200 * time.Millisecond

// giveUp ends everything in flight; nobody is answered any more.
func (s *session) giveUp() {
	s.mu.Lock()
	calls := slices.AppendSeq(slices.Collect(s.calls.all()), maps.Values(s.parked))
	asking, early := s.asking, s.early
	follows := slices.Collect(maps.Keys(s.following))
	for _, l := range s.listeners {
		follows = append(follows, l.follows...)
	}
	s.calls, s.parked, s.asking = callTable{closed: true}, nil, nil
	s.listeners = nil
	s.mu.Unlock()
	s.a.unfollowAll(follows)
	for _, c := range calls {
		c.recordCancelled()
		c.giveUp(nil)
	}
	s.a.world.Load().audit.Flush()
	for _, a := range asking {
		a.gone()
	}
	for _, e := range early {
		e.q.Refuse(nil, codeInternal, errHostGone.Error())
	}
	s.out.CloseWithin(drainTime)
}

// peer is the host as upstreams are told.
func (s *session) peer(r *request) upstream.Peer {
	d := s.declares(r)
	p := upstream.Peer{Modern: r.modern, Version: r.version, Capabilities: d.forHandshake(!r.modern)}
	if !r.modern {
		p.Version = d.version
	}
	return p
}
