package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// What the errors of a transport become, for a request that was handed to it.
func TestFailures(t *testing.T) {
	u := newUpstream(Config{Name: "u", Transport: HTTP}, NewSet(nil, Options{}))
	status := func(code int) error { return fmt.Errorf("wrapped: %w", &transport.StatusError{Code: code}) }
	tests := []struct {
		err       error
		kind      Kind
		maybe     bool
		retryable bool
	}{
		{&transport.DialError{Err: errors.New("x")}, KindConnection, false, true},
		{&transport.BrokenError{Err: errors.New("x")}, KindConnection, true, true},
		// The rest of an answer could not be fetched: the call went out.
		{&transport.BrokenError{Err: status(404)}, KindConnection, true, true},
		{errors.New("x"), KindConnection, true, true},
		{transport.ErrClosed, KindConnection, true, true},
		{status(200), KindTransport, true, false},
		{status(302), KindTransport, false, false},
		{status(401), KindAuthentication, false, false},
		{status(403), KindAuthorization, false, false},
		{status(404), KindTransport, false, false},
		{status(429), KindRateLimited, false, true},
		{status(599), KindTransport, true, true},
	}
	for _, test := range tests {
		t.Run(test.err.Error(), func(t *testing.T) {
			f := fault(t, u.failure(sent(test.err)), test.kind, test.maybe)
			if f.Retryable != test.retryable || f.Server != "u" || !errors.Is(f.Err, test.err) && !strings.Contains(f.Err.Error(), test.err.Error()) {
				t.Errorf("got %+v", f)
			}
			if test.maybe != (f.Hint == outcomeUnknown) {
				t.Errorf("got hint %q", f.Hint)
			}
			// For who waited for the connection, nothing was sent.
			after := fault(t, unsent(u.failure(sent(test.err))), test.kind, false)
			if after.Hint == outcomeUnknown {
				t.Errorf("got hint %q", after.Hint)
			}
			fault(t, delayed(u.failure(sent(test.err)), time.Second, ""), test.kind, false)
		})
	}
}

func TestWithFault(t *testing.T) {
	f := &Fault{}
	for _, failure := range []Failure{
		ConnectionError{f},
		TransportError{f},
		AuthenticationError{f},
		AuthorizationError{f},
		ProtocolError{f},
		SerializationError{f},
		TimeoutError{f},
		ConfigurationError{f},
		RateLimitError{f},
	} {
		other := &Fault{Server: "o"}
		if got := withFault(failure, other); got.Kind() != failure.Kind() || got.Detail() != other {
			t.Errorf("withFault(%T) = %T", failure, got)
		}
	}
	if SafeToRetry(errors.New("unknown")) {
		t.Error("an unknown error is safe to retry")
	}
}

func TestPauseAfter(t *testing.T) {
	for failures, least := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 8: 128 * time.Second, 9: 4 * time.Minute, 100: 4 * time.Minute, 1 << 40: 4 * time.Minute,
	} {
		for range 100 {
			if got := pauseAfter(failures); got < least || got > least+least/4 {
				t.Errorf("pauseAfter(%d) = %v, want %v to %v", failures, got, least, least+least/4)
			}
		}
	}
}

// A flood fills the log at most so fast, and it says what it left out.
func TestNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		n := noise{log: zerolog.New(&log)}
		for range 1000 {
			n.stderr(bytes.Repeat([]byte("x"), 4000))
			n.malformed(errors.New("no message"))
			n.stray([]byte(strings.Repeat("1", 4000)))
			n.refused(bytes.Repeat([]byte("m"), 4000), "nobody wants it")
		}
		if lines := bytes.Count(log.Bytes(), []byte("\n")); lines != noisePerSecond || log.Len() > noisePerSecond*2*noiseLine {
			t.Errorf("got %d lines, %d bytes, want %d", lines, log.Len(), noisePerSecond)
		}
		<-time.After(time.Second)
		log.Reset()
		n.stderr([]byte("last\x1b[31m"))
		want := `{"level":"info","lines_dropped":3980,"stderr":"last\u001b[31m","message":"server says"}` + "\n"
		if log.String() != want {
			t.Errorf("got %s, want %s", log.String(), want)
		}
	})
}

// A dialer may fail after the server has spoken.
func TestDialFailsAfterTheServerSpoke(t *testing.T) {
	c := newConnection(newUpstream(Config{Name: "u"}, NewSet(nil, Options{})))
	close(c.dialled)
	var m jsonrpc.Message
	if err := m.Parse([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	c.Receive(nil, &m, 0)
	c.Malformed(nil, []byte("1"), errors.New("x"))
	c.Failed(&transport.Outgoing{ID: 1}, errors.New("x"))
}
