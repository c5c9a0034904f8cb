package upstream

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// While somebody thinks, time limits stand still. Then calls get their whole
// time again.
func TestTimeStandsStill(t *testing.T) {
	const limit = time.Minute
	t.Run("answered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openAsking(t, Config{Timeout: limit}, keepOpen,
				step{Delay: delay(30 * time.Second)}, ask(`1`, elicit), ask(`2`, elicit), step{Await: "response 2"},
				step{Delay: delay(50 * time.Second)}, step{Default: true})
			slow, asking, during := newSink(), newSink(), newSink()
			u.Do(nil, toolCall(slow, "slow", ""))
			u.Do(nil, toolCall(asking, "ask", ""))
			<-time.After(time.Hour)
			u.Do(nil, toolCall(during, "slow", ""))
			<-time.After(time.Hour)
			questions := u.events.open()
			questions[0].Reply(nil, []byte("{}"))
			<-time.After(time.Hour)
			asking.none(t)
			slow.none(t)
			during.none(t)
			questions[1].Reply(nil, []byte("{}"))
			if d := asking.wait(t); d.err != nil {
				t.Errorf("got error %v", d.err)
			}
			fault(t, slow.wait(t).err, KindTimeout, true)
			fault(t, during.wait(t).err, KindTimeout, true)
			server.Release("go")
		})
	})
	t.Run("withdrawn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := openAsking(t, Config{Timeout: limit}, keepOpen, ask(`1`, elicit), step{Delay: delay(20 * time.Minute)},
				step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)})
			s := newSink()
			u.Do(nil, toolCall(s, "ask", ""))
			began := time.Now()
			fault(t, s.wait(t).err, KindTimeout, true)
			if took := time.Since(began); took != 20*time.Minute+limit {
				t.Errorf("got the failure after %v, want %v", took, 20*time.Minute+limit)
			}
		})
	})
	t.Run("no limit", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := openAsking(t, Config{Timeout: limit}, keepOpen, ask(`1`, elicit))
			s := newSink()
			call := toolCall(s, "ask", "")
			call.Timeout = -1
			u.Do(nil, call)
			synctest.Wait()
			u.events.open()[0].Reply(nil, []byte("{}"))
			<-time.After(time.Hour)
			s.none(t)
			u.Cancel(call, nil)
		})
	})
}

// streams is a transport on which each message says which request it belongs
// to, as one over HTTP.
type streams struct {
	transport.Conn
	recv transport.Receiver
	lost chan struct{}

	mu   sync.Mutex
	sent []string
}

func (s *streams) Send(_ *jsonrpc.Batch, out *transport.Outgoing) error {
	message := slices.Concat(out.Pieces...)
	s.mu.Lock()
	s.sent = append(s.sent, string(message))
	s.mu.Unlock()
	if out.Method == "initialize" {
		s.receive(`{"jsonrpc":"2.0","id":1,"result":`+initResult+`}`, 1)
	}
	return nil
}

func (s *streams) receive(message string, origin uint64) {
	go func() {
		var m jsonrpc.Message
		if err := m.Parse([]byte(message)); err != nil {
			panic(err)
		}
		s.recv.Receive(nil, &m, origin)
	}()
}

func (s *streams) Abandon(uint64) bool { return true }

func (s *streams) Established(string, bool) {}

func (s *streams) Close() { close(s.lost) }

func (s *streams) Done() <-chan struct{} { return s.lost }

func (s *streams) Lost() <-chan struct{} { return s.lost }

func (s *streams) Err() error { return transport.ErrClosed }

// Where the transport tells whose stream it is, a question or notification
// comes with the call, and only the call's time stands still.
func TestQuestionOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &streams{lost: make(chan struct{})}
		u := open(t, Config{Timeout: time.Minute}, func(_ context.Context, _ Config, recv transport.Receiver) (transport.Conn, error) {
			server.recv = recv
			return server, nil
		}, legacyHost)
		u.events.asked = keepOpen
		asking, other := newSink(), newSink()
		first, second := toolCall(asking, "a", ""), toolCall(other, "b", "")
		u.Do(nil, first)
		synctest.Wait()
		u.Do(nil, second)
		server.receive(`{"jsonrpc":"2.0","id":1,"method":"roots/list"}`, 2)
		server.receive(`{"jsonrpc":"2.0","method":"notifications/message","params":{}}`, 3)
		synctest.Wait()
		server.receive(`{"jsonrpc":"2.0","method":"notifications/message","params":{}}`, 0)
		synctest.Wait()
		server.receive(`{"jsonrpc":"2.0","method":"notifications/message","params":{}}`, 99)
		fault(t, other.wait(t).err, KindTimeout, true)
		q := u.events.open()[0]
		if q.Call != first {
			t.Error("the question does not belong to its call")
		}
		if got := u.events.ofCall; len(got) != 3 || got[0] != second || got[1] != nil || got[2] != nil {
			t.Errorf("notifications belong to %v, want the second call, none, none", got)
		}
		<-time.After(time.Hour)
		asking.none(t)
		q.Reply(nil, []byte("{}"))
		began := time.Now()
		fault(t, asking.wait(t).err, KindTimeout, true)
		if took := time.Since(began); took != time.Minute {
			t.Errorf("got the failure after %v, want 1m", took)
		}
	})
}
