package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream"
)

const claudeDesktop = `{
	"mcpServers": {
		// tabs, comments and trailing commas are fine
		"File System": {
			"command": "npx",
			"args": ["-y", "@modelcontextprotocol/server-filesystem", "/tmp"],
			"env": {"PORT": 8080, "URL": "http://x//y",},
		},
		"weir": {"command": "/usr/local/bin/weir"},
		"off": {"command": "x", "disabled": true},
	},
	"globalShortcut": "Ctrl+Space", /* ignored */
}
`

func TestMCPServers(t *testing.T) {
	path := write(t, "claude_desktop_config.json", claudeDesktop)
	f, err := Load(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Servers) != 2 {
		t.Fatalf("got %d servers, want 2", len(f.Servers))
	}
	s := f.Servers[0]
	if s.Name != "file-system" || s.Prefix != "file-system" || s.Pos.Line != 4 || s.Transport != upstream.Stdio || s.Broken != nil {
		t.Errorf("got %+v", s)
	}
	if diff := cmp.Diff([]string{"-y", "@modelcontextprotocol/server-filesystem", "/tmp"}, s.Args); diff != "" {
		t.Errorf("args (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"PORT": "8080", "URL": "http://x//y"}, s.Env); diff != "" {
		t.Errorf("env (-want +got):\n%s", diff)
	}
	if off := f.Servers[1]; !off.Disabled || off.Name != "off" {
		t.Errorf("got %+v, want off disabled", off)
	}
	want := []string{
		`claude_desktop_config.json: ignoring "globalShortcut"`,
		`claude_desktop_config.json:9: leaving out "weir", which starts weir itself`,
	}
	for i := range f.Warnings {
		f.Warnings[i] = bare(path, f.Warnings[i])
	}
	if diff := cmp.Diff(want, f.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// TestForeignEntries has one entry each, under mcpServers.
func TestForeignEntries(t *testing.T) {
	t.Setenv("WEIR_TEST_TOKEN", "s3cret")
	type check func(Server) any
	var (
		transport = func(s Server) any { return s.Transport }
		url       = func(s Server) any { return s.URL }
		timeout   = func(s Server) any { return s.Timeout }
		disabled  = func(s Server) any { return s.Disabled }
		headers   = func(s Server) any { return s.Headers }
		broken    = func(s Server) any {
			if s.Broken == nil {
				return nil
			}
			return bare(s.Pos.File, s.Broken.Error())
		}
		admits = func(names ...string) check {
			return func(s Server) any {
				var got []string
				for _, name := range names {
					if s.Tools.Admits(name) {
						got = append(got, name)
					}
				}
				return strings.Join(got, " ")
			}
		}
	)
	for _, tt := range []struct {
		name, entry string
		check       check
		want        any
	}{
		{"url", `{"url": "https://x/mcp"}`, transport, "http"},
		{"httpUrl", `{"httpUrl": "https://x/mcp", "timeout": 1500}`, url, "https://x/mcp"},
		{"serverUrl", `{"serverUrl": "https://x/mcp"}`, url, "https://x/mcp"},
		{"timeout", `{"command": "x", "timeout": 1500}`, timeout, 1500 * time.Millisecond},
		{"default timeout", `{"command": "x"}`, timeout, upstream.DefaultTimeout},
		{"enabled", `{"command": "x", "enabled": false}`, disabled, true},
		{"not disabled", `{"command": "x", "disabled": false}`, disabled, false},
		{"type", `{"type": "streamable-http", "url": "https://x/"}`, broken, nil},
		{"type in capitals", `{"type": "streamableHttp", "url": "https://x/"}`, broken, nil},
		{"type and rests of the other", `{"type": "http", "url": "https://x/", "command": "", "args": ["a"], "env": {}}`, broken, nil},
		{"stdio and rests of the other", `{"type": "stdio", "command": "x", "url": "", "headers": {"a": "b"}}`, broken, nil},
		{"null", `{"command": "x", "args": null, "env": null, "url": null}`, broken, nil},
		{"sse", `{"type": "sse", "url": "https://x/"}`, transport, "sse"},
		{"sse by another name", `{"transport": "HTTP+SSE", "url": "https://x/"}`, transport, "sse"},
		{"ws", `{"type": "ws", "url": "wss://x/"}`, transport, "websocket"},
		{"websocket", `{"transport": "WebSocket", "url": "wss://x/"}`, transport, "websocket"},
		{"websocket by its url", `{"url": "wss://x/"}`, transport, "websocket"},
		{"websocket of http", `{"type": "ws", "url": "https://x/"}`, broken, `mcp.json:1: server "s": url: it must begin with wss:// or ws://`},
		{"unknown type", `{"type": "pigeon", "url": "https://x/"}`, broken, `mcp.json:1: server "s": unknown transport "pigeon" (want stdio, http, sse or websocket)`},
		{"wrong type", `{"command": ["x"]}`, broken, "mcp.json:1: s.command: this is a list, want text"},
		{"wrong timeout", `{"command": "x", "timeout": "5m"}`, broken, "mcp.json:1: s.timeout: this is text, want a number of milliseconds, up to a day"},
		{"neither", `{}`, broken, `mcp.json:1: server "s": it needs a "command" or a "url"`},
		{"input", `{"command": "x", "env": {"K": "${input:key}"}}`, broken, `mcp.json:1: server "s": env.K: ${input:} asks a person, which weir cannot; use ${VAR}, ${file:PATH} or ${keyring:SERVICE/ACCOUNT} instead`},
		{"workspace folder", `{"command": "x", "args": ["${workspaceFolder}/a"]}`, broken, `mcp.json:1: server "s": args.1: ${workspaceFolder} is known to the editor only; write the folder out`},
		{"workspace folder by name", `{"command": "x", "args": ["${workspaceFolderBasename}"]}`, broken, `mcp.json:1: server "s": args.1: ${workspaceFolder} is known to the editor only; write the folder out`},
		{"env file that is not there", `{"command": "x", "envFile": "/nowhere/.env"}`, broken, `mcp.json:1: envFile: open /nowhere/.env: no such file or directory`},
		{"variable", `{"url": "https://x/", "headers": {"Authorization": "Bearer ${env:WEIR_TEST_TOKEN}"}}`, headers, map[string]string{"Authorization": "Bearer s3cret"}},
		{"headers that are weir's", `{"url": "https://x/", "headers": {"Accept": "a/b", "content-type": "c"}}`, headers, map[string]string(nil)},
		{"includeTools", `{"command": "x", "includeTools": ["a", "b"], "excludeTools": ["b"]}`, admits("a", "b", "c"), "a"},
		{"no includeTools", `{"command": "x", "includeTools": []}`, admits("a"), ""},
		{"disabledTools", `{"command": "x", "disabledTools": ["b"]}`, admits("a", "b"), "a"},
		{"tools", `{"command": "x", "tools": ["*"]}`, admits("a", "b"), "a b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := load(t, "mcp.json", `{"mcpServers": {"s": `+tt.entry+`}}`)
			if diff := cmp.Diff(tt.want, tt.check(f.Servers[0])); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestForeignUnknownKeysWarn(t *testing.T) {
	path := write(t, "mcp.json", "{\"mcpServers\": {\"s\": {\n\"command\": \"x\",\n\"alwaysAllow\": [\"a\"]}}}")
	f, err := Load(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	want := `mcp.json:3: s: ignoring unknown key "alwaysAllow"`
	if len(f.Warnings) != 1 || bare(path, f.Warnings[0]) != want {
		t.Errorf("got warnings %q, want %q", f.Warnings, want)
	}
}

func TestVSCode(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		foreign    bool
	}{
		{"inputs", `{"servers": {"A": {"command": "x"}}, "inputs": []}`, true},
		{"type", `{"servers": {"A": {"type": "stdio", "command": "x"}}}`, true},
		{"weir's own, as JSON", `{"servers": {"a": {"transport": "stdio", "command": "x"}}}`, false},
		{"YAML", "servers:\n  A:\n    type: stdio\n    command: x\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := load(t, "mcp.json", tt.text)
			if len(f.Servers) != 1 || f.Servers[0].Name != "a" || f.Servers[0].Broken != nil {
				t.Errorf("got %+v", f.Servers)
			}
		})
	}
}

func TestForeignFileWithPolicy(t *testing.T) {
	path := write(t, "mcp.json", "{\"mcpServers\": {},\n\"policy\": {\"default\": \"deny\"}}")
	_, err := Load(Options{Path: path})
	want := `mcp.json:2: "policy" stands beside another program's servers; put them into weir's own form to use it`
	if err == nil || bare(path, err.Error()) != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestForeignEnvFile(t *testing.T) {
	env := write(t, ".env", "# comment\nexport A=1\nB=\"two ${words}\"\nC = 3\n\nnonsense\n")
	path := filepath.Join(filepath.Dir(env), "mcp.json")
	if err := os.WriteFile(path, []byte(`{"mcpServers": {"s": {"command": "x", "envFile": ".env", "env": {"A": "over"}}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"A": "over", "B": "two ${words}", "C": "3"}
	if diff := cmp.Diff(want, f.Servers[0].Env); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	warning := `.env:6: passing over a line that is not KEY=value`
	if len(f.Warnings) != 1 || bare(path, f.Warnings[0]) != warning {
		t.Errorf("got warnings %q, want %q", f.Warnings, warning)
	}
}

func TestLegalName(t *testing.T) {
	taken := map[string]bool{}
	for _, tt := range []struct{ name, want string }{
		{"github", "github"},
		{"GitHub", "github-2"},
		{"My Files!", "my-files"},
		{"a__b", "a_b"},
		{"@scope/pkg", "scope-pkg"},
		{"größe", "gr--e"},
		{"weir", "weir-2"},
		{"tools", "tools-2"},
		{"", "server"},
		{"…", "server-2"},
		{strings.Repeat("x", 40), strings.Repeat("x", 32)},
		{strings.Repeat("x", 41), strings.Repeat("x", 30) + "-2"},
	} {
		got := legalName(tt.name, taken)
		if got != tt.want || badName(got) != "" {
			t.Errorf("%q: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestJSONErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"{", "mcp.json:1: reading JSON: the end comes too soon"},
		{"{\n\"a\" 1}", "mcp.json:2: reading JSON: want a colon behind the key"},
		{"{a: 1}", "mcp.json:1: reading JSON: want a key in double quotes"},
		{"{\"a\": [1 2]}", "mcp.json:1: reading JSON: want a comma or ']'"},
		{"{\"a\": x}", "mcp.json:1: reading JSON: this is not JSON"},
		{"{\"a\": \"x\n\"}", "mcp.json:1: reading JSON: a string does not end on its line"},
		{"{\"a\": \"\\x\"}", "mcp.json:1: reading JSON: a string is not valid"},
		{"{} {}", "mcp.json:1: reading JSON: something follows the end"},
		{"/* {}", "mcp.json:1: reading JSON: a comment does not end"},
		{strings.Repeat(`{"a":`, 200), "mcp.json:1: reading JSON: it is nested too deep"},
		{"{\"servers\": {},\n\"servers\": {}}", `mcp.json:2: key "servers" stands here twice (first on line 1)`},
	} {
		path := write(t, "mcp.json", tt.text)
		_, err := Load(Options{Path: path})
		if err == nil || bare(path, err.Error()) != tt.want {
			t.Errorf("%q: got error %v, want %s", tt.text, err, tt.want)
		}
	}
}

// TestForeignServerOfNothing: it is broken, and the others are not.
func TestForeignServerOfNothing(t *testing.T) {
	for name, text := range map[string]string{
		"mcp.json": `{"mcpServers": {"a": null, "b": {"command": "x"}}}`,
		"mcp.yaml": "mcpServers:\n  a:\n  b: {command: x}\n",
	} {
		servers := load(t, name, text).Servers
		if len(servers) != 2 || servers[0].Broken == nil || servers[1].Broken != nil {
			t.Errorf("%s: got %+v, want the first one broken", name, servers)
		}
	}
}
