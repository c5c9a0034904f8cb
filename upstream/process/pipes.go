package process

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-mcp/weir/upstream/pipe"
)

// pipes are the three streams between weir and a child: weir's own ends, and
// those of the child.
type pipes struct {
	stdin, stdout *pipe.End
	stderr        *os.File

	childStdin, childStdout, childStderr *os.File
}

func openPipes(output int) (p pipes, err error) {
	defer func() {
		if err != nil {
			p.closeChildEnds()
			p.closeOwnEnds()
		}
	}()
	if p.stdin, p.childStdin, err = pipe.Output(); err != nil {
		return p, err
	}
	if p.stdout, p.childStdout, err = pipe.Input(); err != nil {
		return p, err
	}
	if output > 0 {
		p.stdout.Grow(output)
	}
	p.stderr, p.childStderr, err = os.Pipe()
	return p, err
}

func (p *pipes) closeChildEnds() { closeAll(p.childStdin, p.childStdout, p.childStderr) }

func (p *pipes) closeOwnEnds() {
	closeAll(p.stderr)
	for _, end := range []*pipe.End{p.stdin, p.stdout} {
		if end != nil {
			_ = end.Close() // nor has this
		}
	}
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close() // a pipe end has nothing to lose
		}
	}
}

// output is weir's end of a child's stdout. When the group has ended, whoever
// still holds the other end may not keep the reader waiting.
type output struct {
	end    *pipe.End
	ending atomic.Bool
	once   sync.Once
	ended  chan struct{} // closed when the reader has seen the end
}

func newOutput(end *pipe.End) *output { return &output{end: end, ended: make(chan struct{})} }

// Read reads what the child has written.
func (o *output) Read(p []byte) (int, error) {
	if o.ending.Load() {
		o.hurry()
	}
	n, err := o.end.Read(p)
	if err == nil {
		return n, nil
	}
	o.once.Do(func() { close(o.ended) })
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
		err = io.EOF
	}
	return n, err
}

func (o *output) hurry() {
	_ = o.end.SetReadDeadline(time.Now().Add(outputIdle)) // where it can't be set, finish closes the pipe under the reader
}

// beginEnd lets the reader see the end as soon as nothing is there any more.
func (o *output) beginEnd() {
	o.ending.Store(true)
	o.hurry()
}

// finish lets the reader take what is there after beginEnd, and closes the pipe.
func (o *output) finish() {
	timer := time.NewTimer(outputLimit)
	defer timer.Stop()
	select {
	case <-o.ended:
	case <-timer.C:
	}
	_ = o.end.Close()
}
