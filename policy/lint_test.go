package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestLint(t *testing.T) {
	known := Servers{
		Names: []string{"files", "database", "web"}, Aliases: Aliases{"db": "database"},
		Trusted: map[string]bool{"files": true},
	}
	catalog := LintCatalog{
		"files":    {Tools: []string{"read_file", "write_file", "delete_file"}, Prompts: []string{}},
		"database": {Tools: []string{"query"}},
	}
	for _, tt := range []struct {
		name, policy string
		want         string // lines
	}{
		{"nothing wrong", `{default: deny, servers: {allow: ["*"], deny: []}, rules: [
			{server: files, tool: read_file, level: execute}, {server: database, level: execute},
			{server: "*", tool: "delete_*", level: deny}, {server: db, tool: query, level: deny, when: 'args.sql == "drop"'},
			{server: "*", tool: "*", ask: true, when: tool.annotations.destructiveHint}]}`, ""},
		{"does not compile", `{rules: [{server: nowhere, level: read}]}`, ""},
		{
			"shadowed", `{default: deny, rules: [{server: files, level: read}, {server: files, tool: "read_*", level: execute}]}`,
			`rule 2 can never decide: rule 1 (all of server "files") comes first and matches all that it matches`,
		},
		{
			"shadowed through an alias", `{default: deny, rules: [{server: db, kind: tool, level: read}, {server: database, tool: query, level: execute}]}`,
			`rule 2 can never decide: rule 1 (every tool of server "db") comes first and matches all that it matches`,
		},
		{"not shadowed by a condition", `{default: deny, rules: [{server: files, level: read, when: args.x}, {server: files, tool: "read_*", level: execute}]}`, ""},
		{
			"shadowed with a condition", `{default: deny, rules: [{server: files, level: read}, {server: files, tool: "read_*", level: execute, when: args.x}]}`,
			`rule 2 can never decide: rule 1 (all of server "files") comes first and matches all that it matches`,
		},
		{"shadowed by one that asks too", `{default: deny, rules: [{server: files, ask: true}, {server: files, level: execute}]}`, ""},
		{"narrower first", `{default: deny, rules: [{server: files, tool: "read_*", level: execute}, {server: files, level: read}]}`, ""},
		{"of another kind", `{default: deny, rules: [{server: web, prompt: "*", level: execute}, {server: web, tool: x, level: read}]}`, ""},
		{
			"denied later", `{default: deny, rules: [{server: files, tool: read_file, level: execute}, {server: "f*", tool: "*", level: deny}]}`,
			`rule 1 has no effect: rule 2 (tool "*" of server "f*") denies all that it matches`,
		},
		{"denied sometimes", `{default: deny, rules: [{server: files, tool: read_file, level: execute}, {server: "*", tool: "*", level: deny, when: args.x}]}`, ""},
		{
			"denied twice", `{default: deny, rules: [{server: files, tool: read_file, level: deny}, {server: files, level: deny}]}`,
			`rule 1 denies what rule 2 (all of server "files") denies anyway`,
		},
		{
			"denied twice in the same words", `{default: deny, rules: [{server: files, level: deny}, {server: files, level: deny}]}`,
			`rule 2 denies what rule 1 (all of server "files") denies anyway`,
		},
		{"a deny behind a grant", `{default: deny, rules: [{server: files, level: execute}, {server: files, tool: "*_file", level: deny}]}`, ""},
		{
			"asked about in vain", `{default: deny, rules: [{server: web, level: deny, ask: true}]}`,
			`rule 1 asks in vain: what it denies is not asked about`,
		},
		{
			"asked about twice", `{default: read, rules: [{server: web, tool: x, ask: true}, {server: web, ask: true}]}`,
			`rule 1 asks where rule 2 (all of server "web") asks anyway`,
		},
		{
			"asked about twice in the same words", `{default: read, rules: [{server: web, ask: true}, {server: web, ask: true}]}`,
			`rule 2 asks where rule 1 (all of server "web") asks anyway`,
		},
		{
			"no server", `{default: read, rules: [{server: file, level: read}, {server: "x*", level: read}, {server: "*", level: execute}]}`,
			"rule 1 matches no server: \"file\" is none, and none is like it [database db files tools web weir]\n" +
				"rule 2 matches no server: \"x*\" is none, and none is like it",
		},
		{
			"no glob is about weir", `{default: read, rules: [{server: "wei*", level: admin}, {server: weir, level: execute}, {server: tools, level: read}]}`,
			`rule 1 matches no server: "wei*" is none, and none is like it`,
		},
		{
			"no such tool", `{default: read, rules: [{server: db, tool: qeury, level: execute}, {server: "[fd]*", tool: "list_*", level: deny}, {server: "*", tool: "list_*", level: deny}, {server: files, prompt: "*", level: read}, {server: db, prompt: "p", level: read}, {server: files, resource: "r:*", level: read}]}`,
			"rule 1 matches nothing: no tool of server \"database\" is like \"qeury\" [query]\n" +
				"rule 2 matches nothing: no tool of the servers that it names is like \"list_*\"\n" +
				"rule 2 denies what rule 3 (tool \"list_*\" of server \"*\") denies anyway\n" +
				`rule 4 matches nothing: no prompt of server "files" is like "*"`,
		},
		{
			"gate", `{default: read, servers: {allow: ["*", filse, "x*"], deny: [web, wbe, weir]}, rules: [{server: web, level: read}, {server: "*e*", level: read}]}`,
			"servers.allow: \"filse\" matches no server [database db files tools web weir]\n" +
				"servers.allow: \"x*\" matches no server\n" +
				"servers.deny: \"wbe\" matches no server [database db files tools web weir]\n" +
				"rule 1 has no effect: the gate (servers) keeps out all that it matches",
		},
		{
			"constant conditions", `{default: read, rules: [{server: web, level: execute, when: 'true'}, {server: web, ask: true, when: 'args.x == 1 && 1 > 2'},
			{server: web, ask: true, when: 'tool.name == "x" || size("abc") == 3'}, {server: web, ask: true, when: '1 / 0 == 1'}, {server: web, ask: true, when: 'args.x == 1'}]}`,
			"rule 1 has a condition that is always true: leave it out\n" +
				"rule 2 never matches: its condition is always false\n" +
				"rule 3 has a condition that is always true: leave it out\n" +
				`rule 4 has a condition that can never be evaluated`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range Lint(decodeText(t, tt.policy), known, catalog) {
				text := f.String()
				if f.Word != "" {
					text += fmt.Sprintf(" %v", f.Known)
				}
				got = append(got, text)
			}
			if text := strings.Join(got, "\n"); text != tt.want {
				t.Errorf("got\n%s\nwant\n%s", text, tt.want)
			}
		})
	}
}

func TestFindingSaysWhere(t *testing.T) {
	c := decodeText(t, `{default: read, servers: {deny: [x]}, rules: [{server: y, level: read}]}`)
	c.Servers.DenyPos, c.Rules[0].Pos = Position{"mcp.yaml", 3}, Position{"mcp.yaml", 5}
	var got []string
	for _, f := range Lint(c, Servers{Names: []string{"web"}}, nil) {
		got = append(got, f.String())
	}
	want := []string{`mcp.yaml:3: servers.deny: "x" matches no server`, `mcp.yaml:5: rule 1 matches no server: "y" is none, and none is like it`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzLint takes away what is said to have no effect, and sees whether it had
// one.
func FuzzLint(f *testing.F) {
	f.Add([]byte("rules that other rules make pointless, and conditions"))
	f.Add([]byte{1, 0, 6, 0, 2, 0, 1, 1, 0, 1, 2, 0, 0, 1, 1, 2, 3, 0, 2, 1, 1, 0, 2, 1, 1, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, seed []byte) { lintIsSound(t, seed) })
}

// TestLintIsSound does the same with policies that come from a counter.
func TestLintIsSound(t *testing.T) {
	seed := make([]byte, 80)
	state, findings := uint32(7), 0
	for range 200 {
		for i := range seed {
			state = state*1664525 + 1013904223
			seed[i] = byte(state >> 24)
		}
		findings += lintIsSound(t, seed)
	}
	if findings < 100 {
		t.Errorf("got %d findings, want more", findings)
	}
}

func lintIsSound(t *testing.T, seed []byte) (findings int) {
	t.Helper()
	pick := picker(slices.Clone(seed))
	c := pick.config()
	before, err := Compile(c, referenceServers)
	if err != nil {
		return 0
	}
	for _, finding := range Lint(c, referenceServers, LintCatalog{"alpha": {Tools: []string{"read"}, Prompts: []string{""}}, "beta": {}}) {
		if finding.Rule == 0 || strings.Contains(finding.Text, "a condition that") {
			continue
		}
		findings++
		after, err := Compile(without(c, finding), referenceServers)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 6 * 3 * 4 * 4 {
			w := pick.world()
			pick = append(pick, byte(n), byte(n>>1), byte(n>>3), byte(n*7))
			w.server = []string{"alpha", "beta", "web", "weir", "tools", "alpha"}[n%6]
			w.name, w.kind = []string{"", "read", "delete"}[n/6%3], Kind(n/18%4)
			if strings.Contains(finding.Text, "matches nothing") && (w.server != "alpha" || w.kind == Tool && w.name != "read" || w.kind == Prompt && w.name != "") {
				continue
			}
			for _, listing := range []bool{false, true} {
				b, a := before.Decide(w.request(listing)), after.Decide(w.request(listing))
				if b.Level != a.Level || b.Best != a.Best || b.Ask != a.Ask {
					t.Fatalf("%s, but without it %+v gets %s instead of %s under %s", finding, w, summary(a), summary(b), describe(c))
				}
			}
		}
	}
	return findings
}

// without takes away what a finding is about.
func without(c Config, f Finding) Config {
	rules := slices.Clone(c.Rules)
	r := &rules[f.Rule-1]
	switch {
	case strings.Contains(f.Text, "can never decide") && r.Ask != nil:
		r.Level = nil
	case strings.Contains(f.Text, "asks") && r.Level != nil:
		r.Ask = nil
	default:
		rules = slices.Delete(rules, f.Rule-1, f.Rule)
	}
	c.Rules = rules
	return c
}

func TestGlobCovers(t *testing.T) {
	for _, tt := range []struct {
		glob, other string
		want        bool
	}{
		{"*", "a*b?[c]", true},
		{"a*", "abc*", true},
		{"a*", "a", true},
		{"*a*", "*ba*", true},
		{"a*c", "abbc", true},
		{"a*c", "a*b*c", true},
		{"a*c", "a*", false},
		{"a", "a*", false},
		{"a*", "*", false},
		{"?", "a", true},
		{"?", "ä", true},
		{"?", "[a-z]", true},
		{"?", "*", false},
		{"??*", "?*?", false}, // it is so, and cannot be told from the ends
		{"[a-z]*", "m*", true},
		{"[a-z]", "[b-d]", true},
		{"[a-z]", "[!b]", false},
		{"[!a]", "[b-d]", true},
		{"[!a]", "[a-d]", false},
		{"[!a]", "[!a]", true},
		{"a", "[a]", true},
		{"[a]", "a", true},
		{"a", "b", false},
		{"*a", "a*", false},
		{"delete_*", "delete_", true},
		{"**", "*", true},
		{"\ufffd", "[\ufffd]", false}, // the class matches a byte that is no UTF-8 too
	} {
		a, errA := ParseGlob(tt.glob)
		b, errB := ParseGlob(tt.other)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if got := a.covers(b); got != tt.want {
			t.Errorf("%s over %s: got %t, want %t", tt.glob, tt.other, got, tt.want)
		}
	}
}

// FuzzGlobCovers looks for a name that the narrower pattern matches and the
// wider one does not.
func FuzzGlobCovers(f *testing.F) {
	f.Add("a*", "ab*", "abc")
	f.Add("[a-c]?*", "b*[x]", "bx")
	f.Add("*?ä", "*ä", "\xe4ä")
	f.Add("?", "[\xff]", "\xff")
	f.Fuzz(func(t *testing.T, wide, narrow, name string) {
		a, err := ParseGlob(wide)
		if err != nil {
			return
		}
		b, err := ParseGlob(narrow)
		if err != nil || !a.covers(b) {
			return
		}
		for _, name := range append(samples(narrow), name) {
			if b.Match(name) && !a.Match(name) {
				t.Fatalf("%q is said to cover %q, and does not match %q", wide, narrow, name)
			}
		}
	})
}

// samples are names that a pattern might match: its own text with the stars and
// classes replaced.
func samples(pattern string) (names []string) {
	for _, star := range []string{"", "a", "ä/b", "\xff", "*"} {
		for _, one := range []string{"a", "ä", "\xe4", "?"} {
			names = append(names, strings.NewReplacer("*", star, "?", one, "[", "", "]", "", "!", "").Replace(pattern))
		}
	}
	return names
}
