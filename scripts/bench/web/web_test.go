package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

const (
	echoCall   = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"n":1}}}`
	echoAnswer = `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[{"type":"text","text":"ok"}],"structuredContent":{"n":1}}}`
)

func TestStreamableHTTP(t *testing.T) {
	session := http.Header{versionHeader: {legacyRevision}, sessionHeader: {sessionID}}
	modernCall := http.Header{versionHeader: {modernRevision}, methodHeader: {"tools/call"}}
	tests := []struct {
		name, path string
		header     http.Header
		body       string
		status     int
		want       string
	}{
		{"legacy", legacyRevision, session, echoCall, 200, echoAnswer},
		{"no session", legacyRevision, http.Header{versionHeader: {legacyRevision}}, echoCall, 400, "no session of this revision\n"},
		{"notification", legacyRevision, session, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, 202, ""},
		{"modern", modernRevision, modernCall, echoCall, 200, echoAnswer},
		{"legacy to modern", modernRevision, session, echoCall, 400, "the headers are not those of the message\n"},
		{"modern to legacy", legacyRevision, modernCall, echoCall, 400, "no session of this revision\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/"+tt.path, strings.NewReader(tt.body))
			r.Header = tt.header
			w := httptest.NewRecorder()
			newHandler().ServeHTTP(w, r)
			if got := w.Body.String(); w.Code != tt.status || got != tt.want {
				t.Errorf("got %d %s, want %d %s", w.Code, got, tt.status, tt.want)
			}
		})
	}
}

func TestInitializeNamesTheSession(t *testing.T) {
	w := httptest.NewRecorder()
	body := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`
	newHandler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/"+legacyRevision, strings.NewReader(body)))
	if got := w.Header().Get(sessionHeader); w.Code != 200 || got != sessionID {
		t.Errorf("got %d, session %q, want 200, %q", w.Code, got, sessionID)
	}
}

func TestHTTPWithSSE(t *testing.T) {
	s := httptest.NewServer(newHandler())
	defer s.Close()
	response, err := s.Client().Get(s.URL + "/sse")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	events := bufio.NewReader(response.Body)
	wantLines(t, events, "event: endpoint", "data: /sse?stream=1", "")
	posted, err := s.Client().Post(s.URL+"/sse?stream=1", "application/json", strings.NewReader(echoCall))
	if err != nil {
		t.Fatal(err)
	}
	posted.Body.Close()
	if posted.StatusCode != http.StatusAccepted {
		t.Errorf("POST: got %s, want 202", posted.Status)
	}
	wantLines(t, events, "event: message", "data: "+echoAnswer, "")
	lost, err := s.Client().Post(s.URL+"/sse?stream=9", "application/json", strings.NewReader(echoCall))
	if err != nil {
		t.Fatal(err)
	}
	lost.Body.Close()
	if lost.StatusCode != http.StatusNotFound {
		t.Errorf("POST for no stream: got %s, want 404", lost.Status)
	}
}

func wantLines(t *testing.T, from *bufio.Reader, want ...string) {
	t.Helper()
	for _, line := range want {
		got, err := from.ReadString('\n')
		if err != nil && err != io.EOF || got != line+"\n" {
			t.Fatalf("got %q, %v, want %q", got, err, line)
		}
	}
}

func TestWebSocket(t *testing.T) {
	s := httptest.NewServer(newHandler())
	defer s.Close()
	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	defer conn.Close()
	for range 2 {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(echoCall)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.ReadMessage(); err != nil || string(got) != echoAnswer {
			t.Errorf("got %s, %v, want %s", got, err, echoAnswer)
		}
	}
}
