package credentials

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// String says whose tokens they are and which there are, not what they are. No
// value can hide in an unexported field of one that is printed: fmt may not ask it
// there.
func (l Login) String() string {
	held := make([]string, 0, 4)
	for _, s := range []struct{ what, secret string }{
		{"access token", l.Access}, {"refresh token", l.Refresh}, {"client secret", l.Client.Secret}, {"proof key", l.ProofKey},
	} {
		if s.secret != "" {
			held = append(held, s.what)
		}
	}
	if len(held) == 0 {
		held = append(held, "no tokens")
	}
	return fmt.Sprintf("login at %q (%s)", l.Key.Issuer, strings.Join(held, ", "))
}

// GoString is String: %#v shows all fields of other values.
func (l Login) GoString() string { return l.String() }

// Format is String, whatever the verb.
func (l Login) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, l.String()) }

// MarshalJSON is String too: a log takes values as JSON.
func (l Login) MarshalJSON() ([]byte, error) { return json.Marshal(l.String()) }

// String says which client it is, not what its secret is.
func (c Client) String() string {
	if c.Secret == "" {
		return fmt.Sprintf("client %q at %q", c.ID, c.Issuer)
	}
	return fmt.Sprintf("client %q at %q (client secret)", c.ID, c.Issuer)
}

// GoString is String: %#v shows all fields of other values.
func (c Client) GoString() string { return c.String() }

// Format is String, whatever the verb.
func (c Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// MarshalJSON is String too: a log takes values as JSON.
func (c Client) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }
