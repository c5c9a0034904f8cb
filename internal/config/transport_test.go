package config

import "testing"

// How a server is reached follows from its url, unless it is said.
func TestTransports(t *testing.T) {
	t.Setenv("WEIR_TEST_WS", "wss://x.example/mcp")
	for _, tt := range []struct{ text, transport, url, subprotocol string }{
		{`{command: x}`, "stdio", "", ""},
		{`{url: "https://x/"}`, "http", "https://x/", ""},
		{`{url: "https://x/", transport: http}`, "http", "https://x/", ""},
		{`{url: "http://x/sse", transport: sse}`, "sse", "http://x/sse", ""},
		{`{url: "https://x/sse", transport: sse, headers: {Authorization: x}, protocol: 2024-11-05}`, "sse", "https://x/sse", ""},
		{`{url: "wss://x/"}`, "websocket", "wss://x/", "mcp"},
		{`{url: "WSS://x/"}`, "websocket", "WSS://x/", "mcp"},
		{`{url: "wss://x/", transport: websocket, headers: {Authorization: x}}`, "websocket", "wss://x/", "mcp"},
		{`{url: "wss://x/", subprotocol: mcp.v1}`, "websocket", "wss://x/", "mcp.v1"},
		{`{url: "wss://x/", subprotocol: ""}`, "websocket", "wss://x/", ""},
		{`{url: "ws://localhost:1/", headers: {Authorization: x}}`, "websocket", "ws://localhost:1/", "mcp"},
		{`{url: "ws://[::1]:1/"}`, "websocket", "ws://[::1]:1/", "mcp"},
		{`{url: "${WEIR_TEST_WS}"}`, "websocket", "wss://x.example/mcp", "mcp"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			f, err := Load(Options{Path: write(t, "mcp.yaml", "servers: {s: "+tt.text+"}\n")})
			if err != nil {
				t.Fatal(err)
			}
			s := f.Servers[0]
			if s.Broken != nil {
				t.Fatal(s.Broken)
			}
			if s.Transport != tt.transport || s.URL != tt.url || s.Subprotocol != tt.subprotocol {
				t.Errorf("got %q, %q, %q, want %q, %q, %q", s.Transport, s.URL, s.Subprotocol, tt.transport, tt.url, tt.subprotocol)
			}
		})
	}
}
