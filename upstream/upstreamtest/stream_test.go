package upstreamtest_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// streamScript answers well, badly and not at all.
var streamScript = upstreamtest.Script{
	Versions: []string{upstreamtest.Legacy, upstreamtest.Modern},
	Rules: []upstreamtest.Rule{
		{On: "tools/call garbage", Do: []upstreamtest.Step{{Text: "no JSON\n{\"half"}, {Text: "\"\n"}, {Default: true}}},
		{On: "tools/call binary", Do: []upstreamtest.Step{{Bytes: []byte("\xff{}\n")}}},
		{On: "tools/call crash", Do: []upstreamtest.Step{{Text: "half a li"}, {Exit: true}}},
		{On: "tools/call refused", Nth: 1, Do: []upstreamtest.Step{{Status: 503}}},
		{On: "tools/call refused", Do: []upstreamtest.Step{{Reply: []byte("{}")}}},
	},
}

const (
	streamHandshake = `
> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}
< {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"scripted","version":"1.0.0"}}}
> {"jsonrpc":"2.0","method":"notifications/initialized"}`
	streamGarbage = `
> {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"garbage"}}
< no JSON
< {"half"
< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: garbage"}}`
	call = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"NAME"}}`
)

func TestWebSocket(t *testing.T) {
	handler := upstreamtest.WebSocket(upstreamtest.New(streamScript))
	defer handler.Close()
	server := httptest.NewServer(handler)
	defer server.Close()
	conn, _ := openWebSocket(t, server.URL)
	if got := conn.Subprotocol(); got != "mcp" {
		t.Errorf("subprotocol: got %q, want %q", got, "mcp")
	}
	speak(t, &frames{Conn: conn}, streamHandshake+`
> {"jsonrpc":"2.0","id":0,"method":"server/discover","params":{`+modernMeta+`}}
< {"jsonrpc":"2.0","id":0,"result":{"resultType":"complete","supportedVersions":["2025-11-25","2026-07-28"],"capabilities":{"tools":{"listChanged":true}},"ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"scripted","version":"1.0.0"}}}}`+
		streamGarbage)
	send := func(name string) {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(strings.Replace(call, "NAME", name, 1))); err != nil {
			t.Fatal(err)
		}
	}
	send("binary")
	if kind, got, err := conn.ReadMessage(); kind != websocket.BinaryMessage || string(got) != "\xff{}" || err != nil {
		t.Errorf("binary frame: got %v %q, %v", kind, got, err)
	}
	send("crash")
	if _, got, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseAbnormalClosure) {
		t.Errorf("crash: got %q, %v", got, err)
	}
}

// frames makes lines of frames.
type frames struct {
	*websocket.Conn
	rest []byte
}

func (f *frames) Write(line []byte) (int, error) {
	return len(line), f.WriteMessage(websocket.TextMessage, line)
}

func (f *frames) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		_, message, err := f.ReadMessage()
		if err != nil {
			return 0, err
		}
		f.rest = append(message, '\n')
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func TestWebSocketEnd(t *testing.T) {
	handler := upstreamtest.WebSocket(upstreamtest.New(upstreamtest.Script{}))
	server := httptest.NewServer(handler)
	defer server.Close()
	conn, _ := openWebSocket(t, server.URL)
	handler.Close()
	if _, got, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("end: got %q, %v", got, err)
	}
	if _, status := openWebSocket(t, server.URL); status != http.StatusServiceUnavailable {
		t.Errorf("after Close: got %d, want %d", status, http.StatusServiceUnavailable)
	}
}

// openWebSocket returns a connection, or nil if it was refused, and the status
// of the answer.
func openWebSocket(t *testing.T, address string) (conn *websocket.Conn, status int) {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"other", "mcp"}}
	conn, response, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(address, "http"), nil)
	if response == nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if conn != nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, response.StatusCode
}

func TestHTTPWithSSE(t *testing.T) {
	server := httptest.NewServer(upstreamtest.HTTPWithSSE(upstreamtest.New(streamScript)))
	defer server.Close()
	conn := openSSE(t, server.URL+"/sse")
	speak(t, conn, streamHandshake+streamGarbage)
	if got := conn.post(t, strings.Replace(call, "NAME", "refused", 1)); got != 503 {
		t.Errorf("refused: got %d, want 503", got)
	}
	speak(t, conn, `
> {"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"refused"}}
< {"jsonrpc":"2.0","id":7,"result":{}}`)
	if got := conn.post(t, strings.Replace(call, "NAME", "crash", 1)); got != 202 {
		t.Errorf("crash: got %d, want 202", got)
	}
	if rest, err := io.ReadAll(conn.events); err == nil || len(rest) > 0 {
		t.Errorf("crash: got %q, %v", rest, err)
	}
	if got := conn.post(t, "{}"); got != 404 {
		t.Errorf("after the end: got %d, want 404", got)
	}
}

func TestRefusedConnection(t *testing.T) {
	scripted := upstreamtest.New(upstreamtest.Script{Start: []upstreamtest.Step{{Status: 401}}})
	sockets := upstreamtest.WebSocket(scripted)
	defer sockets.Close()
	for name, handler := range map[string]http.Handler{"SSE": upstreamtest.HTTPWithSSE(scripted), "WebSocket": sockets} {
		server := httptest.NewServer(handler)
		defer server.Close()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", "text/event-stream")
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 401 {
			t.Errorf("%s: got %d, want 401", name, response.StatusCode)
		}
	}
}

// sseClient makes lines of events.
type sseClient struct {
	t        *testing.T
	events   *bufio.Reader
	endpoint string
}

func openSSE(t *testing.T, address string) *sseClient {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	c := &sseClient{t: t, events: bufio.NewReader(response.Body)}
	endpoint, err := url.Parse(c.next("endpoint"))
	if err != nil {
		t.Fatal(err)
	}
	c.endpoint = request.URL.ResolveReference(endpoint).String()
	return c
}

func (c *sseClient) next(name string) (data string) {
	for _, want := range []string{"event: " + name + "\n", "data: ", "\n"} {
		line, err := c.events.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, want) {
			c.t.Fatalf("got %q, %v, want a line with %q", line, err, want)
		}
		if want == "data: " {
			data = strings.TrimSpace(strings.TrimPrefix(line, want))
		}
	}
	return data
}

func (c *sseClient) Read(p []byte) (int, error) { return copy(p, c.next("message")+"\n"), nil }

func (c *sseClient) Write(line []byte) (int, error) {
	if got := c.post(c.t, string(line)); got != http.StatusAccepted {
		c.t.Fatalf("posting %s: got %d", line, got)
	}
	return len(line), nil
}

func (c *sseClient) post(t *testing.T, message string) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.endpoint, bytes.NewReader([]byte(message)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}
