package hosts

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/internal/config"
)

// described is a server in one line: its name and line, what it becomes, and what
// is said of it.
func described(f *File, s Server) string {
	var b strings.Builder
	b.WriteString(strings.TrimPrefix(strings.TrimPrefix(s.Pos.String(), f.Path), ":") + " " + s.Name + ":")
	if s.StartsWeir {
		return b.String() + " weir"
	}
	d := s.Definition
	for _, key := range d.Keys() {
		b.WriteString(" " + key + "=")
		switch pairs, list := d.Pairs(key), d.List(key); {
		case pairs != nil:
			for i, p := range pairs {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(p.Key + ":" + p.Text)
			}
		case list != nil:
			b.WriteString(strings.Join(list, "|"))
		default:
			b.WriteString(d.Text(key))
		}
	}
	if len(s.Inputs) > 0 {
		b.WriteString(" asks " + strings.Join(s.Inputs, ","))
	}
	for _, p := range s.Problems {
		b.WriteString(" PROBLEM " + p.Error())
	}
	for _, n := range s.Notes {
		b.WriteString(" NOTE " + n)
	}
	return b.String()
}

func describedAll(f *File) (all []string) {
	for _, s := range f.Servers {
		all = append(all, described(f, s))
	}
	return all
}

// in writes a file at a place of a machine whose home is a fresh folder.
func in(t *testing.T, host Host, scope Scope, text string) (Machine, Place) {
	t.Helper()
	dir := t.TempDir()
	m := Machine{OS: "linux", Home: filepath.Join(dir, "home"), Project: filepath.Join(dir, "project")}
	for _, p := range m.PlacesOf(host) {
		if p.Scope != scope {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(p.Path), 0o700); err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, "PROJECT", m.Project)
		if err := os.WriteFile(p.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return m, p
	}
	t.Fatalf("%s has no place of scope %s", host.ID, scope)
	return m, Place{}
}

// TestRead has the files of all hosts as they write them.
func TestRead(t *testing.T) {
	for _, tt := range []struct {
		name  string
		host  Host
		scope Scope
		text  string
		want  []string
	}{
		{
			"Claude Desktop: nothing is replaced", ClaudeDesktop, User,
			"\ufeff{\r\n\t\"mcpServers\": {\r\n\t\t\"My Files\": {\"command\": \"npx\", \"args\": [\"-y\", \"x\", \"${HOME}/a\", \"$5\"], \"env\": {\"K\": \"${V}\"}},\r\n\t\t\"weir\": {\"command\": \"/usr/bin/weir\", \"args\": [\"serve\"]},\r\n\t},\r\n\t\"globalShortcut\": \"\"\r\n}\r\n",
			[]string{"3 My Files: command=npx args=-y|x|$${HOME}/a|$5 env=K:$${V}", "4 weir: weir"},
		},
		{
			"Claude Code, user", ClaudeCode, User,
			`{"numStartups": 3, "projects": {"/x": {"mcpServers": {"no": {}}}}, "mcpServers": {
"a": {"type": "stdio", "command": "${BIN:-x}", "args": ["${not a name}"], "env": {}},
"b": {"type": "http", "url": "https://b/mcp", "headers": {"Authorization": "Bearer ${T}"}, "headersHelper": "h"},
"c": {"type": "sse", "url": "https://c/sse"}}}`,
			[]string{
				"2 a: command=${BIN:-x} args=$${not a name}",
				"3 b: url=https://b/mcp headers=Authorization:Bearer ${T} NOTE left out: headersHelper",
				"4 c: url=https://c/sse transport=sse",
			},
		},
		{
			"Claude Code, local", ClaudeCode, Local,
			`{"projects": {"PROJECT": {"disabledMcpServers": ["b"], "mcpServers": {"a": {"command": "x"}, "b": {"command": "y"}}}}}`,
			[]string{"1 a: command=x", "1 b: command=y enabled=false"},
		},
		{
			"Claude Code, project: paths are from its folder", ClaudeCode, Project,
			`{"mcpServers": {"a": {"command": "./bin/x", "cwd": "sub"}, "b": {"command": "node", "args": ["./b.js"]}, "c": {"command": "/abs/c", "args": ["b.js"]}}}`,
			[]string{"1 a: command=PROJECT/bin/x cwd=PROJECT/sub", "1 b: command=node args=./b.js cwd=PROJECT", "1 c: command=/abs/c args=b.js"},
		},
		{
			"Cursor", Cursor, User,
			`{"mcpServers": { // mine
"a": {"command": "x", "args": ["${userHome}/a${/}b", "${env:E}"], "envFile": "${workspaceFolder}/.env"},
"b": {"url": "https://b", "auth": {"CLIENT_ID": "c", "CLIENT_SECRET": "${env:S}"}},
},}`,
			[]string{
				"2 a: command=x args=HOME/a/b|${env:E} PROBLEM envFile: ${workspaceFolder} is the folder that is open in Cursor; write the folder out there first",
				"3 b: url=https://b auth=type:oauth2,client_id:c,client_secret:${env:S}",
			},
		},
		{
			"VS Code", VSCode, User,
			`{"inputs": [{"type": "promptString", "id": "key", "description": "The key", "password": true}],
"servers": {
"a": {"type": "stdio", "command": "x", "env": {"K": "${input:key}"}, "dev": {"watch": "x"}, "gallery": true},
"b": {"type": "http", "url": "https://b", "headers": {"X": "${input:key} ${command:c}"}}}}`,
			[]string{
				"3 a: command=x env=K:${input:key} asks key NOTE left out: dev, gallery",
				"4 b: url=https://b headers=X:${input:key} ${command:c} asks key PROBLEM headers.X: ${command:c} is known to VS Code only; write the value out there first",
			},
		},
		{
			"VS Code, workspace", VSCode, Project,
			`{"servers": {"a": {"command": "${workspaceFolder}/x", "args": ["${workspaceFolderBasename}"]}}}`,
			[]string{"1 a: command=PROJECT/x args=project"},
		},
		{
			"Windsurf", Windsurf, User,
			`{"mcpServers": {"a": {"serverUrl": "https://a/${env:P}", "disabled": true, "disabledTools": ["t"]}, "b": {"command": "x", "env": {"K": "${file:/k}"}}}}`,
			[]string{"1 a: url=https://a/${env:P} tools= enabled=false", "1 b: command=x env=K:${file:/k}"},
		},
		{
			"Codex", Codex, User,
			"model = \"m\"\n[mcp_servers.a]\ncommand = \"npx\" # why\nargs = [\n  \"-y\",\n  'x\\y',\n]\nenv_vars = [\"V\", {name = \"W\", source = \"local\"}]\nstartup_timeout_sec = 20\n" +
				"[mcp_servers.a.env]\nK = \"${v}\"\n[mcp_servers.\"b c\"]\nurl = \"https://b\"\nbearer_token_env_var = \"T\"\nenabled = false\nhttp_headers = { X = \"y\" }\n[mcp_servers.\"b c\".tools.t]\napproval_mode = \"approve\"\n",
			[]string{
				`2 a: command=npx args=-y|x\y env=K:$${v} inherit_env=V|W connect_timeout=20s`,
				"12 b c: url=https://b headers=X:y auth=type:bearer,token:${T} enabled=false NOTE left out: tools (approvals)",
			},
		},
		{
			"Gemini CLI", Gemini, User,
			`{"mcp": {"excluded": ["b"]}, "mcpServers": {
"a": {"command": "x", "args": ["$A-${B}", "$1 $"], "trust": true, "timeout": 1000},
"b": {"httpUrl": "https://b", "headers": {"K": "$K"}}}}`,
			[]string{
				"2 a: command=x args=${A}-${B}|$1 $ timeout=1s NOTE left out: trust",
				"3 b: url=https://b headers=K:${K} enabled=false",
			},
		},
		{
			"Zed", Zed, User,
			`// settings
{"theme": "One", "context_servers": {
"a": {"source": "custom", "command": "x", "args": ["1"], "env": {"K": "v"}},
"b": {"command": {"path": "/b", "args": ["2"], "env": null}, "settings": {}},
"c": {"source": "extension", "settings": {"k": "v"}},
"d": {"settings": {}}, "e": {"url": "https://e", "enabled": false}}}`,
			[]string{
				"3 a: command=x args=1 env=K:v",
				"4 b: command=/b args=2 NOTE left out: settings",
				"5 c: PROBLEM an extension of Zed starts it, and only that knows how NOTE left out: settings, source",
				"6 d: PROBLEM an extension of Zed starts it, and only that knows how NOTE left out: settings",
				"6 e: url=https://e enabled=false",
			},
		},
		{
			"opencode", OpenCode, User,
			`{"mcp": {
"a": {"type": "local", "command": ["bun", "x", "${A}{env:A}"], "environment": {"K": "{file:./k}{}"}, "enabled": false, "timeout": 9000},
"b": {"type": "remote", "url": "https://b", "headers": {"X": "Bearer {env:T}"}, "oauth": false}, "c": {"type": "local", "command": ["x", "${env:T}"]}}}`,
			[]string{
				"2 a: command=bun args=x|$${A}${A:-} env=K:${file:HOME/.config/opencode/k}{} connect_timeout=9s enabled=false",
				"3 b: url=https://b headers=X:Bearer ${T:-} auth=type:none",
				"3 c: command=x args=${env:T} PROBLEM args.1: a $ before a reference cannot be written down; write the value out there first",
			},
		},
		{
			"opencode, second version", OpenCode, Project,
			`{"mcp": {"timeout": {}, "servers": {"a": {"type": "local", "command": ["./x"], "disabled": true, "timeout": {"startup": 1000, "request": 2000}}}}}`,
			[]string{"1 a: command=PROJECT/x timeout=2s connect_timeout=1s enabled=false"},
		},
		{"nothing", Cursor, User, "", nil},
		{"no servers", Zed, User, `{"theme": "x"}`, nil},
		{"null", Cursor, User, `{"mcpServers": null}`, nil},
		{"a relative command", Cursor, User, `{"mcpServers": {"a": {"command": "bin/x"}}}`, []string{
			"1 a: command=bin/x NOTE its command is a path from wherever the host is started; write it out",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, p := in(t, tt.host, tt.scope, tt.text)
			f, err := m.Read(p)
			if err != nil {
				t.Fatal(err)
			}
			for i := range tt.want {
				tt.want[i] = strings.NewReplacer("PROJECT", m.Project, "HOME", m.Home, "HOME}", "HOME}").Replace(strings.ReplaceAll(tt.want[i], "{HOME}", "{\x00}"))
				tt.want[i] = strings.ReplaceAll(tt.want[i], "{\x00}", "{HOME}")
			}
			if diff := cmp.Diff(tt.want, describedAll(f)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestInputs(t *testing.T) {
	m, p := in(t, VSCode, User, `{"servers": {}, "inputs": [{"id": "a", "password": true, "description": "d"}, {"id": "b", "default": "x"}, {"no": 1}, 2]}`)
	f, err := m.Read(p)
	if err != nil {
		t.Fatal(err)
	}
	want := []Input{{ID: "a", Description: "d", Secret: true}, {ID: "b", Default: "x"}}
	if diff := cmp.Diff(want, f.Inputs); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReadPasted(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"a file", `{"mcpServers": {"a": {"command": "x", "args": ["-y"]}, "b": {"url": "https://b/"}}}`, []string{"a: x", "b: https://b/"}},
		{"with comments", "// in your settings\n{\"mcpServers\": {\"a\": {\"command\": \"x\",},},}", []string{"a: x"}},
		{"of VS Code", `{"servers": {"a": {"type": "http", "url": "https://a/"}}, "inputs": [{"id": "k", "type": "promptString"}]}`, []string{"a: https://a/"}},
		{"of Zed", `{"context_servers": {"a": {"source": "custom", "command": "x"}}}`, []string{"a: x"}},
		{"of opencode", `{"mcp": {"a": {"type": "local", "command": ["x", "y"]}}}`, []string{"a: x"}},
		{"of Codex", "[mcp_servers.a]\ncommand = \"x\"\n", []string{"a: x"}},
		{"without braces", `"mcpServers": {"a": {"command": "x"}}`, []string{"a: x"}},
		{"servers alone", `{"a": {"command": "x"}, "b": {"serverUrl": "https://b/"}}`, []string{"a: x", "b: https://b/"}},
		{"one of several", `"a": {"command": "x"},`, []string{"a: x"}},
		{"an entry", `{"command": "x", "args": []}`, []string{"given: x"}},
		{"an entry with a URL", `{"type": "http", "httpUrl": "https://a/"}`, []string{"given: https://a/"}},
		{"one that is called command", `{"command": {"command": "x"}}`, []string{"command: x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Machine{OS: "linux", Home: "/home/me"}.ReadPasted([]byte(tt.text), "given")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range f.Servers {
				if len(s.Problems) > 0 {
					t.Errorf("%s: %v", s.Name, s.Problems)
				}
				got = append(got, s.Name+": "+s.Definition.Text("command")+s.Definition.Text("url"))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for text, want := range map[string]string{
		"":                           "there are no servers in it",
		"npx -y x":                   "there are no servers in it",
		`{"a": `:                     Pasted + ":1",
		"{\"a\": {\"b\": \"\xff\"}}": "it is no UTF-8",
	} {
		if _, err := (Machine{OS: "linux"}).ReadPasted([]byte(text), "given"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want %s", text, err, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"{\n\"mcpServers\": {}":                              "FILE:2: reading JSON: want a comma or '}'",
		"{\"mcpServers\": [1]}":                              "FILE:1: this is a list, want keys with values",
		"{\"mcpServers\": 1}":                                "FILE:1: this is a number, want keys with values",
		"{\"mcpServers\": {},\n\"mcpServers\": {}}":          `FILE:2: key "mcpServers" stands here twice`,
		"{\"mcpServers\": {\"a\": {},\n\"a\": {}}}":          `FILE:2: key "a" stands here twice (first on line 1)`,
		"\xff\xfe{\x00":                                      "FILE: it is UTF-16; save it as UTF-8",
		"{\"mcpServers\": {\"a\": {\"command\": \"\xff\"}}}": "FILE: it is no UTF-8; save it as that",
	} {
		m, p := in(t, Cursor, User, text)
		_, err := m.Read(p)
		if err == nil || strings.ReplaceAll(err.Error(), p.Path, "FILE") != want {
			t.Errorf("%q: got error %v, want %s", text, err, want)
		}
	}
}

func TestReadObstacles(t *testing.T) {
	dir := t.TempDir()
	m := Machine{OS: "linux", Home: dir}
	p := m.PlacesOf(Cursor)[0]
	if _, err := m.Read(p); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v for no file", err)
	}
	if err := os.MkdirAll(p.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Read(p); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v for a folder", err)
	}
}

// TestReadFile: a file is known by where it is, by its name, and by what is in it.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	m := Machine{OS: "linux", Home: "/nowhere"}
	for _, tt := range []struct{ path, text, want string }{
		{"p/.mcp.json", `{"mcpServers": {"a": {"command": "./x", "args": ["${A}"]}}}`, "claude-code project 1 a: command=DIR/p/x args=${A}"},
		{"q/.vscode/mcp.json", `{"servers": {"a": {"command": "${workspaceFolder}"}}}`, "vscode project 1 a: command=DIR/q"},
		{"claude_desktop_config.json", `{"mcpServers": {"a": {"command": "x", "args": ["${A}"]}}}`, "claude-desktop user 1 a: command=x args=$${A}"},
		{"any.json", `{"mcpServers": {"a": {"command": "x", "args": ["${A:-b}", "${userHome}"]}}}`, " user 1 a: command=x args=${A:-b}|/nowhere"},
		{"any.yaml", "mcpServers:\n  a: {command: x}\n", " user 2 a: command=x"},
		{"settings.json", `{"context_servers": {"a": {"command": "x"}}}`, "zed user 1 a: command=x"},
		{"settings2.json", `{"mcp": {"servers": {"a": {"command": "x"}}}}`, "vscode user 1 a: command=x"},
		{"some.toml", "[mcp_servers]\na = {command = \"x\"}\n", "codex user 2 a: command=x"},
	} {
		path := filepath.Join(dir, tt.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := m.ReadFile(path)
		if err != nil || len(f.Servers) != 1 {
			t.Errorf("%s: got %+v, %v", tt.path, f, err)
			continue
		}
		got := strings.ReplaceAll(f.Host.ID+" "+string(f.Scope)+" "+described(f, f.Servers[0]), dir, "DIR")
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.path, got, tt.want)
		}
	}
	path := filepath.Join(dir, "other.json")
	if err := os.WriteFile(path, []byte(`{"a": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.ReadFile(path); err == nil || !strings.Contains(err.Error(), "there are no servers of a host in it") {
		t.Errorf("got %v for what is no host's", err)
	}
}

func TestTOML(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"twice", "a = 1\na = 2\n", `f.toml:2: reading TOML: "a" stands here twice, as one thing and another`},
		{"two heads", "[a]\n[b]\n[a]\n", `f.toml:3: reading TOML: "a" stands here twice, as one thing and another`},
		{"a value and a table", "a = 1\n[a.b]\n", `f.toml:2: reading TOML: "a" stands here twice, as one thing and another`},
		{"braces are whole", "a = {b = 1}\n[a.c]\n", `f.toml:2: reading TOML: "a" stands here twice, as one thing and another`},
		{"a list and a head", "a = [1]\n[[a]]\n", `f.toml:2: reading TOML: "a" stands here twice, as one thing and another`},
		{"no value", "x = 1\na =\n", "f.toml:2: reading TOML: "},
		{"deep", "a = " + strings.Repeat("[", 20000), "f.toml:1: reading TOML: "},
		{"sub-table first", "[a.b]\nx = 1\n[a]\ny = 2\n[a.c]\n", ""},
		{"lists of tables", "[[a]]\nx = 1\n[[a]]\n[a.b]\nc.d = 2\n", ""},
	} {
		_, err := parseTOML("f.toml", []byte(tt.text))
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: got error %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)):
			t.Errorf("%s: got error %v, want %s", tt.name, err, tt.want)
		}
	}
}

// FuzzTOML: whatever is in a file, it is read or refused.
func FuzzTOML(f *testing.F) {
	f.Add("[a.b]\nx = 1\n[[c]]\n\"d e\".f = {g = [1, 2.5, true], h = 2020-01-01}\n")
	f.Add("a = \"\"\"\nx\"\"\"\nb = 'c'\n")
	f.Fuzz(func(t *testing.T, text string) {
		root, err := parseTOML("f.toml", []byte(text))
		if (root == nil) == (err == nil) {
			t.Errorf("got %v and error %v", root, err)
		}
	})
}

// FuzzReadText: whatever stands in the file of any host, it is read or refused, and
// what could be taken over can be written down, and is the same then.
func FuzzReadText(f *testing.F) {
	for _, text := range []string{
		`{"mcpServers": {"a b": {"command": "x", "args": ["$A", "${env:B}", "${input:c}"], "env": {"T": "{env:X}"}, "disabled": false}}, "mcp": {"excluded": ["a"]}}`,
		`{"inputs": [{"id": "c", "password": true}], "servers": {"a": {"type": "http", "url": "https://x/", "headers": {"A": "Bearer ${env:B}"}}}}`,
		`{"context_servers": {"a": {"command": {"path": "x", "args": ["y"]}}, "b": {"source": "extension"}}} // c`,
		`{"mcp": {"a": {"type": "local", "command": ["x", "{file:y}"], "environment": {}, "timeout": {"startup": 5}, "oauth": false}}}`,
		"[mcp_servers.a]\ncommand = \"x\"\nenv_vars = [\"A\", {name = \"B\"}]\n[mcp_servers.a.env]\nC = \"d\"\n",
		`{"projects": {"/p": {"mcpServers": {"a": {"command": "./x", "cwd": "y"}}, "disabledMcpServers": ["a"]}}}`,
	} {
		for i := range All() {
			f.Add(i, text)
		}
	}
	m := Machine{OS: "linux", Home: "/nowhere", Project: "/p"}
	f.Fuzz(func(t *testing.T, host int, text string) {
		all := All()
		for _, place := range m.PlacesOf(all[(host%len(all)+len(all))%len(all)]) {
			file, err := m.ReadText(place, []byte(text))
			if (file == nil) == (err == nil) {
				t.Fatalf("got %v and error %v", file, err)
			}
			if err != nil {
				continue
			}
			for _, c := range Plan([]*File{file}, nil, nil) {
				if c.Verdict != New {
					continue
				}
				data, err := config.Edit(nil, config.DefineServer{Name: c.As, Definition: Masked(c.Definition)})
				if err != nil {
					continue // it says so
				}
				have, _, err := config.Define(data)
				if err != nil || len(have) != 1 || !IsSame(have[0].Definition, Masked(c.Definition)) {
					t.Errorf("%q became %q: %v", text, data, err)
				}
			}
		}
	})
}

// FuzzPlain: where a host replaces nothing, a program gets the text that it got
// from the host.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{"${A} $B $${C}", "${", "$", "$$${", "${file:/etc/passwd}", "${A:-b}", "a: #b", "-", "é\n"} {
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "mcp.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		written, err := plain(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		data, err := config.Edit(nil, config.DefineServer{Name: "s", Definition: config.NewDefinition("x", "-"+written)})
		if err != nil {
			t.Skip("it cannot be written down")
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := config.Load(config.Options{Path: path})
		if err != nil || file.Servers[0].Broken != nil || file.Servers[0].Args[0] != "-"+text {
			t.Errorf("%q became %q: %v", text, data, err)
		}
	})
}

func TestReferences(t *testing.T) {
	m := Machine{OS: "linux", Home: "/h${x}", Project: "/p"}
	at := &translation{machine: m, place: Place{Host: VSCode, Path: "/c/f", Folder: "/p"}}
	for _, tt := range []struct {
		name       string
		say        language
		text, want string
	}{
		{"shell", shell, "${A}${B:-c d}${1}${", "${A}${B:-c d}$${1}$${"},
		{"shell", shell, "$${A}", "ERROR"},
		{"shell", shell, "$${1}", "$$${1}"},
		{"dollars", dollars, "$A$B.c${D}$1$", "${A}${B}.c${D}$1$"},
		{"editor", editor, "${userHome}${workspaceFolder}${workspaceFolderBasename}${env:A}${B}", "/h$${x}/pp${env:A}${B}"},
		{"editor", editor, "${config:x.y}", "ERROR"},
		{"editor", editor, "${env:not a name}", "ERROR"},
		{"common", common, "${A:-b}${env:C}${userHome}", "${A:-b}${env:C}/h$${x}"},
		{"curly", curly, "{env:A} {file:~/k} {file:/k} {file:k} {x:y} {env:", "${A:-} ${file:~/k} ${file:/k} ${file:/c/k} {x:y} {env:"},
	} {
		got, err := tt.say(at, tt.text)
		if err != nil {
			got = "ERROR"
		}
		if got != tt.want {
			t.Errorf("%s: %q became %q, want %q", tt.name, tt.text, got, tt.want)
		}
	}
}
