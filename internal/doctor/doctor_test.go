package doctor

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/internal/hosts"
)

// A row is facts with what is to be found in them: each finding as "severity
// subject: part of the text → part of the remedy", in order.
type row struct {
	name  string
	facts Facts
	want  []string
}

// well is a configuration with nothing to be said about.
var well = Config{Path: "~/mcp.yaml", Mode: 0o600, Shown: ShowAll}

// check looks at one area.
func check(t *testing.T, look func(*Facts) []Finding, rows []row) {
	t.Helper()
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			got := look(&tt.facts)
			for i := range max(len(got), len(tt.want)) {
				if i >= len(got) || i >= len(tt.want) || !fits(got[i], tt.want[i]) {
					t.Fatalf("finding %d of %d, want %d:\n got %+v\nwant %q", i, len(got), len(tt.want), got, tt.want)
				}
			}
		})
	}
}

func fits(f Finding, want string) bool {
	want, remedy, _ := strings.Cut(want, " → ")
	severity, rest, _ := strings.Cut(want, " ")
	subject, text, ok := strings.Cut(rest, ": ")
	return ok && string(f.Severity) == severity && f.Subject == subject && strings.Contains(f.Text, text) && strings.Contains(f.Remedy, remedy)
}

func TestConfiguration(t *testing.T) {
	with := func(change func(*Config)) Facts {
		c := well
		change(&c)
		return Facts{Config: c}
	}
	check(t, configuration, []row{
		{"well", Facts{Config: well, Servers: []Server{{Name: "a"}}}, []string{"ok ~/mcp.yaml: 1 server"}},
		{"broken", with(func(c *Config) { c.Broken = []string{"mcp.yaml:2: one", "mcp.yaml:3: two"} }), []string{
			"problem ~/mcp.yaml: mcp.yaml:2: one → correct it", "problem ~/mcp.yaml: mcp.yaml:3: two",
		}},
		{"broken, and said where", with(func(c *Config) { c.Broken = []string{"~/mcp.yaml:2: one"} }), []string{"problem : ~/mcp.yaml:2: one"}},
		{"denied, and warned of it", with(func(c *Config) { c.Denied, c.Warnings = "no key", []string{"everything is denied: no key"} }), []string{"problem ~/mcp.yaml: no key"}},
		{"none", with(func(c *Config) { c.Missing = true }), []string{"note ~/mcp.yaml: no configuration yet → weir import"}},
		{"no place", with(func(c *Config) { c.Path = "" }), []string{"problem : no place → --config"}},
		{"empty", with(func(c *Config) { c.Empty = true }), []string{"note ~/mcp.yaml: empty → weir add"}},
		{"open, without secrets", with(func(c *Config) { c.Mode = 0o644 }), []string{"ok ~/mcp.yaml: 0 servers"}},
		{"open, with secrets", with(func(c *Config) { c.Mode, c.Secrets = 0o644, []string{"server a: env.KEY"} }), []string{
			"warning ~/mcp.yaml: (mode 0644), and secrets stand in it: server a: env.KEY → chmod 600 ~/mcp.yaml",
		}},
		{"an odd path", with(func(c *Config) { c.Path, c.Mode, c.Secrets = "/it's here/mcp.yaml", 0o640, []string{"x"} }), []string{
			`warning /it's here/mcp.yaml: 0640 → chmod 600 '/it'\''s here/mcp.yaml'`,
		}},
		{"closed, with secrets", with(func(c *Config) { c.Secrets = []string{"a", "b", "c", "d", "e"} }), []string{
			"note ~/mcp.yaml: a, b, c and 2 more → weir auth secret set",
		}},
		{"denied", with(func(c *Config) { c.Denied = "there is no key" }), []string{"problem ~/mcp.yaml: there is no key → --key-file"}},
		{"within itself", with(func(c *Config) { c.Notice = "This weir was started by a weir" }), []string{"problem ~/mcp.yaml: started by a weir"}},
		{"warned, barren, off, lint", with(func(c *Config) {
			c.Warnings, c.Barren, c.Disabled = []string{"mcp.yaml:4: ignoring"}, []string{"work"}, []string{"a", "b"}
			c.Rules = []Rule{{"mcp.yaml:9", "rule 1 can never decide"}}
		}), []string{
			"warning ~/mcp.yaml: ignoring", "warning profile work: no server → correct its servers",
			"warning mcp.yaml:9: rule 1 can never decide → weir policy lint", "note : 2 servers are switched off: a, b → weir enable a",
		}},
	})
}

func TestServers(t *testing.T) {
	failing := func(cause Cause, p *Program) Facts {
		return Facts{Asked: true, Servers: []Server{{Name: "a", Error: "no luck", Cause: cause, Program: p}}}
	}
	codex := []Host{{Host: hosts.Codex, Entries: []Entry{{Name: "weir"}}}}
	check(t, servers, []row{
		{"none", Facts{Asked: true}, nil},
		{"well", Facts{Asked: true, Servers: []Server{{Name: "a", Tools: 1}, {Name: "b", Disabled: true, Error: "x"}}}, []string{"ok : all of them answer"}},
		{"not asked", Facts{Servers: []Server{{Name: "a"}}}, nil},
		{"login", failing(ByLogin, nil), []string{"problem a: no luck → weir login a"}},
		{"no program", failing(ByProgram, &Program{Command: "npx"}), []string{"problem a: no luck → install Node.js, or write the whole path of npx"}},
		{"no file", failing(ByProgram, &Program{Command: "/x/y"}), []string{"problem a: no luck → there is no such file"}},
		{"not known which", failing(ByProgram, nil), []string{"problem a: no luck → install it"}},
		{"configuration", failing(ByConfig, nil), []string{"problem a: no luck → env_file"}},
		{"slow program", failing(ByTime, &Program{}), []string{"problem a: no luck → connect_timeout"}},
		{"slow server", failing(ByTime, nil), []string{"problem a: no luck → is it there?"}},
		{"credentials", failing(ByCredentials, nil), []string{"problem a: no luck → expired"}},
		{"certificate", failing(ByCertificate, nil), []string{"problem a: no luck → SSL_CERT_FILE"}},
		{"name", failing(ByName, nil), []string{"problem a: no luck → correct the host in its url"}},
		{"refusal", failing(ByRefusal, nil), []string{"problem a: no luck → start the server"}},
		{"address", failing(ByAddress, nil), []string{"problem a: no luck → /mcp"}},
		{"protocol", failing(ByProtocol, nil), []string{"problem a: no luck → nothing but messages on its stdout"}},
		{"end", failing(ByEnd, nil), []string{"problem a: no luck → by hand"}},
		{"last words and lists", Facts{Asked: true, Servers: []Server{{Name: "a", Error: "it ended", Said: "no key", ListAge: "2 h ago"}}}, []string{
			"problem a: it ended; its last line on stderr: no key (hosts are shown what it listed 2 h ago)",
		}},
		{"empty-handed", Facts{Asked: true, Servers: []Server{{Name: "a"}}}, []string{"warning a: neither tools", "ok : all"}},
		{"slow for a host", Facts{Asked: true, Servers: []Server{{Name: "a", Tools: 1, Listed: 2500 * time.Millisecond}}, Hosts: codex}, []string{
			"note a: took 2.5 s, and Codex's first turn waits 1s", "ok : all",
		}},
		{"too slow for a host", Facts{Asked: true, Servers: []Server{{Name: "a", Tools: 1, Listed: 31 * time.Second}}, Hosts: codex}, []string{
			"note a: Codex gives up after 30s", "ok : all",
		}},
		{"changed and unclean", Facts{Asked: true, Servers: []Server{{Name: "a", Tools: 2, Changed: 2, Withheld: true, Cleaned: 1}}}, []string{
			"warning a: 2 definitions have changed → weir pins approve a", "warning a: 1 definition has hidden characters", "ok : all",
		}},
	})
}

func TestPrograms(t *testing.T) {
	of := func(p Program) Facts { return Facts{Servers: []Server{{Name: "a", Program: &p}}} }
	check(t, programs, []row{
		{"none", Facts{Servers: []Server{{Name: "a"}}}, nil},
		{"everywhere", of(Program{Command: "sh", Found: "/bin/sh", Desktop: "/bin/sh"}), []string{"ok : desktops find them too"}},
		{"nowhere", of(Program{Command: "uvx"}), []string{`problem a: no program "uvx" → install uv,`}},
		{"said already", Facts{Servers: []Server{{Name: "a", Error: "x", Cause: ByProgram, Program: &Program{Command: "uvx"}}}}, nil},
		{"here only", of(Program{Command: "npx", Found: "/home/u/.nvm/versions/node/v22/bin/npx"}), []string{
			`warning a: in /home/u/.nvm/versions/node/v22/bin (nvm): → login shell`,
		}},
		{"by the login shell", of(Program{Command: "uvx", Found: "/home/u/.local/bin/uvx", Desktop: "/home/u/.local/bin/uvx", ByShell: true}), []string{
			`ok a: weir finds it by your login shell, in /home/u/.local/bin`,
		}},
		{"gone with its shell", of(Program{Command: "/run/user/1/fnm_multishells/7_1/bin/npx", Found: "/run/user/1/fnm_multishells/7_1/bin/npx"}), []string{
			"warning a: a path of fnm that is gone → command: npx",
		}},
		{"a script without its reader", of(Program{Command: "/opt/x/server", Found: "/opt/x/server", Desktop: "/opt/x/server", Reader: "node"}), []string{
			`warning a: a script for "node" → command: server without`,
		}},
		{"one version", of(Program{Command: "/home/u/.asdf/installs/nodejs/22/bin/npx", Found: "/home/u/.asdf/installs/nodejs/22/bin/npx"}), []string{
			"note a: one version that asdf keeps → command: npx",
		}},
		{"Windows", of(Program{Command: `C:\Users\u\AppData\Local\fnm_multishells\1\npx.cmd`, Found: `C:\Users\u\AppData\Local\fnm_multishells\1\npx.cmd`}), []string{
			"warning a: fnm → command: npx.cmd",
		}},
	})
}

func TestLogins(t *testing.T) {
	check(t, logins, []row{
		{"well", Facts{Logins: []Login{{Server: "a", State: LoginGood}}}, []string{"ok : 1 login is good, and the keyring can be used"}},
		{"all kinds", Facts{Logins: []Login{
			{Server: "a", State: LoginExpired}, {Server: "b", State: LoginBroken, Error: "no JSON"}, {URL: "https://x", State: LoginLeft}, {Server: "d"},
		}}, []string{
			"warning a: expired → weir login a", "problem b: no JSON → weir logout b, then weir login b", "note https://x: no server → weir logout https://x",
		}},
		{"no keyring", Facts{Keyring: Keyring{Unusable: "locked"}}, []string{"note keyring: (locked): logins are kept in files"}},
		{"no keyring that is needed", Facts{Keyring: Keyring{Unusable: "locked", Named: 2}}, []string{"problem keyring: 2 references → unlock it"}},
	})
}

func TestHostEntries(t *testing.T) {
	in := func(entries ...Entry) Facts { return Facts{Hosts: []Host{{Host: hosts.Cursor, Entries: entries}}} }
	check(t, hostEntries, []row{
		{"in none", Facts{}, []string{"note : in no host → weir install"}},
		{"asked about only", Facts{Hosts: []Host{{Host: hosts.Cursor, Asked: true}}}, []string{"note : in no host"}},
		{"well", in(Entry{Name: "weir"}), []string{"ok : weir is in Cursor"}},
		{"unreadable", Facts{Hosts: []Host{{Host: hosts.Cursor, Trouble: "mcp.json:2: no"}}}, []string{"problem Cursor: mcp.json:2: no", "note : in no host"}},
		{"off", in(Entry{Name: "weir", Off: true, Missing: true}), []string{"warning Cursor: switched off"}},
		{"missing", in(Entry{Name: "w", Command: "/x/weir", Missing: true}), []string{"problem Cursor: /x/weir, which is not there → weir install cursor --name w"}},
		{"arguments", in(Entry{Name: "weir", Usage: "unknown flag: --x"}), []string{"problem Cursor: unknown flag: --x → weir install cursor"}},
		{"its configuration", in(Entry{Name: "weir", Config: "mcp.yaml:1: x"}), []string{"problem Cursor: mcp.yaml:1: x → correct that"}},
		{"elsewhere", in(Entry{Name: "weir", Elsewhere: "~/o.yaml"}), []string{"note Cursor: use ~/o.yaml → weir doctor --config ~/o.yaml"}},
		{"another weir", in(Entry{Name: "weir", Command: "/o/weir", Other: true}), []string{"note Cursor: /o/weir, which is not the weir → weir install cursor"}},
		{"two", in(Entry{Name: "weir"}, Entry{Name: "work"}), []string{"warning Cursor: 2 entries start weir (weir, work) → weir uninstall cursor --name work"}},
		{"two, one off", in(Entry{Name: "weir"}, Entry{Name: "work", Off: true}), []string{"warning Cursor: switched off"}},
	})
}

// tool is one of server a.
func tool(name, exposed, schema string) Tool {
	return Tool{Server: "a", Name: name, Exposed: exposed, Definition: fmt.Appendf(nil, `{"name":%q,"inputSchema":%s}`, exposed, schema), Tokens: 10}
}

const plainSchema = `{"type":"object","properties":{"x":{"type":"string"}}}`

func TestNames(t *testing.T) {
	long := strings.Repeat("n", 57)
	server := []Server{{Name: "git-hub", Prefix: "git-hub"}}
	toolOf := func(exposed string) []Tool { return []Tool{{Server: "git-hub", Name: "n", Exposed: exposed}} }
	in := func(h hosts.Host, entry string) []Host { return []Host{{Host: h, Entries: []Entry{{Name: entry}}}} }
	check(t, names, []row{
		{"no tools", Facts{}, nil},
		{"fit all", Facts{Config: well, Servers: server, Tools: toolOf("git-hub__n")}, []string{"ok : every host"}},
		{"fit this", Facts{Config: well, Servers: server, Tools: toolOf(long), Hosts: in(hosts.Codex, "weir")}, []string{"ok : fit Codex"}},
		{"Cursor", Facts{Config: well, Servers: server, Tools: toolOf(long), Hosts: in(hosts.Cursor, "weir")}, []string{
			"warning git-hub: too long for Cursor, which counts at most 60 characters with its \"weir\" and leaves it out, silently: " + long + " (61) → (prefix: gh), or set names: {max: 56}",
		}},
		{"Claude Desktop", Facts{Config: well, Servers: server, Tools: toolOf(long + "12345678"), Hosts: in(hosts.ClaudeDesktop, "weir")}, []string{
			"problem git-hub: hides all tools of weir → names: {max: 64}",
		}},
		{"a long entry", Facts{Config: well, Servers: server, Tools: toolOf("git-hub__search_issues"), Hosts: in(hosts.Cursor, strings.Repeat("e", 45))}, []string{
			"warning git-hub: too long → shorter name than",
		}},
		{"only what the host is shown", Facts{Config: well, Servers: server, Tools: toolOf(long), Hosts: []Host{
			{Host: hosts.Cursor, Entries: []Entry{{Name: "weir", Tools: []string{"other"}}}},
		}}, []string{"ok : fit Cursor"}},
		{"in no host", Facts{Config: well, Servers: server, Tools: toolOf(long), Hosts: []Host{{Host: hosts.Cursor, Asked: true}}}, []string{
			"note git-hub: too long for Cursor",
		}},
		{"a short prefix already", Facts{Config: well, Servers: []Server{{Name: "git-hub", Prefix: "gh"}}, Tools: toolOf(long), Hosts: in(hosts.Cursor, "weir")}, []string{
			"warning git-hub: too long → set names: {max: 56}: weir cuts",
		}},
		{"cut", Facts{Config: well, Servers: server, Tools: []Tool{{Server: "git-hub", Name: "n", Exposed: "git-hub__n_abc234", Made: true}}}, []string{
			"note git-hub: cut or mended 1 name → prefix: gh",
		}},
	})
}

func TestToolCounts(t *testing.T) {
	many := make([]Tool, 41)
	dearest := Tool{Server: "a", Exposed: "a__x", Tokens: dear}
	auto := well
	auto.Shown = ShowAuto
	cursor := func(tools []string) []Host {
		return []Host{{Host: hosts.Cursor, Entries: []Entry{{Name: "weir", Tools: tools}}}}
	}
	check(t, toolCounts, []row{
		{"none", Facts{}, nil},
		{"well", Facts{Config: well, Tools: []Tool{{Tokens: 70}}}, []string{"ok : 1 tool, about 70 tokens"}},
		{"too many", Facts{Config: well, Tools: many, Hosts: cursor(nil)}, []string{"warning Cursor: takes 40 tools of all servers together, and is shown 41 → weir install cursor --profile"}},
		{"not too many for its profile", Facts{Config: well, Tools: many, Hosts: cursor([]string{"a"})}, []string{"ok : 41 tools"}},
		{"would be too many", Facts{Config: well, Tools: many}, []string{"note Cursor: would be shown 41"}},
		{"would be found by searching", Facts{Config: auto, Tools: many}, []string{"ok : 41 tools"}},
		{"dear", Facts{Config: well, Servers: []Server{{Name: "a", Tokens: dear}}, Tools: []Tool{dearest}}, []string{"note : about 20000 tokens in every conversation, a alone 20000 → expose: auto"}},
		{"dear, and searched", Facts{Config: auto, Servers: []Server{{Name: "a", Tokens: dear}}, Tools: []Tool{dearest}}, []string{"ok : 1 tool"}},
		{"wordy", Facts{Config: well, Tools: []Tool{{Exposed: "a__w", Definition: []byte(`{"description":"` + strings.Repeat("w", 2049) + `"}`)}}, Hosts: []Host{
			{Host: hosts.ClaudeCode, Entries: []Entry{{}}},
		}}, []string{"note Claude Code: cuts descriptions at 2048 bytes: a__w → overrides"}},
	})
}

func TestSchemas(t *testing.T) {
	deep := plainSchema
	for range 11 {
		deep = `{"type":"object","properties":{"d":` + deep + `}}`
	}
	values := make([]string, 501)
	enum, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	claude := []Host{{Host: hosts.ClaudeCode, Entries: []Entry{{}}}}
	var rows []row
	for _, tt := range []struct {
		name, schema, want string
		hosts              []Host
	}{
		{"plain", plainSchema, "ok : nothing", nil},
		{"references within", `{"type":"object","properties":{"x":{"$ref":"#/$defs/a~1b"}},"$defs":{"a/b":{"type":"string"}}}`, "ok : nothing", nil},
		{"a nested choice", `{"type":"object","properties":{"x":{"oneOf":[{"type":"string"},{"type":"null"}]}}}`, "ok : nothing", claude},
		{"no type", `{"properties":{}}`, "note a: no object as the schema → exclude", nil},
		{"no object", `{"type":"string"}`, "warning a: t; MCP demands one", claude},
		{"null", `null`, "note a: no object", nil},
		{"a choice", `{"type":"object","oneOf":[{}]}`, "note a: t (oneOf); Claude Code leaves them out → exclude", nil},
		{"a condition, and Claude Code", `{"type":"object","if":{}}`, "warning a: t (if)", claude},
		{"an odd name, and Claude Code", `{"type":"object","properties":{"StartTime<":{"type":"string"}}}`, "warning a: t (StartTime<); with one of them it refuses every request → hide", claude},
		{"a long name", `{"type":"object","properties":{"` + strings.Repeat("k", 65) + `":{}}}`, "note a: kkk", nil},
		{"a list of anything", `{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":["array","null"]}}}}}`, "note a: t (a.b); VS Code refuses", nil},
		{"a foreign reference", `{"type":"object","properties":{"x":{"$ref":"https://example.com/s"}}}`, "note a: t (x); nobody fetches", nil},
		{"a lost reference", `{"type":"object","properties":{"x":{"$ref":"#/$defs/x"}}}`, "note a: t (x); nobody fetches", nil},
		{"true", `{"type":"object","properties":{"x":true}}`, "note a: t (x); Gemini", nil},
		{"deep", deep, "note a: deeper than 10 levels", nil},
		{"many values", `{"type":"object","properties":{"x":{"enum":` + string(enum) + `}}}`, "note a: t (x); OpenAI's API takes 1000", nil},
	} {
		rows = append(rows, row{tt.name, Facts{Servers: []Server{{Name: "a"}}, Tools: []Tool{tool("t", "a__t", tt.schema)}, Hosts: tt.hosts}, []string{tt.want}})
	}
	rows = append(rows, row{"no tools", Facts{}, nil}, row{"several", Facts{Servers: []Server{{Name: "a"}}, Tools: []Tool{
		tool("one", "a__one", `{"type":"object","allOf":[]}`), tool("two", "a__two", `{"type":"object","anyOf":[]}`),
	}}, []string{"note a: 2 tools have a combination (oneOf, anyOf, allOf, if) at the root of their schema: one (allOf), two (anyOf)"}})
	check(t, schemas, rows)
}

func TestDuplicates(t *testing.T) {
	b := tool("t", "b__t", plainSchema)
	b.Server = "b"
	check(t, duplicates, []row{
		{"none", Facts{Tools: []Tool{tool("t", "a__t", plainSchema)}}, []string{"ok : no server"}},
		{"servers", Facts{Servers: []Server{{Name: "a", Address: "x"}, {Name: "b", Address: "x"}}, Tools: []Tool{tool("t", "a__t", plainSchema), b}}, []string{
			"warning b: the same server as a → weir remove b",
		}},
		{"one is off", Facts{Servers: []Server{{Name: "a", Address: "x"}, {Name: "b", Address: "x", Disabled: true}}}, nil},
		{"tools", Facts{Tools: []Tool{tool("t", "a__t", plainSchema), b}}, []string{"note b: 1 tool is there in a too, word by word: t → weir disable b"}},
		{"another schema", Facts{Tools: []Tool{tool("t", "a__t", `{"type":"object"}`), b}}, []string{"ok : no server"}},
		{"in a host", Facts{Hosts: []Host{{Host: hosts.Cursor, Entries: []Entry{{}}, Twins: []Twin{{"gh", "~/.cursor/mcp.json", "github"}}}}}, []string{
			`warning Cursor: starts "gh" by itself (~/.cursor/mcp.json), and has it behind weir as github → weir install cursor --take-over`,
		}},
		{"in a host without weir", Facts{Hosts: []Host{{Host: hosts.Cursor, Twins: []Twin{{"gh", "x", "github"}}}}}, nil},
	})
}

func TestVariables(t *testing.T) {
	in := func(h hosts.Host, sets ...string) []Host { return []Host{{Host: h, Entries: []Entry{{Sets: sets}}}} }
	token := []string{"GITHUB_TOKEN"}
	check(t, environment, []row{
		{"none", Facts{Hosts: in(hosts.Codex)}, nil},
		{"of a terminal", Facts{Variables: token, Hosts: in(hosts.ClaudeCode)}, []string{"ok : hosts pass on"}},
		{"held back", Facts{Variables: token, Hosts: in(hosts.Codex)}, []string{"problem GITHUB_TOKEN: Codex does not pass it on → env_file"}},
		{"sounds secret", Facts{Variables: []string{"GITHUB_TOKEN", "PLACE"}, Hosts: in(hosts.Gemini)}, []string{"problem GITHUB_TOKEN: Gemini CLI"}},
		{"given by the entry", Facts{Variables: token, Hosts: in(hosts.Codex, "GITHUB_TOKEN")}, []string{"ok : hosts pass on"}},
		{"of a desktop", Facts{Variables: token, Hosts: in(hosts.ClaudeDesktop)}, []string{"warning GITHUB_TOKEN: Claude Desktop, started from the desktop, may not have it"}},
		{"everybody's", Facts{Variables: []string{"HOME"}, Hosts: in(hosts.Codex)}, []string{"ok : hosts"}},
	})
}

func TestFiles(t *testing.T) {
	check(t, files, []row{
		{"well", Facts{Files: Files{Folders: []Folder{{Path: "/s", Holds: "logins", Mode: 0o700, Size: 5 << 20, Count: 2}, {Path: "/c", Holds: "lists", Size: 10, Count: 1}}}}, []string{
			"ok : (logins 5.0 MiB, lists 1 KiB)",
		}},
		{"all kinds", Facts{Files: Files{
			Folders: []Folder{{Path: "/s", Holds: "logins", Mode: 0o755, Unwritable: "no space left on device"}},
			Open:    []File{{Path: "/s/a", Mode: 0o644}}, Damaged: []File{{Path: "/c/x", Why: "stored lists are damaged"}},
			Left: []File{{Path: "/s/.a1"}}, Unused: []File{{Path: "/c/y"}}, Locked: []string{"pins.lock"},
		}}, []string{
			"problem /s: logins cannot be kept there: no space left", "warning /s: (mode 0755) → --fix", "warning /s/a: 0644 → --fix",
			"warning /c/x: damaged → --fix", "note /s/.a1: cut off → --fix", "note /c/y: no weir has used it → --fix", "warning pins.lock: holds its lock",
		}},
	})
}

func TestRunning(t *testing.T) {
	check(t, running, []row{
		{"none", Facts{}, []string{"ok : no weir is running"}},
		{"well", Facts{Version: "1", Running: []Running{{PID: 1, Version: "1"}}}, []string{"ok : 1 weir is running"}},
		{"another file", Facts{Config: well, Version: "1", Running: []Running{{PID: 1, Version: "1", Config: "~/mcp.yaml"}, {PID: 2, Version: "1", Config: "~/o.yaml"}}}, []string{
			"note weir 2: another configuration, ~/o.yaml → weir doctor --config ~/o.yaml",
		}},
		{"old, stuck, silent", Facts{Version: "2", Unanswered: []string{"asking the weir 7-x: timeout"}, Running: []Running{
			{PID: 1, Version: "1", Hosts: []string{"Cursor 1.7"}}, {PID: 2, Version: "2", Problem: "mcp.yaml:1: no"},
		}}, []string{
			"warning weir 1: version 1, this is 2 → restart Cursor 1.7", "warning weir 2: older configuration for its host: mcp.yaml:1: no", "warning : asking the weir 7-x: timeout → restart",
		}},
	})
}

// TestExamine: areas come in their order, in each the worst first; and all over again
// it is the same.
func TestExamine(t *testing.T) {
	facts := Facts{
		Asked: true, Version: "1", Config: well,
		Servers: []Server{{Name: "a", Changed: 1, Tools: 1}, {Name: "b", Error: "no", Cause: ByEnd}},
		Tools:   []Tool{tool("t", "a__t", plainSchema)},
	}
	first := Examine(&facts)
	var areas []Area
	for i, f := range first {
		if i == 0 || f.Area != areas[len(areas)-1] {
			areas = append(areas, f.Area)
		}
	}
	want := []Area{AreaConfig, AreaServers, AreaLogins, AreaHosts, AreaNames, AreaTools, AreaSchemas, AreaDuplicates, AreaFiles, AreaRunning}
	if diff := cmp.Diff(want, areas); diff != "" {
		t.Errorf("areas: -want +got\n%s", diff)
	}
	if first[1].Severity != Problem || first[2].Severity != Warning {
		t.Errorf("got %+v, want the problem before the warning", first[1:3])
	}
	if n := Count(first, Problem); n != 1 {
		t.Errorf("got %d problems, want 1", n)
	}
	if diff := cmp.Diff(first, Examine(&facts)); diff != "" {
		t.Errorf("the second time: -first +second\n%s", diff)
	}
}

// FuzzSchemas: whatever a server writes, looking at it ends.
func FuzzSchemas(f *testing.F) {
	f.Add([]byte(`{"inputSchema":` + plainSchema + `}`))
	f.Add([]byte(`{"inputSchema":{"$ref":"#/a/b","properties":{"x":true},"items":[{"allOf":[{"$ref":"#"}]}]}}`))
	f.Fuzz(func(_ *testing.T, definition []byte) {
		schemas(&Facts{Servers: []Server{{Name: "a"}}, Tools: []Tool{{Server: "a", Definition: definition}}})
	})
}
