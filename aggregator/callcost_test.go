package aggregator

import (
	"runtime"
	"testing"
)

// callCost is what a call may take of the heap with many in flight: what it takes
// today, in this process with host and server, and a third more.
type callCost struct{ allocs, bytes float64 }

const (
	costRounds   = 40
	costInFlight = 256
)

// A call that is answered leaves its memory to the next: the collector has next to
// nothing to do, however many there are.
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
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rounds()
	runtime.ReadMemStats(&after)
	const calls = costRounds * costInFlight
	allocs, size := float64(after.Mallocs-before.Mallocs)/calls, float64(after.TotalAlloc-before.TotalAlloc)/calls
	t.Logf("a call takes %.2f allocations, %.0f bytes", allocs, size)
	if allocs > mostPerCall.allocs || size > mostPerCall.bytes {
		t.Errorf("a call takes %.2f allocations and %.0f bytes, want %v at most", allocs, size, mostPerCall)
	}
}
