package upstream

import (
	"context"
	"slices"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Bounds of what is kept for one server.
const (
	maxSubscriptions   = 1000
	maxSubscribedBytes = 1 << 20 // of all URIs
	maxTasks           = 1000
	maxTaskID          = 4 << 10 // bytes
)

// kept is what holds over all connections of an upstream. It is guarded by the
// upstream's mu.
type kept struct {
	level     string
	resources map[string]*subscription // by URI
	tasks     map[string]func(bool)    // by id: who is to be told whether it is granted; nil if told
}

// needsConnection reports whether the server is to tell something by itself, so
// that a lost connection is made again though nobody asks for it.
func (k *kept) needsConnection() bool {
	if len(k.tasks) > 0 {
		return true
	}
	for _, s := range k.resources {
		if s.accepted {
			return true
		}
	}
	return false
}

// restore tells the server of a new connection what was told in the last one.
// A modern one learns it from the subscription and from the calls themselves.
func (u *Upstream) restore(conn *connection) {
	if conn.modern() {
		return
	}
	conn.tellLevel(func() {}) // it may have been set while the connection was made
	conn.subscribeAgain(u.accepted())
}

// accepted returns the subscriptions that the server has accepted.
func (u *Upstream) accepted() []*subscription {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []*subscription
	for _, s := range u.kept.resources {
		if s.accepted {
			out = append(out, s)
		}
	}
	return out
}

// SetLevel says from which level on the host wants log messages; "" says
// nothing. A legacy server that declares logging is told now and in each new
// connection (2025-11-25, logging); a modern one learns it with each request.
// It does not connect, and tells nobody what they know. told is called once, when
// there is nothing to wait for any more: the server has answered, or is not
// connected, or needs not be told.
func (u *Upstream) SetLevel(level string, told func()) {
	u.mu.Lock()
	u.kept.level = level
	conn := u.conn
	u.mu.Unlock()
	if conn == nil || conn.modern() {
		told()
		return
	}
	conn.tellLevel(told)
}

// tellLevel sends the present level if the server does not know it. One such
// request is under way at a time, so that the last one counts.
func (c *connection) tellLevel(told func()) {
	if !declares(*c.facts.Load(), "logging") {
		told()
		return
	}
	c.u.mu.Lock()
	level := c.u.kept.level
	settled := !c.tellingLevel && (level == "" || level == c.level)
	begin := !settled && !c.tellingLevel
	if begin {
		c.tellingLevel, c.level = true, level
	}
	if !settled {
		c.levelWaiters = append(c.levelWaiters, told)
	}
	c.u.mu.Unlock()
	switch {
	case settled:
		told()
	case begin:
		c.sendLevel(level)
	}
}

func (c *connection) sendLevel(level string) {
	c.upkeepThen(c.levelTold, "logging/setLevel", jsonrpc.NewMember("level", quoted(level)))
}

// levelTold goes on with the level that was set meanwhile, if there is one.
func (c *connection) levelTold() {
	c.u.mu.Lock()
	level := c.u.kept.level
	again := level != "" && level != c.level
	var waiters []func()
	if again {
		c.level = level
	} else {
		c.tellingLevel = false
		waiters, c.levelWaiters = c.levelWaiters, nil
	}
	c.u.mu.Unlock()
	if again {
		c.sendLevel(level)
	}
	for _, told := range waiters {
		told()
	}
}

// levelTime is how long the calls of a new connection wait for the server to
// have heard of the level.
const levelTime = 2 * time.Second

// restoreLevel tells the level in a new connection that is not in use yet.
func (c *connection) restoreLevel(ctx context.Context) {
	if c.modern() {
		return
	}
	told := make(chan struct{})
	c.tellLevel(func() { close(told) })
	late := time.NewTimer(levelTime)
	defer late.Stop()
	select {
	case <-told:
	case <-late.C:
	case <-c.t.Lost():
	case <-ctx.Done():
	}
}

// Notify sends a notification to a legacy server, with the raw params, which
// may be nil. It is dropped where none is connected.
func (u *Upstream) Notify(method string, params []byte) {
	u.mu.Lock()
	conn := u.conn
	u.mu.Unlock()
	if conn != nil && !conn.modern() {
		conn.notify(nil, method, params)
	}
}

// WatchTask asks a modern server to tell the state of a task by
// notifications/tasks (2026-07-28, tasks extension). It holds over all
// connections and sees to it that there is one, until UnwatchTask. told is called
// once, when the server has said whether it will; not if it never says so.
func (u *Upstream) WatchTask(id string, told func(granted bool)) {
	if !u.watchTask(id, told) {
		u.log.Warn().Msg("task is not watched: its id is too long, or too many are")
		told(false)
	}
}

func (u *Upstream) watchTask(id string, told func(bool)) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.kept.tasks) >= maxTasks || len(id) > maxTaskID {
		return false
	}
	if u.kept.tasks == nil {
		u.kept.tasks = make(map[string]func(bool))
	}
	u.kept.tasks[id] = told
	u.refilter()
	if u.conn == nil && u.want() != nil {
		poke(u.demand) // the supervisor tries when it may
	}
	return true
}

// UnwatchTask ends WatchTask.
func (u *Upstream) UnwatchTask(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.touch()
	delete(u.kept.tasks, id)
	u.refilter()
}

// tellWatchers tells who watches the tasks that were asked for, and has not been
// told yet, whether they are granted. Both are sorted.
func (u *Upstream) tellWatchers(asked, granted []string) {
	var tell []func()
	u.mu.Lock()
	for _, id := range asked {
		if told := u.kept.tasks[id]; told != nil {
			u.kept.tasks[id] = nil
			_, ok := slices.BinarySearch(granted, id)
			tell = append(tell, func() { told(ok) })
		}
	}
	u.mu.Unlock()
	for _, f := range tell {
		f()
	}
}

// refilter makes the subscription of the present connection follow what is
// kept. The caller holds u.mu.
func (u *Upstream) refilter() {
	if u.conn != nil {
		poke(u.conn.refilter)
	}
}

// isNeeded reports whether there is to be a connection though nobody asks for
// one. The caller holds u.mu.
func (u *Upstream) isNeeded() bool { return u.standing || u.kept.needsConnection() }

// nextTry is when to connect without being asked to; nil for never.
func (u *Upstream) nextTry() <-chan time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.leaving || !u.isNeeded() {
		return nil
	}
	switch u.status.State {
	case Idle:
		return time.After(time.Until(u.status.Since.Add(u.rest)))
	case Backoff:
		return time.After(time.Until(u.status.Retry))
	default:
		return nil
	}
}

// connectAgain asks for a connection that is still needed.
func (u *Upstream) connectAgain() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.conn == nil && u.isNeeded() {
		_ = u.want() // the status says why not
	}
}
