package upstream

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// noLeak checks when the test has ended that no goroutine is left of it.
func noLeak(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

// openHTTP is open for a server over HTTP.
func openHTTP(t *testing.T, cfg Config, handler http.Handler, p Peer) fixture {
	t.Helper()
	noLeak(t)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg.Transport, cfg.URL = HTTP, server.URL+"/mcp"
	return open(t, cfg, nil, p)
}

// Calls that meet a forgotten session are made once more in one new session,
// and those that the server took before are answered still.
func TestSessionLost(t *testing.T) {
	const many = 50
	server := newServer(script{Tools: tools("echo", "held"), Rules: []rule{on("tools/call held", step{Await: "go"}, step{Default: true})}})
	u := openHTTP(t, Config{}, server, legacyHost)
	u.mustCall(t, "echo")
	var held, late []*sink
	for range many {
		s := newSink()
		held = append(held, s)
		u.Do(nil, toolCall(s, "held", ""))
	}
	if err := server.Await(t.Context(), "tools/call", many+1); err != nil {
		t.Fatal(err)
	}
	server.Forget()
	for i := range many {
		s := newSink()
		late = append(late, s)
		u.Do(nil, toolCall(s, "echo", fmt.Sprintf(`"arguments":{"n":%d},"_meta":{"a.b/c":1}`, i)))
	}
	for i, s := range late {
		d := s.wait(t)
		if want := fmt.Sprintf(`{"arguments":{"n":%d}}`, i); d.err != nil || !strings.Contains(d.raw, want) {
			t.Errorf("got %s, %v, want %s", d.raw, d.err, want)
		}
	}
	for _, s := range held {
		s.none(t)
	}
	server.Release("go")
	for _, s := range held {
		if d := s.wait(t); d.err != nil {
			t.Errorf("a call under way: %v", d.err)
		}
	}
	if n := len(server.Received("initialize")); n != 2 {
		t.Errorf("got %d handshakes, want 2", n)
	}
	for _, r := range server.Received("tools/call") {
		if text := string(r.Message); strings.Contains(text, `"n":`) && !strings.Contains(text, `"_meta":{"a.b/c":1}`) {
			t.Errorf("got %s", text)
		}
	}
}

// A call that meets a forgotten session twice fails, and was not executed.
func TestSessionLostTwice(t *testing.T) {
	server := newServer(script{Tools: tools("echo", "lost"), Rules: []rule{on("tools/call lost", step{Status: http.StatusNotFound})}})
	u := openHTTP(t, Config{}, server, legacyHost)
	u.mustCall(t, "echo")
	fault(t, u.call(t, "lost", "").err, KindConnection, false)
	if got := methods(server, "initialize"); got != "initialize initialize" {
		t.Errorf("got %s", got)
	}
}

// However sessions are lost and calls given up, each call has one outcome, and
// one that is given up one at most.
func TestSessionsLostAndCallsCancelled(t *testing.T) {
	const many = 300
	server := newServer(script{Tools: tools("echo")})
	u := openHTTP(t, Config{}, server, legacyHost)
	sinks := make([]*sink, many)
	var callers sync.WaitGroup
	for i := range sinks {
		sinks[i] = newSink()
		callers.Go(func() {
			call := toolCall(sinks[i], "echo", "")
			u.Do(nil, call)
			switch {
			case i%60 == 0:
				server.Forget()
			case i%3 == 1:
				u.Cancel(call, nil)
			}
		})
	}
	callers.Wait()
	for i, s := range sinks {
		if i%3 != 1 {
			s.wait(t)
		}
	}
	u.set.Close()
	for i, s := range sinks {
		if n := len(s.done); n > 1 || n == 1 && i%3 != 1 {
			t.Errorf("call %d has %d outcomes too many", i, n)
		}
	}
}

// The Set ends though a lost session still has calls under way.
func TestCloseWhileDraining(t *testing.T) {
	server := newServer(script{Tools: tools("echo", "held"), Rules: []rule{on("tools/call held", step{Await: "go"}, step{Default: true})}})
	u := openHTTP(t, Config{}, server, legacyHost)
	held := newSink()
	u.Do(nil, toolCall(held, "held", ""))
	if err := server.Await(t.Context(), "tools/call", 1); err != nil {
		t.Fatal(err)
	}
	server.Forget()
	u.mustCall(t, "echo")
	u.set.Close()
	fault(t, held.wait(t).err, KindConnection, true)
}

func TestCallStatus(t *testing.T) {
	tests := []struct {
		status    int
		kind      Kind
		maybe     bool
		retryable bool
	}{
		{403, KindAuthorization, false, false},
		{400, KindTransport, false, false},
		{405, KindTransport, false, false},
		{413, KindTransport, false, false},
		{429, KindRateLimited, false, true},
		{500, KindTransport, true, true},
		{502, KindTransport, true, true},
		{503, KindTransport, true, true},
		{202, KindConnection, true, true},
	}
	for _, peer := range []Peer{legacyHost, modernHost} {
		for _, test := range tests {
			t.Run(fmt.Sprint(peer.Version, " ", test.status), func(t *testing.T) {
				server := newServer(script{
					Versions: []string{peer.Version}, Tools: tools("echo", "bad"),
					Rules: []rule{on("tools/call bad", step{Status: test.status})},
				})
				u := openHTTP(t, Config{}, server, peer)
				if f := fault(t, u.call(t, "bad", "").err, test.kind, test.maybe); f.Retryable != test.retryable {
					t.Errorf("got retryable %v", f.Retryable)
				}
				u.mustCall(t, "echo") // the connection is still good
				if n := len(server.Received("tools/call")); n != 2 {
					t.Errorf("the server got %d calls, want 2", n)
				}
			})
		}
	}
}

// A status at the handshake leads to the other era, or to a failure; never to
// a call that may have been executed.
func TestHandshakeStatus(t *testing.T) {
	tests := []struct {
		status int
		body   string
		kind   Kind
		asked  int64
	}{
		{401, ``, KindAuthentication, 1},
		{403, ``, KindAuthorization, 1},
		{429, ``, KindRateLimited, 1},
		{500, ``, KindTransport, 1},
		{503, ``, KindTransport, 1},
		{200, `<html>`, KindTransport, 1},
		{301, ``, KindTransport, 1},
		{400, ``, KindTransport, 3}, // the last is a GET, for HTTP+SSE
		{404, `not here`, KindTransport, 3},
		{405, ``, KindTransport, 3},
		{400, `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}`, KindProtocol, 2},
	}
	for _, peer := range []Peer{legacyHost, modernHost} {
		for _, test := range tests {
			t.Run(fmt.Sprint(peer.Version, " ", test.status, test.body), func(t *testing.T) {
				var asked atomic.Int64
				u := openHTTP(t, Config{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					asked.Add(1)
					w.Header().Set("Retry-After", "3600")
					w.Header().Set("Content-Type", "text/html")
					w.WriteHeader(test.status)
					_, _ = w.Write([]byte(test.body))
				}), peer)
				fault(t, u.call(t, "echo", "").err, test.kind, false)
				if n := asked.Load(); n != test.asked {
					t.Errorf("got %d requests, want %d", n, test.asked)
				}
				st := u.Status()
				if test.status == 401 || test.status == 403 {
					if st.State != Failed || st.Reason == nil {
						t.Errorf("got state %q, want failed", st.State)
					}
				} else if pause := time.Until(st.Retry); st.State != Backoff || test.kind != KindProtocol && pause < 59*time.Minute {
					t.Errorf("got state %q for %v, want backoff for an hour", st.State, pause)
				}
				fault(t, u.call(t, "echo", "").err, test.kind, false)
				if n := asked.Load(); n != test.asked {
					t.Errorf("got %d requests in the end, want %d", n, test.asked)
				}
			})
		}
	}
}

func TestUnreachable(t *testing.T) {
	noLeak(t)
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	u := open(t, Config{Transport: HTTP, URL: url + "/secret"}, nil, legacyHost)
	f := fault(t, u.call(t, "echo", "").err, KindConnection, false)
	if !f.Retryable || strings.Contains(f.Error(), "secret") {
		t.Errorf("got %v", f)
	}
}

// The eras over HTTP (2026-07-28, versioning: detecting the era).
func TestHandshakeHTTP(t *testing.T) {
	both := []string{modernVersion, legacyVersion}
	refuse := func(text string) rule { return on("server/discover", step{Error: raw(text)}) }
	tests := []struct {
		name     string
		host     Peer
		versions []string
		rules    []rule
		version  string
		asked    string
	}{
		{"legacy host, legacy server", legacyHost, both[1:], nil, legacyVersion, "initialize"},
		{"legacy host, modern server", legacyHost, both[:1], nil, modernVersion, "initialize server/discover"},
		{"legacy host, both", legacyHost, both, nil, legacyVersion, "initialize"},
		{"modern host, legacy server", modernHost, both[1:], nil, legacyVersion, "server/discover initialize"},
		{"modern host, modern server", modernHost, both[:1], nil, modernVersion, "server/discover"},
		{"modern host, both", modernHost, both, nil, modernVersion, "server/discover"},
		{"probe refused by an old server", modernHost, both[1:], []rule{refuse(`{"code":-32601,"message":"no"}`)}, legacyVersion, "server/discover initialize"},
		{"probe refused, legacy named", modernHost, both, []rule{refuse(`{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}`)}, legacyVersion, "server/discover initialize"},
		{"probe answered 400", modernHost, both, []rule{on("server/discover", step{Status: 400})}, legacyVersion, "server/discover initialize"},
		{"probe answered 404", modernHost, both, []rule{on("server/discover", step{Status: 404})}, legacyVersion, "server/discover initialize"},
		{"probe answered 501", modernHost, both, []rule{on("server/discover", step{Status: 501})}, legacyVersion, "server/discover initialize"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newServer(script{Versions: test.versions, Rules: test.rules, Tools: tools("echo")})
			u := openHTTP(t, Config{}, server, test.host)
			facts, err := u.Connect(t.Context())
			if err != nil || facts.Version != test.version {
				t.Fatalf("got %+v, %v, want revision %s", facts, err, test.version)
			}
			u.mustCall(t, "echo")
			order := []string{"server/discover", "initialize"}
			if !test.host.Modern {
				order = []string{"initialize", "server/discover"}
			}
			if got := methods(server, order...); got != test.asked {
				t.Errorf("got %q, want %q", got, test.asked)
			}
		})
	}
}

const annotated = `{"name":"echo","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}`

// A call whose headers the server refuses is made once more from a fresh
// definition (2026-07-28, Streamable HTTP, x-mcp-header).
func TestHeaderMismatch(t *testing.T) {
	refusal := step{Error: raw(`{"code":-32020,"message":"no"}`)}
	tests := []struct {
		name  string
		rules []rule
		tools []raw
		calls int
		kind  Kind
	}{
		{"once", []rule{nth(1, "tools/call", refusal)}, []raw{raw(annotated)}, 2, ""},
		{"always", []rule{on("tools/call", refusal)}, []raw{raw(annotated)}, 2, KindProtocol},
		{"tool is gone", []rule{on("tools/call", refusal)}, tools("other"), 1, KindProtocol},
		{"list is refused", []rule{on("tools/call", refusal), on("tools/list", step{Status: 500})}, []raw{raw(annotated)}, 1, KindProtocol},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// The server tells of no changes: a stream that opens after the fresh
			// definition was asked for would have the tools announced once more.
			server := newServer(script{
				Versions: []string{modernVersion}, Capabilities: raw(`{"tools":{}}`), Tools: test.tools, Rules: test.rules,
			})
			u := openHTTP(t, Config{}, server, modernHost)
			if _, err := u.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			s := newSink()
			call := toolCall(s, "echo", `"arguments":{"region":"eu-1"}`)
			call.Definition = upstreamtest.Tool("echo")
			line := call.Params[1].Value
			u.Do(nil, call)
			copy(line, `{"region":"xx-x"}`) // the host's memory is used again
			if d := s.wait(t); test.kind != "" {
				fault(t, d.err, test.kind, false)
			} else if d.err != nil || !strings.Contains(d.raw, "eu-1") {
				t.Errorf("got %s, %v", d.raw, d.err)
			}
			calls := server.Received("tools/call")
			if len(calls) != test.calls {
				t.Fatalf("got %d calls, want %d", len(calls), test.calls)
			}
			if test.calls < 2 {
				return
			}
			for i, want := range []string{"", "eu-1"} {
				if got := calls[i].Header.Get("Mcp-Param-Region"); got != want {
					t.Errorf("call %d: got region %q, want %q", i, got, want)
				}
			}
			if n := u.events.count("notifications/tools/list_changed"); n != 1 {
				t.Errorf("got %d changes, want 1", n)
			}
		})
	}
}

// Tools whose annotations break the rules are left out, over modern HTTP only.
func TestBadHeadersAreLeftOut(t *testing.T) {
	bad := raw(`{"name":"bad","inputSchema":{"type":"object","properties":{"x":{"type":"number","x-mcp-header":"X"}}}}`)
	for version, want := range map[string]int{modernVersion: 1, legacyVersion: 2} {
		t.Run(version, func(t *testing.T) {
			server := newServer(script{Versions: []string{version}, Tools: []raw{bad, raw(annotated)}})
			u := openHTTP(t, Config{}, server, Peer{Modern: version == modernVersion, Version: version})
			list, err := u.ListTools(t.Context())
			if err != nil || len(list.Items) != want {
				t.Errorf("got %d tools, %v, want %d", len(list.Items), err, want)
			}
		})
	}
}

// A server over HTTP may refuse what it is told about while it is answering.
func TestServerRequestHTTP(t *testing.T) {
	server := newServer(script{
		Tools: tools("echo"), SSE: true,
		Rules: []rule{on("tools/call echo", step{Send: raw(`{"jsonrpc":"2.0","id":"p","method":"ping"}`)}, step{Await: `response "p"`}, step{Default: true})},
	})
	u := openHTTP(t, Config{}, server, legacyHost)
	u.mustCall(t, "echo")
	var m jsonrpc.Message
	if err := m.Parse(server.Received("")[0].Message); err != nil || m.Kind != jsonrpc.Response {
		t.Errorf("got %s, %v", m.Raw, err)
	}
}
