package upstream

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/transport"
)

func TestConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := openConfig(t, Config{ConnectTimeout: 7 * time.Second}, script{Rules: []rule{on("initialize")}}, legacyHost)
		began := time.Now()
		first, late := newSink(), newSink()
		u.Do(nil, toolCall(first, "echo", ""))
		<-time.After(5 * time.Second)
		u.Do(nil, toolCall(late, "echo", ""))
		_, err := u.Connect(t.Context())
		for _, err := range []error{err, first.wait(t).err, late.wait(t).err} {
			if f := fault(t, err, KindTimeout, false); !strings.Contains(f.Text, "7s") {
				t.Errorf("got text %q", f.Text)
			}
		}
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("got the failure after %v, want 7s", took)
		}
	})
}

// A dial that fails is tried again after pauses that grow from 1 s to 5 min,
// and in between calls fail at once.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		u := open(t, Config{}, func(context.Context, Config, transport.Receiver) (transport.Conn, error) {
			dials++
			return nil, &transport.DialError{Err: errors.New("secret path")}
		}, legacyHost)
		least := time.Second
		for try := 1; try <= 12; try++ {
			a, b := newSink(), newSink()
			u.Do(nil, toolCall(a, "echo", ""))
			u.Do(nil, toolCall(b, "echo", ""))
			f := fault(t, a.wait(t).err, KindConnection, false)
			if !f.Retryable || strings.Contains(f.Text+f.Hint, "secret") {
				t.Errorf("got %+v", f)
			}
			fault(t, b.wait(t).err, KindConnection, false)
			synctest.Wait()
			if dials != try {
				t.Fatalf("got %d dials, want %d", dials, try)
			}
			st := u.Status()
			pause := st.Retry.Sub(st.Since)
			most := min(least+least/4, lastPause)
			if st.State != Backoff || pause < least || pause > most {
				t.Errorf("after try %d: state %q, pause %v, want backoff, %v to %v", try, st.State, pause, least, most)
			}
			<-time.After(pause / 2)
			f = fault(t, u.call(t, "echo", "").err, KindConnection, false)
			if want := time.Until(st.Retry); f.RetryAfter != want {
				t.Errorf("got retry after %v, want %v", f.RetryAfter, want)
			}
			<-time.After(time.Until(st.Retry))
			least = min(2*least, lastPause/5*4)
		}
	})
}

// A server that ends each time before it has answered anything is not started
// without end; one good answer makes it a good server again.
func TestUselessConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openScript(t, script{Rules: []rule{
			nth(5, "tools/call", step{Default: true}),
			on("tools/call", step{Exit: true}),
		}}, legacyHost)
		fault(t, u.call(t, "echo", "").err, KindConnection, true)
		synctest.Wait()
		if st := u.Status(); st.State != Idle || st.Reason == nil {
			t.Errorf("after one loss: %+v, want idle with a reason", st)
		}
		for range 3 {
			fault(t, u.call(t, "echo", "").err, KindConnection, true)
			synctest.Wait()
			st := u.Status()
			if st.State != Backoff {
				t.Fatalf("after another loss: state %q, want backoff", st.State)
			}
			fault(t, u.call(t, "echo", "").err, KindConnection, false)
			<-time.After(time.Until(st.Retry))
		}
		u.mustCall(t, "echo")
		fault(t, u.call(t, "echo", "").err, KindConnection, true)
		synctest.Wait()
		if st := u.Status(); st.State != Idle {
			t.Errorf("after a loss of a good connection: state %q, want idle", st.State)
		}
		if n := len(server.Received("initialize")); n != 5 {
			t.Errorf("got %d handshakes, want 5", n)
		}
	})
}

// Who waits when the Set closes is told, at whatever point that is.
func TestClose(t *testing.T) {
	tests := []struct {
		name  string
		rules []rule
		maybe bool
	}{
		{"shaking hands", []rule{on("initialize")}, false},
		{"under way", []rule{on("tools/call")}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, _ := openScript(t, script{Rules: test.rules}, legacyHost)
				s := newSink()
				u.Do(nil, toolCall(s, "echo", ""))
				synctest.Wait()
				u.set.Close()
				f := fault(t, s.wait(t).err, KindConnection, test.maybe)
				if f.Text != "weir is ending" {
					t.Errorf("got text %q", f.Text)
				}
				fault(t, u.call(t, "echo", "").err, KindConnection, false)
				if st := u.Status(); st.State != Closed {
					t.Errorf("got state %q, want closed", st.State)
				}
				u.set.Close()
			})
		})
	}
	t.Run("dialling", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u := open(t, Config{}, func(ctx context.Context, _ Config, _ transport.Receiver) (transport.Conn, error) {
				<-ctx.Done()
				return nil, &transport.DialError{Err: ctx.Err()}
			}, legacyHost)
			s := newSink()
			u.Do(nil, toolCall(s, "echo", ""))
			synctest.Wait()
			u.set.Close()
			fault(t, s.wait(t).err, KindConnection, false)
		})
	})
	t.Run("never used", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{}, legacyHost)
			u.set.Close()
			fault(t, u.call(t, "echo", "").err, KindConnection, false)
			_, err := u.Connect(t.Context())
			fault(t, err, KindConnection, false)
			if n := len(server.Received("initialize")); n != 0 {
				t.Errorf("got %d handshakes, want none", n)
			}
		})
	})
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		cfg   Config
		state State
	}{
		{Config{Disabled: true}, Disabled},
		{Config{Broken: errors.New("unset variable")}, Failed},
	}
	for _, test := range tests {
		t.Run(string(test.state), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.cfg.Eager = true
				u, _ := openConfig(t, test.cfg, script{}, legacyHost)
				fault(t, u.call(t, "echo", "").err, KindConfiguration, false)
				_, err := u.ListTools(t.Context())
				fault(t, err, KindConfiguration, false)
				if st := u.Status(); st.State != test.state || u.Usable() {
					t.Errorf("got state %q, usable %v", st.State, u.Usable())
				}
			})
		})
	}
	t.Run("transport", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u := open(t, Config{Transport: "pigeon"}, nil, legacyHost)
			fault(t, u.call(t, "echo", "").err, KindConfiguration, false)
		})
	})
	t.Run("reference", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := openConfig(t, Config{
				Args: []string{"${file:x}"},
				Resolve: func(_ context.Context, text string) (string, error) {
					if text == "" {
						return "", nil
					}
					return "", errors.New("no such file")
				},
			}, script{}, legacyHost)
			fault(t, u.call(t, "echo", "").err, KindConfiguration, false)
		})
	})
}

func TestConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := openScript(t, script{
			Instructions: "be \u2028 brief", Rules: []rule{nth(1, "initialize", step{Delay: delay(time.Second)}, step{Default: true})},
		}, legacyHost)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("enough"))
		defer cancel()
		if _, err := u.Connect(ctx); err == nil || err.Error() != "enough" {
			t.Errorf("got error %v, want the cause of the context", err)
		}
		for range 2 {
			facts, err := u.Connect(t.Context())
			if err != nil || facts.Instructions != "be \u2028 brief" || facts.Version != "2025-11-25" ||
				string(facts.ServerInfo) == "" || string(facts.Capabilities) == "" {
				t.Errorf("got %+v, %v", facts, err)
			}
		}
		u.events.mu.Lock()
		defer u.events.mu.Unlock()
		if want := []State{Connecting, Ready}; !slices.Equal(u.events.states, want) {
			t.Errorf("got states %q, want %q", u.events.states, want)
		}
	})
}

func TestEager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := openConfig(t, Config{Eager: true}, script{}, legacyHost)
		synctest.Wait()
		if st := u.Status(); st.State != Ready {
			t.Errorf("got state %q, want ready", st.State)
		}
	})
}

// The next dial waits until nothing is left of the connection before, and the
// calls that wait for it wait no longer than the connect timeout.
func TestSlowEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		dials := 0
		u := open(t, Config{ConnectTimeout: 3 * time.Second}, func(_ context.Context, _ Config, recv transport.Receiver) (transport.Conn, error) {
			dials++
			near, far := transport.Memory()
			go func() {
				buf := make([]byte, 1<<10)
				_, _ = far.Input().Read(buf)
				far.Close()
			}()
			return slowEnd{transport.NewLines(near, recv, 1<<20), ended}, nil
		}, legacyHost)
		fault(t, u.call(t, "echo", "").err, KindConnection, false)
		<-time.After(2 * time.Second)
		began := time.Now()
		fault(t, u.call(t, "echo", "").err, KindTimeout, false)
		if took := time.Since(began); took != 3*time.Second || dials != 1 {
			t.Errorf("got the failure after %v and %d dials, want 3s, 1", took, dials)
		}
		close(ended)
	})
}

// slowEnd is a connection that takes its time to end.
type slowEnd struct {
	transport.Conn
	ended chan struct{}
}

func (c slowEnd) Done() <-chan struct{} { return c.ended }
