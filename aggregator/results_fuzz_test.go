package aggregator

import (
	"slices"
	"testing"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// FuzzResult: whatever a server answers, what the host gets of it is JSON, in
// every pair of eras and for every operation.
func FuzzResult(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{ }`, `{"content":[]}`, `{"structuredContent":[1]}`, `{"structuredContent":null,"content":[ ]}`,
		`{"content":[{"type":"resource_link","uri":"a:b"},{"type":"audio"}],"structuredContent":1,"_meta":{}}`,
		`{"structuredContent":7 , "content":[{"type":"resource","resource":{"uri":"a:b"}}]}`,
		`{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"m","url":"u"}}},"requestState":"s"}`,
		`{"resultType":"task","taskId":"t","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}`,
		`{"task":{"taskId":"t"},"taskId":"u","taskId":"v"}`,
		`{"messages":[{"content":{"type":"audio","uri":"x:"}},{"content":[{"type":"resource","resource":{"uri":"x:y"}}]}]}`,
		`{"contents":[{"uri":"a:b"}],"ttlMs":1}`, `{"completion":{"values":[]}}`, `{"_meta":7,"_meta":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, result []byte) {
		var m jsonrpc.Message
		if m.Parse(slices.Concat([]byte(`{"jsonrpc":"2.0","id":1,"result":`), result, []byte(`,"x":1}`))) != nil || m.Result[0] != '{' {
			t.Skip()
		}
		cfg := config(t, map[string]*upstreamtest.Server{"up": nil}, "up")
		a := New(cfg)
		defer a.Close()
		for _, version := range []string{"2024-11-05", "2025-03-26", "2025-11-25", upstream.ModernVersion} {
			s := newSession(a, nil)
			s.declared.Store(&declared{version: version})
			for _, op := range []*operation{toolCall, promptGet, resourceRead, completion, taskGet, taskResult} {
				for _, modernServer := range []bool{false, true} {
					c := &call{s: s, op: op, server: a.world.Load().servers[0], name: "x", modern: version == upstream.ModernVersion}
					edits := c.resultEdits(upstream.Answer{Message: &m, Modern: modernServer})
					inOrder(edits)
					out := jsonrpc.Splice(nil, m.Raw, edits...)
					if !jsonrpc.Valid(out) {
						t.Errorf("host of %s, %s, modern server %v: %s becomes %s", version, op.method, modernServer, m.Raw, out)
					}
				}
			}
		}
	})
}

// FuzzSeals: nothing that weir has not sealed opens.
func FuzzSeals(f *testing.F) {
	states, tasks := newSealer(), newTaskSealer(make([]byte, 32))
	f.Add("weir1.AAAA")
	f.Add(tasks.seal("up", "t"))
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, _, ok := states.open(text); ok {
			t.Errorf("%q opens as a state", text)
		}
		if server, id, ok := tasks.open(text); ok && tasks.seal(server, id) != text {
			t.Errorf("%q opens as task %q of %q, which is sealed otherwise", text, id, server)
		}
	})
}
