package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// A LintCatalog is what servers are known to have, by the names of the servers.
// One that is not in it may have anything.
type LintCatalog map[string]LintItems

// LintItems are the names that a server has. Nothing is claimed about a kind of
// which the list is nil: leave Resources nil where there are templates, since
// what they make is in no list.
type LintItems struct {
	Tools, Prompts, Resources []string
}

// A Finding is something in a policy that has no effect, or another one than it
// seems.
type Finding struct {
	Pos  Position
	Rule int    // its number; 0 for the gate
	Text string // a sentence part: `rule 3 can never decide: …`

	// Word is a name that is not known, if that is what was found, and Known are
	// the names that are.
	Word  string
	Known []string
}

func (f Finding) String() string {
	if f.Pos == (Position{}) {
		return f.Text
	}
	return f.Pos.String() + ": " + f.Text
}

// Lint looks for what can never matter in a policy: rules that others make
// pointless, patterns that match nothing that is known, conditions that are
// constant. It claims nothing that is not so with any arguments and any
// principal, given that the servers and their lists are as they are known to be.
// The policy is one that Compile takes; of another one it says nothing. The
// findings stand in the order of the policy.
func Lint(config Config, servers Servers, catalog LintCatalog) []Finding {
	p, err := Compile(config, servers)
	if err != nil {
		return nil
	}
	l := linter{config: config, policy: p, catalog: catalog, known: servers.known()}
	for _, name := range []string{Own, OwnTools} {
		if !slices.Contains(l.known, name) {
			l.known = append(l.known, name)
		}
	}
	l.gate()
	for _, r := range p.rules {
		l.rule(r)
	}
	return l.findings
}

type linter struct {
	config   Config
	policy   *Policy
	catalog  LintCatalog
	known    []string // names of servers
	env      *cel.Env
	findings []Finding
}

func (l *linter) report(r *rule, text string) {
	l.findings = append(l.findings, Finding{Pos: r.pos, Rule: r.number, Text: fmt.Sprintf("rule %d %s", r.number, text)})
}

// gate reports patterns that are about no server.
func (l *linter) gate() {
	gate := l.config.Servers
	if gate == nil {
		return
	}
	check := func(key string, pos Position, patterns []gatePattern) {
		for _, p := range patterns {
			if len(l.matched(p.glob)) == 0 && p.glob.shape != anything {
				f := Finding{Pos: pos, Text: fmt.Sprintf("%s: %q matches no server", key, p.glob)}
				f.Word, f.Known = l.unknown(p.glob)
				l.findings = append(l.findings, f)
			}
		}
	}
	check("servers.allow", gate.AllowPos, l.policy.allow)
	check("servers.deny", gate.DenyPos, l.policy.deny)
}

// matched returns the known servers that a pattern is about.
func (l *linter) matched(pattern Glob) (names []string) {
	for _, name := range l.known {
		if l.isAbout(pattern, name) {
			names = append(names, name)
		}
	}
	return names
}

func (l *linter) isAbout(pattern Glob, server string) bool {
	if server == Own {
		return pattern.Literal() && pattern.Match(Own)
	}
	return slices.ContainsFunc(l.policy.servers.calledBy(server), pattern.Match)
}

// unknown returns a pattern that is a name, and the names that it could have
// been.
func (l *linter) unknown(pattern Glob) (word string, known []string) {
	if !pattern.Literal() {
		return "", nil
	}
	known = slices.Concat(l.known, slices.Collect(maps.Keys(l.policy.servers.Aliases)))
	slices.Sort(known)
	return pattern.String(), known
}

func (l *linter) rule(r *rule) {
	matched := l.matched(r.server)
	switch {
	case len(matched) == 0 && r.server.shape != anything:
		l.report(r, fmt.Sprintf("matches no server: %q is none, and none is like it", r.server))
		last := &l.findings[len(l.findings)-1]
		last.Word, last.Known = l.unknown(r.server)
		return
	case len(matched) > 0 && !slices.ContainsFunc(matched, func(name string) bool { return l.policy.about(name).gate == nil }):
		l.report(r, "has no effect: the gate (servers) keeps out all that it matches")
		return
	}
	l.items(r, matched)
	l.condition(r)
	if r.asks && r.levels && r.verdict.Level == Deny {
		l.report(r, "asks in vain: what it denies is not asked about")
	}
	l.others(r)
}

// items reports a pattern for names that no server has, if their lists are known.
func (l *linter) items(r *rule, matched []string) {
	if !r.narrow {
		return
	}
	var names []string
	for _, server := range matched {
		items, ok := l.catalog[server]
		list := map[Kind][]string{Tool: items.Tools, Prompt: items.Prompts, Resource: items.Resources}[r.kind]
		if !ok || list == nil || slices.ContainsFunc(list, r.name.Match) {
			return
		}
		names = append(names, list...)
	}
	if len(matched) == 0 {
		return
	}
	l.report(r, fmt.Sprintf("matches nothing: no %s of %s is like %q", r.kind, plural(matched), r.name))
	if r.name.Literal() {
		last := &l.findings[len(l.findings)-1]
		slices.Sort(names)
		last.Word, last.Known = r.name.String(), slices.Compact(names)
	}
}

func plural(names []string) string {
	if len(names) == 1 {
		return fmt.Sprintf("server %q", names[0])
	}
	return "the servers that it names"
}

// condition reports one that comes to the same whatever it looks at.
func (l *linter) condition(r *rule) {
	if r.when == nil {
		return
	}
	switch out := l.whatever(r.when); out {
	case types.True:
		l.report(r, "has a condition that is always true: leave it out")
	case types.False:
		l.report(r, "never matches: its condition is always false")
	default:
		if out != nil && types.IsError(out) {
			l.report(r, "has a condition that can never be evaluated")
		}
	}
}

// others reports what another rule makes pointless.
func (l *linter) others(r *rule) {
	denies := r.levels && r.verdict.Level == Deny
	for _, other := range l.policy.rules {
		if other == r || !l.always(other, r) {
			continue
		}
		earlier, label := other.number < r.number, fmt.Sprintf("rule %d (%s)", other.number, other.covers())
		beats := other.levels && other.verdict.Level == Deny
		switch {
		case beats && denies && (earlier || !l.always(r, other)):
			l.report(r, "denies what "+label+" denies anyway")
			return
		case beats && !denies:
			l.report(r, "has no effect: "+label+" denies all that it matches")
			return
		}
	}
	for _, other := range l.policy.rules[:r.number-1] {
		if r.levels && !denies && other.levels && l.always(other, r) {
			l.report(r, fmt.Sprintf("can never decide: rule %d (%s) comes first and matches all that it matches", other.number, other.covers()))
			break
		}
	}
	for _, other := range l.policy.rules {
		if r.asks && other.asks && other != r && l.always(other, r) && (other.number < r.number || !l.always(r, other)) {
			l.report(r, fmt.Sprintf("asks where rule %d (%s) asks anyway", other.number, other.covers()))
			break
		}
	}
}

// always reports whether a rule surely matches whatever another one matches.
func (l *linter) always(r, other *rule) bool {
	return r.when == nil && l.coversServers(r.server, other.server) && r.coversItems(other)
}

func (l *linter) coversServers(pattern, other Glob) bool {
	if !other.Literal() {
		return pattern.covers(other)
	}
	name := other.String()
	if target, isAlias := l.policy.servers.Aliases[name]; isAlias {
		name = target
	}
	return l.isAbout(pattern, name)
}

func (r *rule) coversItems(other *rule) bool {
	switch {
	case r.kind == AnyKind:
		return true
	case r.kind != other.kind:
		return false
	default:
		return !r.narrow || other.narrow && r.name.covers(other.name)
	}
}

// whatever evaluates a condition with all its variables unknown. It is nil where
// that cannot be found out.
func (l *linter) whatever(c *condition) ref.Val {
	if l.env == nil {
		var err error
		if l.env, err = environment(); err != nil {
			return nil
		}
	}
	checked, issues := l.env.Compile(c.text)
	if issues.Err() != nil {
		return nil
	}
	program, err := l.env.Program(checked, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(maxCost))
	if err != nil {
		return nil
	}
	unknown := []*cel.AttributePatternType{cel.AttributePattern(varArguments)}
	for name := range members {
		if !strings.Contains(name, ".") {
			unknown = append(unknown, cel.AttributePattern(name))
		}
	}
	vars, err := cel.PartialVars(map[string]any{}, unknown...)
	if err != nil {
		return nil
	}
	out, _, err := program.Eval(vars)
	if err != nil {
		return types.WrapErr(err)
	}
	return out
}
