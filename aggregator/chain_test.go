package aggregator

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// chained is a host on a weir that stands before a weir that stands before one
// more, behind which is the server: u, v and w are what they call the next.
func chained(t *testing.T, script upstreamtest.Script) (*upstreamtest.Server, *host) {
	t.Helper()
	server := upstreamtest.New(script)
	next := config(t, map[string]*upstreamtest.Server{"w": server}, "w")
	for _, name := range []string{"v", "u"} {
		inner := New(next)
		t.Cleanup(inner.Close)
		next = config(t, nil, name)
		next.Dialers["memory"] = weirDialer(inner)
	}
	_, h := start(t, next)
	return server, h
}

// weirDialer connects to a weir.
func weirDialer(weir *Aggregator) upstream.Dialer {
	return func(_ context.Context, _ upstream.Config, recv transport.Receiver) (transport.Conn, error) {
		near, far := transport.Memory()
		go func() {
			defer far.Close()
			// How it ended the other side sees.
			_ = weir.Serve(context.Background(), far.Input(), far.Output())
		}()
		return transport.NewLines(near, recv, upstream.DefaultMessageLimit), nil
	}
}

// asksForm is a server of this era that asks one thing in a call of "ask".
func (e era) asksForm() upstreamtest.Script {
	const question = `{"message":"<m>","requestedSchema":{}}`
	if e == legacy {
		return asking("elicitation/create", question)
	}
	return modernAsking(`{"resultType":"input_required","requestState":"s","inputRequests":{"k":{"method":"elicitation/create","params":` + question + `}}}`)
}

// asked is the state that a modern host got with the question, "" for a legacy
// one.
func (e era) asked(t *testing.T, got []string) (state, key string) {
	t.Helper()
	const params = `"params":{"message":"[u] [v] [w] <m>","requestedSchema":{}}`
	if e == legacy {
		want(t, "question", got, `{"jsonrpc":"2.0","id":1,"method":"elicitation/create",`+params+`}`)
		return "", ""
	}
	requests, state := inputRequired(t, got)
	key, question, _ := strings.Cut(strings.TrimPrefix(requests, `{"`), `":`)
	if diff := cmp.Diff(`{"method":"elicitation/create",`+params+`}}`, question); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
	return state, key
}

// TestQuestionsThroughWeirs: a question finds its way through three weirs, and
// its answer back, between all eras. Who asks is named once by each.
func TestQuestionsThroughWeirs(t *testing.T) {
	for _, client := range []era{legacy, modern} {
		for _, server := range []era{legacy, modern} {
			bubble(t, fmt.Sprintf("%v host, %v server", client, server), func(t *testing.T) {
				upstream, h := chained(t, server.asksForm())
				h.send(client.capable()...)
				got := h.send(client.capableCall("1", "u__v__w__ask", ""))
				pass(3 * gatherTime)
				state, key := client.asked(t, append(got, h.received()...))
				answer := `{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"n":1E400}}}`
				if client == modern {
					answer = client.capableCall("2", "u__v__w__ask", resumeWith(`{"`+key+`":{"action":"accept","content":{"n":1E400}}}`, state))
				}
				got = h.send(answer)
				if len(got) != 1 || !strings.Contains(got[0], `"content":[{"type":"text","text":"done"}]`) {
					t.Errorf("got %q, want the result", got)
				}
				told := append(answersTo(upstream), bodies(upstream, "tools/call")...)
				if text := strings.Join(told, "\n"); strings.Count(text, `{"action":"accept","content":{"n":1E400}}`) != 1 {
					t.Errorf("the server was told:\n%s", text)
				}
				if n := len(upstream.Received("tools/call")); n != 1+int(server) {
					t.Errorf("server was called %d times, want %d", n, 1+int(server))
				}
			})
		}
	}
}

func bodies(s *upstreamtest.Server, method string) []string {
	var all []string
	for _, r := range s.Received(method) {
		all = append(all, string(r.Message))
	}
	return all
}

// TestQuestionsGivenUpThroughWeirs: who cancels, or does not answer, is known at
// the end of the chain.
func TestQuestionsGivenUpThroughWeirs(t *testing.T) {
	bubble(t, "legacy host cancels", func(t *testing.T) {
		server, h := chained(t, legacy.asksForm())
		h.send(legacy.capable()...)
		legacy.asked(t, h.send(legacy.capableCall("1", "u__v__w__ask", "")))
		h.send(cancelled("1"))
		if got := server.Received("notifications/cancelled"); len(got) != 1 {
			t.Errorf("server heard %d cancellations, want one", len(got))
		}
	})
	bubble(t, "modern host does not ask again", func(t *testing.T) {
		server, h := chained(t, legacy.asksForm())
		h.send(modern.capable()...)
		h.send(modern.capableCall("1", "u__v__w__ask", ""))
		pass(3 * gatherTime)
		state, key := modern.asked(t, h.received())
		pass(answerTime)
		h.received()
		want(t, "server", answersTo(server), `{"jsonrpc":"2.0","id":"q<1>","result":{"action":"cancel"}}`)
		got := h.send(modern.capableCall("2", "u__v__w__ask", resumeWith(`{"`+key+`":{"action":"accept"}}`, state)))
		if len(got) != 1 || !strings.Contains(got[0], `"code":-32602`) || !strings.Contains(got[0], `"maybeExecuted":true`) {
			t.Errorf("got %q, want a refusal that says that it may have run", got)
		}
	})
}

// TestAttacksThroughWeirs: a state that no weir has made is refused by the one
// that could have, and the server is not called again.
func TestAttacksThroughWeirs(t *testing.T) {
	for name, change := range map[string]func(state string) string{
		"forged":   func(string) string { return stateMark + "AAAA" },
		"changed":  func(state string) string { return state[:20] + string(state[20]^1) + state[21:] },
		"replayed": func(state string) string { return state },
	} {
		bubble(t, name, func(t *testing.T) {
			server, h := chained(t, legacy.asksForm())
			h.send(modern.capable()...)
			h.send(modern.capableCall("1", "u__v__w__ask", ""))
			pass(3 * gatherTime)
			state, key := modern.asked(t, h.received())
			resume := func(id, state string) []string {
				return h.send(modern.capableCall(id, "u__v__w__ask", resumeWith(`{"`+key+`":{"action":"accept"}}`, state)))
			}
			if name == "replayed" {
				resume("2", state)
			}
			if got := resume("3", change(state)); len(got) != 1 || strings.Contains(got[0], `"done"`) {
				t.Errorf("got %q, want a refusal", got)
			}
			if n := len(server.Received("tools/call")); n != 1 {
				t.Errorf("server was called %d times, want once", n)
			}
		})
	}
}
