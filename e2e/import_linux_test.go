package e2e

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest/desktop"
)

// importing is a user whose Cursor and VS Code have servers, and a configuration
// with one.
func importing(t *testing.T, script string) *user {
	t.Helper()
	const before = "# mine\nservers: {}\n"
	u := newUser(t, before)
	u.write(t, "tool.json", script)
	tool := filepath.Join(u.home, "tool.json")
	for path, text := range map[string]string{
		filepath.Join(u.home, ".cursor", "mcp.json"): `{"mcpServers": {
			"one": {"command": "fake", "args": ["` + tool + `"], "env": {"ONE_TOKEN": "planted-one"}},
			"two": {"command": "fake", "args": ["` + tool + `", "2"]}}}`,
		filepath.Join(u.config, "Code", "User", "mcp.json"): `{
			"inputs": [{"id": "the-key", "type": "promptString", "description": "A key", "password": true}, {"id": "level", "type": "promptString", "default": "low"}],
			"servers": {"three": {"command": "fake", "args": ["` + tool + `"], "env": {"KEY": "${input:the-key}", "LEVEL": "${input:level}"}}}}`,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(u.configuration(t))
		}
	})
	return u
}

func (term *terminal) types(t *testing.T, awaited, text string) {
	t.Helper()
	term.awaits(t, awaited)
	if _, err := io.WriteString(term.near, text+"\n"); err != nil {
		t.Fatal(err)
	}
}

// TestImportAsks: a person says yes, moves secrets into the keyring, and answers
// what the editor would ask. Taken back, nothing is left in file or keyring.
func TestImportAsks(t *testing.T) {
	t.Parallel()
	u := importing(t, `{"tools": [{"name": "tool"}]}`)
	before := u.configuration(t)
	keyring := desktop.Start(t, t.TempDir())
	u.env = append(u.env, slices.DeleteFunc(slices.Clone(keyring.Environ), func(variable string) bool {
		return strings.HasPrefix(variable, "HOME=")
	})...)

	term := u.onTerminal(t, "import")
	term.types(t, `Type "yes" to add these 3 servers to`, "yes")
	term.types(t, "A key (the-key), not shown", "planted-two")
	term.types(t, "level [low]: ", "high")
	term.types(t, `Type "yes" to move 1 secret into the keyring`, "yes")
	term.awaits(t, "Added.")
	if err := <-term.ended; err != nil {
		t.Fatalf("weir import: %v:\n%s", err, term.seen())
	}
	if strings.Contains(term.seen(), "planted-") {
		t.Errorf("a secret was shown:\n%s", term.seen())
	}
	after := u.configuration(t)
	for _, want := range []string{`ONE_TOKEN: "${keyring:weir/one/ONE_TOKEN}"`, `KEY: "${keyring:weir/input/the-key}"`, "LEVEL: high", "# mine"} {
		if !strings.Contains(after, want) {
			t.Errorf("%q is not in the configuration", want)
		}
	}
	if strings.Contains(after, "planted-") {
		t.Error("a secret is in the configuration")
	}
	u.wants(t, []string{"one__tool", "two__tool", "three__tool"}, "tools")
	u.wants(t, []string{"There is nothing to add."}, "import", "cursor")

	term = u.onTerminal(t, "import", "--undo")
	term.types(t, `Type "yes" to go back`, "yes")
	if err := <-term.ended; err != nil {
		t.Fatalf("weir import --undo: %v:\n%s", err, term.seen())
	}
	if got := u.configuration(t); got != before {
		t.Errorf("got %q back, want %q", got, before)
	}
	for _, name := range []string{"weir/one/ONE_TOKEN", "weir/input/the-key"} {
		if said, code := u.run(t, "auth", "secret", "delete", name); code == 0 {
			t.Errorf("%s was still in the keyring: %s", name, said)
		}
	}
}

// TestImportEach: of several servers a person takes one, and another time none.
func TestImportEach(t *testing.T) {
	t.Parallel()
	u := importing(t, `{"tools": [{"name": "tool"}]}`)
	before := u.configuration(t)
	term := u.onTerminal(t, "import", "cursor")
	term.types(t, `Type "yes" to add these 2 servers`, "no")
	term.awaits(t, "Nothing was written.")
	if err := <-term.ended; err != nil || u.configuration(t) != before {
		t.Fatalf("weir import: %v:\n%s", err, term.seen())
	}
	term = u.onTerminal(t, "import", "cursor")
	term.types(t, `Type "yes" to add these 2 servers`, "each")
	term.types(t, `Type "yes" to add one`, "")
	term.types(t, `Type "yes" to add two`, "yes")
	if err := <-term.ended; err != nil {
		t.Fatalf("weir import: %v:\n%s", err, term.seen())
	}
	if got := u.configuration(t); !strings.Contains(got, "two:") || strings.Contains(got, "one:") {
		t.Errorf("got %q, want two of them only", got)
	}
}
