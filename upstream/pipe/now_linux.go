package pipe

import (
	"syscall"
	"unsafe"
)

// What does not wait need not tell the scheduler that it may: leaving it and coming
// back cost more than all else that the runtime does for a small message. So little
// is read or written so, for the collector has to wait for it.
const short = 64 << 10

// readNow reads from a descriptor in non-blocking mode.
func readNow(fd int, p []byte) (int, error) {
	if len(p) == 0 || len(p) > short {
		return syscall.Read(fd, p)
	}
	return transferred(syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))) //nolint:gosec // it is a buffer, and stays where it is
}

// writeNow writes to a descriptor in non-blocking mode.
func writeNow(fd int, p []byte) (int, error) {
	if len(p) == 0 || len(p) > short {
		return syscall.Write(fd, p)
	}
	return transferred(syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))) //nolint:gosec // it is a buffer, and stays where it is
}

// transferred is the outcome of a system call as package syscall has it.
func transferred(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
