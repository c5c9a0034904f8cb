package upstream

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file ends a connection that nobody has used for as long as its server may
// be idle (Config.IdleStop). Used it is by calls, by questions of the server, by
// subscriptions to resources and watched tasks, by the progress and the life of
// tasks, and by whatever the owner of the Set knows of. It is not by what weir
// does of its own accord: lists, levels, the stream by which a modern server tells
// that lists have changed.

// touch notes that somebody has just used the connection. It costs nothing where
// nothing is to be ended. The caller holds c.mu.
func (c *connection) touch() {
	if c.u.cfg.IdleStop > 0 {
		c.useUntil(time.Now())
	}
}

// useUntil is touch for a use that goes on until then. The caller holds c.mu.
func (c *connection) useUntil(then time.Time) {
	if c.used.Before(then) {
		c.used = then
	}
}

// touch is that of the present connection. The caller holds u.mu.
func (u *Upstream) touch() {
	if u.conn == nil {
		return
	}
	u.conn.mu.Lock()
	defer u.conn.mu.Unlock()
	u.conn.touch()
}

// longestTask is how long a server may work on a task that nobody asks after.
const longestTask = time.Hour

// noteTask is that a server has answered a call with a task, on which it may work
// for as long as it says that it keeps it (2025-11-25 and 2026-07-28, tasks).
func (c *connection) noteTask(m *jsonrpc.Message) {
	if c.u.cfg.IdleStop <= 0 || m.Kind != jsonrpc.Response {
		return
	}
	ttl, ok := taskTTL(m)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.useUntil(time.Now().Add(ttl))
}

// taskTTL is how long a task is kept that an answer brings, longestTask at most.
// It reports false if there is none in it.
func taskTTL(m *jsonrpc.Message) (ttl time.Duration, ok bool) {
	kept := jsonrpc.Find(m.Fields, "ttlMs")
	switch {
	case isTask(m):
		task, err := jsonrpc.ParseObject(nil, jsonrpc.Find(m.Fields, "task"))
		if err != nil {
			return 0, false
		}
		kept = jsonrpc.Find(task, "ttl")
	case string(jsonrpc.Find(m.Fields, "resultType")) != `"task"`:
		return 0, false
	}
	ms, err := strconv.ParseInt(string(kept), 10, 64)
	if err != nil || ms < 0 || ms > longestTask.Milliseconds() {
		return longestTask, true
	}
	return time.Duration(ms) * time.Millisecond, true
}

// isBusy reports whether somebody uses the connection right now. The caller holds
// c.mu.
func (c *connection) isBusy() bool {
	if len(c.questions) > 0 || len(c.lasting) > 0 {
		return true
	}
	for _, call := range c.pending.All() {
		if !call.isOwn() {
			return true
		}
	}
	return false
}

// isListing reports whether the server is being asked for a list, which is no use
// of it but is not to be cut off. The caller holds c.mu.
func (c *connection) isListing() bool {
	for _, call := range c.pending.All() {
		if call.lists {
			return true
		}
	}
	return false
}

// listWait is when to look again whether a list has come.
const listWait = time.Second

// idleTimer fires when it is to be looked whether somebody uses a connection.
type idleTimer struct {
	timer *time.Timer // nil for never
	due   <-chan time.Time
}

func (u *Upstream) idleTimer() idleTimer {
	if u.cfg.IdleStop <= 0 {
		return idleTimer{}
	}
	timer := time.NewTimer(u.cfg.IdleStop)
	return idleTimer{timer, timer.C}
}

func (t idleTimer) again(in time.Duration) { t.timer.Reset(in) }

func (t idleTimer) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// leaveUnused takes a connection out of use that nobody has used for long. If
// somebody has, it returns when to look again. A call that
// meets the end is made on the next connection.
func (u *Upstream) leaveUnused(conn *connection) (left time.Duration) {
	inUse := u.set.inUse != nil && u.set.inUse(u)
	u.mu.Lock()
	defer u.mu.Unlock()
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if inUse || u.kept.needsConnection() || conn.isBusy() {
		conn.touch()
	}
	if left = time.Until(conn.used.Add(u.cfg.IdleStop)); left > 0 {
		return left
	}
	if conn.isListing() {
		return listWait
	}
	conn.refuseMore()
	u.dropConn(conn)
	u.standing = false
	if conn.useful {
		u.failures, u.refusals = 0, 0
	}
	u.setState(Status{State: Idle, Reason: u.unused()})
	u.gone = time.Time{}
	return 0
}

// errUnused ends what weir itself still had on a connection.
var errUnused = errors.New("connection was not used any more")

// retireUnused ends a connection that leaveUnused has taken out of use. That it
// ends is no lapse of the server.
func (u *Upstream) retireUnused(conn *connection) {
	conn.end(u.lost(errUnused))
	u.endBehind(conn)
	u.log.Info().Dur("unused", u.cfg.IdleStop).Msg("stopped")
	u.set.handler.StateChanged(u)
}

// unused is why an upstream is idle that was not used any more.
func (u *Upstream) unused() Failure {
	return ConnectionError{&Fault{
		Server: u.cfg.Name, Retryable: true,
		Text: fmt.Sprintf("stopped as nothing had used it for %v; the next call starts it again", u.cfg.IdleStop),
	}}
}
