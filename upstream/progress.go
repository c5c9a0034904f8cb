package upstream

import (
	"slices"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// maxLasting bounds the calls of one connection whose progress goes on after
// their answer; the oldest is forgotten for one more.
const maxLasting = 256

// isTask reports whether a legacy server has answered with a task in place of
// the result (2025-11-25, tasks).
func isTask(m *jsonrpc.Message) bool {
	task := jsonrpc.Find(m.Fields, "task")
	return m.Kind == jsonrpc.Response && len(task) > 0 && task[0] == '{'
}

// keepProgress lets the progress of a call go on that is about to be answered
// with a task: its token is good for the life of the task (2025-11-25, tasks).
func (c *connection) keepProgress(call *Call) {
	call.delivery.Lock()
	call.lasting = true
	call.delivery.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lasting == nil {
		c.lasting = make(map[uint64]*Call)
	}
	if len(c.lastingAges) >= maxLasting {
		delete(c.lasting, c.lastingAges[0])
		c.lastingAges = slices.Delete(c.lastingAges, 0, 1)
	}
	c.lasting[call.id] = call
	c.lastingAges = append(c.lastingAges, call.id)
}

func (c *connection) lastingCall(token uint64) *Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lasting[token]
}

// EndProgress ends the progress of a call that was answered with a task. Some of
// it may be under way still.
func (u *Upstream) EndProgress(call *Call) {
	u.mu.Lock()
	conn := call.conn
	u.mu.Unlock()
	if conn == nil {
		return
	}
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if conn.lasting[call.id] == call {
		conn.touch()
		delete(conn.lasting, call.id)
		conn.lastingAges = slices.DeleteFunc(conn.lastingAges, func(id uint64) bool { return id == call.id })
	}
}
