package audit

import (
	"fmt"
	"sync"
	"time"
)

const (
	// maxQueued is how many bytes of lines may wait to be written: some 8,000
	// lines without arguments.
	maxQueued = 2 << 20

	// gatherTime lets records that come together be written together: waking
	// somebody for each would cost a call more than all the rest of its record.
	gatherTime = 20 * time.Millisecond

	// patience is how long a call waits for room.
	patience = time.Second

	// retryTime is how long a file that could not be written to is left alone.
	retryTime = time.Second

	// closeTime is how long Close waits for the disk.
	closeTime = 300 * time.Millisecond

	// chunk is how many bytes go into one write at most: no less than a line.
	chunk = 128 << 10
)

// Config is where a Log writes, and what.
type Config struct {
	// Path is the file's; required. Rotated files stand beside it, with .1, .2
	// and so on behind their name, and a lock.
	Path string

	// OwnFolder says that the folder is weir's own: nobody else may look into
	// it then. A folder that is not there is made in either case.
	OwnFolder bool

	MaxSize int64 // at which the file is rotated, in bytes; 0 = 10 MiB
	Keep    int   // how many rotated files there may be; 0 = 5

	// Redact appends a raw JSON value to dst without the secrets in it. nil
	// leaves arguments out of the file.
	Redact func(dst, raw []byte) []byte

	// Report is told when the file cannot be written to, once until it can be
	// again, and what was lost in between. It is called by one goroutine; nil
	// for nobody.
	Report func(error)
}

// A Log is one process's way to the file. It is safe for concurrent use. A nil
// Log is none: it takes records and writes nothing.
type Log struct {
	cfg    Config
	file   *file
	wake   chan struct{} // there is something to write
	hurry  chan struct{} // it is not to wait for more
	ending chan struct{} // closed by Close
	ended  chan struct{} // closed by the writer

	failing bool // the writer's own: it cannot write, which was told

	mu     sync.Mutex
	lines  lineEncoder
	queue  batch
	spare  batch         // room for the next queue
	space  chan struct{} // closed when there is room again
	stuck  bool          // somebody has waited for room in vain: nobody does until there is some
	lost   int           // records that were not taken, and not told of yet
	closed bool
	heir   *Log // where records go after Close; nil for nowhere
}

// A batch is lines that wait to be written. They are encoded by those who write
// records: that costs less than to keep the records, with all that they point
// to, for somebody else.
type batch struct {
	text      []byte
	arguments []span // of text: raw, with their secrets still
}

type span struct{ from, to int }

// Open returns a Log and starts its writer, which nothing but [Log.Close] ends.
// The file is not touched before there is something to write.
func Open(cfg Config) *Log {
	l := &Log{
		cfg: cfg, file: newFile(cfg), lines: lineEncoder{arguments: cfg.Redact != nil},
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		ending: make(chan struct{}), ended: make(chan struct{}), space: make(chan struct{}),
	}
	go l.write()
	return l
}

// TakesArguments reports whether arguments are written: if not, a Record need
// not have them.
func (l *Log) TakesArguments() bool { return l != nil && l.cfg.Redact != nil }

// Write has a record written. It does not wait for the disk: only where
// thousands of records wait for that already it waits for room, one second at
// most and once, and then counts what finds none as lost. After Close nothing is
// taken. Texts in the record that are too long for a line are shortened.
func (l *Log) Write(r *Record) {
	if l == nil {
		return
	}
	r.bounded()
	l.mu.Lock()
	if !l.hasRoom() && !l.waitForRoom() {
		if heir := l.heir; heir != nil {
			l.mu.Unlock()
			heir.Write(r)
			return
		}
		l.lost++
		l.mu.Unlock()
		return
	}
	first := len(l.queue.text) == 0
	l.lines.append(&l.queue, r)
	l.mu.Unlock()
	if first {
		notify(l.wake)
	}
}

// Flush has what was taken so far written without waiting for more. It does not
// wait itself.
func (l *Log) Flush() {
	if l != nil {
		notify(l.hurry)
	}
}

// Close writes what is left and ends the writer. It waits for that 0.3 s at
// most: a disk may not answer any more. The error says how much is lost.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.ending)
	}
	l.mu.Unlock()
	late := time.NewTimer(closeTime)
	defer late.Stop()
	select {
	case <-l.ended:
	case <-late.C:
		return fmt.Errorf("audit log %q: the disk does not answer", l.cfg.Path)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.lost; n > 0 {
		return fmt.Errorf("audit log %q: %d records are lost", l.cfg.Path, n)
	}
	return nil
}

// HandOver is Close for a Log in whose place another one writes from now on: a
// record that comes late goes there, and none is lost between the two. nil is
// Close.
func (l *Log) HandOver(next *Log) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	l.heir = next
	l.mu.Unlock()
	return l.Close()
}

// hasRoom reports whether the queue takes another line. The caller holds mu.
func (l *Log) hasRoom() bool { return !l.closed && len(l.queue.text) < maxQueued }

// waitForRoom reports whether there is room in the end. The caller holds mu,
// which is free while it waits.
func (l *Log) waitForRoom() bool {
	late := time.NewTimer(patience)
	defer late.Stop()
	for !l.closed && !l.stuck {
		space := l.space
		l.mu.Unlock()
		notify(l.hurry)
		waited := true
		select {
		case <-space:
		case <-l.ending:
		case <-late.C:
			waited = false
		}
		l.mu.Lock()
		if l.hasRoom() {
			return true
		}
		if !waited {
			l.stuck = true
		}
	}
	return false
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is known already
	}
}
