package hosts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/internal/config"
)

// fileOf is a file of the common shape with these entries.
func fileOf(t *testing.T, entries string) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.json")
	if err := os.WriteFile(path, []byte(`{"mcpServers": {`+entries+`}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Machine{OS: "linux"}.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPlan(t *testing.T) {
	have, aliases, err := config.Define([]byte(`
servers:
  files: {command: npx, args: [-y, fs, "${HOME}/x"], env: {K: "${keyring:weir/files/K}"}}
  site: {url: "https://s/mcp"}
  github: {command: other}
aliases: {gh: github}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := Plan([]*File{
		fileOf(t, `"My Files": {"command": "npx", "args": ["-y", "fs", "/home/u/x"], "env": {"K": "secret"}},
			"more": {"command": "npx", "args": ["-y", "fs", "/home/u/y"], "env": {"K": "secret"}},
			"gh": {"command": "g"}, "github": {"command": "g", "env": {"A": "1"}}, "w": {"command": "weir"}, "none": {}`),
		fileOf(t, `"s": {"url": "https://s/mcp/", "headers": {"X": "y"}}, "off": {"command": "o", "disabled": true}, "g": {"command": "g"},
			"g2": {"command": "g", "env": {"A": "2"}}`),
		fileOf(t, `"on": {"command": "o"}, "g": {"command": "g", "args": ["z"]}`),
	}, have, aliases)
	var lines []string
	for _, c := range got {
		lines = append(lines, fmt.Sprintf("%s %s %s %v", c.Name, c.Verdict, c.As, c.Definition.Enabled()))
	}
	want := []string{
		"My Files same files true", "more new more true", "gh new gh-2 true", "github new github-2 true", "w weir  true", "none broken  true",
		"s same site true", "off new off true", "g same gh-2 true", "g2 new g2 true",
		"on same off true", "g new g true",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestIsSame(t *testing.T) {
	of := func(entry string) config.Definition { return fileOf(t, `"s": `+entry).Servers[0].Definition }
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{`{"command": "x"}`, `{"command": "x", "args": ["y"]}`, false},
		{`{"command": "x", "args": ["a${A}b${B}c"]}`, `{"command": "x", "args": ["a1b2c"]}`, true},
		{`{"command": "x", "args": ["a${A}b${B}c"]}`, `{"command": "x", "args": ["a1c"]}`, false},
		{`{"command": "x", "env": {"A": "1"}}`, `{"command": "x"}`, false},
		{`{"command": "x", "env": {"A": "1"}}`, `{"command": "x", "env": {"B": "1"}}`, false},
		{`{"url": "https://x", "headers": {"A": "1"}}`, `{"url": "https://x/"}`, true},
		{`{"url": "https://x", "headers": {"A": "1"}}`, `{"url": "https://x", "headers": {"a": "2"}}`, false},
		{`{"url": "https://x"}`, `{"command": "https://x"}`, false},
		{`{}`, `{}`, false},
	} {
		if got := IsSame(of(tt.a), of(tt.b)); got != tt.want || IsSame(of(tt.b), of(tt.a)) != tt.want {
			t.Errorf("%s and %s: got %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestSecrets(t *testing.T) {
	token := "ghp_" + strings.Repeat("a1B2c3", 6)
	d := fileOf(t, `"s": {"command": "x", "args": ["--header", "Authorization: Bearer abcdef123456", "--api-key", "s3cr3tv4lue", "--api-key", "--verbose", "plain", "`+token+`"],
		"env": {"GITHUB_TOKEN": "abc123", "OPENAI_KEY": "abcdefgh", "LOG_LEVEL": "debug", "DATABASE_URL": "postgres://u:pass1234@h/db",
			"SESSION": "0123456789abcdefghij", "REF_TOKEN": "${TOKEN}", "HOME_DIR": "/home/user/some/where/12345", "MAX_TOKENS": "4096"}}`).Servers[0].Definition
	var got []string
	for _, s := range Secrets(d) {
		got = append(got, s.Name()+": "+s.Before+"|"+s.Value+"|"+s.After)
	}
	want := []string{
		"argument-2: Authorization: Bearer |abcdef123456|", "argument-4: |s3cr3tv4lue|", "argument-8: |" + token + "|",
		"GITHUB_TOKEN: |abc123|", "OPENAI_KEY: |abcdefgh|", "DATABASE_URL: postgres://u:|pass1234|@h/db", "SESSION: |0123456789abcdefghij|",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	masked := Masked(d)
	if text := fmt.Sprint(masked.List("args"), masked.Pairs("env")); strings.Contains(text, "abc") || !strings.Contains(text, "postgres://u:…@h/db") || !strings.Contains(text, "${TOKEN}") {
		t.Errorf("got %s", text)
	}
	remote := fileOf(t, `"s": {"url": "https://x/?api_key=abcd1234efgh", "headers": {"Authorization": "Bearer abcdef123456", "X-Team": "blue"}, "auth": {"type": "bearer", "token": "t0ken123"}}`).Servers[0].Definition
	got = nil
	for _, s := range Secrets(remote) {
		got = append(got, s.Name()+": "+s.Before+"|"+s.Value+"|"+s.After)
	}
	if diff := cmp.Diff([]string{"url: https://x/?api_key=|abcd1234efgh|", "Authorization: Bearer |abcdef123456|", "token: |t0ken123|"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
