//go:build unix && !linux

package pipe

import "golang.org/x/sys/unix"

// inputs is nothing here: the kernel is told each time.
type inputs struct{}

func (inputs) close() {}

// awaitInput waits for something to read, the deadline or Close. The caller holds
// users.
func (e *End) awaitInput() error { return e.await(unix.POLLIN) }
