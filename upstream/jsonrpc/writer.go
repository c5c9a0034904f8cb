package jsonrpc

import (
	"errors"
	"io"
	"runtime"
	"sync"
	"time"
)

// A Writer sends lines to one stream, for any number of goroutines at once.
// Queue never waits for the stream: what does not go out at once is kept, and
// one goroutine of the Writer's own, alive only while something waits, brings
// it out in order.
type Writer struct {
	dst    io.Writer
	try    func([]byte) (int, error) // writes what goes without waiting; nil if dst can't
	failed func(error)               // see OnFailure

	mu      sync.Mutex
	changed sync.Cond // queued fell, writing ended or err was set
	queue   []piece   // what stands before small
	small   []byte    // the tail of the queue, still open for small pieces
	sending []byte    // the small that is being written; nil if that is a kept piece
	spare   []byte    // the memory of a small that is written
	lent    *Loan     // ends when what is being written is
	queued  int       // bytes in queue and small, and of what is being written
	writing bool      // a goroutine is writing: it takes along what comes
	err     error     // the first one; final
}

// A piece is kept until it is written. Then its loan ends; nil for none.
type piece struct {
	text []byte
	loan *Loan
}

// ErrClosed is the error of a Writer after Close.
var ErrClosed = errors.New("writer is closed")

// ErrFull is the error of a line for which too much waits already.
var ErrFull = errors.New("too much waits to be written")

// NewWriter returns a Writer on dst. If dst can write without waiting, small
// messages go out on the goroutine that flushes them: by its TryWrite, which
// returns what went, and no error when the rest would have to wait.
func NewWriter(dst io.Writer) *Writer {
	w := &Writer{dst: dst, failed: func(error) {}}
	w.changed.L = &w.mu
	if d, ok := dst.(interface{ TryWrite([]byte) (int, error) }); ok {
		w.try = d.TryWrite
	}
	return w
}

// OnFailure sets what is called when a write has failed, on the goroutine that
// wrote, at most once; Close waits for it. It must not block nor use the Writer.
// Set it before the Writer is used.
func (w *Writer) OnFailure(failed func(error)) { w.failed = failed }

// Queue appends one line made of pieces and a line end. Pieces smaller than
// [Large] are copied; larger ones are kept and must not change any more. It
// goes out when b is flushed; with a nil b, at once. The error is that of Err.
func (w *Writer) Queue(b *Batch, pieces ...[]byte) error {
	return w.QueueLent(b, nil, pieces...)
}

// QueueLent is Queue for a line of which pieces lie in memory that is on loan, and
// that nobody else reads: it is given back when the line is written. With an error,
// and when writing fails, it is not.
func (w *Writer) QueueLent(b *Batch, loan *Loan, pieces ...[]byte) error {
	kept, err := w.queueLine(loan, pieces)
	if err != nil {
		return err
	}
	if !kept {
		loan.GiveBack()
	}
	b.mark(w)
	return nil
}

// QueueBelow is Queue for a line that may wait only if no more than most bytes wait
// with it, or it alone. ErrFull says that it may not.
func (w *Writer) QueueBelow(b *Batch, most int, pieces ...[]byte) error {
	if err := w.queueBelow(most, pieces); err != nil {
		return err
	}
	b.mark(w)
	return nil
}

func (w *Writer) queueBelow(most int, pieces [][]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if w.queued > 0 {
		size := 0
		for _, p := range pieces {
			size += len(p)
		}
		if w.queued+size > most {
			return ErrFull
		}
	}
	w.addLine(pieces)
	return nil
}

// queueLine reports whether it has kept one of the pieces, with the loan.
func (w *Writer) queueLine(loan *Loan, pieces [][]byte) (kept bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return false, w.err
	}
	before := len(w.queue)
	w.addLine(pieces)
	if kept = len(w.queue) > before; kept {
		w.queue[len(w.queue)-1].loan = loan
	}
	return kept, nil
}

var lineEnd = []byte{'\n'}

func (w *Writer) addLine(pieces [][]byte) {
	for _, p := range pieces {
		w.add(p)
	}
	w.add(lineEnd)
}

func (w *Writer) add(p []byte) {
	w.queued += len(p)
	if len(p) < Large {
		w.small = append(w.small, p...)
		return
	}
	if len(w.small) > 0 {
		w.queue = append(w.queue, piece{text: w.small})
		w.small = w.takeSpare()
	}
	w.queue = append(w.queue, piece{text: p})
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
// failed or is closed. What it waits for must have been flushed.
func (w *Writer) WaitBelow(limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.queued > limit && w.err == nil {
		w.changed.Wait()
	}
}

// Flush brings out what is queued, as far as it goes without waiting. The rest
// follows by itself.
func (w *Writer) Flush() { w.flush() }

// flush reports whether it has started the goroutine for the rest.
func (w *Writer) flush() (started bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writing {
		return false
	}
	p := w.head()
	if p != nil && w.try != nil {
		p = w.tryAll(p)
	}
	if p == nil {
		return false
	}
	w.writing = true
	go w.writeAll(p)
	return true
}

// maxTries is how often a Flush writes before it leaves the rest to the
// goroutine: others may queue as fast as it writes, and the flushing goroutine
// has work of its own.
const maxTries = 16

// tryAll writes from p on as long as it goes without waiting, and returns where
// it stopped, or nil.
func (w *Writer) tryAll(p []byte) []byte {
	w.writing = true
	defer w.stopWriting()
	for tries := 0; p != nil && tries < maxTries; tries++ {
		w.mu.Unlock()
		n, err := w.try(p)
		if err != nil {
			w.failed(err)
		}
		w.mu.Lock()
		w.written(n, err)
		if n < len(p) {
			return w.unlessFailed(p[n:])
		}
		p = w.head()
	}
	return p
}

// writeAll is the goroutine that waits for the stream. It ends when nothing is
// queued any more, or the stream fails; Close waits for it.
func (w *Writer) writeAll(p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.stopWriting()
	for p != nil {
		w.mu.Unlock()
		n, err := w.dst.Write(p)
		if n < len(p) && err == nil {
			err = io.ErrShortWrite
		}
		if err != nil {
			w.failed(err)
		}
		w.mu.Lock()
		w.written(n, err)
		p = w.head()
	}
}

func (w *Writer) stopWriting() {
	w.writing = false
	w.changed.Broadcast()
}

func (w *Writer) unlessFailed(p []byte) []byte {
	if w.err != nil {
		return nil
	}
	return p
}

// head takes the first piece off the queue, or returns nil. The piece before it
// is written.
func (w *Writer) head() []byte {
	w.recycle()
	if len(w.queue) > 0 {
		p := w.queue[0]
		w.queue[0] = piece{}
		if w.queue = w.queue[1:]; len(w.queue) == 0 {
			w.queue = nil
		}
		w.lent = p.loan
		return p.text
	}
	if len(w.small) == 0 {
		return nil
	}
	w.sending = w.small
	w.small = w.takeSpare()
	return w.sending
}

// recycle makes the memory of a small that is written the spare one, and gives back
// what was lent. Any other piece that was kept is still its owner's to read, and is
// never written into.
func (w *Writer) recycle() {
	w.lent.GiveBack()
	w.lent = nil
	if w.spare == nil && cap(w.sending) <= 2*Large {
		w.spare = w.sending[:0]
	}
	w.sending = nil
}

func (w *Writer) written(n int, err error) {
	if w.err == nil {
		w.queued -= n
	}
	if err != nil {
		w.fail(err)
	}
	w.changed.Broadcast()
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
		w.queue, w.small, w.queued = nil, nil, 0
		w.changed.Broadcast()
	}
}

// Err returns why the Writer takes no more, or nil.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Drain flushes and waits until all that is queued is written, or the Writer
// has failed or is closed.
func (w *Writer) Drain() {
	w.Flush()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.writing && w.err == nil {
		w.changed.Wait()
	}
}

// Close lets go of what is queued and waits for a write under way. A write
// that hangs ends only with its stream: close that first.
func (w *Writer) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail(ErrClosed)
	for w.writing {
		w.changed.Wait()
	}
}

// CloseWithin gives what is queued some time to be written and then closes. A
// write that hangs is cut off if the stream has deadlines, as files of pipes
// have; else its goroutine stays behind until the stream ends.
func (w *Writer) CloseWithin(d time.Duration) {
	late := time.AfterFunc(d, w.abort)
	defer late.Stop()
	w.Drain()
	if w.abort(); !w.isWriting() || w.cutOff() {
		w.Close()
	}
}

// cutOff ends the write under way, if the stream can.
func (w *Writer) cutOff() bool {
	s, ok := w.dst.(interface{ SetWriteDeadline(time.Time) error })
	return ok && s.SetWriteDeadline(time.Unix(0, 1)) == nil
}

func (w *Writer) isWriting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writing
}

func (w *Writer) abort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail(ErrClosed)
}

// A Batch gathers the Writers that the messages of one read have filled, to
// flush each once when all are handled, before the next read. It belongs to one
// goroutine. A nil Batch flushes at once.
type Batch struct {
	dirty   []*Writer
	now     time.Time // zero until somebody asks
	started bool      // since the last Flush
}

// Now is the time at which the messages of the read were there: that of the
// first question for it since the last Flush. So a clock is looked at once for
// all of them. With a nil Batch it is the present.
func (b *Batch) Now() time.Time {
	if b == nil {
		return time.Now()
	}
	if b.now.IsZero() {
		b.now = time.Now()
	}
	return b.now
}

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

// Started says that a goroutine was started for a message of the read. b may be
// nil.
func (b *Batch) Started() {
	if b != nil {
		b.started = true
	}
}

// Flush flushes the Writers that were marked. What was started runs before it
// returns, or at least begins to: the next read may wait in the kernel, and who
// was to run next on that thread would have to be found by another one first.
func (b *Batch) Flush() {
	for i, w := range b.dirty {
		if w.flush() {
			b.started = true
		}
		b.dirty[i] = nil
	}
	b.dirty = b.dirty[:0]
	b.now = time.Time{}
	if b.started {
		b.started = false
		runtime.Gosched()
	}
}
