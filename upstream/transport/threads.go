package transport

import "sync"

// threads keeps messages in their order that each go by a POST of their own: one
// waits until that before it in its thread has ended.
type threads struct {
	mu   sync.Mutex
	last map[string]chan struct{} // by thread: closed when its latest message has ended
}

// join puts a delivery at the end of its thread, if it has one. It is to be
// called when the delivery's after and ended are set.
func (t *threads) join(d *delivery) {
	thread := d.out.Thread
	if thread == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last = make(map[string]chan struct{})
	}
	if before := t.last[thread]; before != nil {
		d.after = before // which has waited for what d would
	}
	own, ended := make(chan struct{}), d.ended
	t.last[thread] = own
	d.ended = func() {
		if ended != nil {
			ended()
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		close(own)
		if t.last[thread] == own {
			delete(t.last, thread)
		}
	}
}
