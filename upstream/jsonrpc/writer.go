package jsonrpc

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

// A Writer sends lines to one stream, for any number of goroutines at once.
// Queue never waits for the stream: what does not go out at once is kept, and
// one goroutine of the Writer's own, alive only while something waits, brings
// it out in order.
type Writer struct {
	dst io.Writer
	try func([]byte) (int, error) // writes what goes without waiting; nil if dst can't

	mu      sync.Mutex
	room    sync.Cond // signalled when queued falls or err is set
	small   []byte    // the tail of the queue, still open for small pieces
	spare   []byte    // the memory of a small that is written
	queue   [][]byte  // what stands before small
	queued  int       // bytes in queue and small, and of what is being written
	writing bool      // a goroutine is writing: it takes along what comes
	err     error     // the first one; final
	drained sync.WaitGroup
}

// ErrClosed is the error of a Writer after Close.
var ErrClosed = errors.New("writer is closed")

// NewWriter returns a Writer on dst. If dst has a descriptor in non-blocking
// mode (an [os.File] of a pipe, a socket), small messages go out on the
// goroutine that flushes them.
func NewWriter(dst io.Writer) *Writer {
	w := &Writer{dst: dst}
	w.room.L = &w.mu
	if t, ok := dst.(interface{ TryWrite([]byte) (int, error) }); ok {
		w.try = t.TryWrite
	} else if c, ok := dst.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			w.try = tryWriter(raw)
		}
	}
	return w
}

// Queue appends one line made of pieces and a line end. Pieces smaller than
// [Large] are copied; larger ones are kept and must not change any more. It
// goes out when b is flushed; with a nil b, at once.
func (w *Writer) Queue(b *Batch, pieces ...[]byte) error {
	w.mu.Lock()
	if w.err != nil {
		defer w.mu.Unlock()
		return w.err
	}
	for _, p := range pieces {
		w.add(p)
	}
	w.add(lineEnd)
	w.mu.Unlock()
	b.mark(w)
	return nil
}

var lineEnd = []byte{'\n'}

func (w *Writer) add(p []byte) {
	w.queued += len(p)
	if len(p) < Large {
		w.small = append(w.small, p...)
		return
	}
	if len(w.small) > 0 {
		w.queue = append(w.queue, w.small)
		w.small = w.takeSpare()
	}
	w.queue = append(w.queue, p)
}

func (w *Writer) takeSpare() []byte {
	spare := w.spare
	w.spare = nil
	return spare
}

// Queued returns how many bytes wait to be written.
func (w *Writer) Queued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queued
}

// WaitBelow waits until at most limit bytes are queued, or the Writer has
// failed or is closed.
func (w *Writer) WaitBelow(limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.queued > limit && w.err == nil {
		w.room.Wait()
	}
}

// Flush brings out what is queued, as far as it goes without waiting. The rest
// follows by itself.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writing {
		return
	}
	for w.err == nil {
		p := w.head()
		if p == nil {
			return
		}
		if w.try == nil {
			w.leaveToGoroutine(p)
			return
		}
		w.writing = true
		w.mu.Unlock()
		n, err := w.try(p)
		w.mu.Lock()
		w.writing = false
		w.written(p, n, err)
		if n < len(p) && w.err == nil {
			w.leaveToGoroutine(p[n:])
			return
		}
	}
}

// head takes the first piece off the queue.
func (w *Writer) head() []byte {
	if len(w.queue) > 0 {
		p := w.queue[0]
		w.queue[0] = nil
		if w.queue = w.queue[1:]; len(w.queue) == 0 {
			w.queue = nil
		}
		return p
	}
	if len(w.small) == 0 {
		return nil
	}
	p := w.small
	w.small = w.takeSpare()
	return p
}

func (w *Writer) written(p []byte, n int, err error) {
	w.queued -= n
	if err != nil {
		w.fail(err)
	}
	if n == len(p) && w.spare == nil && cap(p) <= 2*Large {
		w.spare = p[:0]
	}
	w.room.Broadcast()
}

// leaveToGoroutine starts the goroutine that waits for the stream. It ends
// when nothing is queued any more, or the stream fails; Close waits for it.
func (w *Writer) leaveToGoroutine(p []byte) {
	w.writing = true
	w.drained.Go(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for p != nil && w.err == nil {
			w.mu.Unlock()
			n, err := w.dst.Write(p)
			w.mu.Lock()
			w.written(p, n, err)
			p = w.head()
		}
		w.writing = false
	})
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
		w.queue, w.small, w.queued = nil, nil, 0
		w.room.Broadcast()
	}
}

// Err returns why the Writer takes no more, or nil.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Drain waits until all that is queued is written, or the stream has failed.
func (w *Writer) Drain() {
	w.Flush()
	w.drained.Wait()
}

// Close lets go of what is queued and waits for a write under way. A write
// that hangs ends only with its stream: close that first.
func (w *Writer) Close() {
	w.abort()
	w.drained.Wait()
}

// CloseWithin gives what is queued some time to be written and then closes. A
// write that hangs is cut off if the stream has deadlines, as files of pipes
// have; else its goroutine stays behind until the stream ends.
func (w *Writer) CloseWithin(d time.Duration) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.Drain()
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-written:
	case <-timer.C:
		w.abort()
		if s, ok := w.dst.(interface{ SetWriteDeadline(time.Time) error }); !ok || s.SetWriteDeadline(time.Unix(0, 1)) != nil {
			return
		}
		<-written
	}
	w.Close()
}

func (w *Writer) abort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail(ErrClosed)
}

// A Batch gathers the Writers that the messages of one read have filled, to
// flush each once when all are handled. It belongs to one goroutine. A nil
// Batch flushes at once.
type Batch struct{ dirty []*Writer }

func (b *Batch) mark(w *Writer) {
	if b == nil {
		w.Flush()
		return
	}
	for _, d := range b.dirty {
		if d == w {
			return
		}
	}
	b.dirty = append(b.dirty, w)
}

// Flush flushes the Writers that were marked.
func (b *Batch) Flush() {
	for i, w := range b.dirty {
		w.Flush()
		b.dirty[i] = nil
	}
	b.dirty = b.dirty[:0]
}
