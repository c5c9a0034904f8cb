package upstreamtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// HTTPWithSSE returns a handler that serves s over HTTP+SSE (2024-11-05,
// Transports): a GET opens a connection and names where to POST its messages,
// which is the same path with a query. It is for the legacy era only.
//
// A connection that s ends like a crash breaks off in the midst of the stream.
// A script refuses the GET by a Status as first step of its Start, and a POST by
// one as first step of a rule.
func HTTPWithSSE(s LineServer) http.Handler {
	return &sseHandler{server: s, sessions: map[string]*sseSession{}}
}

type sseHandler struct {
	server LineServer

	mu       sync.Mutex
	opened   int
	sessions map[string]*sseSession
}

func (h *sseHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	session := r.URL.Query().Get("session")
	switch {
	case r.Method == http.MethodGet && session == "":
		h.get(w, r)
	case r.Method == http.MethodPost && session != "":
		h.post(w, r, session)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (h *sseHandler) get(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		http.Error(w, "Accept must name text/event-stream", http.StatusNotAcceptable)
		return
	}
	if refusal(h.server, w, nil) {
		return
	}
	in, messages := io.Pipe()
	session := &sseSession{messages: messages, w: w}
	id := h.enter(session)
	defer h.leave(id)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if err := session.send("endpoint", []byte(r.URL.Path+"?session="+id)); err != nil {
		return
	}
	out := &lineSplitter{send: func(line []byte) error { return session.send("message", line) }}
	err := h.server.ServeLines(r.Context(), in, out, io.Discard)
	session.end()
	in.CloseWithError(err) // a POST that is still waiting must not
	if _, ended := errors.AsType[*EndedError](err); ended {
		panic(http.ErrAbortHandler)
	}
}

func (h *sseHandler) enter(s *sseSession) (id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened++
	id = strconv.Itoa(h.opened)
	h.sessions[id] = s
	return id
}

func (h *sseHandler) leave(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, id)
}

func (h *sseHandler) post(w http.ResponseWriter, r *http.Request, id string) {
	h.mu.Lock()
	session := h.sessions[id]
	h.mu.Unlock()
	if session == nil {
		http.Error(w, "no such session", http.StatusNotFound)
		return
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		http.Error(w, "Content-Type must be application/json", http.StatusUnsupportedMediaType)
		return
	}
	message, err := io.ReadAll(r.Body)
	if err != nil || refusal(h.server, w, message) {
		return
	}
	if err := session.receive(r.Context(), message); err != nil {
		http.Error(w, "the session has ended", http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// An sseSession is one connection: the stream that its GET has opened, and the
// messages that are posted to it.
type sseSession struct {
	receiving sync.Mutex // guards messages
	messages  *io.PipeWriter

	sending sync.Mutex
	w       http.ResponseWriter // guarded by sending; nil when the stream has ended
}

// receive hands a message to the server.
func (s *sseSession) receive(ctx context.Context, message []byte) error {
	s.receiving.Lock()
	defer s.receiving.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	_, err := s.messages.Write(append(withoutLineEnds(message), '\n'))
	return err
}

func (s *sseSession) send(name string, data []byte) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.w == nil {
		return io.ErrClosedPipe
	}
	for _, p := range [][]byte{[]byte("event: " + name + "\ndata: "), data, []byte("\n\n")} {
		if _, err := s.w.Write(p); err != nil {
			return err
		}
	}
	return http.NewResponseController(s.w).Flush()
}

func (s *sseSession) end() {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.w = nil
}
