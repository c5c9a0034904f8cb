package policy

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"gopkg.in/yaml.v3"
)

// TestDecide reads testdata: policies, and for each a table of requests and
// verdicts, or the error that it is. A row has columns, two or more spaces apart:
//
//	KIND SERVER NAME
//	what else is known: args JSON, definition JSON, key|team|org|profile NAME,
//	client NAME VERSION, list (the item is asked for in a list)
//	LEVEL, then "best LEVEL" if that is another one, then "ask"
//	what the verdict says, checked if it is there: its reason, "hint …", "ask …"
//
// The best level of a call has to be that of the list.
func TestDecide(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("got files %v, error %v", files, err)
	}
	rows := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			part := map[string]string{}
			for _, f := range archive.Files {
				part[f.Name] = string(f.Data)
			}
			p, err := Compile(decodeText(t, part["policy.yaml"]), readServers(part))
			if want, wrong := part["error"]; wrong {
				if err == nil || err.Error() != strings.TrimSpace(want) {
					t.Errorf("got error %v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(part["verdicts"]) {
				if line = strings.TrimSpace(line); line != "" {
					rows++
					checkVerdict(t, p, line)
				}
			}
		})
	}
	if rows < 200 {
		t.Errorf("got %d rows, want them all", rows)
	}
}

var columns = regexp.MustCompile(`\s{2,}`)

func checkVerdict(t *testing.T, p *Policy, line string) {
	t.Helper()
	cells := columns.Split(line, -1)
	head := strings.Fields(cells[0])
	r := Request{Kind: readKind(head[0]), Server: head[1], Name: strings.TrimPrefix(head[2], "-")}
	cells = readFacts(t, &r, cells[1:])
	v := p.Decide(r)
	if got := summary(v); got != cells[0] {
		t.Errorf("%s: got %s, want %s", line, got, cells[0])
	}
	for _, want := range cells[1:] {
		got := v.Reason
		if hint, isHint := strings.CutPrefix(want, "hint "); isHint {
			got, want = v.Hint, hint
		} else if ask, isAsk := strings.CutPrefix(want, "ask "); isAsk {
			got, want = v.AskReason, ask
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
	if v.Listed() != (v.Best >= Read) || v.Callable() != (v.Level >= Execute) {
		t.Errorf("%s: got listed %t, callable %t of %s", line, v.Listed(), v.Callable(), summary(v))
	}
	if (v.Rule != "") != strings.HasPrefix(v.Reason, "rule ") {
		t.Errorf("%s: got rule %q with reason %q", line, v.Rule, v.Reason)
	}
	r.Listing, r.Arguments = true, nil
	if l := p.Decide(r); l.Best != v.Best || l.Ask {
		t.Errorf("%s: got %s in a list, and %s in a call", line, summary(l), summary(v))
	}
}

// summary is the column for a verdict.
func summary(v Verdict) string {
	text := v.Level.String()
	if v.Best != v.Level {
		text += " best " + v.Best.String()
	}
	if v.Ask {
		text += " ask"
	}
	return text
}

// readFacts takes what is known of a request off a row, up to the level.
func readFacts(t *testing.T, r *Request, cells []string) []string {
	t.Helper()
	for i, cell := range cells {
		key, value, _ := strings.Cut(cell, " ")
		switch key {
		case "args":
			r.Arguments = []byte(value)
		case "definition":
			r.Definition = []byte(value)
		case "key":
			r.Principal.Key = value
		case "team":
			r.Principal.Team = value
		case "org":
			r.Principal.Org = value
		case "profile":
			r.Principal.Profile = value
		case "client":
			r.Client.Name, r.Client.Version, _ = strings.Cut(value, " ")
		case "list":
			r.Listing = true
		default:
			return cells[i:]
		}
	}
	t.Fatalf("no level in %q", cells)
	return nil
}

func readKind(text string) (k Kind) {
	if text == AnyKind.String() {
		return AnyKind
	}
	if err := k.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return k
}

// readServers reads what is known of servers: aliases with their servers,
// servers with their tags, names of servers, and of those that are trusted.
func readServers(part map[string]string) Servers {
	known := Servers{Aliases: Aliases{}, Tags: map[string][]string{}, Trusted: map[string]bool{}}
	for line := range strings.Lines(part["aliases"]) {
		f := strings.Fields(line)
		known.Aliases[f[0]] = f[1]
	}
	for line := range strings.Lines(part["tags"]) {
		f := strings.Fields(line)
		known.Tags[f[0]] = f[1:]
	}
	known.Names = strings.Fields(part["names"])
	for _, name := range strings.Fields(part["trusted"]) {
		known.Trusted[name] = true
	}
	return known
}

func decodeText(t *testing.T, text string) (c Config) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVerdictSaysWhere(t *testing.T) {
	at := func(line int) Position { return Position{File: "mcp.yaml", Line: line} }
	c := decodeText(t, `
default: read
servers: {allow: ["*"], deny: [x]}
rules: [{server: files, level: execute}]
`)
	c.Name, c.Pos, c.DefaultPos = "desk", at(1), at(2)
	c.Servers.AllowPos, c.Servers.DenyPos = at(3), at(4)
	c.Rules[0].Pos = at(5)
	p, err := Compile(c, Servers{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		server string
		line   int
		rule   string
	}{
		{"files", 5, `rule 1 (all of server "files")`},
		{"other", 2, ""},
		{"x", 4, ""},
		{"weir", 1, ""},
	} {
		v := p.Decide(Request{Server: tt.server, Kind: Tool, Name: "stat"})
		if v.Pos != at(tt.line) || v.Rule != tt.rule || v.Policy != "desk" {
			t.Errorf("%s: got %q at %v of %q, want %q at %v", tt.server, v.Rule, v.Pos, v.Policy, tt.rule, at(tt.line))
		}
	}
}

func TestFixedPolicies(t *testing.T) {
	files := Request{Server: "files", Kind: Tool, Name: "stat"}
	own := Request{Server: Own, Kind: Tool, Name: "servers"}
	for _, tt := range []struct {
		name    string
		policy  *Policy
		request Request
		want    Verdict
	}{
		{"nil", nil, files, Verdict{Reason: "there is no policy"}},
		{"allow all", AllowAll(), files, Verdict{Level: Execute, Best: Execute, Reason: "no policy is configured"}},
		{"allow all, own tool", AllowAll(), own, Verdict{Reason: `no rule names server "weir"`}},
		{"deny all", DenyAll("none is chosen"), files, Verdict{Reason: "none is chosen"}},
		{"deny all, own tool", DenyAll("none is chosen"), own, Verdict{Reason: `no rule names server "weir"`}},
	} {
		if got := tt.policy.Decide(tt.request); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
	if (Verdict{}).Listed() || (Verdict{}).Callable() {
		t.Error("got a zero verdict that allows")
	}
}

func TestCompileErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no default", `rules: []`, `policy: "default" is missing (deny, read, execute or admin)`},
		{"no level", `{default: deny, rules: [{server: a}]}`, `policy: rule 1: "level" is missing (deny, read, execute or admin), or "ask: true"`},
		{"no server", `{default: deny, rules: [{tool: a, level: read}]}`, `policy: rule 1: "server" is missing ("*" for all)`},
		{"empty pattern", `{default: deny, rules: [{server: "", level: read}]}`, `policy: rule 1: server: pattern "": it is empty`},
		{"open class", `{default: deny, rules: [{server: a, tool: "[a", level: read}]}`, `policy: rule 1: tool: pattern "[a": a [ without its ]`},
		{"gate pattern", `{default: deny, servers: {deny: ["[b-a]"]}}`, `policy: servers.deny: pattern "[b-a]": a range that runs backwards`},
		{"two kinds", `{default: deny, rules: [{server: a, tool: b, prompt: c, level: read}]}`, `policy: rule 1: it is about a tool and about a prompt; make it two rules`},
		{"kind and pattern", `{default: deny, rules: [{server: a, kind: resource, tool: b, level: read}]}`, `policy: rule 1: it is about a resource and about a tool; make it two rules`},
		{"empty when", `{default: deny, rules: [{server: a, level: deny, when: " "}]}`, `policy: rule 1: when: it is empty`},
		{"ask false", `{default: deny, rules: [{server: a, level: read, ask: false}]}`, `policy: rule 1: "ask: false" spares nothing, since whatever rule asks is heard; leave it out, and narrow the rule that asks`},
		{
			"several", `{rules: [{server: a}, {level: read}]}`,
			`policy: "default" is missing (deny, read, execute or admin)
policy: rule 1: "level" is missing (deny, read, execute or admin), or "ask: true"
policy: rule 2: "server" is missing ("*" for all)`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Compile(decodeText(t, tt.text), Servers{})
			if err == nil || err.Error() != tt.want {
				t.Errorf("got error %v, want %s", err, tt.want)
			}
			if p.Decide(Request{Server: "a", Kind: Tool, Name: "b"}).Listed() {
				t.Error("got a policy that allows from one that does not compile")
			}
		})
	}
}

func TestConfigErrorSaysWhere(t *testing.T) {
	_, err := Compile(Config{Name: "desk", Pos: Position{File: "mcp.yaml", Line: 7}}, Servers{})
	want := `mcp.yaml:7: policy "desk": "default" is missing (deny, read, execute or admin)`
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestNamesInText(t *testing.T) {
	var l Level
	var k Kind
	for _, tt := range []struct {
		err  error
		want string
	}{
		{l.UnmarshalText([]byte("Execute")), `unknown level "Execute" (want deny, read, execute or admin)`},
		{k.UnmarshalText([]byte("server")), `unknown kind "server" (want tool, prompt or resource)`},
	} {
		if tt.err == nil || tt.err.Error() != tt.want {
			t.Errorf("got error %v, want %s", tt.err, tt.want)
		}
	}
	for _, want := range []Level{Deny, Read, Execute, Admin} {
		if err := l.UnmarshalText([]byte(want.String())); err != nil || l != want {
			t.Errorf("got %v, %v, want %v", l, err, want)
		}
	}
}

func TestFilter(t *testing.T) {
	globs := func(patterns ...string) []Glob {
		made := []Glob{}
		for _, p := range patterns {
			g, err := ParseGlob(p)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, g)
		}
		return made
	}
	for _, tt := range []struct {
		name   string
		filter Filter
		admits string // of a b c
	}{
		{"zero", Filter{}, "a b c"},
		{"include", Filter{Include: globs("a", "c")}, "a c"},
		{"empty include", Filter{Include: globs()}, ""},
		{"exclude", Filter{Exclude: globs("[bc]")}, "a"},
		{"both", Filter{Include: globs("*"), Exclude: globs("b")}, "a c"},
	} {
		var got []string
		for _, name := range []string{"a", "b", "c"} {
			if tt.filter.Admits(name) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != tt.admits {
			t.Errorf("%s: got %v, want %s", tt.name, got, tt.admits)
		}
	}
	both := Filters{{Include: globs("a", "b")}, {Exclude: globs("b")}}
	if !both.Admits("a") || both.Admits("b") || both.Admits("c") || !Filters(nil).Admits("a") {
		t.Error("filters do not admit what each of them does")
	}
}

func TestLooksAt(t *testing.T) {
	compile := func(text string) *Policy {
		p, err := Compile(decodeText(t, text), Servers{Aliases: Aliases{"db": "database"}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, tt := range []struct {
		name, rules string
		arguments   string // of which servers, among database, web, weir
		client      bool
	}{
		{"nothing", `{server: db, level: deny}, {server: "*", ask: true, when: 'principal.team == "x"'}`, "", false},
		{"one server", `{server: db, level: deny, when: 'args.x == 1'}`, "database", false},
		{"all servers", `{server: "*", ask: true, when: 'has(args.x)'}`, "database web", false},
		{"own tools", `{server: weir, level: admin, when: 'size(args) == 0'}`, "weir", false},
		{"in a loop", `{server: web, ask: true, when: '[1].exists(x, args == {"x": x})'}`, "web", false},
		{"in an index", `{server: web, ask: true, when: '[1, 2][args.i] == 1'}`, "web", false},
		{"optional", `{server: web, ask: true, when: 'args.?x.hasValue()'}`, "web", false},
		{"from the root", `{server: web, ask: true, when: '.args.x == 1'}`, "web", false},
		{"client", `{server: web, ask: true, when: 'client.name == "x"'}`, "", true},
		{"client as a whole", `{server: web, ask: true, when: '"x" in client'}`, "", true},
	} {
		p := compile(`{default: deny, rules: [` + tt.rules + `]}`)
		var got []string
		for _, server := range []string{"database", "web", Own} {
			if p.LooksAtArguments(server) {
				got = append(got, server)
			}
		}
		if strings.Join(got, " ") != tt.arguments || p.LooksAtClient() != tt.client {
			t.Errorf("%s: got arguments of %q, client %t", tt.name, got, p.LooksAtClient())
		}
	}
	var none *Policy
	if none.LooksAtArguments("web") || none.LooksAtClient() {
		t.Error("got a nil policy that looks at something")
	}
}
