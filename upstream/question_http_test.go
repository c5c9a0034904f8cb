package upstream

import (
	"fmt"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Over HTTP a question comes with its call, and its answer goes out by itself.
func TestQuestionOverHTTP(t *testing.T) {
	const id = `"\u0061 1"`
	server := newServer(script{Tools: tools("ask"), Rules: []rule{
		on("tools/call ask", ask(id, elicit), step{Await: "response " + id}, step{Default: true}),
	}})
	u := openHTTP(t, Config{}, server, legacyHost)
	calls := make(chan *Call, 1)
	u.events.asked = func(_ *jsonrpc.Batch, q *Question) {
		calls <- q.Call
		go q.Reply(nil, []byte(`{"action":"accept"}`))
	}
	s := newSink()
	call := toolCall(s, "ask", "")
	u.Do(nil, call)
	if d := s.wait(t); d.err != nil {
		t.Fatal(d.err)
	}
	if <-calls != call {
		t.Error("the question does not belong to its call")
	}
	got := server.Received("")
	want := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, id)
	if len(got) != 1 || string(got[0].Message) != want || got[0].Header.Get("Mcp-Session-Id") == "" {
		t.Errorf("got %s, want %s in the session", got, want)
	}
}

// With the session its questions end. Its calls go on.
func TestQuestionOfLostSession(t *testing.T) {
	server := newServer(script{Tools: tools("ask", "echo"), Rules: []rule{
		on("tools/call ask", ask(`1`, elicit), step{Await: "go"}, step{Default: true}),
	}})
	u := openHTTP(t, Config{}, server, legacyHost)
	asked := make(chan *Question, 1)
	u.events.asked = func(_ *jsonrpc.Batch, q *Question) { asked <- q }
	u.events.gone = make(chan string, 1)
	s := newSink()
	u.Do(nil, toolCall(s, "ask", ""))
	q := <-asked
	server.Forget()
	u.mustCall(t, "echo")
	if got := <-u.events.gone; got != "1 " {
		t.Errorf("got %q withdrawn", got)
	}
	q.Reply(nil, []byte("{}"))
	server.Release("go")
	if d := s.wait(t); d.err != nil {
		t.Error(d.err)
	}
	if got := server.Received(""); len(got) != 0 {
		t.Errorf("got %s", got)
	}
}
