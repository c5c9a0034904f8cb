package process

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	stderrKept = 64 << 10 // bytes of the tail
	lineKept   = 4 << 10  // bytes of one line

	lineBurst    = 200                   // lines that may come at once
	lineInterval = 20 * time.Millisecond // between lines in the long run
)

// stderr drains what a child writes to its standard error: the child is never
// held up, and neither memory nor whoever takes the lines is flooded.
type stderr struct {
	file *os.File
	take func(line []byte)
	done chan struct{}

	lines   lines
	limit   lineLimit
	dropped int // lines since the last one that was taken

	mu   sync.Mutex
	tail []byte // guarded by mu
}

func newStderr(file *os.File, take func([]byte)) *stderr {
	if take == nil {
		take = func([]byte) {}
	}
	return &stderr{file: file, take: take, done: make(chan struct{})}
}

func (s *stderr) drain() {
	defer close(s.done)
	buf := make([]byte, 4<<10)
	for {
		n, err := s.file.Read(buf)
		s.keep(buf[:n])
		s.lines.write(buf[:n], s.line)
		if err != nil {
			s.lines.flush(s.line)
			s.tellDropped()
			return
		}
	}
}

// end stops the draining, after what is there now has had its time.
func (s *stderr) end() {
	if s.file.SetReadDeadline(time.Now().Add(lastWords)) != nil {
		_ = s.file.Close() // no deadlines on pipes here: close it under the reader
	}
	<-s.done
	_ = s.file.Close()
}

func (s *stderr) line(line []byte) {
	if !s.limit.allow(time.Now()) {
		s.dropped++
		return
	}
	s.tellDropped()
	s.take(line)
}

func (s *stderr) tellDropped() {
	if s.dropped > 0 {
		s.take(fmt.Appendf(nil, "(%d lines left out)", s.dropped))
		s.dropped = 0
	}
}

func (s *stderr) keep(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tail = append(s.tail, p...)
	if len(s.tail) > 2*stderrKept { // move seldom
		s.tail = append(s.tail[:0], s.tail[len(s.tail)-stderrKept:]...)
	}
}

func (s *stderr) last() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.tail[max(0, len(s.tail)-stderrKept):])
}

// lines cuts a stream into lines of at most lineKept bytes; what a line has
// beyond that is dropped.
type lines struct{ line []byte }

func (l *lines) write(p []byte, take func([]byte)) {
	for {
		part, rest, found := bytes.Cut(p, []byte{'\n'})
		l.line = append(l.line, part[:min(len(part), lineKept-len(l.line))]...)
		if !found {
			return
		}
		l.flush(take)
		p = rest
	}
}

// flush hands on the line that is begun; blank ones are passed over.
func (l *lines) flush(take func([]byte)) {
	if line := bytes.TrimRight(l.line, " \t\r"); len(line) > 0 {
		take(line)
	}
	l.line = l.line[:0]
}

// lineLimit allows lineBurst lines at once and one each lineInterval.
type lineLimit struct {
	free time.Time // when all of the burst is free again
}

func (l *lineLimit) allow(now time.Time) bool {
	if l.free.Before(now) {
		l.free = now
	}
	if l.free.Sub(now) > (lineBurst-1)*lineInterval {
		return false
	}
	l.free = l.free.Add(lineInterval)
	return true
}
