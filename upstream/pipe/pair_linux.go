package pipe

import (
	"os"

	"golang.org/x/sys/unix"
)

// openPair makes a pipe that no child inherits.
func openPair(fds *[2]int) error {
	return os.NewSyscallError("pipe2", unix.Pipe2(fds[:], unix.O_CLOEXEC))
}
