package upstream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// wantOutage makes a call that must fail, for the state that the server has been
// in, or near, since then.
func (u fixture) wantOutage(t *testing.T, when string, state State, since time.Time) *Fault {
	t.Helper()
	failure, ok := errors.AsType[Failure](u.call(t, "echo", "").err)
	if !ok {
		t.Fatalf("%s: the call did not fail", when)
	}
	f := failure.Detail()
	if f.State != state || !f.Since.Equal(since) || f.MaybeExecuted {
		t.Errorf("%s: got %q since %v (%v), want %q since %v", when, f.State, f.Since, f, state, since)
	}
	if _, err := u.Connect(t.Context()); state != Connecting {
		if again, ok := errors.AsType[Failure](err); !ok || !again.Detail().Since.Equal(since) {
			t.Errorf("%s: connecting got %v, want the same failure", when, err)
		}
	}
	return f
}

// reachable is a server that can be reached, or not, as the test says.
type reachable struct {
	server *upstreamtest.Server
	not    bool
}

func (r *reachable) dial(ctx context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
	if r.not {
		return nil, &transport.DialError{Err: errors.New("dialling /home/me/server?token=secret")}
	}
	return dialMemory(r.server)(ctx, cfg, recv)
}

// A call that fails because its server cannot be used says since when: since the
// connection was lost, or the first try failed, however many have failed since.
func TestOutageSinceItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reachable{not: true, server: newServer(script{
			Tools: tools("echo", "die"), Rules: []rule{on("tools/call die", step{Exit: true})},
		})}
		u := open(t, Config{IdleStop: idleStop}, r.dial, legacyHost)
		began := time.Now()
		for range breakerFailures + 2 {
			f := u.wantOutage(t, "never reached", Backoff, began)
			if strings.Contains(f.Text+f.Hint, "secret") {
				t.Errorf("got %+v", f)
			}
			<-time.After(time.Until(u.Status().Retry))
		}
		r.not = false
		u.mustCall(t, "echo")
		<-time.After(time.Minute)

		r.not = true
		lost := time.Now()
		if f := fault(t, u.call(t, "die", "").err, KindConnection, true); !f.Since.IsZero() {
			t.Errorf("the call that was lost: got %+v, want no outage", f)
		}
		<-time.After(time.Minute)
		u.wantOutage(t, "lost", Backoff, lost)
		<-time.After(time.Minute)
		u.wantOutage(t, "lost, and tried twice", Backoff, lost)
		<-time.After(time.Minute)

		r.not = false
		u.mustCall(t, "echo")
		u.wantStopped(t, idleStop)
		r.not = true
		<-time.After(time.Minute)
		u.wantOutage(t, "stopped by weir", Backoff, time.Now())
	})
}

// A server that is connected and answers nothing, again and again, has been gone
// since it was of use last.
func TestOutageOfUselessConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := openScript(t, script{Rules: []rule{nth(1, "tools/call", step{Default: true}), on("tools/call", step{Exit: true})}}, legacyHost)
		u.mustCall(t, "echo")
		<-time.After(time.Minute)
		gone := time.Now()
		for u.Status().State != Backoff {
			fault(t, u.call(t, "echo", "").err, KindConnection, true)
			synctest.Wait()
			<-time.After(time.Second)
		}
		u.wantOutage(t, "useless", Backoff, gone)
	})
}

// Beside the call that tries a server whose breaker is open the others say so.
func TestOutageBesideTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reluctant{from: 100}
		u := open(t, Config{}, r.dial, legacyHost)
		gone := time.Now().Add(dialTime) // when the first try has failed
		for range breakerFailures {
			<-time.After(time.Until(u.Status().Retry))
			u.call(t, "echo", "")
			synctest.Wait()
		}
		<-time.After(time.Until(u.Status().Retry))
		u.Do(nil, toolCall(newSink(), "echo", ""))
		synctest.Wait()
		u.wantOutage(t, "beside the probe", Connecting, gone)
	})
}

// Want of a login, refused credentials, and what the configuration says have a
// beginning too.
func TestOutageThatOnlyTheUserEnds(t *testing.T) {
	refused := func(t *testing.T, login bool) fixture {
		h := &holder{token: "bad"}
		kind := auth.Bearer
		if login {
			kind = auth.OAuth2
			h.refuse(h.wantLogin)
		}
		return openBehind(t, kind, h, script{}, &doors{token: "good"})
	}
	for _, test := range []struct {
		name string
		open func(*testing.T) fixture
		want State
	}{
		{"login", func(t *testing.T) fixture { return refused(t, true) }, NeedsLogin},
		{"credentials", func(t *testing.T) fixture { return refused(t, false) }, Failed},
		{"switched off", func(t *testing.T) fixture { return open(t, Config{Disabled: true}, nil, legacyHost) }, Disabled},
		{"misconfigured", func(t *testing.T) fixture {
			return open(t, Config{Broken: errors.New("/home/me/.token: no such file")}, nil, legacyHost)
		}, Failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := test.open(t)
				began := time.Now()
				for range 3 {
					f := u.wantOutage(t, test.name, test.want, began)
					if strings.Contains(f.Text+f.Hint, "/home") {
						t.Errorf("got %+v", f)
					}
					<-time.After(time.Hour)
				}
			})
		})
	}
}
