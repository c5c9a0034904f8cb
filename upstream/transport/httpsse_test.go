package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sseServer is a server of HTTP+SSE inside a synctest bubble. The zero one names
// an endpoint and takes every message.
type sseServer struct {
	begin string                                      // what the stream begins with; "" = the endpoint event
	get   func(*http.Request) *http.Response          // in place of the stream; nil for the stream
	post  func(*http.Request) (*http.Response, error) // what a POST is answered with; nil = 202

	mu     sync.Mutex
	stream *io.PipeWriter
	gets   []*http.Request
	posts  []*http.Request
	bodies []string
}

const (
	sseURL        = "https://server/sse?key=k"
	endpointEvent = "event: endpoint\ndata: /messages?session=1\n\n"
)

func (s *sseServer) RoundTrip(req *http.Request) (*http.Response, error) {
	return bubbleServer(s.roundTrip).RoundTrip(req)
}

func (s *sseServer) roundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gets = append(s.gets, req)
		if s.get != nil {
			return s.get(req), nil
		}
		reader, writer := io.Pipe()
		s.stream = writer
		begin := s.begin
		if begin == "" {
			begin = endpointEvent
		}
		go func() { _, _ = io.WriteString(writer, begin) }()
		resp := respond(200, typeStream+"; charset=utf-8", "")
		resp.Body = reader
		return resp, nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.posts = append(s.posts, req)
	s.bodies = append(s.bodies, string(body))
	s.mu.Unlock()
	if s.post != nil {
		return s.post(req)
	}
	return respond(202, "", "Accepted"), nil
}

// emit sends an event with this data.
func (s *sseServer) emit(data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.stream, "event: message\ndata: "+data+"\n\n")
}

func (s *sseServer) posted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies
}

func (s *sseServer) dial(ctx context.Context, recv Receiver) (*SSE, error) {
	config := HTTPConfig{
		URL: sseURL, RoundTripper: s, Limit: httpLimit,
		Header: http.Header{"Authorization": {"Bearer x"}, "Mcp-Session-Id": {"not this"}, "Accept": {"nor this"}},
	}
	return DialSSE(ctx, config, recv)
}

// open connects; end closes the connection and waits until nothing is left.
func (s *sseServer) open(t *testing.T) (c *SSE, r inspector, end func()) {
	t.Helper()
	r = newInspector()
	c, err := s.dial(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return c, r, func() {
		c.Close()
		<-c.Done()
	}
}

func TestSSEEndpoint(t *testing.T) {
	event := func(data string) string { return "event: endpoint\ndata: " + data + "\n\n" }
	tests := []struct {
		name, begin string
		want        string // where messages go; "" if the connection is refused
		err         string // what that contains
	}{
		{"path", event("/messages?session=1"), "https://server/messages?session=1", ""},
		{"relative path", event("messages/1"), "https://server/messages/1", ""},
		{"query", event("?session=1"), "https://server/sse?session=1", ""},
		{"whole", event("https://SERVER:443/m"), "https://SERVER:443/m", ""},
		{"fragment", event("/m#x"), "https://server/m", ""},
		{"after comments and a retry", ": hello\n\nretry: 5\n\n" + event("/m"), "https://server/m", ""},

		{"other host", event("https://evil.example/m"), "", `another origin, "https://evil.example:443"`},
		{"other scheme", event("http://server/m"), "", `another origin, "http://server:80"`},
		{"other port", event("https://server:8443/m"), "", "another origin"},
		{"other host by //", event("//evil.example/m"), "", "another origin"},
		{"no URL", event("http://[::1/m"), "", "is not a URL"},
		{"a message first", "data: {}\n\n" + event("/m"), "", "does not name an endpoint"},
		{"too long", event("/" + strings.Repeat("m", httpLimit)), "", "does not name an endpoint"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &sseServer{begin: tt.begin}
				c, err := server.dial(t.Context(), newInspector())
				if tt.want == "" {
					if _, ok := errors.AsType[*DialError](err); !ok || !strings.Contains(err.Error(), tt.err) {
						t.Errorf("got %v, want a DialError with %q", err, tt.err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				post(t, c, legacy(0, "m"))
				synctest.Wait()
				if got := server.posts[0].URL.String(); got != tt.want {
					t.Errorf("posted to %q, want %q", got, tt.want)
				}
				c.Close()
				<-c.Done()
			})
		})
	}
}

// response is an answer to write down in a table.
type response struct {
	code       int
	header     http.Header
	kind, body string
}

func (a response) get(*http.Request) *http.Response {
	resp := respond(a.code, a.kind, a.body)
	maps.Copy(resp.Header, a.header)
	return resp
}

func (a response) post(req *http.Request) (*http.Response, error) { return a.get(req), nil }

func TestSSERefused(t *testing.T) {
	tests := []struct {
		name   string
		answer response
		status *StatusError // nil for a DialError
		text   string
	}{
		{
			"401",
			response{code: 401, header: http.Header{"Www-Authenticate": {"Bearer x"}}, body: "who?"},
			&StatusError{Code: 401, Challenge: []string{"Bearer x"}, Body: []byte("who?")}, "HTTP 401",
		},
		{
			"429",
			response{code: 429, header: http.Header{"Retry-After": {"7"}}},
			&StatusError{Code: 429, RetryAfter: 7 * time.Second, Body: []byte{}}, "HTTP 429",
		},
		{"404", response{code: 404}, &StatusError{Code: 404, Body: []byte{}}, "HTTP 404"},
		{
			"redirect to another origin",
			response{code: 302, header: http.Header{"Location": {"https://evil.example/sse"}}},
			&StatusError{Code: 302, Body: []byte{}}, `redirect to another origin, "https://evil.example:443", is not followed`,
		},
		{"HTML", response{code: 200, kind: "text/html", body: "<p>"}, nil, `want an event stream, got "text/html"`},
		{"stream ends at once", response{code: 200, kind: typeStream}, nil, "waiting for the endpoint: EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := (&sseServer{get: tt.answer.get}).dial(t.Context(), newInspector())
				if err == nil || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("got %v, want an error with %q", err, tt.text)
				}
				status, _ := errors.AsType[*StatusError](err)
				if diff := cmp.Diff(tt.status, status); diff != "" {
					t.Errorf("status (-want +got):\n%s", diff)
				}
				if _, dial := errors.AsType[*DialError](err); dial != (tt.status == nil) {
					t.Errorf("got %T", err)
				}
			})
		})
	}
}

// Redirects within the origin are followed, and the endpoint is relative to
// where they lead.
func TestSSERedirectWithinOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &sseServer{begin: "event: endpoint\ndata: m\n\n"}
		server.get = func(*http.Request) *http.Response {
			server.get = nil
			resp := respond(302, "", "")
			resp.Header.Set("Location", "/v2/sse")
			return resp
		}
		c, _, end := server.open(t)
		defer end()
		post(t, c, legacy(0, "m"))
		synctest.Wait()
		if got, want := server.posts[0].URL.String(), "https://server/v2/m"; got != want {
			t.Errorf("posted to %q, want %q", got, want)
		}
	})
}

// A server that does not name its endpoint is given up after a while, and at
// once when nobody waits any more.
func TestSSESilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := (&sseServer{begin: ": nothing yet\n"}).dial(t.Context(), newInspector())
		if _, ok := errors.AsType[*DialError](err); !ok || !errors.Is(err, errNoEndpoint) || time.Since(began) != endpointTime {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(stop) })
		_, err = (&sseServer{begin: ": nothing yet\n"}).dial(ctx, newInspector())
		if _, ok := errors.AsType[*DialError](err); !ok || !errors.Is(err, stop) {
			t.Errorf("cancelled: got %v", err)
		}
	})
}

func TestSSEHeaders(t *testing.T) {
	for version, want := range map[string]string{"2024-11-05": "", "2025-03-26": "", "2025-06-18": "2025-06-18", "2025-11-25": "2025-11-25"} {
		synctest.Test(t, func(t *testing.T) {
			server := &sseServer{}
			c, _, end := server.open(t)
			defer end()
			post(t, c, legacy(1, "initialize"))
			synctest.Wait()
			c.Established(version, false)
			post(t, c, legacy(0, initializedMethod))
			synctest.Wait()
			wants := []http.Header{
				{"Authorization": {"Bearer x"}, "Accept": {typeStream}},
				{"Authorization": {"Bearer x"}, "Content-Type": {typeJSON}},
				{"Authorization": {"Bearer x"}, "Content-Type": {typeJSON}},
			}
			if want != "" {
				wants[2].Set(versionHeader, want)
			}
			for i, req := range append(server.gets, server.posts...) {
				if diff := cmp.Diff(wants[i], req.Header); diff != "" {
					t.Errorf("%s, request %d (-want +got):\n%s", version, i, diff)
				}
			}
		})
	}
}

// What comes over the stream, whatever becomes of the POSTs.
func TestSSEStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		server := &sseServer{post: func(*http.Request) (*http.Response, error) {
			<-release
			return respond(200, typeJSON, `{"jsonrpc":"2.0","id":1,"result":"not this one"}`), nil
		}}
		c, r, end := server.open(t)
		defer end()
		post(t, c, legacy(1, "tools/call"))
		post(t, c, legacy(2, "tools/call"))
		synctest.Wait()
		notice := `{"jsonrpc":"2.0","method":"notifications/message"}`
		answer := `{"jsonrpc":"2.0","id":1,"result":{"n":9007199254740993}}`
		server.emit(notice)
		server.emit(answer)
		server.emit("no JSON")
		server.emit(`{"x":"` + strings.Repeat("x", httpLimit) + `","id":2}`)
		server.emit(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
		_, _ = io.WriteString(server.stream, "event: endpoint\ndata: https://evil.example/m\n\nevent: other\ndata: x\n\n")
		server.emit(`[` + notice + `,` + notice + `]`)
		synctest.Wait()
		var got []string
		for _, a := range r.rest() {
			if a.Err != nil {
				got = append(got, fmt.Sprintf("malformed %s %v", a.ID, a.Err))
				continue
			}
			got = append(got, a.Raw)
		}
		want := []string{
			notice, answer, "malformed  invalid JSON at byte 0: want a value",
			"malformed 2 message is longer than 4096 bytes", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, notice, notice,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
		close(release)
		synctest.Wait()
		if rest := r.rest(); rest != nil {
			t.Errorf("after the POSTs came %+v", rest)
		}
		if len(c.requests) != 0 {
			t.Errorf("%d requests are still known", len(c.requests))
		}
	})
}

// A POST that fails ends its own request, and no other.
func TestSSEPostFails(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name string
		post func(*http.Request) (*http.Response, error)
		want func(error) bool
		text string
	}{
		{"400", response{code: 400}.post, isStatus, "HTTP 400"},
		{"401", response{code: 401, header: http.Header{"Www-Authenticate": {"Bearer x"}}, body: "because"}.post, isStatus, "HTTP 401"},
		{"403", response{code: 403}.post, isStatus, "HTTP 403"},
		{"413", response{code: 413}.post, isStatus, "HTTP 413"},
		{"429", response{code: 429, header: http.Header{"Retry-After": {"3"}}}.post, isStatus, "HTTP 429"},
		{"500", response{code: 500}.post, isStatus, "HTTP 500"},
		{"redirect", response{code: 307, header: http.Header{"Location": {"https://evil.example/m"}}}.post, isStatus, "redirect to another origin"},
		{"not sent", func(*http.Request) (*http.Response, error) { return nil, broken }, isUnsent, "broken"},
		{"sent", func(req *http.Request) (*http.Response, error) {
			wroteHeader(req)
			return nil, broken
		}, isBroken, "broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &sseServer{}
				c, r, end := server.open(t)
				defer end()
				post(t, c, legacy(1, "tools/call"))
				synctest.Wait()
				server.post = tt.post
				post(t, c, legacy(2, "tools/call"))
				post(t, c, legacy(0, "notifications/x"))
				synctest.Wait()
				rest := r.rest()
				if len(rest) != 1 || rest[0].Failed != 2 {
					t.Fatalf("got %+v, want request 2 failed", rest)
				}
				err := rest[0].Err
				if !tt.want(err) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("got %T %v, want another kind, or %q", err, err, tt.text)
				}
				if status, ok := errors.AsType[*StatusError](err); ok && tt.name == "401" && (len(status.Challenge) != 1 || string(status.Body) != "because") {
					t.Errorf("got %+v", status)
				}
				if err := c.Err(); err != nil {
					t.Errorf("the connection is lost: %v", err)
				}
				server.post = nil
				answer := `{"jsonrpc":"2.0","id":1,"result":{}}`
				server.emit(answer)
				if got := r.next(t); got.Raw != answer {
					t.Errorf("got %+v, want the other answer", got)
				}
			})
		})
	}
}

// wroteHeader tells the client what net/http does when bytes leave.
func wroteHeader(req *http.Request) {
	httptrace.ContextClientTrace(req.Context()).WroteHeaderField("Host", nil)
}

func isStatus(err error) bool {
	_, ok := errors.AsType[*StatusError](err)
	return ok
}

func isUnsent(err error) bool {
	_, ok := errors.AsType[*DialError](err)
	return ok
}

// A server that does not know the session any more has not executed the request
// that it refuses, but has executed one before.
func TestSSESessionLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &sseServer{}
		c, r, end := server.open(t)
		defer end()
		server.post = response{code: 404}.post
		post(t, c, legacy(1, "initialize"))
		if got := r.next(t); !isStatus(got.Err) || c.Err() != nil {
			t.Errorf("the first message: got %+v, %v, want a StatusError and no loss", got, c.Err())
		}
		server.post = nil
		post(t, c, legacy(2, "ping"))
		synctest.Wait()
		server.post = response{code: 404}.post
		post(t, c, legacy(3, "ping"))
		if got := r.next(t); got.Failed != 3 || !errors.Is(got.Err, ErrSessionLost) {
			t.Errorf("got %+v, want request 3 failed by %v", got, ErrSessionLost)
		}
		<-c.Lost()
		if !errors.Is(c.Err(), ErrSessionLost) {
			t.Errorf("got %v, want %v", c.Err(), ErrSessionLost)
		}
		server.stream.Close()
		if got := r.next(t); got.Failed != 2 || !isBroken(got.Err) {
			t.Errorf("at the end of the stream: got %+v, want request 2 broken", got)
		}
	})
}

// The end of the stream is the end of the session, however it comes.
func TestSSEStreamEnds(t *testing.T) {
	broken := errors.New("broken")
	for name, cause := range map[string]error{"in order": nil, "broken": broken} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &sseServer{}
				c, r, end := server.open(t)
				defer end()
				post(t, c, legacy(1, "taken"))
				synctest.Wait()
				server.post = func(req *http.Request) (*http.Response, error) {
					<-req.Context().Done()
					return nil, req.Context().Err()
				}
				post(t, c, legacy(2, "under way"))
				synctest.Wait()
				_, _ = io.WriteString(server.stream, "data: {\"cut off")
				server.stream.CloseWithError(cause)
				<-c.Lost()
				want := cause
				if cause == nil {
					want = ErrPeerClosed
				}
				if err := c.Err(); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
				synctest.Wait()
				failed := map[uint64]bool{}
				for _, a := range r.rest() {
					failed[a.Failed] = isBroken(a.Err)
				}
				// The second request did not leave, as far as the fake knows.
				if diff := cmp.Diff(map[uint64]bool{1: true, 2: false}, failed); diff != "" {
					t.Errorf("failed, and by a BrokenError (-want +got):\n%s", diff)
				}
				if err := c.Send(nil, legacy(3, "ping")); !errors.Is(err, want) {
					t.Errorf("sending: got %v, want %v", err, want)
				}
			})
		})
	}
}

func TestSSEInitializedComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		server := &sseServer{}
		c, _, end := server.open(t)
		defer end()
		server.post = func(*http.Request) (*http.Response, error) {
			<-release
			return respond(202, "", ""), nil
		}
		post(t, c, legacy(0, initializedMethod))
		post(t, c, legacy(2, "tools/list"))
		post(t, c, &Outgoing{Pieces: [][]byte{[]byte(`{"jsonrpc":"2.0","id":9,"result":{}}`)}})
		synctest.Wait()
		if got := server.posted(); len(got) != 2 || strings.Contains(strings.Join(got, ""), "tools/list") {
			t.Errorf("got %q, want no request yet", got)
		}
		close(release)
		synctest.Wait()
		if got := server.posted(); len(got) != 3 {
			t.Errorf("got %q, want the request too", got)
		}
	})
}

func TestSSECongested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &sseServer{}
		c, r, end := server.open(t)
		defer end()
		server.post = func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		const most = (httpLimit + backlog) / messageOverhead
		sent, err := 0, error(nil)
		for id := uint64(1); err == nil && id <= most; id++ {
			if err = c.Send(nil, legacy(id, "tools/call")); err == nil {
				sent++
			}
		}
		synctest.Wait()
		if !errors.Is(err, ErrCongested) || c.Err() != nil {
			t.Errorf("got %v after %d messages, want %v and a connection that is good", err, sent, ErrCongested)
		}
		if got := len(server.posted()); got != maxPosts {
			t.Errorf("%d messages are being posted, want %d", got, maxPosts)
		}
		for id := range uint64(sent) {
			if !c.Abandon(id + 1) {
				t.Fatalf("Abandon(%d): got false", id+1)
			}
		}
		<-time.After(2 * abandonGrace) // posts that nobody waits for end
		synctest.Wait()
		server.post = nil
		post(t, c, legacy(1<<20, "ping"))
		synctest.Wait()
		if got := r.rest(); got != nil || c.waiting != 0 {
			t.Errorf("got %+v, %d bytes waiting", got[:1], c.waiting)
		}
	})
}

func TestSSEAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &sseServer{}
		c, r, end := server.open(t)
		defer end()
		post(t, c, legacy(1, "initialize"))
		post(t, c, legacy(2, "tools/call"))
		synctest.Wait()
		for id, want := range map[uint64]bool{1: false, 2: true, 3: false} {
			if got := c.Abandon(id); got != want {
				t.Errorf("Abandon(%d): got %v, want %v", id, got, want)
			}
		}
		if c.Abandon(2) {
			t.Error("abandoned twice, told twice")
		}
		late := `{"jsonrpc":"2.0","id":2,"result":{}}`
		server.emit(late)
		if got := r.next(t); got.Raw != late {
			t.Errorf("got %+v, want the late answer", got)
		}
	})
}

func TestEndpointSharesCredentials(t *testing.T) {
	stream, err := url.Parse("https://user:secret@server/sse")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"/m":                      "https://user:secret@server/m",
		"https://server/m":        "https://user:secret@server/m",
		"https://other:x@server/": "https://user:secret@server/",
	} {
		if got, err := endpointURL(stream, text); got != want || err != nil {
			t.Errorf("endpointURL(%q): got %q, %v, want %q", text, got, err, want)
		}
	}
}

var _ Conn = (*SSE)(nil)
