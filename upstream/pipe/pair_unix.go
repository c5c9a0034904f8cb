//go:build unix && !linux

package pipe

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openPair makes a pipe that no child inherits: none is started in between.
func openPair(fds *[2]int) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := unix.Pipe(fds[:]); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return nil
}

// Grow asks for room between writer and reader, which here is the system's own
// business.
func (e *End) Grow(int) {}
