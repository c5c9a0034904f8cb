//go:build unix

package jsonrpc

import (
	"errors"
	"io"
	"syscall"
)

// tryWriter returns a write that takes what the descriptor takes now, or nil
// for a descriptor in blocking mode: its write could wait.
func tryWriter(raw syscall.RawConn) func([]byte) (int, error) {
	if !nonBlocking(raw) {
		return nil
	}
	return func(p []byte) (n int, err error) {
		refused := raw.Write(func(fd uintptr) bool {
			n, err = syscall.Write(int(fd), p)
			return true
		})
		if refused != nil {
			// Closed, or past its deadline: a plain write says so with more grace.
			return 0, nil
		}
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
			return max(n, 0), nil
		case err != nil:
			return max(n, 0), err
		case n == 0 && len(p) > 0:
			return 0, io.ErrShortWrite
		}
		return n, nil
	}
}

func nonBlocking(raw syscall.RawConn) bool {
	yes := false
	err := raw.Control(func(fd uintptr) {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFL, 0)
		yes = errno == 0 && flags&syscall.O_NONBLOCK != 0
	})
	return err == nil && yes
}
