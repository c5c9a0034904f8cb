package formats

import (
	"strconv"

	"github.com/weir-mcp/weir/aggregator/namespace"
)

// maxName is how many characters a name may have. Newer models of Google take
// twice as many as 64, older ones do not.
func (a API) maxName() int {
	if a == Anthropic {
		return 128
	}
	return 64
}

// Names returns what tools are called in an API, each under the index of its
// tool. A name that is legal there stays; any other is cut or mended and ends in
// a digest, so that it depends on the tool alone. No two are equal, unless two
// tools have one name.
func Names(a API, tools []Tool) []string {
	names := make([]string, len(tools))
	taken := make(map[string]bool, len(tools))
	for i, t := range tools {
		if a.takes(t.Name) {
			names[i], taken[t.Name] = t.Name, true
		}
	}
	given := make(map[string]string)
	for i, t := range tools {
		if names[i] != "" {
			continue
		}
		if given[t.Name] == "" {
			given[t.Name] = a.mended(t.Name, taken)
		}
		names[i] = given[t.Name]
	}
	return names
}

// takes reports whether a name is legal in an API. What is legal in all of them
// is what weir exposes, but for its length, and a digit or dash that Gemini does
// not take at the start.
func (a API) takes(name string) bool {
	if name == "" || len(name) > a.maxName() {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !isLetter(c) && c != '_' && (c != '-' && !isDigit(c) || i == 0 && a == Gemini) {
			return false
		}
	}
	return true
}

// mended returns a legal name that is not taken, and takes it. Names that an
// API takes as they are come first, so that no tool's choice of a name moves
// another's.
func (a API) mended(name string, taken map[string]bool) string {
	rules, start := namespace.Rules{Max: a.maxName()}, ""
	if a == Gemini && (name == "" || !isLetter(name[0]) && name[0] != '_') {
		rules.Max--
		start = "_"
	}
	for try := 0; ; try++ {
		salt := ""
		if try > 0 {
			salt = strconv.Itoa(try)
		}
		mended := start + namespace.Hashed(rules, namespace.Server{Name: salt}, name)
		if !taken[mended] {
			taken[mended] = true
			return mended
		}
	}
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
