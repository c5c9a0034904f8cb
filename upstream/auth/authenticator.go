package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/login"
)

// An Authenticator has the credentials of one server. It is safe for concurrent
// use, and has nothing to close: what it starts ends with its Keeper.
type Authenticator struct {
	keeper   *Keeper // nil for static kinds, which need none
	server   string
	endpoint string
	config   Config
	resolve  Resolve

	kind kind
}

// A kind is what authenticates in one way.
type kind interface {
	roundTripper(ctx context.Context, base http.RoundTripper) (http.RoundTripper, error)
	stamp(ctx context.Context) string
	wanted() *LoginError
	login(ctx context.Context, o LoginOptions) (*login.Attempt, error)
	logout(ctx context.Context) (Outcome, error)
	standing(ctx context.Context) (Standing, error)
}

// LoginOptions say how a login comes about.
type LoginOptions struct {
	// Unasked is a login that nobody has asked for in words: one that a call of a
	// tool led to. There is none where the configuration says so (OAuth.Ask),
	// where there is no desktop, while another one is under way, be it of another
	// server, and twice within an hour.
	Unasked bool
}

// An Outcome is what a Logout did.
type Outcome struct {
	Had     bool // there was a login
	Revoked bool // the authorization server has withdrawn its tokens
}

// A Standing is whether somebody is logged in, and for what. It holds no secrets.
type Standing struct {
	LoggedIn  bool
	Issuer    string // of the tokens
	Client    string // the client id
	Account   string // as configured
	Scopes    []string
	Since     time.Time // of the login
	Expiry    time.Time // of the access token; zero if it is not known
	Renewable bool      // it is renewed without the user
	Stored    string    // where: "keyring" or "file"; "" if nothing is stored
}

// Authenticator returns what authenticates to a server, whose configured name is
// for errors. The endpoint and the texts of the configuration may hold references,
// which resolve reads when they are needed; nil if there are none. Static kinds
// need no Keeper: k may be nil for them.
func (k *Keeper) Authenticator(server, endpoint string, config Config, resolve Resolve) *Authenticator {
	if resolve == nil {
		resolve = func(_ context.Context, text string) (string, error) { return text, nil }
	}
	a := &Authenticator{keeper: k, server: server, endpoint: endpoint, config: config, resolve: resolve}
	switch {
	case config.Kind != OAuth2:
		a.kind = newStatic(a)
	case !config.OAuth.Grant.NeedsPerson():
		a.kind = newMachine(a)
	default:
		a.kind = newPerson(a)
	}
	return a
}

// Kind is how it authenticates.
func (a *Authenticator) Kind() Kind { return a.config.Kind }

// RoundTripper returns one that authenticates the requests to the origin of the
// endpoint, and no other, before base sends them. It reads the references first,
// within ctx and 10 s. What was given up before is tried once more: make a
// RoundTripper for a new connection, not for a request.
//
// Its errors are a *[LoginError] or a *[TokenError] where a request was not
// executed for want of credentials, whatever was sent of it. A 401 or 403 that no
// other token can mend is the response, as it came. CloseIdleConnections passes
// through to base.
func (a *Authenticator) RoundTripper(ctx context.Context, base http.RoundTripper) (http.RoundTripper, error) {
	return a.kind.roundTripper(ctx, base)
}

// Stamp differs once there may be other credentials than before: somebody logged
// in, or out, in whatever process; or what a reference names has changed. That it
// differs does not say that they are any better. It is cheap for logins; else it
// reads the references, within ctx.
func (a *Authenticator) Stamp(ctx context.Context) string { return a.kind.stamp(ctx) }

// Wanted is the login that requests have been found to need; nil if there is none,
// or if somebody has logged in since.
func (a *Authenticator) Wanted() *LoginError { return a.kind.wanted() }

// Login begins a login, of the scopes that requests have been found to need: it
// finds out who gives out tokens, registers where it must, and listens for the
// browser to come back. ctx bounds that, not the attempt. When the attempt has
// ended well, requests go through. Another Login while one is under way in this
// process returns that. Somebody must open the attempt's URL (see Open), and wait
// for it or Close it.
func (a *Authenticator) Login(ctx context.Context, o LoginOptions) (*login.Attempt, error) {
	return a.kind.login(ctx, o)
}

// Open shows the user where to log in.
func (a *Authenticator) Open(ctx context.Context, attempt *login.Attempt) error {
	if a.keeper == nil || a.keeper.o.Browser == nil {
		return ErrNoBrowser
	}
	return a.keeper.o.Browser.Open(ctx, attempt.URL())
}

// Logout withdraws the tokens at the authorization server, if it can in 10 s, and
// forgets them and the registration.
func (a *Authenticator) Logout(ctx context.Context) (Outcome, error) { return a.kind.logout(ctx) }

// Standing says whether somebody is logged in.
func (a *Authenticator) Standing(ctx context.Context) (Standing, error) { return a.kind.standing(ctx) }
