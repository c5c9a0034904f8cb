package upstream

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// pipeNet is a network within a bubble: each dial is a connection to the one
// server there is. What is written by the client is counted.
type pipeNet struct {
	conns   chan net.Conn
	written atomic.Int64
	closed  chan struct{}
	once    sync.Once
}

func newPipeNet() *pipeNet { return &pipeNet{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (n *pipeNet) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case n.conns <- far:
		return &countingConn{near, &n.written}, nil
	case <-n.closed:
	case <-ctx.Done():
	}
	return nil, net.ErrClosed
}

// Accept implements net.Listener.
func (n *pipeNet) Accept() (net.Conn, error) {
	select {
	case conn := <-n.conns:
		return conn, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (n *pipeNet) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

// Addr implements net.Listener.
func (n *pipeNet) Addr() net.Addr { return &net.IPAddr{} }

type countingConn struct {
	net.Conn
	written *atomic.Int64
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.written.Add(int64(len(p)))
	return c.Conn.Write(p)
}

// serveInBubble serves a handler, and returns what reaches it.
func serveInBubble(t *testing.T, h http.Handler) (*pipeNet, *http.Transport) {
	t.Helper()
	n := newPipeNet()
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(n) })
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
	rt := transport.NewRoundTripper()
	rt.DialContext, rt.Proxy = n.dial, nil
	return n, rt
}

// Elsewhere a server that nobody uses is pinged, or asked for its lists, all day
// long; and one that is slow to answer that is taken for dead. Nothing is sent to a
// server in an hour in which nobody needs it, be it connected or not.
func TestNothingIsSentToAnIdleServer(t *testing.T) {
	tests := map[string]struct {
		transport string
		versions  []string
	}{
		"lines, legacy":           {memory, []string{legacyVersion}},
		"lines, modern":           {memory, []string{modernVersion}},
		"Streamable HTTP, legacy": {HTTP, []string{legacyVersion}},
		"Streamable HTTP, modern": {HTTP, []string{modernVersion}},
		"HTTP+SSE":                {SSE, []string{legacyVersion}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newServer(script{Tools: tools("echo"), Versions: test.versions, Capabilities: raw(all), Rules: []rule{empty("logging/setLevel")}})
				written, dial := silent(t, test.transport, server)
				u := open(t, Config{Transport: test.transport, URL: "http://server/mcp"}, dial, legacyHost)
				<-time.After(time.Hour)
				if n := written(); n != 0 {
					t.Errorf("before the first call: %d bytes", n)
				}
				u.SetLevel("info", func() {})
				u.mustCall(t, "echo")
				if _, err := u.ListTools(t.Context()); err != nil {
					t.Fatal(err)
				}
				<-time.After(time.Minute) // what belongs to the beginning is over
				before := written()
				<-time.After(time.Hour)
				if n := written() - before; n != 0 || before == 0 {
					t.Errorf("got %d bytes in an hour, and %d before", n, before)
				}
				u.wantState(t, Ready)
				u.mustCall(t, "echo")
			})
		})
	}
}

// silent returns how to dial the server by a transport within the bubble, and how
// many bytes have been sent to it.
func silent(t *testing.T, by string, server *upstreamtest.Server) (written func() int64, dial Dialer) {
	t.Helper()
	if by == memory {
		var n atomic.Int64
		return n.Load, func(_ context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
			p := server.Pipe()
			return transport.NewLines(transport.Pipes(p, writeCounter{p, &n}), recv, cfg.MessageLimit), nil
		}
	}
	handler := http.Handler(server)
	if by == SSE {
		handler = upstreamtest.HTTPWithSSE(server)
	}
	n, rt := serveInBubble(t, handler)
	return n.written.Load, func(ctx context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
		config := transport.HTTPConfig{URL: cfg.URL, RoundTripper: rt, Limit: cfg.MessageLimit}
		if by == SSE {
			return transport.DialSSE(ctx, config, recv)
		}
		return transport.NewStreamable(config, recv), nil
	}
}

type writeCounter struct {
	io.ReadWriteCloser
	n *atomic.Int64
}

func (w writeCounter) Write(p []byte) (int, error) {
	w.n.Add(int64(len(p)))
	return w.ReadWriteCloser.Write(p)
}
