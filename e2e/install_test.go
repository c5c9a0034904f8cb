package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
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

// installing is a file of a host's as people have them.
type installing struct {
	name, host, path, text string // the path is below the home, which has the configurations too
	servers                []string
}

var installings = []installing{
	{"pretty", "claude-desktop", "config/Claude/claude_desktop_config.json", "{\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": \"a\"\n    }\n  },\n  \"globalShortcut\": \"\"\n}", []string{"mcpServers"}},
	{"no file", "claude-desktop", "config/Claude/claude_desktop_config.json", "", []string{"mcpServers"}},
	{"many other things", "claude-code", ".claude.json", `{"numStartups":12,"projects":{"/p":{"mcpServers":{"x":{"command":"x"}}}},"big":9007199254740993}` + "\n", []string{"mcpServers"}},
	{"mark and Windows' line ends", "cursor", ".cursor/mcp.json", "\ufeff{\r\n\t\"mcpServers\": {\r\n\t\t\"a\": {\"command\": \"a\", \"x\": [1.0]} // mine\r\n\t}\r\n}\r\n", []string{"mcpServers"}},
	{"inputs", "vscode", "config/Code/User/mcp.json", "{\n\t\"inputs\": [{\"id\": \"k\"}],\n\t\"servers\": {},\n}\n", []string{"servers"}},
	{"empty", "windsurf", ".codeium/windsurf/mcp_config.json", "{}", []string{"mcpServers"}},
	{"no line end", "codex", ".codex/config.toml", "model = \"o\"\n\n[mcp_servers.a]\ncommand = \"a\" # mine\n\n[profiles.x]\ny = '''\n[z]'''", []string{"mcp_servers"}},
	{"trust", "gemini", ".gemini/settings.json", "{\n  \"security\": {\"x\": true}\n}\n", []string{"mcpServers"}},
	{"comments", "zed", "config/zed/settings.json", "// Zed settings\n//\n{\n  \"theme\": \"One\", // dark\n  /* none yet */\n}\n", []string{"context_servers"}},
	{"remote", "opencode", "config/opencode/opencode.jsonc", "{\n    \"mcp\": {\n        \"r\": { \"type\": \"remote\", \"url\": \"https://example.com/\" },\n    },\n}\n", []string{"mcp"}},
}

// place is where the file lies. The configurations lie beside the home.
func (i installing) place(u *user) string {
	if below, ok := strings.CutPrefix(i.path, "config/"); ok {
		return filepath.Join(u.config, filepath.FromSlash(below))
	}
	return filepath.Join(u.home, filepath.FromSlash(i.path))
}

// TestInstall: weir gets into the file of each host, is started by what stands
// there, is not put in twice, and gets out without a trace.
func TestInstall(t *testing.T) {
	for _, tt := range installings {
		t.Run(tt.host+", "+tt.name, func(t *testing.T) {
			u := newUser(t, "servers: {desk: {command: weir, args: [demo-server]}}\npolicy: {default: execute}\n")
			file := tt.place(u)
			if tt.text != "" {
				writeMode(t, file, tt.text, 0o640)
			}
			u.wants(t, []string{"+ ", file}, "install", tt.host, "--dry-run")
			wantFile(t, file, tt.text)
			u.wants(t, []string{"weir is in now"}, "install", tt.host, "--yes", "--config", filepath.Join(u.config, "mcp.yaml"))
			installed, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := openSession(t, upstreamtest.Legacy, u.asHost(tt.entry(t, installed)))
			if got := s.tools(t); !strings.Contains(strings.Join(got, " "), `"name":"desk__echo"`) {
				t.Errorf("the host is offered %v", got)
			}
			u.wants(t, []string{"is in already"}, "install", tt.host, "--yes", "--config", filepath.Join(u.config, "mcp.yaml"))
			wantFile(t, file, string(installed))
			u.wants(t, []string{"no longer"}, "uninstall", tt.host, "--yes")
			wantFile(t, file, tt.text)
			if info, err := os.Stat(file); err == nil && info.Mode().Perm() != 0o640 {
				t.Errorf("got mode %v, want what it was", info.Mode())
			}
		})
	}
}

// entry is the command that a host starts by what stands in its file.
func (i installing) entry(t *testing.T, text []byte) []string {
	t.Helper()
	var language hostedit.Language = hostedit.JSON{}
	if strings.HasSuffix(i.path, ".toml") {
		language = hostedit.TOML{}
	}
	raw, err := language.Find(text, append(slices.Clone(i.servers), "weir"))
	if err != nil || raw == nil {
		t.Fatalf("no entry in %s: %v", text, err)
	}
	var entry struct {
		Command json.RawMessage
		Args    []string
	}
	if err := json.Unmarshal(raw, &entry); err != nil {
		t.Fatal(err)
	}
	var argv []string
	if json.Unmarshal(entry.Command, &argv) == nil {
		return argv
	}
	argv = []string{""}
	if err := json.Unmarshal(entry.Command, &argv[0]); err != nil {
		t.Fatal(err)
	}
	return append(argv, entry.Args...)
}

// asHost is a command as a host starts it. It does not know where the user's
// configuration is.
func (u *user) asHost(argv []string) *exec.Cmd {
	return u.places.command(context.Background(), argv[0], argv[1:]...)
}

func writeMode(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// wantFile checks what a file holds; nothing is no file.
func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil && (want != "" || !os.IsNotExist(err)) {
		t.Fatal(err)
	}
	if string(got) != want || err == nil && want == "" {
		t.Errorf("%s: got %q, want %q", path, got, want)
	}
}

// TestInstallIntoWhatChanges: what others write meanwhile stays.
func TestInstallIntoWhatChanges(t *testing.T) {
	u := newUser(t, "servers: {}\n")
	file := filepath.Join(u.home, ".cursor", "mcp.json")
	writeMode(t, file, "{}\n", 0o600)
	u.wants(t, nil, "install", "cursor", "--yes")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`["serve"]`), []byte("[\"serve\"],\n      \"env\": {\"A\": \"b\"}"), 1)
	text = bytes.Replace(text, []byte(`"weir"`), []byte("\"mine\": {},\n    \"weir\""), 1)
	writeMode(t, file, string(text), 0o600)
	u.wants(t, []string{"is in now"}, "install", "cursor", "--yes", "--profile", "work")
	entry, err := hostedit.JSON{}.Find(read(t, file), []string{"mcpServers", "weir"})
	if err != nil || !strings.Contains(string(entry), `"args":["serve","--profile","work"],"env":{"A":"b"}`) {
		t.Errorf("got %s, %v, want the profile, and what the user has put there", entry, err)
	}
	u.wants(t, nil, "uninstall", "cursor", "--yes")
	wantFile(t, file, "{\n  \"mcpServers\": {\n    \"mine\": {}\n  }\n}\n")
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestInstallRefuses: what cannot be edited safely is left alone, with words on what
// to do.
func TestInstallRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		mode fs.FileMode
		args []string
		want string
	}{
		"read-only":       {"{}", 0o400, nil, "is read-only: make it writable and try again"},
		"twice":           {"{\"mcpServers\": {},\n\"mcpServers\": {}}", 0o600, nil, `mcp.json:2: the key "mcpServers" stands here for the second time`},
		"cut off":         {"{\n\"mcpServers\": {", 0o600, nil, "mcp.json:2: "},
		"somebody else's": {`{"mcpServers": {"weir": {"command": "npx"}}}`, 0o600, nil, "choose another name (--name)"},
		"unasked":         {"{}", 0o600, []string{"--yes=false"}, "nothing was written: it is asked about on a terminal"},
		"a secret":        {"{}", 0o600, []string{"--key", "s3cr3t-s3cr3t-s3cr3t"}, "give --key-file"},
		"a bad name":      {"{}", 0o600, []string{"--name", "a b"}, "letters, digits, _ and -"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t, "servers: {}\n")
			file := filepath.Join(u.home, ".cursor", "mcp.json")
			writeMode(t, file, tt.text, tt.mode)
			said, code := u.run(t, append([]string{"install", "cursor", "--yes"}, tt.args...)...)
			if code == 0 || !strings.Contains(said, tt.want) {
				t.Errorf("exit code %d, got %q, want %q", code, said, tt.want)
			}
			wantFile(t, file, tt.text)
		})
	}
}

// TestInstallThroughLink: the link stays one, and the file behind it is changed.
func TestInstallThroughLink(t *testing.T) {
	u := newUser(t, "servers: {}\n")
	real, link := filepath.Join(u.home, "dotfiles", "mcp.json"), filepath.Join(u.home, ".cursor", "mcp.json")
	writeMode(t, real, "{ }\n", 0o600)
	if err := os.Mkdir(filepath.Dir(link), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Skip(err)
	}
	u.wants(t, []string{"which is " + real}, "install", "cursor", "--yes")
	if target, err := os.Readlink(link); target != real || err != nil {
		t.Errorf("got %q, %v, want the link to %q", target, err, real)
	}
	if !bytes.Contains(read(t, real), []byte(`"weir"`)) {
		t.Error("weir is not in the file behind the link")
	}
	u.wants(t, nil, "uninstall", "cursor", "--yes")
	wantFile(t, link, "{ }\n")
}

// TestInstallByHost: a host that has a command of its own is asked to add the entry;
// if it does not, weir writes the file. What the host has written beside the entry is
// its own, and stays when that is taken out.
func TestInstallByHost(t *testing.T) {
	const adds = "#!/bin/sh\n[ \"$1 $2 $3\" = 'mcp add-json weir' ] || exit 1\nprintf '{\"mcpServers\":{\"weir\":%s},\"by\":1}' \"$4\" >\"$HOME/.claude.json\"\n"
	const fails = "#!/bin/sh\necho broken >&2\nexit 1\n"
	for _, test := range []struct{ name, script, before, after string }{
		{"adds", adds, "{}\n", `{"by":1}`},
		{"adds to a new file", adds, "", `{"by":1}`},
		{"fails", fails, "{}\n", "{}\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := newUser(t, "servers: {}\n")
			writeMode(t, filepath.Join(u.home, "bin", "claude"), test.script, 0o700)
			u.env = append(u.env, "PATH="+filepath.Join(u.home, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
			file := filepath.Join(u.home, ".claude.json")
			if test.before != "" {
				writeMode(t, file, test.before, 0o600)
			}
			said := u.wants(t, []string{"by: ", "mcp add-json weir", "is in now"}, "install", "claude-code", "--yes")
			if got := strings.Contains(said, "broken"); got != (test.script == fails) {
				t.Errorf("got %q", said)
			}
			if got := bytes.Contains(read(t, file), []byte(`"by":1`)); got != (test.script == adds) {
				t.Errorf("got %s", read(t, file))
			}
			u.wants(t, nil, "uninstall", "claude-code", "--yes")
			wantFile(t, file, test.after)
		})
	}
}

// TestInstallKnowsHosts: each host that weir reads it can be put into.
func TestInstallKnowsHosts(t *testing.T) {
	for _, h := range hosts.All() {
		if !slices.ContainsFunc(installings, func(i installing) bool { return i.host == h.ID }) {
			t.Errorf("%s is not tried", h.ID)
		}
	}
}
