package aggregator

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

// stuckPipe is a stream with everything that a Writer looks for.
type stuckPipe struct {
	err      error
	deadline time.Time
}

func (p *stuckPipe) Write(b []byte) (int, error)        { return len(b), p.err }
func (p *stuckPipe) TryWrite(b []byte) (int, error)     { return len(b) / 2, p.err }
func (p *stuckPipe) SetWriteDeadline(t time.Time) error { p.deadline = t; return nil }

func TestOutput(t *testing.T) {
	var failed error
	p := &stuckPipe{}
	o := newOutput(p, func(err error) { failed = err }, func() {})
	if n, err := o.Write([]byte("four")); n != 4 || err != nil || failed != nil {
		t.Errorf("Write: got %d, %v, failed %v, want 4, nil, nil", n, err, failed)
	}
	try, ok := o.(tryWriter)
	if !ok {
		t.Fatal("the output cannot try, want it to: the stream can")
	}
	if n, err := try.TryWrite([]byte("four")); n != 2 || err != nil || failed != nil {
		t.Errorf("TryWrite: got %d, %v, failed %v, want 2, nil, nil", n, err, failed)
	}
	p.err = io.ErrClosedPipe
	if _, err := try.TryWrite([]byte("x")); !errors.Is(err, p.err) || !errors.Is(failed, p.err) {
		t.Errorf("TryWrite on a closed pipe: got %v, failed %v, want both %v", err, failed, p.err)
	}
	failed = nil
	if _, err := o.Write([]byte("x")); !errors.Is(err, p.err) || !errors.Is(failed, p.err) {
		t.Errorf("Write on a closed pipe: got %v, failed %v, want both %v", err, failed, p.err)
	}
	at := time.Unix(1, 0)
	if err := setDeadline(t, o, at); err != nil || p.deadline != at {
		t.Errorf("SetWriteDeadline: got %v, deadline %v, want nil, %v", err, p.deadline, at)
	}

	plain := newOutput(io.Discard, func(error) {}, func() {})
	if _, ok := plain.(tryWriter); ok {
		t.Error("the output can try, want it not to: the stream cannot")
	}
	if err := setDeadline(t, plain, at); !errors.Is(err, os.ErrNoDeadline) {
		t.Errorf("SetWriteDeadline without one: got %v, want %v", err, os.ErrNoDeadline)
	}
}

func setDeadline(t *testing.T, w io.Writer, at time.Time) error {
	t.Helper()
	d, ok := w.(interface{ SetWriteDeadline(time.Time) error })
	if !ok {
		t.Fatal("the output has no deadlines")
	}
	return d.SetWriteDeadline(at)
}
