package bridge

import (
	"context"
	"sync"
)

// A queue holds lines for one reader. It is not bounded: what a server says in a
// test is.
type queue struct {
	mu      sync.Mutex
	lines   [][]byte
	closed  bool
	changed chan struct{} // holds something when there may be news
}

func newQueue() *queue { return &queue{changed: make(chan struct{}, 1)} }

func (q *queue) put(line []byte) {
	q.mu.Lock()
	q.lines = append(q.lines, line)
	q.mu.Unlock()
	q.wake()
}

// close says that no more lines come.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// next waits for a line. It returns nil at the end of the queue or of ctx.
func (q *queue) next(ctx context.Context) []byte {
	for {
		q.mu.Lock()
		if len(q.lines) > 0 {
			line := q.lines[0]
			q.lines = q.lines[1:]
			q.mu.Unlock()
			return line
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			return nil
		}
		select {
		case <-q.changed:
		case <-ctx.Done():
			return nil
		}
	}
}
