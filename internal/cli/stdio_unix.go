//go:build unix

package cli

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/weir-mcp/weir/upstream/pipe"
)

// privateOutput returns a stream of its own to what f writes to. If f is the
// process's stdout, descriptor 1 and os.Stdout become stderr.
func privateOutput(f *os.File) (private stream, restore func(), err error) {
	private, restore, err = duplicate(f)
	if err != nil || f != os.Stdout { //nolint:forbidigo // it is what is guarded here
		return private, restore, err
	}
	if err := unix.Dup2(2, 1); err != nil {
		restore()
		return nil, nil, fmt.Errorf("pointing stdout at stderr: %w", err)
	}
	os.Stdout = os.Stderr //nolint:forbidigo // so that nobody else writes there
	return private, restore, nil
}

// pipeSize is how far one side may be ahead of the other, for large messages.
const pipeSize = 256 << 10

// duplicate returns a second stream on f's description. A pipe or a socket is
// taken past the runtime's poller, in non-blocking mode; restore undoes that,
// since the description may be shared with other processes.
func duplicate(f *os.File) (private stream, restore func(), err error) {
	fd, err := duplicateDescriptor(f)
	if err != nil {
		return nil, nil, fmt.Errorf("duplicating %s: %w", f.Name(), err)
	}
	if !isOwnPipe(fd) {
		return os.NewFile(uintptr(fd), f.Name()), func() {}, nil
	}
	end, err := pipe.New(uintptr(fd))
	if err != nil {
		_ = unix.Close(fd)
		return nil, nil, fmt.Errorf("taking %s over: %w", f.Name(), err)
	}
	end.Grow(pipeSize)
	return end, func() { _ = end.Restore() }, nil // nothing to be done about it
}

func duplicateDescriptor(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := raw.Control(func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3)
	})
	if controlErr != nil {
		return 0, controlErr
	}
	return fd, err
}

// isOwnPipe reports whether fd is a pipe or a socket. One that is stderr as well
// is left in its mode: os.Stderr could not cope.
func isOwnPipe(fd int) bool {
	var own, stderr unix.Stat_t
	if unix.Fstat(fd, &own) != nil {
		return false
	}
	if unix.Fstat(2, &stderr) == nil && own.Dev == stderr.Dev && own.Ino == stderr.Ino {
		return false
	}
	kind := own.Mode & unix.S_IFMT
	return kind == unix.S_IFIFO || kind == unix.S_IFSOCK
}
