package demo

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Handler serves s over Streamable HTTP on loopback: 2026-07-28 without a
// session, the revisions before it with one (2025-11-25, Streamable HTTP). It
// offers no stream of its own, so GET is refused; a call that reports progress
// is answered by an event stream, any other by JSON. Requests that do not
// come from this machine, or from a page elsewhere, are refused.
func (s *Server) Handler() http.Handler {
	h := &httpServer{server: s, sessions: make(map[string]*running)}
	return localOnly(h)
}

type httpServer struct {
	server *Server

	mu       sync.Mutex
	sessions map[string]*running // guarded by mu
}

func (h *httpServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		h.post(w, r)
	case http.MethodDelete:
		h.mu.Lock()
		delete(h.sessions, r.Header.Get(mcp.HeaderSessionID))
		h.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "POST, DELETE")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (h *httpServer) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, messageLimit))
	if err != nil {
		http.Error(w, "reading the body: "+err.Error(), http.StatusBadRequest)
		return
	}
	var m jsonrpc.Message
	if err := m.Parse(body); err != nil {
		writeJSON(w, http.StatusBadRequest, failure(m.ID, invalid(err)))
		return
	}
	x := &exchange{w: w, r: r}
	q := newRequest(&m, x.event)
	if q.modern() {
		h.modern(x, q)
		return
	}
	h.legacy(x, q, &m)
}

// modern answers a request of 2026-07-28, whose headers must say what its body
// says. The end of the HTTP request is its cancellation.
func (h *httpServer) modern(x *exchange, q *request) {
	if err := checkHeaders(x.r, q); err != nil {
		writeJSON(x.w, http.StatusBadRequest, failure(q.id, &callError{mcp.HEADER_MISMATCH, err.Error()}))
		return
	}
	x.finish(h.server.answer(x.r.Context(), q))
}

func checkHeaders(r *http.Request, q *request) error {
	if got := r.Header.Get(mcp.HeaderProtocolVersion); got != q.revision {
		return fmt.Errorf("%s: header value %q does not match body value %q", mcp.HeaderProtocolVersion, got, q.revision)
	}
	params := jsonrpc.AppendObject(nil, q.params)
	return mcp.ValidateStandardHeaders(r.Header.Get, q.revision, mcp.MCPMethod(q.method), json.RawMessage(params))
}

func (h *httpServer) legacy(x *exchange, q *request, m *jsonrpc.Message) {
	if m.Kind == jsonrpc.Request && q.method == "initialize" {
		x.w.Header().Set(mcp.HeaderSessionID, h.open())
		x.finish(h.server.answer(x.r.Context(), q))
		return
	}
	session, status := h.session(x.r)
	if session == nil {
		writeJSON(x.w, status, failure(m.ID, &callError{mcp.INVALID_REQUEST, "no such session: send initialize first"}))
		return
	}
	if m.Kind != jsonrpc.Request {
		if m.Kind == jsonrpc.Notification {
			session.notice(m)
		}
		x.w.WriteHeader(http.StatusAccepted)
		return
	}
	ctx, end := session.begin(x.r.Context(), q.id)
	defer end()
	x.finish(h.server.answer(ctx, q))
}

func (h *httpServer) open() (id string) {
	id = rand.Text()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions[id] = newRunning()
	return id
}

// session returns the session that a request names, or the status that says
// what is wrong with it.
func (h *httpServer) session(r *http.Request) (*running, int) {
	id := r.Header.Get(mcp.HeaderSessionID)
	if id == "" {
		return nil, http.StatusBadRequest
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[id], http.StatusNotFound
}

// An exchange is one HTTP request and its response, which becomes an event
// stream with the first event.
type exchange struct {
	w         http.ResponseWriter
	r         *http.Request
	streaming bool
}

// event sends a message ahead of the answer.
func (x *exchange) event(message []byte) {
	if !x.streaming {
		x.streaming = true
		x.w.Header().Set("Content-Type", "text/event-stream")
		x.w.Header().Set("Cache-Control", "no-store")
	}
	// A client that has gone shows in the context of the request.
	_, _ = fmt.Fprintf(x.w, "event: message\ndata: %s\n\n", message)
	_ = http.NewResponseController(x.w).Flush()
}

// finish sends the answer; nil stands for a request that was cancelled.
func (x *exchange) finish(response []byte) {
	switch {
	case response == nil && !x.streaming:
		x.w.WriteHeader(http.StatusNoContent)
	case response == nil:
	case x.streaming:
		x.event(response)
	default:
		writeJSON(x.w, http.StatusOK, response)
	}
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// localOnly refuses what another machine, or a web page by way of a browser on
// this one, could send (2025-11-25, transports, security warning).
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) || !localOrigin(r.Header.Get("Origin")) {
			http.Error(w, "only for this machine", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func localOrigin(origin string) bool {
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && isLoopback(u.Host)
}

// isLoopback reports whether a host, with or without a port, is this machine.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}
