package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// openBy is open for a server over one of the transports that are a stream.
func openBy(t *testing.T, by string, server *upstreamtest.Server, p Peer) fixture {
	t.Helper()
	return openConfigBy(t, Config{Transport: by}, server, p)
}

func openConfigBy(t *testing.T, cfg Config, server *upstreamtest.Server, p Peer) fixture {
	t.Helper()
	noLeak(t)
	handler := upstreamtest.HTTPWithSSE(server)
	if cfg.Transport == WebSocket {
		sockets := upstreamtest.WebSocket(server)
		t.Cleanup(sockets.Close)
		handler = sockets
	}
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	cfg.URL, cfg.Subprotocol = web.URL+"/mcp", "mcp"
	if cfg.Transport == WebSocket {
		cfg.URL = "ws" + strings.TrimPrefix(cfg.URL, "http")
	}
	return open(t, cfg, nil, p)
}

// The eras over the transports that are a stream: HTTP+SSE knows one of them, a
// WebSocket is like the pipes of a child.
func TestStreamTransports(t *testing.T) {
	tests := []struct {
		by       string
		host     Peer
		versions []string
		want     string // the revision spoken
		asked    string // in no order
	}{
		{SSE, legacyHost, []string{legacyVersion}, legacyVersion, "initialize"},
		{SSE, modernHost, []string{legacyVersion}, legacyVersion, "initialize"},
		{SSE, modernHost, []string{modernVersion, legacyVersion}, legacyVersion, "initialize"},
		{SSE, legacyHost, []string{"2024-11-05"}, "2024-11-05", "initialize"},
		{WebSocket, legacyHost, []string{legacyVersion}, legacyVersion, "initialize"},
		{WebSocket, modernHost, []string{legacyVersion}, legacyVersion, "initialize server/discover"},
		{WebSocket, modernHost, []string{modernVersion}, modernVersion, "server/discover"},
		{WebSocket, legacyHost, []string{modernVersion}, modernVersion, "initialize server/discover"},
		{WebSocket, modernHost, []string{modernVersion, legacyVersion}, modernVersion, "server/discover"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s, %s host, %v", test.by, test.host.Version, test.versions), func(t *testing.T) {
			server := newServer(script{
				Versions: test.versions, Tools: tools("echo", "held"),
				Rules: []rule{on("tools/call held", step{Await: "cancel"})},
			})
			u := openBy(t, test.by, server, test.host)
			facts, err := u.Connect(t.Context())
			if err != nil || facts.Version != test.want || facts.Transport != test.by {
				t.Fatalf("got %+v, %v, want revision %s over %s", facts, err, test.want, test.by)
			}
			if got := methods(server, "initialize", "server/discover"); got != test.asked {
				t.Errorf("got %s, want %s", got, test.asked)
			}
			u.mustCall(t, "echo")
			call := toolCall(newSink(), "held", "")
			u.Do(nil, call)
			if err := server.Await(t.Context(), "tools/call", 2); err != nil {
				t.Fatal(err)
			}
			u.Cancel(call, nil)
			if err := server.Await(t.Context(), "notifications/cancelled", 1); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What goes wrong on a stream, and that the next call goes on.
func TestStreamTransportFaults(t *testing.T) {
	tests := []struct {
		by    string
		do    []step
		kind  Kind
		maybe bool
	}{
		{SSE, []step{{Status: 400}}, KindTransport, false},
		{SSE, []step{{Status: 403}}, KindAuthorization, false},
		{SSE, []step{{Status: 429}}, KindRateLimited, false},
		{SSE, []step{{Status: 503}}, KindTransport, true},
		{SSE, []step{{Text: "half a li"}, {Exit: true}}, KindConnection, true},
		{SSE, []step{{Text: "no JSON\n"}, {Exit: true}}, KindConnection, true},
		{WebSocket, []step{{Text: "half a li"}, {Exit: true}}, KindConnection, true},
		{WebSocket, []step{{Bytes: []byte("{\"id\":2,\"x\":\"\xff\"}\n")}}, KindSerialization, true},
		{WebSocket, []step{{Text: "no JSON\n"}, {Exit: true}}, KindConnection, true},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.by, test.do), func(t *testing.T) {
			server := newServer(script{Tools: tools("echo", "bad"), Rules: []rule{on("tools/call bad", test.do...)}})
			u := openBy(t, test.by, server, legacyHost)
			fault(t, u.call(t, "bad", "").err, test.kind, test.maybe)
			// The end of the stream may come a moment after that of the call.
			for range 3 {
				d := u.call(t, "echo", "")
				if d.err == nil {
					return
				}
				fault(t, d.err, KindConnection, true)
			}
			t.Error("no call goes on")
		})
	}
}

// A call that meets a session which the server has forgotten was not executed,
// and is made once more in a new one.
func TestSSESessionLost(t *testing.T) {
	server := newServer(script{Tools: tools("echo", "lost"), Rules: []rule{nth(1, "tools/call lost", step{Status: http.StatusNotFound})}})
	u := openBy(t, SSE, server, legacyHost)
	u.mustCall(t, "echo")
	u.mustCall(t, "lost")
	if got := methods(server, "initialize"); got != "initialize initialize" {
		t.Errorf("got %s", got)
	}
}

// What the server had taken before it forgot the session may have run, whatever
// ends it afterwards: it is not made again.
func TestSSETakenBeforeSessionLost(t *testing.T) {
	server := newServer(script{Tools: tools("echo", "lost", "held"), Rules: []rule{
		nth(1, "tools/call lost", step{Status: http.StatusNotFound}),
		on("tools/call held", step{Await: "lost"}, step{Exit: true}),
	}})
	u := openBy(t, SSE, server, legacyHost)
	u.mustCall(t, "echo")
	held := newSink()
	u.Do(nil, toolCall(held, "held", ""))
	if err := server.Await(t.Context(), "tools/call", 2); err != nil {
		t.Fatal(err)
	}
	u.mustCall(t, "echo") // the POST before it is over by now, or nearly so
	u.mustCall(t, "lost")
	server.Release("lost")
	fault(t, held.wait(t).err, KindConnection, true)
	times := 0
	for _, r := range server.Received("tools/call") {
		if strings.Contains(string(r.Message), `"held"`) {
			times++
		}
	}
	if times != 1 {
		t.Errorf("the call was made %d times, want once", times)
	}
}

func TestStreamTransportRefused(t *testing.T) {
	for _, by := range []string{SSE, WebSocket} {
		for status, kind := range map[int]Kind{
			401: KindAuthentication, 403: KindAuthorization, 404: KindTransport, 429: KindRateLimited, 503: KindTransport,
		} {
			t.Run(fmt.Sprint(by, " ", status), func(t *testing.T) {
				u := openBy(t, by, newServer(script{Start: []step{{Status: status}}}), modernHost)
				fault(t, u.call(t, "echo", "").err, kind, false)
			})
		}
	}
}

// A URL that turns out to be that of HTTP+SSE is spoken to so, in the same try.
func TestFallbackToSSE(t *testing.T) {
	for _, status := range []int{400, 404, 405, 406, 415, 501} {
		for _, peer := range []Peer{legacyHost, modernHost} {
			t.Run(fmt.Sprint(peer.Version, " ", status), func(t *testing.T) {
				server := newServer(script{Tools: tools("echo")})
				sse := upstreamtest.HTTPWithSSE(server)
				u := openHTTP(t, Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost && r.URL.RawQuery == "" {
						http.Error(w, "nothing to post here", status)
						return
					}
					sse.ServeHTTP(w, r)
				}), peer)
				facts, err := u.Connect(t.Context())
				if err != nil || facts.Transport != SSE || facts.Modern {
					t.Fatalf("got %+v, %v", facts, err)
				}
				u.mustCall(t, "echo")
				if got := methods(server, "initialize", "server/discover"); got != "initialize" {
					t.Errorf("got %s", got)
				}
			})
		}
	}
}

// Where neither is offered, the error tells of both; credentials come first.
func TestNoFallbackToSSE(t *testing.T) {
	serve := func(post, get int, getBody string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			if r.Method == http.MethodPost {
				w.WriteHeader(post)
				return
			}
			w.WriteHeader(get)
			_, _ = w.Write([]byte(getBody))
		}
	}
	tests := []struct {
		name     string
		serve    http.HandlerFunc
		protocol string
		kind     Kind
		both     bool
		causes   []string
	}{
		{"nothing here", serve(404, 404, ""), "", KindTransport, true, []string{"HTTP 404", "over HTTP+SSE: server answered HTTP 404"}},
		{"a page", serve(405, 200, "<p>"), "", KindTransport, true, []string{"HTTP 405", `want an event stream, got "text/html"`}},
		{"wants credentials", serve(405, 401, ""), "", KindAuthentication, false, []string{"HTTP 401"}},
		{"refuses credentials", serve(404, 403, ""), "", KindAuthorization, false, []string{"HTTP 403"}},
		{"is down", serve(405, 503, ""), "", KindTransport, false, []string{"HTTP 503"}},
		{"modern only", serve(404, 200, ""), modernVersion, KindTransport, false, []string{"HTTP 404"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			u := openHTTP(t, Config{Protocol: test.protocol}, test.serve, legacyHost)
			err := u.call(t, "echo", "").err
			f := fault(t, err, test.kind, false)
			if both := strings.HasSuffix(f.Text, ", and does not offer HTTP+SSE either"); both != test.both {
				t.Errorf("got the text %q", f.Text)
			}
			for _, cause := range test.causes {
				if !strings.Contains(err.Error(), cause) {
					t.Errorf("got %v, want it to tell %q", err, cause)
				}
			}
			if _, ok := errors.AsType[*transport.StatusError](err); !ok {
				t.Errorf("got %v without a status", err)
			}
		})
	}
}
