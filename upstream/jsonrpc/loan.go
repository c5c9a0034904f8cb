package jsonrpc

import (
	"runtime/debug"
	"sync"
	"time"
)

// A Loan is the memory that a [Reader] has given away with a line larger than its
// buffer. Whoever knows that nobody reads the line any more gives it back, and it
// serves the next such line: fresh memory costs more than all else that is done
// with one. A Loan that is not given back is left to the collector, so that whoever
// is not sure does nothing. A nil Loan is none.
type Loan struct {
	spare *spare
	room  []byte
}

// GiveBack ends the loan. Nothing may read the line any more, nor parts of it. It
// may be called once, from any goroutine.
func (l *Loan) GiveBack() {
	if l != nil {
		l.spare.put(l.room)
	}
}

// spareTime is how long memory waits for the next large line.
const spareTime = time.Second

// spare keeps the room for one large line between one and the next. What is not
// asked for in time goes back to the system.
type spare struct {
	mu   sync.Mutex
	room []byte      // guarded by mu; nil for none
	idle *time.Timer // guarded by mu; runs while there is room
}

func (s *spare) put(room []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(room) < len(s.room) {
		return
	}
	s.room = room
	if s.idle == nil {
		s.idle = time.AfterFunc(spareTime, s.drop)
		return
	}
	s.idle.Reset(spareTime)
}

// take returns room of more than size bytes, or nil.
func (s *spare) take(size int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := s.room
	if len(room) <= size {
		return nil
	}
	s.room = nil
	s.idle.Stop()
	return room
}

// drop lets go of the room. Nothing else would be collected soon in a process that
// has nothing to do.
func (s *spare) drop() {
	s.mu.Lock()
	had := s.room != nil
	s.room = nil
	s.mu.Unlock()
	if had {
		debug.FreeOSMemory()
	}
}
