package pipe

import (
	"os"

	"golang.org/x/sys/unix"
)

// openPair makes a pipe that no child inherits.
func openPair(fds *[2]int) error {
	return os.NewSyscallError("pipe2", unix.Pipe2(fds[:], unix.O_CLOEXEC))
}

// Grow asks for room for size bytes between writer and reader, so that large
// messages take fewer turns. A user has 64 MiB for all pipes; where that is used
// up, or for a socket, it stays as it is.
func (e *End) Grow(size int) {
	e.users.RLock()
	defer e.users.RUnlock()
	if !e.unusable() {
		_, _ = unix.FcntlInt(uintptr(e.fd), unix.F_SETPIPE_SZ, size)
	}
}
