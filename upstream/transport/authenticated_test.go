package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// tokenBearer authenticates as one who has no token at first, and gets one when
// the server refuses the request.
type tokenBearer struct {
	http.RoundTripper
	token  string
	err    error // there is none to be had
	closed *atomic.Int32
}

func (b tokenBearer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req.Clone(req.Context()))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	discard(resp)
	if b.err != nil {
		return nil, b.err
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	again.Header.Set("Authorization", "Bearer "+b.token)
	return b.RoundTripper.RoundTrip(again)
}

func (b tokenBearer) CloseIdleConnections() {
	if b.closed != nil {
		b.closed.Add(1)
	}
	(&http.Client{Transport: b.RoundTripper}).CloseIdleConnections()
}

// guarded lets requests with the token through.
func guarded(next http.HandlerFunc, seen func(*http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen(r, string(body))
		if r.Header.Get("Authorization") != "Bearer good" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		next(w, r)
	}
}

// A request that is refused for want of a token goes out whole once more with
// one, however large it is, on every method.
func TestStreamableAuthenticated(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	serve := guarded(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case r.Method == http.MethodDelete:
		case r.Header.Get("Mcp-Session-Id") == "":
			w.Header().Set("Mcp-Session-Id", "s")
			writeJSON(w, 200, `{"jsonrpc":"2.0","id":1,"result":{}}`)
		default:
			writeJSON(w, 200, answer7)
		}
	}, func(r *http.Request, body string) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf("%s %d %t", r.Method, len(body), r.Header.Get("Authorization") != ""))
	})
	var closed atomic.Int32
	rt := tokenBearer{RoundTripper: NewRoundTripper(), token: "good", closed: &closed}
	r := newInspector()
	s := NewStreamable(HTTPConfig{URL: newServer(t, serve), RoundTripper: rt, Limit: httpLimit}, r)
	post(t, s, legacy(1, "initialize"))
	r.next(t)
	large := strings.Repeat("x", 1<<20)
	post(t, s, &Outgoing{Method: "tools/call", ID: 7, Pieces: [][]byte{[]byte(`{"id":7,"x":"`), []byte(large), []byte(`"}`)}})
	if got := r.next(t); got.Raw != answer7 {
		t.Errorf("got %+v", got)
	}
	if closed.Load() != 0 {
		t.Error("idle connections were closed before the end")
	}
	finish(t, s)
	want := []string{"POST 46 false", "POST 46 true", "POST 1048591 false", "POST 1048591 true", "DELETE 0 false", "DELETE 0 true"}
	if got := strings.Join(seen, ", "); got != strings.Join(want, ", ") {
		t.Errorf("got %s\nwant %s", got, strings.Join(want, ", "))
	}
	if closed.Load() != 1 {
		t.Errorf("idle connections were closed %d times, want once", closed.Load())
	}
}

// A request that nobody has credentials for was not executed, though its bytes
// left; one whose second try broke may have been, or not, as that tells.
func TestRefusedIsNotExecuted(t *testing.T) {
	refusal := &RefusedError{Err: errors.New("a login is needed")}
	unauthorized := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusUnauthorized)
	}
	t.Run("no token", func(t *testing.T) {
		rt := tokenBearer{RoundTripper: NewRoundTripper(), err: refusal}
		s, r := connectTo(t, HTTPConfig{URL: newServer(t, unauthorized), RoundTripper: rt, Limit: httpLimit})
		post(t, s, legacy(7, "tools/call"))
		if got := r.next(t); got.Failed != 7 || got.Err != error(refusal) { //nolint:errorlint // the very error
			t.Errorf("got %+v, want the refusal itself", got)
		}
	})
	t.Run("no token, HTTP+SSE", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := &sseServer{post: func(req *http.Request) (*http.Response, error) {
				wroteHeader(req)
				return nil, fmt.Errorf("wrapped: %w", refusal)
			}}
			c, r, end := server.open(t)
			post(t, c, legacy(7, "tools/call"))
			if got := r.next(t); got.Failed != 7 || got.Err != error(refusal) { //nolint:errorlint // the very error
				t.Errorf("got %+v, want the refusal itself", got)
			}
			end()
		})
	})
	t.Run("dialling HTTP+SSE", func(t *testing.T) {
		rt := tokenBearer{RoundTripper: NewRoundTripper(), err: refusal}
		_, err := DialSSE(t.Context(), HTTPConfig{URL: newServer(t, unauthorized), RoundTripper: rt, Limit: httpLimit}, newInspector())
		if err != error(refusal) { //nolint:errorlint // the very error
			t.Errorf("got %v, want the refusal itself", err)
		}
	})
	for name, hangUp := range map[string]bool{"no connection for the second try": false, "second try broken off": true} {
		t.Run(name, func(t *testing.T) {
			var server *httptest.Server
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					panic(http.ErrAbortHandler)
				}
				w.Header().Set("Connection", "close")
				unauthorized(w, r)
				if !hangUp {
					server.Listener.Close()
				}
			}))
			server.Config.ErrorLog = discardLog()
			defer server.Close()
			rt := tokenBearer{RoundTripper: NewRoundTripper(), token: "good"}
			s, r := connectTo(t, HTTPConfig{URL: server.URL, RoundTripper: rt, Limit: httpLimit})
			post(t, s, legacy(7, "tools/call"))
			if err := r.next(t).Err; isBroken(err) != hangUp || isUnsent(err) == hangUp {
				t.Errorf("got %T %v", err, err)
			}
		})
	}
}

// A stream that the server tells by is not asked for again and again with
// credentials that it refuses.
func TestListeningRefused(t *testing.T) {
	answers := map[string]struct {
		answer func() (*http.Response, error)
		asked  int32 // in an hour, at most
		least  int32
	}{
		"401":     {func() (*http.Response, error) { return respond(401, "", ""), nil }, 1, 1},
		"403":     {func() (*http.Response, error) { return respond(403, "", ""), nil }, 1, 1},
		"refused": {func() (*http.Response, error) { return nil, &RefusedError{Err: errors.New("a login is needed")} }, 1, 1},
		"refused for now": {func() (*http.Response, error) {
			return nil, &RefusedError{Err: errors.New("no token now"), Temporary: true}
		}, 60, 10},
	}
	for name, tt := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				s := NewStreamable(HTTPConfig{URL: "http://server", Limit: httpLimit, RoundTripper: bubbleServer(func(req *http.Request) (*http.Response, error) {
					if req.Method == http.MethodGet {
						asked.Add(1)
						return tt.answer()
					}
					return respond(202, "", ""), nil
				})}, newInspector())
				s.Established("2025-11-25", false)
				post(t, s, legacy(0, initializedMethod))
				<-time.After(time.Hour)
				if n := asked.Load(); n > tt.asked || n < tt.least {
					t.Errorf("got %d requests in an hour, want %d to %d", n, tt.least, tt.asked)
				}
				s.Close()
				<-s.Done()
			})
		})
	}
}

// Nor is the rest of an answer: what became of the call is not known.
func TestResumeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gets := 0
		r := newInspector()
		s := NewStreamable(HTTPConfig{URL: "http://server", Limit: httpLimit, RoundTripper: bubbleServer(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				gets++
				return nil, &RefusedError{Err: errors.New("a login is needed")}
			}
			return respond(200, typeStream, "id: 1\n\n"), nil
		})}, r)
		post(t, s, legacy(7, "tools/call"))
		if err := r.next(t).Err; !isBroken(err) || !isRefused(err) || gets != 1 {
			t.Errorf("got %v after %d requests, want a BrokenError that holds the refusal after 1", err, gets)
		}
		s.Close()
		<-s.Done()
	})
}

// The request to upgrade is authenticated like any other.
func TestWebSocketAuthenticated(t *testing.T) {
	var asked atomic.Int32
	serve := guarded(func(w http.ResponseWriter, r *http.Request) {
		conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		text(answer7)(conn)
		_, _ = readAll(conn)
	}, func(*http.Request, string) { asked.Add(1) })
	refusal := &RefusedError{Err: errors.New("a login is needed")}
	broken := errors.New("no such secret")
	by := func(b tokenBearer, scheme *string) func(context.Context, http.RoundTripper) (http.RoundTripper, error) {
		return func(_ context.Context, base http.RoundTripper) (http.RoundTripper, error) {
			return bubbleServer(func(req *http.Request) (*http.Response, error) {
				*scheme = req.URL.Scheme
				b.RoundTripper = base
				return b.RoundTrip(req)
			}), nil
		}
	}
	var scheme string
	tests := []struct {
		name         string
		authenticate func(context.Context, http.RoundTripper) (http.RoundTripper, error)
		asked        int32
		err          error // nil for a connection
		status       int   // of a StatusError in place of err
	}{
		{"token at the second try", by(tokenBearer{token: "good"}, &scheme), 2, nil, 0},
		{"token of no use", by(tokenBearer{token: "bad"}, &scheme), 2, nil, 401},
		{"no token", by(tokenBearer{err: refusal}, &scheme), 1, refusal, 0},
		{"no secret", func(context.Context, http.RoundTripper) (http.RoundTripper, error) { return nil, broken }, 0, broken, 0},
		{"none", nil, 1, nil, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked.Store(0)
			r := newInspector()
			c, err := DialWebSocket(t.Context(), WebSocketConfig{URL: webSocketServer(t, serve), Authenticate: tt.authenticate, Limit: httpLimit}, r)
			if n := asked.Load(); n != tt.asked {
				t.Errorf("got %d requests, want %d", n, tt.asked)
			}
			if status, _ := errors.AsType[*StatusError](err); tt.status != 0 && (status == nil || status.Code != tt.status) {
				t.Errorf("got %v, want status %d", err, tt.status)
			}
			if tt.status != 0 || tt.err != nil {
				if tt.err != nil && err != tt.err { //nolint:errorlint // the very error
					t.Errorf("got %v, want %v itself", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := r.next(t).Raw; got != answer7 || scheme != "http" {
				t.Errorf("got %s, by a request of scheme %q", got, scheme)
			}
			finish(t, c)
		})
	}
}
