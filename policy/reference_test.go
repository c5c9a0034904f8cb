package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// This file decides a second time: slowly, step by step as the design says, on
// the policy as it is written. Conditions are of a few kinds, and what they come
// to is written by hand.

// An outcome is what a condition comes to.
type outcome int

const (
	no outcome = iota
	yes
	broken // it cannot be evaluated
)

func outcomeOf(b bool) outcome {
	if b {
		return yes
	}
	return no
}

// A world is all that a condition may look at, in words of this test.
type world struct {
	server, name, team, client string
	kind                       Kind
	x                          string // of the arguments: "1", "2", "text", "missing", or "twisted" for what nobody can judge
	hint                       string // of the tool: "reads", "silent", or "twisted"
}

// simple are conditions, and what they come to.
var simple = []struct {
	text      string
	arguments bool // it looks at arguments
	claims    bool // it looks at what a server says of its tools
	client    bool // it looks at the client
	comes     func(w world) outcome
}{
	{text: `true`, comes: func(world) outcome { return yes }},
	{text: `principal.team == "web"`, comes: func(w world) outcome { return outcomeOf(w.team == "web") }},
	{text: `"prod" in server.tags`, comes: func(w world) outcome { return outcomeOf(w.server == "beta") }},
	{text: `client.name == "evil"`, client: true, comes: func(w world) outcome { return outcomeOf(w.client == "evil") }},
	{text: `args.x == 1`, arguments: true, comes: func(w world) outcome {
		switch w.x {
		case "missing", "twisted":
			return broken
		default:
			return outcomeOf(w.x == "1")
		}
	}},
	{text: `args.x > 1`, arguments: true, comes: func(w world) outcome {
		switch w.x {
		case "missing", "twisted", "text":
			return broken
		default:
			return outcomeOf(w.x == "2")
		}
	}},
	{text: `!has(args.x)`, arguments: true, comes: func(w world) outcome {
		if w.x == "twisted" {
			return broken
		}
		return outcomeOf(w.x == "missing")
	}},
	{text: `server.name == "alpha" || args.x == 1`, arguments: true, comes: func(w world) outcome {
		switch {
		case w.x == "twisted":
			return broken
		case w.server == "alpha":
			return yes
		case w.x == "missing":
			return broken
		default:
			return outcomeOf(w.x == "1")
		}
	}},
	{text: `tool.name == "read"`, comes: func(w world) outcome {
		if w.kind != Tool {
			return broken
		}
		return outcomeOf(w.name == "read")
	}},
	{text: `tool.annotations.readOnlyHint`, claims: true, comes: func(w world) outcome {
		if w.kind != Tool || w.hint == "twisted" {
			return broken
		}
		return outcomeOf(w.hint == "reads")
	}},
}

// request is the same world in the words of the package.
func (w world) request(listing bool) Request {
	r := Request{Server: w.server, Kind: w.kind, Name: w.name, Listing: listing}
	r.Principal.Team, r.Client.Name = w.team, w.client
	r.Arguments = []byte(map[string]string{
		"1": `{"x":1}`, "2": `{ "y" : [ ] , "\u0078" : 2 }`, "text": `{"x":"1"}`, "missing": `{"X":1}`, "twisted": `{"x":1,"x":1}`,
	}[w.x])
	r.Definition = []byte(map[string]string{
		"reads": `{"annotations":{"readOnlyHint":true}}`, "silent": `{}`, "twisted": `{"annotations":{"readOnlyHint":1}}`,
	}[w.hint])
	return r
}

var (
	referenceAliases = Aliases{"al": "alpha", "w": "web"}
	referenceServers = Servers{
		Names: []string{"alpha", "beta", "web"}, Aliases: referenceAliases,
		Tags: map[string][]string{"beta": {"prod"}}, Trusted: map[string]bool{"alpha": true},
	}
)

// decideSlowly returns level, best level, and whether approval is demanded.
func decideSlowly(c Config, w world, listing bool) (level, best Level, ask bool) {
	if gateCloses(c, w.server) {
		return Deny, Deny, false
	}
	var matching []Rule
	for _, rule := range c.Rules {
		if isServer(w.server, *rule.Server) && isItem(rule, w) {
			matching = append(matching, rule)
		}
	}
	if listing || w.kind == AnyKind {
		level = levelOf(c, w.server, matching, func(rule Rule) outcome {
			if hangs(rule, w) {
				return no
			}
			return comesTo(rule, w)
		})
	} else {
		level = levelOf(c, w.server, matching, func(rule Rule) outcome { return comesTo(rule, w) })
		ask = level > Deny && slices.ContainsFunc(matching, func(rule Rule) bool {
			return rule.Ask != nil && comesTo(rule, w) != no
		})
	}
	return level, bestOf(c, matching, w), ask
}

// levelOf is the four steps of the design behind the gate. A rule that cannot be
// evaluated matches if it denies, and does not if it grants.
func levelOf(c Config, server string, matching []Rule, comes func(Rule) outcome) Level {
	for _, rule := range matching {
		if rule.Level != nil && *rule.Level == Deny && comes(rule) != no {
			return Deny
		}
	}
	for _, rule := range matching {
		if rule.Level != nil && *rule.Level != Deny && comes(rule) == yes {
			return *rule.Level
		}
	}
	if server == "weir" {
		return Deny
	}
	return *c.Default
}

// bestOf tries all that the rules which hang on arguments could come to, each on
// its own.
func bestOf(c Config, matching []Rule, w world) (best Level) {
	for world := range 1 << len(matching) {
		level := levelOf(c, w.server, matching, func(rule Rule) outcome {
			if !hangs(rule, w) {
				return comesTo(rule, w)
			}
			i := slices.IndexFunc(matching, func(r Rule) bool { return r.Pos == rule.Pos })
			return outcomeOf(world>>i&1 == 1)
		})
		best = max(best, level)
	}
	return best
}

func comesTo(rule Rule, w world) outcome {
	if rule.When == nil {
		return yes
	}
	for _, s := range simple {
		if s.text == *rule.When {
			if w.kind == Resource || w.kind == AnyKind {
				w.x = "missing"
			}
			return s.comes(w)
		}
	}
	panic(*rule.When)
}

func hangs(rule Rule, w world) bool {
	return rule.When != nil && strings.Contains(*rule.When, "args") && w.kind != Resource
}

func gateCloses(c Config, server string) bool {
	if c.Servers == nil {
		return false
	}
	is := func(pattern string) bool { return isServer(server, pattern) }
	if slices.ContainsFunc(c.Servers.Deny, is) {
		return true
	}
	return server != "weir" && c.Servers.Allow != nil && !slices.ContainsFunc(c.Servers.Allow, is)
}

func isServer(server, pattern string) bool {
	if server == "weir" {
		return pattern == "weir"
	}
	names := []string{server}
	for alias, target := range referenceAliases {
		if target == server {
			names = append(names, alias)
		}
	}
	return slices.ContainsFunc(names, func(n string) bool { return matchByRegexp(pattern, n) })
}

func isItem(rule Rule, w world) bool {
	pattern := map[Kind]*string{Tool: rule.Tool, Prompt: rule.Prompt, Resource: rule.Resource}
	narrowed := rule.Kind != nil
	for _, p := range pattern {
		narrowed = narrowed || p != nil
	}
	if !narrowed {
		return true
	}
	if p := pattern[w.kind]; p != nil {
		return matchByRegexp(*p, w.name)
	}
	return rule.Kind != nil && *rule.Kind == w.kind
}

// isRefused reports whether a rule lets those decide who are not to.
func isRefused(rule Rule) bool {
	if rule.When == nil || rule.Level == nil || *rule.Level == Deny {
		return false
	}
	for _, s := range simple {
		if s.text != *rule.When {
			continue
		}
		untrusted := isServer("beta", *rule.Server) || isServer("web", *rule.Server) || *rule.Server == "weir"
		return s.client || s.claims && untrusted
	}
	return false
}

// FuzzDecide builds small policies and requests from bytes and compares the two
// ways to decide.
func FuzzDecide(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17})
	f.Add([]byte("server gates and rules and kinds and conditions and arguments"))
	f.Add([]byte{3, 2, 1, 1, 9, 0, 1, 1, 9, 2, 2, 2, 8, 3, 1, 1, 7, 1})
	f.Fuzz(func(t *testing.T, seed []byte) {
		pick := picker(seed)
		c := pick.config()
		p, err := Compile(c, referenceServers)
		if refused := slices.ContainsFunc(c.Rules, isRefused); refused != (err != nil) {
			t.Fatalf("got error %v for %s, want one: %t", err, describe(c), refused)
		}
		for _, server := range []string{"alpha", "beta", "web", "weir", "tools", "al"} {
			for _, name := range []string{"", "read", "delete"} {
				for kind := AnyKind; kind <= Resource; kind++ {
					w := pick.world()
					w.server, w.name, w.kind = server, name, kind
					compare(t, p, c, w)
				}
			}
		}
	})
}

func compare(t *testing.T, p *Policy, c Config, w world) {
	t.Helper()
	for _, listing := range []bool{false, true} {
		v := p.Decide(w.request(listing))
		var level, best Level
		var ask bool
		if p != nil {
			level, best, ask = decideSlowly(c, w, listing)
		}
		if v.Level != level || v.Best != best || v.Ask != ask {
			t.Fatalf("got %v, best %v, ask %t for %+v (in a list: %t), want %v, %v, %t under %s",
				v.Level, v.Best, v.Ask, w, listing, level, best, ask, describe(c))
		}
		if v.Level > v.Best {
			t.Fatalf("got %v, best %v for %+v under %s", v.Level, v.Best, w, describe(c))
		}
	}
}

// TestDecideLikeReference compares the two ways on policies that come from a
// counter.
func TestDecideLikeReference(t *testing.T) {
	seed := make([]byte, 96)
	state := uint32(1)
	granted, asked := 0, 0
	for range 400 {
		for i := range seed {
			state = state*1664525 + 1013904223
			seed[i] = byte(state >> 24)
		}
		pick := picker(slices.Clone(seed))
		c := pick.config()
		p, err := Compile(c, referenceServers)
		if err != nil {
			continue
		}
		for range 40 {
			w := pick.world()
			w.server = []string{"alpha", "beta", "web", "weir", "tools", "al"}[state>>8%6]
			state = state*1664525 + 1013904223
			w.name = []string{"", "read", "delete"}[state>>9%3]
			w.kind = Kind(state >> 13 % 4)
			pick = append(pick, byte(state>>20), byte(state>>21), byte(state>>22), byte(state>>23))
			compare(t, p, c, w)
			v := p.Decide(w.request(false))
			if v.Callable() {
				granted++
			}
			if v.Ask {
				asked++
			}
		}
	}
	if granted < 100 || asked < 100 {
		t.Errorf("got %d calls granted and %d to be approved, want more of both", granted, asked)
	}
}

// A picker makes choices from bytes, the first one when they have run out.
type picker []byte

func (p *picker) number(below int) int {
	if len(*p) == 0 {
		return 0
	}
	n := int((*p)[0]) % below
	*p = (*p)[1:]
	return n
}

func (p *picker) config() Config {
	level := p.level()
	c := Config{Default: &level}
	if p.number(4) == 1 {
		c.Servers = &Gate{Allow: p.patterns(), Deny: p.patterns()}
	}
	for i := range p.number(7) {
		rule := p.rule()
		rule.Pos.Line = i + 1
		c.Rules = append(c.Rules, rule)
	}
	return c
}

func (p *picker) rule() Rule {
	server, level := p.server(), p.level()
	r := Rule{Server: &server, Level: &level}
	name := []string{"*", "read", "d*", "[!r]*", "??ad"}[p.number(5)]
	kind := Kind(p.number(4))
	switch p.number(3) {
	case 1:
		if kind != AnyKind {
			r.Kind = &kind
		}
	case 2:
		*map[Kind]**string{AnyKind: &r.Tool, Tool: &r.Tool, Prompt: &r.Prompt, Resource: &r.Resource}[kind] = &name
	}
	if p.number(2) == 1 {
		r.When = &simple[p.number(len(simple))].text
	}
	ask := true
	switch p.number(4) {
	case 1:
		r.Ask = &ask
	case 2:
		r.Ask, r.Level = &ask, nil
	}
	return r
}

func (p *picker) world() world {
	return world{
		team:   []string{"", "web"}[p.number(2)],
		client: []string{"good", "evil"}[p.number(2)],
		x:      []string{"missing", "1", "2", "text", "twisted"}[p.number(5)],
		hint:   []string{"silent", "reads", "twisted"}[p.number(3)],
	}
}

func (p *picker) patterns() []string {
	switch n := p.number(4); n {
	case 0:
		return nil
	case 1:
		return []string{}
	default:
		return []string{p.server(), p.server()}
	}
}

func (p *picker) server() string {
	return []string{"*", "alpha", "al", "weir", "w*", "?eir", "tools", "[a-c]*", "*a"}[p.number(9)]
}

func (p *picker) level() Level { return Level(p.number(4)) }

func describe(c Config) string {
	text := fmt.Sprintf("default %v, gate %+v", *c.Default, c.Servers)
	for i, r := range c.Rules {
		text += fmt.Sprintf("\n%d: server %s", i+1, *r.Server)
		for what, value := range map[string]*string{"tool": r.Tool, "prompt": r.Prompt, "resource": r.Resource, "when": r.When} {
			if value != nil {
				text += fmt.Sprintf(", %s %s", what, *value)
			}
		}
		if r.Kind != nil {
			text += fmt.Sprintf(", kind %v", *r.Kind)
		}
		if r.Level != nil {
			text += fmt.Sprintf(", level %v", *r.Level)
		}
		if r.Ask != nil {
			text += ", ask"
		}
	}
	return text
}
