package bridge

import (
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func (b *Bridge) postLegacy(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
	if string(m.Method) == "initialize" && r.Header.Get(headerSession) == "" {
		b.openSession(w, r, m)
		return
	}
	p := b.session(w, r)
	if p == nil {
		return
	}
	if m.Kind == jsonrpc.Request {
		p.answerLegacy(w, r, m)
		return
	}
	if err := p.send(m.Raw); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// session finds the process of a request, or answers it.
func (b *Bridge) session(w http.ResponseWriter, r *http.Request) *process {
	id := r.Header.Get(headerSession)
	if id == "" {
		http.Error(w, "no "+headerSession, http.StatusBadRequest)
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.sessions[id]
	if p == nil {
		http.Error(w, "no such session", http.StatusNotFound)
	}
	return p
}

// openSession starts a process for a handshake. The session has its id before
// the handshake is known to be good, since the answer's headers go first.
func (b *Bridge) openSession(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
	id := rand.Text()
	p, err := b.startSession(id)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set(headerSession, id)
	p.answerLegacy(w, r, m)
}

func (b *Bridge) startSession(id string) (*process, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, err := b.start(newQueue())
	if err == nil {
		b.sessions[id] = p
	}
	return p, err
}

// answerLegacy sends a request on and its answer back, after all that belongs to
// it. A client that goes away has cancelled nothing.
func (p *process) answerLegacy(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
	c, err := p.begin(m)
	switch {
	case errors.Is(err, errInFlight):
		refuse(w, m.ID, codeInvalidRequest, err.Error())
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	s := stream{w: w}
	s.start()
	for line := c.lines.next(r.Context()); line != nil; line = c.lines.next(r.Context()) {
		s.send(line)
	}
}

// listen gives the client the stream for what belongs to none of its requests.
func (b *Bridge) listen(w http.ResponseWriter, r *http.Request) {
	p := b.session(w, r)
	if p == nil {
		return
	}
	s := stream{w: w}
	s.start()
	for line := p.general.next(r.Context()); line != nil; line = p.general.next(r.Context()) {
		s.send(line)
	}
}

func (b *Bridge) endSession(w http.ResponseWriter, r *http.Request) {
	p := b.session(w, r)
	if p == nil {
		return
	}
	b.mu.Lock()
	delete(b.sessions, r.Header.Get(headerSession))
	b.mu.Unlock()
	p.end()
	w.WriteHeader(http.StatusNoContent)
}
