package aggregator

import (
	"sync"
	"testing"
)

// TestSparesAtOnce: calls come back from several goroutines while one takes them, none
// is had by two, and nothing is read of one that somebody else has. Only the race
// detector sees that.
func TestSparesAtOnce(t *testing.T) {
	const givers, rounds = 4, 3000
	var p spares
	out := make(chan *call, givers)
	var all sync.WaitGroup
	for range givers {
		all.Go(func() {
			for c := range out {
				if c.number != 1 {
					t.Error("a call is had by two")
				}
				c.number = 2
				p.give(c)
			}
		})
	}
	for range rounds {
		c := p.take()
		if c.number != 0 || c.next != nil {
			t.Error("a call is not empty")
		}
		c.number = 1
		out <- c
	}
	close(out)
	all.Wait()
}

// TestSparesEnd: no more are kept than there is room for, whether they wait to be
// taken or are about to be.
func TestSparesEnd(t *testing.T) {
	var p spares
	give := func(n int) {
		for range n {
			p.give(new(call))
		}
	}
	kept := func() (n int) {
		for _, first := range []*call{p.given.Load(), p.taken} {
			for c := first; c != nil; c = c.next {
				n++
			}
		}
		return n
	}
	give(maxSpares + 10)
	if got := kept(); got != maxSpares {
		t.Errorf("got %d, want %d", got, maxSpares)
	}
	p.take()
	give(10)
	if got := kept(); got != maxSpares {
		t.Errorf("one taken, and ten given: got %d, want %d", got, maxSpares)
	}
}
