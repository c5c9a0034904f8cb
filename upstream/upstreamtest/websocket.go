package upstreamtest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// A WebSocketServer serves a server over WebSocket, in both eras: one message a
// text frame, subprotocol "mcp" for those who ask for it. What is not UTF-8 goes
// out in a binary frame.
//
// A connection that the server ends like a crash breaks off without a close
// frame. A script refuses the upgrade by a Status as first step of its Start.
type WebSocketServer struct {
	server LineServer
	ctx    context.Context // that of all connections
	cancel context.CancelFunc

	mu    sync.Mutex
	ended bool
	open  sync.WaitGroup
}

// WebSocket returns a handler for s. Close it: an HTTP server does not wait for
// connections that have become WebSockets.
func WebSocket(s LineServer) *WebSocketServer {
	w := &WebSocketServer{server: s}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Close ends all connections and returns when nothing is left of them.
func (s *WebSocketServer) Close() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.cancel()
	s.open.Wait()
}

func (s *WebSocketServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.begin() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer s.open.Done()
	if refusal(s.server, w, nil) {
		return
	}
	upgrader := websocket.Upgrader{Subprotocols: []string{"mcp"}}
	conn, err := upgrader.Upgrade(hijackable{w}, r, nil)
	if err != nil {
		return // the client has been told
	}
	defer conn.Close()
	out := &lineSplitter{send: func(line []byte) error { return sendFrame(conn, line) }}
	err = s.server.ServeLines(s.ctx, &frameReader{conn: conn}, out, io.Discard)
	if _, ended := errors.AsType[*EndedError](err); ended {
		return
	}
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second)) // it may be gone
}

// hijackable is a ResponseWriter that some other handler may have wrapped.
type hijackable struct{ http.ResponseWriter }

// Hijack implements http.Hijacker.
func (h hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(h.ResponseWriter).Hijack()
}

func (s *WebSocketServer) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.open.Add(1)
	}
	return !s.ended
}

func sendFrame(conn *websocket.Conn, line []byte) error {
	kind := websocket.TextMessage
	if !utf8.Valid(line) {
		kind = websocket.BinaryMessage
	}
	return conn.WriteMessage(kind, line)
}

// frameReader makes a line of each text frame.
type frameReader struct {
	conn *websocket.Conn
	rest []byte
}

func (f *frameReader) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		kind, message, err := f.conn.ReadMessage()
		if err != nil {
			return 0, err
		}
		if kind != websocket.TextMessage {
			return 0, errors.New("a binary frame")
		}
		f.rest = append(withoutLineEnds(message), '\n')
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}
