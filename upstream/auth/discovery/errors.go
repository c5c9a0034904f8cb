package discovery

import (
	"errors"
	"fmt"

	"github.com/weir-mcp/weir/upstream/auth/guard"
)

// What discovery may end with, to be told by [errors.Is].
var (
	// ErrNoMetadata is an authorization server that says nothing of itself.
	ErrNoMetadata = errors.New("there is no metadata")
	// ErrNoPKCE is an authorization server that does not say that it checks proof
	// keys. FindServer returns such a one, with PKCE false: it will do for
	// credentials of a client, and nobody may log in there (2025-11-25,
	// Authorization, authorization code protection).
	ErrNoPKCE = errors.New("it does not say that it checks proof keys (PKCE, S256), without which a login could be stolen")
	// ErrIssuerMismatch is metadata of another authorization server than the one
	// that was asked (RFC 8414, section 3.3).
	ErrIssuerMismatch = errors.New("it is of another issuer")
	// ErrResourceMismatch is metadata of another resource than the server (RFC
	// 9728, section 3.3).
	ErrResourceMismatch = errors.New("it is of another resource")
)

// An Error is why it could not be found out who gives out tokens, or how. It
// holds nothing of what was answered that is not fit to be printed.
type Error struct {
	What   string // that was looked for: "protected resource metadata"
	URL    string // where, without its query and fit to be printed
	Reason string // what is wrong, in words for people
	Status int    // of the answer, if that is what is wrong; 5xx and 429 may be better later
	Err    error  // the cause: one of the above, what package guard says, or nil
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s at %q: %s", e.What, e.URL, e.Reason)
}

func (e *Error) Unwrap() error { return e.Err }

// reasonOf is an error of the guard, without the URL where that is the one that
// was asked.
func reasonOf(address string, err error) string {
	if refused, ok := errors.AsType[*guard.RefusedError](err); ok {
		if refused.URL == guard.Bare(address) {
			return "it " + refused.Reason
		}
		return refused.Error()
	}
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return guard.Printable(err.Error())
}
