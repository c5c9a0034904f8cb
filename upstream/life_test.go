package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// Every way out of a connection leads to a state that says since when and why, and
// from which the next call goes on, or says when.
func TestEveryEndHasAReason(t *testing.T) {
	tests := []struct {
		name  string
		rules []rule
		do    func(t *testing.T, u fixture, s *upstreamtest.Server)
		state State
		text  string
		maybe bool // what was told of the call that met it; false for none
	}{
		{"crash mid-call", []rule{on("tools/call die", step{Exit: true})}, func(t *testing.T, u fixture, s *upstreamtest.Server) {
			u.mustCall(t, "echo")
			fault(t, u.call(t, "die", "").err, KindConnection, true)
			if n := len(s.Received("tools/call")); n != 2 {
				t.Errorf("got %d calls, want none repeated", n)
			}
		}, Idle, "the connection ended", true},
		{"crash between calls", []rule{on("tools/call die", step{Default: true}, step{Delay: delay(time.Second)}, step{Exit: true})}, func(t *testing.T, u fixture, _ *upstreamtest.Server) {
			u.mustCall(t, "die")
			<-time.After(time.Minute)
		}, Idle, "the connection ended", false},
		{"crash in the handshake", []rule{nth(1, "initialize", step{Exit: true})}, func(t *testing.T, u fixture, _ *upstreamtest.Server) {
			fault(t, u.call(t, "echo", "").err, KindConnection, false)
		}, Backoff, "the server ended before it was ready", false},
		{"crash in a list", []rule{nth(1, "tools/list", step{Exit: true})}, func(t *testing.T, u fixture, _ *upstreamtest.Server) {
			u.mustCall(t, "echo")
			_, err := u.ListTools(t.Context())
			fault(t, err, KindConnection, true)
		}, Idle, "the connection ended", false},
		{"silent handshake", []rule{nth(1, "initialize")}, func(t *testing.T, u fixture, _ *upstreamtest.Server) {
			fault(t, u.call(t, "echo", "").err, KindTimeout, false)
		}, Backoff, "the server was not ready within 30s", false},
		{"refused handshake", []rule{nth(1, "initialize", step{Error: raw(`{"code":-32603,"message":"no"}`)})}, func(t *testing.T, u fixture, _ *upstreamtest.Server) {
			fault(t, u.call(t, "echo", "").err, KindProtocol, false)
		}, Backoff, "the server refused to begin, with error -32603", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openScript(t, script{Tools: tools("echo", "die"), Rules: test.rules}, legacyHost)
				test.do(t, u, server)
				synctest.Wait()
				st := u.Status()
				f, ok := errors.AsType[Failure](st.Reason)
				if st.State != test.state || !ok || !strings.HasPrefix(f.Detail().Text, test.text) || st.Since.IsZero() || st.Since.After(time.Now()) {
					t.Errorf("got %q because of %v since %v, want %q because of %q", st.State, st.Reason, st.Since, test.state, test.text)
				}
				if wait := time.Until(st.Retry); test.state == Backoff && (wait <= 0 || wait > firstPause*5/4) {
					t.Errorf("the next try is in %v", wait)
				}
				<-time.After(time.Until(st.Retry))
				u.mustCall(t, "echo")
			})
		})
	}
}

// An eager server whose child has crashed is started again without any call, with
// pauses that grow while it comes to nothing.
func TestEagerIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openConfig(t, Config{Eager: true}, script{Tools: tools("echo", "die"), Rules: []rule{
			on("tools/call die", step{Exit: true}),
			nth(2, "initialize", step{Exit: true}), nth(3, "initialize", step{Exit: true}), nth(4, "initialize", step{Exit: true}),
		}}, legacyHost)
		<-time.After(time.Minute)
		u.call(t, "die", "")
		u.wantState(t, Backoff) // the second connection is tried at once
		<-time.After(time.Minute)
		u.wantState(t, Ready)
		if n := len(server.Received("initialize")); n != 5 {
			t.Errorf("got %d connections, want 5", n)
		}
		want := []State{Connecting, Ready, Idle, Connecting, Backoff, Connecting, Backoff, Connecting, Backoff, Connecting, Ready}
		if got := u.states(); !slices.Equal(got, want) {
			t.Errorf("got states %q, want %q", got, want)
		}
	})
}

// An eager server that ends as soon as it is there is not started without end.
func TestEagerThatEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := openConfig(t, Config{Eager: true}, script{
			Rules: []rule{on("notifications/initialized", step{Delay: delay(time.Second)}, step{Exit: true})},
		}, legacyHost)
		<-time.After(time.Hour)
		if n := len(server.Received("initialize")); n < 10 || n > 25 {
			t.Errorf("got %d connections in an hour", n)
		}
	})
}

// What was told to a server is told again in the next connection, whatever the
// transport.
func TestRestoredOverEachTransport(t *testing.T) {
	const uri = "file:///a"
	s := script{Capabilities: raw(all), Tools: tools("echo", "die"), Rules: []rule{
		empty("logging/setLevel"), empty(subscribeMethod), nth(1, "tools/call die", step{Exit: true}),
	}}
	for _, by := range []string{Stdio, HTTP, SSE, WebSocket} {
		t.Run(by, func(t *testing.T) {
			var u fixture
			server := newServer(s)
			switch by {
			case Stdio:
				noLeak(t)
				u = open(t, Config{}, dialMemory(server), legacyHost)
			case HTTP:
				u = openHTTP(t, Config{}, server, legacyHost)
			default:
				u = openBy(t, by, server, legacyHost)
			}
			u.SetLevel("info", func() {})
			u.mustCall(t, "echo")
			if d := u.subscribes(t, subscribeMethod, uri); d.err != nil {
				t.Fatal(d.err)
			}
			if by == HTTP {
				server.Forget() // nothing else ends a connection there
			} else {
				fault(t, u.call(t, "die", "").err, KindConnection, true)
			}
			if d := u.call(t, "echo", ""); d.err != nil {
				t.Fatal(d.err)
			}
			for method, want := range map[string]int{"initialize": 2, "logging/setLevel": 2, subscribeMethod: 2} {
				if err := server.Await(t.Context(), method, want); err != nil {
					t.Errorf("%s: %v", method, err)
				}
			}
			if got := params(server, subscribeMethod); fmt.Sprint(got) != fmt.Sprintf(`[{"uri":%[1]q} {"uri":%[1]q}]`, uri) {
				t.Errorf("got %s", got)
			}
		})
	}
}

// A modern server is asked anew to tell what it told before, whatever the transport.
func TestListenedAgainOverEachTransport(t *testing.T) {
	s := script{Versions: []string{modernVersion}, Capabilities: raw(all), Tools: tools("echo", "die"), Rules: []rule{nth(1, "tools/call die", step{Exit: true})}}
	for _, by := range []string{Stdio, WebSocket} {
		t.Run(by, func(t *testing.T) {
			server := newServer(s)
			var u fixture
			if by == Stdio {
				noLeak(t)
				u = open(t, Config{}, dialMemory(server), modernHost)
			} else {
				u = openBy(t, by, server, modernHost)
			}
			u.mustCall(t, "echo")
			if d := u.subscribes(t, subscribeMethod, "file:///a"); d.err != nil {
				t.Fatal(d.err)
			}
			before := len(server.Received(listenMethod))
			fault(t, u.call(t, "die", "").err, KindConnection, true)
			if err := server.Await(t.Context(), listenMethod, before+1); err != nil {
				t.Fatal(err)
			}
			got := params(server, listenMethod)
			if last := got[len(got)-1]; !strings.Contains(last, `"resourceSubscriptions":["file:///a"]`) || !strings.Contains(last, "toolsListChanged") {
				t.Errorf("got %s", last)
			}
		})
	}
}

// A call that was surely not executed since its session was forgotten is made
// again; one that may have been is not, whatever the answer.
func TestSafeToRetry(t *testing.T) {
	for status, safe := range map[int]bool{400: true, 404: true, 409: true, 413: true, 429: true, 500: false, 502: false, 503: false, 504: false} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			server := newServer(script{Sessionless: true, Tools: tools("echo", "bad"), Rules: []rule{on("tools/call bad", step{Status: status})}})
			u := openHTTP(t, Config{}, http.Handler(server), legacyHost)
			u.mustCall(t, "echo")
			err := u.call(t, "bad", "").err
			if err == nil || SafeToRetry(err) != safe {
				t.Errorf("got %v, safe to retry %v, want %v", err, SafeToRetry(err), safe)
			}
			if n := len(server.Received("tools/call")); n != 2 {
				t.Errorf("got %d calls, want none repeated", n)
			}
		})
	}
}
