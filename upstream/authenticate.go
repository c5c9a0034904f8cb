package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
	"github.com/weir-mcp/weir/upstream/transport"
)

// This file is the way of every request over HTTP to a server: with credentials,
// and watched for what the server says of them.

// An authenticator is what an upstream needs of an [auth.Authenticator].
type authenticator interface {
	RoundTripper(ctx context.Context, base http.RoundTripper) (http.RoundTripper, error)
	Stamp(ctx context.Context) string
	Wanted() *auth.LoginError
	Login(ctx context.Context, o auth.LoginOptions) (*login.Attempt, error)
}

func newAuthenticator(cfg *Config, keeper *auth.Keeper) authenticator {
	if cfg.Auth.Kind == auth.None || cfg.Auth.Kind == auth.OAuth2 && keeper == nil {
		return ownHeaders{cfg}
	}
	return keeper.Authenticator(cfg.Name, cfg.URL, cfg.Auth, cfg.Resolve)
}

// ownHeaders are the credentials of a server without any but those that may
// stand in its URL and headers.
type ownHeaders struct{ cfg *Config }

// RoundTripper returns base.
func (ownHeaders) RoundTripper(_ context.Context, base http.RoundTripper) (http.RoundTripper, error) {
	return base, nil
}

// Stamp is a digest of what the references lead to.
func (h ownHeaders) Stamp(ctx context.Context) string {
	if h.cfg.Resolve == nil {
		return ""
	}
	cfg, err := Config{URL: h.cfg.URL, Headers: h.cfg.Headers, Resolve: h.cfg.Resolve}.resolved(ctx)
	if err != nil {
		return ""
	}
	digest := sha256.New()
	_, _ = fmt.Fprintf(digest, "%q", cfg.URL) // never fails
	for _, name := range slices.Sorted(maps.Keys(cfg.Headers)) {
		_, _ = fmt.Fprintf(digest, "%q%q", name, cfg.Headers[name])
	}
	return base64.RawStdEncoding.EncodeToString(digest.Sum(nil))
}

// Wanted returns nil: nobody can log in.
func (ownHeaders) Wanted() *auth.LoginError { return nil }

// Login fails.
func (h ownHeaders) Login(context.Context, auth.LoginOptions) (*login.Attempt, error) {
	return nil, ConfigurationError{&Fault{
		Server: h.cfg.Name, Text: "weir's configuration says nothing of a login to this server",
		Hint: "Set `auth: {type: oauth2}` for it there.",
	}}
}

// roundTripper returns the way to the server over base. It reads the credentials.
func (c *connection) roundTripper(ctx context.Context, base http.RoundTripper) (http.RoundTripper, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	rt, err := c.u.auth.RoundTripper(ctx, base)
	if err != nil {
		return nil, c.u.unreadable(err)
	}
	return &gate{base: rt, c: c}, nil
}

// A gate watches what becomes of the requests of one connection.
type gate struct {
	base http.RoundTripper // authenticates
	c    *connection
}

// RoundTrip makes a [transport.RefusedError] of what authentication says of a
// request that was not executed.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	since := g.c.u.epoch.Load()
	resp, err := g.base.RoundTrip(req)
	if err != nil {
		return nil, g.refused(req, since, err)
	}
	if req.Method != http.MethodPost {
		return resp, nil // what a server thinks of a stream does not concern calls
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		challenge := resp.Header.Values("Www-Authenticate")
		g.c.turnedAway(since, &transport.StatusError{Code: resp.StatusCode, Challenge: challenge})
	case http.StatusTooManyRequests:
		g.c.u.holdBack(transport.RetryAfter(resp))
	}
	return resp, nil
}

// CloseIdleConnections closes those of the base.
func (g *gate) CloseIdleConnections() {
	(&http.Client{Transport: g.base}).CloseIdleConnections()
}

func (g *gate) refused(req *http.Request, since uint64, err error) error {
	if wanted, ok := errors.AsType[*auth.LoginError](err); ok {
		refusal := &transport.RefusedError{Err: wanted}
		switch {
		case !wanted.StepUp:
			g.c.turnedAway(since, refusal)
		case req.Method == http.MethodPost:
			g.c.u.noteStepUp(since, wanted)
		}
		return refusal
	}
	if none, ok := errors.AsType[*auth.TokenError](err); ok {
		refusal := &transport.RefusedError{Err: none, Temporary: none.Temporary}
		if !none.Temporary {
			g.c.turnedAway(since, refusal)
		}
		return refusal
	}
	return err
}

// turnedAway tells the supervisor that the server, or its authorization server,
// will not have the credentials of the connection, which were those of that
// epoch.
func (c *connection) turnedAway(epoch uint64, err error) {
	select {
	case c.refusals <- refusal{epoch, c.u.failure(err)}:
	default: // one is as good as many
	}
}

// A refusal is a server that will not have the credentials of an epoch.
type refusal struct {
	epoch   uint64
	failure Failure
}

// longestHold bounds how long calls are held back because the server asked for
// fewer: one that asks for a day may have meant one of its other clients.
const longestHold = time.Minute

// holdBack sends no call for as long as the server asks.
func (u *Upstream) holdBack(asked time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if until := time.Now().Add(min(asked, longestHold)); until.After(u.held) {
		u.held = until
	}
}

// heldBack is why no call is sent now; nil if it may be. The caller holds u.mu.
func (u *Upstream) heldBack() error {
	if u.held.IsZero() {
		return nil
	}
	wait := time.Until(u.held)
	if wait <= 0 {
		u.held = time.Time{}
		return nil
	}
	return RateLimitError{&Fault{
		Server: u.cfg.Name, Retryable: true, RetryAfter: wait,
		Text: "the server asked for fewer requests a moment ago",
		Hint: fmt.Sprintf("Nothing was sent. Try again in %v.", wait.Round(time.Second)),
	}}
}
