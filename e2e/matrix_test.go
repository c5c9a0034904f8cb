package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// oddTools are definitions that a trip through a typed library would change.
var oddTools = []json.RawMessage{
	[]byte(`{"zulu":1,"name":"odd","alpha":[9007199254740993,1E400,-0,1.0],"inputSchema":{"type":"object","$schema":"x","x-y":{"b":1,"a":2}},"description":"<>& \u00e9 \ud83d ö","icons":[],"_meta":{"n":12345678901234567890}}`),
	[]byte(`{"inputSchema":{},"NAME":"not this","name":"big","Name":"nor this","annotations":{"readOnlyHint":true,"vendor":null},"execution":{"x":1}}`),
	[]byte(`{"name":"progress"}`), []byte(`{"name":"fails"}`), []byte(`{"name":"is_error"}`), []byte(`{"name":"gone"}`),
	[]byte(`{"name":"wait"}`), []byte(`{"name":"started"}`), []byte(`{"name":"cancelled"}`), []byte(`{"name":"unknown_content"}`),
}

var oddRules = []upstreamtest.Rule{
	{On: "tools/call progress", Do: []upstreamtest.Step{
		{Send: []byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"vendor":"x","progress":9007199254740993,"progressToken":"$token","message":"<>&","total":1.50}}`)},
		{Send: []byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":9007199254740994}}`)},
		{Default: true},
	}},
	{On: "tools/call fails", Do: []upstreamtest.Step{{Error: []byte(`{"data":{"n":9007199254740993,"<":">"},"code":7,"message":"out of luck","vendor":true}`)}}},
	{On: "tools/call is_error", Do: []upstreamtest.Step{{Reply: []byte(`{"isError":true,"content":[{"type":"text","text":"no such row"}],"vendor":{"z":1,"a":2}}`)}}},
	{On: "tools/call gone", Do: []upstreamtest.Step{{Error: []byte(`{"code":-32602,"message":"Unknown tool: gone"}`)}}},
	{On: "tools/call unknown_content", Do: []upstreamtest.Step{{Reply: []byte(
		`{"content":[{"type":"hologram","data":[1,2]},{"text":"a","type":"text","x":1},{"type":"text","text":"\ud83d"}],"a":1,"a":2,"_meta":{"z":{},"n":1E400},"structuredContent":null}`)}}},
	{On: "tools/call wait", Do: []upstreamtest.Step{{Release: "started"}, {Await: "cancel"}, {Release: "cancelled"}}},
	{On: "tools/call started", Do: []upstreamtest.Step{{Await: "started"}, {Default: true}}},
	{On: "tools/call cancelled", Do: []upstreamtest.Step{{Await: "cancelled"}, {Default: true}}},
}

// TestMatrix: what a host sees through weir is what it would see without, but
// for the names, over all transports and in all four mixtures of the eras.
func TestMatrix(t *testing.T) {
	for _, upstream := range []string{upstreamtest.Legacy, upstreamtest.Modern} {
		script := upstreamtest.Script{Versions: []string{upstream}, Tools: oddTools, Rules: oddRules}
		for _, transport := range []string{"stdio", "http", "http stream", "sse", "http that is sse", "websocket"} {
			if upstream == upstreamtest.Modern && strings.HasSuffix(transport, "sse") {
				continue // it is of the legacy era
			}
			for _, host := range []string{"2024-11-05", upstreamtest.Legacy, upstreamtest.Modern} {
				t.Run(fmt.Sprintf("%s upstream over %s, %s host", upstream, transport, host), func(t *testing.T) {
					t.Parallel()
					p := testPlaces(t)
					file := filepath.Join(p.home, "script.json")
					if err := script.Save(file); err != nil {
						t.Fatal(err)
					}
					direct := openSession(t, upstream, p.command(context.Background(), "fake", file))
					through := openSession(t, host, p.weir(t, configOf(t, script, transport, file)))
					compareSessions(t, direct, through)
				})
			}
		}
	}
}

// configOf configures the script as the one server "u", over this transport.
func configOf(t *testing.T, script upstreamtest.Script, transport, file string) string {
	t.Helper()
	if transport == "stdio" {
		return fmt.Sprintf("servers: {u: {command: fake, args: [%q]}}\npolicy: {default: execute}\n", file)
	}
	script.SSE = transport == "http stream"
	scripted := upstreamtest.New(script)
	var handler http.Handler = scripted
	more := ""
	switch transport {
	case "sse":
		handler, more = upstreamtest.HTTPWithSSE(scripted), ", transport: sse"
	case "http that is sse":
		handler = upstreamtest.HTTPWithSSE(scripted)
	case "websocket":
		sockets := upstreamtest.WebSocket(scripted)
		t.Cleanup(sockets.Close)
		handler = sockets
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	url := server.URL
	if transport == "websocket" {
		url = strings.Replace(url, "http", "ws", 1)
	}
	return fmt.Sprintf("servers: {u: {url: %q%s}}\npolicy: {default: execute}\n", url, more)
}

func compareSessions(t *testing.T, direct, through *session) {
	t.Helper()
	handshake(t, through)
	if diff := cmp.Diff(expose(t, "u__", direct.tools(t)), through.tools(t)); diff != "" {
		t.Errorf("tools (-direct +through weir):\n%s", diff)
	}
	for _, call := range []struct{ name, arguments string }{
		{"odd", `{"b":1,"a":{"z":9007199254740993,"e":1E400,"neg":-0},"<>&":"\u00e9\ud83d ö","d":1,"d":2}`},
		{"odd", `{}`},
		{"big", `{"text":"` + strings.Repeat(`x\n`, 500_000) + `"}`},
		{"fails", `{}`},
		{"is_error", `{}`},
		{"gone", `{}`},
		{"unknown_content", `{}`},
	} {
		want := outcome(t, direct.call(t, call.name, call.arguments))
		if direct.isModern() && !through.isModern() {
			want = strings.Replace(want, `,"structuredContent":null`, "", 1) // it is an object there
		}
		if got := outcome(t, through.call(t, "u__"+call.name, call.arguments)); got != want {
			t.Errorf("calling %q with %s:\ngot  %s\nwant %s", call.name, shorten([]byte(call.arguments)), shorten([]byte(got)), shorten([]byte(want)))
		}
	}
	// The error is weir's own; it says what the server would say, and more.
	unknown, want := through.call(t, "u__no_such", `{}`).Fields, direct.call(t, "no_such", `{}`).Fields
	for _, member := range []string{"code", "message"} {
		got := strings.Replace(string(jsonrpc.Find(unknown, member)), "u__no_such", "no_such", 1)
		if want := string(jsonrpc.Find(want, member)); got != want {
			t.Errorf("unknown tool, %s: got %s, want %s", member, got, want)
		}
	}
	compareProgress(t, direct, through)
	checkCancellation(t, through)
}

// handshake checks what only the host's own era decides.
func handshake(t *testing.T, s *session) {
	t.Helper()
	if !s.isModern() {
		return // openSession has done it
	}
	m := s.request(t, "server/discover", "")
	if m.Kind != jsonrpc.Response || !strings.Contains(string(jsonrpc.Find(m.Fields, "supportedVersions")), `"2026-07-28"`) {
		t.Errorf("server/discover: got %s", m.Raw)
	}
	for _, method := range []string{"server/discover", "tools/list"} {
		m := s.request(t, method, "")
		for _, member := range []string{"resultType", "ttlMs", "cacheScope", "_meta"} {
			if jsonrpc.Find(m.Fields, member) == nil {
				t.Errorf("%s: no %s in %s", method, member, shorten(m.Raw))
			}
		}
	}
	called := s.call(t, "u__odd", "{}")
	if string(jsonrpc.Find(called.Fields, "resultType")) != `"complete"` || jsonrpc.Find(called.Fields, "_meta") == nil {
		t.Errorf("tools/call: resultType or _meta is missing in %s", called.Raw)
	}
}

// compareProgress compares the notifications of a call, which must come in
// their order and before the answer, with the host's own token.
func compareProgress(t *testing.T, direct, through *session) {
	t.Helper()
	for _, token := range []string{`"t<1>"`, `7`, `9007199254740993`} {
		collect := func(s *session, name string) []string {
			id := s.begin(t, "tools/call", `"name":"`+name+`"`, `"progressToken":`+token)
			s.end(t, id)
			var all []string
			for range 2 {
				// Taken after the answer without waiting: they came before it.
				all = append(all, s.arrived("notifications/progress"))
			}
			return all
		}
		if diff := cmp.Diff(collect(direct, "progress"), collect(through, "u__progress")); diff != "" {
			t.Errorf("progress with token %s (-direct +through weir):\n%s", token, diff)
		}
	}
	// Without a token there is none.
	through.call(t, "u__progress", "{}")
	if got := through.arrived("notifications/progress"); got != "" {
		t.Errorf("progress without a token: %s", got)
	}
}

// arrived takes a notification of this method that is there already, "" if
// none is.
func (s *session) arrived(method string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, line := range s.inbox {
		if m, err := parse(line); err == nil && string(m.Method) == method {
			s.inbox = append(s.inbox[:i:i], s.inbox[i+1:]...)
			return string(line)
		}
	}
	return ""
}

// checkCancellation checks that the server learns of it, and the host gets no
// answer.
func checkCancellation(t *testing.T, through *session) {
	t.Helper()
	id := through.begin(t, "tools/call", `"name":"u__wait"`, "")
	through.call(t, "u__started", "{}")
	through.notify(t, "notifications/cancelled", `"requestId":`+id+`,"reason":"enough"`)
	through.call(t, "u__cancelled", "{}")
	for _, line := range through.rest() {
		if m, err := parse(line); err != nil || string(m.ID) == id {
			t.Errorf("after the cancellation came %s", line)
		}
	}
}
