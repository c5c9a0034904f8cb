package login

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func leadsSession() bool {
	session, err := unix.Getsid(0)
	return err == nil && session == os.Getpid()
}

// children counts this process's children, with those that have ended and were
// not waited for.
func children(t *testing.T) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parent := fmt.Appendf(nil, "%d", os.Getpid())
	for _, file := range files {
		text, _ := os.ReadFile(file)
		_, after, _ := bytes.Cut(text, []byte(") "))
		fields := bytes.Fields(after)
		if len(fields) > 1 && bytes.Equal(fields[1], parent) {
			n++
		}
	}
	return n
}

func TestDesktop(t *testing.T) {
	if withinWindows(func(string) string { return "" }) {
		t.Skip("this is a Linux within Windows, whose desktop is there for all")
	}
	for name, c := range map[string]struct {
		env     map[string]string
		want    bool
		opener  string
		several int
	}{
		"bare":             {nil, false, "xdg-open", 1},
		"X":                {map[string]string{"DISPLAY": ":0"}, true, "xdg-open", 1},
		"Wayland":          {map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, true, "xdg-open", 1},
		"forwarded X":      {map[string]string{"DISPLAY": "localhost:10.0", "SSH_TTY": "/dev/pts/0"}, true, "xdg-open", 1},
		"SSH":              {map[string]string{"SSH_CONNECTION": "a"}, false, "xdg-open", 1},
		"Windows":          {map[string]string{"WSL_DISTRO_NAME": "Debian"}, true, "wslview", 3},
		"SSH into Windows": {map[string]string{"WSL_INTEROP": "/run/x", "SSH_CONNECTION": "a"}, false, "wslview", 3},
	} {
		getenv := func(name string) string { return c.env[name] }
		if got := thisSystem.desktop(getenv); got != c.want {
			t.Errorf("%s: got desktop %v, want %v", name, got, c.want)
		}
		openers := thisSystem.openers(getenv)
		if openers[0][0] != c.opener || len(openers) != c.several || !slices.ContainsFunc(openers, func(o []string) bool { return o[0] == "xdg-open" }) {
			t.Errorf("%s: got openers %q", name, openers)
		}
	}
}
