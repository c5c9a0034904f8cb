package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/auth/discovery"
	"github.com/weir-mcp/weir/upstream/auth/guard"
)

// findServer finds the authorization server to use of those that a resource names:
// the configured one, if there is one; else the one that was used before; else the
// first that can be used. forPeople wants one where somebody can log in.
func findServer(ctx context.Context, g *guard.Client, r *discovery.Resource, configured, before string, forPeople bool) (*discovery.Server, error) {
	candidates := r.Issuer
	legacy := r.Legacy
	if configured != "" {
		at := slices.IndexFunc(r.Issuer, func(issuer string) bool {
			return strings.TrimSuffix(issuer, "/") == strings.TrimSuffix(configured, "/")
		})
		switch {
		case at >= 0:
			candidates = r.Issuer[at : at+1]
		case legacy: // the server says nothing: nobody is contradicted
			candidates, legacy = []string{configured}, false
		default:
			return nil, fmt.Errorf("auth.issuer is %q, but the server names %s", configured, quoted(r.Issuer))
		}
	} else if at := slices.Index(candidates, before); at > 0 {
		candidates = slices.Concat([]string{before}, candidates[:at], candidates[at+1:])
	}
	var first error
	for _, issuer := range candidates {
		server, err := discovery.FindServer(ctx, g, issuer, legacy)
		if errors.Is(err, discovery.ErrNoPKCE) && server != nil {
			err = nil // it is judged below
		}
		if err == nil {
			err = usableServer(server, forPeople)
		}
		if err == nil {
			return server, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

func usableServer(s *discovery.Server, forPeople bool) error {
	switch {
	case !forPeople:
		return nil
	case s.Authorization == "":
		return fmt.Errorf("the authorization server %q has no authorization endpoint: nobody can log in there", guard.Bare(s.Issuer))
	case !s.PKCE:
		return fmt.Errorf("the authorization server %q cannot be used: %w", guard.Bare(s.Issuer), discovery.ErrNoPKCE)
	}
	return nil
}

// quoted lists issuers for people.
func quoted(issuers []string) string {
	list := make([]string, len(issuers))
	for i, issuer := range issuers {
		list[i] = fmt.Sprintf("%q", guard.Bare(issuer))
	}
	return strings.Join(list, ", ")
}

// otherIssuer says why a client that the user has registered is not used: client
// ids and secrets are of one authorization server, and must not be shown to
// another (2025-11-25 and 2026-07-28, Authorization).
func otherIssuer(id, bound string, named []string) string {
	return fmt.Sprintf("client_id %q belongs to %q, and the server now names %s; if that is right, set auth.issuer",
		clip(id, 80), guard.Bare(bound), quoted(named))
}
