package audit

import (
	"fmt"
	"time"
)

// This file is the goroutine of a Log.

// write writes what is taken until the Log is closed.
func (l *Log) write() {
	defer close(l.ended)
	defer l.file.close()
	for open := true; open; {
		open = l.gather()
		batch := l.take()
		l.put(batch)
		l.giveBack(batch)
	}
}

// gather waits until there is something to write, and a moment for what comes
// with it. It reports false when there will be no more.
func (l *Log) gather() bool {
	select {
	case <-l.wake:
	case <-l.hurry:
		return true
	case <-l.ending:
		return false
	}
	select {
	case <-time.After(gatherTime):
	case <-l.hurry:
	case <-l.ending:
		return false
	}
	return true
}

// take takes what has come, and so makes room.
func (l *Log) take() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := l.queue
	l.queue, l.spare, l.arguments = l.spare, nil, 0
	close(l.space)
	l.space = make(chan struct{})
	l.stuck = false
	return batch
}

// giveBack returns the room of a batch, unless that is much more than is needed.
func (l *Log) giveBack(batch []Record) {
	if cap(batch) > 1024 && len(batch) < cap(batch)/16 {
		return
	}
	clear(batch)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spare = batch[:0]
}

// put writes a batch, and tries until it can or there is no more time. Meanwhile
// nobody waits for room.
func (l *Log) put(batch []Record) {
	for tries := 0; ; tries++ {
		rest, err := l.append(batch)
		if err == nil {
			return
		}
		if batch = rest; tries == 0 {
			l.report(fmt.Errorf("audit log: %w (calls go on; what is not recorded is counted)", err))
		}
		l.mu.Lock()
		l.stuck = true
		if l.closed {
			l.lost += len(batch)
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		select {
		case <-time.After(retryTime):
		case <-l.ending:
		}
	}
}

// append appends a batch to the file, and before it how many records were lost.
// It returns what is left to write after an error.
func (l *Log) append(batch []Record) (rest []Record, err error) {
	lost := l.takeLost()
	for lost > 0 || len(batch) > 0 {
		l.text = l.text[:0]
		if lost > 0 {
			l.text = l.lines.appendLost(l.text, time.Now(), lost)
		}
		for i := 0; i < len(batch) && len(l.text) < chunk; i++ {
			l.text = l.lines.append(l.text, &batch[i])
		}
		lines, err := l.file.write(l.text)
		if lost > 0 && lines > 0 {
			l.report(fmt.Errorf("audit log: %d records are lost", lost))
			lost = 0
			lines--
		}
		batch = batch[lines:]
		if err != nil {
			l.mu.Lock()
			l.lost += lost
			l.mu.Unlock()
			return batch, err
		}
	}
	return nil, nil
}

func (l *Log) takeLost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.lost
	l.lost = 0
	return lost
}

func (l *Log) report(err error) {
	if l.cfg.Report != nil {
		l.cfg.Report(err)
	}
}
