package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/customtools"
)

// maxName is how long the name of a server, an alias or a prefix may be.
const maxName = 32

var reservedNames = []string{policy.Own, customtools.Name}

// badName says what is wrong with the name of a server or an alias, or "".
func badName(name string) string {
	switch {
	case slices.Contains(reservedNames, name):
		return "this name is reserved"
	case !isServerName(name):
		return "a name is 1 to 32 characters of a-z, 0-9, _ and -, and begins with a letter or digit"
	case strings.Contains(name, "__"):
		return "a name must not have two underscores in a row"
	}
	return ""
}

// isServerName reports whether a name is [a-z0-9][a-z0-9_-]{0,31}.
func isServerName(name string) bool {
	return len(name) <= maxName && isExposable(name) && name == strings.ToLower(name) && name[0] != '_' && name[0] != '-'
}

// isExposable reports whether a text can be part of an exposed name:
// [A-Za-z0-9_-]+.
func isExposable(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !isWord(r) && r != '-'
	})
}

// isVariable reports whether a text can be the name of a variable:
// [A-Za-z_][A-Za-z0-9_]*.
func isVariable(text string) bool {
	return text != "" && (text[0] < '0' || text[0] > '9') && !strings.ContainsFunc(text, func(r rune) bool { return !isWord(r) })
}

func isWord(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
}

// legalName makes the name of a server legal and different from those taken.
func legalName(name string, taken map[string]bool) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if !isWord(r) {
			r = '-'
		}
		b.WriteRune(r)
	}
	legal := b.String()
	for strings.Contains(legal, "__") {
		legal = strings.ReplaceAll(legal, "__", "_")
	}
	legal = strings.Trim(legal, "-_")
	legal = legal[:min(len(legal), maxName)]
	if legal == "" {
		legal = "server"
	}
	unique := legal
	for n := 2; taken[unique] || slices.Contains(reservedNames, unique); n++ {
		suffix := "-" + strconv.Itoa(n)
		unique = legal[:min(len(legal), maxName-len(suffix))] + suffix
	}
	taken[unique] = true
	return unique
}
