//go:build unix

package process

import (
	"errors"
	"os"
	"syscall"
)

// group is the process group that a child leads. Its number stays taken while
// it has members; the check that it is not empty comes right before each
// signal, so a stranger with the same number is not met.
type group int

func groupAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func newGroup(leader *os.Process) group { return group(leader.Pid) }

func (g group) terminate() { g.signal(syscall.SIGTERM) }
func (g group) kill()      { g.signal(syscall.SIGKILL) }

// signal has no use for an error: a group that is gone is what it is for, and
// members of another user cannot be helped.
func (g group) signal(sig syscall.Signal) { _ = syscall.Kill(-int(g), sig) }

// empty reports whether no member is left that could be signalled. The system
// answers EPERM where all are of another user, or zombies (macOS).
func (g group) empty() bool {
	err := syscall.Kill(-int(g), 0)
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EPERM) {
		return true
	}
	return onlyZombies(int(g))
}

func (group) release() {}
