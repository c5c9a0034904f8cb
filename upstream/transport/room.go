package transport

import (
	"context"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Over HTTP each request has a stream of its own, and so has any number of answers
// that come at once. How many bytes of them lie in memory is bounded by how many
// may have grown so large: the others are read on when one of these is handed over.
const (
	mediumFrom, mediumAtOnce = jsonrpc.Large, 64
	largeFrom, largeAtOnce   = 1 << 20, 4
)

// rooms are those of one connection for messages that grow large.
type rooms struct{ medium, large chan struct{} }

func newRooms() *rooms {
	return &rooms{medium: make(chan struct{}, mediumAtOnce), large: make(chan struct{}, largeAtOnce)}
}

// room is what one stream has of the rooms. It is for one goroutine; nil has all.
type room struct {
	of            *rooms
	ctx           context.Context //nolint:containedctx // of the stream: it ends the wait
	medium, large bool
}

// stream returns the room of a stream, which ends with ctx at the latest.
func (r *rooms) stream(ctx context.Context) *room { return &room{of: r, ctx: ctx} }

// hold waits until a message may have this size. The error is why the stream has
// ended before.
func (r *room) hold(size int) error {
	if r == nil {
		return nil
	}
	// Who has a large room has a medium one: so nobody waits for another in turn.
	if err := r.enter(&r.medium, r.of.medium, size > mediumFrom); err != nil {
		return err
	}
	return r.enter(&r.large, r.of.large, size > largeFrom)
}

func (r *room) enter(held *bool, slots chan struct{}, wanted bool) error {
	if !wanted || *held {
		return nil
	}
	select {
	case slots <- struct{}{}:
		*held = true
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

// leave gives back what the stream has, when the message is handed over.
func (r *room) leave() {
	if r == nil {
		return
	}
	if r.large {
		<-r.of.large
	}
	if r.medium {
		<-r.of.medium
	}
	r.medium, r.large = false, false
}
