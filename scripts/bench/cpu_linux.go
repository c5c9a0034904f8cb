package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpu is the processor time that the gateway itself has used, without its
// children: the clock of a process counts in nanoseconds, and the threads that
// have ended too. Its number is made as clock_getcpuclockid(3) makes it.
func (d *driver) cpu() (time.Duration, error) {
	const scheduled = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^d.cmd.Process.Pid)<<3|scheduled, &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}
