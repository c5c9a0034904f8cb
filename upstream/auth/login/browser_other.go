//go:build unix && !darwin

package login

import "os"

var thisSystem = system{desktop: hasDisplay, openers: freeOpeners}

// freeOpeners are xdg-open, and before it what opens the browser of the Windows
// around a Linux that runs within one.
func freeOpeners(getenv func(string) string) [][]string {
	openers := [][]string{{"xdg-open"}}
	if withinWindows(getenv) {
		openers = [][]string{{"wslview"}, {"rundll32.exe", "url.dll,FileProtocolHandler"}, {"xdg-open"}}
	}
	return openers
}

func hasDisplay(getenv func(string) string) bool {
	return getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != "" || withinWindows(getenv) && noRemoteShell(getenv)
}

// withinWindows is true in WSL, which sets variables that a host may have taken
// away, and leaves a mark where nobody can.
func withinWindows(getenv func(string) string) bool {
	if getenv("WSL_DISTRO_NAME") != "" || getenv("WSL_INTEROP") != "" {
		return true
	}
	_, err := os.Stat("/proc/sys/fs/binfmt_misc/WSLInterop")
	return err == nil
}
