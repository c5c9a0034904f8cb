package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/weir-mcp/weir/upstream/auth/guard"
)

// Bounds of what a token endpoint gives.
const (
	maxToken = 64 << 10
	maxScope = 16 << 10
	maxLife  = 10 * 365 * 24 * time.Hour
)

// A tokenRequest asks a token endpoint for a token (RFC 6749, section 3.2), by
// whatever grant.
type tokenRequest struct {
	url    string
	client *client
	params url.Values // grant_type and what goes with it
}

// granted is what a token endpoint has given.
type granted struct {
	access  secret
	refresh secret // "" for none
	bound   bool   // access is bound to the key of the client's bond
	issued  time.Time
	expiry  time.Time // zero if the server did not say
	scopes  []string  // nil if the server did not say
}

// send asks once. The error is an *endpointError.
func (r *tokenRequest) send(ctx context.Context, g *guard.Client) (*granted, error) {
	token, err := r.post(ctx, g)
	if refused, ok := errors.AsType[*endpointError](err); ok && refused.code == wantsNonce && r.client.bond != nil {
		token, err = r.post(ctx, g) // it has come with the refusal (RFC 9449, section 8)
	}
	if err != nil {
		return nil, err
	}
	got, err := readGranted(token, time.Now())
	if err == nil && got.bound && r.client.bond == nil {
		err = errors.New("a token that is bound to a key, and weir has shown none")
	}
	if err != nil {
		return nil, &endpointError{status: http.StatusOK, temporary: true, err: err}
	}
	if got.refresh == secret(r.params.Get("refresh_token")) {
		got.refresh = "" // x/oauth2 fills in what was sent
	}
	return got, nil
}

// post asks once, and returns what was given unchecked. The error is an
// *endpointError.
func (r *tokenRequest) post(ctx context.Context, g *guard.Client) (*oauth2.Token, error) {
	params := url.Values{}
	for name, values := range r.params {
		params[name] = values
	}
	id, password, style, err := r.client.prove(params)
	if err != nil {
		return nil, &endpointError{err: err}
	}
	// x/oauth2 lets the grant type of this one be any, and knows resource
	// indicators and rotation neither here nor elsewhere.
	config := &clientcredentials.Config{
		ClientID: id, ClientSecret: string(password), TokenURL: r.url, AuthStyle: style, EndpointParams: params,
	}
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, r.client.bond.client(g)))
	if err != nil {
		return nil, r.failure(err)
	}
	return token, nil
}

// readGranted checks what was given. Its errors repeat nothing of it.
func readGranted(t *oauth2.Token, now time.Time) (*granted, error) {
	switch {
	case t.TokenType != "" && !strings.EqualFold(t.TokenType, bearerToken) && !strings.EqualFold(t.TokenType, boundToken):
		return nil, fmt.Errorf("a token of the type %q, which weir cannot use", said(t.TokenType, 40))
	case !isToken(t.AccessToken) || strings.Contains(t.AccessToken, " "):
		return nil, errors.New("an access token that cannot be one")
	case t.RefreshToken != "" && !isToken(t.RefreshToken):
		return nil, errors.New("a refresh token that cannot be one")
	}
	got := &granted{access: secret(t.AccessToken), refresh: secret(t.RefreshToken), issued: now, expiry: t.Expiry.Round(0)}
	got.bound = strings.EqualFold(t.TokenType, boundToken)
	if !t.Expiry.IsZero() {
		if t.Expiry.Before(now) { // a life that has ended before it began says nothing
			got.expiry = time.Time{}
		} else if latest := now.Add(maxLife); t.Expiry.After(latest) {
			got.expiry = latest
		}
	}
	if list, ok := t.Extra("scope").(string); ok && len(list) <= maxScope {
		got.scopes = scopesIn(list)
	}
	return got, nil
}

// kind is the type of the access token, as it is sent.
func (g *granted) kind() string {
	if g.bound {
		return boundToken
	}
	return bearerToken
}

func isToken(text string) bool {
	return text != "" && len(text) <= maxToken && isPrintable(text)
}

// An endpointError is why an endpoint of an authorization server gave nothing. Its
// text is fit to be shown, and holds no secret.
type endpointError struct {
	code        string // OAuth's (RFC 6749, section 5.2); "" if there was none
	description string // fit to be shown
	status      int    // 0 if there was no answer
	retryAfter  time.Duration
	temporary   bool
	what        string // that failed, if it was no request
	who         string // was asked; "" is the authorization server
	err         error  // what else went wrong; may be nil
}

func (e *endpointError) Error() string {
	var b strings.Builder
	who := cmp.Or(e.who, "authorization server")
	switch {
	case e.what != "":
		b.WriteString(e.what)
	case e.status == 0:
		b.WriteString("asking the " + who)
	case e.status/100 == 2 && e.code == "":
		b.WriteString("the " + who + " gave something else than a token")
	default:
		fmt.Fprintf(&b, "the %s answered %d", who, e.status)
		if e.code != "" {
			b.WriteString(" " + e.code)
		}
	}
	if e.description != "" {
		fmt.Fprintf(&b, ": %s", e.description)
	}
	if e.err != nil {
		b.WriteString(": " + e.err.Error())
	}
	return b.String()
}

// ofClient reports whether the server refuses the client, not what it asks for.
func (e *endpointError) ofClient() bool {
	return e.code == "invalid_client" || e.code == "unauthorized_client"
}

func (e *endpointError) Unwrap() error { return e.err }

// failure says what went wrong. What the server wrote is shown only where it does
// not repeat a secret that it was sent.
func (r *tokenRequest) failure(err error) *endpointError {
	answered, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return unanswered(err)
	}
	e := &endpointError{
		code:       errorCode(answered.ErrorCode, r.secrets()...),
		status:     answered.Response.StatusCode,
		retryAfter: retryAfter(answered.Response.Header, time.Now()),
	}
	e.temporary = isTemporary(e.status, e.code)
	if e.code == invalidProof {
		e.err = errWrongClock
	}
	if e.code != "" && answered.ErrorDescription != "" {
		e.description = said(answered.ErrorDescription, shownMost, r.secrets()...)
	}
	return e
}

// secrets are those that were sent.
func (r *tokenRequest) secrets() []secret {
	list := []secret{r.client.secret}
	for _, name := range []string{"refresh_token", "code", "code_verifier", "client_assertion", "assertion", "subject_token"} {
		list = append(list, secret(r.params.Get(name)))
	}
	return list
}

// unanswered is what went wrong without an answer, or with one that could not be
// understood: that may be repeated in the error of x/oauth2, and is not told.
func unanswered(err error) *endpointError {
	if refused, ok := errors.AsType[*guard.RefusedError](err); ok {
		return &endpointError{err: refused}
	}
	if tooLarge, ok := errors.AsType[*guard.TooLargeError](err); ok {
		return &endpointError{temporary: true, err: tooLarge}
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return &endpointError{temporary: true, err: wrapped.Err}
	}
	return &endpointError{status: http.StatusOK, temporary: true, err: errors.New("it cannot be read")}
}

func isTemporary(status int, code string) bool {
	switch code {
	case "temporarily_unavailable", "server_error", "slow_down", wantsNonce, invalidProof:
		return true
	}
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// errorCode is an OAuth error code as it came, if it can be one; "" if it repeats
// one of these secrets, or may be one.
func errorCode(text string, secrets ...secret) string {
	if len(text) > 64 || !isPrintable(text) || strings.ContainsAny(text, `"\ `) || looksSecret(text) {
		return ""
	}
	return without(text, secrets...)
}

const maxRetryAfter = time.Hour

// retryAfter is how long a server wants to be left alone (RFC 9110, section
// 10.2.3), an hour at most; 0 if it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		wait = time.Duration(min(max(seconds, 0), int64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
