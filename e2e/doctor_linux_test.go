package e2e

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestDoctor: a person asks what is wrong in tmux, on narrow and wide windows: every
// line fits, nothing is cut off, and the worst is there to be read.
func TestDoctor(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ width, height int }{{80, 70}, {160, 60}} {
		t.Run(fmt.Sprintf("%d columns", size.width), func(t *testing.T) {
			t.Parallel()
			u := newUser(t, "")
			u.configure(t, "servers:\n"+u.fake(t, "up", "look")+
				"  gone: {command: no-such-program}\n  a-name-that-is-as-long-as-it-may: {url: 'http://127.0.0.1:1/mcp'}\nnames: {max: 64}\n")
			m := u.inTmux(t, size.width, size.height, "doctor", "--all-hosts")
			text := m.shows(`(?m)^\d problems.*; 1 of 3 servers are well\nexit code 3$`)
			for _, want := range []string{"up   ", "no such program", "→ install no-such-program", "connection", "refused", "weir is in no host"} {
				if !strings.Contains(text, want) {
					t.Errorf("the window does not show %q:\n%s", want, text)
				}
			}
			if wide := strings.Contains(text, " stdio"); wide != (size.width == 160) {
				t.Errorf("the column of transports is there: %v\n%s", wide, text)
			}
			if strings.Contains(text, "…") {
				t.Errorf("something is cut off:\n%s", text)
			}
			for line := range strings.Lines(text) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > size.width {
					t.Errorf("a line has %d characters: %s", n, line)
				}
			}
		})
	}
}
