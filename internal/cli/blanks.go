package cli

import (
	"slices"
	"strings"
)

// A bundle that hosts install has what its user may fill in as ${user_config.NAME} in
// the arguments and variables that weir is started with. What nobody has filled in is
// empty with some hosts; others leave it as it stands. That is the same: not given.

// isBlank reports whether a text is what nobody has filled in.
func isBlank(text string) bool {
	return strings.HasPrefix(text, "${user_config.") && strings.HasSuffix(text, "}")
}

// withoutBlanks takes out the flags whose values nobody has filled in.
func withoutBlanks(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
		flag, value, _ := strings.Cut(arg, "=")
		return strings.HasPrefix(flag, "--") && isBlank(value)
	})
}
