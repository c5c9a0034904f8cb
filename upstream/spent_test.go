package upstream

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// hasty is a connection to a server that knows the next id and answers tools/call
// with it while the request is being sent.
type hasty struct {
	transport.Conn
	recv transport.Receiver
}

func (h hasty) Send(b *jsonrpc.Batch, out *transport.Outgoing) error {
	if out.Method == "tools/call" {
		var m jsonrpc.Message
		if err := m.Parse(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"result":{}}`, out.ID)); err != nil {
			return err
		}
		h.recv.Receive(b, &m, 0)
	}
	return h.Conn.Send(b, out)
}

// A call whose answer comes before it was sent is not given back: whoever sends it
// still reads it, and would send what the next call holds.
func TestSpentOnlyWhenSent(t *testing.T) {
	for _, early := range []bool{false, true} {
		t.Run(fmt.Sprintf("early %v", early), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial := dialMemory(newServer(script{}))
				if early {
					patient := dial
					dial = func(ctx context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
						conn, err := patient(ctx, cfg, recv)
						return hasty{conn, recv}, err
					}
				}
				u := open(t, Config{}, dial, legacyHost)
				if _, err := u.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				s := newSink()
				call := toolCall(s, "echo", "")
				var spent atomic.Int32
				call.Spent = func(*Call) { spent.Add(1) }
				u.Do(nil, call)
				if d := s.wait(t); d.err != nil {
					t.Errorf("got %v", d.err)
				}
				synctest.Wait()
				if got, want := spent.Load() == 1, !early; got != want {
					t.Errorf("spent is %v, want %v", got, want)
				}
			})
		})
	}
}
