package upstream

import (
	"errors"
	"slices"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The requests by which a legacy host subscribes to a resource (2025-11-25,
// resources). To a modern server they are changes of the filter of its
// subscription (2026-07-28, subscriptions).
const (
	subscribeMethod   = "resources/subscribe"
	unsubscribeMethod = "resources/unsubscribe"
)

// A subscription is to one resource. Once the server has accepted it, it holds
// over all connections until it is given up. Its fields are guarded by the
// upstream's mu.
type subscription struct {
	u        *Upstream
	uri      string
	raw      []byte // as it was written first
	accepted bool
	dropped  bool    // given up
	waiting  []*Call // that ask for it
}

// sendSubscription deals with a call of one of these methods.
func (u *Upstream) sendSubscription(b *jsonrpc.Batch, conn *connection, call *Call) {
	modern := conn.modern()
	raw := jsonrpc.Find(call.Params, "uri")
	uri, err := jsonrpc.String(raw)
	switch {
	case modern && !subscribable(*conn.facts.Load()):
		conn.refuse(b, call, errorObject(codeMethodNotFound, "Method not found"))
	case modern && err != nil:
		conn.refuse(b, call, errorObject(codeInvalidParams, "uri must be a string"))
	case err != nil:
		u.transmit(b, conn, call) // the server says what is wrong
	case call.Method == subscribeMethod:
		u.subscribe(b, conn, call, raw, uri)
	case modern:
		for _, waiting := range u.unsubscribe(uri) {
			conn.release(waiting, func() { conn.accept(b, waiting) })
		}
		conn.accept(b, call)
	default:
		u.unsubscribe(uri)
		u.transmit(b, conn, call)
	}
}

func (u *Upstream) subscribe(b *jsonrpc.Batch, conn *connection, call *Call, raw []byte, uri string) {
	err := u.keepSubscription(call, raw, uri)
	if err == nil && conn.modern() {
		call.keep() // it may go to another connection, after Do
		err = conn.hold(call)
	}
	switch {
	case errors.Is(err, errCancelled):
	case errors.Is(err, errDropped):
		conn.accept(b, call)
	case errors.Is(err, errFull):
		conn.refuse(b, call, errorObject(codeInternal, "Too many subscriptions"))
	case err != nil:
		u.again(b, call, conn, err)
	case conn.modern():
		poke(conn.refilter)
	default:
		u.transmit(b, conn, call)
	}
}

// Why a subscription is not kept.
var (
	errCancelled = errors.New("call was cancelled")
	errDropped   = errors.New("subscription was given up meanwhile")
	errFull      = errors.New("too many subscriptions")
)

// keepSubscription notes that the call asks for a resource.
func (u *Upstream) keepSubscription(call *Call, raw []byte, uri string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if call.cancelled {
		return errCancelled
	}
	if s := call.subscription; s != nil { // the call was made before
		if s.dropped {
			return errDropped
		}
		return nil
	}
	s := u.kept.resources[uri]
	if s == nil {
		if !u.kept.hasRoom(uri) {
			return errFull
		}
		s = u.kept.add(u, slices.Clone(raw), uri)
	}
	s.waiting = append(s.waiting, call)
	call.subscription = s
	return nil
}

// add enters a subscription that nobody has accepted.
func (k *kept) add(u *Upstream, raw []byte, uri string) *subscription {
	s := &subscription{u: u, uri: uri, raw: raw}
	if k.resources == nil {
		k.resources = make(map[string]*subscription)
	}
	k.resources[uri] = s
	return s
}

func (k *kept) hasRoom(uri string) bool {
	size := len(uri)
	for other := range k.resources {
		size += len(other)
	}
	return len(k.resources) < maxSubscriptions && size <= maxSubscribedBytes
}

// unsubscribe gives a subscription up, if there is one, and returns the calls
// that still waited for it.
func (u *Upstream) unsubscribe(uri string) []*Call {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.kept.resources[uri]
	if s == nil {
		return nil
	}
	u.drop(s)
	return slices.Clone(s.waiting)
}

// drop gives a subscription up. The caller holds u.mu.
func (u *Upstream) drop(s *subscription) {
	s.dropped = true
	u.touch()
	delete(u.kept.resources, s.uri)
	u.refilter()
}

// unsubscribed reports whether the call has been dealt with by giving up a
// subscription of a server that is not connected and thus knows nothing of it.
// The caller holds u.mu.
func (u *Upstream) unsubscribed(call *Call) bool {
	if call.Method != unsubscribeMethod {
		return false
	}
	uri, err := jsonrpc.String(jsonrpc.Find(call.Params, "uri"))
	s := u.kept.resources[uri]
	if err != nil || s == nil {
		return false
	}
	u.drop(s)
	return true
}

// settled takes the outcome of a call that asked for the subscription.
func (s *subscription) settled(call *Call, accepted bool) {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	s.leave(call, accepted)
}

// leave is settled for a caller that holds the upstream's mu. A subscription
// that nobody waits for and the server has not accepted is none.
func (s *subscription) leave(call *Call, accepted bool) {
	s.waiting = slices.DeleteFunc(s.waiting, func(c *Call) bool { return c == call })
	s.accepted = s.accepted || accepted
	if s.accepted && !s.dropped {
		s.u.kept.resources[s.uri] = s
		return
	}
	if len(s.waiting) == 0 && s.u.kept.resources[s.uri] == s {
		delete(s.u.kept.resources, s.uri)
		s.u.refilter()
	}
}

// hold makes the call pending without sending it, until it is released.
func (c *connection) hold(call *Call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case call.cancelled:
		return nil
	case c.ended || c.deaf:
		return errEnded
	}
	id := c.enroll(call, time.Now())
	call.held = true
	if c.holding == nil {
		c.holding = make(map[*Call]uint64)
	}
	c.holding[call] = id
	return nil
}

// release ends a held call with then, unless it has ended otherwise or gone to
// another connection.
func (c *connection) release(call *Call, then func()) {
	c.mu.Lock()
	id, held := c.holding[call]
	if held {
		c.remove(id)
	}
	c.mu.Unlock()
	if held {
		then()
	}
}

// accept answers a call in the server's place, refuse does so with a raw error.
func (c *connection) accept(b *jsonrpc.Batch, call *Call) {
	a := emptyResult()
	a.Modern = c.modern()
	call.done(b, a)
}

func (c *connection) refuse(b *jsonrpc.Batch, call *Call, rawError []byte) {
	call.done(b, Answer{Message: ownMessage(`"error":`, rawError), Modern: c.modern()})
}

func emptyResult() Answer { return Answer{Message: ownMessage(`"result":`, []byte("{}"))} }

// ownMessage is an answer of weir's own, of which member is the name and value
// the value.
func ownMessage(member string, value []byte) *jsonrpc.Message {
	m := new(jsonrpc.Message)
	if err := m.Parse(slices.Concat([]byte(`{"jsonrpc":"2.0","id":0,`+member), value, []byte("}"))); err != nil {
		panic(err)
	}
	return m
}

// subscribable reports whether the server tells updates of resources.
func subscribable(facts Facts) bool { return supports(facts, "resources", "subscribe") }
