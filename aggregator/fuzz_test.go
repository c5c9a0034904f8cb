package aggregator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// FuzzHost: whatever a host writes, what it reads is JSON-RPC, and no id is
// answered more often than it was sent.
func FuzzHost(f *testing.F) {
	for _, e := range []era{legacy, modern} {
		open := strings.Join(e.open(), "\n") + "\n"
		f.Add([]byte(open + e.request("1", "tools/list", "", "") + "\n" + e.call("1", "up__echo", `{"a":[1]}`) + "\n" + cancelled("1")))
		f.Add([]byte(open + e.request(`"\u0061"`, "tools/call", `"name":"up__echo"`, `"progressToken":"t"`) + "\n" + e.request(`"a"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`, "")))
		f.Add([]byte(open + "[" + e.call("1", "up__echo", "{}") + "," + e.call("1", "up__gate", "{}") + ",[],{}]\n" + e.call(" -0", "up__gate", "{}")))
		f.Add([]byte(open + e.call("1", "up__gate", "{}") + "\n" + e.call("1", "up__gate", "{}") + "\n{\"id\":1,}\n" + `{"id":1,"x":"` + strings.Repeat("x", 5000)))
	}
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":1}` + "\n\xff\n{\"jsonrpc\":\"2.0\",\"id\":\"\\ud83d\",\"method\":\"ping\"}\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		synctest.Test(t, func(t *testing.T) {
			cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(gateScript())}, "up")
			cfg.MessageLimit = 4096
			a := New(cfg)
			defer a.Close()
			var out bytes.Buffer
			in := &slowEnd{Reader: bytes.NewReader(sent)}
			if err := a.Serve(context.Background(), in, &out); err != nil {
				t.Errorf("Serve: got %v, want nil", err)
			}
			allowed := map[string]int{}
			for _, id := range ids(sent) {
				allowed[id]++
			}
			checkAnswers(t, out.Bytes(), allowed)
		})
	})
}

// slowEnd is a stream that stays open until everything that came before has been
// dealt with.
type slowEnd struct{ io.Reader }

func (r *slowEnd) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		pass(time.Second)
	}
	return n, err
}

// ids are those of all messages in a text of lines, whole ones and broken ones.
func ids(text []byte) []string {
	var found []string
	add := func(raw []byte) {
		var m jsonrpc.Message
		id := jsonrpc.FindID(raw)
		if m.Parse(raw) == nil || m.ID != nil {
			id = m.ID
		}
		if id != nil {
			found = append(found, string(idKey(id)))
		}
	}
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if elements, err := jsonrpc.ParseArray(nil, line); err == nil {
			for _, element := range elements {
				add(element)
			}
			continue
		}
		add(line)
	}
	return found
}

// checkAnswers wants lines that are JSON-RPC, and no more answers for each id
// than are allowed.
func checkAnswers(t *testing.T, out []byte, allowed map[string]int) {
	t.Helper()
	for line := range bytes.Lines(out) {
		var m jsonrpc.Message
		if err := m.Parse(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		if m.Kind != jsonrpc.Response && m.Kind != jsonrpc.Failure || m.ID == nil {
			continue
		}
		if allowed[string(idKey(m.ID))]--; allowed[string(idKey(m.ID))] < 0 {
			t.Errorf("one answer too many for id %s: %s", m.ID, line)
		}
	}
}

// FuzzUpstream: whatever a server writes, each call has exactly one answer, and
// what the host reads is JSON-RPC.
func FuzzUpstream(f *testing.F) {
	for _, text := range []string{
		`{"jsonrpc":"2.0","id":3,"result":{}}` + "\n" + `{"jsonrpc":"2.0","id":3,"result":{"content":[]}}`,
		`{"jsonrpc":"2.0","result":{"_meta":{},"content":1},"id":4}` + "\n" + `{"jsonrpc":"2.0","id":3,"result":null}`,
		`{"jsonrpc":"2.0","id":3,"error":{"code":-32002,"message":"x"}}` + "\n" + `[{"jsonrpc":"2.0","id":4,"error":{"code":-32020}}]`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":3,"progress":1}}` + "\n" + `{"jsonrpc":"2.0","id":3,"result":{"resultType":"x"}}`,
		`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}` + "\n" + `{"jsonrpc":"2.0","id":9,"method":"ping"}`,
		`{"jsonrpc":"2.0","id":3,"result":{]}`, "garbage\n\xff\n{\"id\":4", "",
	} {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	f.Fuzz(func(t *testing.T, written []byte, modernHost bool) {
		client := legacy
		if modernHost {
			client = modern
		}
		synctest.Test(t, func(t *testing.T) {
			server := upstreamtest.New(upstreamtest.Script{
				Tools: raws(definition("echo")),
				Rules: []upstreamtest.Rule{
					{On: "tools/call echo", Nth: 1},
					{On: "tools/call echo", Do: []upstreamtest.Step{{Bytes: append(written, '\n')}, {Exit: true}}},
				},
			})
			_, h := start(t, config(t, map[string]*upstreamtest.Server{"up": server}, "up"))
			h.send(client.open()...)
			h.send(client.request("0", "tools/list", "", ""))
			got := h.send(client.request(`"a"`, "tools/call", `"name":"up__echo"`, `"progressToken":"t"`))
			got = append(got, h.send(client.request(`"b"`, "tools/call", `"name":"up__echo"`, `"progressToken":"u"`))...)
			allowed := map[string]int{`"a"`: 1, `"b"`: 1}
			checkAnswers(t, []byte(strings.Join(got, "\n")), allowed)
			for id, missing := range allowed {
				if missing != 0 {
					t.Errorf("no answer for id %s: got %q", id, got)
				}
			}
		})
	})
}
