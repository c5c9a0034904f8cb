package upstream

import (
	"context"
	"slices"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// longestReminder bounds the pauses between two tries to have a server tell what
// it was told to in an earlier connection, where it has not said a word. One that
// has answered with an error gets longer ones.
const longestReminder = 15 * time.Second

// owed are the subscriptions that the server of a legacy connection has not taken,
// and is to be asked for once more. It is guarded by the upstream's mu.
type owed struct {
	subscriptions []*subscription
	open          int  // requests for some that are not answered yet
	silent        bool // one of them at least got no answer at all
	failures      int  // in a row
}

// Insist has a subscription to a resource hold over all connections, as if the
// server had accepted it, and sees to it that there is one: the call that asked
// for it has ended without an answer, and its host believes that it holds. It
// ends as any does, by resources/unsubscribe.
func (u *Upstream) Insist(uri string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.leaving {
		return
	}
	s := u.kept.resources[uri]
	if s == nil {
		if !u.kept.hasRoom(uri) {
			return
		}
		s = u.kept.add(u, quoted(uri), uri)
	}
	s.accepted = true
	if u.conn != nil {
		u.conn.owed.subscriptions = append(u.conn.owed.subscriptions, s)
		u.conn.owed.silent = true
	} else if u.want() != nil {
		poke(u.demand) // the supervisor tries when it may
	}
	u.refilter()
}

// remind asks the server of a legacy connection once more for what it was asked
// to tell and has not answered, until the connection is lost or ctx ends.
func (c *connection) remind(ctx context.Context) {
	var pause <-chan time.Time // ends when there may be another try; nil while nothing is owed
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.t.Lost():
			return
		case <-c.refilter:
			if d, ok := c.reminderPause(); ok && pause == nil {
				pause = time.After(d)
			}
		case <-pause:
			pause = nil
			c.subscribeAgain(c.takeOwed())
		}
	}
}

// reminderPause is how long to wait before the server is asked once more. It reports
// false if there is nothing to ask for.
func (c *connection) reminderPause() (d time.Duration, ok bool) {
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	if len(c.owed.subscriptions) == 0 {
		return 0, false
	}
	d = pauseAfter(c.owed.failures + 1)
	if c.owed.silent {
		d = min(d, longestReminder)
	}
	return d, true
}

// takeOwed returns what the server has still to be asked for.
func (c *connection) takeOwed() []*subscription {
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	all := slices.DeleteFunc(c.owed.subscriptions, func(s *subscription) bool { return s.dropped })
	c.owed.subscriptions, c.owed.silent = nil, false
	c.owed.failures++
	return all
}

// subscribeAgain asks for what was asked for in another connection, or to no avail.
func (c *connection) subscribeAgain(all []*subscription) {
	c.u.mu.Lock()
	c.owed.open += len(all)
	c.u.mu.Unlock()
	for _, s := range all {
		c.tend(subscribeMethod, &reminder{c, s}, jsonrpc.NewMember("uri", s.raw))
	}
	// The host's own word may have overtaken it.
	c.u.mu.Lock()
	all = slices.DeleteFunc(all, func(s *subscription) bool { return !s.dropped })
	c.u.mu.Unlock()
	for _, s := range all {
		c.upkeep(unsubscribeMethod, jsonrpc.NewMember("uri", s.raw))
	}
}

// reminder is the Sink of a request for what the server was to tell already.
type reminder struct {
	c *connection
	s *subscription
}

// Progress implements Sink.
func (*reminder) Progress(*jsonrpc.Batch, *jsonrpc.Message) {}

// Done implements Sink. What the server does not offer it is asked for in the next
// connection; all else that it has not taken, in this one. What it has taken it has
// not told of for a while.
func (r *reminder) Done(b *jsonrpc.Batch, a Answer) {
	r.c.logUnrestored(subscribeMethod, a)
	r.note(a)
	if a.Err == nil && a.Message.Kind == jsonrpc.Response {
		r.c.u.missed(b, r.s)
	}
}

// note takes down what the server is still to be asked for.
func (r *reminder) note(a Answer) {
	refused := a.Err == nil && a.Message.Kind == jsonrpc.Failure
	again := a.Err != nil || refused && !declined(parseError(a.Message.Fields, a.Message.Error))
	r.c.u.mu.Lock()
	defer r.c.u.mu.Unlock()
	o := &r.c.owed
	o.open--
	if again {
		o.subscriptions = append(o.subscriptions, r.s)
		o.silent = o.silent || a.Err != nil
		poke(r.c.refilter)
	}
	if o.open == 0 && len(o.subscriptions) == 0 {
		o.failures = 0
	}
}
