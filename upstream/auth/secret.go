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
func (s secret) Format(f fmt.State, _ rune) { hide(f) }

// MarshalText hides the secret: a log takes values as JSON.
func (s secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// What has secrets in it hides itself as a whole: fmt asks no unexported field how
// it wants to be printed.

// Format hides what there is to hide.
func (a *Authenticator) Format(f fmt.State, _ rune) { hide(f) }

// Format hides what there is to hide.
func (s *settings) Format(f fmt.State, _ rune) { hide(f) }

// Format hides what there is to hide.
func (c *client) Format(f fmt.State, _ rune) { hide(f) }

// Format hides what there is to hide.
func (g *granted) Format(f fmt.State, _ rune) { hide(f) }

// Format hides what there is to hide.
func (r *tokenRequest) Format(f fmt.State, _ rune) { hide(f) }

// Format hides what there is to hide.
func (r *refusal) Format(f fmt.State, _ rune) { hide(f) }

// Format hides what there is to hide.
func (d *dialogue) Format(f fmt.State, _ rune) { hide(f) }

// Format hides what there is to hide.
func (k *proofKey) Format(f fmt.State, _ rune) { hide(f) }

// Format hides what there is to hide.
func (b *bond) Format(f fmt.State, _ rune) { hide(f) }

// Format hides what there is to hide.
func (p *person) Format(f fmt.State, _ rune) { hide(f) }

// Format hides what there is to hide.
func (m *machine) Format(f fmt.State, _ rune) { hide(f) }

// Format hides what there is to hide.
func (t *staticTripper) Format(f fmt.State, _ rune) { hide(f) }

func hide(f fmt.State) { _, _ = io.WriteString(f, hidden) }

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
