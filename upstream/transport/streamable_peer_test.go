package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

const (
	echoSchema = `{"type":"object","properties":{"text":{"type":"string","x-mcp-header":"Text"}}}`
	echoed     = "größe <&>"
)

// peer is an independent server with one tool, echo, that can change its list
// of tools.
type peer struct {
	handler http.Handler // of Streamable HTTP
	sse     http.Handler // of HTTP+SSE
	change  func()
}

func mcpGoPeer() peer {
	s := server.NewMCPServer("peer", "1", server.WithToolCapabilities(true))
	add := func(name string) {
		s.AddTool(mcp.Tool{Name: name, RawInputSchema: json.RawMessage(echoSchema)},
			func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return mcp.NewToolResultText(req.GetString("text", "")), nil
			})
	}
	add("echo")
	return peer{server.NewStreamableHTTPServer(s), server.NewSSEServer(s), func() { add("more") }}
}

func sdkPeer(options sdk.StreamableHTTPOptions) peer {
	s := sdk.NewServer(&sdk.Implementation{Name: "peer", Version: "1"}, nil)
	add := func(name string) {
		s.AddTool(&sdk.Tool{Name: name, InputSchema: json.RawMessage(echoSchema)},
			func(_ context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
				var arguments struct{ Text string }
				err := json.Unmarshal(req.Params.Arguments, &arguments)
				return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: arguments.Text}}}, err
			})
	}
	add("echo")
	get := func(*http.Request) *sdk.Server { return s }
	return peer{sdk.NewStreamableHTTPHandler(get, &options), sdk.NewSSEHandler(get, nil), func() { add("more") }}
}

// The official SDK's server is modern only without sessions, and a server
// without sessions has no standalone stream.
func TestStreamablePeers(t *testing.T) {
	stateful := sdk.StreamableHTTPOptions{}
	resumable := sdk.StreamableHTTPOptions{EventStore: sdk.NewMemoryEventStore(nil)}
	inJSON := sdk.StreamableHTTPOptions{JSONResponse: true}
	stateless := sdk.StreamableHTTPOptions{Stateless: true}
	tests := []struct {
		name  string
		peer  peer
		drive func(*testing.T, peer)
	}{
		{"mcp-go, legacy", mcpGoPeer(), driveSession},
		{"mcp-go, modern", mcpGoPeer(), driveModern},
		{"go-sdk", sdkPeer(stateful), driveSession},
		{"go-sdk with an event store", sdkPeer(resumable), driveSession},
		{"go-sdk with JSON", sdkPeer(inJSON), driveSession},
		{"go-sdk without sessions, legacy", sdkPeer(stateless), driveLegacy},
		{"go-sdk without sessions, modern", sdkPeer(stateless), driveModern},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.drive(t, tt.peer) })
	}
}

func dialPeer(t *testing.T, p peer) (*Streamable, inspector) {
	t.Helper()
	server := httptest.NewServer(p.handler)
	t.Cleanup(server.Close)
	return connectTo(t, HTTPConfig{URL: server.URL, Limit: 1 << 20})
}

func request(id uint64, method, params string) *Outgoing {
	return &Outgoing{ID: id, Method: method, Pieces: [][]byte{
		fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, params),
	}}
}

// result waits for the answer to a request, on the stream of origin, and returns
// its result.
func result(t *testing.T, r inspector, id, origin uint64) string {
	t.Helper()
	for {
		got := r.next(t)
		if got.Err != nil {
			t.Fatalf("request %d: %+v", id, got)
		}
		var m jsonrpc.Message
		if err := m.Parse([]byte(got.Raw)); err != nil {
			t.Fatalf("parsing %s: %v", got.Raw, err)
		}
		if string(m.ID) != string(appendID(id)) {
			continue
		}
		if m.Kind != jsonrpc.Response || got.Origin != origin {
			t.Fatalf("request %d: got %+v, want a result on the stream of %d", id, got, origin)
		}
		return string(m.Result)
	}
}

func driveLegacy(t *testing.T, p peer) {
	s, r := dialPeer(t, p)
	callLegacy(t, s, r)
}

// driveSession waits for a notification on the standalone stream as well. What
// happens before that stream is open may be lost, so it happens again; after a
// while, for a server may gather changes that follow one another.
func driveSession(t *testing.T, p peer) {
	s, r := dialPeer(t, p)
	callLegacy(t, s, r)
	awaitChange(t, p, r)
}

func awaitChange(t *testing.T, p peer, r inspector) {
	t.Helper()
	for range 100 {
		p.change()
		if notified(t, r, 100*time.Millisecond) {
			return
		}
	}
	t.Fatal("no notification came")
}

func notified(t *testing.T, r inspector, patience time.Duration) bool {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case got := <-r.got:
			if got.Err != nil {
				t.Fatalf("waiting for the notification: %+v", got)
			}
			if strings.Contains(got.Raw, "notifications/tools/list_changed") {
				return true
			}
		case <-late:
			return false
		}
	}
}

func callLegacy(t *testing.T, s Conn, r inspector) {
	t.Helper()
	ownStream := func(id uint64) uint64 {
		if _, sse := s.(*SSE); sse {
			return 0
		}
		return id
	}
	post(t, s, request(1, "initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}`))
	if got := result(t, r, 1, ownStream(1)); !strings.Contains(got, `"2025-11-25"`) {
		t.Errorf("initialize: got %s", got)
	}
	s.Established("2025-11-25", false)
	post(t, s, legacy(0, initializedMethod))
	post(t, s, request(2, "tools/list", `{}`))
	if got := result(t, r, 2, ownStream(2)); !strings.Contains(got, `"echo"`) {
		t.Errorf("tools/list: got %s", got)
	}
	post(t, s, request(3, "tools/call", `{"name":"echo","arguments":{"text":"`+echoed+`"}}`))
	if got := result(t, r, 3, ownStream(3)); !strings.Contains(got, "größe") {
		t.Errorf("tools/call: got %s", got)
	}
}

func driveModern(t *testing.T, p peer) {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},` +
		`"io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"}}`
	s, r := dialPeer(t, p)
	ask := func(id uint64, method, params string) *Outgoing {
		out := request(id, method, `{`+params+meta+`}`)
		out.Version = "2026-07-28"
		return out
	}
	post(t, s, ask(1, "server/discover", ""))
	if got := result(t, r, 1, 1); !strings.Contains(got, `"2026-07-28"`) {
		t.Fatalf("server/discover: got %s", got)
	}
	s.Established("2026-07-28", true)
	params, err := ParseParamHeaders([]byte(echoSchema))
	if err != nil {
		t.Fatal(err)
	}
	call := ask(2, "tools/call", `"name":"echo","arguments":{"text":"`+echoed+`"},`)
	call.Name, call.Params = "echo", params.Header([]byte(`{"text":"`+echoed+`"}`))
	post(t, s, call)
	if got := result(t, r, 2, 2); !strings.Contains(got, "größe") {
		t.Errorf("tools/call: got %s", got)
	}

	wrong := ask(3, "tools/call", `"name":"echo","arguments":{"text":"a"},`)
	wrong.Name = "other"
	post(t, s, wrong)
	if got := r.next(t); !strings.Contains(got.Raw, "-32020") || got.Origin != 3 {
		t.Errorf("a call with a wrong Mcp-Name: got %+v, want error -32020 as its answer", got)
	}

	post(t, s, ask(4, "subscriptions/listen", `"notifications":{"toolsListChanged":true},`))
	if got := r.next(t); !strings.Contains(got.Raw, "subscriptions/acknowledged") || got.Origin != 4 {
		t.Errorf("listening: got %+v, want the acknowledgement", got)
	}
	p.change()
	if got := r.next(t); !strings.Contains(got.Raw, "notifications/tools/list_changed") || got.Origin != 4 {
		t.Errorf("listening: got %+v, want the notification on the stream of the request", got)
	}
	if s.Abandon(4) {
		t.Error("got true, want false: the stream is closed")
	}
}

// TestSSEPeers: the same servers over HTTP+SSE.
func TestSSEPeers(t *testing.T) {
	for name, p := range map[string]peer{"mcp-go": mcpGoPeer(), "go-sdk": sdkPeer(sdk.StreamableHTTPOptions{})} {
		t.Run(name, func(t *testing.T) {
			sockets := make(chan http.ConnState, 64)
			server := httptest.NewUnstartedServer(p.sse)
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) { sockets <- state }
			server.Start()
			defer server.Close()
			r := newInspector()
			s, err := DialSSE(t.Context(), HTTPConfig{URL: server.URL + "/sse", Limit: 1 << 20}, r)
			if err != nil {
				t.Fatal(err)
			}
			callLegacy(t, s, r)
			awaitChange(t, p, r)
			finish(t, s)
			for open := 0; open > 0 || len(sockets) > 0; {
				if state := <-sockets; state == http.StateNew {
					open++
				} else if state == http.StateClosed {
					open--
				}
			}
		})
	}
}
