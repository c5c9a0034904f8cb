package upstreamtest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
)

// A LineServer serves one client over a pair of streams, as [Server] does: one
// message a line in each direction. It returns when in ends, or ctx, or it ends
// the connection itself; an [*EndedError] says that it ends like a crash.
//
// What it writes that is not JSON goes out all the same, line by line.
type LineServer interface {
	ServeLines(ctx context.Context, in io.Reader, out, stderr io.Writer) error
}

// A refuser is a LineServer that may answer with an HTTP status instead: a
// message, or with nil the connection. 0 means that it takes it.
type refuser interface {
	refuse(message []byte) (status int)
}

// refusal asks s whether it takes the message, or with nil the connection, and
// answers r if it does not.
func refusal(s LineServer, w http.ResponseWriter, message []byte) (refused bool) {
	r, ok := s.(refuser)
	if !ok {
		return false
	}
	status := r.refuse(message)
	if status == 0 {
		return false
	}
	w.WriteHeader(status)
	return true
}

// lineSplitter hands each line that is written to it on, without its line end.
// What is not a whole line waits for its end, and is lost with the connection.
type lineSplitter struct {
	send func(line []byte) error

	mu   sync.Mutex
	rest []byte
}

func (s *lineSplitter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	written := len(p)
	for {
		line, after, whole := bytes.Cut(p, []byte{'\n'})
		if !whole {
			s.rest = append(s.rest, p...)
			return written, nil
		}
		if err := s.send(append(s.rest, line...)); err != nil {
			return 0, err
		}
		s.rest, p = nil, after
	}
}

// withoutLineEnds makes blanks of the line ends in a message, which stand only
// between its tokens.
func withoutLineEnds(message []byte) []byte {
	for i, c := range message {
		if c == '\n' || c == '\r' {
			message[i] = ' '
		}
	}
	return message
}
