package transport

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// SSE is a connection by HTTP+SSE (2024-11-05, Transports; deprecated since). All
// that the server says comes in one event stream, which a GET opens and which is
// the session: when it ends, so does the connection. Each message of ours goes
// out by a POST of its own, to where the first event says.
//
// A request ends by its answer on the stream, by Failed when its POST fails or
// the stream ends, or by Abandon. An answer may come before its POST is over.
type SSE struct {
	config   HTTPConfig
	recv     Receiver
	client   *http.Client
	threads  threads
	endpoint string // where messages are posted; a secret, it names the session

	ctx    context.Context //nolint:containedctx // the connection's own lifetime
	cancel context.CancelCauseFunc
	crew   *crew // every goroutine but the one that Close starts
	done   chan struct{}
	lost   chan struct{}

	stream io.Closer
	events *eventReader
	in     inbox

	initialized chan struct{} // closed when the server has taken notifications/initialized, which nothing overtakes
	slots       chan struct{} // of the messages being posted

	mu          sync.Mutex
	err         error // why lost is closed
	closing     bool
	handingOver bool                   // notifications/initialized is on its way, or was
	taken       bool                   // the server has taken a message
	ended       bool                   // the stream: no answer will come
	version     string                 // negotiated
	requests    map[uint64]*sseRequest // those that have not ended
	waiting     int                    // bytes of what is not posted yet
}

// sseRequest is a request that has not ended.
type sseRequest struct {
	*delivery
	taken bool // the server has it
}

// DialSSE opens the event stream and waits for the server to name its endpoint,
// at most as long as ctx. Close the connection. The error is a [*DialError] or a
// [*RefusedError], or holds a [*StatusError].
func DialSSE(ctx context.Context, config HTTPConfig, recv Receiver) (*SSE, error) {
	config.Header = ownHeader(config.Header)
	s := &SSE{
		config:      config,
		recv:        recv,
		client:      newClient(config.RoundTripper),
		done:        make(chan struct{}),
		lost:        make(chan struct{}),
		initialized: make(chan struct{}),
		slots:       make(chan struct{}, maxPosts),
		requests:    make(map[uint64]*sseRequest),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.crew = newCrew(s.ctx.Done())
	s.in = inbox{recv: recv, limit: config.Limit, answered: s.answered}
	if err := s.dial(ctx); err != nil {
		s.cancel(err)
		s.client.CloseIdleConnections()
		return nil, err
	}
	s.crew.do(s.read)
	return s, nil
}

// Send posts a message on a goroutine of its own. It is refused when too much
// waits for its turn.
func (s *SSE) Send(b *jsonrpc.Batch, out *Outgoing) error {
	d, err := newDelivery(s.ctx, s.endpoint, out)
	if err != nil {
		return err
	}
	size := int(d.req.ContentLength) + messageOverhead
	d.slots = s.slots
	d.ended = func() { s.sent(size) }
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused := s.refusal(size); refused != nil {
		d.cancel(refused)
		return refused
	}
	s.waiting += size
	d.req.Header = s.header()
	if s.handingOver && out.Method != "" {
		d.after = s.initialized
	}
	if out.Method == initializedMethod && !s.handingOver {
		s.handingOver = true
		d.ended = func() { s.sent(size); close(s.initialized) }
	}
	if out.ID != 0 {
		s.requests[out.ID] = &sseRequest{delivery: d}
	}
	s.threads.join(d)
	b.Started()
	s.crew.do(func() { s.deliver(d) })
	return nil
}

// maxPosts is how many messages are posted at once. A server may hold a POST
// until it has answered on the stream.
const maxPosts = 256

// messageOverhead is what a message that waits takes beside its bytes.
const messageOverhead = 4 << 10

// refusal is why a message cannot be taken. The caller holds s.mu.
func (s *SSE) refusal(size int) error {
	if s.err != nil {
		return s.err
	}
	if s.waiting > 0 && s.waiting+size > s.config.Limit+backlog {
		return ErrCongested
	}
	return nil
}

func (s *SSE) sent(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting -= size
}

// header returns the headers of a POST. The caller holds s.mu.
func (s *SSE) header() http.Header {
	header := s.config.Header.Clone()
	header.Set("Content-Type", typeJSON)
	// 2025-06-18, HTTP, protocol version header.
	if s.version >= "2025-06-18" {
		header.Set(versionHeader, s.version)
	}
	return header
}

// deliver posts one message. What the server says about it stands in the status
// alone.
func (s *SSE) deliver(d *delivery) {
	defer d.end()
	resp, err := d.deliver(s.client)
	if err != nil {
		s.fail(d, err)
		return
	}
	defer discard(resp)
	switch {
	case isSuccess(resp):
		s.delivered(d)
	case s.forgotten(resp):
		s.lose(ErrSessionLost)
		s.fail(d, ErrSessionLost)
	default:
		d.cancelAfter(noticeLimit)
		body, _ := io.ReadAll(io.LimitReader(resp.Body, statusBodyLimit))
		s.fail(d, newStatusError(resp, body, ""))
	}
}

// delivered notes that the server has taken a message.
func (s *SSE) delivered(d *delivery) {
	s.mu.Lock()
	s.taken = true
	if r := s.requests[d.out.ID]; r != nil && r.delivery == d {
		r.taken = true
	}
	ended := s.ended
	s.mu.Unlock()
	if ended {
		s.fail(d, &BrokenError{s.Err()})
	}
}

// forgotten reports whether the server does not know the session any more, as
// that of an endpoint which was good before.
func (s *SSE) forgotten(resp *http.Response) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken && (resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone)
}

// fail ends a request, unless it was answered or given up before.
func (s *SSE) fail(d *delivery, err error) {
	s.mu.Lock()
	r := s.requests[d.out.ID]
	pending := r != nil && r.delivery == d
	if pending {
		delete(s.requests, d.out.ID)
	}
	s.mu.Unlock()
	if pending {
		s.recv.Failed(d.out, err)
	}
}

// answered is told the raw id of each answer on the stream. Its POST should be
// over by now, and may take a moment for it.
func (s *SSE) answered(rawID []byte) {
	id, err := strconv.ParseUint(string(rawID), 10, 64)
	if err != nil || string(appendID(id)) != string(rawID) {
		return
	}
	s.take(id, answerGrace)
}

// take ends a request, and bounds its POST.
func (s *SSE) take(id uint64, grace time.Duration) {
	s.mu.Lock()
	r := s.requests[id]
	delete(s.requests, id)
	s.mu.Unlock()
	if r != nil {
		r.cancelAfter(grace)
	}
}

// Abandon leaves it to the caller to tell the server, which initialize is not
// told of (2025-11-25, cancellation).
func (s *SSE) Abandon(id uint64) (tell bool) {
	s.mu.Lock()
	r := s.requests[id]
	s.mu.Unlock()
	s.take(id, abandonGrace)
	return r != nil && r.out.Method != "initialize"
}

// Established names the revision that goes with every message from now on.
func (s *SSE) Established(version string, _ bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = version
}

// read hands over what comes until the stream ends, and then fails what was not
// answered. What is still being posted fails by itself.
func (s *SSE) read() {
	_, err := s.in.drain(s.events)
	s.stream.Close()
	s.lose(cmp.Or(withoutURL(err), ErrPeerClosed))
	s.mu.Lock()
	s.ended = true
	cause := s.err
	var taken, underWay []*delivery
	for _, r := range s.requests {
		if r.taken {
			taken = append(taken, r.delivery)
		} else {
			underWay = append(underWay, r.delivery)
		}
	}
	s.mu.Unlock()
	for _, d := range taken {
		s.fail(d, &BrokenError{cause})
	}
	for _, d := range underWay {
		d.cancel(cause)
	}
}

// Close ends the stream, and with it the session.
func (s *SSE) Close() {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	s.closing = true
	s.mu.Unlock()
	s.lose(ErrClosed)
	s.cancel(ErrClosed)
	go func() {
		s.crew.wait()
		s.client.CloseIdleConnections()
		close(s.done)
	}()
}

// Done is closed when no goroutine of the connection is left.
func (s *SSE) Done() <-chan struct{} { return s.done }

// Lost is closed by Close, when the stream has ended, and when the server has
// forgotten the session.
func (s *SSE) Lost() <-chan struct{} { return s.lost }

// Err says why, once Lost is closed.
func (s *SSE) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// lose says that the connection can carry nothing more. The first reason stays.
func (s *SSE) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.lost)
	}
}
