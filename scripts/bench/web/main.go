// Web is peer's echo over networks, on a port of the loopback that is free. It
// prints the URL and serves until its input ends. Below the URL are
//
//	/2025-11-25 /2026-07-28   Streamable HTTP, of that revision only
//	/sse                      HTTP+SSE
//	/ws                       WebSocket
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/gorilla/websocket"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1)
	}
}

func run() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := http.Server{Handler: newHandler()}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = s.Close()
	}()
	fmt.Println("http://" + l.Addr().String())
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

const (
	legacyRevision = "2025-11-25"
	modernRevision = "2026-07-28"
)

func newHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /"+legacyRevision, legacy)
	mux.HandleFunc("POST /"+modernRevision, modern)
	var s streams
	mux.HandleFunc("GET /sse", s.open)
	mux.HandleFunc("POST /sse", s.post)
	mux.HandleFunc("GET /ws", frames)
	return mux
}

const (
	versionHeader = "Mcp-Protocol-Version"
	methodHeader  = "Mcp-Method"
	sessionHeader = "Mcp-Session-Id"
	sessionID     = "bench"
)

func legacy(w http.ResponseWriter, r *http.Request) {
	m, err := receive(r)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case string(m.Method) == "initialize":
		w.Header().Set(sessionHeader, sessionID)
		send(w, m)
	case r.Header.Get(versionHeader) != legacyRevision || r.Header.Get(sessionHeader) != sessionID:
		http.Error(w, "no session of this revision", http.StatusBadRequest)
	case m.Kind != jsonrpc.Request:
		w.WriteHeader(http.StatusAccepted)
	default:
		send(w, m)
	}
}

func modern(w http.ResponseWriter, r *http.Request) {
	m, err := receive(r)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case r.Header.Get(versionHeader) != modernRevision || r.Header.Get(methodHeader) != string(m.Method):
		http.Error(w, "the headers are not those of the message", http.StatusBadRequest)
	default:
		send(w, m)
	}
}

func receive(r *http.Request) (*jsonrpc.Message, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m := new(jsonrpc.Message)
	return m, m.Parse(body)
}

func send(w http.ResponseWriter, m *jsonrpc.Message) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer(m)) // a client that has gone wants none
}

// answer says all that either era wants of a result: readers of the other pass
// over it.
func answer(m *jsonrpc.Message) []byte {
	line := append(make([]byte, 0, 512), `{"jsonrpc":"2.0","id":`...)
	line = append(line, m.ID...)
	line = append(line, `,"result":{"resultType":"complete",`...)
	switch string(m.Method) {
	case "initialize":
		line = append(line, `"protocolVersion":`...)
		line = append(line, jsonrpc.Find(m.Fields, "protocolVersion")...)
		line = append(line, `,"capabilities":{"tools":{}},"serverInfo":{"name":"web","version":"1"}`...)
	case "server/discover":
		line = append(line, `"supportedVersions":["`+modernRevision+`"],"capabilities":{"tools":{}},"ttlMs":3600000,"cacheScope":"public"`...)
	case "tools/list":
		line = append(line, `"ttlMs":3600000,"cacheScope":"public",`...)
		line = append(line, `"tools":[{"name":"echo","description":"Returns what it is given.","inputSchema":{"type":"object"}}]`...)
	case "tools/call":
		line = append(line, `"content":[{"type":"text","text":"ok"}],"structuredContent":`...)
		line = append(line, jsonrpc.Find(m.Fields, "arguments")...)
	case "ping":
		line = append(line, `"_meta":{}`...)
	default:
		line = append(line[:0], `{"jsonrpc":"2.0","id":`...)
		line = append(line, m.ID...)
		return append(line, `,"error":{"code":-32601,"message":"Method not found"}}`...)
	}
	return append(line, `}}`...)
}

// frames answers each text frame by one.
func frames(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{Subprotocols: []string{"mcp"}}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the client has been told
	}
	defer conn.Close()
	var m jsonrpc.Message
	for {
		_, frame, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if m.Parse(frame) != nil || m.Kind != jsonrpc.Request {
			continue
		}
		if conn.WriteMessage(websocket.TextMessage, answer(&m)) != nil {
			return
		}
	}
}
