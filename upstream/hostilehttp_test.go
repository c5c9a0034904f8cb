package upstream

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// What a server over HTTP may do with one answer costs that call alone, in time
// and in memory that are bounded.
func TestHostileAnswersOverHTTP(t *testing.T) {
	const limit = 256 << 10
	endless := func(w http.ResponseWriter, r *http.Request, chunk []byte) {
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}
	trickle := func(w http.ResponseWriter, r *http.Request, text string) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	typed := func(w http.ResponseWriter, kind string) { w.Header().Set("Content-Type", kind) }
	tests := []struct {
		name    string
		timeout time.Duration // 0 = long enough
		answer  http.HandlerFunc
		kind    Kind
		maybe   bool
	}{
		{"a body without end", 0, func(w http.ResponseWriter, r *http.Request) {
			typed(w, "application/json")
			endless(w, r, bytes.Repeat([]byte(" "), 8<<10))
		}, KindSerialization, true},
		{"a body that says it is huge", 0, func(w http.ResponseWriter, r *http.Request) {
			typed(w, "application/json")
			w.Header().Set("Content-Length", "999999999999")
			endless(w, r, bytes.Repeat([]byte(" "), 8<<10))
		}, KindSerialization, true},
		{"a body byte by byte", 100 * time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
			typed(w, "application/json")
			trickle(w, r, " ")
		}, KindTimeout, true},
		{"comments without end", 100 * time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
			typed(w, "text/event-stream")
			endless(w, r, []byte(": "+strings.Repeat("still here ", 1000)+"\n"))
		}, KindTimeout, true},
		{"events of no message", 100 * time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
			typed(w, "text/event-stream")
			endless(w, r, []byte("event: ping\ndata: {}\n\n"))
		}, KindTimeout, true},
		{"a line without end", 100 * time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
			typed(w, "text/event-stream")
			endless(w, r, bytes.Repeat([]byte("data"), 2<<10))
		}, KindTimeout, true},
		{"headers without end", 0, func(w http.ResponseWriter, _ *http.Request) {
			for n := range 300 {
				w.Header().Set(fmt.Sprint("X-Flood-", n), strings.Repeat("x", 1<<10))
			}
			typed(w, "application/json")
			_, _ = io.WriteString(w, "{}")
		}, KindConnection, true},
		{"a compressed body that nobody asked for", 0, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "" {
				t.Errorf("weir asks for %q", r.Header.Get("Accept-Encoding"))
			}
			typed(w, "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(bytes.Repeat([]byte(" "), 8<<20)) // 8 KiB of them arrive
			_ = z.Close()
		}, KindConnection, true},
		{"a redirect to itself", 0, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, KindTransport, false},
		{"an error without end", 0, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			endless(w, r, bytes.Repeat([]byte("no "), 4<<10))
		}, KindTransport, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newServer(script{Tools: tools("echo", "bad")})
			u := openHTTP(t, Config{MessageLimit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if bytes.Contains(body, []byte(`"bad"`)) {
					tt.answer(w, r)
					return
				}
				server.ServeHTTP(w, r)
			}), legacyHost)
			u.mustCall(t, "echo")
			s := newSink()
			call := toolCall(s, "bad", "")
			call.Timeout = tt.timeout
			u.Do(nil, call)
			fault(t, (<-s.done).err, tt.kind, tt.maybe)
			u.mustCall(t, "echo")
			if got := methods(server, "initialize"); got != "initialize" {
				t.Errorf("got %s, want the connection to live", got)
			}
		})
	}
}

// An answer over the limit fails its own call over each transport, wherever its id
// stands, and the connection lives; TestAnswers has it over lines.
func TestTooLongOverEachTransport(t *testing.T) {
	for _, by := range []string{HTTP, SSE, WebSocket} {
		t.Run(by, func(t *testing.T) {
			server := newServer(script{Tools: tools("echo", "long", "last"), Rules: []rule{
				on("tools/call long", step{Reply: raw(`{"content":["$fill"]}`), Fill: 1 << 20}),
				on("tools/call last", step{Text: `{"jsonrpc":"2.0","result":{"content":["$fill"]},"id":"$id"}` + "\n", Fill: 1 << 20}),
			}})
			cfg := Config{Transport: by, MessageLimit: 64 << 10}
			open := openConfigBy
			if by == HTTP {
				open = func(t *testing.T, cfg Config, server *upstreamtest.Server, p Peer) fixture {
					return openHTTP(t, cfg, server, p)
				}
			}
			u := open(t, cfg, server, legacyHost)
			u.mustCall(t, "echo")
			for _, tool := range []string{"long", "last"} {
				if by == HTTP && tool == "last" {
					continue // there the id is that of the request
				}
				fault(t, u.call(t, tool, "").err, KindSerialization, true)
				u.mustCall(t, "echo")
			}
			if got := methods(server, "initialize"); got != "initialize" {
				t.Errorf("got %s, want the connection to live", got)
			}
		})
	}
}
