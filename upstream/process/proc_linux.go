package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// processes returns the numbers of all processes.
func processes() []int {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1) // as many as can be had
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// startOf returns when a process was started, which with its number tells it
// from every other one; "" if it is gone. A zombie is still there.
func startOf(pid int) string { return stat(pid, startTime) }

// onlyZombies reports whether a group has no member that runs. Whoever should
// reap an orphan may be slow to, or never do it (some first processes of
// containers).
func onlyZombies(pgid int) bool {
	number := strconv.Itoa(pgid)
	for _, pid := range processes() {
		if stat(pid, processGroup) != number {
			continue
		}
		if state := stat(pid, processState); state != "Z" && state != "X" && state != "" {
			return false
		}
	}
	return true
}

// Fields of /proc/PID/stat, counted from the one after the name, which is the
// third in proc(5).
const (
	processState  = 0
	parentProcess = 1
	processGroup  = 2
	startTime     = 19
)

// stat returns one field; "" if the process is gone.
func stat(pid, field int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name, in parentheses, may hold anything.
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	if len(fields) <= field {
		return ""
	}
	return string(fields[field])
}
