package aggregator

import (
	"io"
	"os"
	"sync/atomic"
	"time"
)

// output is the stream to the host. A write that fails ends the session at
// once: a host that reads nothing any more may never write either.
type output struct {
	io.Writer
	failed func(error)

	answered func() // is called once, when something was written
	begun    atomic.Bool
}

// tryOutput is one that can write without waiting.
type tryOutput struct {
	*output
	try tryWriter
}

type tryWriter interface {
	TryWrite(p []byte) (int, error)
}

func newOutput(w io.Writer, failed func(error), answered func()) io.Writer {
	o := &output{Writer: w, failed: failed, answered: answered}
	if try, ok := w.(tryWriter); ok {
		return tryOutput{output: o, try: try}
	}
	return o
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) { return o.watch(o.Writer.Write(p)) }

// TryWrite writes what goes without waiting.
func (o tryOutput) TryWrite(p []byte) (int, error) { return o.watch(o.try.TryWrite(p)) }

func (o *output) watch(n int, err error) (int, error) {
	if err != nil {
		o.failed(err)
	}
	if n > 0 && !o.begun.Load() && o.begun.CompareAndSwap(false, true) {
		o.answered()
	}
	return n, err
}

// SetWriteDeadline cuts a write off, if the stream can.
func (o *output) SetWriteDeadline(at time.Time) error {
	if s, ok := o.Writer.(interface{ SetWriteDeadline(time.Time) error }); ok {
		return s.SetWriteDeadline(at)
	}
	return os.ErrNoDeadline
}
