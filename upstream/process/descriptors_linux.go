package process

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// closeOnExec marks every descriptor but the standard ones. Those that Go opens
// are marked already; what is left are descriptors that weir was started with.
func closeOnExec() {
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) // before Linux 5.11 there is no such help
}

// enlarge asks for a larger pipe. A user has 64 MiB for all; where that is used
// up, the pipe stays as it is.
func enlarge(f *os.File, size int) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, size) })
}
