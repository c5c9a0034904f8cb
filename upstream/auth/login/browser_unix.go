//go:build unix

package login

import "syscall"

const backslashEscapes = true

func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
