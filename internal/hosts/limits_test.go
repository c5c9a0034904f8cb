package hosts

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/aggregator/namespace"
)

// TestLimits: every host has an entry, and weir's longest names fit all of them
// behind the name that weir's own entry has.
func TestLimits(t *testing.T) {
	if len(limits) != len(All()) {
		t.Errorf("got limits of %d hosts, want %d", len(limits), len(All()))
	}
	for _, h := range All() {
		l := h.Limits()
		if l.Client == "" || l.Environment == "" {
			t.Errorf("%s: got %+v, want its own name and its environment at least", h.ID, l)
		}
		if l.Name.Most == 0 {
			continue
		}
		if l.Name.Then == "" || l.Name.Head == nil {
			t.Errorf("%s: nothing is said of longer names", h.ID)
		}
		if room := l.Name.Room("weir"); room < namespace.DefaultMax {
			t.Errorf("%s: has room for %d characters, want %d", h.ID, room, namespace.DefaultMax)
		}
	}
	for h, want := range map[Host]int{Cursor: 40, VSCode: 128, Windsurf: 100, ClaudeCode: 0} {
		if got := h.Limits().Tools; got != want {
			t.Errorf("%s: got %d tools, want %d", h.ID, got, want)
		}
	}
}

func TestNameLength(t *testing.T) {
	for _, tt := range []struct {
		host  Host
		entry string
		want  int // of a name of 10 characters
	}{
		{ClaudeDesktop, "weir", 10},
		{ClaudeCode, "weir", len("mcp__weir__") + 10},
		{Cursor, "weir", 14},
		{VSCode, "weir", len("mcp_weir_") + 10},
		{VSCode, "the-weir-of-my-own-company", 18 + 10},
		{Codex, "weir", len("mcp__weir__") + 10},
		{Gemini, "weir", len("mcp_weir_") + 10},
	} {
		if got := tt.host.Limits().Name.Length(tt.entry, "gh__search"); got != tt.want {
			t.Errorf("%s, entry %q: got %d, want %d", tt.host.ID, tt.entry, got, tt.want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	for _, tt := range []struct {
		e        Environment
		passes   string
		holdBack string
	}{
		{Whole, "HOME GITHUB_TOKEN", ""},
		{OfDesktop, "HOME PATH LC_ALL XDG_CONFIG_HOME", "GITHUB_TOKEN NODE_OPTIONS"},
		{Few, "HOME LANG PATH", "XDG_CONFIG_HOME GITHUB_TOKEN"},
		{NoSecrets, "HOME NODE_OPTIONS", "GITHUB_TOKEN API_KEY DATABASE_URL my_secret"},
	} {
		for name := range strings.FieldsSeq(tt.passes) {
			if !tt.e.Passes(name) {
				t.Errorf("%s: %s is held back", tt.e, name)
			}
		}
		for name := range strings.FieldsSeq(tt.holdBack) {
			if tt.e.Passes(name) {
				t.Errorf("%s: %s is passed on", tt.e, name)
			}
		}
	}
}

// TestHelpHasTheLimits: what "weir help hosts" says of hosts is what is reckoned with.
func TestHelpHasTheLimits(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "cli", "topics", "hosts.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "WHAT THEY BEAR")
	for _, h := range All() {
		l := h.Limits()
		_, row, found := strings.Cut(table, h.Title)
		row, _, _ = strings.Cut(row, "\n")
		for _, n := range []int{l.Tools, l.Name.Most} {
			if n > 0 && (!found || !strings.Contains(row, strconv.Itoa(n))) {
				t.Errorf("%s: the help says %q, which has no %d", h.Title, row, n)
			}
		}
	}
}
