package main

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Streams are the connections of HTTP+SSE (2024-11-05, Transports), by the
// number in the URL that messages are posted to.
type streams struct {
	mu     sync.Mutex
	opened int
	live   map[string]*stream
}

func (s *streams) open(w http.ResponseWriter, r *http.Request) {
	st := &stream{w: w}
	s.mu.Lock()
	if s.live == nil {
		s.live = map[string]*stream{}
	}
	s.opened++
	number := strconv.Itoa(s.opened)
	s.live[number] = st
	s.mu.Unlock()
	defer s.forget(number, st)

	w.Header().Set("Content-Type", "text/event-stream")
	st.send("endpoint", []byte(r.URL.Path+"?stream="+number))
	<-r.Context().Done()
}

func (s *streams) forget(number string, st *stream) {
	s.mu.Lock()
	delete(s.live, number)
	s.mu.Unlock()
	st.end()
}

// post answers on the stream, and then the POST.
func (s *streams) post(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	st := s.live[r.URL.Query().Get("stream")]
	s.mu.Unlock()
	if st == nil {
		http.Error(w, "no such stream", http.StatusNotFound)
		return
	}
	m, err := receive(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if m.Kind == jsonrpc.Request {
		st.send("message", answer(m))
	}
	w.WriteHeader(http.StatusAccepted)
}

// A stream is the response to a GET, as long as that lasts.
type stream struct {
	mu   sync.Mutex
	w    http.ResponseWriter // nil when it has ended
	line []byte
}

func (s *stream) send(event string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return
	}
	s.line = append(s.line[:0], "event: "...)
	s.line = append(s.line, event...)
	s.line = append(s.line, "\ndata: "...)
	s.line = append(s.line, data...)
	s.line = append(s.line, "\n\n"...)
	// A client that has gone wants none.
	_, _ = s.w.Write(s.line)
	_ = http.NewResponseController(s.w).Flush()
}

func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w = nil
}
