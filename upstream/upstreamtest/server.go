package upstreamtest

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"sync"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Server runs one script, for any number of clients at once: those of
// ServeLines and Pipe, and those of its HTTP handlers. All methods may be called
// from any goroutine.
type Server struct {
	script  Script
	handler Handler // nil for none

	mu        sync.Mutex
	tools     []json.RawMessage
	matches   map[int]int // messages that a rule has matched so far, by its index
	gates     map[string]chan struct{}
	received  []Received
	arrived   chan struct{} // closed, and replaced, with each message received
	listeners map[*listener]struct{}
	sessions  map[string]*Client
	opened    int // sessions so far
}

// Received is a message as it came. Header is nil but over HTTP.
type Received struct {
	Method  string
	Header  http.Header
	Message []byte
}

// New returns a server for the script.
func New(script Script) *Server {
	return &Server{
		script:    script,
		tools:     script.Tools,
		matches:   map[int]int{},
		gates:     map[string]chan struct{}{},
		arrived:   make(chan struct{}),
		listeners: map[*listener]struct{}{},
		sessions:  map[string]*Client{},
	}
}

// Received returns all messages of this method so far, in the order they came;
// "" is the method of responses.
func (s *Server) Received(method string) []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Received
	for _, r := range s.received {
		if r.Method == method {
			found = append(found, r)
		}
	}
	return found
}

// Await waits until n messages of this method have come. The error is that of
// ctx.
func (s *Server) Await(ctx context.Context, method string, n int) error {
	for {
		s.mu.Lock()
		arrived := s.arrived
		s.mu.Unlock()
		if len(s.Received(method)) >= n {
			return nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Release lets all steps go on that await this name, now or later.
func (s *Server) Release(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gate := s.gate(name)
	select {
	case <-gate:
	default:
		close(gate)
	}
}

// SetTools changes the list of tools and announces that: to each legacy client
// that is initialized, and on each listen stream that asked for it.
func (s *Server) SetTools(tools ...json.RawMessage) {
	s.mu.Lock()
	s.tools = slices.Clone(tools)
	listeners := make([]*listener, 0, len(s.listeners))
	for l := range s.listeners {
		listeners = append(listeners, l)
	}
	s.mu.Unlock()
	for _, l := range listeners {
		l.toolsChanged()
	}
}

// Forget forgets all HTTP sessions: their next request is answered with 404.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

// gate returns the gate of this name. The caller holds s.mu.
func (s *Server) gate(name string) chan struct{} {
	if s.gates[name] == nil {
		s.gates[name] = make(chan struct{})
	}
	return s.gates[name]
}

func (s *Server) note(method string, header http.Header, message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.script.Unnoted {
		s.received = append(s.received, Received{method, header, message})
		close(s.arrived)
		s.arrived = make(chan struct{})
	}
	if s.script.Log != "" {
		appendLine(s.script.Log, message)
	}
}

// appendLine panics where it cannot write: the script is wrong then.
func appendLine(file string, line []byte) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.Write(append(slices.Clone(line), '\n')); err != nil {
		panic(err)
	}
}

// steps returns what to do on a message: the first rule that matches it, else
// the default.
func (s *Server) steps(method, name string) []Step {
	return s.stepsIf(method, name, func([]Step) bool { return true })
}

// stepsIf is steps for a message that is only dealt with if want says so: else
// no rule has seen it, and there is nothing to do.
func (s *Server) stepsIf(method, name string, want func([]Step) bool) []Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	steps := []Step{{Default: true}}
	var matched []int
	for i, r := range s.script.Rules {
		if r.On != method && r.On != method+" "+name {
			continue
		}
		matched = append(matched, i)
		if r.Nth == 0 || r.Nth == s.matches[i]+1 {
			steps = r.Do
			break
		}
	}
	if !want(steps) {
		return nil
	}
	for _, i := range matched {
		s.matches[i]++
	}
	return steps
}

// refuse implements refuser, for transports where a status answers what is not
// yet a message of a stream.
func (s *Server) refuse(message []byte) (status int) {
	if message == nil {
		return firstStatus(s.script.Start)
	}
	var m jsonrpc.Message
	if m.Parse(message) != nil {
		return 0
	}
	name, _ := jsonrpc.String(jsonrpc.Find(m.Fields, "name"))
	refused := func(steps []Step) bool { return firstStatus(steps) != 0 }
	steps := s.stepsIf(string(m.Method), name, refused)
	if steps == nil {
		return 0
	}
	s.note(string(m.Method), nil, message)
	return firstStatus(steps)
}

func firstStatus(steps []Step) int {
	if len(steps) == 0 {
		return 0
	}
	return steps[0].Status
}

func (s *Server) listen(l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners[l] = struct{}{}
}

func (s *Server) unlisten(l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// A listener is told of changes: a legacy client, or a modern listen stream
// with its subscription id.
type listener struct {
	way          way
	subscription []byte // raw; nil for a legacy client
}

func (l *listener) toolsChanged() {
	message := []byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"`)
	if l.subscription != nil {
		message = append(message, `,"params":`...)
		message = append(message, subscriptionMeta(l.subscription)...)
	}
	l.way.send(append(message, '}'))
}

func subscriptionMeta(id []byte) string {
	return `{"_meta":{"io.modelcontextprotocol/subscriptionId":` + string(id) + `}}`
}

// A CancelledError is the cause of a request's end when the client has
// cancelled it by a notification. Reason is raw, nil without one.
type CancelledError struct{ Reason []byte }

func (e *CancelledError) Error() string { return "cancelled by the client" }

// A Client is what the server knows of a peer between its messages. A modern
// peer over HTTP has a new one with each message.
type Client struct {
	pushing sync.Mutex // guards push and backlog, and keeps pushed messages in order
	push    *listener  // where a legacy client gets unasked messages; over HTTP, nil while it does not listen
	backlog [][]byte   // pushed while it did not

	mu      sync.Mutex
	version string // the legacy version agreed on, "" before initialize
	calls   map[string]context.CancelCauseFunc
}

func newClient() *Client { return &Client{calls: map[string]context.CancelCauseFunc{}} }

func (c *Client) agree(version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version = version
}

func (c *Client) agreed() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

// begin notes a request; its context ends when the client cancels it.
func (c *Client) begin(ctx context.Context, id []byte) (cancelled context.Context, end func()) {
	cancelled, cancel := context.WithCancelCause(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[string(id)] = cancel
	return cancelled, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		cancel(nil)
		delete(c.calls, string(id))
	}
}

func (c *Client) cancel(params []byte) {
	members, err := jsonrpc.ParseObject(nil, params)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel := c.calls[string(jsonrpc.Find(members, "requestId"))]; cancel != nil {
		cancel(&CancelledError{Reason: jsonrpc.Find(members, "reason")})
	}
}
