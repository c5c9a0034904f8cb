package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/internal/hostedit"
	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A handmade is a file of a host's as somebody has written it by hand, with all that
// the host allows. $SAYS is a server that wants HOST_TOKEN as the host's user has it;
// $PLAIN is one that wants nothing.
type handmade struct {
	name, host string
	project    bool
	path       string // below the home, which has the configurations too
	mode       fs.FileMode
	link       bool // the path is a symbolic link
	text       string

	has    []string // servers that are used, by their names in mcp.yaml
	stay   []string // that are left where they are, by their names there
	passes func(map[string]string) map[string]string
}

var handmades = []handmade{
	{
		name: "mark, Windows' line ends, comments", host: "claude-desktop", path: "config/Claude/claude_desktop_config.json", mode: 0o644, passes: all,
		text: "\ufeff{\r\n\t\"mcpServers\": {\r\n\t\t// mine\r\n\t\t\"My Files\": {\"command\": \"sh\", \"args\": [\"-c\", \"$PLAIN\"]}, /* both */\r\n" +
			"\t\t\"one\": {\r\n\t\t\t\"command\": \"sh\",\r\n\t\t\t\"args\": [\"-c\", \"$SAYS\"],\r\n\t\t\t\"env\": {\"HOST_TOKEN\": \"t0k3n-of-h0st\"},\r\n\t\t},\r\n\t},\r\n" +
			"\t\"globalShortcut\": \"\",\r\n}\r\n",
		has: []string{"my-files", "one"},
	},
	{
		name: "one line, among many other things", host: "claude-code", path: ".claude.json", mode: 0o600, passes: all,
		text: `{"numStartups":12,"mcpServers":{"one":{"type":"stdio","command":"sh","args":["-c","$SAYS"],"env":{"HOST_TOKEN":"${HOST_TOKEN:-none}"}},"off":{"command":"x","disabled":true}},` +
			`"projects":{"/p":{"mcpServers":{"x":{"command":"x"}}}},"big":9007199254740993}` + "\n",
		has: []string{"one"}, stay: []string{"off"},
	},
	{
		name: "of a project", host: "claude-code", project: true, path: "project/.mcp.json", mode: 0o664, passes: all,
		text: "{\n    \"mcpServers\": {\n        \"one\": { \"command\": \"sh\", \"args\": [ \"-c\", \"$SAYS\" ], \"env\": { \"HOST_TOKEN\": \"${HOST_TOKEN}\" } }\n    }\n}",
		has:  []string{"one"},
	},
	{
		name: "a link, without a line end, unknown keys", host: "cursor", path: ".cursor/mcp.json", mode: 0o640, link: true, passes: all,
		text: "// by hand\n{\n  \"mcpServers\": {\n    \"one\": {\"command\": \"sh\", \"args\": [\"-c\", \"$SAYS\"], \"env\": {\"HOST_TOKEN\": \"${env:HOST_TOKEN}\"}, \"x-theirs\": [1.0, {}]},\n" +
			"    \"weird\": {\"type\": \"pigeon\", \"url\": \"https://example.com/\"},\n    \"open folder\": {\"command\": \"sh\", \"args\": [\"${workspaceFolder}\"]}\n  }\n}",
		has: []string{"one"}, stay: []string{"open folder", "weird"},
	},
	{
		name: "inputs", host: "vscode", path: "config/Code/User/mcp.json", mode: 0o600, passes: all,
		text: "{\n\t\"inputs\": [{\"id\": \"key\", \"type\": \"promptString\", \"password\": true}],\n\t\"servers\": {\n\t\t\"asks\": {\"type\": \"stdio\", \"command\": \"x\", \"env\": {\"K\": \"${input:key}\"}},\n" +
			"\t\t\"one\": {\n\t\t\t\"type\": \"stdio\",\n\t\t\t\"command\": \"sh\",\n\t\t\t\"args\": [\"-c\", \"$SAYS\"],\n\t\t\t\"env\": {\"HOST_TOKEN\": \"${env:HOST_TOKEN}\"}\n\t\t},\n\t},\n}\n",
		has: []string{"one"}, stay: []string{"asks"},
	},
	{
		name: "of a workspace", host: "vscode", project: true, path: "project/.vscode/mcp.json", mode: 0o644, passes: all,
		text: "{\"inputs\": [],\n \"servers\": {\"one\": {\"command\": \"sh\", \"args\": [\"-c\", \"cd '${workspaceFolder}'/.. && $SAYS\"], \"env\": {\"HOST_TOKEN\": \"${env:HOST_TOKEN}\"}},\n   \"two\": {\"command\": \"sh\", \"args\": [\"-c\", \"$PLAIN\"]}}}\n",
		has:  []string{"one", "two"},
	},
	{
		name: "dense", host: "windsurf", path: ".codeium/windsurf/mcp_config.json", mode: 0o600, passes: all,
		text: `{"mcpServers":{"one":{"command":"sh","args":["-c","$SAYS"],"env":{"HOST_TOKEN":"${env:HOST_TOKEN}"},"disabledTools":["not"]}}}`,
		has:  []string{"one"},
	},
	{
		name: "tables, dotted keys, no line end", host: "codex", path: ".codex/config.toml", mode: 0o600, passes: onlyCommon,
		text: "model = \"o\" # theirs\n\n# the first\n[mcp_servers.one]\ncommand = \"sh\"\nargs = [\n  '-c',\n  '''$SAYS''', # long\n]\nenv_vars = [\"HOST_TOKEN\"]\nstartup_timeout_sec = 20.0\n\n" +
			"[mcp_servers.\"two b\"]\ncommand = \"sh\"\nargs = [\"-c\", '''$PLAIN''']\nenv.A = \"b\"\n\n[mcp_servers.off]\ncommand = \"x\"\nenabled = false\n\n[profiles.x]\ny = '''\n[z]'''",
		has: []string{"one", "two-b"}, stay: []string{"off"},
	},
	{
		name: "dollars and trust", host: "gemini", path: ".gemini/settings.json", mode: 0o600, passes: withoutSecrets,
		text: "{\n  \"security\": {\"folderTrust\": true},\n  \"mcpServers\": {\n    \"one\": {\n      \"command\": \"sh\",\n      \"args\": [\"-c\", \"$SAYS\"],\n" +
			"      \"env\": {\"HOST_TOKEN\": \"$HOST_TOKEN\"},\n      \"trust\": true\n    }\n  }\n}\n",
		has: []string{"one"},
	},
	{
		name: "comments before the brace, an extension", host: "zed", path: "config/zed/settings.json", mode: 0o600, passes: all,
		text: "// Zed settings\n//\n{\n  \"theme\": \"One\", // dark\n  \"context_servers\": {\n    \"ext\": {\"source\": \"extension\", \"settings\": {}},\n    /* old */\n" +
			"    \"one\": {\"source\": \"custom\", \"command\": {\"path\": \"sh\", \"args\": [\"-c\", \"$SAYS\"], \"env\": {\"HOST_TOKEN\": \"t0k3n-of-h0st\"}}},\n  },\n}\n",
		has: []string{"one"}, stay: []string{"ext"},
	},
	{
		name: "one command", host: "opencode", path: "config/opencode/opencode.jsonc", mode: 0o600, passes: all,
		text: "{\n    \"$schema\": \"x\",\n    \"mcp\": {\n        \"one\": { \"type\": \"local\", \"command\": [\"sh\", \"-c\", \"$SAYS\"], \"environment\": { \"HOST_TOKEN\": \"{env:HOST_TOKEN}\" } },\n" +
			"        \"off\": { \"type\": \"remote\", \"url\": \"https://example.com/\", \"enabled\": false },\n    },\n}\n",
		has: []string{"one"}, stay: []string{"off"},
	},
}

// A handUser is a user with such a file.
type handUser struct {
	*user
	handmade
	file, before string
}

func (h *handmade) of(t *testing.T) *handUser {
	t.Helper()
	u := &handUser{user: newUser(t, "# mine\nservers: {}\n"), handmade: *h}
	u.env = append(u.env, "HOST_TOKEN=t0k3n-of-h0st", "LANG=C.UTF-8", "TERM=dumb")
	tool := filepath.Join(u.home, "tool.json")
	u.write(t, "tool.json", `{"tools": [{"name": "ok"}]}`)
	u.file = installing{path: h.path}.place(u.user)
	u.before = strings.NewReplacer("$SAYS", "case $HOST_TOKEN in t0k*) exec fake "+tool+";; esac", "$PLAIN", "exec fake "+tool).Replace(h.text)
	real := u.file
	if h.link {
		real = filepath.Join(u.home, "dotfiles", "settings")
	}
	writeMode(t, real, u.before, h.mode)
	if h.link {
		if err := os.MkdirAll(filepath.Dir(u.file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, u.file); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

// TestHostFiles: of a file of each host as somebody has written it, the servers are
// taken over in both ways, the host starts weir by what stands there then, calls what
// was its own, and has the same bytes again afterwards.
func TestHostFiles(t *testing.T) {
	t.Parallel()
	for _, h := range handmades {
		t.Run(h.host+", "+h.name, func(t *testing.T) {
			t.Parallel()
			u := h.of(t)
			configuration := u.configuration(t)
			u.ends(t, "import", h.host, "--yes")
			u.ends(t, "install", h.host, "--yes", "--config", filepath.Join(u.config, "mcp.yaml"))
			u.uses(t)
			u.ends(t, "uninstall", h.host, "--yes")
			u.isAsBefore(t)
			u.ends(t, "import", "--undo", "--yes")

			u.ends(t, "install", h.host, "--take-over", "--yes")
			u.uses(t)
			if got, want := u.entries(t), slices.Sorted(slices.Values(append(slices.Clone(h.stay), "weir"))); !slices.Equal(got, want) {
				t.Errorf("the host's file has %q, want %q:\n%s", got, want, read(t, u.file))
			}
			taken := string(read(t, u.file))
			if said := u.ends(t, "install", h.host, "--take-over", "--yes"); !strings.Contains(said, "There is nothing to take over.") {
				t.Errorf("for the second time: %s", said)
			}
			wantFile(t, u.file, taken)
			u.ends(t, "uninstall", h.host, "--yes")
			u.isAsBefore(t)
			u.ends(t, "import", "--undo", "--yes")
			if got := u.configuration(t); got != configuration {
				t.Errorf("mcp.yaml: got %q, want %q", got, configuration)
			}
			if left, _ := filepath.Glob(filepath.Join(u.state, "weir", "*.before")); len(left) > 0 {
				t.Errorf("files are left: %q", left)
			}
			if beside, _ := filepath.Glob(filepath.Join(u.config, "mcp.yaml?*")); len(beside) != 1 {
				t.Errorf("beside mcp.yaml are %q, want one backup", beside)
			}
		})
	}
}

// about runs a command in the folder that it is about.
func (u *handUser) about(t *testing.T, args ...string) (said string, code int) {
	t.Helper()
	cmd := u.command(args...)
	if u.project && !slices.Contains(args, "--undo") {
		cmd.Dir = filepath.Join(u.home, "project")
		cmd.Args = append(cmd.Args, "--project")
	}
	return saidBy(t, cmd)
}

// ends runs a command that ends well, or partly where servers stay.
func (u *handUser) ends(t *testing.T, args ...string) string {
	t.Helper()
	said, code := u.about(t, args...)
	if code != 0 && (code != 3 || len(u.stay) == 0) {
		t.Fatalf("weir %s: exit code %d\n%s", strings.Join(args, " "), code, said)
	}
	if strings.Contains(said, "t0k3n-of-h0st") {
		t.Errorf("weir %s showed a secret:\n%s", strings.Join(args, " "), said)
	}
	return said
}

func (u *handUser) isAsBefore(t *testing.T) {
	t.Helper()
	wantFile(t, u.file, u.before)
	info, err := os.Lstat(u.file)
	if err != nil || info.Mode()&fs.ModeSymlink != 0 != u.link {
		t.Errorf("got mode %v, %v, want a link: %v", info.Mode(), err, u.link)
	}
	if info, err := os.Stat(u.file); err != nil || info.Mode().Perm() != u.mode {
		t.Errorf("got mode %v, %v, want %v", info.Mode(), err, u.mode)
	}
}

// place is where the host's servers are in its file.
func (u *handUser) place(t *testing.T) (hostedit.Language, []string) {
	t.Helper()
	host, _ := hosts.ByID(u.host)
	machine := hosts.Machine{OS: "linux", Home: u.home, Getenv: func(key string) string { return u.environment()[key] }}
	if u.project {
		machine.Project = filepath.Join(u.home, "project")
	}
	for _, p := range machine.PlacesOf(host) {
		if p.Path == u.file {
			if p.Format == hosts.TOML {
				return hostedit.TOML{}, p.Servers
			}
			return hostedit.JSON{}, p.Servers
		}
	}
	t.Fatalf("%s is no place of %s", u.file, host.Title)
	return nil, nil
}

// entries are the names of the servers in the host's file.
func (u *handUser) entries(t *testing.T) []string {
	t.Helper()
	language, path := u.place(t)
	raw, err := language.Find(read(t, u.file), path)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(all))
}

// uses starts what stands in the host's file as the host does, and calls a tool of
// each server.
func (u *handUser) uses(t *testing.T) {
	t.Helper()
	language, path := u.place(t)
	raw, err := language.Find(read(t, u.file), append(slices.Clone(path), "weir"))
	if err != nil {
		t.Fatal(err)
	}
	var entry struct {
		Env     map[string]string
		EnvVars []string `json:"env_vars"`
	}
	if err := json.Unmarshal(raw, &entry); err != nil {
		t.Fatal(err)
	}
	argv := installing{path: u.path, servers: path}.entry(t, read(t, u.file))
	shell := u.environment()
	maps.Copy(shell, map[string]string{"PATH": os.Getenv("PATH"), "LANG": "C.UTF-8", "TERM": "dumb", "HOST_TOKEN": "t0k3n-of-h0st"})
	given := maps.Clone(u.passes(shell))
	for _, name := range entry.EnvVars {
		if value, ok := shell[name]; ok {
			given[name] = value
		}
	}
	for name, value := range entry.Env {
		given[name] = os.Expand(value, func(name string) string { return shell[name] })
	}
	cmd := exec.CommandContext(context.Background(), argv[0], argv[1:]...)
	cmd.Dir = u.home
	for name, value := range given {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	h, err := startHost(cmd)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{host: h, version: upstreamtest.Legacy}
	s.greet(t)
	listed := strings.Join(s.tools(t), " ")
	for _, name := range u.has {
		if !strings.Contains(listed, fmt.Sprintf(`"name":"%s__ok"`, name)) {
			t.Errorf("%s is not listed: %s", name, listed)
		}
		if m := s.call(t, name+"__ok", "{}"); m.Error != nil || strings.Contains(string(m.Result), `"isError":true`) {
			t.Errorf("calling %s: got %s %s", name, m.Result, m.Error)
		}
	}
	if err := h.close(); err != nil {
		t.Error(err)
	}
}

// TestHostFilesReadOnly: what cannot be written loses nothing, and nothing of it gets
// into mcp.yaml.
func TestHostFilesReadOnly(t *testing.T) {
	t.Parallel()
	for _, h := range handmades[:4] {
		t.Run(h.host+", "+h.name, func(t *testing.T) {
			t.Parallel()
			h.mode = 0o400
			u := h.of(t)
			before := u.configuration(t)
			said, code := u.about(t, "install", h.host, "--take-over", "--yes")
			if code == 0 || !strings.Contains(said, "is read-only: make it writable and try again") {
				t.Errorf("exit code %d:\n%s", code, said)
			}
			u.isAsBefore(t)
			if got := u.configuration(t); got != before {
				t.Errorf("mcp.yaml: got %q, want %q", got, before)
			}
		})
	}
}

// TestHostFilesOfAll: there is one by hand for each host.
func TestHostFilesOfAll(t *testing.T) {
	for _, h := range hosts.All() {
		if !slices.ContainsFunc(handmades, func(m handmade) bool { return m.host == h.ID }) {
			t.Errorf("%s is not tried", h.ID)
		}
	}
}
