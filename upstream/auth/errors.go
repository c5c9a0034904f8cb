package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A LoginError is a request that was not executed because somebody must log in
// first: to anything at all, or, with StepUp, to more than they have allowed so
// far. Its texts are fit to be shown, and hold no secret.
type LoginError struct {
	Server string   // as configured
	Issuer string   // of the login there was before; "" where that is not known
	Scopes []string // that the next login asks for, as far as they are known
	StepUp bool     // this request needs more than was granted; others go on
	Reason string   // why, in a few words: "nobody has logged in yet"
	Err    error    // the cause; may be nil
}

func (e *LoginError) Error() string {
	if e.StepUp {
		return "a login that allows more is needed: " + e.Reason
	}
	return "a login is needed: " + e.Reason
}

func (e *LoginError) Unwrap() error { return e.Err }

// A TokenError is a request that was not executed because no token could be had
// for it, which no person can mend by logging in. Its text is fit to be shown,
// and holds no secret.
type TokenError struct {
	Server     string        // as configured
	Code       string        // OAuth's error code (RFC 6749, section 5.2); "" if there was none
	Status     int           // of the token endpoint's answer; 0 if there was none
	RetryAfter time.Duration // nobody is asked again before; 0 if not Temporary
	Temporary  bool          // asking again later can help; else only other credentials can
	Err        error         // what happened
}

func (e *TokenError) Error() string {
	var b strings.Builder
	b.WriteString("no token could be had")
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (next try in %v)", e.RetryAfter.Round(time.Second))
	}
	return b.String()
}

func (e *TokenError) Unwrap() error { return e.Err }

// Why no login was begun. The texts are for people.
var (
	ErrNoLoginNeeded = errors.New("the server wants no login")
	ErrNoLogin       = errors.New("weir logs in to this server by itself; nobody else can")

	// Of a login that nobody asked for in words (LoginOptions.Unasked).
	ErrAskFirst      = errors.New("weir opens no browser for this server unless told to (login: ask)")
	ErrNoBrowser     = errors.New("there is no browser to open here")
	ErrAskedLately   = errors.New("weir has opened a browser for this server within the last hour")
	ErrLoginUnderWay = errors.New("another login is under way")
)
