package login

import (
	"path/filepath"
	"syscall"

	"golang.org/x/sys/windows"
)

const backslashEscapes = false

var thisSystem = system{desktop: noRemoteShell, openers: windowsOpeners}

// windowsOpeners asks the shell's own handler, without a shell: cmd would read the
// address as a command. It was built and vetted, and not run.
func windowsOpeners(getenv func(string) string) [][]string {
	root := getenv("SystemRoot")
	if root == "" {
		root = `C:\Windows`
	}
	return [][]string{{filepath.Join(root, "System32", "rundll32.exe"), "url.dll,FileProtocolHandler"}}
}

func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}
