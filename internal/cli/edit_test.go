package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const twoServers = `# mine
servers:
  desk: {command: WEIR, args: [demo-server]} # first

  # the second
  other:
    command: nowhere
    env: {TOKEN: ghp_0123456789abcdefghijABCDEFGHIJ012345}
aliases: {d: desk}
profiles:
  p: {servers: [desk]}
`

// TestChangeConfig: each command changes the file as it shows, and gives it back.
func TestChangeConfig(t *testing.T) {
	newHome(t)
	tests := []struct {
		args  string
		shown []string
		gone  []string // lines of the file that go
		come  []string // lines of the file that come
	}{
		{
			"add x --no-try --env A=b=c --env HOME --tag one --tag two --prefix= -- npx -y @scope/pkg ${HOME}/x",
			[]string{"+   x:", `+     args: ["-y", "@scope/pkg", "${HOME}/x"]`},
			nil,
			[]string{
				"  x:", "    command: npx", `    args: ["-y", "@scope/pkg", "${HOME}/x"]`, "    env:", `      A: "b=c"`, `      HOME: "${HOME}"`,
				`    prefix: ""`, `    tags: ["one", "two"]`,
			},
		},
		{
			"add x https://x.example/mcp --no-try --transport sse --header X-Key=${K} --header Accept:a --description Words",
			nil, nil,
			[]string{
				"  x:", `    url: "https://x.example/mcp"`, "    transport: sse", "    headers:", "      Accept: a", `      X-Key: "${K}"`, "    description: Words",
			},
		},
		{
			"remove other",
			[]string{"-   other:", "TOKEN: [redacted:", "aliases: {d: desk}"},
			[]string{"  other:", "    command: nowhere", "    env: {TOKEN: ghp_0123456789abcdefghijABCDEFGHIJ012345}"},
			nil,
		},
		{"disable other", []string{"+     enabled: false"}, nil, []string{"    enabled: false"}},
		{"alias o other", nil, []string{"aliases: {d: desk}"}, []string{"aliases: {d: desk, o: other}"}},
		{"alias --remove d", nil, []string{"aliases: {d: desk}"}, []string{"aliases: {}"}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			config := writeConfig(t, twoServers)
			read := func() string {
				data, err := os.ReadFile(config)
				if err != nil {
					t.Fatal(err)
				}
				return string(data)
			}
			before := read()
			words := append([]string{"--config", config}, strings.Fields(tt.args)...)
			with := func(more ...string) []string {
				return append(append(append([]string{}, words[:3]...), more...), words[3:]...)
			}

			dry := weir(t, with("--dry-run")...)
			dry.wants(t, exitOK, append(tt.shown, "mcp.yaml", "Nothing was written.")...)
			weir(t, words...).wants(t, exitUsage, "nothing was written", "--yes")
			if got := read(); got != before {
				t.Fatalf("before the yes: -want +got:\n%s", cmp.Diff(before, got))
			}
			weir(t, with("--yes")...).wants(t, exitOK, "Written.", "mcp.yaml.bak", "No weir is running")
			if diff := cmp.Diff(before, edited(t, read(), tt.gone, tt.come)); diff != "" {
				t.Errorf("but for the lines that were to change: -want +got:\n%s", diff)
			}
			changed := read()
			weir(t, words[0], words[1], words[2], "--undo", "--yes").wants(t, exitOK, "Written.")
			if got := read(); got != before {
				t.Errorf("undone: -want +got:\n%s", cmp.Diff(before, got))
			}
			weir(t, words[0], words[1], words[2], "--undo", "-y").wants(t, exitOK, "Written.")
			if got := read(); got != changed {
				t.Errorf("undone twice: -want +got:\n%s", cmp.Diff(changed, got))
			}
		})
	}
}

// edited takes a change of lines back by hand: those that came go, and those that
// went take their place, or that of the line behind which they stood.
func edited(t *testing.T, text string, gone, come []string) string {
	t.Helper()
	block := func(lines []string) string {
		if len(lines) == 0 {
			return ""
		}
		return strings.Join(lines, "\n") + "\n"
	}
	if len(come) == 0 {
		return strings.Replace(text, "  # the second\n", "  # the second\n"+block(gone), 1)
	}
	if strings.Count(text, block(come)) != 1 {
		t.Errorf("the file has no lines %q:\n%s", come, text)
	}
	return strings.Replace(text, block(come), block(gone), 1)
}

func TestChangesThatAreRefused(t *testing.T) {
	newHome(t)
	tests := []struct {
		args string
		code int
		want string
	}{
		{"add", exitUsage, "missing the NAME of the server"},
		{"add x", exitUsage, `missing the URL of server "x", or -- and its COMMAND`},
		{"add -- npx", exitUsage, `the NAME of the server stands before "--"`},
		{"add x npx -- y", exitUsage, `unexpected argument "npx"`},
		{"add x npx y", exitUsage, "weir add x -- npx y"},
		{"add x https://a https://b", exitUsage, `unexpected argument "https://b"`},
		{"add x https://a --env A=b", exitUsage, "--env and --cwd go with a program"},
		{"add x --header A=b -- y", exitUsage, "--header and --transport go with a URL"},
		{"add x https://a --header secret", exitUsage, "--header wants NAME=VALUE"},
		{"add x --env A=b --env A=c -- y", exitUsage, "--env A is given twice"},
		{"add desk -- y", exitFailed, "a server has this name already"},
		{"add d -- y", exitFailed, "an alias has this name already"},
		{"add weir -- y", exitFailed, "this name is reserved"},
		{"add X -- y", exitFailed, "a-z"},
		{"add x https://a --transport carrier", exitUsage, `unknown transport "carrier"`},
		{"add x --undo", exitUsage, `unexpected argument "x"`},
		{"add --undo --yes", exitFailed, "there is no change to take back"},
		{"remove", exitUsage, "missing the NAME of a server"},
		{"remove desk otehr", exitFailed, `did you mean "other"?`},
		{"remove d", exitFailed, `it is an alias of "desk"`},
		{"enable desk", exitOK, "There is nothing to change"},
		{"disable none", exitFailed, "there is no server of this name"},
		{"alias x", exitUsage, "missing the SERVER"},
		{"alias x none", exitFailed, `there is no server of this name`},
		{"alias --remove", exitUsage, "missing the NAME of an alias"},
		{"alias --remove dd", exitFailed, `did you mean "d"?`},
		{"alias", exitOK, "d      desk"},
	}
	config := writeConfig(t, twoServers)
	before, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			weir(t, append([]string{"--config", config}, strings.Fields(tt.args)...)...).wants(t, tt.code, tt.want)
			if now, _ := os.ReadFile(config); string(now) != string(before) {
				t.Errorf("the file has changed:\n%s", now)
			}
		})
	}
	if got := weir(t, "--config", config, "add", "x", "https://a", "--header", "s3cr3t"); strings.Contains(got.stderr, "s3cr3t") {
		t.Error("an error says what may be a secret")
	}
	foreign := writeConfig(t, `{"mcpServers": {"a": {"command": "x"}}}`)
	weir(t, "--config", foreign, "add", "x", "--yes", "--", "y").wants(t, exitFailed, "another program's file")
}

// TestFirstServer: a configuration that is not there is made, and the server is
// tried: connected to, whatever a policy says, and its lists stored.
func TestFirstServer(t *testing.T) {
	home := newHome(t)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, ".config"))
	weir(t, "add", "desk", "--yes", "--", program(t), "demo-server").
		wants(t, exitOK, "(a new file)", "Written.", "ready", "just now")
	weir(t, "tools").wants(t, exitOK, "desk__echo")
	if runtime.GOOS == "linux" {
		info, err := os.Stat(filepath.Join(home, ".config", "weir", "mcp.yaml"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode: got %v, %v, want 0600", info, err)
		}
	}
	weir(t, "add", "gone", "--yes", "--", "no-such-program").
		wants(t, exitPartly, "Written.", "no-such-program", `server "gone" is in the file, but it cannot be used yet`)
	weir(t, "remove", "gone", "--yes").wants(t, exitOK, "-   gone:")
	weir(t, "add", "--undo", "--yes").wants(t, exitOK, "+   gone:")
}

func TestSecretsOnTheCommandLine(t *testing.T) {
	newHome(t)
	config := writeConfig(t, twoServers)
	const secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
	got := weir(t, "--config", config, "add", "x", "--dry-run", "--env", "A="+secret, "--env", "PASSWORD=swordfish",
		"--env", "KEY_TOKEN=${keyring:weir/x}", "--env", "PLAIN=1", "--", "y", "--token="+secret)
	got.wants(t, exitOK, "A looks like a secret", "PASSWORD looks like a secret", "argument 1 looks like a secret", "weir auth secret set weir/x")
	if strings.Contains(got.stdout+got.stderr, secret) {
		t.Error("the secret is shown")
	}
	for _, name := range []string{"KEY_TOKEN", "PLAIN"} {
		if strings.Contains(got.stderr, name) {
			t.Errorf("warning of %s", name)
		}
	}
}

func TestAliasThatAPolicyMatches(t *testing.T) {
	newHome(t)
	config := writeConfig(t, "servers:\n  a: {command: x}\npolicy:\n  default: read\n  rules:\n    - {server: \"prod-*\", level: execute}\n")
	weir(t, "--config", config, "alias", "prod-a", "a", "--yes").
		wants(t, exitOK, `the pattern "prod-*" of a policy`, "Written.")
	if got := weir(t, "--config", config, "alias", "other", "a", "--yes"); strings.Contains(got.stderr, "pattern") {
		t.Errorf("warning of an alias that no policy matches: %s", got.stderr)
	}
}

// TestPathsAreWhole: what is a path where the person stands is one for weir too.
func TestPathsAreWhole(t *testing.T) {
	newHome(t)
	config := writeConfig(t, twoServers)
	dir := t.TempDir()
	t.Chdir(dir)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	local := "." + string(filepath.Separator) + "server"
	got := weir(t, "--config", config, "add", "x", "--dry-run", "--cwd", "sub", "--", local, local)
	got.wants(t, exitOK, "+     command: "+yamlText(filepath.Join(here, "server")), "+     cwd: "+yamlText(filepath.Join(here, "sub")), yamlText(local))
	weir(t, "--config", config, "add", "x", "--dry-run", "--cwd", "~/sub", "--", "server").
		wants(t, exitOK, `"~/sub"`, "command: server")
}

// yamlText is how a path stands in the file, without quotes around it.
func yamlText(path string) string { return strings.Trim(quoted(path), `"`) }
