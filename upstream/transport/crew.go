package transport

import (
	"sync"
	"sync/atomic"
)

// maxIdle is how many goroutines of a crew wait for more to do. Each has 16 KB or
// less, of which the collector takes what is not used.
const maxIdle = 32

// A crew does each thing on a goroutine of its own. Some stay when they are done
// and take the next: on its way through net/http the stack of a goroutine grows
// several times, and copying it took a sixth of all that a call over HTTP takes
// of the processor.
type crew struct {
	jobs chan func()
	end  <-chan struct{} // closed when nobody shall stay any more
	idle atomic.Int32
	work sync.WaitGroup
}

func newCrew(end <-chan struct{}) *crew { return &crew{jobs: make(chan func()), end: end} }

// do returns at once.
func (c *crew) do(job func()) {
	select {
	case c.jobs <- job: // there is somebody who waits for it
	default:
		c.work.Go(func() { c.run(job) })
	}
}

func (c *crew) run(job func()) {
	for {
		job()
		if !c.mayStay() {
			return
		}
		select {
		case job = <-c.jobs:
			c.idle.Add(-1)
		case <-c.end:
			return
		}
	}
}

func (c *crew) mayStay() bool {
	if c.idle.Add(1) <= maxIdle {
		return true
	}
	c.idle.Add(-1)
	return false
}

// wait waits for all that was to be done, and, when end is closed, for everybody.
func (c *crew) wait() { c.work.Wait() }
