package aggregator

import (
	"sync/atomic"

	"github.com/weir-mcp/weir/upstream"
)

// spares are calls that are over and serve again. They are given back by any
// goroutine, and taken by the session's reader. The zero spares is ready for use.
type spares struct {
	given atomic.Pointer[call] // the latest; the others are linked to it
	taken *call                // likewise; of the reader alone
	count atomic.Int32         // of all of them
}

// maxSpares is how many calls wait for their next use: more than hosts mostly have
// in flight. What is over that is left to the collector.
const maxSpares = 512

// take returns a call with nothing in it.
func (p *spares) take() *call {
	if p.taken == nil {
		if p.taken = p.given.Swap(nil); p.taken == nil {
			return new(call)
		}
	}
	c := p.taken
	p.taken = c.next
	p.count.Add(-1)
	*c = call{}
	return c
}

// give takes back a call. It is emptied when it is taken, by whose processor has
// most of it at hand; what could hold much memory until then is let go. Nothing is
// read of one that was given before: the reader may have taken it meanwhile.
func (p *spares) give(c *call) {
	if p.count.Add(1) > maxSpares {
		p.count.Add(-1)
		return
	}
	c.first.Params, c.first.Meta, c.first.Capabilities, c.first.Definition = nil, nil, nil, nil
	c.told.args, c.told.span = nil, nil
	for {
		c.next = p.given.Load()
		if p.given.CompareAndSwap(c.next, c) {
			return
		}
	}
}

// mayBeSpent reports whether nothing will hold on to the call when its server has
// answered, but for what end rules out. One that more can come of does not come
// back: it is kept or parked, waits for a turn, or is known by a token or a task.
func (c *call) mayBeSpent() bool {
	return c.op.isWork() && c.kept == nil && c.approved == nil && c.token == nil && c.server.Limits.Concurrent == 0
}

// spentCall is upstream.Call.Spent of a call that mayBeSpent: the memory of one
// that has had its answer serves another. One that was cancelled is left to who
// cancels it.
func spentCall(work *upstream.Call) {
	c, ok := work.Sink.(*call)
	if !ok || !c.answered || c.pinned || c.lasts {
		return
	}
	c.s.spares.give(c)
}
