//go:build unix

package state

import "syscall"

// noWaiting opens a pipe without waiting for its other end.
const noWaiting = syscall.O_NONBLOCK
