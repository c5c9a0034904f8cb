package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/internal/live"
)

func busyView(now time.Time) *topView {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	v := &topView{waiting: 1, weirs: []*live.Weir{
		{
			PID: 4711, Hosts: []string{"Claude Code 2.1.330"}, Since: ago(3 * time.Hour), Config: "~/.config/weir/mcp.yaml",
			Servers: []live.Server{
				{Name: "files", Transport: "stdio", State: "ready", Since: ago(2 * time.Hour), Protocol: "2025-11-25", Tools: 14, Figures: live.Figures{Calls: 1204, Errors: 3, P50MS: 2.1, P99MS: 48, InFlight: 2}},
				{Name: "github", Transport: "http", State: "needs_login", Since: ago(time.Minute), Reason: "the server asks for a login \x1b[31m now"},
				{
					Name: "search", Transport: "stdio", State: "backoff", Since: ago(20 * time.Second), NextTry: now.Add(9 * time.Second), Reason: "the server ended (exit status 1)",
					Figures: live.Figures{Calls: 12, Failed: map[string]uint64{"connection": 2}, Lost: 4, P50MS: 120, P99MS: 900, LastFailure: &live.Failure{At: ago(2 * time.Minute), Kind: "connection", Text: "the server ended before it answered"}},
				},
			},
		},
		{PID: 4712, Hosts: []string{"Cursor 1.7"}, As: "profile work", Since: ago(time.Minute), Problem: "the configuration cannot be used"},
	}}
	for i, name := range []string{"read_file", "write_file", "delete_file"} {
		v.log = append(v.log, audit.Entry{
			Time: ago(time.Duration(3-i) * time.Second), Host: "Claude Code 2.1.330", Server: "files", Kind: audit.KindTool, Name: name,
			Verdict: "execute", Outcome: []string{audit.OK, audit.Error, audit.Denied}[i], Rule: "rule 3", Milliseconds: 4.5,
		})
	}
	v.settle()
	return v
}

// TestTopView draws the screen in several sizes; no line is wider than the screen,
// and nothing of a server moves the cursor.
func TestTopView(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local)
	for _, size := range []struct{ width, height int }{{80, 24}, {160, 40}, {40, 12}} {
		name := fmt.Sprintf("top%dx%d.txt", size.width, size.height)
		t.Run(name, func(t *testing.T) {
			v := busyView(now)
			v.move(2)
			lines := v.render(paint{}, size.width, size.height, now)
			if len(lines) != size.height {
				t.Errorf("got %d lines, want %d", len(lines), size.height)
			}
			for i, line := range lines {
				if n := utf8.RuneCountInString(line); n > size.width || strings.Contains(line, "\x1b") {
					t.Errorf("line %d has %d characters: %q", i+1, n, line)
				}
			}
			golden(t, name, strings.Join(lines, "\n")+"\n")
		})
	}
}

// TestTopViewFits draws much on every size that a screen may have.
func TestTopViewFits(t *testing.T) {
	now := time.Now()
	v := busyView(now)
	for i := range 100 {
		v.weirs[0].Servers = append(v.weirs[0].Servers, live.Server{Name: fmt.Sprintf("s%d", i), State: "idle", Since: now})
	}
	for _, width := range []int{1, 20, 80, 300} {
		for _, height := range []int{1, 2, 5, 24, 200} {
			for range 3 {
				lines := v.render(paint{on: true}, width, height, now)
				if len(lines) != height {
					t.Fatalf("%dx%d: got %d lines", width, height, len(lines))
				}
				v.move(40)
			}
			v.move(-1000)
		}
	}
	v.move(50)
	shown := strings.Join(v.render(paint{}, 80, 24, now), "\n")
	if !strings.Contains(shown, "> s47") {
		t.Errorf("the selected server is out of sight:\n%s", shown)
	}
}

// TestTopSelection stays with its server while others come and go.
func TestTopSelection(t *testing.T) {
	v := busyView(time.Now())
	v.move(1)
	if _, s := v.chosen(); s == nil || s.Name != "github" {
		t.Fatalf("got %v, want github", s)
	}
	screen := &topScreen{view: *v}
	seen := busyView(time.Now())
	seen.selected = selection{}
	seen.weirs[0].Servers = append([]live.Server{{Name: "first"}}, seen.weirs[0].Servers...)
	screen.see(seen)
	if _, s := screen.view.chosen(); s == nil || s.Name != "github" {
		t.Errorf("got %v, want github still", s)
	}
	screen.see(&topView{weirs: seen.weirs[:1:1][:0]})
	if _, s := screen.view.chosen(); s != nil {
		t.Errorf("got %v, want none", s)
	}
	screen.view.move(1)
	screen.see(busyView(time.Now()))
	if _, s := screen.view.chosen(); s == nil || s.Name != "github" {
		t.Errorf("got %v, want github once it is there again", s)
	}
	seen.weirs = []*live.Weir{{PID: 1, Servers: []live.Server{{Name: "other"}}}}
	screen.see(seen)
	if _, s := screen.view.chosen(); s == nil || s.Name != "other" {
		t.Errorf("got %v, want one of those that are there", s)
	}
}

func TestKeys(t *testing.T) {
	var got []key
	for typed := "jk\x1b[A\x1bOBreal?\x1b"; typed != ""; {
		var k key
		k, typed = nextKey(typed)
		got = append(got, k)
	}
	want := []key{keyDown, keyUp, keyUp, keyDown, keyRestart, keyEnable, keyApprove, keyLogin, keyNone, keyQuit}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestKeysAreReadWhenAskedFor: what is typed for another program is left to it.
func TestKeysAreReadWhenAskedFor(t *testing.T) {
	near, far, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	k := (&screen{in: near}).keys(t.Context())
	write := func(text string) {
		if _, err := far.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write("r")
	for range 3 { // the screen is drawn anew meanwhile
		k.pressed()
	}
	if got := <-k.pressed(); got != keyRestart {
		t.Errorf("got %v, want r", got)
	}
	k.taken()
	write("yes\n")
	other := make([]byte, 8)
	if n, err := near.Read(other); err != nil || string(other[:n]) != "yes\n" {
		t.Errorf("another program got %q (%v)", other[:n], err)
	}
	_ = far.Close()
	if _, ok := <-k.pressed(); ok {
		t.Error("got a key after the end of the terminal")
	}
}

func TestTopWantsATerminal(t *testing.T) {
	newHome(t)
	weir(t, "top").wants(t, exitUsage, "weir servers --live")
	weir(t, "top", "--interval", "1ms").wants(t, exitUsage, "200ms")
}
