package transport

import (
	"runtime"
	"testing"
	"testing/synctest"
	"weak"
)

func TestCrewStaysForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		c := newCrew(end)
		release := make(chan struct{})
		for range 2 * maxIdle {
			c.do(func() { <-release })
		}
		synctest.Wait() // all are under way, though nobody stays yet
		close(release)
		synctest.Wait()
		if got := c.idle.Load(); got != maxIdle {
			t.Errorf("idle after a rush: got %d, want %d", got, maxIdle)
		}

		release = make(chan struct{})
		c.do(func() { <-release })
		synctest.Wait()
		if got := c.idle.Load(); got != maxIdle-1 {
			t.Errorf("idle while one has to do: got %d, want %d", got, maxIdle-1)
		}
		close(end)
		synctest.Wait()
		close(release)
		c.wait()
	})
}

// TestCrewKeepsNothing: of what was done last, which may hold a large message.
func TestCrewKeepsNothing(t *testing.T) {
	end := make(chan struct{})
	c := newCrew(end)
	defer c.wait()
	defer close(end)
	for _, which := range []string{"first", "second"} {
		done := make(chan weak.Pointer[[1 << 20]byte])
		c.do(jobWith(done))
		large := <-done
		for c.idle.Load() == 0 {
			runtime.Gosched()
		}
		if runtime.GC(); large.Value() != nil {
			t.Errorf("the %s: is kept", which)
		}
	}
}

func jobWith(done chan<- weak.Pointer[[1 << 20]byte]) func() {
	large := new([1 << 20]byte)
	return func() { done <- weak.Make(large) }
}
