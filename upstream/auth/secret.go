package auth

import (
	"fmt"
	"io"
	"strings"
)

// A secret is a text that must not be printed, and is not.
type secret string

const hidden = "[hidden]"

// Format hides the secret, whatever the verb.
func (s secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText hides the secret: a log takes values as JSON.
func (s secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// without is a text that a stranger wrote as it may be shown to somebody who must
// not see the secrets, which it may repeat; "" if it does.
func without(text string, secrets ...secret) string {
	for _, s := range secrets {
		if s != "" && strings.Contains(text, string(s)) {
			return ""
		}
	}
	return text
}

// isPrintable reports whether a text is one of visible characters of ASCII, and
// spaces, as all credentials of OAuth are (RFC 6749, appendix A).
func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
