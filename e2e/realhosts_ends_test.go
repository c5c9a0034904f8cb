//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// This file is how hosts end a server, and how it is known that nothing of it is
// left.

// interruptTerminateKill is Claude Code's way: stdin stays open.
func interruptTerminateKill(t *testing.T, h *host) {
	signalTo(t, h.cmd.Process.Pid, syscall.SIGINT)
	if !h.endsWithin(100 * time.Millisecond) {
		signalTo(t, h.cmd.Process.Pid, syscall.SIGTERM)
	}
	if !h.endsWithin(400 * time.Millisecond) {
		signalTo(t, h.cmd.Process.Pid, syscall.SIGKILL)
	}
	endedOrKilled(t, h)
}

// terminateAndKillGroup is Codex's way.
func terminateAndKillGroup(t *testing.T, h *host) {
	group := -h.cmd.Process.Pid
	signalTo(t, group, syscall.SIGTERM)
	_ = h.stdin.Close() // it may be gone already
	h.endsWithin(10 * time.Millisecond)
	signalTo(t, group, syscall.SIGKILL)
	endedOrKilled(t, h)
}

// killGroup is what Codex does to a server that has taken too long.
func killGroup(t *testing.T, h *host) {
	signalTo(t, -h.cmd.Process.Pid, syscall.SIGKILL)
	endedOrKilled(t, h)
}

// terminateTree is opencode's way: it finds the children by their parents.
func terminateTree(t *testing.T, h *host) {
	for _, pid := range append(descendants(h.cmd.Process.Pid), h.cmd.Process.Pid) {
		signalTo(t, pid, syscall.SIGTERM)
	}
	_ = h.stdin.Close() // it may be gone already
	if err := h.wait(); err != nil {
		t.Error(err)
	}
	h.passOver("99") // its server may have ended before weir
}

// terminate is Gemini CLI's way: it neither closes stdin nor has more patience
// than a user.
func terminate(t *testing.T, h *host) {
	signalTo(t, h.cmd.Process.Pid, syscall.SIGTERM)
	if err := h.wait(); err != nil {
		t.Error(err)
	}
}

// closeStdin is what the specification wants.
func closeStdin(t *testing.T, h *host) {
	if err := h.close(); err != nil {
		t.Error(err)
	}
}

// signalTo sends a signal to a process, or to a group, if it is still there.
func signalTo(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Errorf("signal %v to %d: %v", sig, pid, err)
	}
}

// endsWithin reports whether the server has ended by then.
func (h *host) endsWithin(limit time.Duration) bool {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		h.mu.Lock()
		ended, changed := h.ended, h.changed
		h.mu.Unlock()
		if ended {
			return true
		}
		select {
		case <-changed:
		case <-timeout.C:
			return false
		}
	}
}

// endedOrKilled takes the end of a server whose host does not wait: how far the
// server has come by then is up to the machine, but it may not fail.
func endedOrKilled(t *testing.T, h *host) {
	t.Helper()
	err := h.wait()
	status, ok := h.cmd.ProcessState.Sys().(syscall.WaitStatus)
	killed := ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	if err != nil && !killed {
		t.Error(err)
	}
	t.Logf("ended by itself: %v", err == nil)
}

// descendants are the children of a process, and theirs, the last ones first.
func descendants(pid int) []int {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	var found []int
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			found = append(append(found, descendants(child)...), child)
		}
	}
	return found
}

// guardianOf is the process that ends what weir leaves. Nothing tells that it is
// weir's but the pipe between them: neither its parent nor its environment.
func guardianOf(t *testing.T, weir int) int {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		pipes := pipesOf(weir, "*")
		environments, err := filepath.Glob("/proc/[0-9]*/environ")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range environments {
			environment, err := os.ReadFile(file)
			if err != nil || !strings.Contains(string(environment), "WEIR_GUARDIAN=watch\x00") {
				continue
			}
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err == nil && slices.ContainsFunc(pipesOf(pid, "0"), func(pipe string) bool { return slices.Contains(pipes, pipe) }) {
				return pid
			}
		}
	}
	t.Fatal("weir has no guardian")
	return 0
}

// pipesOf are the pipes that a process has under these descriptors.
func pipesOf(pid int, descriptors string) []string {
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/%s", pid, descriptors))
	if err != nil {
		panic(err) // the pattern is wrong
	}
	var pipes []string
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, "pipe:") {
			pipes = append(pipes, target)
		}
	}
	return pipes
}

// outlives is how long what weir has started may be there after it.
const outlives = 5 * time.Second

// awaitEnd waits for the end of a process. One that has ended has no
// descriptors, though nobody may have taken note yet.
func awaitEnd(t *testing.T, pid int, limit time.Duration) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		if pipesOf(pid, "0") == nil {
			return
		}
	}
	t.Errorf("process %d is left", pid)
}
