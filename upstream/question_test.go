package upstream

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
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
