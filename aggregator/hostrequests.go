package aggregator

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is requests that weir sends to a legacy host, for servers.

// maxAsked is how many questions to one host may be unanswered.
const maxAsked = 100

// asked is a request to the host. Whoever takes it out of the session's table
// ends it.
type asked struct {
	id uint64 // weir's own, and the progress token where the server wants progress

	// progress takes the host's progress, answer its answer, a Response or
	// Failure that is good until answer returns. progress may be nil.
	progress func(*jsonrpc.Message)
	answer   func(*jsonrpc.Batch, *jsonrpc.Message)

	// gone is called instead of answer when the host has ended.
	gone func()
}

var (
	errAskedTooMuch = errors.New("the client has too many questions to answer")
	errHostGone     = errors.New("the client has gone")
)

// newAsked enters a request into the table, so that it has its id.
func (s *session) newAsked(a *asked) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.asking == nil:
		return errHostGone
	case len(s.asking) >= maxAsked:
		return errAskedTooMuch
	}
	s.lastAsked++
	a.id = s.lastAsked
	s.asking[a.id] = a
	return nil
}

// send writes the request to the host. params is nil for none.
func (s *session) sendAsked(b *jsonrpc.Batch, a *asked, method, params []byte) {
	head := strconv.AppendUint([]byte(`{"jsonrpc":"2.0","id":`), a.id, 10)
	head = jsonrpc.AppendString(append(head, `,"method":`...), string(method))
	if params == nil {
		s.write(b, append(head, '}'))
		return
	}
	s.write(b, append(head, `,"params":`...), params, []byte("}"))
}

// takeAsked takes the request with this raw id out of the table; nil if there
// is none.
func (s *session) takeAsked(rawID []byte) *asked {
	id, err := strconv.ParseUint(string(rawID), 10, 64)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.asking[id]
	delete(s.asking, id)
	return a
}

// answered takes a host's answer. One to a question that was never asked, or
// was answered before, changes nothing.
func (s *session) answered(m *jsonrpc.Message) {
	a := s.takeAsked(m.ID)
	if a == nil {
		s.a.log.Debug().Str("id", clip(string(m.ID))).Msg("host answered what was not asked")
		return
	}
	a.answer(&s.batch, m)
}

// hostProgress passes the host's progress with a question to the server that
// asks (2025-11-25, progress).
func (s *session) hostProgress(m *jsonrpc.Message) {
	id, err := strconv.ParseUint(string(jsonrpc.Find(m.Fields, upstream.MetaProgress)), 10, 64)
	if err != nil {
		return
	}
	s.mu.Lock()
	a := s.asking[id]
	s.mu.Unlock()
	if a != nil && a.progress != nil {
		a.progress(m)
	}
}

// retract takes a question back from the host, with the raw reason if there is
// one. It reports false if it was answered already.
func (s *session) retract(b *jsonrpc.Batch, a *asked, reason []byte) bool {
	s.mu.Lock()
	open := s.asking[a.id] == a
	if open {
		delete(s.asking, a.id)
	}
	s.mu.Unlock()
	if !open {
		return false
	}
	out := strconv.AppendUint([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`), a.id, 10)
	if reason != nil {
		out = append(append(out, `,"reason":`...), reason...)
	}
	s.write(b, append(out, "}}"...))
	return true
}

// hostAnswer is an answer to ask.
type hostAnswer struct {
	result []byte // raw; nil for an error
	failed []byte // the raw error
}

// ask asks the host, and returns what waits for the answer, the bytes of which
// are the caller's; it is to be called once. params makes the raw params, nil for
// none, for the id of the request. The question is taken back if the wait's
// context ends.
func (s *session) ask(method string, params func(id uint64) []byte) (wait func(context.Context) (hostAnswer, error), err error) {
	answers := make(chan hostAnswer, 1)
	ended := make(chan struct{})
	a := &asked{
		answer: func(_ *jsonrpc.Batch, m *jsonrpc.Message) {
			answers <- hostAnswer{result: slices.Clone(m.Result), failed: slices.Clone(m.Error)}
		},
		gone: func() { close(ended) },
	}
	if err := s.newAsked(a); err != nil {
		return nil, err
	}
	s.sendAsked(nil, a, []byte(method), params(a.id))
	return func(ctx context.Context) (hostAnswer, error) {
		select {
		case answer := <-answers:
			return answer, nil
		case <-ended:
			return hostAnswer{}, errHostGone
		case <-ctx.Done():
			s.retract(nil, a, nil)
			return hostAnswer{}, context.Cause(ctx)
		}
	}, nil
}
