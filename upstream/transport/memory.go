package transport

import (
	"errors"
	"io"
	"sync"
)

// Memory returns the two ends of a stream within the process: what one writes
// the other reads. Nothing is buffered. It works in a synctest bubble.
func Memory() (near, far Stream) {
	fromFar, toNear := io.Pipe()
	fromNear, toFar := io.Pipe()
	return Pipes(fromFar, toFar), Pipes(fromNear, toNear)
}

// Pipes returns a Stream that is made of two halves. Closing in must end a Read
// that waits, and closing out a Write.
func Pipes(in io.ReadCloser, out io.WriteCloser) Stream {
	return &halves{in: in, out: out, done: make(chan struct{})}
}

type halves struct {
	in   io.ReadCloser
	out  io.WriteCloser
	once sync.Once
	done chan struct{}
}

// ErrPeerClosed is a stream that the other side has ended.
var ErrPeerClosed = errors.New("server has closed the connection")

func (h *halves) Input() io.Reader      { return h.in }
func (h *halves) Output() io.Writer     { return h.out }
func (h *halves) Done() <-chan struct{} { return h.done }

func (h *halves) Close() {
	h.once.Do(func() {
		_ = h.out.Close() // nobody is left to hear that it failed
		_ = h.in.Close()
		close(h.done)
	})
}

func (h *halves) Cause(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		return ErrPeerClosed
	}
	return err
}
