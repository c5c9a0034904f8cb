package jsonrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
)

// Large is the size from which bytes are handed over instead of copied: a line
// of Large bytes or more is never touched again by the Reader that returned
// it, and the Writer keeps a piece of that size as it is.
const Large = 32 << 10

// A Reader takes lines from a stream, one message each. It is for one
// goroutine, but for SetLimit.
//
// A line that outgrows the buffer moves to one that is several times as large, and
// no byte of it is searched twice. Room that nothing was read into is only
// addresses, so that it takes little more memory than its size. The next one finds
// a buffer of that size waiting: the same one if its [Loan] has ended. All leave
// with the buffer.
type Reader struct {
	src   io.Reader
	limit atomic.Int64
	idle  func()

	first      []byte // the buffer while no line outgrows it
	buf        []byte // buf[start:end] is read and not yet returned
	start, end int
	searched   int // buf[start:searched] holds no line end
	expected   int // the size of the last line that outgrew the buffer
	err        error

	spare spare
	loan  *Loan    // of the last line
	ahead *Message // that a long line is scanned into; may be nil
	tried bool     // it was, or its beginning, in this buffer
}

// Buffers grow from bufferSize in steps of a few times their size, and of many
// times beyond modestSize: what they leave behind is not free before the next
// collection. So half a megabyte is left by a line of 16 MB.
const (
	bufferSize = 2 * Large
	modestSize = 512 << 10
	steps      = 8
	wideSteps  = 32
)

// collectFrom is from which size on the room for one more line is worth a collection:
// left to itself the collector keeps several such lines before it frees one,
// and takes some 3 % of the time that such a line takes on its way anyway.
const collectFrom = 4 << 20

// A LineTooLongError is a line over the limit. The reader has passed over it
// and goes on with the next one. ID is the id of the message if one could be
// found in it, else nil.
type LineTooLongError struct {
	Limit int
	ID    []byte
}

func (e *LineTooLongError) Error() string {
	return fmt.Sprintf("message is longer than %d bytes", e.Limit)
}

// NewReader reads lines of at most limit bytes, line ends not counted, from
// src. Before each read that may wait it calls idle, if that is not nil: the
// moment to flush what the lines so far have caused to be written.
func NewReader(src io.Reader, limit int, idle func()) *Reader {
	if idle == nil {
		idle = func() {}
	}
	r := &Reader{src: src, idle: idle, first: make([]byte, bufferSize)}
	r.buf = r.first
	r.SetLimit(limit)
	return r
}

// SetLimit sets how many bytes a line may have, for the one under way too.
func (r *Reader) SetLimit(limit int) { r.limit.Store(int64(limit)) }

// Next returns the next line that is not blank, without its line end (\n or
// \r\n). The last line of a stream may lack one. The line is good until the
// next call; one of [Large] bytes or more may be kept. After a
// [*LineTooLongError] reading goes on; any other error, io.EOF among them, is
// final.
func (r *Reader) Next() ([]byte, error) {
	for {
		line, err := r.next()
		if err != nil {
			return nil, err
		}
		if !isBlank(line) {
			return line, nil
		}
	}
}

// Loan is the memory of the line that Next has returned last. It is nil for a line
// that has none of its own, and from the second time on.
func (r *Reader) Loan() *Loan {
	loan := r.loan
	r.loan = nil
	return loan
}

func isBlank(line []byte) bool {
	if len(line) > 0 && line[0] > ' ' {
		return false // nearly always
	}
	return len(bytes.TrimLeft(line, " \t\r")) == 0
}

func (r *Reader) next() ([]byte, error) {
	r.loan = nil // it would keep the line while nothing comes
	r.forgetAhead()
	for {
		if i := bytes.IndexByte(r.buf[r.searched:r.end], '\n'); i >= 0 {
			return r.take(r.searched+i, 1)
		}
		r.searched = r.end
		if r.isOverLimit() {
			return nil, r.skip()
		}
		if r.err != nil {
			if r.end > r.start && errors.Is(r.err, io.EOF) {
				return r.take(r.end, 0)
			}
			return nil, r.err
		}
		if r.isLong() {
			r.scanAhead()
			continue
		}
		r.fill()
	}
}

// isOverLimit reports whether the line under way is too long. One byte over the
// limit may be the \r of a line end.
func (r *Reader) isOverLimit() bool { return int64(r.end-r.start) > r.limit.Load()+1 }

// take returns the line that ends at end and steps over its line end.
func (r *Reader) take(end, lineEnd int) ([]byte, error) {
	line := r.buf[r.start:end:end]
	r.start, r.searched = end+lineEnd, end+lineEnd
	switch {
	case len(line) < Large:
	case len(r.buf) > bufferSize && len(line) > len(r.buf)/wideSteps:
		r.leaveBuffer()
	default:
		line = bytes.Clone(line)
	}
	if len(line) > bufferSize {
		r.expected = len(line)
	}
	if last := len(line) - 1; last >= 0 && line[last] == '\r' {
		line = line[:last]
	}
	if limit := int(r.limit.Load()); len(line) > limit {
		id := FindID(line)
		r.Loan().GiveBack()
		return nil, &LineTooLongError{Limit: limit, ID: id}
	}
	return line, nil
}

// fill reads once, after making room.
func (r *Reader) fill() {
	if r.start == r.end {
		if len(r.buf) > bufferSize {
			r.spare.put(r.buf)
			r.buf = r.first
		}
		r.start, r.end, r.searched = 0, 0, 0
	}
	if r.end == len(r.buf) {
		r.makeRoom()
	}
	r.idle()
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	r.err = err
}

// leaveBuffer gives the buffer up to the line that fills most of it, and takes
// what stands behind that line to another one.
func (r *Reader) leaveBuffer() {
	rest := r.buf[r.start:r.end]
	r.loan = &Loan{spare: &r.spare, room: r.buf}
	if r.buf = r.first; len(rest) > bufferSize {
		r.buf = make([]byte, len(rest))
	}
	r.start, r.end, r.searched = 0, copy(r.buf, rest), 0
}

// makeRoom moves the beginning of a line to the front of the buffer, or where that
// fills more than half of it, to a larger one.
func (r *Reader) makeRoom() {
	unread := r.buf[r.start:r.end]
	// At the limit and a little more no line that may pass outgrows the buffer.
	if most := int(r.limit.Load()) + Large; len(unread) > len(r.buf)/2 && len(r.buf) < most {
		r.buf = r.larger(most)
		r.forgetAhead()
	}
	copy(r.buf, unread)
	r.start, r.end, r.searched = 0, len(unread), len(unread)
}

// larger returns a buffer for a line that outgrows this one: the spare one, or one as
// large as the last such line, if that is larger, and never larger than most.
func (r *Reader) larger(most int) []byte {
	if room := r.spare.take(max(2*len(r.buf), min(r.expected, most))); room != nil {
		return room
	}
	size := steps * len(r.buf)
	if len(r.buf) >= modestSize {
		size = wideSteps * len(r.buf)
	}
	if expected := r.expected + Large; expected > 2*len(r.buf) {
		size = min(expected, most)
	} else if size > most/2 {
		size = most
	}
	if size > collectFrom && r.expected > 0 {
		runtime.GC()
	}
	return make([]byte, size)
}

// skip passes over a line that is longer than the limit, looking for the id of
// its message on the way.
func (r *Reader) skip() error {
	var f IDFinder
	for {
		part := r.buf[r.start:r.end]
		i := bytes.IndexByte(part, '\n')
		if i >= 0 {
			part = part[:i]
		}
		f.Feed(part)
		r.start += len(part)
		if i >= 0 {
			r.start++
		}
		r.searched = r.start
		if i >= 0 || r.err != nil {
			return &LineTooLongError{Limit: int(r.limit.Load()), ID: f.ID()}
		}
		r.fill()
	}
}
