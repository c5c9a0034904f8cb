package config

import (
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/policy"
)

// A HarmlessAlias is an AddAlias that no policy of the file has a word about: with
// it every policy says of the server what it says without.
type HarmlessAlias struct{ AddAlias }

// An AliasError is an alias that would make a policy say something else.
type AliasError struct {
	Alias   string
	Pattern string // that matches it
	Pos     policy.Position
}

func (e *AliasError) Error() string {
	return fmt.Sprintf("alias %q: the pattern %q of a policy matches it (%s)", e.Alias, e.Pattern, e.Pos)
}

// check looks at every policy of the file, whoever it is for.
func (c HarmlessAlias) check(o Options, data []byte) error {
	root, err := parseTree(o.Path, data)
	if err != nil || root == nil {
		return err
	}
	var doc document
	d := &decoder{file: o.Path}
	d.value(root, &doc)
	if len(d.errs) > 0 {
		return inOrder(d.errs)
	}
	known := []string{c.Server}
	for _, a := range doc.Aliases {
		if leadsTo(root, a.key, c.Server) {
			known = append(known, a.key)
		}
	}
	for _, p := range doc.everyPolicy() {
		for _, by := range serverPatterns(p) {
			g, err := policy.ParseGlob(by.Pattern)
			if err != nil {
				return &EditError{err}
			}
			if g.Match(c.Alias) && !slices.ContainsFunc(known, g.Match) {
				return &AliasError{Alias: c.Alias, Pattern: by.Pattern, Pos: by.Pos}
			}
		}
	}
	return nil
}

// leadsTo reports whether an alias is one of a server, perhaps by way of others.
func leadsTo(root *yaml.Node, alias, server string) bool {
	aliases := sub(root, "aliases")
	for range maxAliasHops {
		next := member(aliases, alias)
		if next == nil {
			break
		}
		alias = next.Value
	}
	return alias == server
}

// everyPolicy returns all policies in the file, chosen or not.
func (doc *document) everyPolicy() []policy.Config {
	var all []policy.Config
	for _, p := range doc.Policies {
		all = append(all, p.value)
	}
	chosen := []*chosenPolicy{doc.Policy}
	for _, k := range doc.Keys {
		chosen = append(chosen, k.Policy)
	}
	for _, t := range doc.Teams {
		chosen = append(chosen, t.value.Policy)
	}
	for _, org := range doc.Orgs {
		chosen = append(chosen, org.value.Policy)
	}
	for _, p := range doc.Profiles {
		chosen = append(chosen, p.value.Policy)
	}
	for _, c := range chosen {
		if c != nil && c.inline != nil {
			all = append(all, *c.inline)
		}
	}
	return all
}

// serverPatterns are the patterns of a policy for names of servers.
func serverPatterns(p policy.Config) (patterns []AliasError) {
	for _, r := range p.Rules {
		if r.Server != nil {
			patterns = append(patterns, AliasError{Pattern: *r.Server, Pos: r.Pos})
		}
	}
	if g := p.Servers; g != nil {
		for _, pattern := range g.Allow {
			patterns = append(patterns, AliasError{Pattern: pattern, Pos: g.AllowPos})
		}
		for _, pattern := range g.Deny {
			patterns = append(patterns, AliasError{Pattern: pattern, Pos: g.DenyPos})
		}
	}
	return patterns
}
