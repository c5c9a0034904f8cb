package upstream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/transport"
)

// reluctant is a server that can be reached from the nth dial on only, and takes
// its time.
type reluctant struct {
	from  int
	dials int // so far; read when nothing is under way
	next  Dialer
}

const dialTime = 100 * time.Millisecond

func (r *reluctant) dial(ctx context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
	r.dials++
	<-time.After(dialTime)
	if r.dials < r.from {
		return nil, &transport.DialError{Err: errors.New("nobody there")}
	}
	return r.next(ctx, cfg, recv)
}

// callAtOnce makes so many calls at once and returns how many failed at once, and
// how many later.
func (u fixture) callAtOnce(t *testing.T, n int) (atOnce, later, good int) {
	t.Helper()
	sinks := make([]*sink, n)
	for i := range sinks {
		sinks[i] = newSink()
		u.Do(nil, toolCall(sinks[i], "echo", ""))
		if len(sinks[i].done) > 0 {
			atOnce++
		}
	}
	for _, s := range sinks {
		if d := s.wait(t); d.err == nil {
			good++
		} else {
			fault(t, d.err, KindConnection, false)
			later++
		}
	}
	return atOnce, later - atOnce, good
}

// Five failures in a row open the breaker: of a hundred calls that come when there
// may be another try, one waits for it, and the others fail at once. Before, they
// all wait. Success closes it.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 100
		server := newServer(script{Tools: tools("echo", "die"), Rules: []rule{on("tools/call die", step{Exit: true})}})
		r := &reluctant{from: 8, next: dialMemory(server)}
		u := open(t, Config{}, r.dial, legacyHost)
		for try := 1; try < r.from; try++ {
			wantAtOnce := 0
			if try > breakerFailures {
				wantAtOnce = many - 1
			}
			if atOnce, later, good := u.callAtOnce(t, many); atOnce != wantAtOnce || later != many-wantAtOnce || good != 0 {
				t.Errorf("try %d: %d failed at once, %d later, %d were good, want %d at once", try, atOnce, later, good, wantAtOnce)
			}
			synctest.Wait()
			st := u.Status()
			if r.dials != try || st.State != Backoff || st.Failures != try || st.IsOpen() != (try >= breakerFailures) {
				t.Fatalf("got %d dials, %+v, open %v, want %d", r.dials, st, st.IsOpen(), try)
			}
			<-time.After(time.Until(st.Retry) - time.Nanosecond)
			if atOnce, _, _ := u.callAtOnce(t, many); atOnce != many || r.dials != try {
				t.Errorf("before the next try: %d of %d calls failed at once, %d dials", atOnce, many, r.dials)
			}
			<-time.After(time.Nanosecond)
		}
		if atOnce, _, good := u.callAtOnce(t, many); atOnce != many-1 || good != 1 || r.dials != r.from {
			t.Errorf("got %d failures at once, %d good, %d dials, want %d, 1, %d", atOnce, good, r.dials, many-1, r.from)
		}
		if _, _, good := u.callAtOnce(t, many); good != many || u.Status().IsOpen() {
			t.Errorf("got %d good calls of %d, open: %v", good, many, u.Status().IsOpen())
		}
		fault(t, u.call(t, "die", "").err, KindConnection, true)
		if _, _, good := u.callAtOnce(t, many); good != many || r.dials != r.from+1 {
			t.Errorf("after a loss: got %d good calls of %d, %d dials", good, many, r.dials)
		}
	})
}

// What is said while the breaker is open: what is wrong, and when to come again.
func TestBreakerTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reluctant{from: 100}
		u := open(t, Config{}, r.dial, legacyHost)
		for range breakerFailures {
			<-time.After(time.Until(u.Status().Retry))
			u.call(t, "echo", "")
			synctest.Wait()
		}
		st := u.Status()
		<-time.After(6 * time.Second)
		f := fault(t, u.call(t, "echo", "").err, KindConnection, false)
		if wait := time.Until(st.Retry); f.RetryAfter != wait || !f.Retryable ||
			f.Text != "the server could not be reached" ||
			f.Hint != "That makes 5 failures in a row. Nothing was sent." {
			t.Errorf("got %+v, want it to say %v", f, wait)
		}
		<-time.After(time.Until(st.Retry))
		probe := newSink()
		u.Do(nil, toolCall(probe, "echo", ""))
		f = fault(t, u.call(t, "echo", "").err, KindConnection, false)
		if f.RetryAfter != firstPause || !strings.HasSuffix(f.Hint, "Another try is being made right now.") {
			t.Errorf("beside the probe: got %+v", f)
		}
		synctest.Wait()
		if now := u.Status(); now.State != Connecting || !errors.Is(now.Reason, st.Reason) || !now.Since.Equal(time.Now()) {
			t.Errorf("got %+v, want connecting with the reason of before", now)
		}
		probe.wait(t)
	})
}

// A list that is to be asked for waits for the probe, since it sends nothing then.
func TestListWaitsForTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer(script{Tools: tools("echo")})
		r := &reluctant{from: breakerFailures + 1, next: dialMemory(server)}
		u := open(t, Config{}, r.dial, legacyHost)
		for range breakerFailures {
			<-time.After(time.Until(u.Status().Retry))
			u.call(t, "echo", "")
			synctest.Wait()
		}
		<-time.After(time.Until(u.Status().Retry))
		probe := newSink()
		u.Do(nil, toolCall(probe, "echo", ""))
		if list, err := u.ListTools(t.Context()); err != nil || len(list.Items) != 1 {
			t.Errorf("got %v, %v", list, err)
		}
		if d := probe.wait(t); d.err != nil {
			t.Error(d.err)
		}
	})
}

// A server that has let weir in is no longer one that cannot be reached, though it
// will not have the credentials.
func TestRefusalClosesTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuses := false
		u := open(t, Config{}, func(context.Context, Config, transport.Receiver) (transport.Conn, error) {
			if refuses {
				return nil, &transport.StatusError{Code: 401}
			}
			return nil, &transport.DialError{Err: errors.New("nobody there")}
		}, legacyHost)
		for range breakerFailures + 1 {
			<-time.After(time.Until(u.Status().Retry))
			u.call(t, "echo", "")
			synctest.Wait()
		}
		refuses = true
		<-time.After(time.Until(u.Status().Retry))
		fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
		synctest.Wait()
		if st := u.Status(); st.State != Failed || st.Failures != 0 {
			t.Errorf("got %+v", st)
		}
	})
}
