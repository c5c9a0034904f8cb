package rig

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A Transport is how a server is reached.
type Transport string

// The transports. TLS is Streamable HTTP over https.
const (
	Stdio     Transport = "stdio"
	HTTP      Transport = "http"
	TLS       Transport = "https"
	SSE       Transport = "sse"
	WebSocket Transport = "websocket"
)

// Transports are all of them.
var Transports = []Transport{Stdio, HTTP, TLS, SSE, WebSocket}

// Options are what a server may have beside its answers.
type Options struct {
	Program string      // of its child: one that calls [Relay] on [RelayCommand]; over stdio only, where it is required
	Dir     string      // a short path, for the socket; over stdio only
	Manners []string    // of its children
	TLS     *tls.Config // over TLS only, where it is required

	// Door stands before the handler of what goes over HTTP; nil = nothing does.
	Door func(http.Handler) http.Handler
}

// A Server is what weir has upstream. Its methods may be called from any
// goroutine.
type Server struct {
	transport Transport
	scripted  *upstreamtest.Server
	edge      *edge
	relays    relays

	program string // of children
	manners []string

	ctx     context.Context // the life of the server
	cancel  context.CancelFunc
	running sync.WaitGroup
	web     *http.Server
	sockets *upstreamtest.WebSocketServer
}

// Serve begins to serve. It is the caller's to close.
func Serve(t Transport, scripted *upstreamtest.Server, o Options) (*Server, error) {
	l, err := listen(t, o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		transport: t, scripted: scripted, edge: newEdge(l),
		program: o.Program, manners: o.Manners, relays: relays{noise: map[int]*noise{}, frozen: map[int]bool{}},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if t == Stdio {
		s.running.Go(s.acceptRelays)
		return s, nil
	}
	s.serveWeb(o)
	return s, nil
}

func listen(t Transport, dir string) (net.Listener, error) {
	if t != Stdio {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	dir, err := os.MkdirTemp(dir, "s")
	if err != nil {
		return nil, err
	}
	return net.Listen("unix", filepath.Join(dir, "s"))
}

func (s *Server) serveWeb(o Options) {
	var handler http.Handler = s.scripted
	switch s.transport {
	case SSE:
		handler = upstreamtest.HTTPWithSSE(s.scripted)
	case WebSocket:
		s.sockets = upstreamtest.WebSocket(s.scripted)
		handler = s.sockets
	case Stdio, HTTP, TLS:
	}
	if o.Door != nil {
		handler = o.Door(handler)
	}
	var l net.Listener = s.edge
	if s.transport == TLS {
		l = tls.NewListener(l, o.TLS)
	}
	s.web = &http.Server{Handler: handler, ErrorLog: silent(), BaseContext: func(net.Listener) context.Context { return s.ctx }}
	s.running.Go(func() { _ = s.web.Serve(l) }) // until Close
}

// acceptRelays serves children until the socket is closed.
func (s *Server) acceptRelays() {
	for {
		c, err := s.edge.Accept()
		if err != nil {
			return
		}
		s.running.Go(func() { s.serveRelay(c) })
	}
}

// serveRelay serves one connection of a child: that of its messages, or what
// leads to its standard error.
func (s *Server) serveRelay(c net.Conn) {
	in := bufio.NewReaderSize(c, 1<<16)
	greeting, err := in.ReadString('\n')
	what, number, _ := strings.Cut(strings.TrimSpace(greeting), " ")
	pid, wrong := strconv.Atoi(number)
	if err != nil || wrong != nil {
		c.Close()
		return
	}
	n := s.relays.noiseOf(pid)
	if what == "noise" {
		n.conn = c
		close(n.opened)
		return // it is closed with the connection of messages
	}
	defer c.Close()
	defer s.relays.forget(pid)
	select {
	case <-n.opened:
		defer n.conn.Close()
	case <-s.ctx.Done():
		return
	}
	// A read that waits ends with the connection, and that with the server.
	stop := context.AfterFunc(s.ctx, func() { c.Close() })
	defer stop()
	_ = s.scripted.ServeLines(s.ctx, in, c, n) // how it ends, weir sees
}

// Config is how weir is told of the server: YAML on one line, with these further
// members, each "key: value".
func (s *Server) Config(members ...string) string {
	var how []string
	switch s.transport {
	case Stdio:
		args := []string{RelayCommand, s.edge.Addr().String()}
		how = []string{"command: " + strconv.Quote(s.program), fmt.Sprintf("args: [%s]", strings.Join(append(args, s.manners...), ", "))}
	case WebSocket:
		how = []string{"url: " + strconv.Quote("ws://"+s.edge.Addr().String()+"/mcp")}
	case TLS:
		how = []string{"url: " + strconv.Quote("https://"+s.edge.Addr().String()+"/mcp"), "auth: {type: none}"}
	case SSE:
		how = []string{"url: " + strconv.Quote("http://"+s.edge.Addr().String()+"/sse"), "transport: sse", "auth: {type: none}"}
	case HTTP:
		how = []string{"url: " + strconv.Quote("http://"+s.edge.Addr().String()+"/mcp"), "transport: http", "auth: {type: none}"}
	}
	return "{" + strings.Join(append(how, members...), ", ") + "}"
}

// Transport is how the server is reached.
func (s *Server) Transport() Transport { return s.transport }

// Reset breaks all connections off. Children end with theirs.
func (s *Server) Reset() { s.edge.reset() }

// Refuse resets new connections, or no longer does. Children then end at once.
func (s *Server) Refuse(really bool) { s.edge.refuse(really) }

// Freeze stops the server, in the midst of whatever it does: its children, or
// all that passes over its connections.
func (s *Server) Freeze() {
	if s.transport != Stdio {
		s.edge.stop()
		return
	}
	for _, pid := range s.relays.pids() {
		s.relays.freeze(pid)
	}
}

// Deafen stops what passes over the connections, children's too: they are there
// and do not read.
func (s *Server) Deafen() { s.edge.stop() }

// Thaw undoes Freeze and Deafen.
func (s *Server) Thaw() {
	s.edge.letGo()
	s.relays.thaw()
}

// Kill ends children without grace. Servers of other transports are reset.
func (s *Server) Kill() {
	if s.transport != Stdio {
		s.edge.reset()
		return
	}
	for _, pid := range s.relays.pids() {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // it may have ended
		}
	}
}

// CloseIdle closes the connections that nothing is sent over: clients keep them
// for a while.
func (s *Server) CloseIdle() {
	if s.web == nil {
		return
	}
	s.web.SetKeepAlivesEnabled(false)
	s.web.SetKeepAlivesEnabled(true)
}

// Close ends the server with all its connections, and returns when nothing is
// left of it.
func (s *Server) Close() error {
	s.edge.letGo()
	s.cancel()
	err := s.edge.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if s.web != nil {
		_ = s.web.Close() // it closes the listener a second time
	}
	if s.sockets != nil {
		s.sockets.Close()
	}
	s.edge.reset()
	s.running.Wait()
	return err
}
