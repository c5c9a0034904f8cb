package aggregator

import (
	"cmp"
	"context"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/upstream"
)

// This file keeps calls from a server whose pins block until what it lists on
// this very connection was compared: a server changes what it is when it is
// started anew, and the first call of it is what starts it.

// A comparison is which lists of a connection were compared with the pins.
type comparison struct {
	since    [catalog.Kinds]time.Time // since when the connection stands that told each list
	outdated kindSet                  // announced to have changed since they were asked for
	asking   kindSet                  // that are asked for now
	tried    chan struct{}            // closed with the next try to list
}

// connectedSince tells one connection from all others; zero without one.
func (s *server) connectedSince() time.Time {
	if status := s.up.Status(); status.State == upstream.Ready {
		return status.Since
	}
	return time.Time{}
}

// isCompared reports whether the list of a kind was compared that the server has
// told on the present connection.
func (s *server) isCompared(k catalog.Kind) bool {
	now := s.connectedSince()
	s.mu.Lock()
	defer s.mu.Unlock()
	return !now.IsZero() && s.comparison.since[k].Equal(now)
}

// noteAsking takes down which lists are asked for now. The caller holds s.mu.
func (s *server) noteAsking(kinds kindSet) {
	s.comparison.asking = kinds
	s.comparison.outdated &^= kinds
}

// noteCompared takes down that lists of a connection were compared; not those that
// the server has announced to have changed meanwhile.
func (s *server) noteCompared(kinds kindSet, connection time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range catalog.Kind(catalog.Kinds) {
		if kinds.has(k) && !s.comparison.outdated.has(k) {
			s.comparison.since[k] = connection
		}
	}
	s.tellTried()
}

// noteTried lets those look again who wait for a list.
func (s *server) noteTried() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comparison.asking = 0
	s.tellTried()
}

// tellTried is noteTried for who holds s.mu.
func (s *server) tellTried() {
	if s.comparison.tried != nil {
		close(s.comparison.tried)
		s.comparison.tried = nil
	}
}

// outdate makes calls wait until these lists were told anew.
func (s *server) outdate(kinds kindSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comparison.outdated |= kinds
	for k := range catalog.Kind(catalog.Kinds) {
		if kinds.has(k) {
			s.comparison.since[k] = time.Time{}
		}
	}
}

// nextTry is closed with the next try to list, which is a new one if the list of
// this kind is not asked for now. It comes without a pause, unless the server has
// asked for one.
func (s *server) nextTry(k catalog.Kind) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.comparison.tried == nil {
		s.comparison.tried = make(chan struct{})
	}
	switch {
	case s.comparison.asking.has(k):
	case s.refreshing:
		s.due |= only(k)
		offer(s.urged)
	default:
		s.ask(only(k))
	}
	return s.comparison.tried
}

// listKindOf is the list in which an operation's subjects stand that are pinned.
func listKindOf(op *operation) (k catalog.Kind, pinned bool) {
	switch op {
	case toolCall:
		return catalog.Tools, true
	case promptGet, completion:
		return catalog.Prompts, true
	}
	return 0, false
}

// mustCompare reports whether a request has to wait for a list of its server.
func (t *target) mustCompare(op *operation) bool {
	if t.server == nil || t.server.Pin != pins.Block {
		return false
	}
	k, pinned := listKindOf(op)
	return pinned && !t.server.isCompared(k)
}

// compareFirst connects to the server and waits until it has listed what the
// operation is about. The error is a Failure, or ctx's: then nothing is known of
// the subject.
func (s *server) compareFirst(ctx context.Context, op *operation) error {
	k, _ := listKindOf(op)
	if _, err := s.up.Connect(ctx); err != nil {
		return err
	}
	limit := time.NewTimer(cmp.Or(s.ListTimeout, upstream.DefaultListTimeout))
	defer limit.Stop()
	for !s.isCompared(k) {
		tried := s.nextTry(k)
		if s.isCompared(k) {
			return nil // it came in just now
		}
		select {
		case <-tried:
		case <-limit.C:
			return s.incomparable()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if l := s.current(); !s.isCompared(k) && l != nil && l.Failure.Failed() {
			return s.incomparable()
		}
	}
	return nil
}

// incomparable is the failure of a request for what its server does not list now.
func (s *server) incomparable() error {
	return upstream.ProtocolError{Fault: &upstream.Fault{
		Server: s.Name, Retryable: true,
		Text: "the server does not tell its lists, so weir cannot know what it would send to",
		Hint: "Nothing was sent. Try again later.",
	}}
}
