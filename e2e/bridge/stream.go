package bridge

import (
	"fmt"
	"net/http"
)

// A stream answers one HTTP request with server-sent events. Its headers go out
// with the first of them.
type stream struct {
	w       http.ResponseWriter
	started bool
}

func (s *stream) start() {
	s.started = true
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	s.w.WriteHeader(http.StatusOK)
	s.flush()
}

// send sends one message. What cannot be sent is lost with the client, whose end
// the handler sees by itself.
func (s *stream) send(line []byte) {
	if !s.started {
		s.start()
	}
	fmt.Fprintf(s.w, "event: message\ndata: %s\n\n", line)
	s.flush()
}

func (s *stream) flush() { _ = http.NewResponseController(s.w).Flush() }
