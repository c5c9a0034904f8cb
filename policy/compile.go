package policy

import (
	"errors"
	"fmt"
	"slices"
)

// Own is the server that weir's own tools stand on. No default and no glob
// covers it, only rules that name it.
const Own = "weir"

// Aliases are further names of servers: alias -> name.
type Aliases map[string]string

// Servers is what a policy must know of the servers that are configured.
type Servers struct {
	Aliases Aliases
	Tags    map[string][]string // by name
	Trusted map[string]bool     // by name: whose annotations may grant
}

// A Policy decides requests. It is immutable, and safe for concurrent use. A nil
// Policy denies.
type Policy struct {
	fallback Verdict // where no rule matches
	own      Verdict // the same for weir's own tools
	unlisted Verdict // where the gate's allow has no pattern for the server
	allow    []gatePattern
	open     bool // the gate has no allow
	deny     []gatePattern
	rules    []rule
	named    map[string]server // those that a rule or an alias names
}

type gatePattern struct {
	glob    Glob
	verdict Verdict
}

// A rule is one of the policy's, compiled.
type rule struct {
	server  Glob
	kind    Kind // AnyKind = all
	name    Glob
	narrow  bool // whether name counts
	verdict Verdict
}

// A server is what can be found out about one beforehand.
type server struct {
	gate  *Verdict // the gate's no; nil if it lets pass
	rules []rule   // those whose server pattern matches, with every as that pattern
}

// AllowAll returns the policy of a configuration that has none: execute for
// everything.
func AllowAll() *Policy {
	return fixed(Execute, "no policy is configured")
}

// DenyAll returns a policy that denies everything, for the reason given.
func DenyAll(reason string) *Policy {
	return fixed(Deny, reason)
}

func fixed(level Level, reason string) *Policy {
	return &Policy{
		open:     true,
		fallback: Verdict{Level: level, Reason: reason},
		own:      Verdict{Reason: ownReason},
	}
}

const ownReason = `no rule names server "` + Own + `"`

// Compile checks a policy and makes it ready to decide. Aliases point at names
// of servers, never at other aliases. The error lists all that is wrong, with
// positions.
func Compile(config Config, servers Servers) (*Policy, error) {
	c := compiler{config: config}
	p := &Policy{
		open: config.Servers == nil || config.Servers.Allow == nil,
		own:  c.verdict(Deny, config.Pos, ownReason),
	}
	c.fallback(p)
	c.gate(p)
	for i, r := range config.Rules {
		p.rules = append(p.rules, c.rule(i+1, r))
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	p.index(servers.Aliases)
	return p, nil
}

// A compiler gathers what is wrong with one policy.
type compiler struct {
	config Config
	errs   []error
}

func (c *compiler) fallback(p *Policy) {
	if c.config.Default == nil {
		c.fail(c.config.Pos, `"default" is missing (deny, read, execute or admin)`)
		return
	}
	level := *c.config.Default
	p.fallback = c.verdict(level, c.config.DefaultPos, fmt.Sprintf("no rule matches; the default is %s", level))
}

func (c *compiler) gate(p *Policy) {
	gate := c.config.Servers
	if gate == nil {
		return
	}
	p.unlisted = c.verdict(Deny, gate.AllowPos, "servers.allow has no pattern for it")
	for _, pattern := range gate.Allow {
		p.allow = append(p.allow, gatePattern{glob: c.glob(gate.AllowPos, "servers.allow", pattern)})
	}
	for _, pattern := range gate.Deny {
		p.deny = append(p.deny, gatePattern{
			glob:    c.glob(gate.DenyPos, "servers.deny", pattern),
			verdict: c.verdict(Deny, gate.DenyPos, fmt.Sprintf("servers.deny has %q", pattern)),
		})
	}
}

func (c *compiler) rule(number int, r Rule) rule {
	label := fmt.Sprintf("rule %d", number)
	if r.When != nil {
		c.fail(r.Pos, label+`: "when" is not supported by this version`)
	}
	if r.Ask != nil {
		c.fail(r.Pos, label+`: "ask" is not supported by this version`)
	}
	if r.Level == nil {
		c.fail(r.Pos, label+`: "level" is missing (deny, read, execute or admin)`)
	}
	if r.Server == nil {
		c.fail(r.Pos, label+`: "server" is missing ("*" for all)`)
		return rule{}
	}
	made := rule{server: c.glob(r.Pos, label+": server", *r.Server)}
	c.narrow(&made, label, r)
	if r.Level != nil {
		made.verdict = c.verdict(*r.Level, r.Pos, label+" "+effect(*r.Level)+" "+made.covers())
		made.verdict.Rule = label + " (" + made.covers() + ")"
	}
	return made
}

// narrow gives a rule its kind and its name pattern.
func (c *compiler) narrow(made *rule, label string, r Rule) {
	if r.Kind != nil {
		made.kind = *r.Kind
	}
	for _, by := range []struct {
		kind    Kind
		pattern *string
	}{{Tool, r.Tool}, {Prompt, r.Prompt}, {Resource, r.Resource}} {
		if by.pattern == nil {
			continue
		}
		if made.kind != AnyKind && made.kind != by.kind {
			c.fail(r.Pos, fmt.Sprintf("%s: it is about a %s and about a %s; make it two rules", label, made.kind, by.kind))
			return
		}
		made.kind, made.narrow = by.kind, true
		made.name = c.glob(r.Pos, label+": "+by.kind.String(), *by.pattern)
	}
}

func (c *compiler) glob(pos Position, what, pattern string) Glob {
	g, err := ParseGlob(pattern)
	if err != nil {
		c.fail(pos, what+": "+err.Error())
	}
	return g
}

func (c *compiler) verdict(level Level, pos Position, reason string) Verdict {
	return Verdict{Level: level, Policy: c.config.Name, Pos: pos, Reason: reason}
}

func (c *compiler) fail(pos Position, text string) {
	if c.config.Name != "" {
		text = fmt.Sprintf("policy %q: %s", c.config.Name, text)
	} else {
		text = "policy: " + text
	}
	c.errs = append(c.errs, &ConfigError{Pos: pos, Text: text})
}

// A ConfigError is one thing that is wrong with a policy as it is written.
type ConfigError struct {
	Pos  Position
	Text string
}

func (e *ConfigError) Error() string {
	if e.Pos == (Position{}) {
		return e.Text
	}
	return e.Pos.String() + ": " + e.Text
}

func effect(l Level) string {
	if l == Deny {
		return "denies"
	}
	return "gives " + l.String() + " to"
}

// covers says what a rule is about: `tool "read_*" of server "files"`.
func (r rule) covers() string {
	server := fmt.Sprintf("server %q", r.server)
	switch {
	case r.narrow:
		return fmt.Sprintf("%s %q of %s", r.kind, r.name, server)
	case r.kind != AnyKind:
		return fmt.Sprintf("every %s of %s", r.kind, server)
	default:
		return "all of " + server
	}
}

// LooksAtArguments reports whether a condition about this server does: then what
// stands in them twice must be refused before.
func (p *Policy) LooksAtArguments(string) bool { return false }

// LooksAtClient reports whether a condition does: then hosts may see different
// lists.
func (p *Policy) LooksAtClient() bool { return false }

// index finds out beforehand what concerns each server that is known by now.
func (p *Policy) index(aliases Aliases) {
	names := map[string][]string{Own: nil}
	for _, r := range p.rules {
		if name := r.server.String(); r.server.Literal() && aliases[name] == "" {
			names[name] = nil
		}
	}
	for alias, name := range aliases {
		names[name] = append(names[name], alias)
	}
	p.named = make(map[string]server, len(names))
	for name, known := range names {
		p.named[name] = p.server(name, append(known, name))
	}
}

// server gathers what concerns the server that is known by these names.
func (p *Policy) server(name string, known []string) server {
	matches := func(g Glob) bool {
		if name == Own {
			return g.Literal() && g.Match(Own)
		}
		return slices.ContainsFunc(known, g.Match)
	}
	s := server{gate: p.refusal(name, matches)}
	for _, r := range p.rules {
		if matches(r.server) {
			r.server = every
			s.rules = append(s.rules, r)
		}
	}
	return s
}
