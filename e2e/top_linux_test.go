package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A multiplexer is a tmux of the test's own, with one window.
type multiplexer struct {
	t      *testing.T
	socket string
}

// inTmux starts a command of the user's in a window of this size. When it has ended, the
// window shows its exit code: tmux itself does not always come to know that.
func (u *user) inTmux(t *testing.T, width, height int, args ...string) *multiplexer {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed")
	}
	m := &multiplexer{t, filepath.Join(t.TempDir(), "tmux")}
	cmd := u.command(args...)
	words := append([]string{"new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), "env"}, cmd.Env...)
	words = append(words, "TERM=screen", "sh", "-c", `"$@"; echo "exit code $?"; exec cat`, "sh")
	m.run(append(append(words, cmd.Path), cmd.Args[1:]...)...)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", m.socket, "kill-server").Run() })
	return m
}

func (m *multiplexer) run(args ...string) string {
	m.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", m.socket, "-f", "/dev/null"}, args...)...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("tmux %s: %v: %s", args[0], err, out)
	}
	return string(out)
}

func (m *multiplexer) press(keys ...string) { m.run(append([]string{"send-keys"}, keys...)...) }

// shows waits until the window shows what the pattern says, and returns all of it.
func (m *multiplexer) shows(pattern string) string {
	m.t.Helper()
	return m.tells(pattern, "capture-pane", "-p")
}

// ends waits until the command has ended well.
func (m *multiplexer) ends() {
	m.t.Helper()
	m.shows(`(?m)^exit code 0$`)
}

// tells asks tmux until it says what the pattern says.
func (m *multiplexer) tells(pattern string, args ...string) string {
	m.t.Helper()
	wanted := regexp.MustCompile(pattern)
	again := time.NewTicker(50 * time.Millisecond) // tmux tells nobody what has changed
	defer again.Stop()
	for end := time.Now().Add(patience); ; <-again.C {
		text := strings.TrimSpace(m.run(args...))
		if wanted.MatchString(text) {
			return text
		}
		if time.Now().After(end) {
			m.t.Fatalf("tmux %s does not say %s, but:\n%s", args[0], pattern, text)
		}
	}
}

// TestTop: a person watches a weir in tmux, on narrow and wide windows, and has a
// server started anew.
func TestTop(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ width, height int }{{80, 24}, {160, 48}} {
		t.Run(fmt.Sprintf("%d columns", size.width), func(t *testing.T) {
			t.Parallel()
			u := newUser(t, "")
			u.configure(t, anyoneMayLook+"servers:\n"+u.fake(t, "up", "look")+"  gone: {command: no-such-program}\n")
			u.serve(t, upstreamtest.Legacy).call(t, "up__look", "{}")

			m := u.inTmux(t, size.width, size.height, "top", "--interval", "200ms")
			text := m.shows(`(?m)^> up +ready .*\n  gone +backoff`)
			for _, want := range []string{"weir top: 1 weir, 2 servers", "up  ", "look", "q quit"} {
				if !strings.Contains(text, want) {
					t.Errorf("the window does not show %q:\n%s", want, text)
				}
			}
			for line := range strings.Lines(text) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > size.width {
					t.Errorf("a line has %d characters: %s", n, line)
				}
			}
			m.press("Down")
			m.shows(`(?m)^> gone `)
			m.shows(`could not be started|no such program`)
			m.press("Up", "r")
			m.shows(`up is started anew`)
			again := time.NewTicker(50 * time.Millisecond)
			defer again.Stop()
			for end := time.Now().Add(patience); u.starts(t, "up") < 2; <-again.C {
				if time.Now().After(end) {
					t.Fatal("the server was not started anew")
				}
			}
			m.press("a")
			m.shows(`Nothing waits for your approval`)
			m.press("x")
			m.shows(`(?m)^> up +`)
			m.press("q")
			m.ends()
		})
	}
}
