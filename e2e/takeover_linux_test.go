package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest/desktop"
)

// TestTakeOverAsks: a person sees the plan, says yes once, and moves a secret into the
// keyring; the host has it back after all.
func TestTakeOverAsks(t *testing.T) {
	t.Parallel()
	u := importing(t, `{"tools": [{"name": "tool"}]}`)
	file := filepath.Join(u.home, ".cursor", "mcp.json")
	before, configuration := string(read(t, file)), u.configuration(t)
	keyring := desktop.Start(t, t.TempDir())
	u.env = append(u.env, slices.DeleteFunc(slices.Clone(keyring.Environ), func(variable string) bool {
		return strings.HasPrefix(variable, "HOME=")
	})...)

	term := u.onTerminal(t, "install", "cursor", "--take-over")
	term.types(t, `Type "yes" to write all this`, "no")
	term.awaits(t, "Nothing was written.")
	if err := <-term.ended; err != nil || u.configuration(t) != configuration {
		t.Fatalf("weir install: %v:\n%s", err, term.seen())
	}
	wantFile(t, file, before)

	term = u.onTerminal(t, "install", "cursor", "--take-over")
	term.types(t, `Type "yes" to write all this`, "yes")
	term.types(t, `Type "yes" to move 1 secret into the keyring`, "yes")
	term.awaits(t, "Back again:")
	if err := <-term.ended; err != nil {
		t.Fatalf("weir install: %v:\n%s", err, term.seen())
	}
	if strings.Contains(term.seen(), "planted-") {
		t.Errorf("a secret was shown:\n%s", term.seen())
	}
	for name, text := range map[string]string{"mcp.yaml": u.configuration(t), "the host's file": string(read(t, file))} {
		if strings.Contains(text, "planted-") {
			t.Errorf("a secret is in %s:\n%s", name, text)
		}
	}
	u.wants(t, []string{"one__tool", "two__tool"}, "tools")

	// What another host has with the secret written out is the same server.
	other := filepath.Join(u.home, ".codeium", "windsurf", "mcp_config.json")
	writeMode(t, other, before, 0o600)
	u.wants(t, []string{"the same as one", "2 servers of its own are behind it"}, "install", "windsurf", "--take-over", "--yes")
	if text := string(read(t, other)); strings.Contains(text, "planted-") {
		t.Errorf("the other host has them still: %s", text)
	}
	u.wants(t, nil, "uninstall", "cursor", "windsurf", "--yes")
	wantFile(t, file, before)
	wantFile(t, other, before)
}

// TestTakeOverByHost: a host that has a command of its own adds the entry by it; its
// other servers go out of what it has written.
func TestTakeOverByHost(t *testing.T) {
	t.Parallel()
	const adds = `#!/bin/sh
[ "$1 $2 $3" = 'mcp add-json weir' ] || exit 1
sed -i "s|\"mcpServers\":{|\"by\":1,\"mcpServers\":{\"weir\":$(printf %s "$4" | sed 's/[&\\|]/\\&/g'),|" "$HOME/.claude.json"
`
	const adopts = "#!/bin/sh\nprintf '{\"mcpServers\":{}}' >\"$HOME/.claude.json\"\n"
	const before = `{"mcpServers":{"one":{"command":"fake","args":["tool.json"]}},"n":1}`
	for _, test := range []struct{ name, script, taken, after string }{
		{"adds", adds, `{"by":1,"mcpServers":{"weir":`, `{"by":1,"mcpServers":{"one":{"command":"fake","args":["tool.json"]}},"n":1}`},
		{"does something else", adopts, "", `{"mcpServers":{}}`},
		{"fails", "#!/bin/sh\nexit 1\n", `{"mcpServers":{"weir":`, before},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, "servers: {}\n")
			u.write(t, "tool.json", `{"tools": [{"name": "ok"}]}`)
			writeMode(t, filepath.Join(u.home, "bin", "claude"), test.script, 0o700)
			u.env = append(u.env, "PATH="+filepath.Join(u.home, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
			file := filepath.Join(u.home, ".claude.json")
			writeMode(t, file, before, 0o600)
			said, code := u.run(t, "install", "claude-code", "--take-over", "--yes")
			if test.taken == "" {
				if code == 0 || !strings.Contains(said, "the file has changed in the meantime") || u.configuration(t) != "servers: {}\n" {
					t.Errorf("exit code %d: %s\n%s", code, said, u.configuration(t))
				}
				wantFile(t, file, test.after)
				return
			}
			if text := string(read(t, file)); code != 0 || !strings.HasPrefix(text, test.taken) || strings.Contains(text, "tool.json") {
				t.Errorf("exit code %d: %s\n%s", code, said, text)
			}
			u.wants(t, nil, "uninstall", "claude-code", "--yes")
			wantFile(t, file, test.after)
		})
	}
}
