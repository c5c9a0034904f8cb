//go:build unix && !linux

package pipe

import "syscall"

// readNow reads from a descriptor in non-blocking mode.
func readNow(fd int, p []byte) (int, error) { return syscall.Read(fd, p) }

// writeNow writes to a descriptor in non-blocking mode.
func writeNow(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }
