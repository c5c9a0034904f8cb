package login

import (
	"context"
	"crypto/subtle"
	"errors"
	"net"
	"net/url"
	"strings"
)

// Why a query is not taken for the answer.
var (
	errTooLong   = errors.New("this is too long for an answer")
	errMalformed = errors.New("this is no answer that can be read")
)

// take hands the query of an answer over to be redeemed if it has the state, and
// is the first that has. The same query again, as of a page that is loaded again,
// is as good as the first: whoever sent it may wait for the outcome of that. With
// anything else it is an error, and the attempt goes on.
func (a *Attempt) take(query string) error {
	if len(query) > maxQuery {
		return errTooLong
	}
	answer, err := url.ParseQuery(query)
	if err != nil {
		return errMalformed // the cause would quote it
	}
	// What was judged must be what is used (RFC 6749, section 3.1, allows none twice).
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(answer[name]) > 1 {
			return errMalformed
		}
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !same(answer.Get("state"), a.state):
		if a.wrong++; a.wrong == maxWrong {
			close(a.spoiled)
		}
		return ErrOther
	case a.taken == "":
		a.taken = query
		a.answers <- answer // has room
		return nil
	case same(query, a.taken):
		return nil
	default:
		return ErrOther // what has been answered once is answered
	}
}

// same tells nobody by its time how much of a guess is right.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Paste takes the answer from the user: the address that a browser on another
// machine was sent to and could not load, or its query. It returns when the
// attempt has ended, with how it ended. An error before that, among them
// [ErrOther] and [ErrNoReply], says what is wrong with the text, and the attempt
// goes on; no part of the text is in it. ctx ends the wait, not the attempt.
func (a *Attempt) Paste(ctx context.Context, text string) error {
	query, err := pasted(text)
	if err != nil {
		return err
	}
	if err := a.take(query); err != nil {
		return err
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pasted returns the query in what a user copied from an address bar, a terminal
// or a mail. The port may be another one, where it was forwarded.
func pasted(text string) (string, error) {
	if len(text) > 2*maxQuery {
		return "", errTooLong
	}
	text = strings.Trim(text, " \t\r\n\v\f<>\"'`\u00a0\ufeff")
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", errMalformed
	}
	query := strings.TrimPrefix(text, "?")
	if lower := strings.ToLower(text); strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://") {
		u, err := url.Parse(text)
		if err != nil || u.Path != callbackPath || !isLoopback(u.Hostname()) {
			return "", ErrNoReply
		}
		query = u.RawQuery
	}
	if answer, err := url.ParseQuery(query); err == nil && !answer.Has("code") && !answer.Has("error") {
		return "", ErrNoReply
	}
	return query, nil
}

// isLoopback is true for this machine's own names for itself (RFC 6761, section
// 6.3; RFC 8252, section 7.3).
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
