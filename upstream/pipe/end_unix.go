//go:build unix

package pipe

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An End is one end of a pipe, or a socket, for one direction: it is read by
// one goroutine at a time, or written by one. The other methods may be called
// by any.
type End struct {
	fd       int
	blocking bool // what it was before, for Restore
	full     bool // the last Read filled its buffer: there is probably more
	inputs   inputs
	deadline atomic.Int64 // in Unix nanoseconds; 0 = none

	// Who waits, waits for this pipe too: a byte in it tells that the deadline
	// has changed, its end that End is closing.
	wake    int
	wakerMu sync.Mutex
	waker   int // guarded by wakerMu; -1 once closing

	closing atomic.Bool
	users   sync.RWMutex // held for reading while fd and wake are in use
	closed  bool         // guarded by users
}

// New takes over a descriptor and puts it into non-blocking mode.
func New(fd uintptr) (*End, error) {
	e := &End{fd: int(fd)}
	flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	e.blocking = flags&unix.O_NONBLOCK == 0
	var wake [2]int
	if err := openPair(&wake); err != nil {
		return nil, err
	}
	e.wake, e.waker = wake[0], wake[1]
	for _, fd := range []int{e.fd, e.wake, e.waker} {
		if err := unix.SetNonblock(fd, true); err != nil {
			_, _ = unix.Close(e.wake), unix.Close(e.waker)
			return nil, os.NewSyscallError("fcntl", err)
		}
	}
	return e, nil
}

// Input makes a pipe to read from. The far end is for a child, in blocking
// mode.
func Input() (near *End, far *os.File, err error) { return open(0, 1) }

// Output makes a pipe to write to. The far end is for a child, in blocking
// mode.
func Output() (near *End, far *os.File, err error) { return open(1, 0) }

func open(ours, theirs int) (near *End, far *os.File, err error) {
	var fds [2]int
	if err := openPair(&fds); err != nil {
		return nil, nil, err
	}
	near, err = New(uintptr(fds[ours]))
	if err != nil {
		_, _ = unix.Close(fds[0]), unix.Close(fds[1])
		return nil, nil, err
	}
	return near, os.NewFile(uintptr(fds[theirs]), "pipe"), nil
}

// Fd is the descriptor, good until Close.
func (e *End) Fd() uintptr { return uintptr(e.fd) }

// Read waits until there is something to read. After Close the error is
// os.ErrClosed, past the deadline os.ErrDeadlineExceeded.
func (e *End) Read(p []byte) (int, error) {
	e.users.RLock()
	defer e.users.RUnlock()
	for {
		if !e.full {
			if err := e.awaitInput(); err != nil {
				return 0, err
			}
		} else if e.unusable() {
			return 0, os.ErrClosed
		}
		n, err := readNow(e.fd, p)
		e.full = n == len(p)
		switch {
		case n > 0:
			return n, nil
		case n == 0 && err == nil:
			return 0, io.EOF
		case !again(err):
			return 0, os.NewSyscallError("read", err)
		}
	}
}

// TryWrite writes as much as goes without waiting.
func (e *End) TryWrite(p []byte) (int, error) {
	e.users.RLock()
	defer e.users.RUnlock()
	if e.unusable() {
		return 0, os.ErrClosed
	}
	n, err := writeNow(e.fd, p)
	if err != nil && !again(err) {
		return 0, os.NewSyscallError("write", err)
	}
	return max(n, 0), nil
}

// Write waits until all is written. After Close the error is os.ErrClosed, past
// the deadline os.ErrDeadlineExceeded.
func (e *End) Write(p []byte) (n int, err error) {
	for {
		m, err := e.TryWrite(p[n:])
		if n += m; err != nil || n == len(p) {
			return n, err
		}
		if err := e.awaitRoom(); err != nil {
			return n, err
		}
	}
}

func (e *End) awaitRoom() error {
	e.users.RLock()
	defer e.users.RUnlock()
	return e.await(unix.POLLOUT)
}

// unusable reports whether Close has been called. The caller holds users.
func (e *End) unusable() bool { return e.closed || e.closing.Load() }

// await waits for the descriptor, the deadline or Close. The caller holds users.
func (e *End) await(events int16) error {
	fds := [2]unix.PollFd{{Fd: int32(e.fd), Events: events}, {Fd: int32(e.wake), Events: unix.POLLIN}}
	for {
		timeout, err := e.timeout()
		if err != nil {
			return err
		}
		if _, err := unix.Poll(fds[:], timeout); err != nil && !again(err) {
			return os.NewSyscallError("poll", err)
		}
		if fds[0].Revents != 0 {
			return nil
		}
		if fds[1].Revents != 0 {
			e.hear()
		}
	}
}

// hear takes what woke the wait: it stands in the fields.
func (e *End) hear() {
	var told [8]byte
	_, _ = syscall.Read(e.wake, told[:])
}

// timeout is how long to wait, in milliseconds, -1 for ever. The caller holds
// users.
func (e *End) timeout() (int, error) {
	if e.unusable() {
		return 0, os.ErrClosed
	}
	at := e.deadline.Load()
	if at == 0 {
		return -1, nil
	}
	left := time.Until(time.Unix(0, at))
	if left <= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return int(min(left/time.Millisecond+1, time.Hour/time.Millisecond)), nil
}

// SetReadDeadline sets when a Read that waits gives up; the zero time is never.
func (e *End) SetReadDeadline(t time.Time) error { return e.setDeadline(t) }

// SetWriteDeadline sets when a Write that waits gives up; the zero time is
// never.
func (e *End) SetWriteDeadline(t time.Time) error { return e.setDeadline(t) }

func (e *End) setDeadline(t time.Time) error {
	var at int64
	if !t.IsZero() {
		at = t.UnixNano()
	}
	e.deadline.Store(at)
	e.wakerMu.Lock()
	defer e.wakerMu.Unlock()
	if e.waker < 0 {
		return os.ErrClosed
	}
	if _, err := syscall.Write(e.waker, []byte{0}); err != nil && !again(err) {
		return os.NewSyscallError("write", err)
	}
	return nil
}

// Restore puts the descriptor back into the mode it was taken over in: others
// may share it.
func (e *End) Restore() error {
	e.users.RLock()
	defer e.users.RUnlock()
	if e.unusable() || !e.blocking {
		return nil
	}
	return os.NewSyscallError("fcntl", unix.SetNonblock(e.fd, false))
}

// Close wakes who waits and closes the descriptor when nobody uses it any more,
// which is at once.
func (e *End) Close() error {
	if e.closing.Swap(true) {
		return os.ErrClosed
	}
	e.wakerMu.Lock()
	_ = unix.Close(e.waker) // this is what wakes
	e.waker = -1
	e.wakerMu.Unlock()

	e.users.Lock()
	defer e.users.Unlock()
	e.closed = true
	_ = unix.Close(e.wake)
	e.inputs.close()
	return os.NewSyscallError("close", unix.Close(e.fd))
}

func again(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
}
