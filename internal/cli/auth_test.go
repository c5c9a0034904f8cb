package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zalando/go-keyring"
)

const authServers = `
servers:
  files: {command: x}
  open: {url: "https://open.example/mcp", auth: {type: none}}
  token: {url: "https://token.example/mcp?key=planted", auth: {type: bearer, token: planted}}
  key: {url: "https://key.example/mcp", auth: {type: api_key, value: planted, header: X-Key}}
  named: {url: "https://named.example/mcp", auth: {type: basic, username: me, password: planted}}
  robot: {url: "https://robot.example/mcp", auth: {type: oauth2, grant: client_credentials, client_id: weir, client_secret: planted, scopes: [a, b]}}
  person: {url: "https://person.example/mcp", auth: {type: oauth2, account: work}}
  bare: {url: "https://bare.example/mcp"}
  broken: {url: "https://broken.example/mcp", auth: {type: bearer, token: "${UNSET_IN_TEST}"}}
  off: {url: "https://off.example/mcp", enabled: false}
aliases: {me: person}
`

func TestAuth(t *testing.T) {
	newHome(t)
	config := writeConfig(t, authServers)
	table := weir(t, "auth", "--config", config)
	table.wants(t, exitOK, "SERVER", "static", "by itself", "not logged in", "variable UNSET_IN_TEST is not set")
	got := weir(t, "auth", "--json", "--config", config)
	got.wants(t, exitOK)
	for _, o := range []outcome{table, got} {
		if strings.Contains(o.stdout+o.stderr, "planted") {
			t.Errorf("a secret was shown:\n%s", o.stdout)
		}
	}
	var lines []authLine
	if err := json.Unmarshal([]byte(got.stdout), &lines); err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, line := range lines {
		states = append(states, line.Server+": "+line.Kind+", "+line.State)
	}
	want := []string{
		"open: none, none", "token: bearer, static", "key: api_key, static", "named: basic, static", "robot: oauth2, by itself",
		"person: oauth2, not logged in", "bare: oauth2, not logged in", "broken: bearer, broken", "off: oauth2, not logged in",
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if lines[1].URL != "https://token.example/mcp" {
		t.Errorf("got URL %s, want it without its query", lines[1].URL)
	}
}

func TestAuthOfNothing(t *testing.T) {
	newHome(t)
	weir(t, "auth").wants(t, exitOK, "No server with a URL is configured")
	if got := weir(t, "auth", "--json"); got.stdout != "[]\n" {
		t.Errorf("got %q, want an empty array", got.stdout)
	}
}

// TestNothingToLogInTo names why; no server is asked.
func TestNothingToLogInTo(t *testing.T) {
	newHome(t)
	config := writeConfig(t, authServers)
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"login files", exitFailed, `server "files" is a program: there is no login; what it needs goes into its env`},
		{"login open", exitFailed, `server "open" is configured without a login`},
		{"login token", exitFailed, `server "token" has a credential in the configuration (auth of type bearer)`},
		{"login robot", exitFailed, `server "robot": weir logs in to this server by itself`},
		{"login off", exitFailed, `server "off" is disabled`},
		{"login broken", exitFailed, `variable UNSET_IN_TEST is not set`},
		{"login persn", exitFailed, `there is no server "persn"; did you mean "person"?`},
		{"login zzzzzz", exitFailed, `there is no server "zzzzzz" ("weir auth" lists them)`},
		{"login a b", exitUsage, `unexpected argument "b"`},
		{"logout", exitUsage, "missing the SERVER"},
		{"logout --all me", exitUsage, "--all and a server contradict each other"},
		{"logout token", exitFailed, `server "token" has no login`},
		{"logout https://gone.example/mcp", exitFailed, "there is no login for https://gone.example/mcp"},
		{"logout --all", exitOK, "You are logged in nowhere."},
		{"auth scret", exitUsage, `unknown command "scret"; did you mean "weir auth secret"?`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			weir(t, append(strings.Fields(tt.args), "--config", config)...).wants(t, tt.code, tt.want)
		})
	}
}

func TestAuthSecret(t *testing.T) {
	newHome(t)
	keyring.MockInit()
	weirWithInput(t, "planted secret\r\n", "auth", "secret", "set", "weir/a/b").wants(t, exitOK, "${keyring:weir/a/b}")
	if got, err := keyring.Get("weir", "a/b"); got != "planted secret" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, tt := range []struct {
		input string
		args  []string
		code  int
		want  string
	}{
		{"\n", []string{"set", "weir/a"}, exitFailed, "the secret is empty: nothing was changed"},
		{strings.Repeat("x", 2501), []string{"set", "weir/a"}, exitFailed, "the secret is larger than 2500 bytes"},
		{"x", []string{"set", "weir"}, exitUsage, `"weir" does not name a secret (want SERVICE/ACCOUNT, such as weir/acme)`},
		{"x", []string{"set", "weir/a}"}, exitUsage, "does not name a secret"},
		{"x", []string{"set"}, exitUsage, "missing SERVICE/ACCOUNT"},
		{"", []string{"delete", "weir/none"}, exitFailed, "the keyring has no such secret"},
		{"", []string{"delete", "weir/a/b"}, exitOK, "not in the keyring any more"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			got := weirWithInput(t, tt.input, append([]string{"auth", "secret"}, tt.args...)...)
			got.wants(t, tt.code, tt.want)
		})
	}
	if _, err := keyring.Get("weir", "a/b"); err == nil {
		t.Error("the secret is still there")
	}
}

func TestAuthSecretWithoutKeyring(t *testing.T) {
	newHome(t)
	got := weirWithInput(t, "planted", "auth", "secret", "set", "weir/a")
	got.wants(t, exitFailed, "keep the secret in a file that only you can read, and write ${file:PATH}")
	if strings.Contains(got.stdout+got.stderr, "planted") {
		t.Error("the secret was shown")
	}
}
