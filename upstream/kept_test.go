package upstream

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// all is every capability of a legacy server that something is kept for.
const all = `{"tools":{"listChanged":true},"logging":{},"resources":{"subscribe":true,"listChanged":true},"prompts":{"listChanged":true}}`

func empty(method string) rule { return on(method, step{Reply: raw(`{}`)}) }

func params(s *upstreamtest.Server, method string) []string {
	var out []string
	for _, r := range s.Received(method) {
		var m jsonrpc.Message
		if err := m.Parse(r.Message); err != nil {
			panic(err)
		}
		out = append(out, string(m.Params))
	}
	return out
}

// subscribeCall is a call of resources/subscribe or its inverse.
func subscribeCall(s Sink, method, uri string) *Call {
	return &Call{Method: method, Params: []jsonrpc.Member{jsonrpc.NewMember("uri", quoted(uri))}, Sink: s}
}

// subscribes makes such a call and waits for its outcome.
func (u fixture) subscribes(t testing.TB, method, uri string) told {
	t.Helper()
	s := newSink()
	u.Do(nil, subscribeCall(s, method, uri))
	return s.wait(t)
}

func wantParams(t *testing.T, s *upstreamtest.Server, method string, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, params(s, method)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", method, diff)
	}
}

func TestSetLevel(t *testing.T) {
	const method = "logging/setLevel"
	legacy := script{Capabilities: raw(all), Tools: tools("echo", "die"), Rules: []rule{
		empty(method), on("tools/call die", step{Exit: true}),
	}}
	t.Run("kept", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, legacy, legacyHost)
			u.SetLevel("info", func() {})
			if st := u.Status(); st.State != Idle {
				t.Errorf("got state %q, want idle", st.State)
			}
			u.mustCall(t, "echo")
			u.SetLevel("info", func() {})
			u.SetLevel("debug", func() {})
			wantParams(t, server, method, `{"level":"info"}`, `{"level":"debug"}`)
			u.call(t, "die", "")
			u.mustCall(t, "echo")
			u.SetLevel("debug", func() {})
			wantParams(t, server, method, `{"level":"info"}`, `{"level":"debug"}`, `{"level":"debug"}`)
		})
	})
	t.Run("before waiting calls", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := legacy
			s.Rules = append([]rule{on(method, step{Release: "level"})}, s.Rules...)
			s.Rules = append(s.Rules, on("tools/call echo", step{Await: "level"}, step{Default: true}))
			u, _ := openScript(t, s, legacyHost)
			u.SetLevel("info", func() {})
			u.mustCall(t, "echo")
		})
	})
	t.Run("one at a time, the last counts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := legacy
			s.Rules = append([]rule{on(method, step{Await: "go"}, step{Reply: raw(`{}`)})}, s.Rules...)
			u, server := openScript(t, s, legacyHost)
			u.mustCall(t, "echo")
			for _, level := range []string{"info", "debug", "error", "warning"} {
				u.SetLevel(level, func() {})
			}
			wantParams(t, server, method, `{"level":"info"}`)
			server.Release("go")
			wantParams(t, server, method, `{"level":"info"}`, `{"level":"warning"}`)
		})
	})
	t.Run("refused or unanswered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := legacy
			s.Rules = append([]rule{nth(1, method, step{Error: raw(`{"code":1,"message":"no"}`)}), nth(2, method)}, s.Rules...)
			u, server := openScript(t, s, legacyHost)
			u.SetLevel("info", func() {})
			u.mustCall(t, "echo")
			u.SetLevel("debug", func() {})
			synctest.Wait()
			u.SetLevel("error", func() {})
			wantParams(t, server, method, `{"level":"info"}`, `{"level":"debug"}`)
			<-time.After(DefaultListTimeout)
			wantParams(t, server, method, `{"level":"info"}`, `{"level":"debug"}`, `{"level":"error"}`)
		})
	})
	nobody := map[string]script{
		"modern":       {Versions: []string{modernVersion}, Capabilities: raw(all)},
		"not declared": {Capabilities: raw(`{"tools":{}}`)},
	}
	for name, s := range nobody {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openScript(t, s, legacyHost)
				u.SetLevel("info", func() {})
				u.mustCall(t, "echo")
				u.SetLevel("debug", func() {})
				wantParams(t, server, method)
			})
		})
	}
}

func TestNotify(t *testing.T) {
	const method = "notifications/roots/list_changed"
	for _, version := range []string{upstreamtest.Legacy, upstreamtest.Modern} {
		t.Run(version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openScript(t, script{Versions: []string{version}}, legacyHost)
				u.Notify(method, nil)
				u.mustCall(t, "echo")
				u.Notify(method, nil)
				u.Notify(method, []byte(`{"x":1e0}`))
				synctest.Wait()
				var got []string
				for _, r := range server.Received(method) {
					got = append(got, string(r.Message))
				}
				var want []string
				if version == upstreamtest.Legacy {
					want = []string{
						`{"jsonrpc":"2.0","method":"` + method + `"}`,
						`{"jsonrpc":"2.0","method":"` + method + `","params":{"x":1e0}}`,
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("notifications (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A legacy server is asked as the host asks, and again in each connection for
// what it has accepted and nobody has given up. A lost connection is made
// again for that.
func TestSubscribeLegacy(t *testing.T) {
	const a, b = "file:///a", "file:///b"
	legacy := script{Capabilities: raw(all), Tools: tools("echo", "die"), Rules: []rule{
		empty(unsubscribeMethod), on("tools/call die", step{Exit: true}),
		nth(2, subscribeMethod, step{Error: raw(`{"code":-32002,"message":"none"}`)}), empty(subscribeMethod),
	}}
	uri := func(uri string) string { return `{"uri":"` + uri + `"}` }
	t.Run("kept", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, legacy, legacyHost)
			if d := u.subscribes(t, subscribeMethod, a); !strings.HasSuffix(d.raw, `"result":{}}`) || d.modern {
				t.Errorf("got %+v", d)
			}
			if d := u.subscribes(t, subscribeMethod, b); !strings.Contains(d.raw, "-32002") {
				t.Errorf("got %+v", d)
			}
			<-time.After(time.Minute) // long enough for the connection to count
			u.call(t, "die", "")
			wantParams(t, server, subscribeMethod, uri(a), uri(b), uri(a))
			if n := len(server.Received("initialize")); n != 2 {
				t.Errorf("got %d connections, want 2", n)
			}
			if d := u.subscribes(t, unsubscribeMethod, a); !strings.HasSuffix(d.raw, `"result":{}}`) {
				t.Errorf("got %+v", d)
			}
			<-time.After(time.Minute)
			u.call(t, "die", "")
			<-time.After(time.Hour)
			wantParams(t, server, subscribeMethod, uri(a), uri(b), uri(a))
			wantParams(t, server, unsubscribeMethod, uri(a))
			if n := len(server.Received("initialize")); n != 2 {
				t.Errorf("got %d connections, want 2", n)
			}
		})
	})
	t.Run("given up meanwhile", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := legacy
			s.Rules = append([]rule{nth(2, "initialize")}, s.Rules...)
			u, server := openScript(t, s, legacyHost)
			u.subscribes(t, subscribeMethod, a)
			<-time.After(time.Minute)
			u.call(t, "die", "")
			synctest.Wait()
			if st := u.Status(); st.State != Connecting {
				t.Errorf("got state %q, want connecting", st.State)
			}
			if d := u.subscribes(t, unsubscribeMethod, a); !strings.HasSuffix(d.raw, `"result":{}}`) {
				t.Errorf("got %+v", d)
			}
			<-time.After(time.Hour)
			wantParams(t, server, subscribeMethod, uri(a))
			wantParams(t, server, unsubscribeMethod)
		})
	})
	t.Run("given up before it is accepted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := legacy
			s.Rules = append([]rule{on(subscribeMethod, step{Await: "go"}, step{Reply: raw(`{}`)})}, s.Rules...)
			u, server := openScript(t, s, legacyHost)
			first := newSink()
			u.Do(nil, subscribeCall(first, subscribeMethod, a))
			synctest.Wait()
			u.subscribes(t, unsubscribeMethod, a)
			server.Release("go")
			first.wait(t)
			<-time.After(time.Minute)
			u.call(t, "die", "")
			u.mustCall(t, "echo")
			wantParams(t, server, subscribeMethod, uri(a))
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := legacy
			s.Rules = append([]rule{on(subscribeMethod)}, s.Rules...)
			u, _ := openScript(t, s, legacyHost)
			call := subscribeCall(newSink(), subscribeMethod, a)
			u.Do(nil, call)
			synctest.Wait()
			u.Cancel(call, nil)
			if n := len(u.kept.resources); n != 0 {
				t.Errorf("%d are kept, want none", n)
			}
		})
	})
	t.Run("no uri", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, legacy, legacyHost)
			s := newSink()
			u.Do(nil, &Call{Method: subscribeMethod, Params: []jsonrpc.Member{jsonrpc.NewMember("uri", []byte("7"))}, Sink: s})
			s.wait(t)
			wantParams(t, server, subscribeMethod, `{"uri":7}`)
		})
	})
	t.Run("bounded", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := legacy
			s.Rules = []rule{empty(subscribeMethod)}
			u, server := openScript(t, s, legacyHost)
			for i := range maxSubscriptions {
				u.subscribes(t, subscribeMethod, fmt.Sprintf("file:///%d", i))
			}
			if d := u.subscribes(t, subscribeMethod, "file:///more"); !strings.Contains(d.raw, `"code":-32603`) {
				t.Errorf("got %+v", d)
			}
			u.subscribes(t, subscribeMethod, "file:///7")
			if n := len(server.Received(subscribeMethod)); n != maxSubscriptions+1 {
				t.Errorf("got %d subscriptions, want %d", n, maxSubscriptions+1)
			}
		})
	})
	t.Run("bounded in bytes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := openScript(t, legacy, legacyHost)
			if d := u.subscribes(t, subscribeMethod, strings.Repeat("x", maxSubscribedBytes+1)); !strings.Contains(d.raw, `"code":-32603`) {
				t.Errorf("got %+v", d)
			}
		})
	})
}

// A server that dies again and again is not started without end for what it is
// to tell: neither if it has answered calls in between nor if it has not.
func TestConnectedAgainWithPauses(t *testing.T) {
	connect := []rule{on("initialize", step{Default: true})}
	tests := map[string]struct {
		rules []rule
		use   bool // by a call, as soon as it is connected
	}{
		"subscription answered": {connect, false},
		"call answered":         {connect, true},
		"nothing answered":      {[]rule{nth(1, "initialize", step{Default: true}), on("initialize", step{Exit: true})}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openScript(t, script{
					Capabilities: raw(all), Tools: tools("echo", "die"),
					Rules: append(test.rules, nth(1, subscribeMethod, step{Reply: raw(`{}`)}),
						on(subscribeMethod, step{Reply: raw(`{}`)}, step{Delay: delay(time.Second)}, step{Exit: true}),
						on("tools/call die", step{Exit: true})),
				}, legacyHost)
				if test.use {
					u.events.ready = func(u *Upstream) { u.Do(nil, toolCall(newSink(), "echo", "")) }
				}
				u.subscribes(t, subscribeMethod, "file:///a")
				u.call(t, "die", "")
				<-time.After(time.Hour)
				// Pauses of 1, 2, 4 s and so on up to 5 min fit that often.
				if n := len(server.Received("initialize")); n < 15 || n > 25 {
					t.Errorf("got %d connections in an hour", n)
				}
			})
		})
	}
}

// What is restored is no sign that the server is of use.
func TestRestoringIsNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := openScript(t, script{Capabilities: raw(all), Tools: tools("die"), Rules: []rule{
			empty("logging/setLevel"), on("tools/call die", step{Delay: delay(time.Second)}, step{Exit: true}),
		}}, legacyHost)
		u.SetLevel("info", func() {})
		for range 2 {
			u.call(t, "die", "")
			synctest.Wait()
		}
		if st := u.Status(); st.State != Backoff {
			t.Errorf("got state %q, want backoff", st.State)
		}
	})
}

// What meets a forgotten session is restored in the next one, not made again.
func TestRestoredOnce(t *testing.T) {
	const method = "logging/setLevel"
	server := newServer(script{Capabilities: raw(all), Tools: tools("echo"), Rules: []rule{
		nth(1, method, step{Status: http.StatusNotFound}), empty(method),
	}})
	u := openHTTP(t, Config{}, server, legacyHost)
	u.mustCall(t, "echo")
	u.mu.Lock()
	lost := u.conn.t.Lost()
	u.mu.Unlock()
	u.SetLevel("info", func() {})
	<-lost
	for range 3 {
		u.mustCall(t, "echo")
	}
	if err := server.Await(t.Context(), method, 2); err != nil {
		t.Fatal(err)
	}
	u.mustCall(t, "echo")
	if n := len(server.Received(method)); n != 2 {
		t.Errorf("the level was told %d times, want twice", n)
	}
}
