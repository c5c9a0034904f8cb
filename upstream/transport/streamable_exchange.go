package transport

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// exchange is one message on its way to the server, and what comes back for
// it. One goroutine runs it.
type exchange struct {
	*delivery
	s       *Streamable
	session string // that the request carries
	in      inbox
}

func (s *Streamable) newExchange(out *Outgoing) (*exchange, error) {
	d, err := newDelivery(s.ctx, s.config.URL, out)
	if err != nil {
		return nil, err
	}
	x := &exchange{delivery: d, s: s}
	x.setHeader()
	x.in = inbox{recv: s.recv, limit: s.config.Limit, origin: out.ID}
	if out.ID != 0 {
		x.in.id = appendID(out.ID)
		x.in.settle, x.in.forgets = func() { s.retire(x) }, x.meetsForgotten
	}
	return x, nil
}

// isModern reports whether the message is of the modern era, in which there are
// no sessions.
func (x *exchange) isModern() bool { return x.out.Version != "" }

func (x *exchange) setHeader() {
	if x.isModern() {
		x.req.Header = x.modernHeader()
	} else {
		x.session, x.req.Header = x.s.sessionHeader()
	}
	x.req.Header.Set("Content-Type", typeJSON)
	x.req.Header.Set("Accept", typeJSON+", "+typeStream)
}

func (x *exchange) modernHeader() http.Header {
	header := x.s.config.Header.Clone()
	header.Set(versionHeader, x.out.Version)
	header.Set(methodHeader, x.out.Method)
	if x.out.Name != "" {
		header.Set(nameHeader, encodeHeader(x.out.Name))
	}
	for key, values := range x.out.Params {
		header[key] = values
	}
	return header
}

func (x *exchange) run() {
	defer x.end()
	resp, err := x.deliver(x.s.client)
	if err != nil {
		x.fail(err)
		return
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound && x.session != "":
		x.forgotten()
		discard(resp)
	case !isSuccess(resp):
		x.refused(resp)
	case x.out.ID == 0:
		discard(resp)
	default:
		x.accepted(resp)
	}
}

// broken ends a request whose bytes went out.
func (x *exchange) broken(err error) { x.fail(&BrokenError{x.cause(err)}) }

func (x *exchange) fail(err error) {
	if x.s.retire(x) {
		x.s.recv.Failed(x.out, err)
	}
}

// forgotten ends a request, and with it the connection, because the server does
// not know the session.
func (x *exchange) forgotten() {
	x.s.lose(ErrSessionLost)
	x.fail(ErrSessionLost)
}

// settleStream is told that the answer is there. The server should end the stream
// now, and may take a moment for it.
func (x *exchange) settleStream() {
	x.s.retire(x)
	x.cancelAfter(answerGrace)
}

// errorLimit bounds what is read of an answer that says no.
const errorLimit = 1 << 20

// refused handles an answer with a status that says no. A JSON-RPC error in it
// is the answer to the request, unless it asks for credentials.
func (x *exchange) refused(resp *http.Response) {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, int64(min(x.s.config.Limit, errorLimit))))
	if resp.StatusCode == http.StatusBadRequest && x.isRefusedForSession(body) || x.meetsForgotten(body) {
		x.forgotten()
		return
	}
	failure := x.in.failure(body)
	challenged := resp.StatusCode == http.StatusUnauthorized || resp.Header.Get("Www-Authenticate") != ""
	if failure == nil || challenged || x.out.ID == 0 {
		x.fail(newStatusError(resp, body, x.session))
		return
	}
	x.in.take(body)
	x.in.batch.Flush()
}

var (
	errNoAnswer       = errors.New("the server ended its answer without answering")
	errInvalidSession = errors.New("the server sent a session id that is not visible ASCII")
)

// accepted handles an answer with a status that says yes.
func (x *exchange) accepted(resp *http.Response) {
	if x.out.Method == "initialize" && !x.isModern() {
		session := resp.Header.Get(sessionIDHeader)
		if !visibleASCII(session) {
			x.fail(errInvalidSession)
			return
		}
		x.s.setSession(session)
	}
	switch mediaType(resp) {
	case typeStream:
		x.follow(resp)
	case typeJSON:
		x.whole(resp)
	default:
		body, err := io.ReadAll(io.LimitReader(resp.Body, statusBodyLimit))
		if len(body) == 0 {
			x.broken(cmp.Or(err, errNoAnswer))
			return
		}
		x.fail(newStatusError(resp, body, x.session))
	}
}

// whole handles an answer in JSON.
func (x *exchange) whole(resp *http.Response) {
	room := x.s.rooms.stream(x.req.Context())
	defer room.leave()
	body, err := readBody(resp, x.s.config.Limit, room)
	if err != nil {
		x.broken(err)
		return
	}
	if len(body) > x.s.config.Limit {
		x.in.malformed(x.in.id, &jsonrpc.LineTooLongError{Limit: x.s.config.Limit, ID: x.in.id})
	} else if x.meetsForgotten(body) {
		x.forgotten()
		return
	} else {
		x.in.take(body)
	}
	x.in.batch.Flush()
	x.broken(cmp.Or(x.in.missed, errNoAnswer))
}

// readBody reads a body, or of one that is longer than limit, the first bytes
// and one more. It waits for room as the body grows.
func readBody(resp *http.Response, limit int, room *room) ([]byte, error) {
	var body bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= int64(limit) {
		if err := room.hold(int(n)); err != nil {
			return nil, err
		}
		body.Grow(int(n) + bytes.MinRead)
	}
	for _, most := range []int{mediumFrom, largeFrom, limit + 1} {
		more := min(most, limit+1) - body.Len()
		if n, err := body.ReadFrom(io.LimitReader(resp.Body, int64(more))); err != nil || n < int64(more) {
			return body.Bytes(), err
		}
		if err := room.hold(body.Len() + 1); err != nil {
			return nil, err
		}
	}
	return body.Bytes(), nil
}

// follow handles an answer in an event stream, and in those that continue it
// (2025-11-25, Streamable HTTP, resumability and redelivery).
func (x *exchange) follow(resp *http.Response) {
	body := resp.Body
	defer func() { body.Close() }()
	x.in.settle = x.settleStream
	events := newEventReader(body, x.s.config.Limit, x.in.batch.Flush)
	events.room = x.s.rooms.stream(x.req.Context())
	defer events.room.leave()
	var pace pace
	for {
		before := events.lastID
		progress, err := x.in.drain(events)
		if x.in.settled {
			return
		}
		if errors.Is(err, ErrSessionLost) {
			x.forgotten()
			return
		}
		if x.isModern() || events.lastID == "" || x.in.missed != nil {
			x.broken(cmp.Or(x.in.missed, err, errNoAnswer))
			return
		}
		if events.lastID != before {
			progress++ // to be asked again after it is what the server wants
		}
		pace.note(progress)
		body.Close()
		if resp, err = x.resume(events, &pace); err != nil { //nolint:bodyclose // as body, by the defer above
			x.broken(err)
			return
		}
		body = resp.Body
		events.continueOn(body)
	}
}

// resumeAttempts is how often in a row a stream may fail to be continued.
const resumeAttempts = 5

// resume asks for the rest of a stream, as often as it takes.
func (x *exchange) resume(events *eventReader, pace *pace) (*http.Response, error) {
	ctx := x.req.Context()
	for failed := 0; ; {
		if err := sleep(ctx, pace.wait(events.retry)); err != nil {
			return nil, err
		}
		resp, err := x.s.get(ctx, events.lastID)
		if err == nil && isSuccess(resp) && mediaType(resp) == typeStream {
			return resp, nil
		}
		if err == nil {
			err = newStatusError(resp, nil, x.session)
			discard(resp)
			if resp.StatusCode < http.StatusInternalServerError {
				return nil, err
			}
		}
		if failed++; failed == resumeAttempts || isRefused(err) {
			return nil, err
		}
		pace.note(0)
	}
}
