package upstream

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const idleStop = 10 * time.Minute

// openIdle is openConfig for a server that is ended when it is idle for idleStop.
func openIdle(t *testing.T, s script) (fixture, *upstreamtest.Server) {
	t.Helper()
	return openConfig(t, Config{IdleStop: idleStop}, s, legacyHost)
}

// wantStopped checks that the upstream is ended after just this while from now on.
func (u fixture) wantStopped(t *testing.T, after time.Duration) {
	t.Helper()
	<-time.After(after - time.Nanosecond)
	u.wantState(t, Ready)
	<-time.After(time.Nanosecond)
	u.wantState(t, Idle)
	st := u.Status()
	f := fault(t, st.Reason, KindConnection, false)
	if !strings.Contains(f.Text, "nothing had used it for 10m0s") || !st.Since.Equal(time.Now()) {
		t.Errorf("got %+v since %v", f, st.Since)
	}
}

// A connection that nothing uses is ended, the next call makes another, and how
// often that happens has no bearing on how the server is treated.
func TestIdleStop(t *testing.T) {
	for name, versions := range map[string][]string{"legacy": {legacyVersion}, "modern": {modernVersion}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openIdle(t, script{Versions: versions, Capabilities: raw(all), Rules: []rule{empty("logging/setLevel")}})
				u.SetLevel("info", func() {})
				for range 20 {
					u.mustCall(t, "echo")
					u.wantStopped(t, idleStop)
					<-time.After(time.Hour)
					u.wantState(t, Idle)
				}
				if n := len(server.Received("tools/call")); n != 20 {
					t.Errorf("got %d calls, want 20", n)
				}
				want := 20
				if name == "modern" {
					want = 0
				}
				if n := len(server.Received("logging/setLevel")); n != want {
					t.Errorf("the level was told %d times, want %d", n, want)
				}
				if st := u.Status(); st.Failures != 0 {
					t.Errorf("got %d failures", st.Failures)
				}
			})
		})
	}
}

// What goes on counts as use, and the time runs from its end.
func TestInUse(t *testing.T) {
	const long = 31 * time.Minute // the end is not when it is looked
	subscribes := script{Capabilities: raw(all), Rules: []rule{empty(subscribeMethod), empty(unsubscribeMethod)}}
	tests := []struct {
		name   string
		script script
		use    func(t *testing.T, u fixture, s *upstreamtest.Server) (end func())
	}{
		{"call", script{Rules: []rule{on("tools/call", step{Await: "go"}, step{Default: true})}}, func(_ *testing.T, u fixture, s *upstreamtest.Server) func() {
			call := toolCall(newSink(), "echo", "")
			call.Timeout = -1
			u.Do(nil, call)
			return func() { s.Release("go") }
		}},
		{"call that is given up", script{Rules: []rule{on("tools/call")}}, func(_ *testing.T, u fixture, _ *upstreamtest.Server) func() {
			call := toolCall(newSink(), "echo", "")
			call.Timeout = -1
			u.Do(nil, call)
			return func() { u.Cancel(call, nil) }
		}},
		{
			"question",
			script{Rules: []rule{on("tools/call", step{Send: raw(`{"jsonrpc":"2.0","id":"q","method":"roots/list"}`)}, step{Default: true})}},
			func(t *testing.T, u fixture, _ *upstreamtest.Server) func() {
				u.mustCall(t, "echo")
				synctest.Wait()
				return func() { u.events.open()[0].Reply(nil, []byte(`{"roots":[]}`)) }
			},
		},
		{"subscription", subscribes, func(t *testing.T, u fixture, _ *upstreamtest.Server) func() {
			u.subscribes(t, subscribeMethod, "file:///a")
			return func() { u.subscribes(t, unsubscribeMethod, "file:///a") }
		}},
		{"subscription, of a modern server", script{Versions: []string{modernVersion}, Capabilities: raw(all)}, func(t *testing.T, u fixture, _ *upstreamtest.Server) func() {
			u.subscribes(t, subscribeMethod, "file:///a")
			return func() { u.subscribes(t, unsubscribeMethod, "file:///a") }
		}},
		{"watched task", script{Versions: []string{modernVersion}}, func(_ *testing.T, u fixture, _ *upstreamtest.Server) func() {
			u.WatchTask("t", func(bool) {})
			return func() { u.UnwatchTask("t") }
		}},
		{"progress of a task", script{Rules: []rule{on("tools/call", step{Reply: raw(`{"task":{"taskId":"t","ttl":0}}`)})}}, func(t *testing.T, u fixture, _ *upstreamtest.Server) func() {
			sink := newSink()
			call := toolCall(sink, "echo", "")
			call.Progress = true
			u.Do(nil, call)
			sink.wait(t)
			return func() { u.EndProgress(call) }
		}},
		{"task that nobody asks after", script{Rules: []rule{on("tools/call", step{Reply: raw(`{"task":{"taskId":"t","ttl":1860000}}`)})}}, func(t *testing.T, u fixture, _ *upstreamtest.Server) func() {
			u.mustCall(t, "echo")
			return func() {}
		}},
		{"modern task that nobody asks after", script{
			Versions: []string{modernVersion}, Rules: []rule{on("tools/call", step{Reply: raw(`{"resultType":"task","taskId":"t","ttlMs":1860000}`)})},
		}, func(t *testing.T, u fixture, _ *upstreamtest.Server) func() {
			u.mustCall(t, "echo")
			return func() {}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openIdle(t, test.script)
				u.events.asked = keepOpen
				end := test.use(t, u, server)
				<-time.After(long)
				u.wantState(t, Ready)
				end()
				synctest.Wait()
				u.wantStopped(t, idleStop)
				if n := len(server.Received("initialize")) + len(server.Received("server/discover")); n > 2 {
					t.Errorf("got %d handshakes", n)
				}
			})
		})
	}
}

// What the owner of the Set knows to be in use is not ended.
func TestInUseElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := openIdle(t, script{})
		var used atomic.Bool
		used.Store(true)
		u.set.inUse = func(asked *Upstream) bool { return used.Load() && asked == u.Upstream }
		u.mustCall(t, "echo")
		<-time.After(3*idleStop + time.Minute)
		u.wantState(t, Ready)
		used.Store(false)
		u.wantStopped(t, idleStop-time.Minute)
	})
}

// What weir does by itself is no use, but a list that it asks for is not cut off.
func TestListsAreNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openIdle(t, script{Rules: []rule{nth(6, "tools/list", step{Await: "go"}, step{Default: true})}})
		u.mustCall(t, "echo")
		for range 5 {
			<-time.After(idleStop / 6)
			if _, err := u.ListTools(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(idleStop/6 - 10*time.Second)
		var listing sync.WaitGroup
		listing.Go(func() {
			if list, err := u.ListTools(t.Context()); err != nil || len(list.Items) != 1 {
				t.Errorf("got %v, %v", list, err)
			}
		})
		<-time.After(20*time.Second - time.Nanosecond)
		server.Release("go")
		u.wantState(t, Ready)
		listing.Wait()
		<-time.After(listWait)
		u.wantState(t, Idle)
		if n := len(server.Received("tools/list")); n != 6 {
			t.Errorf("got %d requests for lists, want 6", n)
		}
	})
}

// A call that has found the connection before its end is made on the next one.
func TestSendingMeetsTheIdleStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openIdle(t, script{})
		u.mustCall(t, "echo")
		<-time.After(idleStop - time.Nanosecond)
		u.mu.Lock()
		conn := u.conn
		u.mu.Unlock()
		conn.mu.Lock()
		conn.used = conn.used.Add(-time.Minute)
		conn.mu.Unlock()
		if left := u.leaveUnused(conn); left != 0 {
			t.Errorf("got %v left", left)
		}
		s := newSink()
		u.send(nil, conn, toolCall(s, "echo", ""))
		if d := s.wait(t); d.err != nil {
			t.Error(d.err)
		}
		if n := len(server.Received("initialize")); n != 2 {
			t.Errorf("got %d connections, want 2", n)
		}
	})
}

// One that is eager begins with the host's first message, not again when it was
// ended for want of use, and again when it was lost.
func TestIdleStopOfEager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openConfig(t, Config{IdleStop: idleStop, Eager: true}, script{Tools: tools("echo", "die"), Rules: []rule{on("tools/call die", step{Exit: true})}}, legacyHost)
		synctest.Wait()
		u.wantStopped(t, idleStop)
		<-time.After(time.Hour)
		u.wantState(t, Idle)
		u.mustCall(t, "echo")
		u.call(t, "die", "")
		<-time.After(time.Minute)
		u.wantState(t, Ready)
		if n := len(server.Received("initialize")); n != 3 {
			t.Errorf("got %d connections, want 3", n)
		}
	})
}

// Calls that come in the very moment of the end are made, once each.
func TestCallsMeetTheIdleStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rounds, many = 50, 8
		u, server := openIdle(t, script{})
		u.mustCall(t, "echo")
		for range rounds {
			var callers sync.WaitGroup
			for range many {
				callers.Go(func() {
					<-time.After(idleStop)
					if d := u.call(t, "echo", ""); d.err != nil {
						t.Error(d.err)
					}
				})
			}
			callers.Wait()
			<-time.After(time.Second)
		}
		if n := len(server.Received("tools/call")); n != 1+rounds*many {
			t.Errorf("got %d calls, want %d", n, 1+rounds*many)
		}
	})
}

// The session of HTTP is ended at the server.
func TestIdleStopEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer(script{Tools: tools("echo")})
		var deleted atomic.Int64
		u := openDirect(t, Config{IdleStop: idleStop}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete && r.Header.Get("Mcp-Session-Id") != "" {
				deleted.Add(1)
			}
			server.ServeHTTP(w, r)
		}))
		u.mustCall(t, "echo")
		u.wantStopped(t, idleStop)
		if n := deleted.Load(); n != 1 {
			t.Errorf("got %d sessions ended, want 1", n)
		}
		u.mustCall(t, "echo")
	})
}

// openDirect is open for a server over Streamable HTTP within the process.
func openDirect(t *testing.T, cfg Config, h http.Handler) fixture {
	t.Helper()
	cfg.Transport, cfg.URL = HTTP, "https://server/mcp"
	return open(t, cfg, func(_ context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
		return transport.NewStreamable(transport.HTTPConfig{URL: cfg.URL, RoundTripper: direct(h), Limit: cfg.MessageLimit}, recv), nil
	}, legacyHost)
}
