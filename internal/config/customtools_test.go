package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream"
)

func TestBadCustomTools(t *testing.T) {
	const input = "input: {type: object, properties: {env: {type: string}, tags: {type: array}, n: {type: integer, default: 1}}}"
	for _, tt := range []struct{ name, text, want string }{
		{"nothing to do", "tools:\n  a: {description: x}\n", `mcp.yaml:2: tool "a": it needs a "command" or "http"`},
		{"two things to do", "tools:\n  a: {description: x, command: [a], http: {url: 'https://h/'}}\n", `mcp.yaml:2: tool "a": it has both a "command" and "http"`},
		{"no description", "tools:\n  a: {command: [a]}\n", `mcp.yaml:2: tool "a": description: it is missing; it is all that a model knows of the tool`},
		{"name", "tools:\n  a.b: {description: x, command: [a]}\n", `mcp.yaml:2: tool "a.b": a name is 1 to 64 characters of A-Z, a-z, 0-9, _ and -`},
		{"unknown key", "tools:\n  a:\n    comand: [a]\n", `mcp.yaml:3: tools.a: unknown key "comand" (did you mean "command"?)`},
		{"unknown placeholder", "tools:\n  a:\n    description: x\n    " + input + "\n    command:\n    - git\n    - \"{evn}\"\n", `mcp.yaml:7: tool "a": command.2: the input has no property "evn" (did you mean "env"?)`},
		{"placeholder without input", "tools:\n  a:\n    description: x\n    command: [git, \"{x}\"]\n", `mcp.yaml:4: tool "a": command.2: the input has no property "x"`},
		{"placeholder without quotes", "tools:\n  a:\n    command: [git, {env}]\n", `mcp.yaml:3: tools.a.command.2: this is keys with values, want text; put a placeholder in quotes: "{name}"`},
		{"brace", "tools:\n  a: {description: x, command: [awk, '{print $1}']}\n", `mcp.yaml:2: tool "a": command.2: a placeholder is {name}, with a name of A-Z, a-z, 0-9, _, - and . (write {{ for a brace)`},
		{"program", "tools:\n  a:\n    description: x\n    " + input + "\n    command: [\"{env}\"]\n", `mcp.yaml:5: tool "a": command.1: the program must be without placeholders: an argument would choose what runs`},
		{"empty command", "tools:\n  a: {description: x, command: []}\n", `mcp.yaml:2: tool "a": command: it is empty`},
		{"list as a text", "tools:\n  a:\n    description: x\n    " + input + "\n    command: [a, \"{tags}\"]\n", `mcp.yaml:5: tool "a": command.2: {tags} must be a text, a number or a boolean here, not a value of type array`},
		{"text as a list", "tools:\n  a:\n    description: x\n    " + input + "\n    command: [a, \"{env...}\"]\n", `mcp.yaml:5: tool "a": command.2: {env...} stands for a list, and the input has a type string for it`},
		{"part of a list", "tools:\n  a:\n    description: x\n    " + input + "\n    command: [a, \"x{tags...}\"]\n", `mcp.yaml:5: tool "a": command.2: {name...} stands for a list of elements, and must be all of one`},
		{"secret in a command", "tools:\n  a: {description: x, command: [a, \"${file:~/x}\"]}\n", `mcp.yaml:2: tool "a": command.2: ${file:} and ${keyring:} are not possible here (only in env and headers): they would be seen by others`},
		{"allow_dash", "tools:\n  a: {description: x, command: [a], allow_dash: [b]}\n", `mcp.yaml:2: tool "a": allow_dash: the input has no property "b"`},
		{"variable of weir's own", "tools:\n  a: {description: x, command: [a], env: {WEIR_CHILD: x}}\n", `mcp.yaml:2: tool "a": env: WEIR_CHILD is weir's own`},
		{"input without a type", "tools:\n  a:\n    description: x\n    input: {properties: {}}\n    command: [a]\n", `mcp.yaml:4: tool "a": input: it must say type: object`},
		{"input of another type", "tools:\n  a:\n    description: x\n    input: [a]\n    command: [a]\n", `mcp.yaml:4: tool "a": input: it must be a JSON Schema: an object`},
		{"input that is no schema", "tools:\n  a:\n    description: x\n    input: {type: object, properties: {a: {type: strin}}}\n    command: [a]\n", `mcp.yaml:4: tool "a": input: keyword "type": want the name of a type, or a list of them`},
		{"key twice in the input", "tools:\n  a:\n    description: x\n    input:\n      type: object\n      type: array\n    command: [a]\n", `mcp.yaml:6: tools.a.input: key "type" stands here twice (first on line 5)`},
		{"number that is none", "tools:\n  a:\n    description: x\n    input: {type: object, maxProperties: .inf}\n    command: [a]\n", `mcp.yaml:4: tools.a.input.maxProperties: JSON has no such number`},
		{"annotations", "tools:\n  a: {description: x, command: [a], annotations: [x]}\n", `mcp.yaml:2: tool "a": annotations: want keys with values`},
		{"timeout", "tools:\n  a: {description: x, command: [a], timeout: 0s}\n", `mcp.yaml:2: tool "a": timeout: it must be more than nothing`},
		{"method", "tools:\n  a: {description: x, http: {method: FETCH, url: 'https://h/'}}\n", `mcp.yaml:2: tool "a": http.method: unknown method "FETCH" (want GET, HEAD, POST, PUT, PATCH, DELETE)`},
		{"no url", "tools:\n  a: {description: x, http: {method: GET}}\n", `mcp.yaml:2: tool "a": http.url: it is missing`},
		{"host by an argument", "tools:\n  a:\n    description: x\n    " + input + "\n    http: {url: 'https://{env}.example/'}\n", `mcp.yaml:5: tool "a": http.url: scheme, host and port must be without placeholders: an argument would choose who is asked`},
		{"path that may be missing", "tools:\n  a:\n    description: x\n    " + input + "\n    http: {url: 'https://h/{n}/{env}'}\n", `mcp.yaml:5: tool "a": http.url: argument "env" is part of the path, and must be required or have a default`},
		{"header", "tools:\n  a: {description: x, http: {url: 'https://h/', headers: {Host: x}}}\n", `mcp.yaml:2: tool "a": http.headers: "Host": weir sets this header itself`},
		{"credential in the clear", "tools:\n  a: {description: x, http: {url: 'http://h.example/', headers: {X-Api-Key: x}}}\n", `mcp.yaml:2: tool "a": http.url: header "X-Api-Key" may hold a credential, which must not travel over plain http (use https)`},
		{"body of a GET", "tools:\n  a: {description: x, http: {method: GET, url: 'https://h/', body: {}}}\n", `mcp.yaml:2: tool "a": http.body: a GET request has none`},
		{"placeholder in a body", "tools:\n  a:\n    description: x\n    http:\n      url: https://h/\n      body: {a: ['{b}']}\n", `mcp.yaml:6: tool "a": http.body: the input has no property "b"`},
		{"key of a command", "tools:\n  a: {description: x, http: {url: 'https://h/'}, cwd: /}\n", `mcp.yaml:2: tool "a": cwd: this key is for a command`},
		{"prefix", "servers: {a: {command: x, prefix: b}}\ntools: {a: {description: x, command: [a]}}\naliases: {tools: a}\n", `mcp.yaml:3: alias "tools": this name is reserved`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "mcp.yaml", tt.text)
			_, err := Load(Options{Path: path})
			if err == nil {
				t.Fatal("it was loaded")
			}
			if diff := cmp.Diff(tt.want, bare(path, err.Error())); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCustomTools(t *testing.T) {
	t.Setenv("REGION", "{not}${a}")
	f := load(t, "mcp.yaml", `
servers: {a: {command: x}}
tools:
  z_last:
    title: Z
    description: First in the file.
    annotations: {readOnlyHint: true}
    timeout: 10m
    input:
      type: object
      required: [b]
      properties:
        b: {type: string, enum: [yes, "no", 2020-01-01], maxLength: 0x10}
        a: {type: number, default: 9007199254740993.10}
    command: [git, "--{b}", "{a}", "${REGION}"]
    env: {TOKEN: "${file:token}", "A": "$${b}"}
    cwd: work
  off:
    description: Left out.
    command: [x, "${NO_SUCH_VARIABLE}"]
  ask:
    description: Asks.
    http: {url: "https://h/x", headers: {x-region: "${REGION:-eu}"}}
aliases: {mine: tools}
`)
	if len(f.Servers) != 2 {
		t.Fatalf("%d servers", len(f.Servers))
	}
	s := f.Servers[1]
	if s.Name != "tools" || s.Prefix != "tools" || s.Transport != upstream.Custom || s.Timeout != 10*time.Minute+callMargin || s.Broken != nil || strings.Join(s.Aliases, "") != "mine" || s.Resolve == nil {
		t.Errorf("server %+v", s)
	}
	if len(s.CustomTools) != 2 || s.CustomTools[1].Name != "ask" {
		t.Fatalf("tools %+v", s.CustomTools)
	}
	z := s.CustomTools[0]
	want := `{"name":"z_last","title":"Z","description":"First in the file.","inputSchema":{"type":"object","required":["b"],"properties":{` +
		`"b":{"type":"string","enum":["yes","no","2020-01-01"],"maxLength":16},"a":{"type":"number","default":9007199254740993.10}},"additionalProperties":false},` +
		`"annotations":{"readOnlyHint":true}}`
	if got := string(z.Definition()); got != want {
		t.Errorf("definition\n got %s\nwant %s", got, want)
	}
	if got, _ := z.Command.Args[2].Literal(); got != "{not}${a}" {
		t.Errorf("a variable's value became %q", got)
	}
	if z.Command.Env["TOKEN"] != "${file:token}" || z.Command.Env["A"] != "$${b}" || !strings.HasSuffix(z.Command.Dir, "/work") {
		t.Errorf("command %+v", z.Command)
	}
	if got := s.CustomTools[1].Request.Headers["X-Region"]; got != "{not}$${a}" {
		t.Errorf("header %q", got)
	}
	warned := strings.Join(f.Warnings, "\n")
	if !strings.Contains(warned, `tool "off" is left out: variable NO_SUCH_VARIABLE is not set`) {
		t.Errorf("warnings %s", warned)
	}
}

// TestNoCustomTools: an empty list makes no server.
func TestNoCustomTools(t *testing.T) {
	for _, text := range []string{"tools:\n", "tools: {}\n", "servers: {a: {command: x}}\nprofiles: {p: {servers: [a]}}\ntools:\n"} {
		for _, s := range load(t, "mcp.yaml", text).Servers {
			if s.Name == "tools" {
				t.Errorf("%q: got a server", text)
			}
		}
	}
}

// TestCustomToolsAndProfiles: the server of the custom tools can be picked like
// any other.
func TestCustomToolsAndProfiles(t *testing.T) {
	const text = "servers: {a: {command: x}}\ntools: {t: {description: x, command: [x]}}\npolicy: {default: read}\n" +
		"profiles: {with: {servers: [tools]}, without: {servers: [a]}}\n"
	for profile, want := range map[string]string{"with": "tools", "without": "a"} {
		f, err := Load(Options{Path: write(t, "mcp.yaml", text), Profile: profile})
		if err != nil || len(f.Servers) != 1 || f.Servers[0].Name != want {
			t.Errorf("%s: %+v, %v", profile, f, err)
		}
	}
}
