package config

import (
	"errors"

	"github.com/weir-mcp/weir/internal/spell"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/customtools"
)

// policyServers is what policies know of the servers of the file.
func (m *maker) policyServers() policy.Servers {
	if m.known != nil {
		return *m.known
	}
	known := policy.Servers{Aliases: m.file.Aliases, Tags: map[string][]string{}, Trusted: map[string]bool{}}
	for _, s := range m.doc.Servers {
		known.Names = append(known.Names, s.key)
		known.Tags[s.key] = s.value.Tags
		known.Trusted[s.key] = s.value.TrustAnnotations != nil && *s.value.TrustAnnotations
	}
	if len(m.doc.Tools) > 0 {
		known.Names = append(known.Names, customtools.Name)
		known.Trusted[customtools.Name] = true // what they say of themselves is the user's word
	}
	m.known = &known
	return known
}

// guessed takes apart what is wrong with a policy, and guesses at the words that
// were meant.
func guessed(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		if e, ok := errors.AsType[*policy.ConfigError](e); ok {
			e.Nearest = spell.Nearest(e.Word, e.Known)
		}
	}
	return joined.Unwrap()
}
