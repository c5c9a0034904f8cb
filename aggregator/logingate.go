package aggregator

import (
	"context"
	"errors"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
)

// upstreamGate is the gate of an upstream.
type upstreamGate struct{ up *upstream.Upstream }

// gateOf returns the gate of an upstream; nil for one that no person logs in to.
func gateOf(up *upstream.Upstream) gate {
	cfg := up.Config().Auth
	if up.Authenticator() == nil || cfg.Kind != auth.OAuth2 || !cfg.OAuth.Grant.NeedsPerson() {
		return nil
	}
	return upstreamGate{up}
}

// LoginWanted is what requests have been found to need, be it known to the
// supervisor already or not.
func (g upstreamGate) LoginWanted() *auth.LoginError {
	if wanted := g.up.Authenticator().Wanted(); wanted != nil {
		return wanted
	}
	return g.up.LoginWanted()
}

// BeginLogin implements gate.
func (g upstreamGate) BeginLogin(ctx context.Context, o auth.LoginOptions) (attempt, error) {
	at, err := g.up.BeginLogin(ctx, o)
	if err != nil {
		return nil, err // never a nil attempt in an interface
	}
	return at, nil
}

// Open implements gate.
func (g upstreamGate) Open(ctx context.Context, at attempt) error {
	begun, ok := at.(*login.Attempt)
	if !ok {
		return errors.New("an attempt of another gate")
	}
	return g.up.Authenticator().Open(ctx, begun)
}

// CredentialsChanged implements gate.
func (g upstreamGate) CredentialsChanged() { g.up.CredentialsChanged() }
