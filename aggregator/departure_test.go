package aggregator

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// lingering is a connection of which something is left after Close, until over is
// closed: what the server has said before is still read.
type lingering struct {
	transport.Conn
	recv transport.Receiver
	over chan struct{}
	done chan struct{}
}

func (l *lingering) Done() <-chan struct{} { return l.done }

// linger keeps each connection that dial makes until the returned one is told that
// it is over.
func linger(dial upstream.Dialer) (upstream.Dialer, *lingering) {
	l := &lingering{over: make(chan struct{}), done: make(chan struct{})}
	return func(ctx context.Context, cfg upstream.Config, recv transport.Receiver) (transport.Conn, error) {
		conn, err := dial(ctx, cfg, recv)
		l.Conn, l.recv = conn, recv
		go func() {
			<-conn.Done()
			<-l.over
			close(l.done)
		}()
		return l, err
	}, l
}

// TestWordOfWhoHasLeft: what a server says while its connection ends, two
// configurations after the one that had it, is taken without harm; from whom it
// comes is known until nothing is left of it.
func TestWordOfWhoHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := benchOf(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(withTools("x"))})
		var conn *lingering
		b.cfg.Dialers["memory"], conn = linger(b.cfg.Dialers["memory"])
		var h *host
		b.Aggregator, h = start(t, b.cfg)
		b.reconfigure(t, []string{"up"}, nil)
		h.send(legacy.capable()...)
		h.send(listRequest(legacy, "1"))
		b.reconfigure(t, nil, nil)
		pass(time.Minute)
		b.reconfigure(t, nil, nil)
		if n := len(b.world.Load().owners); n != 1 {
			t.Errorf("%d servers are known, want the one of which something is left", n)
		}
		for _, line := range []string{
			`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`,
			`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`,
			`{"jsonrpc":"2.0","id":1,"method":"roots/list"}`,
		} {
			var m jsonrpc.Message
			if err := m.Parse([]byte(line)); err != nil {
				t.Fatal(err)
			}
			conn.recv.Receive(nil, &m, 0)
		}
		close(conn.over)
		synctest.Wait()
		b.reconfigure(t, nil, nil)
		if n := len(b.world.Load().owners); n != 0 {
			t.Errorf("%d servers are known, want none", n)
		}
	})
}
