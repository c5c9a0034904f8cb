package policy

import (
	"errors"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func TestExpectation(t *testing.T) {
	p, err := Compile(decodeText(t, `
default: deny
rules:
  - {server: files, tool: read, level: execute}
  - {server: database, level: execute}
  - {server: db, tool: query, level: deny, when: 'args.sql == "drop"'}
  - {server: db, tool: "*", ask: true, when: 'principal.key == "phone"'}
`), Servers{Aliases: Aliases{"db": "database"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ row, want string }{
		{`{server: files, tool: read, expect: execute, ask: false, listed: true}`, ""},
		{`{server: files, tool: write, expect: deny, listed: false}`, ""},
		{`{server: db, tool: query, args: {sql: select}, expect: execute}`, ""},
		{`{server: database, tool: query, args: {sql: drop}, expect: deny, listed: true}`, ""},
		{`{server: db, tool: query, args: '{"sql":"select","sql":"drop"}', expect: deny}`, ""},
		{`{key: phone, server: db, tool: ping, ask: true}`, ""},
		{`{server: db, resource: "db://t", expect: execute}`, ""},
		{`{server: db, prompt: p, expect: execute}`, ""},
		{`{server: files, expect: deny}`, ""},
		{
			`{server: files, tool: read, expect: deny, ask: true, listed: false}`,
			`got execute, want deny: rule 1 gives execute to tool "read" of server "files"` + "\n" +
				"no approval is asked for, want one: no rule that asks matches\n" +
				`it is listed, want it hidden: the most that any arguments get is execute: rule 1 gives execute to tool "read" of server "files"`,
		},
		{
			`{server: db, tool: query, expect: execute}`,
			`got deny, want execute: rule 3 denies tool "query" of server "db" under its condition, which cannot be evaluated: args.sql is missing (has(args.sql) tests for it)`,
		},
		{`{server: files, tool: write, ask: true}`, "no approval is asked for, want one: what is denied is not asked about"},
		{`{key: phone, server: db, tool: ping, ask: false}`, `approval is asked for, want none: rule 4 asks for approval of tool "*" of server "db" under its condition`},
		{`{server: files, tool: write, listed: true}`, "it is hidden, want it listed: the most that any arguments get is deny: no rule matches; the default is deny"},
	} {
		var e Expectation
		if err := yaml.Unmarshal([]byte(tt.row), &e); err != nil {
			t.Errorf("%s: %v", tt.row, err)
			continue
		}
		_, failures := e.Check(p, e.Request(Aliases{"db": "database"}))
		if got := strings.Join(failures, "\n"); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.row, got, tt.want)
		}
	}
}

func TestExpectationErrors(t *testing.T) {
	for _, tt := range []struct{ row, want string }{
		{`{tool: x, expect: deny}`, `:1: "server" is missing`},
		{`{server: a, tool: x}`, `:1: nothing is expected: "expect", "ask" or "listed" is missing`},
		{`{server: a, tool: x, prompt: y, expect: deny}`, `:1: it is about more than one of tool, prompt and resource; make them rows of their own`},
		{`{key: a, team: b, server: a, expect: deny}`, `:1: it names more than one of key, team, org and profile`},
		{"{server: a,\n  tol: x, expect: deny}", `:2: unknown key "tol" (known are key, team, org, profile, server, tool, prompt, resource, args, expect, ask, listed)`},
		{`{server: a, expect: maybe}`, `:1: unknown level "maybe" (want deny, read, execute or admin)`},
		{`{server: a, expect: deny, args: [1]}`, `:1: line 1: arguments are a mapping, or JSON as text`},
		{`[server]`, `:1: an expectation has keys with values`},
	} {
		var e Expectation
		err := yaml.Unmarshal([]byte(tt.row), &e)
		if _, typed := errors.AsType[*ConfigError](err); !typed || err.Error() != tt.want {
			t.Errorf("%s: got error %v, want %s", tt.row, err, tt.want)
		}
	}
}

func TestObject(t *testing.T) {
	for _, tt := range []struct{ yaml, want string }{
		{`{}`, `{}`},
		{
			`{a: 1, b: [x, true, null, 2.5], "c d": {e: 1e3}, f: 9007199254740993, g: 0x10, h: 1_000, i: "1", j: .5}`,
			`{"a":1,"b":["x",true,null,2.5],"c d":{"e":1e3},"f":9007199254740993,"g":16,"h":1000,"i":"1","j":0.5}`,
		},
		{`{a: 99999999999999999999}`, `{"a":99999999999999999999}`},
		{`{a: 2026-01-02}`, `{"a":"2026-01-02"}`},
		{`'{"a":1,"a":2}'`, `{"a":1,"a":2}`},
		{`{a: .inf}`, "line 1: JSON has no number .inf"},
		{`{a: 1, a: 2}`, `line 1: "a" stands here twice; to try that out, write the arguments as JSON in quotes`},
		{`{a: &x 1, b: *x}`, "line 1: aliases are not supported in arguments"},
		{`{a: ` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, "line 1: nested more than 64 deep"},
	} {
		var o Object
		got := ""
		if err := yaml.Unmarshal([]byte(tt.yaml), &o); err != nil {
			got = err.Error()
		} else {
			got = string(o)
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.yaml, got, tt.want)
		}
	}
}
