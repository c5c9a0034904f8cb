package config

import (
	"testing"
)

// TestBadFiles has files that are not loaded at all.
func TestBadFiles(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"broken YAML", "servers:\n  a: {command: [}\n", `mcp.yaml:2: reading YAML: did not find expected node content`},
		{"broken YAML on the first line", "[", `mcp.yaml:1: reading YAML: did not find expected node content`},
		{"tab", "servers:\n\ta: x\n", `mcp.yaml:2: reading YAML: found character that cannot start any token`},
		{"two documents", "servers: {}\n---\npolicy: {default: deny}\n", `mcp.yaml:2: a second document begins here; only one is read`},
		{"a list", "- a\n", `mcp.yaml:1: this is a list, want keys with values`},
		{"text", "hello\n", `mcp.yaml:1: this is text, want keys with values`},
		{"unknown key", "server: {}\n", `mcp.yaml:1: unknown key "server" (did you mean "servers"?)`},
		{"unknown key, nothing near", "zzz: {}\n", `mcp.yaml:1: unknown key "zzz" (known are servers, aliases, policy, policies, keys, teams, orgs, profiles, env_file, names, cache, limits, log, audit, tools, telemetry)`},
		{"unknown key of a server", "servers:\n  a:\n    comand: x\n", `mcp.yaml:3: servers.a: unknown key "comand" (did you mean "command"?)`},
		{"case counts", "servers:\n  a: {Command: x}\n", `mcp.yaml:2: servers.a: unknown key "Command" (did you mean "command"?)`},
		{"swapped letters", "servers:\n  a: {ulr: x}\n", `mcp.yaml:2: servers.a: unknown key "ulr" (did you mean "url"?)`},
		{"unknown key of a rule", "policy:\n  default: deny\n  rules:\n    - {server: a, tol: x, level: read}\n", `mcp.yaml:4: policy.rules.1: unknown key "tol" (did you mean "tool"?)`},
		{"idle for less than no time", "servers: {a: {command: x, idle_stop: -1s}}\n", `mcp.yaml:1: servers.a.idle_stop: "-1s" is not a duration (want a number with a unit, such as 500ms, 30s, 5m or 24h)`},
		{"condition", "policy:\n  default: deny\n  rules:\n    - server: a\n      level: deny\n      when: agrs.x == 1\n", `mcp.yaml:6: policy: rule 1: when: undeclared reference to 'agrs' (did you mean 'args'?) (column 1)`},
		{"member in a condition", "policy: {default: deny, rules: [{server: a, level: deny, when: 'principal.tean == \"x\"'}]}\n", `mcp.yaml:1: policy: rule 1: when: principal has no member "tean" (did you mean "team"?)`},
		{"annotations of a server that is not trusted", "servers: {a: {command: x}, b: {command: y, trust_annotations: true}}\npolicy: {default: deny, rules: [{server: b, level: read, when: tool.annotations.readOnlyHint}, {server: '*', level: read, when: tool.annotations.readOnlyHint}]}\n", `mcp.yaml:2: policy: rule 2: when: a rule that gives read may not look at what server "a" says of its tools (tool.annotations, tool.title; set trust_annotations: true for that server if its word may grant)`},
		{"twice", "servers:\n  a: {command: x}\n  b: {command: x}\n  a: {command: y}\n", `mcp.yaml:4: servers: key "a" stands here twice (first on line 2)`},
		{"merge key", "servers:\n  a: &a {command: x}\n  b: {<<: *a}\n", `mcp.yaml:3: servers.b: merge keys (<<) are not supported; write the keys out`},
		{"key that is no text", "servers: {[a]: x}\n", `mcp.yaml:1: servers: a key must be text`},
		{"detector", "servers: {a: {command: x, redact: [github, gihub]}}\n", `mcp.yaml:1: servers.a.redact: unknown detector "gihub" (did you mean "github"?) (known are all, secret_keys, private_key, jwt, bearer, basic_auth_url, github, gitlab, aws, google, slack, stripe, openai, anthropic, npm, pypi)`},
		{"a rate that is none", "servers: {a: {command: x, rate_limit: 60}}\n", `mcp.yaml:1: servers.a.rate_limit: "60" is not a rate (want a number of times a second, minute or hour, such as 1/s, 10/m or 100/h)`},
		{"wrong type: list", "servers: {a: {command: x, args: y}}\n", `mcp.yaml:1: servers.a.args: this is text, want a list`},
		{"wrong type: text", "servers: {a: {command: [x]}}\n", `mcp.yaml:1: servers.a.command: this is a list, want text`},
		{"wrong type: bool", "servers: {a: {command: x, enabled: 1}}\n", `mcp.yaml:1: servers.a.enabled: this is a number, want true or false`},
		{"wrong type: number", "names: {max: many}\n", `mcp.yaml:1: names.max: this is text, want a whole number`},
		{"wrong type: pattern", "policy: {default: deny, rules: [{server: a, tool: 1, level: read}]}\n", `mcp.yaml:1: policy.rules.1.tool: this is a number, want text; put it in quotes`},
		{"wrong type: variables", "servers: {a: {command: x, inherit_env: X}}\n", `mcp.yaml:1: servers.a.inherit_env: this is text, want a list`},
		{"no value", "servers:\n  a:\n    command:\n", `mcp.yaml:3: servers.a.command: a value is missing`},
		{"no value: a server", "servers:\n  a:\n", `mcp.yaml:2: servers.a: a value is missing`},
		{"no value: policy", "policy:\n", `mcp.yaml:1: policy: a value is missing`},
		{"duration", "servers: {a: {command: x, timeout: 30}}\n", `mcp.yaml:1: servers.a.timeout: "30" is not a duration (want a number with a unit, such as 500ms, 30s, 5m or 24h)`},
		{"negative duration", "cache: {max_age: -1h}\n", `mcp.yaml:1: cache.max_age: "-1h" is not a duration (want a number with a unit, such as 500ms, 30s, 5m or 24h)`},
		{"size", "limits: {message: big}\n", `mcp.yaml:1: limits.message: "big" is not a size (want bytes, or a number with a unit, such as 512KiB or 64MiB)`},
		{"size too small", "limits: {message: 1KiB}\n", `mcp.yaml:1: limits.message: 1024 bytes are out of bounds (want 64KiB to 1GiB)`},
		{"names.max", "names:\n  max: 10\n", `mcp.yaml:2: names.max: 10 is out of bounds (want 16 to 128)`},
		{"names.separator", "names: {separator: \".\"}\n", `mcp.yaml:1: names.separator: want 1 to 8 characters of A-Z, a-z, 0-9, _ and -`},
		{"audit.file", "audit: {file: false}\n", `mcp.yaml:1: audit.file: want default, off or a path`},
		{"a reference in audit.file", "audit: {file: \"${HOME}/a\"}\n", `mcp.yaml:1: audit.file: references (${…}) are not expanded here`},
		{"audit.arguments", "audit: {arguments: some}\n", `mcp.yaml:1: audit.arguments: this is text, want true or false`},
		{"log.level", "log: {level: loud}\n", `mcp.yaml:1: log.level: unknown level "loud" (want trace, debug, info, warn, error)`},
		{"server name", "servers: {A: {command: x}}\n", `mcp.yaml:1: server "A": a name is 1 to 32 characters of a-z, 0-9, _ and -, and begins with a letter or digit`},
		{"server name with two underscores", "servers: {a__b: {command: x}}\n", `mcp.yaml:1: server "a__b": a name must not have two underscores in a row`},
		{"reserved server name", "servers: {tools: {command: x}}\n", `mcp.yaml:1: server "tools": this name is reserved`},
		{"alias to nothing", "servers: {github: {command: x}}\naliases: {gh: gihub}\n", `mcp.yaml:2: alias "gh": there is no server "gihub" (did you mean "github"?)`},
		{"alias that is a server", "servers: {a: {command: x}, b: {command: x}}\naliases: {a: b}\n", `mcp.yaml:2: alias "a": a server has this name`},
		{"aliases in a circle", "aliases:\n  a: b\n  b: a\n", "mcp.yaml:2: alias \"a\": it leads in a circle, or too far\nmcp.yaml:3: alias \"b\": it leads in a circle, or too far"},
		{"reserved alias", "servers: {a: {command: x}}\naliases: {weir: a}\n", `mcp.yaml:2: alias "weir": this name is reserved`},
		{"no such policy", "policies: {desk: {default: deny}}\npolicy: desc\n", `mcp.yaml:2: there is no policy "desc" (did you mean "desk"?)`},
		{"policy level", "policy: {default: exec}\n", `mcp.yaml:1: policy.default: unknown level "exec" (want deny, read, execute or admin)`},
		{"policy without default", "policies:\n  p:\n    rules: []\n", `mcp.yaml:3: policy "p": "default" is missing (deny, read, execute or admin)`},
		{"bad policy that is not chosen", "policies: {a: {default: deny}, b: {default: deny, rules: [{level: read}]}}\npolicy: a\n", `mcp.yaml:1: policy "b": rule 1: "server" is missing ("*" for all)`},
		{"reference in a policy", "policy: {default: deny, rules: [{server: a, resource: \"file://${HOME}/*\", level: read}]}\n", `mcp.yaml:1: policy.rules.1.resource: references (${…}) are not expanded here`},
		{
			"several, in the order of lines", "servers:\n  a: {comand: x}\n  b: {command: x, args: 1}\nlogs: {}\n",
			"mcp.yaml:2: servers.a: unknown key \"comand\" (did you mean \"command\"?)\n" +
				"mcp.yaml:3: servers.b.args: this is a number, want a list\n" +
				"mcp.yaml:4: unknown key \"logs\" (did you mean \"log\"?)",
		},
		{
			"several of one policy", "policy:\n  rules:\n    - {server: a}\n    - {level: read}\n",
			"mcp.yaml:2: policy: \"default\" is missing (deny, read, execute or admin)\n" +
				"mcp.yaml:3: policy: rule 1: \"level\" is missing (deny, read, execute or admin), or \"ask: true\"\n" +
				"mcp.yaml:4: policy: rule 2: \"server\" is missing (\"*\" for all)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "mcp.yaml", tt.text)
			f, err := Load(Options{Path: path})
			if err == nil {
				t.Fatalf("got %+v, want an error", f)
			}
			if got := bare(path, err.Error()); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestBrokenServers has servers that are broken by themselves.
func TestBrokenServers(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{}`, `it needs a "command" or a "url"`},
		{`{command: x, url: "https://x/"}`, `it has both a "command" and a "url"`},
		{`{command: ""}`, `command: it is empty`},
		{`{url: "wss://x/", transport: sse}`, `url: it must begin with https:// or http://`},
		{`{url: "wss://x/", transport: http}`, `url: it must begin with https:// or http://`},
		{`{url: "https://x/", transport: websocket}`, `url: it must begin with wss:// or ws://`},
		{`{url: "ws://x/"}`, `url: ws:// is for this machine only (use wss)`},
		{`{url: "ws://127.0.0.1.example/"}`, `url: ws:// is for this machine only (use wss)`},
		{`{url: "wss://u:p@x/"}`, `url: a name or password in it is not possible; use a header`},
		{`{url: "wss://x/", subprotocol: "a b"}`, `subprotocol: this cannot be the name of one`},
		{`{url: "wss://x/", headers: {Sec-WebSocket-Protocol: a}}`, `headers: "Sec-WebSocket-Protocol": weir sets this header itself`},
		{`{url: "https://x/", subprotocol: mcp}`, `subprotocol: this key is for transport "websocket"`},
		{`{command: x, subprotocol: mcp}`, `subprotocol: this key is for transport "websocket"`},
		{`{command: x, transport: websocket}`, `transport "websocket" does not go with what it has (stdio needs a command, the others a url)`},
		{`{url: "https://x/", transport: sse, protocol: 2026-07-28}`, `protocol: transport "sse" knows no revision 2026-07-28`},
		{`{url: "https://x/", transport: https}`, `unknown transport "https" (want stdio, http, sse or websocket)`},
		{`{url: "https://x/", transport: stdio}`, `transport "stdio" does not go with what it has (stdio needs a command, the others a url)`},
		{`{url: "https://x/", args: [a]}`, `args: this key is for transport "stdio"`},
		{`{command: x, headers: {A: b}}`, `headers: this key is for servers with a url`},
		{`{command: x, start: soon}`, `start: unknown word "soon" (want lazy or eager)`},
		{`{command: x, timeout: 0s}`, `timeout: it must be more than nothing`},
		{`{command: x, protocol: 2020-01-01}`, `protocol: unknown revision "2020-01-01" (want auto, 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25, 2026-07-28)`},
		{`{command: x, pin: strict}`, `pin: unknown mode "strict" (want off, warn or block)`},
		{`{command: x, prefix: weir}`, `prefix: "weir" is reserved`},
		{`{command: x, prefix: a.b}`, `prefix: want up to 32 characters of A-Z, a-z, 0-9, _ and -, and no two underscores in a row`},
		{`{command: x, tools: {exclude: ["[a"]}}`, `tools.exclude: pattern "[a": a [ without its ]`},
		{`{command: x, env: {"A=B": c}}`, `env: "A=B" cannot be the name of a variable`},
		{`{command: x, env: {WEIR_CHAIN: c}}`, `env: WEIR_CHAIN is weir's own`},
		{`{command: x, args: ["a\0b"]}`, `args.1: it has a NUL character`},
		{`{command: x, args: ["${WEIR_TEST_UNSET}"]}`, `args.1: variable WEIR_TEST_UNSET is not set`},
		{`{command: x, env: {A: "${env:WEIR_TEST_UNSET}"}}`, `env.A: variable WEIR_TEST_UNSET is not set`},
		{`{command: x, args: ["${oops"]}`, `args.1: a reference ${ without its } (write $${ where none is meant)`},
		{`{command: x, args: ["${a-b}"]}`, `args.1: an unknown reference ${} (want ${VAR}, ${VAR:-default}, ${env:VAR}, ${file:PATH} or ${keyring:SERVICE/ACCOUNT}; write $${ where none is meant)`},
		{`{command: x, args: ["${keyring:weir}"]}`, `args.1: ${keyring:} wants the name of a secret, SERVICE/ACCOUNT`},
		{`{command: x, env: {A: "${keyring:/x}"}}`, `env.A: ${keyring:} wants the name of a secret, SERVICE/ACCOUNT`},
		{`{command: x, env: {A: "${keyring:weir/}"}}`, `env.A: ${keyring:} wants the name of a secret, SERVICE/ACCOUNT`},
		{`{command: "${keyring:weir/x}"}`, `command: ${file:} and ${keyring:} are not possible here (only in args, env, url, headers and the secrets of auth)`},
		{`{command: "${file:x}"}`, `command: ${file:} and ${keyring:} are not possible here (only in args, env, url, headers and the secrets of auth)`},
		{`{url: "ftp://x/"}`, `url: it must begin with https:// or http://`},
		{`{url: "https://u:p@x/"}`, `url: a name or password in it is not possible; use a header`},
		{`{url: "https:///mcp"}`, `url: it has no host`},
		{`{url: "https://x/#a"}`, `url: it must not have a fragment (#)`},
		{`{url: "https://x:y/"}`, `url: it is not a URL`},
		{`{url: "https://${file:t}@x/"}`, `url: a name or password in it is not possible; use a header`},
		{`{url: "http://x/", headers: {Authorization: b}}`, `url: header "Authorization" may hold a credential, which must not travel over plain http (use https)`},
		{`{url: "http://x/", headers: {X-Org: "${HOME}"}}`, `url: header "X-Org" may hold a credential, which must not travel over plain http (use https)`},
		{`{url: "https://x/", headers: {"A B": c}}`, `headers: "A B": this cannot be the name of a header`},
		{`{url: "https://x/", headers: {Host: c}}`, `headers: "Host": weir sets this header itself`},
		{`{url: "https://x/", headers: {Mcp-Param-X: c}}`, `headers: "Mcp-Param-X": weir sets this header itself`},
		{`{url: "https://x/", headers: {X-A: b, x-a: c}}`, `headers: "X-A" and "x-a" are the same header`},
		{`{url: "https://x/", headers: {X-A: "b\r\nX-B: c"}}`, `headers.X-A: it has a control character`},
		{
			`{command: x, args: ["${WEIR_TEST_UNSET}"], env: {A: "${WEIR_TEST_UNSET2}"}}`,
			"args.1: variable WEIR_TEST_UNSET is not set\nmcp.yaml:2: server \"a\": env.A: variable WEIR_TEST_UNSET2 is not set",
		},
	} {
		t.Run(tt.text, func(t *testing.T) {
			path := write(t, "mcp.yaml", "servers:\n  a: "+tt.text+"\n  b: {command: x}\n")
			f, err := Load(Options{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			a, b := f.Servers[0], f.Servers[1]
			want := "mcp.yaml:2: server \"a\": " + tt.want
			if a.Broken == nil || bare(path, a.Broken.Error()) != want {
				t.Errorf("got  %v\nwant %s", a.Broken, want)
			}
			if b.Broken != nil {
				t.Errorf("got %v for the other server, want nil", b.Broken)
			}
		})
	}
}

// TestFilterIsClosed has filters that are not understood.
func TestFilterIsClosed(t *testing.T) {
	for name, text := range map[string]string{
		"mcp.yaml": `servers: {a: {command: x, tools: {exclude: ["[a", secret]}}}`,
		"mcp.json": `{"mcpServers": {"a": {"command": "x", "excludeTools": "secret"}}}`,
	} {
		if s := load(t, name, text).Servers[0]; s.Broken == nil || s.Tools.Admits("secret") || s.Tools.Admits("other") {
			t.Errorf("%s: got broken %v and a filter that admits tools", name, s.Broken)
		}
	}
}

func TestGoodURLs(t *testing.T) {
	for _, server := range []string{
		`{url: "http://localhost:8080/mcp", headers: {Authorization: b}}`,
		`{url: "http://127.0.0.1/", headers: {Authorization: b}}`,
		`{url: "http://[::1]:1/", headers: {Authorization: b}}`,
		`{url: "http://lan.example/mcp", headers: {X-Org: acme}}`,
		`{url: "https://x/mcp?a=b", headers: {Authorization: "Bearer ${file:t}"}}`,
	} {
		if s := load(t, "mcp.yaml", "servers: {a: "+server+"}").Servers[0]; s.Broken != nil {
			t.Errorf("%s: %v", server, s.Broken)
		}
	}
}
