package jsonrpc

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// TestFlushLetsRunWhatWasStarted: with one processor nothing else runs until the
// goroutine yields, or is made to now and then.
func TestFlushLetsRunWhatWasStarted(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const rounds = 100
	tests := []struct {
		name  string
		start func(b *Batch, run func())
		runs  bool
	}{
		{"a message", func(b *Batch, run func()) { go run(); b.Started() }, true},
		{"a write that waits", func(b *Batch, run func()) { queue(t, NewWriter(written(run)), b, "a") }, true},
		{"nothing that it was told of", func(_ *Batch, run func()) { go run() }, false}, // though it was before
	}
	var b Batch
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var all sync.WaitGroup
			ran := 0
			for range rounds {
				var done atomic.Bool
				all.Add(1)
				tt.start(&b, func() { done.Store(true); all.Done() })
				b.Flush()
				if done.Load() {
					ran++
				}
			}
			all.Wait()
			if got := ran > rounds/2; got != tt.runs {
				t.Errorf("ran before Flush returned: got %d of %d", ran, rounds)
			}
		})
	}
	(*Batch)(nil).Started()
}

// written is told of each write.
type written func()

func (w written) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}
