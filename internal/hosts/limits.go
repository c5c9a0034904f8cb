package hosts

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-mcp/weir/aggregator"
)

// Limits are what a host takes of what a server offers. The zero value of each is
// that no limit is known.
type Limits struct {
	// Client is what the host calls itself.
	Client string

	// Tools are how many it takes, of all servers together.
	Tools int

	Name NameLimit

	// Description is how many bytes of a description reach the model.
	Description int

	// FirstTurn is how long its first turn waits for the list of tools, and Start how
	// long it waits for a server at all.
	FirstTurn, Start time.Duration

	Environment Environment
}

// A NameLimit is how long the name of a tool may be, in characters, with what the
// host puts before it.
type NameLimit struct {
	Most int
	Head func(entry string) string // what stands before it; entry names the server in the host's file
	Then string                    // what the host does with a longer one
}

// Length is that of a tool's name as the host counts it.
func (l NameLimit) Length(entry, tool string) int {
	return utf8.RuneCountInString(l.Head(entry)) + utf8.RuneCountInString(tool)
}

// Room is how long a name may be behind such an entry.
func (l NameLimit) Room(entry string) int { return l.Most - l.Length(entry, "") }

// An Environment is what a host lets the servers that it starts have of the user's
// variables.
type Environment string

// The environments.
const (
	Whole     Environment = "whole"      // that of the terminal in which the host is started
	OfDesktop Environment = "desktop"    // that of the desktop, which no file of a shell has been read for
	Few       Environment = "few"        // what every program needs
	NoSecrets Environment = "no secrets" // its own, but for what sounds secret
)

// Passes reports whether a variable that is set in a terminal is there for servers,
// for certain.
func (e Environment) Passes(variable string) bool {
	switch e {
	case Whole:
		return true
	case OfDesktop:
		return isOfSession(variable) || strings.HasPrefix(variable, "XDG_") || variable == "DBUS_SESSION_BUS_ADDRESS"
	case NoSecrets:
		name := strings.ToUpper(variable)
		return name != "DATABASE_URL" && !slices.ContainsFunc([]string{"KEY", "TOKEN", "SECRET", "PASSWORD"}, func(word string) bool {
			return strings.Contains(name, word)
		})
	case Few:
	}
	return isOfSession(variable)
}

// isOfSession reports whether every program of the user's has a variable.
func isOfSession(variable string) bool {
	return strings.HasPrefix(variable, "LC_") || slices.Contains([]string{
		"HOME", "USER", "LOGNAME", "PATH", "SHELL", "LANG", "TERM", "TMPDIR",
		"USERPROFILE", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP", "USERNAME", "SystemRoot",
	}, variable)
}

// Limits returns what is known of a host. Where no version stands beside a figure it
// is from 2026-11-22, of documentation and of what users have reported; "tried" are
// those that were measured then.
func (h Host) Limits() Limits {
	l := limits[h.ID]
	l.Tools, _ = aggregator.KnownRoom(l.Client)
	return l
}

var limits = map[string]Limits{
	ClaudeDesktop.ID: {
		Client:      "claude-ai",
		Name:        NameLimit{64, nothing, "hides all tools of weir"},
		Start:       time.Minute,
		Environment: OfDesktop,
	},
	ClaudeCode.ID: { // 2.1.330, tried
		Client:      "claude-code",
		Name:        NameLimit{128, between("mcp__", "__"), "leaves it out, silently"}, // 64 before; then the session broke
		Description: 2 << 10,
		FirstTurn:   30 * time.Second, // 2 s in 2.1.197
		Start:       30 * time.Second,
		Environment: Whole,
	},
	Cursor.ID: {
		Client:      "cursor-vscode",
		Name:        NameLimit{60, between("", ""), "leaves it out, silently"},
		Environment: OfDesktop,
	},
	VSCode.ID: { // its source
		Client:      "Visual Studio Code",
		Name:        NameLimit{64, vscodeHead, "cuts it"},
		Environment: OfDesktop,
	},
	Windsurf.ID: {Client: "windsurf", Environment: OfDesktop},
	Codex.ID: { // 0.169.0, tried
		Client:      "codex-mcp-client",
		Name:        NameLimit{128, between("mcp__", "__"), "cuts it and puts a hash at its end"}, // 64 in older ones
		FirstTurn:   time.Second,
		Start:       30 * time.Second, // 10 s in older ones
		Environment: Few,
	},
	Gemini.ID: { // 0.61.0, tried
		Client:      "gemini-cli-mcp-client",
		Name:        NameLimit{63, between("mcp_", "_"), "cuts it in the middle, so that two may become one"},
		Environment: NoSecrets,
	},
	Zed.ID: {Client: "Zed", Environment: OfDesktop},
	OpenCode.ID: { // 1.18.33, tried
		Client:      "opencode",
		Start:       30 * time.Second,
		Environment: Whole,
	},
}

// nothing stands before the name.
func nothing(string) string { return "" }

// between puts the entry between two texts.
func between(head, tail string) func(string) string {
	return func(entry string) string { return head + entry + tail }
}

// vscodeHead is cut to 18 characters with its underscores.
func vscodeHead(entry string) string {
	const most = 18
	head := "mcp_" + entry
	return head[:min(len(head), most-1)] + "_"
}
