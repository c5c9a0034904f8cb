package transport

import (
	"bytes"
	"io"
	"time"

	"github.com/weir-mcp/weir/upstream/process"
)

// pipeSize is how far a child may write ahead of its reader. Linux counts it
// against the user's share for all pipes, 64 MiB.
const pipeSize = 256 << 10

// How long a child may take for each step of its end (2025-11-25, Lifecycle,
// Shutdown, stdio).
const (
	eofPatience  = 2 * time.Second
	termPatience = 2 * time.Second
)

// exitTime is how long a lost connection waits for the exit status and the last
// words of its child, which come moments after the end of its output.
const exitTime = 100 * time.Millisecond

// Stdio is the connection to a child process (2025-11-25, Transports, stdio).
type Stdio struct {
	*Lines
	child *process.Child
}

// NewStdio starts a child under g and connects to it. Lines on its stderr go to
// recv; spec.Stderr and spec.Output are set here. recv may be called before
// NewStdio returns. A message may have limit bytes. The error is a
// [*DialError].
func NewStdio(spec process.Spec, g *process.Guardian, recv Receiver, limit int) (*Stdio, error) {
	spec.Stderr = recv.Stderr
	spec.Output = pipeSize
	child, err := process.Start(spec, g)
	if err != nil {
		return nil, &DialError{err}
	}
	return &Stdio{Lines: NewLines(childStream{child}, recv, limit), child: child}, nil
}

// Terminate is Close for when weir itself has to end: stdin is closed and
// SIGTERM sent at once, SIGKILL after grace. It returns at once.
func (s *Stdio) Terminate(grace time.Duration) {
	s.child.Stop(process.Patience{Term: grace})
	s.Close()
}

// LastStderr returns the last 64 KiB that the child has written to its stderr.
// They may hold secrets and paths.
func (s *Stdio) LastStderr() []byte { return s.child.Stderr() }

// An EndedError is a child that is gone, or that has closed its output.
type EndedError struct {
	State  string // "exit status 3", "killed by signal 9"; "" if it still runs
	Stderr string // the last line on its stderr, for the log: it may hold secrets
}

func (e *EndedError) Error() string {
	if e.State == "" {
		return "server closed its output"
	}
	return "server ended: " + e.State
}

type childStream struct{ child *process.Child }

func (s childStream) Input() io.Reader      { return s.child.Stdout() }
func (s childStream) Output() io.Writer     { return s.child.Stdin() }
func (s childStream) Done() <-chan struct{} { return s.child.Done() }

func (s childStream) Close() {
	s.child.Stop(process.Patience{EOF: eofPatience, Term: termPatience})
}

// Cause is about the child whatever the pipes said: their errors only tell that
// it is gone.
func (s childStream) Cause(error) error {
	timer := time.NewTimer(exitTime)
	defer timer.Stop()
	select {
	case <-s.child.Done():
	case <-timer.C:
	}
	return &EndedError{State: s.child.State(), Stderr: lastLine(s.child.Stderr())}
}

func lastLine(text []byte) string {
	text = bytes.TrimRight(text, " \t\r\n")
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}
