package aggregator

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

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

// FuzzSeals: what weir has sealed opens as what it was, in the sealer that made it
// and nowhere else. Nothing else opens, and that includes a seal of which one byte
// is another.
func FuzzSeals(f *testing.F) {
	states, tasks := newSealer(), newTaskSealer(make([]byte, 32))
	f.Add("weir1.AAAA", "up", "t", uint16(9), byte(1))
	f.Add(tasks.seal("up", "t"), "", "\x00", uint16(0), byte('A'))
	f.Fuzz(func(t *testing.T, text, server, id string, at uint16, with byte) {
		if _, _, _, ok := states.open(text); ok {
			t.Errorf("%q opens as a state", text)
		}
		if server, id, ok := tasks.open(text); ok && tasks.seal(server, id) != text {
			t.Errorf("%q opens as task %q of %q, which is sealed otherwise", text, id, server)
		}

		var h handle
		copy(h[:], text)
		expiry, want := time.UnixMilli(int64(at)<<32), digest(sha256.Sum256([]byte(id)))
		state := states.state(h, expiry, want)
		if gotHandle, gotExpiry, got, ok := states.open(state); !ok || gotHandle != h || !gotExpiry.Equal(expiry) || got != want {
			t.Errorf("state: got %x, %v, %x, %t, want %x, %v, %x", gotHandle, gotExpiry, got, ok, h, expiry, want)
		}
		if _, _, _, ok := newSealer().open(state); ok {
			t.Error("a state opens in another weir")
		}
		if changed := withByte(state, at, with); changed != state {
			if _, _, _, ok := states.open(changed); ok {
				t.Errorf("%q opens, which was %q", changed, state)
			}
		}

		if strings.Contains(server, "\x00") {
			return // no server is called so
		}
		task := tasks.seal(server, id)
		if gotServer, got, ok := tasks.open(task); !ok || gotServer != server || got != id {
			t.Errorf("task: got %q of %q, %t, want %q of %q", got, gotServer, ok, id, server)
		}
		if _, _, ok := newTaskSealer([]byte("another secret")).open(task); ok {
			t.Error("a task opens with another secret")
		}
		if changed := withByte(task, at, with); changed != task {
			if _, _, ok := tasks.open(changed); ok {
				t.Errorf("%q opens, which was %q", changed, task)
			}
		}
	})
}

// withByte is a text in which one byte is another.
func withByte(text string, at uint16, with byte) string {
	changed := []byte(text)
	changed[int(at)%len(changed)] = with
	return string(changed)
}
