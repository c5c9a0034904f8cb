package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// delivery is the way of one message to a server by a POST of its own. One
// goroutine brings it there.
type delivery struct {
	out    *Outgoing // our own
	req    *http.Request
	cancel context.CancelCauseFunc

	// To be set before it goes: nil for none.
	after <-chan struct{} // what the message must not overtake
	slots chan struct{}   // holds one element for each message that is under way
	ended func()          // called at the end

	// sent is whether bytes of req may have left. It turns false again when
	// net/http goes for another connection, since it does so only after the
	// server has refused the request unseen, or has redirected it.
	sent    atomic.Bool
	started bool // it has its slot

	mu    sync.Mutex
	timer *time.Timer // of cancelAfter
	over  bool
}

// newDelivery returns a delivery of out within ctx. Its header is to be filled.
func newDelivery(ctx context.Context, url string, out *Outgoing) (*delivery, error) {
	own := *out
	own.Pieces = keep(out.Pieces)
	ctx, cancel := context.WithCancelCause(ctx)
	d := &delivery{out: &own, cancel: cancel}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, d.trace()), http.MethodPost, url, nil)
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("reading the URL: %w", withoutURL(err))
	}
	d.req = req
	d.setBody()
	return d, nil
}

// keep copies the pieces that may be reused, and makes one of those that follow
// one another.
func keep(pieces [][]byte) [][]byte {
	size := 0
	for _, p := range pieces {
		if len(p) < jsonrpc.Large {
			size += len(p)
		}
	}
	small := make([]byte, 0, size)
	var kept [][]byte
	for _, p := range pieces {
		if len(p) < jsonrpc.Large {
			small = append(small, p...)
			continue
		}
		if len(small) > 0 {
			kept = append(kept, slices.Clip(small))
			small = small[len(small):]
		}
		kept = append(kept, p)
	}
	if len(small) > 0 {
		kept = append(kept, slices.Clip(small))
	}
	return kept
}

// size is how many bytes the message has.
func (d *delivery) size() int { return int(d.req.ContentLength) }

func (d *delivery) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:          func(string) { d.sent.Store(false) },
		WroteHeaderField: func(string, []string) { d.sent.Store(true) },
	}
}

func (d *delivery) setBody() {
	for _, p := range d.out.Pieces {
		d.req.ContentLength += int64(len(p))
	}
	d.req.GetBody = func() (io.ReadCloser, error) {
		if len(d.out.Pieces) == 1 {
			// net/http knows this to be there, and writes it together with the headers.
			return io.NopCloser(bytes.NewReader(d.out.Pieces[0])), nil
		}
		pieces := net.Buffers(slices.Clone(d.out.Pieces))
		return io.NopCloser(&pieces), nil
	}
	d.req.Body, _ = d.req.GetBody()
}

// deliver posts the message when its turn has come. The error is a
// [*RefusedError] if the RoundTripper says so, a [*DialError] if the server cannot
// have got it, else a [*BrokenError].
func (d *delivery) deliver(client *http.Client) (*http.Response, error) {
	if err := d.awaitTurn(); err != nil {
		return nil, &DialError{err}
	}
	if d.out.ID == 0 {
		d.cancelAfter(noticeLimit)
	}
	resp, err := client.Do(d.req)
	if err == nil {
		return resp, nil
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return nil, refused
	}
	err = d.cause(withoutURL(err))
	if d.sent.Load() {
		return nil, &BrokenError{err}
	}
	return nil, &DialError{err}
}

func (d *delivery) awaitTurn() error {
	given := d.req.Context()
	if d.after != nil {
		select {
		case <-d.after:
		case <-given.Done():
			return context.Cause(given)
		}
	}
	if d.slots != nil {
		select {
		case d.slots <- struct{}{}:
			d.started = true
		case <-given.Done():
			return context.Cause(given)
		}
	}
	return nil
}

// cause returns why the delivery was cancelled, or err if it was not.
func (d *delivery) cause(err error) error {
	if cause := context.Cause(d.req.Context()); cause != nil {
		return cause
	}
	return err
}

// cancelAfter bounds what is left of the delivery; the last call counts.
func (d *delivery) cancelAfter(patience time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return
	}
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer = time.AfterFunc(patience, func() { d.cancel(errAbandoned) })
}

// end is called by the goroutine of the delivery, last.
func (d *delivery) end() {
	d.mu.Lock()
	d.over = true
	if d.timer != nil {
		d.timer.Stop()
	}
	d.mu.Unlock()
	d.cancel(nil)
	if d.started {
		<-d.slots
	}
	if d.ended != nil {
		d.ended()
	}
}
