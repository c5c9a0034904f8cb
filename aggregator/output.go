package aggregator

import (
	"io"
	"os"
	"time"
)

// output is the stream to the host. A write that fails ends the session at
// once: a host that reads nothing any more may never write either.
type output struct {
	io.Writer
	failed func(error)
}

// tryOutput is one that can write without waiting.
type tryOutput struct {
	*output
	try tryWriter
}

type tryWriter interface {
	TryWrite(p []byte) (int, error)
}

func newOutput(w io.Writer, failed func(error)) io.Writer {
	o := &output{Writer: w, failed: failed}
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
	return n, err
}

// SetWriteDeadline cuts a write off, if the stream can.
func (o *output) SetWriteDeadline(at time.Time) error {
	if s, ok := o.Writer.(interface{ SetWriteDeadline(time.Time) error }); ok {
		return s.SetWriteDeadline(at)
	}
	return os.ErrNoDeadline
}
