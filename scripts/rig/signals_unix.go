//go:build unix

package rig

import (
	"os/exec"
	"syscall"
)

// freeze and thaw stop a process and let it go on. It may be gone.
func freeze(pid int) { _ = syscall.Kill(pid, syscall.SIGSTOP) }
func thaw(pid int)   { _ = syscall.Kill(pid, syscall.SIGCONT) }

// leaveGroup puts what is started into a session of its own.
func leaveGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
