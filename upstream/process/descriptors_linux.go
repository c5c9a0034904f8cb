package process

import (
	"math"

	"golang.org/x/sys/unix"
)

// closeOnExec marks every descriptor but the standard ones. Those that Go opens
// are marked already; what is left are descriptors that weir was started with.
func closeOnExec() {
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) // before Linux 5.11 there is no such help
}
