package audit

import (
	"bytes"
	"fmt"
	"time"
)

// This file is the goroutine of a Log.

// write writes what is taken until the Log is closed.
func (l *Log) write() {
	defer close(l.ended)
	defer l.file.close()
	var clean []byte
	for open := true; open; {
		open = l.gather()
		taken := l.take()
		if text := taken.text; len(taken.arguments) == 0 {
			l.put(text)
		} else {
			clean = taken.redacted(clean[:0], l.cfg.Redact)
			l.put(clean)
		}
		l.giveBack(taken)
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
func (l *Log) take() batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.queue
	l.queue, l.spare = l.spare, batch{}
	close(l.space)
	l.space = make(chan struct{})
	l.stuck = false
	return taken
}

// giveBack returns the room of a batch, unless that is much more than is needed.
func (l *Log) giveBack(b batch) {
	const usual = 64 << 10
	if cap(b.text) > usual && len(b.text) < cap(b.text)/16 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spare = batch{b.text[:0], b.arguments[:0]}
}

// redacted appends the lines without the secrets in their arguments. Arguments
// that grow too long by that are left out as those are that were too long before.
func (b *batch) redacted(dst []byte, redact func(dst, raw []byte) []byte) []byte {
	done := 0
	for _, s := range b.arguments {
		dst = append(dst, b.text[done:s.from]...)
		done = s.to
		head := len(dst)
		dst = redact(append(dst, argumentsHead...), b.text[s.from:s.to])
		if len(dst)-head > maxArguments+len(argumentsHead) {
			dst = appendLength(dst[:head], s.to-s.from)
			continue
		}
		for i := head; i < len(dst); i++ {
			if dst[i] == '\n' {
				dst[i] = ' ' // it is white space between members: in a string it would be escaped
			}
		}
	}
	return append(dst, b.text[done:]...)
}

// put writes lines, and tries until it can or there is no more time. Meanwhile
// nobody waits for room.
func (l *Log) put(text []byte) {
	for {
		rest, err := l.append(text)
		if err == nil {
			l.failing = false
			return
		}
		text = rest
		if !l.failing {
			l.failing = true
			l.report(fmt.Errorf("audit log: %w (calls go on; what is not recorded is counted)", err))
		}
		l.mu.Lock()
		l.stuck = true
		if l.closed {
			l.lost += bytes.Count(text, newline)
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

var newline = []byte{'\n'}

// append appends lines to the file, and before them how many records were lost.
// It returns what is left to write after an error.
func (l *Log) append(text []byte) (rest []byte, err error) {
	if lost := l.takeLost(); lost > 0 {
		var e lineEncoder
		if _, err := l.file.write(e.appendLost(nil, time.Now(), lost)); err != nil {
			l.mu.Lock()
			l.lost += lost
			l.mu.Unlock()
			return text, err
		}
		l.report(fmt.Errorf("audit log: %d records are lost", lost))
	}
	for len(text) > 0 {
		next := text
		if len(next) > chunk {
			next = next[:bytes.LastIndexByte(next[:chunk], '\n')+1]
		}
		whole, err := l.file.write(next)
		text = text[whole:]
		if err != nil {
			return text, err
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
