package rig

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// An edge is a listener whose connections can be hurt all at once.
type edge struct {
	net.Listener

	mu      sync.Mutex
	conns   map[*conn]struct{}
	refuses bool          // connections are reset as soon as they are opened
	flow    chan struct{} // closed while bytes pass
}

func newEdge(l net.Listener) *edge {
	e := &edge{Listener: l, conns: map[*conn]struct{}{}, flow: make(chan struct{})}
	close(e.flow)
	return e
}

// Accept implements net.Listener.
func (e *edge) Accept() (net.Conn, error) {
	for {
		accepted, err := e.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, edge: e, closed: make(chan struct{})}
		if e.admit(c) {
			return c, nil
		}
		reset(accepted)
	}
}

func (e *edge) admit(c *conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.refuses {
		e.conns[c] = struct{}{}
	}
	return !e.refuses
}

func (e *edge) refuse(really bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refuses = really
}

// reset closes all connections at once, as a crash of the machine would.
func (e *edge) reset() {
	e.mu.Lock()
	var all []*conn
	for c := range e.conns {
		all = append(all, c)
	}
	e.mu.Unlock()
	for _, c := range all {
		c.reset()
	}
}

// stop holds all bytes up, in both directions, until let go.
func (e *edge) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.flow:
		e.flow = make(chan struct{})
	default:
	}
}

func (e *edge) letGo() {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.flow:
	default:
		close(e.flow)
	}
}

func (e *edge) flowing() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flow
}

type conn struct {
	net.Conn
	edge   *edge
	once   sync.Once
	closed chan struct{}
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.await()
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	c.await()
	return c.Conn.Write(p)
}

func (c *conn) await() {
	select {
	case <-c.edge.flowing():
	case <-c.closed:
	}
}

func (c *conn) reset() {
	if linger, ok := c.Conn.(interface{ SetLinger(seconds int) error }); ok {
		_ = linger.SetLinger(0) // closing says then what is wrong, by an RST
	}
	c.Close()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.edge.mu.Lock()
		defer c.edge.mu.Unlock()
		delete(c.edge.conns, c)
	})
	return c.Conn.Close()
}

func reset(c net.Conn) {
	if linger, ok := c.(interface{ SetLinger(seconds int) error }); ok {
		_ = linger.SetLinger(0)
	}
	c.Close()
}

// ResetConnection ends the connection of a request by an RST, without an answer.
// The handler that calls it is over.
func ResetConnection(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 knows no other way
	}
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if hurt, ok := c.(*conn); ok {
		hurt.reset()
		return
	}
	reset(c)
}
