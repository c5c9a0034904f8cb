package upstream

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

type raw = json.RawMessage

// What of _meta goes to the server, for each pair of eras.
func TestMeta(t *testing.T) {
	const (
		hop = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":` +
			`{"elicitation":{"form":{}}},"io.modelcontextprotocol/clientInfo":{"name":"desk"},"io.modelcontextprotocol/logLevel":"info"`
		vendor  = `"a.b/c":{"x": 1.0},"traceparent":"00-1-2-01"`
		ours    = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":`
		weir    = `,"io.modelcontextprotocol/clientInfo":{"name":"weir","version":"0"}`
		elicits = `{"elicitation":{"form":{}}}`
	)
	tests := []struct {
		name     string
		modern   bool // the server
		params   string
		progress bool
		want     string // params, with TOKEN for the id
	}{
		{"LL nothing", false, `"arguments":{}`, false, `"arguments":{}`},
		{
			"LL raw", false, `"_meta": { "a.b/c" :1e0 },"arguments":{"n":9007199254740993}`, false,
			`"_meta":{ "a.b/c" :1e0 },"arguments":{"n":9007199254740993}`,
		},
		{"LL empty", false, `"_meta":{}`, false, `"_meta":{}`},
		{"LL token", false, `"_meta":{` + vendor + `,"progressToken":"p"}`, true, `"_meta":{` + vendor + `,"progressToken":TOKEN}`},
		{"LL only token", false, `"_meta":{"progressToken":7},"arguments":{}`, true, `"_meta":{"progressToken":TOKEN},"arguments":{}`},
		{"LL escaped keys", false, `"_meta":{"progress\u0054oken":7,"a\u002eb":1}`, true, `"_meta":{"a\u002eb":1,"progressToken":TOKEN}`},
		{"LM nothing", true, `"arguments":{}`, false, `"arguments":{},"_meta":{` + ours + `{}` + weir + `}`},
		{
			"LM token", true, `"_meta":{` + vendor + `,"progressToken":"p"}`, true,
			`"_meta":{` + vendor + `,"progressToken":TOKEN,` + ours + `{}` + weir + `}`,
		},
		{"ML protocol keys only", false, `"_meta":{` + hop + `},"arguments":{}`, false, `"arguments":{}`},
		{"ML vendor", false, `"_meta":{` + hop + `,` + vendor + `}`, false, `"_meta":{` + vendor + `}`},
		{
			"ML token", false, `"_meta":{` + hop + `,"progressToken":1,` + vendor + `}`, true,
			`"_meta":{` + vendor + `,"progressToken":TOKEN}`,
		},
		{
			"MM", true, `"_meta":{"progressToken":"p",` + hop + `,` + vendor + `}`, true,
			`"_meta":{"io.modelcontextprotocol/logLevel":"info",` + vendor + `,"progressToken":TOKEN,` + ours + elicits + weir + `}`,
		},
		{
			"MM without token", true, `"_meta":{` + hop + `}`, false,
			`"_meta":{"io.modelcontextprotocol/logLevel":"info",` + ours + elicits + weir + `}`,
		},
		{
			"MM tasks", true, `"_meta":{"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}},"roots":{}}}`, false,
			`"_meta":{` + ours + `{"extensions":{"io.modelcontextprotocol/tasks":{}},"roots":{}}` + weir + `}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				version := upstreamtest.Legacy
				if test.modern {
					version = upstreamtest.Modern
				}
				u, server := openScript(t, upstreamtest.Script{Versions: []string{version}}, Peer{Modern: test.modern, Version: version})
				s := newSink()
				call := toolCall(s, "echo", test.params)
				call.Progress = test.progress
				u.Do(nil, call)
				if d := s.wait(t); d.err != nil || d.modern != test.modern {
					t.Fatalf("got error %v, modern %v, want modern %v", d.err, d.modern, test.modern)
				}
				var m jsonrpc.Message
				if err := m.Parse(server.Received("tools/call")[0].Message); err != nil {
					t.Fatal(err)
				}
				want := `{"name":"echo",` + strings.ReplaceAll(test.want, "TOKEN", string(m.ID)) + `}`
				if diff := cmp.Diff(want, string(m.Params)); diff != "" {
					t.Errorf("params (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A large argument reaches the server whole, whether it is sent at once or has
// to wait for the connection, and wherever the host's memory goes meanwhile.
func TestLargeParams(t *testing.T) {
	large := `"` + strings.Repeat("x", jsonrpc.Large+100) + `"`
	many := strings.Repeat(`"a":1,`, 9000) + `"b":2`
	arguments := `{"small":1,"large":` + large + `,"after":2}`
	synctest.Test(t, func(t *testing.T) {
		u, server := openScript(t, upstreamtest.Script{}, legacyHost)
		for range 2 {
			s := newSink()
			call := toolCall(s, "echo", `"arguments":`+arguments+`,"_meta":{`+many+`}`)
			call.Progress = true
			small := call.Params[0].Value
			u.Do(nil, call)
			copy(small, `"gone"`)
			if d := s.wait(t); d.err != nil {
				t.Fatal(d.err)
			}
		}
		for _, r := range server.Received("tools/call") {
			text := string(r.Message)
			if !strings.Contains(text, `"name":"echo","arguments":`+arguments+`,"_meta":{`+many+`,"progressToken":`) {
				t.Errorf("got %.100s … %s", text, text[len(text)-100:])
			}
		}
	})
}

// The header names what a request is about, and stands only where it belongs.
func TestNameHeader(t *testing.T) {
	tests := []struct{ method, params, name, want string }{
		{"tools/call", `{"name":"echo"}`, "echo", "echo"},
		{"prompts/get", `{"name":"p"}`, "", "p"},
		{"resources/read", `{"uri":"file:///ä"}`, "", "=?base64?ZmlsZTovLy/DpA==?="},
		{"tasks/get", `{"taskId":"t"}`, "", "t"},
		{"tasks/update", `{"taskId":"t"}`, "t", "t"},
		{"tasks/cancel", `{"taskId":"t"}`, "", "t"},
		{"tasks/list", `{"taskId":"t"}`, "t", ""},
		{"tools/list", `{"name":"x","uri":"y"}`, "x", ""},
		{"completion/complete", `{"name":"x"}`, "x", ""},
		{"prompts/get", `{}`, "", ""},
	}
	rules := []rule{}
	for _, test := range tests {
		rules = append(rules, on(test.method, step{Reply: raw(`{"resultType":"complete"}`)}))
	}
	seen := make(chan http.Header, 1)
	server := newServer(script{Versions: []string{modernVersion}, Tools: tools("echo"), Capabilities: raw(`{}`), Rules: rules})
	u := openHTTP(t, Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Method") != discoverMethod {
			seen <- r.Header.Clone()
		}
		server.ServeHTTP(w, r)
	}), modernHost)
	for _, test := range tests {
		t.Run(test.method+test.params, func(t *testing.T) {
			members, err := jsonrpc.ParseObject(nil, []byte(test.params))
			if err != nil {
				t.Fatal(err)
			}
			s := newSink()
			u.Do(nil, &Call{Method: test.method, Name: test.name, Params: members, Sink: s})
			header := <-seen
			s.wait(t)
			if got := header.Values("Mcp-Name"); strings.Join(got, ",") != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
