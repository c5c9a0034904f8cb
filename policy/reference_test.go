package policy

import (
	"fmt"
	"slices"
	"testing"
)

// decideSlowly says what the design says, step by step, on the policy as it is
// written.
func decideSlowly(c Config, aliases Aliases, r Request) Level {
	names := []string{r.Server}
	for alias, server := range aliases {
		if server == r.Server {
			names = append(names, alias)
		}
	}
	isServer := func(pattern string) bool {
		if r.Server == "weir" {
			return pattern == "weir"
		}
		return slices.ContainsFunc(names, func(n string) bool { return matchByRegexp(pattern, n) })
	}
	if c.Servers != nil {
		if slices.ContainsFunc(c.Servers.Deny, isServer) {
			return Deny
		}
		if r.Server != "weir" && c.Servers.Allow != nil && !slices.ContainsFunc(c.Servers.Allow, isServer) {
			return Deny
		}
	}
	var levels []Level
	for _, rule := range c.Rules {
		if isServer(*rule.Server) && isItem(rule, r) {
			levels = append(levels, *rule.Level)
		}
	}
	switch {
	case slices.Contains(levels, Deny):
		return Deny
	case len(levels) > 0:
		return levels[0]
	case r.Server == "weir":
		return Deny
	default:
		return *c.Default
	}
}

func isItem(rule Rule, r Request) bool {
	pattern := map[Kind]*string{Tool: rule.Tool, Prompt: rule.Prompt, Resource: rule.Resource}
	narrowed := rule.Kind != nil
	for _, p := range pattern {
		narrowed = narrowed || p != nil
	}
	if !narrowed {
		return true
	}
	if p := pattern[r.Kind]; p != nil {
		return matchByRegexp(*p, r.Name)
	}
	return rule.Kind != nil && *rule.Kind == r.Kind
}

// FuzzDecide builds small policies and requests from bytes and compares the two
// ways to decide.
func FuzzDecide(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17})
	f.Add([]byte("server gates and rules and kinds"))
	f.Add([]byte{3, 2, 1, 1, 9, 0, 1, 1, 9, 2, 2, 2, 8, 3, 1, 1, 7, 1})
	f.Fuzz(func(t *testing.T, seed []byte) {
		pick := picker(seed)
		c, aliases := pick.config(), Aliases{"al": "alpha", "w": "web"}
		p, err := Compile(c, Servers{Aliases: aliases})
		if err != nil {
			t.Fatalf("got error %v for %s", err, describe(c))
		}
		for _, server := range []string{"alpha", "beta", "web", "weir", "tools", "al"} {
			for _, name := range []string{"", "read", "delete"} {
				for kind := AnyKind; kind <= Resource; kind++ {
					r := Request{Server: server, Kind: kind, Name: name}
					if got, want := p.Decide(r).Level, decideSlowly(c, aliases, r); got != want {
						t.Fatalf("got %v for %+v, want %v under %s", got, r, want, describe(c))
					}
				}
			}
		}
	})
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
	if p.number(2) == 1 {
		c.Servers = &Gate{Allow: p.patterns(), Deny: p.patterns()}
	}
	for range p.number(6) {
		c.Rules = append(c.Rules, p.rule())
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
	return r
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
	for _, r := range c.Rules {
		text += fmt.Sprintf("; %s %v %v", *r.Server, *r.Level, r)
	}
	return text
}
