package upstream

import (
	"slices"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A stream is one subscriptions/listen request (2026-07-28, subscriptions). It
// ends when the request is answered.
type stream struct {
	*waiter
	asked filter
	began time.Time
	acked chan struct{} // closed when the server has acknowledged it

	// Guarded by the connection's mu.
	granted      filter // what is told on it; until it is acknowledged, all that was asked for
	acknowledged bool

	// ahead is, of each thing that this stream and the one it takes the place of
	// both tell, how often more the other has told it since the acknowledgement.
	ahead map[string]int
}

// openStream sends the request.
func (c *connection) openStream(asked filter) (*stream, error) {
	w := newWaiter(listenMethod, []jsonrpc.Member{jsonrpc.NewMember("notifications", asked.encode())}, -1)
	s := &stream{waiter: w, asked: asked, granted: asked, began: time.Now(), acked: make(chan struct{})}
	w.call.upkeep = true
	if len(asked.tasks) > 0 {
		// Else the server refuses the request (2026-07-28, tasks extension).
		w.call.Capabilities = []byte(`{"extensions":{"` + tasksExtension + `":{}}}`)
	}
	c.mu.Lock()
	c.streams = append(c.streams, s)
	c.mu.Unlock()
	if err := c.send(nil, &w.call); err != nil {
		c.removeStream(s)
		return nil, err
	}
	return s, nil
}

func (c *connection) removeStream(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams = slices.DeleteFunc(c.streams, func(other *stream) bool { return other == s })
}

// closeStream ends a stream that is of no more use, if there is one.
func (c *connection) closeStream(s *stream) {
	if s == nil {
		return
	}
	c.removeStream(s)
	c.mu.Lock()
	id := s.call.id
	open := c.pending.At(id) == &s.call
	c.remove(id)
	c.mu.Unlock()
	if open {
		c.abandon(id, nil)
	}
}

// acknowledge takes the server's word what it tells on a stream.
func (c *connection) acknowledge(m *jsonrpc.Message, origin uint64) {
	id, _ := subscriptionOf(m, origin)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		if s.is(id) && !s.acknowledged {
			s.acknowledged, s.ahead = true, make(map[string]int)
			s.granted = s.granted.granted(jsonrpc.Find(m.Fields, "notifications"))
			c.hears = true
			close(s.acked)
		}
	}
}

// isTold reports whether a notification of a modern server is wanted. What is
// told by subscription must have been granted on its stream, or on any where
// the server does not say which, and not be given up since.
func (c *connection) isTold(m *jsonrpc.Message, origin uint64) bool {
	if !isSubscribed(m.Method) {
		return true
	}
	if !c.u.keeps(m) {
		return false
	}
	id, known := subscriptionOf(m, origin)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range c.streams {
		if (!known || s.is(id)) && s.granted.tells(m) {
			return !known || c.isNews(i, m)
		}
	}
	return false
}

// isNews reports whether a notification on stream i is not one that another
// stream has told: where one takes the place of another, both tell the same for a
// while, and what comes first counts. Nothing is taken for certain to be told on
// the later one, not even where all streams are one line of messages: a server
// may have begun to tell those that it knew before. The caller holds c.mu.
func (c *connection) isNews(i int, m *jsonrpc.Message) bool {
	key := eventKey(m)
	if key == "" {
		return true // of a list: it is asked for once, however often it changes
	}
	for _, later := range c.streams[i+1:] {
		switch {
		case !later.acknowledged || !later.granted.tells(m):
		default:
			later.ahead[key]++
			return later.ahead[key] > 0
		}
	}
	s := c.streams[i]
	for _, earlier := range c.streams[:i] {
		if s.acknowledged && earlier.granted.tells(m) {
			s.ahead[key]--
			return s.ahead[key] < 0
		}
	}
	return true
}

// eventKey is what a notification tells of; "" for a list.
func eventKey(m *jsonrpc.Message) string {
	switch string(m.Method) {
	case updatedMethod:
		return "uri " + memberText(m, "uri")
	case taskMethod:
		return "task " + memberText(m, "taskId")
	}
	return ""
}

// is reports whether the stream is the one of this request. The caller holds
// the connection's mu.
func (s *stream) is(id uint64) bool { return id != 0 && s.call.id == id }

// subscriptionOf is the request that the notification belongs to. It reports
// false if the server does not say.
func subscriptionOf(m *jsonrpc.Message, origin uint64) (id uint64, known bool) {
	raw := jsonrpc.Find(metaOf(m.Fields), MetaSubscription)
	if raw == nil {
		return origin, origin != 0
	}
	id, _ = number(raw) // 0 is nobody's
	return id, true
}

// listenEnded takes a notifications/cancelled: a server may end a subscription
// so, and nothing else.
func (c *connection) listenEnded(m *jsonrpc.Message) {
	id, ok := number(jsonrpc.Find(m.Fields, "requestId"))
	if !ok {
		return
	}
	c.mu.Lock()
	call := c.pending.At(id)
	if call != nil && call.Method != listenMethod {
		call = nil
	}
	if call != nil {
		c.remove(id)
	}
	c.mu.Unlock()
	if call != nil {
		call.done(nil, Answer{Modern: true, Err: c.u.lost(errUnsubscribed)})
	}
}
