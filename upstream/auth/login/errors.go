package login

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// How an [Attempt] can end without a login, beside what its Redeem returns.
var (
	ErrAbandoned = errors.New("the login was given up")
	ErrExpired   = errors.New("nobody logged in within the time there was for it")
	ErrSpoiled   = errors.New("too many answers came that were not for this login")
)

// Why a [Attempt.Paste] is of no use; the attempt goes on.
var (
	ErrOther   = errors.New("this is from another login: open the link of this one, and paste what it leads to")
	ErrNoReply = errors.New("this is not where the browser ended up: paste the whole address, which has /callback in it")
)

// A PortError is a fixed port that cannot be listened on.
type PortError struct {
	Port    int
	Address string // "127.0.0.1" or "::1"; "" is the former
	Err     error
}

func (e *PortError) Error() string {
	if errors.Is(e.Err, syscall.EADDRINUSE) || errors.Is(e.Err, errWindowsInUse) {
		return fmt.Sprintf("port %d on %s is in use: end the program that uses it, or set another callback_port", e.Port, cmp.Or(e.Address, loopback))
	}
	return fmt.Sprintf("port %d on %s cannot be used, set another callback_port: %v", e.Port, cmp.Or(e.Address, loopback), e.Err)
}

func (e *PortError) Unwrap() error { return e.Err }

// errWindowsInUse is WSAEADDRINUSE, which the syscall package has no name for.
const errWindowsInUse = syscall.Errno(10048)

// A DeniedError is the answer of an authorization server that gives nothing out
// (RFC 6749, section 4.1.2.1). Redeem returns it for an answer whose issuer is
// the right one; from another it must not be shown at all (RFC 9207, section 2.4).
type DeniedError struct {
	Code        string // "access_denied", …; as it came
	Description string // for people; as it came, "" if it did not
}

// Error is for people: what came is in it only as far as it can be shown.
func (e *DeniedError) Error() string {
	var b strings.Builder
	if e.refused() {
		b.WriteString("access was denied, by you or by the authorization server")
	} else {
		fmt.Fprintf(&b, "the authorization server answered %q", shown(e.Code, 40))
	}
	if description := shown(e.Description, shownMost); description != "" {
		b.WriteString(": " + description)
	}
	return b.String()
}

// refused is true where somebody said no, and nothing went wrong.
func (e *DeniedError) refused() bool { return e.Code == "access_denied" }

// shownMost is how much of what a stranger wrote is shown, in characters.
const shownMost = 200

// shown is a text of a stranger's for a terminal or a page: in one line, without
// what cannot be seen or turns the reading around, and with at most limit
// characters.
func shown(text string, limit int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range text {
		if unicode.IsSpace(r) {
			space = b.Len() > 0
			continue
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			continue
		}
		if space {
			n++
		}
		if n >= limit {
			return b.String() + "…"
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}
