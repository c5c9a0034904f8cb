package aggregator

import (
	"fmt"

	"github.com/weir-mcp/weir/upstream"
)

// This file is how the room of one host is shared by servers, so that none of
// them takes it from the others by not answering.

// heldMessages is how many of the longest messages the requests of one host that
// are in flight may hold together: 256 MiB of them, if nothing else is configured.
const heldMessages = 4

// A share is what one server, or all of them, have of a host's room. It is guarded
// by the session's mu.
type share struct {
	calls int // in flight
	bytes int // of requests that are in flight, or wait for the host's answers
}

// fair reports whether one who has mine may have so much more: nobody may have
// more than is left for others. So one that does not answer gets half of all, two
// get two thirds together, and however many they are, as much as each of them has
// is free.
func fair(mine, more, free int) bool { return mine+more <= free }

// hold makes the bytes of a request the call's. It reports false if the host has
// too many in flight; a single one there is always room for. The caller holds mu.
func (s *session) hold(c *call, size int) bool {
	if s.held.bytes > 0 && s.held.bytes+size > s.mostHeld() {
		return false
	}
	c.size = size
	s.held.bytes += size
	return true
}

// mostHeld is how many bytes the requests of the host may hold, as it is
// configured now.
func (s *session) mostHeld() int { return heldMessages * s.a.world.Load().limit }

// takeShare makes the call one of its server's, or says why it cannot be: the
// server leaves too many unanswered. The caller holds the session's mu.
func (c *call) takeShare() error {
	s := c.s
	if c.share != nil || !s.calls.has(c) {
		return nil
	}
	mine := s.shares[c.server]
	if mine == nil {
		mine = new(share)
		s.shares[c.server] = mine
	}
	if !fair(mine.calls, 1, maxInFlight-s.calls.len()) || mine.bytes > 0 && !fair(mine.bytes, c.size, s.mostHeld()-s.held.bytes) {
		return tooMuchUnanswered(c.server, mine)
	}
	mine.calls++
	mine.bytes += c.size
	c.share = mine
	return nil
}

// leaveTable takes the call out of those in flight; what it holds it still holds.
// The caller holds the session's mu.
func (c *call) leaveTable() {
	c.s.calls.remove(c)
	c.latest = nil
	if c.share != nil {
		c.share.calls--
	}
}

// letGo gives back what the call holds, when nothing will be made of it any more.
// The caller holds the session's mu.
func (c *call) letGo() {
	c.s.held.bytes -= c.size
	if c.share != nil {
		c.share.bytes -= c.size
	}
	c.size, c.share = 0, nil
}

func tooMuchUnanswered(s *server, has *share) error {
	return upstream.RateLimitError{Fault: &upstream.Fault{
		Server: s.Name, Retryable: true,
		Text: fmt.Sprintf("the server has %d requests to answer (%d KiB), as many as one server may have", has.calls, has.bytes>>10),
		Hint: "Nothing was sent; call again when some of them have ended.",
	}}
}
