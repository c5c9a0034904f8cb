package aggregator

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// maxInFlight is how many requests of one host may be in flight; shares.go says how
// many of them one server may have.
const maxInFlight = 10_000

// maxUnwritten is how many bytes may wait for a host that does not read before
// the upstreams that answer have to wait for it too.
const maxUnwritten = 32 << 20

// call is one request of the host in flight, and the work of a server that is
// done for it. Whoever takes it out of the session's tables ends it.
type call struct {
	s      *session
	op     *operation
	server *server // nil until it is bound
	name   string  // what the server calls the tool or prompt, or the URI
	modern bool
	level  logLevel // of log messages that a modern host wants
	number uint64   // of the session's, by age

	// approved is what of the request a person had to approve; nil otherwise. It
	// does not change once the call is bound.
	approved *digest

	// kept is the request as it was sent, where it may have to be sent again
	// or compared with another; nil otherwise. It does not change.
	kept *kept

	// Guarded by the session's mu. A modern host that has answered questions
	// asks again, for the same work: id, key and token are then those of its new
	// request.
	id      []byte  // the host's, raw
	key     callKey // of id, in the table
	token   []byte  // the host's progress token, raw; nil without
	told    account
	size    int                // bytes of the request, as long as they count
	share   *share             // of its server; nil before it has any
	work    *upstream.Call     // the server's; nil before there is any
	cancel  context.CancelFunc // of what the call waits for; nil otherwise
	lasts   bool               // it was answered with a task
	latest  []byte             // progress that waits for the host to read; nil for none
	waiting *waiting           // for a modern host's answers; nil if the server asked nothing
	errand  *errand            // what it waits to be approved for; nil otherwise
	link    chan<- []byte      // has room for the answer of a modern host that is to open a page for weir; nil otherwise
	logins  int                // that were sought for it

	pinned   bool // taken from the table by who may look at it later; does not change outside of it
	answered bool // by its server, and was in the table until then; of the goroutine that brings the answer

	first upstream.Call // most calls need no other
	room  [48]byte      // for id and token, which are short
	next  *call         // below it among the spares
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
func (s *session) inFlight(key callKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls.at(key) != nil || slices.ContainsFunc(s.listeners, func(l *listener) bool { return l.key == key })
}

// begin enters a request into the table; route has seen that its id is free.
// nil means that there are too many: it is refused then.
func (s *session) begin(r *request, op *operation) *call {
	c := s.newCall(r, op)
	s.mu.Lock()
	entered := s.enter(c)
	s.mu.Unlock()
	if !entered {
		s.refuseMore(r)
		return nil
	}
	return c
}

// newCall is what will be made of a request. Nobody else knows it yet.
func (s *session) newCall(r *request, op *operation) *call {
	c := s.spares.take()
	c.s, c.op, c.modern, c.level, c.told = s, op, r.modern, r.level, r.told
	c.identify(r)
	return c
}

// enter puts a call into the table, if there is room. The caller holds mu.
func (s *session) enter(c *call) bool {
	if s.calls.len() >= maxInFlight || !s.hold(c, len(s.message.Raw)) {
		return false
	}
	s.begun++
	c.number = s.begun
	s.calls.add(c)
	return true
}

func (s *session) refuseMore(r *request) {
	s.recordTurnedDown(r)
	s.refuseWith(&s.batch, r.id, tooMany("requests are in flight"))
}

// attach makes the call, which has been another request, the host's request r. The
// caller holds the session's mu.
func (c *call) attach(r *request) {
	c.identify(r)
	c.s.calls.add(c)
}

// identify gives the call the id and the token of a request.
func (c *call) identify(r *request) {
	c.key = r.key
	room := c.room[:0]
	if c.id != nil {
		room = nil // somebody may be reading it still
	}
	c.id, c.token = append(room, r.id...), nil
	if r.token != nil {
		c.token = append(c.id[len(c.id):], r.token...)
	}
	c.latest = nil
}

// end takes the call out of the table. It reports false if somebody else has
// ended it: then nothing may be written for it.
func (c *call) end() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !c.s.calls.has(c) {
		return false
	}
	c.leaveTable()
	c.letGo()
	c.server.free()
	return true
}

// giveUp stops the work for a call that is out of the table.
func (c *call) giveUp(reason []byte) {
	c.s.mu.Lock()
	cancel, work, server := c.cancel, c.work, c.server
	c.work = nil
	asked := c.waiting != nil
	c.s.mu.Unlock()
	if asked {
		c.dropQuestions()
	}
	if cancel != nil {
		cancel()
	}
	if work != nil {
		server.up.Cancel(work, reason)
	}
	c.leavePlace()
	server.free()
}

// Progress implements upstream.Sink: the notification goes on with the host's
// token in place of ours.
func (c *call) Progress(b *jsonrpc.Batch, m *jsonrpc.Message) {
	theirs := jsonrpc.Find(m.Fields, upstream.MetaProgress)
	if theirs == nil || c.progressToken() == nil {
		return
	}
	if clean := c.server.redacted(m); clean != m {
		m, theirs = clean, jsonrpc.Find(clean.Fields, upstream.MetaProgress)
	}
	c.report(b, m.Raw, theirs)
}

// progressToken returns the host's token while it wants progress: until the
// answer, or if that was a task (2025-11-25, tasks), as long as the server likes.
func (c *call) progressToken() []byte {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.tokenInUse()
}

// tokenInUse is progressToken for a caller who holds the session's mu.
func (c *call) tokenInUse() []byte {
	if !c.s.calls.has(c) && (!c.lasts || c.s.calls.closed) {
		return nil
	}
	return c.token
}

// Done implements upstream.Sink.
func (c *call) Done(b *jsonrpc.Batch, a upstream.Answer) {
	c.leavePlace()
	if c.kept != nil && (c.goesOn(b, a) || c.putBy(a)) {
		return
	}
	c.finish(b, a)
	if a.Message != nil {
		c.s.holdBack(b, len(a.Message.Raw))
	}
}

// finish ends the call with its outcome, unless somebody else has ended it.
func (c *call) finish(b *jsonrpc.Batch, a upstream.Answer) {
	if !c.end() {
		return
	}
	if c.kept != nil {
		c.dropQuestions()
	}
	c.answered = a.Message != nil
	c.answer(b, a)
}

// holdBack is called on a goroutine that reads an upstream, with the size of what
// was written: one that sends faster than the host reads waits here, and holds up
// no other upstream. Small answers wait later than large ones, or they would have
// to take turns with those of a server whose answers fill all the room.
func (s *session) holdBack(b *jsonrpc.Batch, size int) {
	most := maxUnwritten
	if size < jsonrpc.Large {
		most += maxUnwritten
	}
	if s.out.Queued() <= most {
		return
	}
	if b != nil {
		b.Flush()
	}
	s.out.WaitBelow(most)
}

// maxOwn is how many bytes of the reader's own answers may wait on top of that.
const maxOwn = 8 << 20

var errHostDoesNotRead = errors.New("host does not read what it is sent")

// write queues a line for the host. A host that is gone ends the session; what
// was meant for it is dropped.
func (s *session) write(b *jsonrpc.Batch, pieces ...[]byte) { s.writeLent(b, nil, pieces...) }

// writeLent is write for pieces of a message in memory that is on loan.
func (s *session) writeLent(b *jsonrpc.Batch, loan *jsonrpc.Loan, pieces ...[]byte) {
	if err := s.out.QueueLent(b, loan, pieces...); err != nil {
		s.cancel(err)
		return
	}
	if b == &s.batch {
		s.bound(pieces)
	}
}

// bound bounds what the reader has answered and the host has not read. The
// reader cannot wait for the host, which may be waiting for the reader; so that
// is the end of a host that asks on and on and reads nothing. What counts is what
// there was before: a host that has read all may be sent a list, or a result that
// waited for it, of any size.
func (s *session) bound(pieces [][]byte) {
	size := 0
	for _, p := range pieces {
		size += len(p)
	}
	queued := s.out.Queued()
	if queued > maxUnwritten {
		s.batch.Flush()
	}
	switch {
	case queued-size <= maxUnwritten:
		s.unread = 0
	case s.unread > maxOwn:
		s.cancel(errHostDoesNotRead)
	default:
		s.unread += size
	}
}
