package upstreamtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

const sessionHeader = "Mcp-Session-Id"

// ServeHTTP is one endpoint of Streamable HTTP, in the eras that the script's
// versions belong to (2025-11-25 and 2026-07-28, Streamable HTTP).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		s.post(w, r)
	case s.script.bestLegacy() == "":
		w.WriteHeader(http.StatusMethodNotAllowed)
	case r.Method == http.MethodGet:
		s.get(w, r)
	case r.Method == http.MethodDelete:
		s.delete(w, r)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if !strings.Contains(accept, "application/json") || !strings.Contains(accept, "text/event-stream") {
		http.Error(w, "Accept must name application/json and text/event-stream", http.StatusNotAcceptable)
		return
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		http.Error(w, "Content-Type must be application/json", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	answer := &httpWay{w: w, stream: s.script.SSE, indent: s.script.Indent}
	defer answer.finish()
	x := s.exchange(r.Context(), newClient(), answer)
	x.header = r.Header.Clone()
	if !x.parse(body) {
		return
	}
	if x.isModern() {
		answer.modern = true
		// The client's going is how it cancels, and no more than that.
		x.connection = context.WithoutCancel(x.ctx)
		if problem := x.wrongHeader(); problem != "" {
			s.note(string(x.message.Method), x.header, x.message.Raw)
			x.fail(codeHeaderMismatch, problem, "")
			return
		}
	} else if !s.enter(x, answer) {
		return
	}
	x.receive(func(run func()) { run() })
	if x.message.Kind == jsonrpc.Request && !answer.isBegun() {
		<-r.Context().Done() // never answered
	}
}

// wrongHeader says which header of a modern request does not match its body.
func (x *exchange) wrongHeader() string {
	target := x.name
	switch string(x.message.Method) {
	case "resources/read":
		target, _ = jsonrpc.String(jsonrpc.Find(x.message.Fields, "uri"))
	case "tasks/get", "tasks/update", "tasks/cancel":
		target, _ = jsonrpc.String(jsonrpc.Find(x.message.Fields, "taskId"))
	}
	named := target != "" || x.header.Get("Mcp-Name") != ""
	switch {
	case x.header.Get("Mcp-Protocol-Version") != x.version:
		return "MCP-Protocol-Version does not match the body"
	case x.header.Get("Mcp-Method") != string(x.message.Method):
		return "Mcp-Method does not match the body"
	case named && decodeHeader(x.header.Get("Mcp-Name")) != target:
		return "Mcp-Name does not match the body"
	case x.header.Get(sessionHeader) != "":
		return "Mcp-Session-Id is of the legacy era"
	}
	return ""
}

// decodeHeader undoes the encoding of header values that are not plain ASCII.
func decodeHeader(value string) string {
	encoded, ok := strings.CutPrefix(value, "=?base64?")
	if !ok {
		return value
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(encoded, "?="))
	if err != nil {
		return value
	}
	return string(text)
}

// enter puts a legacy exchange into its session, or refuses it.
func (s *Server) enter(x *exchange, answer *httpWay) bool {
	method := string(x.message.Method)
	if method == "initialize" {
		answer.session = s.open(x.client)
		return true
	}
	id := x.header.Get(sessionHeader)
	s.mu.Lock()
	session := s.sessions[id]
	s.mu.Unlock()
	switch {
	case session == nil && id == "":
		s.note(method, x.header, x.message.Raw)
		answer.code = http.StatusBadRequest
		answer.send([]byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: Server not initialized"}}`))
		return false
	case session == nil:
		s.note(method, x.header, x.message.Raw)
		answer.status(http.StatusNotFound)
		return false
	case x.header.Get("Mcp-Protocol-Version") != session.agreed():
		s.note(method, x.header, x.message.Raw)
		answer.status(http.StatusBadRequest)
		return false
	}
	x.client = session
	return true
}

// open begins a session and returns its id; all of a sessionless server share
// one, whose id is empty.
func (s *Server) open(c *Client) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := ""
	if !s.script.Sessionless {
		s.opened++
		id = "session-" + strconv.Itoa(s.opened)
	}
	s.sessions[id] = c
	return id
}

// get is the stream for what a legacy server sends unasked.
func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	session := s.sessions[r.Header.Get(sessionHeader)]
	s.mu.Unlock()
	if session == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	answer := &httpWay{w: w, stream: true, indent: s.script.Indent}
	answer.begin()
	defer answer.finish()
	l := &listener{way: answer}
	s.listen(l)
	defer s.unlisten(l)
	session.attach(l)
	defer session.detach(l)
	s.note("GET", r.Header.Clone(), nil)
	<-r.Context().Done()
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get(sessionHeader)
	s.note("DELETE", r.Header.Clone(), nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[id] == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	delete(s.sessions, id)
	w.WriteHeader(http.StatusNoContent)
}

// httpWay is the response to one HTTP request. It is an event stream if the
// script wants that, or when something comes before the answer.
type httpWay struct {
	modern  bool   // the request is of the modern era, whose errors have a status
	session string // to name in the response
	code    int    // status of a response that is no stream; 0 = 200
	indent  bool

	mu     sync.Mutex
	w      http.ResponseWriter
	stream bool // it is, or will be, an event stream
	begun  bool // the header is out
	ended  bool // the handler returns: w is no longer ours
}

func (h *httpWay) send(message []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var m jsonrpc.Message
	isAnswer := m.Parse(message) != nil || m.Kind == jsonrpc.Response || m.Kind == jsonrpc.Failure
	code := h.statusOf(&m)
	if h.indent {
		message = indented(message)
	}
	if isAnswer && !h.stream && !h.begun {
		h.sendOnly(message, code)
		return
	}
	h.stream = true
	h.header()
	h.write([]byte("event: message\n"))
	for line := range bytes.Lines(message) {
		h.write([]byte("data: "))
		h.write(line)
	}
	h.write([]byte("\n\n"))
}

// indented spreads a message over many lines. White space within strings stays.
func indented(message []byte) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, message, "", "\t"); err != nil {
		return message
	}
	return b.Bytes()
}

// sendOnly sends a message that is the whole response.
func (h *httpWay) sendOnly(message []byte, code int) {
	if h.session != "" {
		h.w.Header().Set(sessionHeader, h.session)
	}
	h.w.Header().Set("Content-Type", "application/json")
	h.w.WriteHeader(code)
	h.begun = true
	h.write(message)
}

// statusOf is the status that goes with a message (2026-07-28, Streamable HTTP).
func (h *httpWay) statusOf(m *jsonrpc.Message) int {
	if h.code != 0 {
		return h.code
	}
	if !h.modern || m.Kind != jsonrpc.Failure {
		return http.StatusOK
	}
	members, err := jsonrpc.ParseObject(nil, m.Error)
	if err != nil {
		return http.StatusOK
	}
	code, err := strconv.Atoi(string(jsonrpc.Find(members, "code")))
	switch {
	case err != nil:
		return http.StatusOK
	case code == codeMethodNotFound:
		return http.StatusNotFound
	case code == codeInvalidParams, code <= codeHeaderMismatch && code > -32100:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

func (h *httpWay) raw(text []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.header()
	h.write(text)
}

func (h *httpWay) stderr(string) {}

func (h *httpWay) status(code int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun = true
	h.w.WriteHeader(code)
}

// end breaks the connection off, in the midst of the response.
func (h *httpWay) end(int) { panic(http.ErrAbortHandler) }

// begin opens the stream before there is anything to send.
func (h *httpWay) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.header()
	h.write(nil)
}

func (h *httpWay) isBegun() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.begun
}

// finish gives the response back to the HTTP server. What was not answered is
// accepted.
func (h *httpWay) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.begun {
		h.w.WriteHeader(http.StatusAccepted)
	}
	h.ended = true
}

// header sends the header of an event stream, once. The caller holds h.mu, as
// for write.
func (h *httpWay) header() {
	if h.begun || h.ended {
		return
	}
	h.begun = true
	if h.session != "" {
		h.w.Header().Set(sessionHeader, h.session)
	}
	h.w.Header().Set("Content-Type", "text/event-stream")
	h.w.WriteHeader(http.StatusOK)
}

func (h *httpWay) write(p []byte) {
	if h.ended {
		return
	}
	// A client that is gone is noticed by the end of the request's context.
	if _, err := h.w.Write(p); err != nil {
		return
	}
	_ = http.NewResponseController(h.w).Flush()
}
