package aggregator

import (
	"sync"
	"sync/atomic"
)

// merging sees to it that one merge is under way at a time, so that the last one is
// the newest, and that one does for all who waited for it: where many servers tell
// their lists together, a merge for each would cost the square of their number.
type merging struct {
	wanted atomic.Uint64 // merges, so far

	mu      sync.Mutex // held while merging
	covered uint64     // guarded by mu; those of wanted that were there when the last one began
}

// setSnapshot merges what the servers list now, and returns when a merge is there
// that has seen what was there before the call. It reports whether the view of it
// is another one; of several whom one merge does for, one is told.
func (a *Aggregator) setSnapshot() (changed bool) {
	m := &a.merging
	turn := m.wanted.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	if turn <= m.covered {
		return false
	}
	m.covered = m.wanted.Load()
	return a.merge()
}
