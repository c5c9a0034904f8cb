package upstream

import (
	"context"
	"slices"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Reply is the result of a call of weir's own.
type Reply struct {
	Result []byte
	Fields []jsonrpc.Member // of Result
	Modern bool
}

// Ask makes a call of weir's own and waits for the result, the raw bytes of
// which are the caller's. limit is as [Call.Timeout]. The error is a Failure, a
// [*ReplyError], or ctx's.
func (u *Upstream) Ask(ctx context.Context, method string, params []jsonrpc.Member, limit time.Duration) (Reply, error) {
	return u.await(ctx, newWaiter(method, params, limit))
}

// await makes the call and waits for the result.
func (u *Upstream) await(ctx context.Context, w *waiter) (Reply, error) {
	u.Do(nil, &w.call)
	select {
	case <-w.done:
		return w.out, w.err
	case <-ctx.Done():
		u.Cancel(&w.call, nil)
		return Reply{}, context.Cause(ctx)
	}
}

// waiter is a call of weir's own and the Sink of it, for one goroutine to wait
// for. out and err may be read when done is closed.
type waiter struct {
	call Call
	done chan struct{}
	out  Reply
	err  error
}

func newWaiter(method string, params []jsonrpc.Member, limit time.Duration) *waiter {
	w := &waiter{done: make(chan struct{})}
	w.call = Call{Method: method, Params: params, Timeout: limit, Sink: w}
	return w
}

// Progress implements Sink.
func (w *waiter) Progress(*jsonrpc.Batch, *jsonrpc.Message) {}

// Done implements Sink.
func (w *waiter) Done(_ *jsonrpc.Batch, a Answer) {
	w.out.Modern = a.Modern
	switch {
	case a.Err != nil:
		w.err = a.Err
	case a.Message.Kind == jsonrpc.Failure:
		w.err = parseError(a.Message.Fields, a.Message.Error)
	default:
		// A result has just been scanned: if it is an object it parses again.
		w.out.Result = slices.Clone(a.Message.Result)
		w.out.Fields, _ = jsonrpc.ParseObject(nil, w.out.Result)
	}
	close(w.done)
}
