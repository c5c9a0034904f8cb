package upstream

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// An upstream that leaves finishes what it has, and begins nothing more.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openScript(t, script{Rules: []rule{on("tools/call", step{Await: "go"}, step{Default: true})}}, legacyHost)
		if _, err := u.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		under := newSink()
		u.Do(nil, toolCall(under, "echo", ""))
		synctest.Wait()
		u.Leave()
		server.Release("go")
		if d := under.wait(t); d.err != nil {
			t.Errorf("the call under way: got %v", d.err)
		}
		again := u.set.Add(u.cfg)
		u.set.Remove(u.Upstream)
		if u.set.Get("u") != again {
			t.Error("the one that has taken the name is gone")
		}
		f := fault(t, u.call(t, "echo", "").err, KindConnection, false)
		if !strings.Contains(f.Text, "taken out of weir's configuration") || u.Status().State != Closed {
			t.Errorf("got %+v in state %q", f, u.Status().State)
		}
		u.set.Remove(u.Upstream)
		if n := len(server.Received("initialize")); n != 1 {
			t.Errorf("got %d handshakes, want 1", n)
		}
	})
}

// What waits when an upstream is removed is told, and nothing is left.
func TestRemove(t *testing.T) {
	for name, test := range map[string]struct {
		rules []rule
		maybe bool
	}{
		"shaking hands": {[]rule{on("initialize")}, false},
		"under way":     {[]rule{on("tools/call")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, _ := openScript(t, script{Rules: test.rules}, legacyHost)
				s := newSink()
				u.Do(nil, toolCall(s, "echo", ""))
				synctest.Wait()
				u.set.Remove(u.Upstream)
				f := fault(t, s.wait(t).err, KindConnection, test.maybe)
				if !strings.Contains(f.Text, "taken out") {
					t.Errorf("got text %q", f.Text)
				}
				if u.set.Get("u") != nil {
					t.Error("it is there still")
				}
			})
		})
	}
}

// A subscription, or the watch of a task, does not make one that leaves connect
// again and again.
func TestLeaveSubscribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openScript(t, script{
			Rules: []rule{empty(subscribeMethod), on("tools/call", step{Exit: true})},
		}, legacyHost)
		u.subscribes(t, subscribeMethod, "file:///x")
		u.Leave()
		u.WatchTask("t", func(bool) {})
		u.call(t, "echo", "")
		<-time.After(time.Minute)
		if n := len(server.Received("initialize")); n != 1 {
			t.Errorf("got %d handshakes, want 1", n)
		}
		u.set.Remove(u.Upstream)
	})
}

// The child of one that is removed ends, the others go on.
func TestRemoveChild(t *testing.T) {
	u := openChild(t, Config{}, script{})
	cfg := u.cfg
	cfg.Name = "other"
	other := fixture{u.set.Add(cfg), u.set, u.events}
	u.mustCall(t, "echo")
	other.mustCall(t, "echo")
	u.set.Remove(u.Upstream)
	other.mustCall(t, "echo")
	if got := len(u.set.everyone()); got != 1 {
		t.Errorf("got %d upstreams, want 1", got)
	}
}
