package jsonrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// Large is the size from which bytes are handed over instead of copied: a line
// of Large bytes or more is never touched again by the Reader that returned
// it, and the Writer keeps a piece of that size as it is.
const Large = 32 << 10

// A Reader takes lines from a stream, one message each. It is for one
// goroutine.
//
// A line that outgrows the buffer is gathered in chunks and put together once,
// when its end is there: it takes at most twice its size, and no byte of it is
// searched twice. The next one finds a buffer of that size waiting, and leaves
// with it.
type Reader struct {
	src   io.Reader
	limit int
	idle  func()

	buf        []byte // buf[start:end] is read and not yet returned
	start, end int
	searched   int      // buf[start:searched] holds no line end
	chunks     [][]byte // the line under way, before buf[start:]
	gathered   int      // bytes in chunks
	expected   int      // the size of the last line that outgrew the buffer
	err        error
}

// Chunks grow from the size of the buffer to maxChunk.
const (
	bufferSize = 2 * Large
	maxChunk   = 1 << 20
)

// collectFrom is from which size on the room for a line is worth a collection:
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
	return &Reader{src: src, limit: limit, idle: idle, buf: make([]byte, bufferSize)}
}

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
		if len(bytes.TrimLeft(line, " \t\r")) > 0 {
			return line, nil
		}
	}
}

func (r *Reader) next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(r.buf[r.searched:r.end], '\n'); i >= 0 {
			return r.take(r.searched+i, 1)
		}
		r.searched = r.end
		// One byte over the limit may be the \r of a line end.
		if r.gathered+r.end-r.start > r.limit+1 {
			return nil, r.skip()
		}
		if r.err != nil {
			if r.gathered+r.end-r.start > 0 && errors.Is(r.err, io.EOF) {
				return r.take(r.end, 0)
			}
			return nil, r.err
		}
		r.fill()
	}
}

// take returns the line that ends at end and steps over its line end.
func (r *Reader) take(end, lineEnd int) ([]byte, error) {
	tail := r.buf[r.start:end:end]
	chunks := r.chunks
	size := r.gathered + len(tail)
	r.chunks, r.gathered = nil, 0
	r.start, r.searched = end+lineEnd, end+lineEnd

	line := tail
	switch {
	case size < Large:
	case len(chunks) == 0 && len(r.buf) > bufferSize && size > len(r.buf)/2:
		r.leaveBuffer()
	default:
		line = bytes.Join(append(chunks, tail), nil)
	}
	if size > bufferSize {
		r.expected = size
	}
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(line) > r.limit {
		return nil, &LineTooLongError{Limit: r.limit, ID: FindID(line)}
	}
	return line, nil
}

// fill reads once, after making room.
func (r *Reader) fill() {
	if r.start == r.end {
		if len(r.buf) > bufferSize && r.gathered == 0 {
			r.buf = make([]byte, bufferSize)
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
	r.buf = make([]byte, max(bufferSize, len(rest)))
	r.start, r.end, r.searched = 0, copy(r.buf, rest), 0
}

// makeRoom moves the beginning of a line to the front of the buffer. One that
// fills more than half of it (Large bytes or more, so it will be put together
// anyway) becomes a chunk; but where the last long line was longer, the room
// for one like it is made at once.
func (r *Reader) makeRoom() {
	unread := r.buf[r.start:r.end]
	expected := min(r.expected, r.limit) + Large
	switch {
	case len(unread) <= len(r.buf)/2:
	case r.gathered == 0 && expected > 2*len(r.buf):
		if expected > collectFrom {
			runtime.GC()
		}
		r.buf = make([]byte, expected)
	default:
		r.addChunk(unread)
		return
	}
	copy(r.buf, unread)
	r.start, r.end, r.searched = 0, len(unread), len(unread)
}

func (r *Reader) addChunk(unread []byte) {
	r.chunks = append(r.chunks, unread)
	r.gathered += len(unread)
	r.buf = make([]byte, min(2*len(r.buf), maxChunk))
	r.start, r.end, r.searched = 0, 0, 0
}

// skip passes over a line that is longer than the limit, looking for the id of
// its message on the way.
func (r *Reader) skip() error {
	var f IDFinder
	for _, chunk := range r.chunks {
		f.Feed(chunk)
	}
	r.chunks, r.gathered = nil, 0
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
			return &LineTooLongError{Limit: r.limit, ID: f.ID()}
		}
		r.fill()
	}
}
