package upstream

import (
	"slices"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file says of resources that they may have changed while no server told of
// them: somebody follows them and believes to be told, but the server went away in
// between, ended its stream, or has taken the subscription later than it was
// believed. Nobody can say whether something was missed. Who reads in vain loses
// little, who is not told would keep what is old for good.

// missed announces a resource that is told of again. b may be nil.
func (u *Upstream) missed(b *jsonrpc.Batch, s *subscription) {
	u.mu.Lock()
	dropped := s.dropped
	u.mu.Unlock()
	if dropped {
		return
	}
	var m jsonrpc.Message
	raw := slices.Concat([]byte(`{"jsonrpc":"2.0","method":"`+updatedMethod+`","params":{"uri":`), s.raw, []byte("}}"))
	if err := m.Parse(raw); err != nil {
		panic(err)
	}
	u.set.handler.Notification(u, b, &m, nil)
}

// tellMissed announces what the stream that was opened last tells of and none
// has told of without a gap. What is not accepted yet is so from now on, and
// nothing of it was missed. Both lists are sorted.
func (l *listening) tellMissed(granted []string) {
	before := l.watched
	l.watched = granted
	for _, s := range l.c.u.accepted() {
		_, told := slices.BinarySearch(granted, s.uri)
		if _, watched := slices.BinarySearch(before, s.uri); told && !watched {
			l.c.u.missed(nil, s)
		}
	}
}

// Missed implements transport.Receiver: what the server tells of lists and resources
// may have changed while it could tell nothing.
func (c *connection) Missed() {
	if !c.isOpen() {
		return
	}
	facts := *c.facts.Load()
	for _, kind := range changing {
		if supports(facts, kind.capability, "listChanged") {
			c.u.announce(kind)
		}
	}
	for _, s := range c.u.accepted() {
		c.u.missed(nil, s)
	}
}
