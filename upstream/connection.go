package upstream

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// Facts are what a server said of itself in the handshake.
type Facts struct {
	Modern       bool
	Version      string // the revision spoken
	Transport    string // that it is spoken over
	ServerInfo   []byte // raw; nil if it gave none
	Capabilities []byte // raw object
	Instructions string
}

// A connection correlates: it numbers the requests of one transport connection
// and gives each answer to its call. It lives from dial to loss.
type connection struct {
	u       *Upstream
	peer    *Peer          // for whom the connection is made
	t       transport.Conn // written before dialled is closed; nil if the dial failed
	dialled chan struct{}
	open    atomic.Bool           // dialled is closed and t is there, as isOpen has seen
	facts   atomic.Pointer[Facts] // what is spoken; final once the upstream is ready
	stale   chan struct{}         // holds one token when the handshake does not hold any more

	refusals chan refusal // holds one at most

	refilter chan struct{} // holds one token when what is wanted of the server has changed, or is still owed

	// Guarded by the upstream's mu.
	level        string // of log messages, as the server was told
	tellingLevel bool
	levelWaiters []func() // to be called when it is told
	owed         owed

	mu        sync.Mutex
	lastID    uint64
	pending   jsonrpc.Pending[Call] // whoever takes a call out ends it
	ended     bool                  // nothing is sent any more
	useful    bool                  // it has answered a call
	questions map[string]*Question  // those that are open, by raw id
	asked     int                   // the bytes of them
	asking    int                   // those of them that belong to no one call

	streams []*stream // subscriptions that are open
	deaf    bool      // no subscription is opened any more
	hears   bool      // a subscription has told since the connection began, or is taken to
	early   []string  // until then: the methods of the lists that were asked for

	// holding are the pending calls that are held, with their ids here: when one
	// is looked for, it may be at another connection, and its own id another.
	holding map[*Call]uint64

	lasting     map[uint64]*Call // answered with a task, their progress goes on
	lastingAges []uint64         // the ids of them, oldest first

	drained chan struct{} // closed when ended and nothing is pending
	timer   *time.Timer   // fires at armed or never; see deadlines.go
	armed   time.Time

	used time.Time // when somebody used it last; see idle.go
}

// errEnded is why a request cannot be sent on a connection that is lost: it was
// surely not sent.
var errEnded = errors.New("connection has ended")

func newConnection(u *Upstream) *connection {
	c := &connection{
		u:       u,
		peer:    u.set.peer.Load(),
		dialled: make(chan struct{}),
		stale:   make(chan struct{}, 1),

		refusals: make(chan refusal, 1),
		refilter: make(chan struct{}, 1),

		drained: make(chan struct{}),
	}
	c.facts.Store(&Facts{Version: LatestLegacy})
	return c
}

func (c *connection) modern() bool { return c.facts.Load().Modern }

// send numbers the call and hands it to the transport. An error means that
// nothing was sent and the call is not pending.
func (c *connection) send(b *jsonrpc.Batch, call *Call) error {
	c.mu.Lock()
	if c.ended || call.cancelled {
		defer c.mu.Unlock()
		if call.cancelled {
			return nil
		}
		return errEnded
	}
	id := c.enroll(call, b.Now())
	c.noteListing(call)
	c.mu.Unlock()

	w := newComposer()
	err := c.t.Send(b, w.request(c, call, id))
	w.release()
	return c.noteSent(call, id, err)
}

// enroll numbers the call, of which the time begins, and makes it pending. The
// caller holds c.mu.
func (c *connection) enroll(call *Call, now time.Time) (id uint64) {
	c.lastID++
	call.id, call.sent, call.held = c.lastID, false, false
	c.pending.Add(c.lastID, call)
	c.watch(call, now)
	return c.lastID
}

// noteSent opens the call to cancellation. One that was cancelled while it was
// being sent is cancelled now. It returns err if that is for the caller to
// deal with: the call may have ended otherwise, and may be anywhere by now.
func (c *connection) noteSent(call *Call, id uint64, err error) error {
	c.mu.Lock()
	if c.pending.At(id) != call {
		c.mu.Unlock()
		return nil
	}
	call.sent = err == nil
	cancelled := call.cancelled
	if err != nil || cancelled {
		c.remove(id)
	}
	c.mu.Unlock()
	switch {
	case !cancelled:
		return err
	case err == nil:
		c.abandon(id, nil)
	}
	return nil
}

// withdraw notes that the call was cancelled. It reports the id by which the
// server is to be told, if it has the call: one that is being sent right now
// is left to noteSent. The caller holds u.mu.
func (c *connection) withdraw(call *Call) (id uint64, tell bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call.cancelled = true
	if c.pending.At(call.id) != call || !call.sent && !call.held {
		return 0, false
	}
	c.remove(call.id)
	return call.id, call.sent
}

// abandon tells the server that nobody waits for a request any more, with the
// raw reason if there is one (2025-11-25, basic, cancellation).
func (c *connection) abandon(id uint64, reason []byte) {
	if !c.t.Abandon(id) {
		return
	}
	members := []jsonrpc.Member{jsonrpc.NewMember("requestId", strconv.AppendUint(nil, id, 10))}
	if reason != nil {
		members = append(members, jsonrpc.NewMember("reason", reason))
	}
	c.notify(nil, "notifications/cancelled", object(members...))
}

// notify sends a notification; params may be nil. One that cannot be sent is
// lost with its connection.
func (c *connection) notify(b *jsonrpc.Batch, method string, params []byte) {
	c.notifyIn(b, "", method, params)
}

// notifyIn is notify for a message that must keep its place in a thread.
func (c *connection) notifyIn(b *jsonrpc.Batch, thread, method string, params []byte) {
	msg := quoted(method)
	if params != nil {
		msg = append(append(msg, `,"params":`...), params...)
	}
	msg = append(msg, '}')
	out := &transport.Outgoing{
		Pieces: [][]byte{[]byte(`{"jsonrpc":"2.0","method":`), msg},
		Method: method, Thread: thread,
	}
	if facts := c.facts.Load(); facts.Modern {
		out.Version = facts.Version
	}
	if err := c.t.Send(b, out); err != nil {
		c.u.log.Debug().Err(err).Str("method", method).Msg("notification not sent")
	}
}

// take removes a pending call: whoever gets it ends it.
func (c *connection) take(id uint64) *Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.pending.At(id)
	c.remove(id)
	return call
}

// remove is the one way out of pending. The caller holds c.mu.
func (c *connection) remove(id uint64) {
	call := c.pending.At(id)
	if call == nil {
		return
	}
	if !call.isOwn() {
		c.touch()
	}
	if call.held {
		delete(c.holding, call)
	}
	c.pending.Remove(id)
	if c.ended && c.pending.Len() == 0 {
		close(c.drained)
	}
}

// leave refuses further calls; those that are pending go on. The channel is
// closed when none is left. Questions are withdrawn, since no answer to one
// would reach the server.
func (c *connection) leave() <-chan struct{} {
	c.mu.Lock()
	c.refuseMore()
	c.mu.Unlock()
	c.withdrawAll()
	return c.drained
}

// refuseMore refuses further calls. The caller holds c.mu.
func (c *connection) refuseMore() {
	if !c.ended && c.pending.Len() == 0 {
		close(c.drained)
	}
	c.ended = true
}

// end fails every pending call and refuses further ones. Those that were not
// sent go to the next connection.
func (c *connection) end(failure error) {
	c.leave()
	var failed []*Call
	c.mu.Lock()
	for id, call := range c.pending.All() {
		failed = append(failed, call)
		c.remove(id)
	}
	c.lasting, c.lastingAges = nil, nil
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	for _, call := range failed {
		if call.held {
			c.u.again(nil, call, c, errEnded)
			continue
		}
		call.done(nil, Answer{Err: failure, Modern: c.modern()})
	}
}

func (c *connection) isUseful() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.useful
}

// outdate makes the supervisor shake hands anew on another connection.
func (c *connection) outdate() {
	select {
	case c.stale <- struct{}{}:
	default:
	}
}

// publish marks the end of the handshake: what counts as use comes after it.
func (c *connection) publish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.useful = false
}
