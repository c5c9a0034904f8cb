package auth

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shownMost is how much of what a stranger wrote is shown, in characters.
const shownMost = 200

// clip makes a text that a stranger wrote fit to be shown: in one line, without
// what cannot be seen or turns the reading around, and at most limit characters.
func clip(text string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = ' '
		}
		if n == limit {
			return b.String() + "…"
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}

// said is a text that a stranger wrote, fit to be shown to somebody who must not see
// secrets: not at all if it repeats one of these, else without the words that look
// like one, since it may repeat what another request has told.
func said(text string, limit int, secrets ...secret) string {
	return clip(credential.ReplaceAllStringFunc(without(text, secrets...), func(word string) string {
		if looksSecret(word) {
			return hidden
		}
		return word
	}), limit)
}

// credential is a word such as tokens, keys and codes are: no host name, path or
// number is one by itself.
var credential = regexp.MustCompile(`[A-Za-z0-9_~+=-]{16,}`)

// looksSecret reports whether a word is none of any language: it has letters and
// digits.
func looksSecret(word string) bool {
	return credential.MatchString(word) && strings.ContainsAny(word, "0123456789") && strings.ContainsFunc(word, unicode.IsLetter)
}

// scopesIn splits a list of scopes (RFC 6749, section 3.3), without what cannot be
// one; empty, and not nil, if nothing is left.
func scopesIn(list string) []string {
	scopes := []string{}
	for scope := range strings.FieldsSeq(list) {
		if isPrintable(scope) && !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// union is a list of all scopes, in their order, each once.
func union(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		for _, scope := range list {
			if !slices.Contains(all, scope) {
				all = append(all, scope)
			}
		}
	}
	return all
}

// covers reports whether all the scopes wanted are among those that there are.
func covers(there, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(scope string) bool { return !slices.Contains(there, scope) })
}

// scopeKey is a set of scopes as a key of a map.
func scopeKey(scopes []string) string { return strings.Join(slices.Sorted(slices.Values(scopes)), " ") }
