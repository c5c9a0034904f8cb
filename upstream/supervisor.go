package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/weir-mcp/weir/upstream/transport"
)

// supervise is the one loop that connects the upstream and sees its
// connections end. It returns when ctx does, with nothing waiting.
func (u *Upstream) supervise(ctx context.Context) {
	defer u.shut()
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.demand:
		case <-u.nextTry():
			u.connectAgain()
		case <-u.nextLook():
		}
		if u.isRefused() && !u.readmit(ctx) || !u.begin() {
			continue
		}
		conn, err := u.connect(ctx)
		switch {
		case err == nil:
			u.serve(ctx, conn)
		case ctx.Err() == nil:
			u.tryFailed(err)
		}
	}
}

// begin tells a demand that still stands from one that was served, or refused,
// since.
func (u *Upstream) begin() bool {
	u.mu.Lock()
	if u.conn != nil || !u.wanted {
		u.mu.Unlock()
		return false
	}
	next := Status{State: Connecting}
	if u.failures > 0 {
		next.Reason = u.status.Reason
	}
	u.setState(next)
	u.mu.Unlock()
	u.set.handler.StateChanged(u)
	return true
}

// serve publishes the connection, sends what waited for it, and returns when
// it is of no more use or ctx ends.
func (u *Upstream) serve(ctx context.Context, conn *connection) {
	facts := *conn.facts.Load()
	conn.restoreLevel(ctx)
	conn.publish()
	u.mu.Lock()
	u.conn, u.hint, u.standing = conn, &facts.Modern, u.cfg.Eager
	u.setState(Status{State: Ready, Facts: facts})
	waiting, watchers := u.takeWaiting()
	for _, call := range waiting {
		call.conn = conn
	}
	u.mu.Unlock()
	u.log.Info().Str("version", facts.Version).Msg("connected")

	u.set.handler.StateChanged(u)
	for _, w := range watchers {
		w <- outcome{facts: facts}
	}
	u.restore(conn)
	for _, call := range waiting {
		u.send(nil, conn, call)
	}
	listening, stop := context.WithCancel(ctx)
	defer stop()
	u.wait.Go(func() {
		if conn.modern() {
			conn.listen(listening)
		} else {
			conn.remind(listening)
		}
	})

	began := time.Now()
	end := u.awaitEnd(ctx, conn)
	if end.unused {
		u.retireUnused(conn)
		return
	}
	u.noteHeld(time.Since(began))
	switch {
	case end.refusal != nil:
		u.retireRefused(ctx, conn, *end.refusal)
	default:
		u.retire(ctx, conn)
	}
}

// An ending is why a connection is of no more use. The zero ending is that it was
// lost, is out of date, or weir ends.
type ending struct {
	refusal *refusal // what the server said of its credentials
	unused  bool     // nobody has used it for as long as it may be idle
}

// awaitEnd returns when the connection is of no more use. What a server said of
// credentials before somebody logged in does not count.
func (u *Upstream) awaitEnd(ctx context.Context, conn *connection) ending {
	idle := u.idleTimer()
	defer idle.stop()
	for {
		select {
		case <-ctx.Done():
			return ending{}
		case <-conn.t.Lost():
			return ending{}
		case <-conn.stale:
			return ending{}
		case r := <-conn.refusals:
			if r.epoch == u.epoch.Load() {
				return ending{refusal: &r}
			}
		case <-idle.due:
			left := u.leaveUnused(conn)
			if left <= 0 {
				return ending{unused: true}
			}
			idle.again(left)
		}
	}
}

// noteHeld takes down how long a connection held. One that nobody asks for is
// made the later, the more often in a row it was lost soon.
func (u *Upstream) noteHeld(d time.Duration) {
	u.lapses, u.rest = u.lapses+1, 0
	if d >= steady {
		u.lapses = 0
	}
	if u.lapses > 0 {
		u.rest = pauseAfter(u.lapses)
	}
}

// retire takes a connection out of use. What is under way on it ends, with an
// unknown outcome, unless it can still be answered.
func (u *Upstream) retire(ctx context.Context, conn *connection) {
	cause := conn.t.Err()
	useless := u.leave(conn, cause)
	switch {
	case ctx.Err() != nil:
		conn.end(u.cutOff())
		u.endBehind(conn)
		return
	case cause == nil || errors.Is(cause, transport.ErrSessionLost):
		u.wait.Go(func() { u.drain(ctx, conn) })
	default:
		conn.end(u.lost(cause))
		u.endBehind(conn)
	}
	u.log.Warn().Err(cause).Msg("connection lost")
	if useless {
		u.tryFailed(conn.lostFailure())
		return
	}
	u.set.handler.StateChanged(u)
}

// leave makes the upstream idle. It reports whether the connection was one more
// in a row without use: the server is then let alone for a while, as if it
// could not be reached, since it would be started again without end.
func (u *Upstream) leave(conn *connection, cause error) (useless bool) {
	useful := conn.isUseful()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.dropConn(conn)
	u.setState(Status{State: Idle, Reason: u.ended(cause)})
	u.noteOutage(useful)
	if useful {
		u.failures, u.refusals = 0, 0
		return false
	}
	if u.failures == 0 {
		u.failures = 1
		return false
	}
	return true
}

// drain lets the requests end that are under way on a connection which takes
// no more of them, and then ends it. Over HTTP each has a stream of its own,
// and a server that has forgotten the session still answers what it took.
func (u *Upstream) drain(ctx context.Context, conn *connection) {
	select {
	case <-conn.leave():
	case <-ctx.Done():
	}
	conn.end(u.cutOff())
	conn.close(ctx)
}

// endBehind ends a connection while the supervisor goes on. The next dial waits
// until nothing is left of it.
func (u *Upstream) endBehind(conn *connection) {
	u.ending = conn.t.Done()
	u.wait.Go(func() { conn.close(u.set.ctx) })
}

// lastGrace is how long children may take for SIGTERM when weir itself ends.
const lastGrace = 1500 * time.Millisecond

// close ends the connection and returns when nothing is left of it: in its own
// time, or soon once ctx has ended, since weir itself has little time left
// then.
func (c *connection) close(ctx context.Context) {
	if ctx.Err() == nil {
		c.t.Close()
		select {
		case <-c.t.Done():
			return
		case <-ctx.Done():
		}
	}
	if hurried, ok := c.t.(interface{ Terminate(grace time.Duration) }); ok {
		hurried.Terminate(lastGrace)
	} else {
		c.t.Close()
	}
	<-c.t.Done()
}

// tryFailed ends the calls that waited for a connection, and sets when the next
// try may be, or what must happen before.
func (u *Upstream) tryFailed(err error) {
	failure := unsent(u.failure(err))
	event := u.log.Warn().Err(err)
	u.mu.Lock()
	waiting, watchers := u.takeWaiting()
	if afterFailure(failure) == Backoff {
		u.failures++
		pause := max(pauseAfter(u.failures), failure.Detail().RetryAfter)
		u.setState(Status{State: Backoff, Reason: failure, Retry: time.Now().Add(pause)})
		event = event.Dur("retry_in", pause)
	} else {
		u.turnAway(failure, u.tried)
	}
	u.noteOutage(false)
	told := u.dated(failure)
	u.mu.Unlock()
	event.Msg("connecting")
	giveUp(waiting, watchers, told)
	u.set.handler.StateChanged(u)
}

// shut ends what still waits when the Set closes.
func (u *Upstream) shut() {
	u.mu.Lock()
	u.setState(Status{State: Closed})
	waiting, watchers := u.takeWaiting()
	u.mu.Unlock()
	giveUp(waiting, watchers, u.closing())
}

// setState enters a state now. The caller holds u.mu.
func (u *Upstream) setState(s Status) {
	s.Since = time.Now()
	u.tally.count(u.status, s)
	u.status = s
}
