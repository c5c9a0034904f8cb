package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// stdio is the byte stream to a host. Only its holder can write there: what
// anything else in the process prints to stdout comes out on stderr.
type stdio struct {
	in  io.Reader
	out io.Writer

	interrupt func()   // makes reads from in end
	restore   []func() // undo what other holders of the streams would notice
}

// stream is stdin or stdout in private.
type stream interface {
	io.ReadWriter
	SetReadDeadline(t time.Time) error
}

// takeStdio takes a process's stdin and stdout over, files or not. The caller
// calls giveBack in the end.
func takeStdio(in io.Reader, out io.Writer) (*stdio, error) {
	s := &stdio{in: in, out: out, interrupt: func() {}}
	if f, ok := out.(*os.File); ok {
		private, restore, err := privateOutput(f)
		if err != nil {
			return nil, err
		}
		s.out = private
		s.restore = append(s.restore, restore)
	}
	switch in := in.(type) {
	case *os.File:
		if err := s.takeInput(in); err != nil {
			s.giveBack()
			return nil, err
		}
	case io.Closer:
		s.interrupt = func() { _ = in.Close() } // it is not read any more
	}
	return s, nil
}

func (s *stdio) takeInput(f *os.File) error {
	private, restore, err := duplicate(f)
	if err != nil {
		return err
	}
	s.restore = append(s.restore, restore)
	if err := private.SetReadDeadline(time.Time{}); err == nil {
		s.in = private
		s.interrupt = func() { _ = private.SetReadDeadline(time.Unix(1, 0)) } // it just took one
		return nil
	}
	s.in, s.interrupt = pump(private)
	return nil
}

// endWith makes reads from the host end when ctx does.
func (s *stdio) endWith(ctx context.Context) { context.AfterFunc(ctx, s.interrupt) }

// giveBack leaves the streams to whoever holds them after this process.
func (s *stdio) giveBack() {
	for _, undo := range s.restore {
		undo()
	}
}

// isGone reports whether a host that does not read any more is what an error
// tells of.
func isGone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}

// pump passes on what it reads from a file whose reads cannot be interrupted:
// a terminal, or any pipe on Windows. Its goroutine lives until that file
// ends, at most as long as the process, for no call can wake it.
func pump(f io.Reader) (in io.Reader, interrupt func()) {
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, f)
		w.CloseWithError(err) // nil is io.EOF to the reader
	}()
	return r, func() { w.CloseWithError(io.EOF) }
}
