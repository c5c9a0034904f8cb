package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

type (
	script = upstreamtest.Script
	rule   = upstreamtest.Rule
	step   = upstreamtest.Step
	delay  = upstreamtest.Duration
)

func on(what string, do ...step) rule { return rule{On: what, Do: do} }

func nth(n int, what string, do ...step) rule { return rule{On: what, Nth: n, Do: do} }

// tools are definitions of tools of these names.
func tools(names ...string) []raw {
	var out []raw
	for _, name := range names {
		out = append(out, upstreamtest.Tool(name))
	}
	return out
}

// What an answer that cannot be used does to its call, and to nobody else's.
func TestAnswers(t *testing.T) {
	tests := []struct {
		name string
		do   []step
		kind Kind // of the failure; "" for an answer
	}{
		{"result", []step{{Reply: raw(`{"content":[]}`)}}, ""},
		{"error", []step{{Error: raw(`{"code":-32603,"message":"x"}`)}}, ""},
		{"result twice", []step{{Reply: raw(`{"n":1}`)}, {Reply: raw(`{"n":2}`)}}, ""},
		{"unknown ids first", []step{
			{Send: raw(`{"jsonrpc":"2.0","id":99999,"result":{}}`)},
			{Send: raw(`{"jsonrpc":"2.0","id":"$n","result":{}}`)},
			{Send: raw(`{"jsonrpc":"2.0","id":-1,"result":{}}`)},
			{Send: raw(`{"jsonrpc":"2.0","id":18446744073709551617,"result":{}}`)},
			{Send: raw(`{"jsonrpc":"2.0","error":{"code":1,"message":"no id"}}`)},
			{Reply: raw(`{}`)},
		}, ""},
		{"noise first", []step{
			{Text: "listening on stdout\n"},
			{Text: "{\"half\n"},
			{Text: "[]\n"},
			{Text: "\n"},
			{Bytes: []byte("\xff\xfe\n")},
			{Text: `{"jsonrpc":"2.0","method":"notifications/grease","params":[1]}` + "\n"},
			{Reply: raw(`{}`)},
		}, ""},
		{"two members", []step{{Text: `{"jsonrpc":"2.0","id":"$id","result":{},"result":{}}` + "\n"}}, KindSerialization},
		{"no version", []step{{Text: `{"id":"$id","result":{}}` + "\n"}}, KindSerialization},
		{"not JSON, id last", []step{{Text: `{"jsonrpc":"2.0","result":{"x":nul},"id":"$id"}` + "\n"}}, KindSerialization},
		{"not UTF-8", []step{{Text: "{\"jsonrpc\":\"2.0\",\"id\":\"$id\",\"result\":{\"x\":\"\xff\"}}\n"}}, KindSerialization},
		{"too long, id last", []step{{Text: `{"jsonrpc":"2.0","result":{"x":"$fill"},"id":"$id"}` + "\n", Fill: 1 << 17}}, KindSerialization},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openConfig(t, Config{MessageLimit: 1 << 16}, script{
					Tools: tools("slow", "bad", "good"),
					Rules: []rule{on("tools/call slow", step{Await: "go"}, step{Default: true}), on("tools/call bad", test.do...)},
				}, legacyHost)
				slow := newSink()
				u.Do(nil, toolCall(slow, "slow", ""))
				d := u.call(t, "bad", "")
				if test.kind != "" {
					fault(t, d.err, test.kind, true)
				} else if d.err != nil {
					t.Errorf("got error %v", d.err)
				}
				u.mustCall(t, "good")
				server.Release("go")
				if d := slow.wait(t); d.err != nil {
					t.Errorf("the other call: %v", d.err)
				}
			})
		})
	}
}

func TestServerRequests(t *testing.T) {
	tests := []struct{ request, want string }{
		{`{"jsonrpc":"2.0","id":"p","method":"ping"}`, `{"jsonrpc":"2.0","id":"p","result":{}}`},
		{`{"jsonrpc":"2.0","id":12345678901234567890,"method":"ping","params":{}}`, `{"jsonrpc":"2.0","id":12345678901234567890,"result":{}}`},
		{`{"jsonrpc":"2.0","id":2,"method":"roots/list"}`, refusalOf("2")},
		{`{"jsonrpc":"2.0","id":3,"method":"sampling/createMessage","params":{}}`, refusalOf("3")},
		{`{"jsonrpc":"2.0","id":4,"method":"elicitation/create","params":{"mode":"url"}}`, refusalOf("4")},
		{`{"jsonrpc":"2.0","id":5,"method":"x/grease"}`, refusalOf("5")},
	}
	for _, test := range tests {
		t.Run(test.request, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openScript(t, script{Rules: []rule{
					on("tools/call echo", step{Send: raw(test.request)}, step{Default: true}),
				}}, legacyHost)
				u.mustCall(t, "echo")
				synctest.Wait()
				got := server.Received("")
				if len(got) != 1 || string(got[0].Message) != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		})
	}
}

func refusalOf(id string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-32601,"message":"Method not found"}}`
}

// A call may be cancelled at any point of its life.
func TestCancel(t *testing.T) {
	t.Run("before Do", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{}, legacyHost)
			s := newSink()
			call := toolCall(s, "echo", "")
			u.Cancel(call, nil)
			u.Do(nil, call)
			synctest.Wait()
			if st := u.Status(); st.State != Idle {
				t.Errorf("got state %q, want idle", st.State)
			}
			u.mustCall(t, "echo")
			s.none(t)
			if n := len(server.Received("tools/call")); n != 1 {
				t.Errorf("the server got %d calls, want 1", n)
			}
		})
	})
	t.Run("waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{Rules: []rule{on("initialize", step{Await: "go"}, step{Default: true})}}, legacyHost)
			s := newSink()
			call := toolCall(s, "echo", "")
			u.Do(nil, call)
			synctest.Wait()
			u.Cancel(call, nil)
			server.Release("go")
			u.mustCall(t, "echo")
			s.none(t)
			if got := methods(server, "tools/call", "notifications/cancelled"); got != "tools/call" {
				t.Errorf("the server got %s", got)
			}
		})
	})
	t.Run("sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{
				Rules: []rule{on("tools/call echo", step{Await: "cancel"}, step{Reply: raw(`{}`)})},
			}, legacyHost)
			s := newSink()
			call := toolCall(s, "echo", "")
			u.Do(nil, call)
			synctest.Wait()
			u.Cancel(call, []byte(`"no \u2014 longer"`))
			u.Cancel(call, nil)
			synctest.Wait()
			s.none(t)
			var m jsonrpc.Message
			if err := m.Parse(server.Received("tools/call")[0].Message); err != nil {
				t.Fatal(err)
			}
			got := server.Received("notifications/cancelled")
			want := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + string(m.ID) + `,"reason":"no \u2014 longer"}}`
			if len(got) != 1 || string(got[0].Message) != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	})
	t.Run("answered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{}, legacyHost)
			s := newSink()
			call := toolCall(s, "echo", "")
			u.Do(nil, call)
			s.wait(t)
			u.Cancel(call, nil)
			synctest.Wait()
			if got := server.Received("notifications/cancelled"); len(got) > 0 {
				t.Errorf("the server got %s", got)
			}
		})
	})
}

// heldConn holds Send back until it is told how it ends.
type heldConn struct {
	transport.Conn
	entered chan struct{}
	result  chan error
	held    atomic.Bool
}

func (c *heldConn) Send(b *jsonrpc.Batch, out *transport.Outgoing) error {
	if out.Method != "tools/call" || !c.held.CompareAndSwap(false, true) {
		return c.Conn.Send(b, out)
	}
	close(c.entered)
	if err := <-c.result; err != nil {
		return err
	}
	return c.Conn.Send(b, out)
}

func TestCancelWhileSending(t *testing.T) {
	for _, sendErr := range []error{nil, errors.New("not sent")} {
		t.Run(fmt.Sprint(sendErr), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newServer(script{Tools: tools("echo"), Rules: []rule{on("tools/call", step{Await: "cancel"})}})
				held := &heldConn{entered: make(chan struct{}), result: make(chan error)}
				u := open(t, Config{}, func(ctx context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
					conn, err := dialMemory(server)(ctx, cfg, recv)
					held.Conn = conn
					return held, err
				}, legacyHost)
				s := newSink()
				call := toolCall(s, "echo", "")
				go u.Do(nil, call)
				<-held.entered
				u.Cancel(call, nil)
				held.result <- sendErr
				synctest.Wait()
				s.none(t)
				want := "tools/call notifications/cancelled"
				if sendErr != nil {
					want = ""
				}
				if got := methods(server, "tools/call", "notifications/cancelled"); got != want {
					t.Errorf("the server got %q, want %q", got, want)
				}
			})
		})
	}
}

// A call that the transport refuses since it has just ended goes to the next
// connection, once.
func TestSendRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openScript(t, script{
			Tools: tools("echo", "die"), Rules: []rule{on("tools/call die", step{Exit: true})},
		}, legacyHost)
		fault(t, u.call(t, "die", "").err, KindConnection, true)
		u.mustCall(t, "echo")
		if n := len(server.Received("initialize")); n != 2 {
			t.Errorf("got %d handshakes, want 2", n)
		}
	})
}

func TestCallTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openConfig(t, Config{Timeout: 10 * time.Second}, script{
			Tools: tools("echo", "mute", "chatty"),
			Rules: []rule{
				on("tools/call mute"),
				on("tools/call chatty", append(repeatProgress(5, 8*time.Second), step{Delay: delay(9 * time.Second)}, step{Default: true})...),
			},
		}, legacyHost)
		if _, err := u.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		chatty, silent := newSink(), newSink()
		call := toolCall(chatty, "chatty", `"_meta":{"progressToken":1}`)
		call.Progress = true
		u.Do(nil, call)
		// The same without a wish for progress is not kept alive by it.
		u.Do(nil, toolCall(silent, "chatty", ""))
		if f := fault(t, u.call(t, "mute", "").err, KindTimeout, true); !strings.Contains(f.Text, "10s") {
			t.Errorf("got text %q", f.Text)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("the timeout took %v, want 10s", took)
		}
		fault(t, silent.wait(t).err, KindTimeout, true)
		if d := chatty.wait(t); d.err != nil {
			t.Errorf("the call with progress: %v", d.err)
		}
		if took := time.Since(began); took != 49*time.Second {
			t.Errorf("the call with progress took %v, want 49s", took)
		}
		if n := len(chatty.progressed()); n != 5 {
			t.Errorf("got %d progress notifications, want 5", n)
		}
		began = time.Now()
		limits := []time.Duration{3 * time.Second, time.Minute, 500 * time.Millisecond}
		var sinks []*sink
		for _, limit := range limits {
			s := newSink()
			call := toolCall(s, "mute", "")
			call.Timeout = limit
			u.Do(nil, call)
			sinks = append(sinks, s)
		}
		for _, i := range []int{2, 0, 1} {
			fault(t, sinks[i].wait(t).err, KindTimeout, true)
			if took := time.Since(began); took != limits[i] {
				t.Errorf("the timeout took %v, want %v", took, limits[i])
			}
		}
		forever := newSink()
		endless := toolCall(forever, "mute", "")
		endless.Timeout = -1
		u.Do(nil, endless)
		<-time.After(time.Hour)
		forever.none(t)
		if n := len(server.Received("notifications/cancelled")); n != 5 {
			t.Errorf("the server was told of %d, want 5", n)
		}
	})
}

// repeatProgress is progress of the call at hand, at intervals.
func repeatProgress(n int, every time.Duration) []step {
	var out []step
	for range n {
		out = append(out, step{Delay: delay(every)},
			step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":1}}`)})
	}
	return out
}

// Progress reaches its own call only, before the answer, and never after.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notice := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":1,"x":1e0}}`
		u, _ := openScript(t, script{
			Rules: []rule{on("tools/call", step{Send: raw(notice)}, step{Default: true}, step{Send: raw(notice)},
				step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"1","progress":1}}`)},
				step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress"}`)})},
		}, legacyHost)
		s := newSink()
		call := toolCall(s, "echo", "")
		call.Progress = true
		u.Do(nil, call)
		s.wait(t)
		synctest.Wait()
		if diff := cmp.Diff([]string{`{"progressToken":2,"progress":1,"x":1e0}`}, s.progressed()); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
	})
}

// Whatever happens to the connection, each call has one outcome.
func TestOneOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rules []rule
		for n := 25; n <= 400; n += 25 {
			rules = append(rules, nth(n, "tools/call echo", step{Exit: true}))
		}
		u, _ := openConfig(t, Config{Timeout: time.Second}, script{Rules: rules}, legacyHost)
		sinks := make([]*sink, 400)
		for i := range sinks {
			sinks[i] = newSink()
			go func() {
				call := toolCall(sinks[i], "echo", "")
				u.Do(nil, call)
				if i%7 == 0 {
					u.Cancel(call, nil)
				}
			}()
			if i%10 == 0 {
				synctest.Wait()
			}
		}
		<-time.After(time.Minute)
		for i, s := range sinks {
			if n := len(s.done); n != 1 && (i%7 != 0 || n > 1) {
				t.Errorf("call %d has %d outcomes", i, n)
			}
		}
	})
}

func TestNumber(t *testing.T) {
	for raw, want := range map[string]uint64{
		"1": 1, "10": 10, "9999999999999999999": 9999999999999999999,
		"": 0, "0": 0, "01": 0, "-1": 0, "1.0": 0, "1e3": 0, `"1"`: 0, "99999999999999999999": 0, "null": 0,
	} {
		if got, ok := number([]byte(raw)); got != want || ok != (want != 0) {
			t.Errorf("number(%s) = %d, %v, want %d", raw, got, ok, want)
		}
	}
}
