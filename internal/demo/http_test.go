package demo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

func post(t *testing.T, url, body string, headers ...string) (status int, kind, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(answer)
}

func TestHTTP(t *testing.T) {
	server := httptest.NewServer(New("test", "1").Handler())
	defer server.Close()
	modernCall := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hi"},` + modernMeta + `}}`
	tests := []struct {
		name, body string
		headers    []string
		status     int
		want       string
	}{
		{"modern", modernCall, []string{"MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "echo"}, 200, `"text":"hi"`},
		{"modern, wrong name", modernCall, []string{"MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "add"}, 400, `-32020`},
		{"modern, no method", modernCall, []string{"MCP-Protocol-Version", "2026-07-28"}, 400, `-32020`},
		{"modern, other revision", modernCall, []string{"MCP-Protocol-Version", "2025-11-25", "Mcp-Method", "tools/call", "Mcp-Name", "echo"}, 400, `-32020`},
		{"legacy without a session", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, nil, 400, `"id":1`},
		{"legacy with a session that is gone", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, []string{"Mcp-Session-Id", "gone"}, 404, `"id":1`},
		{"no JSON", `{`, nil, 400, `-32700`},
		{"a page elsewhere", modernCall, []string{"Origin", "https://example.com"}, 403, ``},
		{"another name for this machine", modernCall, []string{"Host", "example.com"}, 403, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, _, text := post(t, server.URL, tt.body, tt.headers...)
			if status != tt.status || !strings.Contains(text, tt.want) {
				t.Errorf("got %d %s, want %d with %s", status, text, tt.status, tt.want)
			}
		})
	}
}

func TestHTTPProgressMakesAStream(t *testing.T) {
	server := httptest.NewServer(New("test", "1").Handler())
	defer server.Close()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{"seconds":0,"steps":2},` +
		strings.Replace(modernMeta, `{"io`, `{"progressToken":7,"io`, 1) + `}}`
	_, kind, text := post(t, server.URL, body, "MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "slow")
	if kind != "text/event-stream" {
		t.Errorf("content type: got %q, want an event stream", kind)
	}
	if got, want := strings.Count(text, `"progressToken":7`), 2; got != want {
		t.Errorf("got %d progress reports, want %d: %s", got, want, text)
	}
	if !strings.HasSuffix(strings.TrimSpace(text), `}`) || !strings.Contains(text, `"id":1,"result"`) {
		t.Errorf("the answer does not end the stream: %s", text)
	}
}

// An independent client uses the server in the era before 2026-07-28.
func TestHTTPWithClientOfMCPGo(t *testing.T) {
	server := httptest.NewServer(New("test", "1").Handler())
	defer server.Close()
	c, err := client.NewStreamableHttpClient(server.URL, transport.WithHTTPTimeout(0))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	hello := mcp.InitializeRequest{}
	hello.Params.ProtocolVersion = mcp.ProtocolVersion20251125
	if _, err := c.Initialize(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	tools, err := c.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(tools.Tools), len(demoTools()); got != want {
		t.Errorf("got %d tools, want %d", got, want)
	}
	call := mcp.CallToolRequest{}
	call.Params.Name = "add"
	call.Params.Arguments = map[string]any{"a": 2, "b": 3}
	result, err := c.CallTool(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := result.Content[0].(mcp.TextContent); !ok || text.Text != "5" {
		t.Errorf("got %v, want the text 5", result.Content[0])
	}
}
