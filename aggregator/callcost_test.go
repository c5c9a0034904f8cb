package aggregator

import (
	"io"
	"runtime"
	"sync/atomic"
	"testing"
)

// callCost is what a call may take of the heap with many in flight: what it takes
// today, in this process with host and server, and a third more.
type callCost struct{ allocs, bytes float64 }

const (
	costRounds   = 20
	costTries    = 8
	costInFlight = 256
)

// A call that is answered leaves its memory to the next: the collector has next to
// nothing to do, however many there are. What else goes on in the process can only
// add, so that the least of several counts.
func TestCallsLeaveTheHeapAlone(t *testing.T) {
	h := newBenchHost(t, benchServer(), func(c *Config) { benchAudit(t, c) })
	burst := benchBurst(costInFlight)
	rounds := func() {
		for range costRounds {
			h.write(t, burst)
			for range costInFlight {
				h.read(t)
			}
		}
	}
	rounds() // make what the others use again
	var cost callCost
	for range costTries {
		cost = costOf(rounds)
		if cost.allocs <= mostPerCall.allocs && cost.bytes <= mostPerCall.bytes {
			return
		}
	}
	t.Errorf("a call takes %.2f allocations and %.0f bytes, want %v at most", cost.allocs, cost.bytes, mostPerCall)
}

func costOf(rounds func()) callCost {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rounds()
	runtime.ReadMemStats(&after)
	const calls = costRounds * costInFlight
	return callCost{
		allocs: float64(after.Mallocs-before.Mallocs) / calls,
		bytes:  float64(after.TotalAlloc-before.TotalAlloc) / calls,
	}
}

// What comes together goes on together: calls that the host has written at once,
// and answers that the server has written at once. A write for each would be 256;
// a pipe may hand over what is in it page by page, of which these fill eight.
func TestWhatComesTogetherGoesOnTogether(t *testing.T) {
	const most = 16
	server := benchServer()
	server.gathers, server.written = costInFlight, new(atomic.Int64)
	h := newBenchHost(t, server)
	burst := benchBurst(costInFlight)
	for range 3 {
		toServer, toHost := server.written.Load(), h.written.Load()
		h.write(t, burst)
		for range costInFlight {
			h.read(t)
		}
		toServer, toHost = server.written.Load()-toServer, h.written.Load()-toHost
		if toServer > most || toHost > most {
			t.Errorf("%d calls: got %d writes to the server and %d to the host, want %d at most", costInFlight, toServer, toHost, most)
		}
	}
}

// Who has found a call for a question of its server may look at it when it has had
// its answer: its memory serves no other then.
func TestCallThatIsKnownIsNotSpent(t *testing.T) {
	a := New(config(t, nil))
	defer a.Close()
	for _, known := range []bool{false, true} {
		s, asker := newSession(a, io.Discard), new(server)
		c := &call{s: s, op: toolCall, server: asker, key: keyOf([]byte("1")), answered: true}
		c.first.Sink = c
		s.calls.add(c)
		if known && s.oldestAsker(asker) != c {
			t.Fatal("the call was not found")
		}
		spentCall(&c.first)
		if kept := s.spares.given.Load() != c; kept != known {
			t.Errorf("a call that is known (%v): kept %v, want %v", known, kept, known)
		}
	}
}
