package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zalando/go-keyring"
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
			"add x https://x.example/mcp --no-try --transport sse --header X-Key=${K} --header X-B:a --description Words",
			nil, nil,
			[]string{
				"  x:", `    url: "https://x.example/mcp"`, "    headers:", `      X-Key: "${K}"`, "      X-B: a", "    transport: sse", "    description: Words",
			},
		},
		{
			"add x https://x.example/mcp --no-try --bearer ${T} --timeout 2m --connect-timeout 5s --start eager --pin block --protocol 2025-06-18 --include get_* --exclude *_x --set max_concurrent=4 --set sampling.rate=10/m",
			nil, nil,
			[]string{
				"  x:", `    url: "https://x.example/mcp"`, "    auth:", "      type: bearer", `      token: "${T}"`, "    timeout: 2m", "    connect_timeout: 5s",
				"    start: eager", `    protocol: "2025-06-18"`, "    pin: block", "    tools:", `      include: ["get_*"]`, `      exclude: ["*_x"]`,
				"    max_concurrent: 4", "    sampling:", "      rate: 10/m",
			},
		},
		{
			"add x https://x.example/mcp --no-try --auth oauth2 --auth client_id=c --auth scopes=a,b --auth callback_port=7777 --auth authorize_params.audience=https://x",
			nil, nil,
			[]string{
				"  x:", `    url: "https://x.example/mcp"`, "    auth:", "      type: oauth2", "      client_id: c", `      scopes: ["a", "b"]`,
				"      callback_port: 7777", "      authorize_params:", `        audience: "https://x"`,
			},
		},
		{
			"add --no-try --tag t --json \"x\":{\"command\":\"npx\",\"args\":[\"-y\",\"pkg\"],\"env\":{\"A\":\"${B}\"},\"timeout\":5000},",
			nil, nil,
			[]string{"  x:", "    command: npx", `    args: ["-y", "pkg"]`, "    env:", `      A: "${B}"`, "    timeout: 5s", `    tags: ["t"]`},
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
		{"add x https://a --env A=b", exitUsage, `--env: this key is for transport "stdio"`},
		{"add x --header A=b -- y", exitUsage, "--header: this key is for servers with a url"},
		{"add x --transport sse -- y", exitUsage, `transport "sse" does not go with what it has`},
		{"add x https://a --timeout 5", exitUsage, `--timeout: "5" is not a duration`},
		{"add x https://a --connect-timeout 0s", exitUsage, "--connect-timeout: it must be more than nothing"},
		{"add x https://a --start soon", exitUsage, `--start: unknown word "soon" (want lazy or eager)`},
		{"add x https://a --protocol 1999", exitUsage, `--protocol: unknown revision "1999"`},
		{"add x https://a --pin maybe", exitUsage, "--pin: "},
		{"add x https://a --prefix a__b", exitUsage, "--prefix: "},
		{"add x https://a --exclude [a", exitUsage, "--exclude: "},
		{"add x https://a --auth tokens", exitUsage, `--auth type: `},
		{"add x https://a --auth bearer", exitUsage, `--auth: "token" is missing`},
		{"add x https://a --auth api_key --auth valeu=x", exitUsage, `--auth: unknown key "valeu" (did you mean "value"?)`},
		{"add x https://a --auth oauth2 --auth callback_port=high", exitUsage, "--auth callback_port: "},
		{"add x https://a --bearer ${T} --auth none", exitUsage, "--bearer and --auth contradict each other"},
		{"add x http://a.example/ --bearer ${T}", exitUsage, "--auth: a credential must not travel over plain http"},
		{"add x --bearer ${T} -- y", exitUsage, "--auth: this key is for servers with a url"},
		{"add x https://a --set tiemout=5m", exitUsage, `unknown key "tiemout" (did you mean "timeout"?)`},
		{"add x https://a --set rate_limit=often", exitUsage, `--set rate_limit: "often" is not a rate`},
		{"add x https://a --set timeout", exitUsage, "--set wants KEY=VALUE"},
		{"add x https://a --set max_concurrent={", exitUsage, "--set max_concurrent: "},
		{"add x ftp://a", exitUsage, "url: it must begin with https:// or http://"},
		{"add --json {", exitUsage, "--json: the text:1: "},
		{"add --json npx", exitUsage, "--json: the text: there are no servers in it"},
		{"add x y --json {}", exitUsage, `unexpected argument "y"`},
		{`add x --json {"a":{"command":"b"},"c":{"command":"d"}}`, exitUsage, "2 servers are in it, so that a NAME is not enough"},
		{`add --json {"a":{"comand":"b"}}`, exitFailed, `server "a" of the text: `},
		{`add --json {"a":{"command":"weir"}}`, exitOK, "There is nothing to add."},
		{`add --json {"a":{"url":"https://a/"}} --timeout 5`, exitUsage, `server "a": timeout: "5" is not a duration`},
		{"add x https://a --secrets=drawer", exitUsage, `unknown --secrets "drawer"`},
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

// TestSecretsAreAskedFor: a secret that stands as "-" is read and goes into the
// keyring, and is not left there if nothing is written.
func TestSecretsAreAskedFor(t *testing.T) {
	newHome(t)
	config := writeConfig(t, twoServers)
	add := []string{"--config", config, "add", "x", "https://x.example/mcp", "--no-try", "--bearer", "-"}
	weirWithInput(t, "planted\n", append(add, "--yes")...).wants(t, exitFailed, "keyring")

	keyring.MockInit()
	weirWithInput(t, "", append(add, "--dry-run")...).wants(t, exitOK, "${keyring:weir/x/token}")
	weirWithInput(t, "planted\n", add...).wants(t, exitUsage, "nothing was written")
	if _, err := keyring.Get("weir", "x/token"); err == nil {
		t.Error("a secret of what was not written stays in the keyring")
	}
	weirWithInput(t, "planted\n", append(add, "--yes")...).wants(t, exitOK, `token: "${keyring:weir/x/token}"`, "Written.")
	if got, err := keyring.Get("weir", "x/token"); got != "planted" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	weirWithInput(t, "one\n", "--config", config, "add", "y", "--yes", "--no-try", "--env", "A=-", "--env", "B=-", "--", "y").
		wants(t, exitUsage, "stdin has room for one secret", "weir auth secret set weir/y/B")
	if _, err := keyring.Get("weir", "y/A"); err == nil {
		t.Error("the first of two secrets stays in the keyring")
	}
}

// TestSecretsAreMoved: with --secrets=keyring what looks like a secret goes there.
func TestSecretsAreMoved(t *testing.T) {
	newHome(t)
	keyring.MockInit()
	config := writeConfig(t, twoServers)
	const secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
	text := `{"mcpServers": {"The Hub": {"url": "https://hub.example/mcp", "headers": {"Authorization": "Bearer ` + secret + `"}}, "more": {"command": "y"}}}`
	got := weirWithInput(t, text, "--config", config, "add", "--json", "-", "--yes", "--no-try", "--secrets=keyring")
	got.wants(t, exitOK, "+   the-hub:", `Authorization: "Bearer ${keyring:weir/the-hub/Authorization}"`, "+   more:")
	if strings.Contains(got.stdout+got.stderr, "looks like a secret") {
		t.Error("warning of a secret that was moved")
	}
	if got, err := keyring.Get("weir", "the-hub/Authorization"); got != secret || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	weirWithInput(t, text, "--config", config, "add", "--json", "-", "--yes", "--no-try").
		wants(t, exitOK, "The Hub is left out: it is there already, as the-hub", "There is nothing to add.")
}

// TestAddFromText: a text is tried as arguments are, under the name that is given.
func TestAddFromText(t *testing.T) {
	newHome(t)
	config := writeConfig(t, "servers: {}\n")
	entry := `{"command": ` + quoted(program(t)) + `, "args": ["demo-server"], "alwaysAllow": ["echo"]}`
	weir(t, "--config", config, "add", "mine", "--json", entry, "--yes", "--exclude", "delete_*").
		wants(t, exitOK, "note: mine: ", "alwaysAllow", "Written.", "ready")
	got := weir(t, "--config", config, "tools")
	got.wants(t, exitOK, "mine__echo")
	if strings.Contains(got.stdout, "delete_") {
		t.Error("what is excluded is listed")
	}
	weir(t, "--config", config, "add", "--json", entry, "--yes").wants(t, exitOK, "left out", "as mine", "There is nothing to add.")
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
