package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/customtools"
)

// write puts a file into a folder of its own and returns its path.
func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, name, content string) *File {
	t.Helper()
	f, err := Load(Options{Path: write(t, name, content)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// bare takes the folder of a file out of a text.
func bare(path, text string) string {
	return strings.ReplaceAll(text, filepath.Dir(path)+string(filepath.Separator), "")
}

func TestFind(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "conf"))
	t.Setenv("WEIR_CONFIG", "")
	t.Chdir(t.TempDir())
	const other = "servers: {%: {command: x}}"
	put := func(path, name string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(other, "%", name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := func(path string) string {
		t.Helper()
		f, err := Load(Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Servers) == 0 {
			return ""
		}
		return f.Servers[0].Name
	}

	put("mcp.yaml", "working-folder")
	if got := first(""); got != "" {
		t.Errorf("got server %q, want none: nothing is configured", got)
	}
	folder, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	put(filepath.Join(folder, "weir", "mcp.yaml"), "default")
	if got := first(""); got != "default" {
		t.Errorf("got server %q, want that of the default file", got)
	}
	put(filepath.Join(home, "env.yaml"), "environment")
	t.Setenv("WEIR_CONFIG", "~/env.yaml")
	if got := first(""); got != "environment" {
		t.Errorf("got server %q, want that of $WEIR_CONFIG", got)
	}
	put(filepath.Join(home, "flag.yaml"), "flag")
	if got := first(filepath.Join(home, "flag.yaml")); got != "flag" {
		t.Errorf("got server %q, want that of the given path", got)
	}
	if _, err := Load(Options{Path: "nowhere.yaml"}); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("got error %v, want one that names the file", err)
	}
	t.Setenv("WEIR_CONFIG", "nowhere.yaml")
	if _, err := Load(Options{}); err == nil {
		t.Error("got no error for a $WEIR_CONFIG that is not there")
	}
}

func TestNoFile(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("WEIR_CONFIG", "")
	f, err := Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Path != "" || filepath.Base(f.Want) != "mcp.yaml" || len(f.Servers) != 0 {
		t.Errorf("got path %q, want %q, %d servers", f.Path, f.Want, len(f.Servers))
	}
	if v := f.Policy.Decide(policy.Request{Server: "x", Kind: policy.Tool, Name: "y"}); !v.Callable() {
		t.Errorf("got %+v, want callable", v)
	}
}

func TestNoHome(t *testing.T) {
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "WEIR_CONFIG", "AppData", "USERPROFILE"} {
		t.Setenv(name, "")
	}
	f, err := Load(Options{})
	if err != nil || f.Path != "" {
		t.Errorf("got %v, %v, want an empty configuration", f, err)
	}
	f = load(t, "mcp.yaml", "servers: {a: {command: x, args: [~/y]}, b: {command: x}}")
	if got := f.Servers[0].Broken; got == nil || !strings.HasSuffix(got.Error(), "there is no home folder to put for ~") {
		t.Errorf("got %v, want that there is no home folder", got)
	}
	if got := f.Servers[1].Broken; got != nil {
		t.Errorf("got %v for the other server, want nil", got)
	}
}

func TestEverything(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("WEIR_TEST_TOKEN", "s3cret")
	path := write(t, "mcp.yaml", `
servers:
  files:
    command: ./bin/files
    args: ["-y", 8080, true, "${WEIR_TEST_TOKEN}", ~/docs, "a$$b$${c}"]
    env: {PORT: 8080, DEBUG: yes, T: "x${WEIR_TEST_TOKEN}y"}
    inherit_env: [NODE_OPTIONS]
    cwd: ~/projects
    timeout: 1m
    connect_timeout: 2s
    list_timeout: 3s
    start: eager
    protocol: 2025-06-18
    pin: block
    tools: {include: ["*"], exclude: ["delete_*"]}
    description: Files of mine
    tags: [work, local]
  github:
    url: https://example.com/mcp/
    transport: http
    headers: {x-mcp-toolsets: repos, Authorization: "Bearer ${WEIR_TEST_TOKEN}"}
    prefix: gh
  off: {command: weir, args: [demo-server], idle_stop: 30m, enabled: false, inherit_env: true, prefix: "", pin: off}
aliases: {hub: gh, gh: github}
names: {max: 60, separator: "-"}
cache: {max_age: 1h}
limits: {message: 1MiB}
log: {level: debug}
`)
	f, err := Load(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	at := func(line int) policy.Position { return policy.Position{File: path, Line: line} }
	include, exclude := glob(t, "*"), glob(t, "delete_*")
	common := upstream.Config{
		Timeout: upstream.DefaultTimeout, ConnectTimeout: upstream.DefaultConnectTimeout,
		ListTimeout: upstream.DefaultListTimeout, MessageLimit: 1 << 20,
	}
	files, github, off := common, common, common
	files.Name, files.Transport, files.Command = "files", upstream.Stdio, filepath.Join(dir, "bin", "files")
	files.Args = []string{"-y", "8080", "true", "s3cret", home + "/docs", "a$$b${c}"}
	files.Env = map[string]string{"PORT": "8080", "DEBUG": "yes", "T": "xs3crety"}
	files.InheritEnv, files.Dir, files.Eager, files.Protocol = []string{"NODE_OPTIONS"}, filepath.Join(home, "projects"), true, "2025-06-18"
	files.Timeout, files.ConnectTimeout, files.ListTimeout = time.Minute, 2*time.Second, 3*time.Second
	github.Name, github.Transport, github.URL = "github", upstream.HTTP, "https://example.com/mcp/"
	github.Headers = map[string]string{"X-Mcp-Toolsets": "repos", "Authorization": "Bearer s3cret"}
	off.Name, off.Transport, off.Command, off.Args = "off", upstream.Stdio, self, []string{"demo-server"}
	off.Disabled, off.InheritAll, off.IdleStop = true, true, 30*time.Minute
	want := &File{
		Path: path,
		Servers: []Server{
			{
				Server: aggregator.Server{
					Config: files, Prefix: "files", Pin: pins.Block,
					Tools: policy.Filters{{Include: []policy.Glob{include}, Exclude: []policy.Glob{exclude}}},
				},
				Pos: at(3), Description: "Files of mine", Tags: []string{"work", "local"},
			},
			{Server: aggregator.Server{Config: github, Prefix: "gh", Aliases: []string{"gh", "hub"}}, Pos: at(18)},
			{Server: aggregator.Server{Config: off, Pin: pins.Off}, Pos: at(23)},
		},
		Aliases:      map[string]string{"gh": "github", "hub": "github"},
		Policy:       policy.AllowAll(),
		Names:        namespace.Rules{Max: 60, Separator: "-"},
		CacheMaxAge:  time.Hour,
		MessageLimit: 1 << 20,
		LogLevel:     "debug",
		People:       f.People, // has a test of its own
	}
	for i := range f.Servers {
		f.Servers[i].Identity = nil
	}
	if diff := cmp.Diff(want, f, cmp.AllowUnexported(policy.Policy{}, policy.Glob{}), cmp.Comparer(samePolicy), cmp.Comparer(samePeople)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func samePeople(a, b *People) bool { return a == b }

// samePolicy compares the policies of a configuration without one.
func samePolicy(a, b *policy.Policy) bool {
	r := policy.Request{Server: "x", Kind: policy.Tool, Name: "y"}
	return a.Decide(r) == b.Decide(r)
}

func glob(t testing.TB, pattern string) policy.Glob {
	t.Helper()
	g, err := policy.ParseGlob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestExample(t *testing.T) {
	f, err := Load(Options{Path: filepath.Join("..", "..", "mcp.yaml.example")})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Warnings) != 0 || len(f.Servers) != 1 || f.Servers[0].Broken != nil {
		t.Errorf("got warnings %v, servers %+v", f.Warnings, f.Servers)
	}
	for _, tt := range []struct {
		request policy.Request
		want    policy.Level
	}{
		{policy.Request{Server: "demo", Kind: policy.Tool, Name: "echo"}, policy.Execute},
		{policy.Request{Server: "demo", Kind: policy.Tool, Name: "delete_all"}, policy.Deny},
		{policy.Request{Server: "demo", Kind: policy.Resource, Name: "demo://x"}, policy.Read},
		{policy.Request{Server: "weir", Kind: policy.Tool, Name: "servers"}, policy.Execute},
	} {
		if got := f.Policy.Decide(tt.request); got.Level != tt.want {
			t.Errorf("%+v: got %+v, want %v", tt.request, got, tt.want)
		}
	}
}

// TestExampleComments loads the example with the servers that are commented out
// in it.
func TestExampleComments(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "mcp.yaml.example"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "  # "); ok {
			line = "  " + rest
		}
		b.WriteString(line)
	}
	t.Setenv("GITHUB_TOKEN", "x")
	f := load(t, "mcp.yaml", b.String())
	if len(f.Servers) != 12 || len(f.Servers[11].CustomTools) != 2 {
		t.Fatalf("got %d servers, want 12 with two custom tools on the last one", len(f.Servers))
	}
	for _, s := range f.Servers {
		if s.Broken != nil {
			t.Error(s.Broken)
		}
	}
}

func TestPolicyChoice(t *testing.T) {
	call := policy.Request{Server: "a", Kind: policy.Tool, Name: "x"}
	for _, tt := range []struct {
		name, text string
		level      policy.Level
		reason     string
	}{
		{"none", "", policy.Execute, "no policy is configured"},
		{"inline", "policy: {default: read}", policy.Read, "no rule matches; the default is read"},
		{"by name", "policies: {p: {default: admin}}\npolicy: p", policy.Admin, "no rule matches; the default is admin"},
		{"not chosen", "policies: {p: {default: admin}}", policy.Deny, "no policy is chosen: name one at the top of the configuration (policy: NAME)"},
		{"all commented out", "policies:", policy.Deny, "no policy is chosen: name one at the top of the configuration (policy: NAME)"},
		{"by alias", "policy: {default: deny, rules: [{server: al, level: read}]}", policy.Read, `rule 1 gives read to all of server "al"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := load(t, "mcp.yaml", "servers: {a: {command: x}}\naliases: {al: a}\n"+tt.text)
			if v := f.Policy.Decide(call); v.Level != tt.level || v.Reason != tt.reason {
				t.Errorf("got %v, %q, want %v, %q", v.Level, v.Reason, tt.level, tt.reason)
			}
		})
	}
}

func TestPolicyPositions(t *testing.T) {
	f := load(t, "mcp.yaml", `
policies:
  desk:
    default: read
    servers:
      allow: ["*"]
      deny: [z]
    rules:
      - {server: b, level: execute}
policy: desk
`)
	for server, line := range map[string]int{"a": 4, "b": 9, "z": 7, "weir": 4} {
		v := f.Policy.Decide(policy.Request{Server: server})
		if v.Pos != (policy.Position{File: f.Path, Line: line}) || v.Policy != "desk" {
			t.Errorf("%s: got %v of %q, want line %d of desk", server, v.Pos, v.Policy, line)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Setenv("WEIR_TEST_TOKEN", "one")
	identity := func(text string) string {
		t.Helper()
		s := load(t, "mcp.yaml", "servers: {a: "+text+"}").Servers[0]
		return string(s.Identity)
	}
	base := identity(`{command: x, args: [a, b], env: {K: v, L: w}}`)
	for _, same := range []string{
		`{command: x, args: [a, b], env: {L: w, K: v}}`,
		`{command: x, args: [a, b], env: {K: v, L: w}, timeout: 1s, description: d, tags: [t], prefix: p, start: eager}`,
	} {
		if identity(same) != base {
			t.Errorf("%s: got another identity", same)
		}
	}
	for _, other := range []string{
		`{command: y, args: [a, b], env: {K: v, L: w}}`,
		`{command: x, args: [ab], env: {K: v, L: w}}`,
		`{command: x, args: [a, b], env: {K: v, L: x}}`,
		`{command: x, args: [a, b], env: {K: v, L: w}, cwd: /}`,
		`{command: x, args: [a, b], env: {K: v, L: w}, inherit_env: true}`,
		`{command: x, args: [a, b], env: {K: v, L: w}, inherit_env: [WEIR_TEST_TOKEN]}`,
		`{command: x, args: [a, b], env: {K: v, L: w}, protocol: 2025-06-18}`,
		`{url: "https://x/"}`,
	} {
		if identity(other) == base {
			t.Errorf("%s: got the same identity", other)
		}
	}
	const token = `{url: "https://x/", headers: {Authorization: "${WEIR_TEST_TOKEN}"}}`
	one := identity(token)
	t.Setenv("WEIR_TEST_TOKEN", "two")
	if identity(token) == one {
		t.Error("got the same identity for another token")
	}
	if file := identity(`{url: "https://x/", headers: {Authorization: "${file:/dev/null}"}}`); !strings.Contains(file, "${file:/dev/null}") {
		t.Errorf("got %q, want the reference in it", file)
	}
	if self := identity(`{command: weir}`); !strings.Contains(self, " 4:weir") {
		t.Errorf("got %q, want weir, not its path", self)
	}
}

// FuzzLoad: a text is a file or an error that says where, and what is accepted has
// servers that can be reached, and no key that weir does not know.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile(filepath.Join("..", "..", "mcp.yaml.example"))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(example),
		"servers: {a: {command: x, args: &a [*a]}}",
		"servers: &s {a: *s}",
		"a: &a [x]\nb: [*a, *a]",
		"<<: {servers: {}}",
		"servers: {? [a] : {}}",
		`{"mcpServers": {"A b": {"command": "x", "env": {"A": "${input:b}"}, "timeout": 1e3}}} // end`,
		`{"servers": {"a": {"type": "sse", "url": "http://[::1]/"}}, "inputs": [],}`,
		"policy: {default: deny, rules: [{server: '[a', tool: 1}]}",
		"limits: {message: 1e300GiB}\ncache: {max_age: -1s}",
		"servers:\n\ta: b", "--- a\n--- b", "!!binary aGk=", "\ufeff{}", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, path := range []string{"/nowhere/mcp.yaml", "/nowhere/mcp.json"} {
			file, err := parse(Options{Path: path}, data)
			if (file == nil) == (err == nil) {
				t.Fatalf("got %v and error %v", file, err)
			}
			if err != nil {
				if !strings.Contains(err.Error(), path) {
					t.Fatalf("got error %v, want it to name %s", err, path)
				}
				continue
			}
			if root, _ := parseTree(path, data); root == nil || !isForeign(root) {
				if _, err := parse(Options{Path: path}, slices.Concat(data, []byte("\nnobody_knows: 1\n"))); err == nil {
					t.Fatal("a key that weir does not know is accepted")
				}
			}
			for _, s := range file.Servers {
				if s.Transport == upstream.Custom && s.Name == customtools.Name {
					continue
				}
				if badName(s.Name) != "" || !slices.Contains(transports, s.Transport) {
					t.Fatalf("got server %q with transport %q", s.Name, s.Transport)
				}
				if s.Broken == nil && s.Command == "" && s.URL == "" {
					t.Fatalf("got server %q with nothing to reach it by", s.Name)
				}
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	var text strings.Builder
	text.WriteString("servers:\n")
	for i := range 50 {
		name := "server" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		text.WriteString("  " + name + ":\n    command: npx\n    args: [\"-y\", \"@scope/" + name + "\", \"${HOME}/docs\"]\n" +
			"    env: {LOG_LEVEL: warn, TOKEN: \"${HOME}\"}\n    timeout: 5m\n    tags: [work]\n")
	}
	text.WriteString("policy: {default: execute, rules: [{server: \"*\", tool: \"delete_*\", level: deny}]}\n")
	path := write(b, "mcp.yaml", text.String())
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Load(Options{Path: path}); err != nil {
				b.Fatal(err)
			}
		}
	})
	data := []byte(text.String())
	b.Run("yaml", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parseYAML(path, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
