package aggregator

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// maxInFlight is how many requests of one host may be in flight.
const maxInFlight = 10_000

// maxUnwritten is how many bytes may wait for a host that does not read before
// the upstreams that answer have to wait for it too.
const maxUnwritten = 32 << 20

// call is one request of the host in flight. Whoever takes it out of the
// session's table ends it.
type call struct {
	upstream.Call
	s      *session
	id     []byte // the host's, raw
	key    string // of id, in the table
	token  []byte // the host's progress token, raw; nil without
	modern bool
	begun  time.Time // zero unless calls are logged

	route  *catalog.Route     // of tools/call, once it is known
	server *server            // likewise
	cancel context.CancelFunc // of one that is parked; nil otherwise

	room [48]byte // for id and token, which are short
}

// idKey is what the id has in common with all ways to write it, so that a host
// may escape it in a cancellation otherwise than in the request.
func idKey(id []byte) []byte {
	if string(id) == "-0" {
		return id[1:]
	}
	if bytes.IndexByte(id, '\\') < 0 {
		return id
	}
	text, err := jsonrpc.String(id)
	if err != nil {
		return id
	}
	return jsonrpc.AppendString(nil, text)
}

// inFlight reports whether a request with this id awaits its answer.
func (s *session) inFlight(key []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[string(key)] != nil || slices.ContainsFunc(s.listeners, func(l *listener) bool { return l.key == string(key) })
}

// begin enters a request into the table; route has seen that its id is free.
// nil means that there are too many: it is refused then.
func (s *session) begin(r *request) *call {
	c := &call{s: s, key: string(idKey(r.id)), modern: r.modern}
	if s.a.log.GetLevel() <= zerolog.DebugLevel {
		c.begun = time.Now()
	}
	c.id = append(c.room[:0], r.id...)
	if r.token != nil {
		c.token = append(c.id[len(c.id):], r.token...)
	}
	s.mu.Lock()
	full := len(s.calls) >= maxInFlight
	if !full {
		s.calls[c.key] = c
	}
	s.mu.Unlock()
	if full {
		s.refuseWith(&s.batch, r.id, tooMany("requests are in flight"))
		return nil
	}
	return c
}

// end takes the call out of the table. It reports false if somebody else has
// ended it: then nothing may be written for it.
func (c *call) end() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.calls[c.key] != c {
		return false
	}
	delete(c.s.calls, c.key)
	return true
}

func (c *call) inFlight() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.calls[c.key] == c
}

// giveUp stops the work for a call that is out of the table.
func (c *call) giveUp(reason []byte) {
	c.s.mu.Lock()
	cancel, server := c.cancel, c.server
	c.s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if server != nil {
		server.up.Cancel(&c.Call, reason)
	}
}

// Progress implements upstream.Sink: the notification goes on with the host's
// token in place of ours.
func (c *call) Progress(b *jsonrpc.Batch, m *jsonrpc.Message) {
	token := jsonrpc.Find(m.Fields, upstream.MetaProgress)
	if c.token == nil || token == nil || !c.inFlight() {
		return
	}
	before, after := jsonrpc.Cut(m.Raw, token)
	c.s.write(b, before, c.token, after)
	c.s.holdBack(b)
}

// Done implements upstream.Sink.
func (c *call) Done(b *jsonrpc.Batch, a upstream.Answer) {
	if !c.end() {
		return
	}
	c.answer(b, a)
	if a.Message != nil {
		c.s.holdBack(b)
	}
}

// holdBack is called on a goroutine that reads an upstream: one that sends
// faster than the host reads waits here, and holds up no other upstream.
func (s *session) holdBack(b *jsonrpc.Batch) {
	if s.out.Queued() <= maxUnwritten {
		return
	}
	if b != nil {
		b.Flush()
	}
	s.out.WaitBelow(maxUnwritten)
}

// maxOwn is how many bytes of the reader's own answers may wait on top of that.
const maxOwn = 8 << 20

var errHostDoesNotRead = errors.New("host does not read what it is sent")

// write queues a line for the host. A host that is gone ends the session; what
// was meant for it is dropped.
func (s *session) write(b *jsonrpc.Batch, pieces ...[]byte) {
	if err := s.out.Queue(b, pieces...); err != nil {
		s.cancel(err)
		return
	}
	if b == &s.batch {
		s.bound(pieces)
	}
}

// bound bounds what the reader has answered and the host has not read. The
// reader cannot wait for the host, which may be waiting for the reader; so that
// is the end of a host that asks on and on and reads nothing.
func (s *session) bound(pieces [][]byte) {
	if s.out.Queued() <= maxUnwritten {
		s.unread = 0
		return
	}
	s.batch.Flush()
	for _, p := range pieces {
		s.unread += len(p)
	}
	if s.unread > maxOwn {
		s.cancel(errHostDoesNotRead)
	}
}
