package process

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"
)

// signalCarriers signals every process outside the groups that has the token in
// its environment, and returns how many there are. SIGTERM goes to each once:
// told holds who had it.
func (w *watched) signalCarriers(sig syscall.Signal, told map[int]bool) int {
	if w.token == "" {
		return 0
	}
	entry := []byte(tokenVariable + "=" + w.token)
	count := 0
	for _, pid := range processes() {
		if w.inGroup(pid) || !carries(pid, entry) {
			continue
		}
		count++
		if sig == syscall.SIGKILL || !told[pid] {
			signalCarrier(pid, entry, sig)
			told[pid] = true
		}
	}
	return count
}

func (w *watched) inGroup(pid int) bool {
	pgid, err := syscall.Getpgid(pid)
	_, ok := w.groups[pgid]
	return err == nil && ok
}

// signalCarrier holds on to the process before it looks at it, so that what is
// signalled is what was looked at.
func signalCarrier(pid int, entry []byte, sig syscall.Signal) {
	process, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	defer func() { _ = process.Release() }() // holds nothing but a descriptor
	if carries(pid, entry) {
		_ = process.Signal(sig) // gone in between is as good
	}
}

// carries reports whether a process was started with entry in its environment.
// What cannot be read belongs to others; a zombie has none any more.
func carries(pid int, entry []byte) bool {
	f, err := os.Open(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	defer f.Close()
	const limit = 8 << 20 // the kernel's own is below
	env, _ := io.ReadAll(io.LimitReader(f, limit))
	for each := range bytes.SplitSeq(env, []byte{0}) {
		if bytes.Equal(each, entry) {
			return true
		}
	}
	return false
}
