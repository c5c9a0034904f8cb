package upstream

import "time"

// One timer serves all calls of a connection. It is set for the earliest
// deadline there is, and when it fires it looks which calls are late and when
// to look again. So a call that is answered in time costs no timer, and one
// whose deadline moves does not touch it.

// The most that progress may make of a call's time limit: the specification wants
// a maximum whatever the progress (2025-11-25 and 2026-07-28, basic, timeouts). It
// is generous, since long work is what progress is for. A question that was
// answered gives a call all of its time again, but nothing more than a day.
const (
	longestTimes = 24 // the limit
	leastLongest = time.Hour
	mostLongest  = 24 * time.Hour
)

// longest is how long a call may take that has asked nothing.
func longest(limit time.Duration) time.Duration {
	if limit >= mostLongest {
		return limit
	}
	return min(max(limit*longestTimes, leastLongest), mostLongest)
}

// limit is how long the call may take without answer or progress; negative for
// ever.
func (u *Upstream) limit(call *Call) time.Duration {
	if call.Timeout == 0 {
		return u.cfg.Timeout
	}
	return call.Timeout
}

// watch sets the call's deadline anew. The caller holds c.mu.
func (c *connection) watch(call *Call, now time.Time) {
	limit := c.u.limit(call)
	if limit < 0 {
		call.deadline, call.begun, call.thought = time.Time{}, time.Time{}, time.Time{}
		return
	}
	call.deadline = now.Add(limit)
	if call.begun.IsZero() {
		call.begun, call.thought = now, now // as most calls stay: their last moment is no earlier
	} else {
		if call.thought.IsZero() {
			call.thought = now
		}
		call.deadline = earlier(call.deadline, call.last(limit))
	}
	c.arm(call.deadline)
}

// last is the latest that progress may make of the deadline of a call that is
// watched, with this limit.
func (c *Call) last(limit time.Duration) time.Time {
	return earlier(c.thought.Add(longest(limit)), c.end(limit))
}

// end is the latest that questions may make of last.
func (c *Call) end(limit time.Duration) time.Time {
	return c.begun.Add(max(limit, mostLongest))
}

// watchAnew is watch for a call that somebody has thought about. The caller holds
// c.mu.
func (c *connection) watchAnew(call *Call, now time.Time) {
	call.thought = time.Time{}
	c.watch(call, now)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// due is when the call is to end if nothing comes. While somebody may be thinking
// about a question that is the last moment of all. The caller holds c.mu.
func (c *connection) due(call *Call) time.Time {
	if limit := c.u.limit(call); limit >= 0 && c.isThinking(call) {
		return call.end(limit)
	}
	return call.deadline
}

// restarted returns the call that wants progress by this token, and gives it
// its whole time again.
func (c *connection) restarted(token uint64) *Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.pending.At(token)
	if call == nil || !call.Progress {
		return nil
	}
	c.watch(call, time.Now())
	return call
}

func (c *connection) arm(at time.Time) {
	switch {
	case c.timer == nil:
		c.timer = time.AfterFunc(time.Until(at), c.expire)
	case c.armed.IsZero() || at.Before(c.armed):
		c.timer.Reset(time.Until(at))
	default:
		return
	}
	c.armed = at
}

// expire ends the calls whose time is up.
func (c *connection) expire() {
	now := time.Now()
	late := c.takeLate(now)
	for id, call := range late {
		if !call.held {
			c.abandon(id, []byte(`"timed out"`))
		}
		call.done(nil, Answer{Modern: c.modern(), Err: c.u.timedOut(call, now)})
	}
}

func (c *connection) takeLate(now time.Time) map[uint64]*Call {
	late := make(map[uint64]*Call)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = time.Time{}
	var next time.Time
	for id, call := range c.pending.All() {
		switch due := c.due(call); {
		case due.IsZero():
		case !due.After(now):
			late[id] = call
			c.remove(id)
		case next.IsZero() || due.Before(next):
			next = due
		}
	}
	if !next.IsZero() {
		c.arm(next)
	}
	return late
}
