package aggregator

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is requests that weir sends to a legacy host, for servers.

// maxAsked is how many questions to one host may be unanswered; of one server no
// more than are left for others.
const maxAsked = 200

// asked is a request to the host. Whoever takes it out of the session's table
// ends it.
type asked struct {
	id uint64  // weir's own, and the progress token where the server wants progress
	of *server // that asks; nil for weir itself, and for whoever asks in its name

	// progress takes the host's progress, answer its answer, a Response or
	// Failure that is good until answer returns. progress may be nil.
	progress func(*jsonrpc.Message)
	answer   func(*jsonrpc.Batch, *jsonrpc.Message)

	// gone is called instead of answer when the host has ended.
	gone func()

	// late, if it is not nil, is called instead of answer when the host has neither
	// answered nor reported progress for answerTime.
	late func()

	progressed chan struct{} // holds one token; nil without late
	over       chan struct{} // closed when it is out of the table; nil without late
}

var (
	errAskedTooMuch = errors.New("the client has too many questions to answer")
	errHostGone     = errors.New("the client has gone")
	errHostSilent   = errors.New("the client has not answered in time")
)

// newAsked enters a request into the table, so that it has its id.
func (s *session) newAsked(a *asked) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.asking == nil:
		return errHostGone
	case !fair(s.askedBy(a.of), 1, maxAsked-len(s.asking)):
		return errAskedTooMuch
	}
	s.lastAsked++
	a.id = s.lastAsked
	s.asking[a.id] = a
	if a.late != nil {
		a.progressed, a.over = make(chan struct{}, 1), make(chan struct{})
		s.behind.Go(func() { s.awaitHost(a) })
	}
	return nil
}

// askedBy counts the unanswered questions of a server. The caller holds s.mu.
func (s *session) askedBy(asker *server) int {
	n := 0
	for _, a := range s.asking {
		if a.of == asker {
			n++
		}
	}
	return n
}

// awaitHost takes a question back that the host leaves unanswered for too long: a
// server that asks has its time limits stand still meanwhile.
func (s *session) awaitHost(a *asked) {
	late := time.NewTimer(answerTime)
	defer late.Stop()
	for {
		select {
		case <-a.progressed:
			late.Reset(answerTime)
		case <-a.over:
			return
		case <-s.ctx.Done():
			return
		case <-late.C:
			if s.retract(nil, a, []byte(`"no answer in time"`)) {
				a.late()
			}
			return
		}
	}
}

// strike takes a question out of the table, and reports whether it was there. The
// caller holds s.mu.
func (s *session) strike(a *asked) bool {
	if a == nil || s.asking[a.id] != a {
		return false
	}
	delete(s.asking, a.id)
	if a.over != nil {
		close(a.over)
	}
	return true
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
	s.strike(a)
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
	if a == nil {
		return
	}
	if a.progressed != nil {
		select {
		case a.progressed <- struct{}{}:
		default:
		}
	}
	if a.progress != nil {
		a.progress(m)
	}
}

// retract takes a question back from the host, with the raw reason if there is
// one. It reports false if it was answered already.
func (s *session) retract(b *jsonrpc.Batch, a *asked, reason []byte) bool {
	s.mu.Lock()
	open := s.strike(a)
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
