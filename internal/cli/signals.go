package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
)

// signals turns the signals of the process into the end of a context.
type signals struct {
	received chan os.Signal
	end      chan struct{}
	done     sync.WaitGroup

	mu       sync.Mutex
	onHangup func() // guarded by mu; nil: the end, as for the others
}

// watchSignals returns a context that ends with an interrupt, a termination
// or a hangup. A write to a pipe that nobody reads is an error like any other
// from now on, not the end of the process. The caller calls stop.
func watchSignals(ctx context.Context) (context.Context, *signals) {
	ctx, cancel := context.WithCancel(ctx)
	s := &signals{received: make(chan os.Signal, 4), end: make(chan struct{})}
	signal.Notify(s.received, watched...)
	s.done.Go(func() {
		defer cancel()
		for {
			select {
			case <-s.end:
				return
			case sig := <-s.received:
				s.handle(sig, cancel)
			}
		}
	})
	return ctx, s
}

func (s *signals) stop() {
	signal.Stop(s.received)
	close(s.end)
	s.done.Wait()
}

// setHangup makes a hangup call f instead of ending the context.
func (s *signals) setHangup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onHangup = f
}

func (s *signals) handle(sig os.Signal, cancel context.CancelFunc) {
	s.mu.Lock()
	hangup := s.onHangup
	s.mu.Unlock()
	switch {
	case isBrokenPipe(sig):
	case isHangup(sig) && hangup != nil:
		hangup()
	default:
		cancel()
	}
}
