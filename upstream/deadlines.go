package upstream

import "time"

// One timer serves all calls of a connection. It is set for the earliest
// deadline there is, and when it fires it looks which calls are late and when
// to look again. So a call that is answered in time costs no timer, and one
// whose deadline moves does not touch it.

// watch sets the call's deadline anew. The caller holds c.mu.
func (c *connection) watch(call *Call, now time.Time) {
	limit := call.Timeout
	if limit == 0 {
		limit = c.u.cfg.Timeout
	}
	if limit < 0 {
		call.deadline = time.Time{}
		return
	}
	call.deadline = now.Add(limit)
	c.arm(call.deadline)
}

// restarted returns the call that wants progress by this token, and gives it
// its whole time again.
func (c *connection) restarted(token uint64) *Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.pending[token]
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
	late := c.takeLate(time.Now())
	for id, call := range late {
		if !call.held {
			c.abandon(id, []byte(`"timed out"`))
		}
		call.done(nil, Answer{Modern: c.modern(), Err: c.u.timedOut(call)})
	}
}

func (c *connection) takeLate(now time.Time) map[uint64]*Call {
	late := make(map[uint64]*Call)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = time.Time{}
	var next time.Time
	for id, call := range c.pending {
		switch {
		case call.deadline.IsZero(), c.isThinking(call):
		case !call.deadline.After(now):
			late[id] = call
			c.remove(id)
		case next.IsZero() || call.deadline.Before(next):
			next = call.deadline
		}
	}
	if !next.IsZero() {
		c.arm(next)
	}
	return late
}
