package aggregator

import (
	"sync"
	"time"
)

// pushDelay gathers changes of several servers into one notification.
const pushDelay = 100 * time.Millisecond

// pusher calls push a while after the first of several calls of soon.
type pusher struct {
	push func()

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
	running sync.WaitGroup
}

func (p *pusher) soon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || p.timer != nil {
		return
	}
	p.running.Add(1)
	p.timer = time.AfterFunc(pushDelay, func() {
		defer p.running.Done()
		p.mu.Lock()
		p.timer = nil
		stopped := p.stopped
		p.mu.Unlock()
		if !stopped {
			p.push()
		}
	})
}

// stop lets no push begin any more and waits for one under way.
func (p *pusher) stop() {
	p.mu.Lock()
	p.stopped = true
	if p.timer != nil && p.timer.Stop() {
		p.running.Done()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// pushChanges tells each host whose view of the lists has changed.
func (a *Aggregator) pushChanges() {
	for _, s := range a.sessionList() {
		s.pushIfChanged()
	}
}
