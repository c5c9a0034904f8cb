package aggregator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is how much a server is given to do at once, and in a time.

// Limits bound what hosts can make of one server, all of them together. What is
// zero is no limit.
type Limits struct {
	// Rate is of requests for work: calls of tools, prompts, reads and completion.
	// One that is over it is refused, with the time until the next may be.
	Rate Rate

	// Concurrent is how many of these the server works on at once. What is over it
	// waits for its turn, as long as a connection would be waited for. A request
	// takes a place until the server has answered, be it with a task or a question,
	// or waits for the user: so no user who thinks keeps others waiting.
	Concurrent int

	// ResultBytes is the size of one result.
	ResultBytes int
}

// maxQueue is how many requests may wait for their turn at one server.
const maxQueue = 256

// isWork reports whether requests of the operation count. What comes after the
// work, or ends it, does not.
func (op *operation) isWork() bool {
	switch op.method {
	case "tools/call", "prompts/get", "resources/read", "completion/complete":
		return true
	}
	return false
}

// do gives the work to the server, unless that is over its limits.
func (c *call) do(b *jsonrpc.Batch) {
	c.s.mu.Lock()
	err := c.takeShare()
	c.s.mu.Unlock()
	if err != nil {
		c.finish(b, upstream.Answer{Err: err})
		return
	}
	c.submit(b)
}

// submit is do for a call that has its share.
func (c *call) submit(b *jsonrpc.Batch) {
	limits := &c.server.Limits
	if !c.op.isWork() {
		c.start(b)
		return
	}
	if after := c.server.work.take(limits.Rate, b.Now()); after > 0 {
		c.finish(b, upstream.Answer{Err: overRate(c.server, after)})
		return
	}
	if limits.Concurrent == 0 {
		c.start(b)
		return
	}
	switch turn, full := c.server.places.enter(c, limits.Concurrent); {
	case full:
		c.finish(b, upstream.Answer{Err: tooBusy(c.server)})
	case turn == nil:
		c.startInPlace(b)
	default:
		c.awaitTurn(turn)
	}
}

// startInPlace gives the work to the server, if the request that has got a place
// has not ended meanwhile.
func (c *call) startInPlace(b *jsonrpc.Batch) {
	c.s.mu.Lock()
	wanted := c.s.calls.has(c)
	c.s.mu.Unlock()
	if !wanted {
		c.leavePlace()
		return
	}
	c.start(b)
}

// awaitTurn starts the work on a goroutine of the session when it is its turn. It
// can be cancelled until then.
func (c *call) awaitTurn(turn <-chan struct{}) {
	if c.kept == nil {
		c.first.Params, c.first.Meta = cloneMembers(c.first.Params), cloneMembers(c.first.Meta)
	}
	cfg := c.server.up.Config()
	ctx, cancel := context.WithTimeout(c.s.ctx, min(cfg.ConnectTimeout, cfg.Timeout))
	c.s.mu.Lock()
	c.cancel = cancel
	gone := !c.s.calls.has(c)
	c.s.mu.Unlock()
	if gone {
		cancel()
	}
	c.s.behind.Go(func() {
		defer cancel()
		select {
		case <-turn:
			c.startInPlace(nil)
		case <-ctx.Done():
			c.leavePlace()
			c.finish(nil, upstream.Answer{Err: tooBusy(c.server)})
		}
	})
}

func overRate(s *server, after time.Duration) error {
	r := s.Limits.Rate
	unit := map[time.Duration]string{time.Second: "second", time.Minute: "minute", time.Hour: "hour"}[r.Per]
	return upstream.RateLimitError{Fault: &upstream.Fault{
		Server: s.Name, Retryable: true, RetryAfter: after,
		Text: fmt.Sprintf("the limit of %d requests a %s in weir's configuration is reached", r.Count, cmp.Or(unit, r.Per.String())),
		Hint: "Nothing was sent.",
	}}
}

func tooBusy(s *server) error {
	return upstream.RateLimitError{Fault: &upstream.Fault{
		Server: s.Name, Retryable: true,
		Text: fmt.Sprintf("the server works on %d requests, as many as weir's configuration allows at once", s.Limits.Concurrent),
		Hint: "Nothing was sent; call again when others have ended.",
	}}
}

// places are those that a server has for work. They are safe for concurrent use.
type places struct {
	mu    sync.Mutex
	taken map[*call]bool
	queue []queued // in the order of their coming
}

type queued struct {
	call *call
	turn chan struct{} // closed when it has a place
}

// enter takes a place for the call. If there is none it returns what is closed
// when there is; full says that too many wait already.
func (p *places) enter(c *call, limit int) (turn <-chan struct{}, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(p.taken) < limit:
		if p.taken == nil {
			p.taken = make(map[*call]bool, limit)
		}
		p.taken[c] = true
		return nil, false
	case len(p.queue) >= maxQueue:
		return nil, true
	}
	q := queued{c, make(chan struct{})}
	p.queue = append(p.queue, q)
	return q.turn, false
}

// leave gives the place of the call, or its wait for one, to the next. It does
// nothing for one that has neither.
func (p *places) leave(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.taken[c] {
		p.queue = slices.DeleteFunc(p.queue, func(q queued) bool { return q.call == c })
		return
	}
	delete(p.taken, c)
	if len(p.queue) > 0 {
		next := p.queue[0]
		p.queue = slices.Delete(p.queue, 0, 1)
		p.taken[next.call] = true
		close(next.turn)
	}
}

// leavePlace is called when the server has answered, or is not to any more, or the
// user is asked.
func (c *call) leavePlace() {
	if c.server != nil && c.server.Limits.Concurrent > 0 {
		c.server.places.leave(c)
	}
}
