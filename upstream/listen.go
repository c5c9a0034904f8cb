package upstream

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

const listenMethod = "subscriptions/listen"

// steady is how long a stream, or a connection, must have held for its end not
// to count as a failure.
const steady = 10 * time.Second

// ackTime is how long a server may take to acknowledge a stream. After that it
// is taken to tell all it was asked for: some never acknowledge.
const ackTime = 10 * time.Second

// listening keeps the server of one modern connection telling what is wanted,
// by one stream (2026-07-28, subscriptions). It is for one goroutine.
type listening struct {
	c       *connection
	current *stream // tells; nil if none does
	next    *stream // takes the place of current once it tells; nil for none
	old     *stream // whose place was taken; nil for none

	refused  filter   // those parts of a filter that the server will not have
	refusal  []byte   // the error it gave last, raw
	gap      bool     // something may have changed that nobody told
	watched  []string // resources that were told of ever since, sorted
	failures int      // in a row

	pause <-chan time.Time // ends when there may be another try; nil for at once
	due   <-chan time.Time // fires when the stream that was opened last tells, acknowledged or not
	over  <-chan time.Time // fires when old is of no more use
}

// listen follows what is wanted until the connection is lost or ctx ends. What
// is told on the stream reaches the handler as any notification does.
func (c *connection) listen(ctx context.Context) {
	if !c.modern() {
		return
	}
	l := &listening{c: c}
	defer l.stop()
	for {
		l.follow()
		select {
		case <-ctx.Done():
			return
		case <-c.t.Lost():
			return
		case <-c.refilter:
			l.pause = nil
		case <-l.pause:
			l.pause = nil
		case <-l.acknowledged():
			l.opened()
		case <-l.due:
			l.opened()
		case <-l.over:
			l.closeOld()
		case <-ended(l.next):
			l.nextEnded()
		case <-ended(l.current):
			l.currentEnded()
		}
	}
}

func ended(s *stream) <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.done
}

// latest is the stream that was opened last; nil if there is none.
func (l *listening) latest() *stream {
	if l.next != nil {
		return l.next
	}
	return l.current
}

// acknowledged is closed when the latest stream has been acknowledged; nil if
// nobody waits for that.
func (l *listening) acknowledged() <-chan struct{} {
	if l.due == nil {
		return nil
	}
	return l.latest().acked
}

// follow opens a stream if there is none that fits, or is to be, and closes
// those of which nothing is wanted. A new one takes the place of the old when it
// tells, so that nothing is missed in between.
func (l *listening) follow() {
	l.settle()
	want := l.c.u.wantedFilter(*l.c.facts.Load())
	l.leaveOut(&want)
	switch {
	case want.isEmpty():
		l.c.closeStream(l.next)
		l.c.closeStream(l.current)
		l.current, l.next, l.due, l.watched = nil, nil, nil, nil
		return
	case l.next != nil, l.pause != nil, l.current != nil && l.current.asked.equal(&want):
		return
	case l.current != nil && l.due != nil:
		return // not before the present one tells
	}
	s, err := l.c.openStream(want)
	if err != nil {
		l.rest(time.Now(), err)
		return
	}
	if l.current == nil {
		l.current = s
	} else {
		l.next = s
	}
	l.due = time.After(ackTime)
}

// leaveOut takes out of the filter what was refused, as long as it is the very
// same.
func (l *listening) leaveOut(want *filter) {
	if slices.Equal(want.lists, l.refused.lists) {
		want.lists = nil
	}
	if slices.Equal(want.resources, l.refused.resources) {
		l.c.refuseSubscriptions(want.resources, l.refusal)
		want.resources = nil
	}
	if slices.Equal(want.tasks, l.refused.tasks) {
		want.tasks = nil
	}
}

// opened is that the latest stream tells.
func (l *listening) opened() {
	l.due = nil
	if l.next != nil {
		l.replace()
	}
	early := l.c.heardFirst()
	granted := l.c.grantedOn(l.current)
	for _, kind := range changing {
		missed := l.gap || kind.isAmong(early)
		if missed && slices.Contains(granted.lists, kind.filter) {
			l.c.u.announce(kind)
		}
	}
	l.gap = false
	l.tellMissed(granted.resources)
}

// noteListing takes down that a list was asked for before the server told
// anything: it may change until then, and nobody would hear. The caller holds
// c.mu.
func (c *connection) noteListing(call *Call) {
	if call.lists && !c.hears && c.modern() && !slices.Contains(c.early, call.Method) {
		c.early = append(c.early, call.Method)
	}
}

// heardFirst returns, once, what noteListing took down: the server tells of
// changes from here on.
func (c *connection) heardFirst() (early []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	early, c.early, c.hears = c.early, nil, true
	return early
}

// overlapTime is how long a stream goes on beside the one that has taken its
// place, where what it has told already may still be on its way.
const overlapTime = time.Second

// replace makes the next stream the present one.
func (l *listening) replace() {
	l.closeOld()
	l.old, l.current, l.next = l.current, l.next, nil
	l.over = time.After(overlapTime)
}

func (l *listening) closeOld() {
	l.c.closeStream(l.old)
	l.old, l.over = nil, nil
}

// settle answers the calls that asked for what the present stream tells, or was
// to tell, and the next one goes on with.
func (l *listening) settle() {
	if l.current == nil || l.due != nil && l.next == nil {
		return
	}
	asked, granted := l.current.asked, l.c.grantedOn(l.current)
	if l.next != nil {
		asked = asked.shared(&l.next.asked)
	}
	l.c.u.tellWatchers(asked.tasks, granted.tasks)
	for uri, calls := range l.c.u.waitingFor(asked.resources) {
		_, ok := slices.BinarySearch(granted.resources, uri)
		for _, call := range calls {
			l.c.release(call, func() {
				if ok {
					l.c.accept(nil, call)
				} else {
					l.c.refuse(nil, call, errorObject(codeInvalidParams, "The server does not tell updates of this resource"))
				}
			})
		}
	}
}

// grantedOn returns what is told on a stream.
func (c *connection) grantedOn(s *stream) filter {
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.granted
}

func (l *listening) nextEnded() {
	s := l.next
	l.next, l.due = nil, nil
	l.ended(s)
}

func (l *listening) currentEnded() {
	s := l.current
	l.current = l.next
	l.next = nil
	if l.current == nil {
		l.due = nil
	}
	l.gap, l.watched = l.gap || !declined(s.err), nil
	l.ended(s)
}

// ended deals with the end of a stream.
func (l *listening) ended(s *stream) {
	l.c.removeStream(s)
	if reply, ok := errors.AsType[*ReplyError](s.err); ok && declined(reply) {
		l.c.u.log.Debug().Err(reply).Msg("server refuses a subscription")
		l.refuse(s, reply)
		return
	}
	l.rest(s.began, s.err)
}

// rest waits a while before the next try.
func (l *listening) rest(began time.Time, err error) {
	if time.Since(began) >= steady {
		l.failures = 0
	}
	l.failures++
	pause := pauseAfter(l.failures)
	l.c.u.log.Debug().Err(err).Dur("retry_in", pause).Msg("subscription ended")
	l.pause = time.After(pause)
}

// refuse finds what of the filter the server will not have: tasks, then the
// resources that were asked for first in it, then those it knows, then all.
func (l *listening) refuse(s *stream, reply *ReplyError) {
	l.refusal = reply.Raw
	switch {
	case len(s.asked.tasks) > 0:
		l.refused.tasks = s.asked.tasks
		l.c.u.tellWatchers(s.asked.tasks, nil)
	case l.c.refuseSubscriptions(s.asked.resources, reply.Raw):
	case len(s.asked.resources) > 0:
		l.refused.resources = s.asked.resources
	default:
		l.refused.lists = s.asked.lists
	}
}

// declined reports whether a server's answer means that it does not offer the
// subscription, now or later.
func declined(err error) bool {
	reply, ok := errors.AsType[*ReplyError](err)
	if !ok {
		return false
	}
	switch reply.Code {
	case codeMethodNotFound, codeInvalidParams, codeCapability:
		return true
	}
	return false
}

// stop leaves the streams to the end of the connection. Calls that wait for a
// subscription go to the next one.
func (l *listening) stop() {
	for _, s := range []*stream{l.old, l.current, l.next} {
		if s != nil {
			l.c.removeStream(s)
			l.c.forget(s.waiter)
		}
	}
	for _, call := range l.c.deafen() {
		l.c.release(call, func() { l.c.u.again(nil, call, l.c, errEnded) })
	}
}

// deafen refuses calls that wait for a subscription from now on, and returns
// those that do.
func (c *connection) deafen() []*Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaf = true
	return slices.Collect(maps.Keys(c.holding))
}

// refuseSubscriptions ends the calls that asked for these resources with the
// server's error. It reports whether there were any.
func (c *connection) refuseSubscriptions(asked []string, rawError []byte) bool {
	waiting := c.u.waitingFor(asked)
	for _, calls := range waiting {
		for _, call := range calls {
			c.release(call, func() { c.refuse(nil, call, rawError) })
		}
	}
	return len(waiting) > 0
}

// waitingFor returns the calls that wait for subscriptions, by URI.
func (u *Upstream) waitingFor(uris []string) map[string][]*Call {
	u.mu.Lock()
	defer u.mu.Unlock()
	waiting := make(map[string][]*Call)
	for _, uri := range uris {
		if s := u.kept.resources[uri]; s != nil && len(s.waiting) > 0 {
			waiting[uri] = slices.Clone(s.waiting)
		}
	}
	return waiting
}

var errUnsubscribed = errors.New("server ended the subscription")
