package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

const manyPeople = `
servers:
  desk: {command: WEIR, args: [demo-server], tags: [work]}
  files: {command: no-such-program}
aliases: {d: desk}
policy: base
policies:
  base:
    default: deny
    rules: [{server: desk, tool: echo, level: execute}]
  daily:
    default: execute
    rules:
      - {server: "*", tool: "delete_*", level: deny}
      - {server: desk, tool: add, level: deny, when: "args.a > 10"}
      - {server: "*", ask: true, when: "tool.annotations.destructiveHint"}
keys:
  - {name: laptop, sha256: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", team: web}
teams: {web: {policy: daily}}
profiles: {home: {servers: ["tag:work"], policy: daily}}
`

func writeTable(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "expectations.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPolicyCheckTable(t *testing.T) {
	newHome(t)
	config := writeConfig(t, manyPeople)
	weir(t, "--config", config, "tools").wants(t, exitPartly, "desk__echo") // stores what desk lists

	weir(t, "--config", config, "policy", "check", writeTable(t, `
- {server: desk, tool: echo, expect: execute, ask: false, listed: true}
- {server: d, tool: add, expect: deny, listed: false}
- {key: laptop, server: desk, tool: add, args: {a: 10, b: 1}, expect: execute}
- {key: laptop, server: desk, tool: add, args: {a: 11, b: 1}, expect: deny, listed: true}
- {key: laptop, server: desk, tool: echo, ask: false}   # its server says that it is harmless
- {key: laptop, server: files, tool: write, ask: true}  # and of this one nothing is known
- {team: web, server: files, tool: delete_x, expect: deny}
- {profile: home, server: files, tool: read, expect: deny, listed: false}
- {profile: home, server: desk, tool: now, expect: execute}
- {server: weir, tool: servers, expect: deny}
`)).wants(t, exitOK, "all 10 rows are so")

	got := weir(t, "--config", config, "policy", "check", writeTable(t, `
- {server: desk, tool: echo, expect: deny}
- {key: laptop, server: desk, tool: add, args: {a: 11}, expect: execute, listed: false}
`))
	got.wants(t, exitFailed,
		`expectations.yaml:2: tool "echo" of "desk": got execute, want deny: rule 1 gives execute to tool "echo" of server "desk"`,
		`expectations.yaml:3: tool "add" of "desk": got deny, want execute: rule 2`,
		`expectations.yaml:3: tool "add" of "desk": it is listed, want it hidden`,
		"2 of 2 rows not so")

	asJSON := weir(t, "--config", config, "policy", "check", "--json", writeTable(t, "- {server: desk, tool: echo, expect: deny}\n"))
	asJSON.wants(t, exitFailed)
	var rows []struct {
		OK       bool
		Line     int
		Failures []string
	}
	if err := json.Unmarshal([]byte(asJSON.stdout), &rows); err != nil || len(rows) != 1 || rows[0].OK || rows[0].Line != 1 || len(rows[0].Failures) != 1 {
		t.Errorf("got %v, %s", err, asJSON.stdout)
	}
}

func TestPolicyCheckTableErrors(t *testing.T) {
	newHome(t)
	config := writeConfig(t, manyPeople)
	for _, tt := range []struct {
		name, table string
		want        []string
	}{
		{"nothing", "", []string{"there are no expectations in it"}},
		{"no list", "server: desk\n", []string{"expectations are a list of rows"}},
		{"several", "- {servr: desk, expect: deny}\n- {server: desk}\n", []string{
			`expectations.yaml:1: unknown key "servr" (did you mean "server"?)`, "expectations.yaml:2: nothing is expected",
		}},
		{"nobody", "- {key: labtop, server: desk, expect: deny}\n", []string{`there is no key "labtop" (did you mean "laptop"?)`}},
		{"no server", "- {server: dekk, expect: deny}\n", []string{`there is no server "dekk"; did you mean "desk"?`}},
		{"no level", "- {server: desk, expect: exec}\n", []string{"expectations.yaml:1:", `unknown level "exec"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			weir(t, "--config", config, "policy", "check", writeTable(t, tt.table)).wants(t, exitFailed, tt.want...)
		})
	}
}

func TestPolicyCheckOne(t *testing.T) {
	newHome(t)
	config := writeConfig(t, manyPeople)
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"allowed", []string{"desk", "echo", "text=x"}, exitOK, "it may be used"},
		{"denied", []string{"d", "add"}, exitFailed, "it does not exist for the host"},
		{"another's", []string{"--key", "laptop", "desk", "add", "a:=11"}, exitFailed, "refused with these arguments"},
		{"asked about", []string{"--team", "web", "files", "write"}, exitFailed, "once a person has approved"},
		{"no server", []string{"dekk", "echo"}, exitFailed, `did you mean "desk"?`},
		{"nobody", []string{"--org", "acme", "desk", "echo"}, exitFailed, `there is no org "acme"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			weir(t, append([]string{"--config", config, "policy", "check"}, tt.args...)...).wants(t, tt.code, tt.want)
		})
	}
}

func TestPolicyLint(t *testing.T) {
	newHome(t)
	config := writeConfig(t, `
servers:
  desk: {command: WEIR, args: [demo-server]}
policies:
  fine: {default: deny, rules: [{server: desk, tool: echo, level: execute}]}
  odd:
    default: deny
    rules:
      - {server: desk, level: execute}
      - {server: desk, tool: echo, level: read}
      - {server: dekk, level: execute}
      - {server: desk, tool: ecko, level: deny}
policy: fine
`)
	weir(t, "--config", config, "policy", "lint").wants(t, exitFailed,
		"mcp.yaml:10: ", "mcp.yaml:11: ", `did you mean "desk"?`, "mcp.yaml:12: ", `did you mean "echo"?`)
	weir(t, "--config", writeConfig(t, oneServer), "policy", "lint").wants(t, exitOK, "1 policy: nothing to mend")
	weir(t, "--config", writeConfig(t, "servers: {desk: {command: WEIR, args: [demo-server]}}"), "policy", "lint").
		wants(t, exitOK, "there is no policy")
}
