package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
)

// Own is the server that weir's own tools stand on. No default and no glob
// covers it, only rules that name it.
const Own = "weir"

// Aliases are further names of servers: alias -> name.
type Aliases map[string]string

// OwnTools is the server that tools stand on which the configuration itself
// makes. What these say of themselves is the user's own word.
const OwnTools = "tools"

// Servers is what a policy must know of the servers that are configured.
type Servers struct {
	Names   []string // all, but for Own; those in the other fields are added
	Aliases Aliases
	Tags    map[string][]string // by name
	Trusted map[string]bool     // by name: whose annotations may grant
}

// trusts reports whether what a server says of its tools may grant.
func (s Servers) trusts(name string) bool {
	return s.Trusted[name] || name == OwnTools
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
	rules    []*rule
	servers  Servers
	named    map[string]server // those that a rule or an alias names
	others   server            // all others
}

type gatePattern struct {
	glob    Glob
	verdict Verdict
}

// A rule is one of the policy's, compiled.
type rule struct {
	number  int
	server  Glob
	kind    Kind // AnyKind = all
	name    Glob
	narrow  bool // whether name counts
	levels  bool // it gives a level: verdict counts
	verdict Verdict
	asks    bool
	asking  string // why, if it asks
	pos     Position
	when    *condition // nil = always
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
		fallback: Verdict{Level: level, Best: level, Reason: reason},
		own:      Verdict{Reason: ownReason},
	}
}

const ownReason = `no rule names server "` + Own + `"`

// Compile checks a policy and makes it ready to decide. Aliases point at names
// of servers, never at other aliases. The error joins all that is wrong, each a
// [*ConfigError].
func Compile(config Config, servers Servers) (*Policy, error) {
	c := compiler{config: config, servers: servers}
	p := &Policy{
		open:    config.Servers == nil || config.Servers.Allow == nil,
		own:     c.verdict(Deny, config.Pos, ownReason),
		servers: servers,
	}
	c.fallback(p)
	c.gate(p)
	for i, r := range config.Rules {
		p.rules = append(p.rules, c.rule(i+1, r))
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	p.index()
	return p, nil
}

// A compiler gathers what is wrong with one policy.
type compiler struct {
	config  Config
	servers Servers
	env     *cel.Env // once a rule needs it
	whens   map[string]*condition
	errs    []error
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

func (c *compiler) rule(number int, r Rule) *rule {
	label := fmt.Sprintf("rule %d", number)
	made := &rule{number: number, pos: r.Pos, levels: r.Level != nil, asks: r.Ask != nil && *r.Ask}
	if r.Ask != nil && !*r.Ask {
		c.fail(r.Pos, label+`: "ask: false" spares nothing, since whatever rule asks is heard; leave it out, and narrow the rule that asks`)
	}
	if r.Level == nil && r.Ask == nil {
		c.fail(r.Pos, label+`: "level" is missing (deny, read, execute or admin), or "ask: true"`)
	}
	if r.Server == nil {
		c.fail(r.Pos, label+`: "server" is missing ("*" for all)`)
		return made
	}
	made.server = c.glob(r.Pos, label+": server", *r.Server)
	c.narrow(made, label, r)
	c.condition(made, label, r)
	c.words(made, label, r)
	return made
}

// words gives a rule what verdicts say of it.
func (c *compiler) words(made *rule, label string, r Rule) {
	under := ""
	if made.when != nil {
		under = " under its condition"
	}
	if made.asks {
		made.asking = label + " asks for approval of " + made.covers() + under
	}
	if !made.levels {
		return
	}
	made.verdict = c.verdict(*r.Level, r.Pos, label+" "+effect(*r.Level)+" "+made.covers()+under)
	made.verdict.Rule = label + " (" + made.covers() + ")"
}

// condition compiles a rule's when, and refuses one that would let those decide
// who are not to.
func (c *compiler) condition(made *rule, label string, r Rule) {
	if r.When == nil {
		return
	}
	pos := r.WhenPos
	if pos == (Position{}) {
		pos = r.Pos
	}
	label += ": when"
	if c.env == nil {
		var err error
		if c.env, err = environment(); err != nil {
			c.fail(pos, label+": "+err.Error())
			return
		}
		c.whens = map[string]*condition{}
	}
	when := c.whens[*r.When]
	if when == nil {
		var problems []conditionError
		when, problems = compileCondition(c.env, *r.When)
		for _, p := range problems {
			c.failWord(pos, label+": "+p.text, p.word, p.known)
		}
		if when == nil {
			return
		}
		c.whens[*r.When] = when
	}
	made.when = when
	if r.Level == nil || *r.Level == Deny {
		return
	}
	if when.client {
		c.fail(pos, fmt.Sprintf("%s: a rule that gives %s may not look at client, which is the host's own word", label, *r.Level))
	}
	if name, found := c.untrusted(made.server); when.claims && found {
		c.fail(pos, fmt.Sprintf("%s: a rule that gives %s may not look at what server %q says of its tools "+
			"(tool.annotations, tool.title; set trust_annotations: true for that server if its word may grant)", label, *r.Level, name))
	}
}

// untrusted returns a server under a pattern whose word may not grant. Of those
// that are not known it finds only the one that the pattern is the name of:
// Decide does not let the others grant either.
func (c *compiler) untrusted(pattern Glob) (string, bool) {
	for _, name := range c.servers.known() {
		if !c.servers.trusts(name) && slices.ContainsFunc(c.servers.calledBy(name), pattern.Match) {
			return name, true
		}
	}
	name := pattern.String()
	if target, isAlias := c.servers.Aliases[name]; isAlias {
		name = target
	}
	return name, pattern.Literal() && !c.servers.trusts(name)
}

// known returns the names of the servers that are configured, in order.
func (s Servers) known() []string {
	names := slices.Concat(s.Names, slices.Collect(maps.Keys(s.Tags)), slices.Collect(maps.Keys(s.Trusted)), slices.Collect(maps.Values(s.Aliases)))
	slices.Sort(names)
	return slices.Compact(names)
}

// calledBy returns the names that rules may call a server by.
func (s Servers) calledBy(name string) []string {
	names := []string{name}
	for alias, target := range s.Aliases {
		if target == name {
			names = append(names, alias)
		}
	}
	return names
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
	return Verdict{Level: level, Best: level, Policy: c.config.Name, Pos: pos, Reason: reason}
}

func (c *compiler) fail(pos Position, text string) { c.failWord(pos, text, "", nil) }

func (c *compiler) failWord(pos Position, text, word string, known []string) {
	if c.config.Name != "" {
		text = fmt.Sprintf("policy %q: %s", c.config.Name, text)
	} else {
		text = "policy: " + text
	}
	c.errs = append(c.errs, &ConfigError{Pos: pos, Text: text, Word: word, Known: known})
}

// A ConfigError is one thing that is wrong with a policy as it is written. Where
// it is a word that is not known, Known are the words that are; whoever can
// guess which of them was meant may set Nearest.
type ConfigError struct {
	Pos     Position
	Text    string
	Word    string
	Known   []string
	Nearest string
}

func (e *ConfigError) Error() string {
	text := e.Text
	switch {
	case e.Nearest != "":
		text += fmt.Sprintf(" (did you mean %q?)", e.Nearest)
	case len(e.Known) > 0:
		text += " (known are " + strings.Join(e.Known, ", ") + ")"
	}
	if e.Pos == (Position{}) {
		return text
	}
	return e.Pos.String() + ": " + text
}

func effect(l Level) string {
	if l == Deny {
		return "denies"
	}
	return "gives " + l.String() + " to"
}

// covers says what a rule is about: `tool "read_*" of server "files"`.
func (r *rule) covers() string {
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
