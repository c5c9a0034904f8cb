package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/hosts"
)

// A deskOf is of a user with files.
type deskOf struct{ home string }

// newDesk is with files by their paths below the home.
func newDesk(t *testing.T, files map[string]string) *deskOf {
	t.Helper()
	d := &deskOf{newHome(t)}
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(d.home, ".config"))
	t.Setenv("XDG_STATE_HOME", filepath.Join(d.home, ".state"))
	t.Setenv("WEIR_CONFIG", filepath.Join(d.home, "mcp.yaml"))
	for name, text := range files {
		d.write(t, name, text)
	}
	return d
}

func (d *deskOf) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(d.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read is what a file holds; "" is also none.
func (d *deskOf) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.home, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// app is weir for functions of its own.
func (d *deskOf) app() (a *app, said *strings.Builder) {
	said = &strings.Builder{}
	return &app{Process: Process{Stdin: strings.NewReader(""), Stdout: said, Stderr: said, Environ: os.Environ()}}, said
}

const (
	cursorFile = ".cursor/mcp.json"
	vsCodeFile = ".config/Code/User/mcp.json"
)

// TestTakeOverLeaves: what would not be behind weir as it was stays, and it is said why.
func TestTakeOverLeaves(t *testing.T) {
	const one = `"one": {"command": "npx", "args": ["x"], "env": {"API_TOKEN": "first-token-1"}}`
	for name, tt := range map[string]struct {
		config, cursor string
		args           string
		moves          string // a row of the table
		stays          string
		code           int
	}{
		"a new one":                 {"", one, "", "Cursor  one   one      stdio  1 secret", "", exitOK},
		"one that is there":         {"servers: {mine: {command: npx, args: [x], env: {API_TOKEN: first-token-1}}}", one, "", "the same as mine", "", exitOK},
		"the same by a variable":    {"servers: {mine: {command: npx, args: [x], env: {API_TOKEN: \"${FIRST_TOKEN}\"}}}", one, "", "the same as mine", "", exitOK},
		"another by a variable":     {"servers: {mine: {command: npx, args: [x], env: {API_TOKEN: \"${OTHER_TOKEN}\"}}}", one, "", "", "mine in mcp.yaml is like it, but has other variables", exitPartly},
		"another secret":            {"servers: {one: {command: npx, args: [x], env: {API_TOKEN: second-token-2}}}", one, "", "one-2", "", exitOK},
		"one with headers":          {`servers: {web: {url: "https://example.com/mcp"}}`, `"web": {"url": "https://example.com/mcp", "headers": {"X-Key": "k"}}`, "", "", "web in mcp.yaml is like it", exitPartly},
		"without headers":           {`servers: {web: {url: "https://example.com/mcp"}}`, `"web": {"url": "https://example.com/mcp"}`, "", "the same as web", "", exitOK},
		"with fewer tools there":    {`servers: {web: {url: "https://example.com/mcp", tools: {include: [a]}}}`, `"web": {"url": "https://example.com/mcp"}`, "", "", "has other variables, headers or tools", exitPartly},
		"with the same tools":       {`servers: {web: {url: "https://example.com/mcp", tools: {include: [a]}}}`, `"web": {"url": "https://example.com/mcp", "tools": ["a"]}`, "", "the same as web", "", exitOK},
		"with the same login":       {`servers: {web: {url: "https://example.com/mcp", auth: {type: oauth2, client_id: c}}}`, `"web": {"url": "https://example.com/mcp", "auth": {"CLIENT_ID": "c"}}`, "", "the same as web", "", exitOK},
		"with another login":        {`servers: {web: {url: "https://example.com/mcp"}}`, `"web": {"url": "https://example.com/mcp", "auth": {"CLIENT_ID": "c"}}`, "", "", "web in mcp.yaml is like it", exitPartly},
		"switched off there":        {"servers: {mine: {command: npx, args: [x], env: {API_TOKEN: first-token-1}, enabled: false}}", one, "", "", "which is switched off there (weir enable mine)", exitPartly},
		"not enabled":               {"", `"one": {"command": "npx", "disabled": true}`, "", "", "it is not enabled", exitOK},
		"weir":                      {"", `"old-weir": {"command": "/usr/bin/weir", "args": ["serve"]}`, "", "", "it is weir itself", exitOK},
		"a variable that is not":    {"", `"one": {"command": "npx", "env": {"A": "${env:NOWHERE}"}}`, "", "", "it would not start behind weir: env.A: variable NOWHERE is not set", exitPartly},
		"unknown type":              {"", `"one": {"type": "pigeon", "url": "https://example.com/"}`, "", "", `unknown transport "pigeon"`, exitPartly},
		"a path from anywhere":      {"", `"one": {"command": "bin/one"}`, "", "", "its command is a path from wherever the host is started", exitPartly},
		"a folder from anywhere":    {"", `"one": {"command": "one", "cwd": "x"}`, "", "", "its cwd is a path from wherever the host is started", exitPartly},
		"a folder of the editor's":  {"", `"one": {"command": "npx", "args": ["${workspaceFolder}"]}`, "", "", "write the folder out there first", exitPartly},
		"a profile that has it":     {"servers: {}\nprofiles: {p: {}}", one, "--profile p", `The profile "p" has all`, "", exitOK},
		"a profile that has it not": {"servers: {a: {command: b}}\nprofiles: {p: {servers: [a]}}", one, "--profile p", "", `the profile "p" does not have one`, exitPartly},
		"no such profile":           {"servers: {}", one, "--profile p", "", `there is no profile "p"`, exitFailed},
		"who is denied all":         {"servers: {}\nkeys: [{name: k, sha256: " + strings.Repeat("a", 64) + "}]", one, "", "", "would be denied everything", exitFailed},
		"a file of another program": {`{"mcpServers": {}}`, one, "", "", "cannot be added to", exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			before := `{"mcpServers": {` + tt.cursor + `}}`
			d := newDesk(t, map[string]string{cursorFile: before})
			t.Setenv("FIRST_TOKEN", "first-token-1")
			t.Setenv("OTHER_TOKEN", "other-token-1")
			if tt.config != "" {
				d.write(t, "mcp.yaml", tt.config)
			}
			got := weir(t, append([]string{"install", "cursor", "--take-over", "--dry-run"}, strings.Fields(tt.args)...)...)
			got.wants(t, tt.code, tt.moves, tt.stays)
			if strings.Contains(got.stdout, "-token-") {
				t.Errorf("a secret was shown:\n%s", got.stdout)
			}
			if moved := strings.Contains(got.stdout, "\n  - "); moved != (tt.stays == "" && tt.code == exitOK) {
				t.Errorf("something is taken out of the file: %v\n%s", moved, got.stdout)
			}
			if d.read(t, cursorFile) != before || d.read(t, "mcp.yaml") != tt.config {
				t.Error("something was written")
			}
		})
	}
}

// TestTakeOverOfTwo: what two hosts have is in mcp.yaml once, and in neither file.
func TestTakeOverOfTwo(t *testing.T) {
	const cursor, vsCode = `{"mcpServers": {"desk": {"command": "weir", "args": ["demo-server"]}}}`, `{"servers": {"The Desk": {"command": "weir", "args": ["demo-server"]}, "x": {"type": "pigeon"}}}`
	d := newDesk(t, map[string]string{cursorFile: cursor, vsCodeFile: vsCode})
	weir(t, "install", "cursor", "vscode", "--take-over", "--yes").wants(t, exitPartly, "Added. 1 server is in", "weir uninstall cursor vscode")
	if got := d.read(t, "mcp.yaml"); got != "servers:\n  desk:\n    command: weir\n    args: [\"demo-server\"]\n" {
		t.Errorf("mcp.yaml: got %s", got)
	}
	for _, name := range []string{cursorFile, vsCodeFile} {
		if got := d.read(t, name); strings.Contains(got, "demo-server") || !strings.Contains(got, `"weir": {`) || !strings.Contains(got, "--config") {
			t.Errorf("%s: got %s", name, got)
		}
	}
	weir(t, "import", "--undo", "--dry-run").wants(t, exitOK, "Without their own servers since weir took these over: ", "Cursor", "VS Code")
	// What has come since goes the same way, and what was changed since stays.
	d.write(t, cursorFile, strings.Replace(d.read(t, cursorFile), `{"mcpServers": {`, `{"mine": [1,2], "mcpServers": {"more": {"command": "weir", "args": ["demo-server"], "env": {"A": "b"}}, `, 1))
	weir(t, "install", "cursor", "--take-over", "--yes").wants(t, exitOK, "1 server of its own is behind it")
	if got := d.read(t, cursorFile); strings.Contains(got, "demo-server") {
		t.Errorf("got %s", got)
	}
	if got := d.read(t, "mcp.yaml"); !strings.Contains(got, "more:") {
		t.Errorf("mcp.yaml: got %s", got)
	}
	weir(t, "uninstall", "cursor", "vscode", "--yes").wants(t, exitOK, "its servers are in there again", "keeps them, for other hosts")
	want := `{"mine": [1,2], "mcpServers": {"more": {"command": "weir", "args": ["demo-server"], "env": {"A": "b"}}, "desk": {"command": "weir", "args": ["demo-server"]}}}`
	if got := d.read(t, cursorFile); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := d.read(t, vsCodeFile); got != vsCode {
		t.Errorf("got %s, want %s", got, vsCode)
	}
	if got := d.read(t, "mcp.yaml"); !strings.Contains(got, "desk:") {
		t.Errorf("mcp.yaml: got %s", got)
	}
	weir(t, "import", "--undo", "--yes").wants(t, exitOK, "It is as it was.")
	weir(t, "import", "--undo", "--yes").wants(t, exitOK, "It is as it was.")
	if got := d.read(t, "mcp.yaml"); got != "" {
		t.Errorf("mcp.yaml: got %s", got)
	}
}

// TestTakeOverGivesBack: whatever became of the file since, the host has its servers
// again, and what others wrote stays.
func TestTakeOverGivesBack(t *testing.T) {
	const before = "{\n  \"mcpServers\": {\n    \"desk\": {\"command\": \"weir\", \"args\": [\"demo-server\"]}, // mine\n    \"off\": {\"command\": \"x\", \"disabled\": true}\n  }\n}\n"
	for name, tt := range map[string]struct {
		change func(text string) string
		want   string
	}{
		"unchanged": {func(text string) string { return text }, before},
		"changed": {
			func(text string) string { return strings.Replace(text, "{", "{\n  \"theirs\": 1,", 1) },
			"{\n  \"theirs\": 1,\n  \"mcpServers\": {\n    // mine\n    \"off\": {\"command\": \"x\", \"disabled\": true},\n    \"desk\": {\"command\": \"weir\", \"args\": [\"demo-server\"]}\n  }\n}\n",
		},
		"another of that name": {
			func(text string) string {
				return strings.Replace(text, `"off": {`, `"desk": {"command": "new"}, "off": {`, 1)
			},
			"{\n  \"mcpServers\": {\n    // mine\n    \"desk\": {\"command\": \"new\"}, \"off\": {\"command\": \"x\", \"disabled\": true}\n  }\n}\n",
		},
		"emptied by hand": {func(string) string { return "{}" }, "{\n  \"mcpServers\": {\n    \"desk\": {\n      \"command\": \"weir\",\n      \"args\": [\"demo-server\"]\n    }\n  }\n}"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, map[string]string{cursorFile: before})
			weir(t, "install", "cursor", "--take-over", "--yes").wants(t, exitOK, "1 server of its own is behind it")
			d.write(t, cursorFile, tt.change(d.read(t, cursorFile)))
			weir(t, "uninstall", "cursor", "--yes").wants(t, exitOK, "its servers are in there again")
			if got := d.read(t, cursorFile); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			weir(t, "uninstall", "cursor", "--yes").wants(t, exitOK, `there is no entry "weir"`)
		})
	}
}

// TestGivenBackUnseen: what comes back into a host's file is shown without its secrets,
// wherever they stand.
func TestGivenBackUnseen(t *testing.T) {
	const secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
	d := newDesk(t, map[string]string{cursorFile: `{"mcpServers": {
		"args": {"command": "weir", "args": ["demo-server"], "env": {"FOLDER": "/shown"}},
		"web": {"url": "http://127.0.0.1:1/mcp?token=` + secret + `"},
		"flag": {"command": "weir-not-there", "args": ["--token", "` + secret + `"]}}}`})
	before := d.read(t, cursorFile)
	weir(t, "install", "cursor", "--take-over", "--yes", "--secrets=keep")
	if strings.Contains(d.read(t, cursorFile), secret) {
		t.Fatal("the servers were not taken over")
	}
	got := weir(t, "uninstall", "cursor", "--yes")
	got.wants(t, exitOK, "/shown", "--token")
	if strings.Contains(got.stdout+got.stderr, secret) {
		t.Errorf("a secret was shown:\n%s", got.stdout)
	}
	if d.read(t, cursorFile) != before {
		t.Error("the file is another one")
	}
}

// TestTakeOverGivesTablesBack: it is the same in TOML.
func TestTakeOverGivesTablesBack(t *testing.T) {
	const file = ".codex/config.toml"
	d := newDesk(t, map[string]string{file: "model = \"a\"\n\n[mcp_servers.desk]\ncommand = \"weir\"\nargs = ['demo-server'] # mine\n[mcp_servers.desk.env]\nA = \"b\"\n\n[profiles.x]\ny = 1\n"})
	weir(t, "install", "codex", "--take-over", "--yes").wants(t, exitOK, "1 server of its own is behind it")
	d.write(t, file, strings.Replace(d.read(t, file), `model = "a"`, `model = "b"`, 1))
	weir(t, "uninstall", "codex", "--yes").wants(t, exitOK, "its servers are in there again")
	const want = "model = \"b\"\n\n[mcp_servers.desk]\ncommand = \"weir\"\nargs = [\"demo-server\"]\n\n[mcp_servers.desk.env]\nA = \"b\"\n\n[profiles.x]\ny = 1\n"
	if got := d.read(t, file); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTakeOverThenInstall: another entry of weir's changes nothing of what the host
// gets back.
func TestTakeOverThenInstall(t *testing.T) {
	const before = `{"mcpServers":{"desk":{"command":"weir","args":["demo-server"]}}}`
	d := newDesk(t, map[string]string{cursorFile: before})
	weir(t, "install", "cursor", "--take-over", "--yes").wants(t, exitOK)
	weir(t, "install", "cursor", "--profile", "work", "--yes").wants(t, exitOK, "weir is in now")
	if got := d.read(t, cursorFile); !strings.Contains(got, "work") || strings.Contains(got, "desk") {
		t.Errorf("got %s", got)
	}
	weir(t, "uninstall", "cursor", "--yes").wants(t, exitOK, "its servers are in there again")
	if got := d.read(t, cursorFile); got != before {
		t.Errorf("got %s, want %s", got, before)
	}
}

// TestTakeOverThatFails: a host that changes its file in the meantime keeps its
// servers. If no host is left, mcp.yaml is as it was.
func TestTakeOverThatFails(t *testing.T) {
	const cursor, vsCode = `{"mcpServers": {"desk": {"command": "weir", "args": ["demo-server"]}}}`, `{"servers": {"other": {"command": "weir", "args": ["demo-server", "--http"]}}}`
	for name, tt := range map[string]struct {
		hosts  []hosts.Host
		config string
	}{
		"one of two":        {[]hosts.Host{hosts.Cursor, hosts.VSCode}, "servers: {}\n"},
		"the only one":      {[]hosts.Host{hosts.Cursor}, "# mine\nservers: {}\n"},
		"with no mcp.yaml":  {[]hosts.Host{hosts.Cursor}, ""},
		"with nothing more": {[]hosts.Host{hosts.Cursor}, "servers: {desk: {command: weir, args: [demo-server]}}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, map[string]string{cursorFile: cursor, vsCodeFile: vsCode})
			if tt.config != "" {
				d.write(t, "mcp.yaml", tt.config)
			}
			a, said := d.app()
			to, err := a.planTakeOver(t.Context(), tt.hosts, hostFlags{name: "weir", yes: true}, "")
			if err != nil {
				t.Fatal(err)
			}
			d.write(t, cursorFile, cursor+"\n")
			if err := to.agreeAndApply(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := to.end(len(tt.hosts)); err == nil || !errors.Is(to.failed[0], errChanged) {
				t.Errorf("got %v", err)
			}
			if got := d.read(t, cursorFile); got != cursor+"\n" {
				t.Errorf("got %s", got)
			}
			if len(tt.hosts) > 1 {
				if got := d.read(t, "mcp.yaml"); !strings.Contains(got, "desk") || !strings.Contains(got, "other") {
					t.Errorf("mcp.yaml: got %s", got)
				}
				if got := d.read(t, vsCodeFile); strings.Contains(got, "other") || !strings.Contains(said.String(), "a host that could not be changed has its own still") {
					t.Errorf("got %s\n%s", got, said)
				}
				return
			}
			if got := d.read(t, "mcp.yaml"); got != tt.config {
				t.Errorf("mcp.yaml: got %q, want %q", got, tt.config)
			}
			weir(t, "import", "--undo", "--yes").wants(t, exitFailed, "nothing was imported")
			if left, _ := filepath.Glob(filepath.Join(d.home, ".state", "weir", "*.before")); len(left) > 0 {
				t.Errorf("files are left: %q", left)
			}
		})
	}
}

// TestTakeOverOfWhatMoved: an mcp.yaml that is not as it was shown is not written to,
// and no host is changed.
func TestTakeOverOfWhatMoved(t *testing.T) {
	for name, before := range map[string]string{"to be added to": "servers: {}\n", "to be relied on": "servers: {desk: {command: weir, args: [demo-server]}}\n"} {
		t.Run(name, func(t *testing.T) {
			const cursor = `{"mcpServers": {"desk": {"command": "weir", "args": ["demo-server"]}}}`
			d := newDesk(t, map[string]string{cursorFile: cursor, "mcp.yaml": before})
			a, _ := d.app()
			to, err := a.planTakeOver(t.Context(), []hosts.Host{hosts.Cursor}, hostFlags{name: "weir", yes: true}, "")
			if err != nil {
				t.Fatal(err)
			}
			d.write(t, "mcp.yaml", "servers: {a: {command: b}}\n")
			if err := to.agreeAndApply(t.Context()); !errors.Is(err, config.ErrMoved) {
				t.Errorf("got %v, want %v", err, config.ErrMoved)
			}
			if got := d.read(t, cursorFile); got != cursor {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestTakeOverElsewhere: servers of files that weir's entry is not in stay, and those
// of a project are touched only if they are meant.
func TestTakeOverElsewhere(t *testing.T) {
	entry := func(name string) string {
		return `{"mcpServers": {"` + name + `": {"command": "weir", "args": ["demo-server"]}}}`
	}
	d := newDesk(t, map[string]string{
		vsCodeFile: `{"servers": {}}`, ".config/Code - Insiders/User/mcp.json": `{"servers": {"insider": {"command": "x"}}}`,
		"project/.mcp.json": entry("shared"), "project/.cursor/mcp.json": entry("cursors"),
	})
	project := filepath.Join(d.home, "project")
	d.write(t, ".claude.json", `{"mcpServers": {}, "projects": {`+quoted(project)+`: {"mcpServers": {"local": {"command": "y"}}}}}`)
	t.Chdir(project)
	weir(t, "install", "vscode", "--take-over", "--yes").wants(t, exitPartly, "insider stays in VS Code: weir's entry is in another file")
	got := weir(t, "install", "claude-code", "cursor", "--take-over", "--dry-run")
	got.wants(t, exitOK)
	if strings.Contains(got.stdout, "shared") || strings.Contains(got.stdout, "cursors") || strings.Contains(got.stdout, "local") {
		t.Errorf("the project's were not asked for:\n%s", got.stdout)
	}
	weir(t, "install", "claude-code", "cursor", "--project", "--take-over", "--yes").wants(t, exitPartly,
		"local stays in Claude Code, local: weir's entry is in another file", "whoever else has this folder is without these servers")
	for _, name := range []string{"project/.mcp.json", "project/.cursor/mcp.json"} {
		if got := d.read(t, name); strings.Contains(got, "demo-server") || !strings.Contains(got, `"weir"`) {
			t.Errorf("%s: got %s", name, got)
		}
	}
	weir(t, "uninstall", "claude-code", "cursor", "--project", "--yes").wants(t, exitOK)
	if got := d.read(t, "project/.mcp.json"); got != entry("shared") {
		t.Errorf("got %s", got)
	}
}

// TestTakeOverRefuses: what makes no sense is said before anything is looked at.
func TestTakeOverRefuses(t *testing.T) {
	newDesk(t, map[string]string{cursorFile: `{"mcpServers": {"weir": {"command": "npx"}, "x": {"command": "y"}}}`, ".gemini/settings.json": `{"mcp": {"allowed": ["a"]}, "mcpServers": {"a": {"command": "b"}}}`})
	weir(t, "install", "cursor", "--secrets=keyring").wants(t, exitUsage, "give --take-over too")
	weir(t, "install", "cursor", "--take-over", "--secrets=x").wants(t, exitUsage, `unknown --secrets "x"`)
	weir(t, "install", "--take-over").wants(t, exitUsage, "missing HOST")
	weir(t, "install", "cursor", "--take-over", "--yes").wants(t, exitFailed, "choose another name (--name)")
	weir(t, "install", "gemini", "--take-over", "--yes").wants(t, exitFailed, `says under "mcp" that "weir" is not to be used`)
	weir(t, "install", "windsurf", "--take-over").wants(t, exitUsage, "nothing was written")
}
