package transport

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// HTTPConfig says how to reach a server by Streamable HTTP or by HTTP+SSE.
type HTTPConfig struct {
	URL string // of the MCP endpoint, or of the event stream; http or https; required

	// Header goes with every request. What the protocol or HTTP itself sets is
	// left out of it.
	Header http.Header

	// RoundTripper sends the requests, each of which can be sent again (GetBody);
	// nil for one of NewRoundTripper's. It belongs to the connection, which closes
	// its idle connections at the end. It must not repeat a POST that a server may
	// have executed. Its error may be a [*RefusedError].
	RoundTripper http.RoundTripper

	Limit int // bytes of one message from the server; required
}

// Streamable is a connection by Streamable HTTP, of both eras (2025-03-26 to
// 2025-11-25 and 2026-07-28, Streamable HTTP). Each message goes out by a POST
// of its own. The id of a request on the wire is its Outgoing.ID in decimal.
//
// A request ends by exactly one of these: its answer goes to Receive; Malformed
// names its id; Failed; Abandon. What becomes of a notification or a response
// nobody is told, except that a session that is lost ends the connection.
//
// A message to Receive of jsonrpc.Large bytes or more has memory of its own and
// may be kept.
type Streamable struct {
	config HTTPConfig
	recv   Receiver
	client *http.Client

	ctx    context.Context //nolint:containedctx // the connection's own lifetime
	cancel context.CancelCauseFunc
	crew   *crew // every goroutine but the one that Close starts
	done   chan struct{}
	lost   chan struct{}

	// initialized is closed when the server has taken notifications/initialized.
	// Some servers refuse what overtakes it, so requests and notifications wait.
	initialized chan struct{}

	threads     threads
	rooms       *rooms        // for messages that grow large
	noticeSlots chan struct{} // of all that is no request

	mu          sync.Mutex
	err         error // why lost is closed
	closing     bool
	established bool
	handingOver bool                 // notifications/initialized is on its way, or was
	version     string               // legacy, negotiated
	session     string               // legacy; a secret
	requests    map[uint64]*exchange // those that have not ended
	notices     int                  // how many that are no requests have not ended
	noticeBytes int                  // of them
}

// errAbandoned ends the exchange of a request that nobody waits for.
var errAbandoned = errors.New("request was given up")

const initializedMethod = "notifications/initialized"

// NewStreamable returns a connection. It sends nothing by itself until it is
// Established. Close ends it.
func NewStreamable(config HTTPConfig, recv Receiver) *Streamable {
	config.Header = ownHeader(config.Header)
	s := &Streamable{
		config:      config,
		recv:        recv,
		client:      newClient(config.RoundTripper),
		done:        make(chan struct{}),
		lost:        make(chan struct{}),
		initialized: make(chan struct{}),
		noticeSlots: make(chan struct{}, maxNoticePosts),
		requests:    make(map[uint64]*exchange),
		rooms:       newRooms(),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.crew = newCrew(s.ctx.Done())
	return s
}

// Send posts a message on a goroutine of its own. The Params of out must not
// change any more. What is no request is refused when the server has left too
// many of that kind unread: a server could else make weir hold any number of
// answers.
func (s *Streamable) Send(b *jsonrpc.Batch, out *Outgoing) error {
	x, err := s.newExchange(out)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		x.cancel(s.err)
		return s.err
	}
	if s.handingOver && out.Method != "" {
		x.after = s.initialized
	}
	switch {
	case out.ID != 0:
		s.requests[out.ID] = x
	case out.Method == initializedMethod && !s.handingOver:
		s.handingOver = true
		x.ended = func() { close(s.initialized) }
	case s.notices == maxNotices, s.noticeBytes > 0 && s.noticeBytes+x.size() > s.config.Limit+backlog:
		x.cancel(ErrCongested)
		return ErrCongested
	default:
		s.notices++
		s.noticeBytes += x.size()
		x.slots, x.ended = s.noticeSlots, func() { s.noticeEnded(x.size()) }
		s.threads.join(x.delivery)
	}
	b.Started()
	s.crew.do(x.run)
	return nil
}

func (s *Streamable) noticeEnded(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notices--
	s.noticeBytes -= size
}

// Abandon closes the stream of a modern request, which cancels it (2026-07-28,
// Streamable HTTP, disconnection). That of a legacy one stays open for a moment:
// there closing is no cancellation, and the server may still use it.
func (s *Streamable) Abandon(id uint64) (tell bool) {
	s.mu.Lock()
	x := s.requests[id]
	delete(s.requests, id)
	s.mu.Unlock()
	if x == nil {
		return false
	}
	// 2025-11-25, cancellation: the server must not be told of initialize.
	if x.isModern() || x.out.Method == "initialize" {
		x.cancel(errAbandoned)
		return false
	}
	x.cancelAfter(abandonGrace)
	return true
}

// Established opens the standalone stream of a legacy server, if it offers one
// (2025-11-25, Streamable HTTP, listening for messages from the server).
func (s *Streamable) Established(version string, modern bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.established || s.err != nil || modern {
		return
	}
	s.established = true
	s.version = version
	s.crew.do(s.listen)
}

// Close ends every request. A legacy session is ended at the server too, for
// which the server has two seconds.
func (s *Streamable) Close() {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	s.closing = true
	forgotten := s.err != nil
	s.mu.Unlock()

	s.lose(ErrClosed)
	s.cancel(ErrClosed)
	go func() {
		if !forgotten {
			s.endSession()
		}
		s.crew.wait()
		s.client.CloseIdleConnections()
		close(s.done)
	}()
}

// Done is closed when no goroutine of the connection is left.
func (s *Streamable) Done() <-chan struct{} { return s.done }

// Lost is closed by Close, and when the server has forgotten a legacy session.
// Nothing else ends a connection over HTTP.
func (s *Streamable) Lost() <-chan struct{} { return s.lost }

// Err returns ErrClosed or ErrSessionLost once Lost is closed.
func (s *Streamable) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// lose says that the connection can carry nothing more. The first reason stays.
func (s *Streamable) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.lost)
	}
}

// retire takes a request out of those that have not ended. It returns false if
// it was ended before: by its answer, or by Abandon.
func (s *Streamable) retire(x *exchange) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.out.ID == 0 || s.requests[x.out.ID] != x {
		return false
	}
	delete(s.requests, x.out.ID)
	return true
}

// endSession ends a legacy session at the server, which may refuse (2025-11-25,
// Streamable HTTP, session management).
func (s *Streamable) endSession() {
	session, header := s.sessionHeader()
	if session == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), sessionEnd)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, s.config.URL, nil)
	if err != nil {
		return
	}
	req.Header = header
	resp, err := s.client.Do(req)
	if err != nil {
		return
	}
	discard(resp)
}

// sessionHeader returns the headers of every legacy request after initialize,
// and the session id in them.
func (s *Streamable) sessionHeader() (session string, header http.Header) {
	header = s.config.Header.Clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version != "" {
		header.Set(versionHeader, s.version)
	}
	if s.session != "" {
		header.Set(sessionIDHeader, s.session)
	}
	return s.session, header
}

func (s *Streamable) setSession(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = id
}

// How many messages that are no requests may be on their way at once, and how
// many of them are being posted: all others wait for those.
const (
	maxNotices     = 4096
	maxNoticePosts = 32
)

// The patience of a connection.
const (
	sessionEnd   = 2 * time.Second
	abandonGrace = 5 * time.Second // for a legacy stream that nobody waits for
	answerGrace  = time.Second     // for a server to end a stream after its answer
	noticeLimit  = 30 * time.Second
)

func appendID(id uint64) []byte { return strconv.AppendUint(nil, id, 10) }
