package upstream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

func ask(id, rest string) step {
	return step{Send: raw(`{"jsonrpc":"2.0","id":` + id + `,` + rest + `}`)}
}

const elicit = `"method":"elicitation/create","params":{"message":"ok?"}`

// openAsking is a legacy server that does steps on a call of "ask", and a
// handler that does asked with its questions.
func openAsking(t *testing.T, cfg Config, asked func(*jsonrpc.Batch, *Question), steps ...step) (fixture, *upstreamtest.Server) {
	t.Helper()
	u, server := openConfig(t, cfg, script{
		Tools: tools("ask", "echo", "slow"),
		Rules: []rule{on("tools/call ask", steps...), on("tools/call slow", step{Await: "go"}, step{Default: true})},
	}, legacyHost)
	u.events.asked = asked
	return u, server
}

func responses(s *upstreamtest.Server) []string {
	var out []string
	for _, r := range s.Received("") {
		out = append(out, string(r.Message))
	}
	return out
}

// A question is answered with its id to the byte and the pieces of the answer,
// whatever the ids of calls are.
func TestQuestionsAnswered(t *testing.T) {
	large := `"` + strings.Repeat("x", jsonrpc.Large) + `"`
	tests := []struct {
		id     string
		answer func(*jsonrpc.Batch, *Question)
		want   string
	}{
		{`1`, func(b *jsonrpc.Batch, q *Question) { q.Reply(b, []byte(`{"roots":[]}`)) }, `"result":{"roots":[]}`},
		{`"1"`, func(b *jsonrpc.Batch, q *Question) { q.Reply(b, []byte(`{"n":`), []byte(`1e400`), []byte(`}`)) }, `"result":{"n":1e400}`},
		{`"\u0041\/ä"`, func(b *jsonrpc.Batch, q *Question) { q.Reply(b, []byte(`{}`)) }, `"result":{}`},
		{`123456789012345678901234567890`, func(b *jsonrpc.Batch, q *Question) {
			q.Fail(b, []byte(`{"code":-1,"message":"no","x":`), []byte(`1.0}`))
		}, `"error":{"code":-1,"message":"no","x":1.0}`},
		{`-7`, func(b *jsonrpc.Batch, q *Question) { q.Refuse(b, -32602, `form "x"`) }, `"error":{"code":-32602,"message":"form \"x\""}`},
		{`0`, func(b *jsonrpc.Batch, q *Question) { q.Reply(b, []byte(`{"a":`), []byte(large), []byte(`}`)) }, `"result":{"a":` + large + `}`},
		{`2`, func(b *jsonrpc.Batch, q *Question) {
			q.Reply(b, []byte(`{}`))
			q.Reply(b, []byte(`{"twice":1}`))
			q.Fail(b, []byte(`{"code":1,"message":"thrice"}`))
		}, `"result":{}`},
	}
	for _, test := range tests {
		for _, later := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s later %v", test.id, later), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					asked := test.answer
					if later {
						asked = func(_ *jsonrpc.Batch, q *Question) {
							time.AfterFunc(20*time.Minute, func() { test.answer(nil, q) })
						}
					}
					u, server := openAsking(t, Config{}, asked,
						ask(test.id, elicit), step{Await: "response " + test.id}, step{Default: true})
					u.mustCall(t, "ask")
					synctest.Wait()
					want := []string{`{"jsonrpc":"2.0","id":` + test.id + `,` + test.want + `}`}
					if diff := cmp.Diff(want, responses(server)); diff != "" {
						t.Errorf("responses (-want +got):\n%s", diff)
					}
					if q := u.events.open()[0]; string(q.Message.Method) != "elicitation/create" || q.Upstream != u.Upstream {
						t.Errorf("got method %q of %q", q.Message.Method, q.Upstream.Name())
					}
				})
			})
		}
	}
}

// A question may come as soon as the handshake is over, and holds more than a
// call: its message stays when the server says other things.
func TestQuestionBeforeAnyCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openScript(t, script{Rules: []rule{
			on("notifications/initialized", step{Default: true}, ask(`"r"`, `"method":"roots/list","params":{"x":1E400}`)),
		}}, legacyHost)
		u.events.asked = keepOpen
		for range 10 {
			u.mustCall(t, "echo")
		}
		q := u.events.open()[0]
		if got, want := string(q.Message.Raw), `{"jsonrpc":"2.0","id":"r","method":"roots/list","params":{"x":1E400}}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		q.Reply(nil, []byte(`{"roots":[]}`))
		synctest.Wait()
		if got := responses(server); len(got) != 1 {
			t.Errorf("got responses %s, want one", got)
		}
	})
}

// A question is withdrawn once, and never when it was answered before.
func TestQuestionsWithdrawn(t *testing.T) {
	cancelOf := func(id, rest string) step {
		return step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + rest + `}}`)}
	}
	tests := []struct {
		name  string
		asked func(*jsonrpc.Batch, *Question)
		steps []step
		want  []string
		sent  int // answers
	}{
		{"cancelled", keepOpen, []step{ask(`"a"`, elicit), cancelOf(`"a"`, `,"reason":"too \u006cate"`), {Default: true}}, []string{`"a" "too \u006cate"`}, 0},
		{"cancelled twice", keepOpen, []step{ask(`1`, elicit), cancelOf(`1`, ``), cancelOf(`1`, ``), {Default: true}}, []string{`1 `}, 0},
		{"reason is no text", keepOpen, []step{ask(`1`, elicit), cancelOf(`1`, `,"reason":{}`), {Default: true}}, []string{`1 `}, 0},
		{"another id", keepOpen, []step{ask(`1`, elicit), cancelOf(`"1"`, ``), {Default: true}}, nil, 0},
		{"answered before", func(b *jsonrpc.Batch, q *Question) { q.Reply(b, []byte("{}")) }, []step{ask(`1`, elicit), cancelOf(`1`, ``), {Default: true}}, nil, 1},
		{"lost", keepOpen, []step{ask(`1`, elicit), {Exit: true}}, []string{`1 `}, 0},
		{"cancelled and lost", keepOpen, []step{ask(`1`, elicit), cancelOf(`1`, ``), {Exit: true}}, []string{`1 `}, 0},
		{"id used again", keepOpen, []step{ask(`1`, elicit), cancelOf(`1`, `,"reason":"a"`), ask(`1`, elicit), cancelOf(`1`, `,"reason":"b"`), {Default: true}}, []string{`1 "a"`, `1 "b"`}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openAsking(t, Config{}, test.asked, test.steps...)
				u.call(t, "ask", "")
				synctest.Wait()
				if diff := cmp.Diff(test.want, u.events.ended()); diff != "" {
					t.Errorf("withdrawn (-want +got):\n%s", diff)
				}
				if test.want != nil {
					u.events.open()[0].Reply(nil, []byte("{}"))
				}
				synctest.Wait()
				if got := responses(server); len(got) != test.sent {
					t.Errorf("got responses %s, want %d", got, test.sent)
				}
				if test.want == nil && test.sent == 0 {
					u.set.Close()
					if got := u.events.ended(); len(got) != 1 {
						t.Errorf("closing withdrew %s, want one", got)
					}
				}
			})
		})
	}
}

// The handler is not told of a withdrawal before it has the question.
func TestWithdrawnAfterQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u fixture
		early := -1
		u, _ = openAsking(t, Config{}, func(_ *jsonrpc.Batch, q *Question) {
			q.conn.withdrawQuestion(nil, q, nil)
			early = len(u.events.ended())
		}, ask(`1`, elicit), step{Default: true})
		u.mustCall(t, "ask")
		synctest.Wait()
		if got := u.events.ended(); early != 0 || len(got) != 1 {
			t.Errorf("got %d withdrawals early and %s then, want one, then", early, got)
		}
	})
}

// Whether the answer or the cancellation comes first, one of both counts.
func TestAnswerMeetsCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 50
		var steps []step
		for i := range many {
			steps = append(steps, ask(fmt.Sprint(i), elicit))
		}
		u, server := openAsking(t, Config{}, keepOpen, append(steps, step{Default: true})...)
		u.mustCall(t, "ask")
		synctest.Wait()
		var wait sync.WaitGroup
		for _, q := range u.events.open() {
			wait.Go(func() { q.Reply(nil, []byte("{}")) })
			wait.Go(func() { q.conn.withdrawQuestion(nil, q, nil) })
		}
		wait.Wait()
		synctest.Wait()
		if answered, withdrawn := len(responses(server)), len(u.events.ended()); answered+withdrawn != many {
			t.Errorf("got %d answers and %d withdrawals, want %d together", answered, withdrawn, many)
		}
	})
}

// A server that floods questions, or uses an id twice, gets errors for those.
func TestQuestionsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flood := ask(`$n`, elicit)
		flood.Repeat = maxQuestions + 50
		u, server := openAsking(t, Config{}, keepOpen, flood, ask(`1`, `"method":"roots/list"`), step{Default: true})
		u.mustCall(t, "ask")
		synctest.Wait()
		if n := len(u.events.open()); n != maxQuestions {
			t.Errorf("got %d questions, want %d", n, maxQuestions)
		}
		got := responses(server)
		if want := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"error":{"code":-32603,"message":"too many requests are open"}}`, maxQuestions+1); got[0] != want {
			t.Errorf("got %s, want %s", got[0], want)
		}
		if want := `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"the id is in use by another request"}}`; len(got) != 51 || got[50] != want {
			t.Errorf("got %d refusals, the last %s, want %s", len(got), got[len(got)-1], want)
		}
		u.events.open()[0].Reply(nil, []byte("{}"))
		u.mustCall(t, "ask") // 1 is free again, and the only one
		synctest.Wait()
		if n := len(u.events.open()); n != maxQuestions+1 {
			t.Errorf("got %d questions after one was answered, want one more", n)
		}
	})
}

func TestQuestionsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		big := step{Send: raw(`{"jsonrpc":"2.0","id":$n,"method":"elicitation/create","params":{"message":"$fill"}}`), Fill: 30 << 10, Repeat: 3}
		u, server := openAsking(t, Config{MessageLimit: 64 << 10}, keepOpen, big, step{Default: true})
		u.mustCall(t, "ask")
		synctest.Wait()
		if n := len(u.events.open()); n != 2 {
			t.Errorf("got %d questions, want 2", n)
		}
		for _, q := range u.events.open() {
			q.Refuse(nil, 1, "no")
		}
		u.mustCall(t, "ask")
		synctest.Wait()
		if n := len(u.events.open()); n != 4 {
			t.Errorf("got %d questions, want 4", n)
		}
		if n := len(responses(server)); n != 4 {
			t.Errorf("got %d responses, want 4", n)
		}
	})
}

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

func (s *streams) Abandon(uint64) bool      { return true }
func (s *streams) Established(string, bool) {}
func (s *streams) Close()                   { close(s.lost) }
func (s *streams) Done() <-chan struct{}    { return s.lost }
func (s *streams) Lost() <-chan struct{}    { return s.lost }
func (s *streams) Err() error               { return transport.ErrClosed }

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

// The host's progress reaches the server under the server's token.
func TestQuestionProgress(t *testing.T) {
	tests := []struct{ token, params, want string }{
		{`"up"`, `{"progressToken":7,"progress":1e0,"x":9007199254740993}`, `{"progressToken":"up","progress":1e0,"x":9007199254740993}`},
		{`12`, `{ "progress":1, "progressToken":"h", "progress\u0054oken":"again" }`, `{ "progress":1, "progressToken":12, "progress\u0054oken":12 }`},
		{`"up"`, `{"progress":1}`, ``},
		{`"up"`, `[1]`, ``},
		{`{}`, `{"progressToken":7,"progress":1}`, ``},
		{``, `{"progressToken":7,"progress":1}`, ``},
	}
	for _, test := range tests {
		t.Run(test.token+test.params, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				meta := `"method":"elicitation/create","params":{"_meta":{"progressToken":` + test.token + `}}`
				if test.token == "" {
					meta = elicit
				}
				u, server := openAsking(t, Config{}, keepOpen, ask(`1`, meta), step{Default: true})
				u.mustCall(t, "ask")
				synctest.Wait()
				var m jsonrpc.Message
				if err := m.Parse([]byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":` + test.params + `}`)); err != nil {
					t.Fatal(err)
				}
				q := u.events.open()[0]
				q.Progress(nil, &m)
				q.Reply(nil, []byte("{}"))
				q.Progress(nil, &m) // too late
				synctest.Wait()
				var got []string
				for _, r := range server.Received(progressMethod) {
					got = append(got, string(r.Message))
				}
				var want []string
				if test.want != "" {
					want = []string{`{"jsonrpc":"2.0","method":"notifications/progress","params":` + test.want + `}`}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("progress (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A modern server makes no requests; ping is answered all the same.
func TestModernServerAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openScript(t, script{Versions: []string{modernVersion}, Tools: tools("ask"), Rules: []rule{
			on("tools/call ask", ask(`1`, elicit), ask(`2`, `"method":"ping"`), step{Default: true}),
		}}, modernHost)
		u.mustCall(t, "ask")
		synctest.Wait()
		want := []string{
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"servers make no requests in this protocol revision"}}`,
			`{"jsonrpc":"2.0","id":2,"result":{}}`,
		}
		if diff := cmp.Diff(want, responses(server)); diff != "" {
			t.Errorf("responses (-want +got):\n%s", diff)
		}
		if n := len(u.events.open()); n != 0 {
			t.Errorf("got %d questions, want none", n)
		}
	})
}

// A call that resumes what a modern server began is not sent to a legacy one.
func TestResumes(t *testing.T) {
	for _, version := range []string{upstreamtest.Legacy, upstreamtest.Modern} {
		t.Run(version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openScript(t, script{Versions: []string{version}}, Peer{Modern: version == upstreamtest.Modern, Version: version})
				s := newSink()
				call := toolCall(s, "echo", `"requestState":"x"`)
				call.Resumes = true
				u.Do(nil, call)
				d := s.wait(t)
				if sent := len(server.Received("tools/call")); version == upstreamtest.Modern {
					if d.err != nil || sent != 1 {
						t.Errorf("got error %v, %d sent", d.err, sent)
					}
				} else if fault(t, d.err, KindProtocol, false); sent != 0 {
					t.Errorf("%d sent", sent)
				}
			})
		})
	}
}

// What is declared for the host: the handshake says it once, else each request.
func TestCapabilitiesDeclared(t *testing.T) {
	const ofPeer, ofCall, ofMeta = `{"roots":{"x":1e0}}`, `{"sampling":{}}`, `{"elicitation":{}}`
	t.Run("legacy", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := legacyHost
			p.Capabilities = []byte(ofPeer)
			u, server := openScript(t, script{}, p)
			u.mustCall(t, "echo")
			if got := string(server.Received("initialize")[0].Message); !strings.Contains(got, `"capabilities":`+ofPeer+`,`) {
				t.Errorf("got %s", got)
			}
		})
	})
	tests := []struct{ peer, call, meta, want string }{
		{``, ``, ``, `{}`},
		{ofPeer, ``, ``, ofPeer},
		{ofPeer, ofCall, ``, ofCall},
		{ofPeer, ofCall, ofMeta, ofMeta},
		{ofPeer, ``, ofMeta, ofMeta},
	}
	for _, test := range tests {
		t.Run(test.peer+test.call+test.meta, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := modernHost
				if test.peer != "" {
					p.Capabilities = []byte(test.peer)
				}
				u, server := openScript(t, script{Versions: []string{modernVersion}}, p)
				for range 2 { // queued, and sent at once
					s := newSink()
					call := toolCall(s, "echo", "")
					if test.meta != "" {
						call = toolCall(s, "echo", `"_meta":{"`+MetaCapabilities+`":`+test.meta+`}`)
					}
					var ours []byte
					if test.call != "" {
						ours = []byte(test.call)
						call.Capabilities = ours
					}
					u.Do(nil, call)
					copy(ours, `{"gone":1}`) // good during Do only
					s.wait(t)
				}
				for _, r := range server.Received("tools/call") {
					if got := string(r.Message); !strings.Contains(got, `"`+MetaCapabilities+`":`+test.want+`,`) {
						t.Errorf("got %s, want %s", got, test.want)
					}
				}
			})
		})
	}
}
