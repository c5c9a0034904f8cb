package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// onScreen runs a command of the user's in a window of this many columns, with
// these variables besides, and returns what the window shows in the end, with its
// colours.
func (u *user) onScreen(t *testing.T, width int, env []string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed")
	}
	m := &multiplexer{t, filepath.Join(t.TempDir(), "tmux")}
	cmd := u.command(args...)
	words := append([]string{"-u", "new-session", "-d", "-x", fmt.Sprint(width), "-y", "50", "env"}, cmd.Env...)
	words = append(append(words, "TERM=screen"), env...)
	words = append(words, "sh", "-c", `"$@"; echo "it ended with $?"; exec cat`, "sh", cmd.Path)
	m.run(append(words, cmd.Args[1:]...)...)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", m.socket, "kill-server").Run() })
	m.shows(`it ended with \d`)
	return m.run("capture-pane", "-ep")
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m|\x0f")

// TestScreens: a person looks at servers and tools in tmux, in narrow and wide
// windows. Rows of tables take one line, however long and wide what servers say
// is; what is wrong is told in full; and there are colours, but not with NO_COLOR.
func TestScreens(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	many := upstreamtest.Script{ServerInfo: json.RawMessage(`{"name":"many","version":"版本 2.0 🚀 with more behind it"}`)}
	for _, tool := range []string{
		`{"name":"find","description":"メモを検索します。見つかったメモのタイトルと本文を返します。タグで絞り込むこともできます。二つ目の文もあります。` + strings.Repeat("長い", 60) + `","inputSchema":{"type":"object"}}`,
		`{"name":"party","description":"` + strings.Repeat("🎉 hooray ", 40) + `","inputSchema":{"type":"object"}}`,
		`{"name":"` + strings.Repeat("long_", 9) + `","description":"` + strings.Repeat("words ", 60) + `","inputSchema":{"type":"object"}}`,
	} {
		many.Tools = append(many.Tools, json.RawMessage(tool))
	}
	const long, path = "a-server-with-a-very-long-name-1", "/with/a/long/path/and?more=behind&it=all/that/is/longer/than/a/line"
	u.configure(t, "policy: {default: execute}\nservers:\n"+u.scripted(t, "many", many)+
		"  "+long+": {command: no-such-program-of-a-name-that-is-long-enough-to-fill-a-line-together-with-the-rest}\n"+
		"  web: {url: \"http://127.0.0.1:1"+path+"\"}\n")
	for _, width := range []int{80, 160} {
		t.Run(fmt.Sprintf("%d columns", width), func(t *testing.T) {
			t.Parallel()
			shown := u.onScreen(t, width, nil, "servers")
			if !strings.Contains(shown, "\x1b[31m") {
				t.Errorf("nothing is red:\n%q", shown)
			}
			text := escapes.ReplaceAllString(shown, "")
			rows := strings.Split(text, "\n")
			for i, want := range []string{"SERVER ", "many ", long + " ", "web "} {
				if !strings.HasPrefix(rows[i], want) {
					t.Errorf("row %d: got %q, want it to begin with %q", i+1, rows[i], want)
				}
			}
			if wide := strings.Contains(rows[0], "VERSION"); wide != (width == 160) {
				t.Errorf("the window of %d columns has the versions or not: %v", width, wide)
			}
			if whole := strings.ReplaceAll(text, "\n", ""); !strings.Contains(whole, "together-with-the-rest") {
				t.Errorf("what is wrong is not told in full:\n%s", text)
			}

			plain := u.onScreen(t, width, []string{"NO_COLOR=1"}, "tools")
			if escapes.MatchString(plain) {
				t.Errorf("there are colours in spite of NO_COLOR: %q", plain)
			}
			rows = strings.Split(plain, "\n")
			for i, want := range []string{"TOOL ", "many__find ", "many__party ", "many__long_", "3 tools"} {
				if !strings.HasPrefix(rows[i], want) {
					t.Errorf("row %d: got %q, want it to begin with %q", i+1, rows[i], want)
				}
			}
			for _, row := range rows[1:4] {
				if !strings.Contains(row, "…") {
					t.Errorf("got %q, want the description cut", row)
				}
			}
		})
	}
}
