package upstream

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// noise logs what a server says that nobody asked for (its stderr, lines on
// stdout that are no messages), at most so much a second: a server that floods
// must not flood the log.
type noise struct {
	log zerolog.Logger

	mu      sync.Mutex
	second  time.Time
	lines   int
	dropped int
}

const (
	noisePerSecond = 20
	noiseLine      = 512 // bytes of one line that are logged
)

func (n *noise) stderr(line []byte) {
	if dropped, ok := n.allow(time.Now()); ok {
		withDropped(n.log.Info(), dropped).Bytes("stderr", line[:min(len(line), noiseLine)]).Msg("server says")
	}
}

func (n *noise) malformed(err error) {
	if dropped, ok := n.allow(time.Now()); ok {
		withDropped(n.log.Info(), dropped).Err(err).Msg("server wrote what is no message")
	}
}

// refused is a request of the server that goes to nobody.
func (n *noise) refused(method []byte, why string) {
	if dropped, ok := n.allow(time.Now()); ok {
		withDropped(n.log.Warn(), dropped).Bytes("method", clip(method)).Str("why", why).Msg("request of the server refused")
	}
}

// stray is an answer to no request, or to one that was given up.
func (n *noise) stray(id []byte) {
	line := n.log.Debug()
	if line == nil {
		return // it is not to count as one that was left out
	}
	dropped, ok := n.allow(time.Now())
	if !ok {
		line.Discard()
		return
	}
	withDropped(line, dropped).Bytes("id", clip(id)).Msg("answer to no request")
}

// withDropped adds how many lines were left out before this one.
func withDropped(e *zerolog.Event, dropped int) *zerolog.Event {
	if dropped > 0 {
		e = e.Int("lines_dropped", dropped)
	}
	return e
}

// allow reports whether one more line may be logged, and how many were not
// before it.
func (n *noise) allow(now time.Time) (dropped int, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Sub(n.second) >= time.Second {
		n.second, n.lines = now, 0
	}
	if n.lines++; n.lines > noisePerSecond {
		n.dropped++
		return 0, false
	}
	dropped, n.dropped = n.dropped, 0
	return dropped, true
}
