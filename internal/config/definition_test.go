package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// foreignServers reads entries as ReadForeign does, from JSON.
func foreignServers(t *testing.T, text string) []ForeignServer {
	t.Helper()
	root, err := ParseTree("mcp.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	servers, err := ReadForeign("mcp.json", root)
	if err != nil {
		t.Fatal(err)
	}
	return servers
}

// TestForeignDefinitions: what an entry becomes in weir's own file, and that this
// is read again without complaint.
func TestForeignDefinitions(t *testing.T) {
	for _, tt := range []struct{ name, entry, want string }{
		{
			"a program",
			`{"command": "npx", "args": ["-y", "x y", 1], "env": {"A": "b", "PORT": 80}, "cwd": "/w", "type": "stdio"}`,
			"command: npx\nargs: [\"-y\", \"x y\", \"1\"]\nenv:\n  A: b\n  PORT: \"80\"\ncwd: /w\n",
		},
		{
			"a URL",
			`{"httpUrl": "https://x/mcp", "type": "http", "headers": {"X-A": "b", "Host": "c"}, "timeout": 90500}`,
			"url: \"https://x/mcp\"\nheaders:\n  X-A: b\ntimeout: 1m30.5s\n",
		},
		{"sse", `{"url": "https://x/sse", "type": "sse"}`, "url: \"https://x/sse\"\ntransport: sse\n"},
		{"disabled", `{"command": "x", "disabled": true}`, "command: x\nenabled: false\n"},
		{"enabled", `{"command": "x", "enabled": true}`, "command: x\n"},
		{
			"filters", `{"command": "x", "includeTools": [], "disabledTools": ["rm*"], "description": "d: e"}`,
			"command: x\ntools:\n  include: []\n  exclude: [\"rm*\"]\ndescription: \"d: e\"\n",
		},
		{
			"Codex", `{"command": "x", "env_vars": ["A"], "startup_timeout_sec": 20, "tool_timeout_sec": 1.5}`,
			"command: x\ninherit_env: [\"A\"]\ntimeout: 1.5s\nconnect_timeout: 20s\n",
		},
		{
			"Codex, headers", `{"url": "https://x/", "http_headers": {"A": "b"}, "env_http_headers": {"C": "D"}, "bearer_token_env_var": "T"}`,
			"url: \"https://x/\"\nheaders:\n  A: b\n  C: \"${D}\"\nauth:\n  type: bearer\n  token: \"${T}\"\n",
		},
		{
			"oauth", `{"url": "https://x/", "oauth": {"clientId": "c", "callbackPort": 8080, "scopes": "a b", "other": {"x": 1}}}`,
			"url: \"https://x/\"\nauth:\n  type: oauth2\n  client_id: c\n  scopes: [\"a\", \"b\"]\n  callback_port: 8080\n",
		},
		{"odd characters", `{"command": "x", "args": ["é\n\"#", "- a: b", "yes", "~", ""]}`, "command: x\nargs: [\"é\\n\\\"#\", \"- a: b\", \"yes\", \"~\", \"\"]\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			servers := foreignServers(t, `{"s": `+tt.entry+`}`)
			if len(servers[0].Problems) > 0 {
				t.Fatalf("got problems %v", servers[0].Problems)
			}
			after, err := Edit(nil, DefineServer{"s", servers[0].Definition})
			if err != nil {
				t.Fatal(err)
			}
			want := "servers:\n  s:\n    " + strings.ReplaceAll(strings.TrimSuffix(tt.want, "\n"), "\n", "\n    ") + "\n"
			if diff := cmp.Diff(want, string(after)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			t.Setenv("T", "t")
			t.Setenv("D", "d")
			if f := load(t, "mcp.yaml", string(after)); f.Servers[0].Broken != nil {
				t.Errorf("what was written is broken: %v", f.Servers[0].Broken)
			}
			again, _, err := Define(after)
			if err != nil || len(again) != 1 || again[0].Name != "s" || again[0].Line != 2 {
				t.Fatalf("got %+v, %v, want the server on line 2", again, err)
			}
			if diff := cmp.Diff(servers[0].Definition.Keys(), again[0].Definition.Keys()); diff != "" {
				t.Errorf("read again (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadForeignTellsWhatIsWrong(t *testing.T) {
	servers := foreignServers(t, `{
		"none": {"description": "x"},
		"wrong": {"command": ["x"]},
		"weir": {"command": "/opt/weir"},
		"odd": {"command": "x", "zeta": 1, "alpha": {}, "envFile": "/nowhere/.env"},
		"empty": null
	}`)
	problems := func(s ForeignServer) (all []string) {
		for _, p := range s.Problems {
			all = append(all, p.Error())
		}
		return all
	}
	for i, want := range [][]string{
		{`mcp.json:2: it needs a "command" or a "url"`},
		{"mcp.json:3: wrong.command: this is a list, want text", `mcp.json:3: it needs a "command" or a "url"`},
		nil,
		{"mcp.json:5: envFile: open /nowhere/.env: no such file or directory"},
		{"mcp.json:6: empty: a value is missing", `mcp.json:6: it needs a "command" or a "url"`},
	} {
		if diff := cmp.Diff(want, problems(servers[i])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", servers[i].Name, diff)
		}
	}
	if !servers[2].StartsWeir || servers[0].StartsWeir {
		t.Error("weir was not known")
	}
	if diff := cmp.Diff([]string{"left out: alpha, zeta"}, servers[3].Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

func TestReadForeignRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                         "mcp.json:1: this is a list, want keys with values",
		"{\"a\": {},\n \"a\": {}}":   `mcp.json:2: key "a" stands here twice (first on line 1)`,
		"{\"a\": \"\xff\"}":          "mcp.json: it is no UTF-8; save it as that",
		strings.Repeat(`{"a":`, 200): "mcp.json:1: reading JSON: it is nested too deep",
		`{"a":[` + strings.Repeat("1,", 1<<19) + "1]}": "mcp.json:1: reading JSON: it has too many parts",
	} {
		root, err := ParseTree("mcp.json", []byte(text))
		if err == nil {
			_, err = ReadForeign("mcp.json", root)
		}
		if err == nil || err.Error() != want {
			t.Errorf("%.20q: got error %v, want %s", text, err, want)
		}
	}
}

func TestChangesAreMadeTogether(t *testing.T) {
	const before = "# mine\nservers:\n  a: {command: x} # this\n\naliases: {b: a}\n"
	two := Changes{DefineServer{"c", NewDefinition("run", "1")}, DefineServer{"d", NewDefinition("z").Disable()}}
	after, err := Edit([]byte(before), two)
	if err != nil {
		t.Fatal(err)
	}
	want := "# mine\nservers:\n  a: {command: x} # this\n  c:\n    command: run\n    args: [\"1\"]\n  d:\n    command: z\n    enabled: false\n\naliases: {b: a}\n"
	if diff := cmp.Diff(want, string(after)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := Edit([]byte(before), append(two, DefineServer{"b", NewDefinition("run")})); err == nil {
		t.Error("a name that is taken was accepted")
	}
}

func TestDefinition(t *testing.T) {
	d := foreignServers(t, `{"s": {"url": "https://x", "headers": {"A": "b"}, "auth": {"type": "bearer", "token": "t"}, "disabled": true}}`)[0].Definition
	var seen []string
	changed := d.Map(func(path []string, text string) string {
		seen = append(seen, strings.Join(path, "/")+"="+text)
		return text + "!"
	})
	if diff := cmp.Diff([]string{"url=https://x", "headers/A=b", "auth/type=bearer", "auth/token=t"}, seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Pair{{"A", "b!"}}, changed.Pairs("headers")); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if d.Enabled() || !d.Enable().Enabled() || d.Pairs("headers")[0].Text != "b" {
		t.Error("a definition was changed, or not")
	}
}

func TestVariables(t *testing.T) {
	servers := foreignServers(t, `{"a": {"command": "x", "args": ["${A}$${B}${C:-d}", "${file:/e}", "${"], "env": {"K": "${keyring:a/b}${A}"}, "env_vars": ["Z"]},
		"b": {"url": "https://${HOST}/", "headers": {"X": "${env:TOKEN}"}}}`)
	for i, want := range []string{"A C Z", "HOST TOKEN"} {
		if got := strings.Join(servers[i].Definition.Variables(), " "); got != want {
			t.Errorf("%s: got %q, want %q", servers[i].Name, got, want)
		}
	}
}
