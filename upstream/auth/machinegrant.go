package auth

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/weir-mcp/weir/upstream/auth/guard"
)

// This file is what a machine has to show for its tokens: a client of its own, a
// token that what weir runs on has given it, or one of an identity provider.

// jwtBearer is the grant type of assertions (RFC 7523, section 2.1).
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // no credential

// complete says what is missing in settings, after their references were read.
func (m *machine) complete(set *settings) error {
	switch m.a.config.OAuth.Grant {
	case JWTBearer: // what it shows says who it is; a client is optional
		return nil
	case Enterprise:
		switch {
		case set.clientID == "" && set.metadataURL == "":
			return errors.New("auth.client_id: it is blank")
		case set.tokenURL != "" && set.issuer == "":
			return errors.New("auth.issuer: it is blank, and nothing else says whom the identity provider is to name")
		}
	case AuthorizationCode, ClientCredentials:
		if set.clientID == "" {
			return errors.New("auth.client_id: it is blank")
		}
	}
	return nil
}

// request asks the token endpoint once. What it shows is got for this request and
// used for no other: an assertion may be good for one only.
func (m *machine) request(ctx context.Context, g *guard.Client, set *settings, from *whereto, c *client, scopes []string) (*granted, error) {
	params, err := m.params(ctx, set, from, scopes)
	if err != nil {
		return nil, err
	}
	request := tokenRequest{from.token, c, params}
	got, err := request.send(ctx, g)
	if failed, ok := errors.AsType[*endpointError](err); ok && failed.code == "invalid_grant" && m.a.config.OAuth.Grant == JWTBearer {
		failed.err = expired("auth.assertion", secret(params.Get("assertion")))
	}
	return got, err
}

// params are those of the grant, with the resource (RFC 8707, section 2.2). The
// error is an *endpointError.
func (m *machine) params(ctx context.Context, set *settings, from *whereto, scopes []string) (url.Values, error) {
	params := withResource(url.Values{"grant_type": {string(ClientCredentials)}}, from.resource)
	if len(scopes) > 0 {
		params.Set("scope", strings.Join(scopes, " "))
	}
	var assertion secret
	var err error
	switch m.a.config.OAuth.Grant {
	case AuthorizationCode, ClientCredentials:
		return params, nil
	case JWTBearer:
		assertion, err = m.a.assertionFor(ctx, set, from)
	case Enterprise:
		assertion, err = m.a.exchange(ctx, set, from, scopes)
	}
	params.Set("grant_type", jwtBearer)
	params.Set("assertion", string(assertion))
	return params, err
}

// readShown reads what the grant shows, and who weir is where that is good for.
func (a *Authenticator) readShown(ctx context.Context, s *settings) (err error) {
	switch a.config.OAuth.Grant {
	case JWTBearer:
		s.shown, err = a.readAssertion(ctx)
	case Enterprise:
		if s.idp, err = a.readProvider(ctx); err == nil {
			s.shown, err = a.readSubject(ctx)
		}
	case AuthorizationCode, ClientCredentials:
	}
	return err
}

// readAssertion reads the assertion. Its errors repeat nothing of it.
func (a *Authenticator) readAssertion(ctx context.Context) (secret, error) {
	return a.readJWT(ctx, "assertion", a.config.OAuth.Assertion)
}

// readJWT reads a token that must be a JWT: another file's secret, named by
// mistake, is sent to nobody.
func (a *Authenticator) readJWT(ctx context.Context, key, text string) (secret, error) {
	token, err := a.readToken(ctx, key, text)
	if err == nil && !isJWT(token) {
		err = fmt.Errorf("auth.%s: it is no JWT", key)
	}
	if err != nil {
		return "", err
	}
	return token, nil
}

// readToken reads a token that something else provides, without the white space
// around it.
func (a *Authenticator) readToken(ctx context.Context, key, text string) (secret, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	token, err := a.resolve(ctx, text)
	token = strings.TrimSpace(token)
	switch {
	case err != nil:
	case token == "":
		err = errors.New("it is blank")
	case len(token) > maxToken:
		err = fmt.Errorf("it is longer than %d bytes", maxToken)
	}
	if err != nil {
		return "", fmt.Errorf("auth.%s: %w", key, err)
	}
	return secret(token), nil
}

// isJWT reports whether a token has the form of one that is signed, or encrypted
// (RFC 7515, section 7.1; RFC 7516, section 7.1).
func isJWT(token secret) bool {
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 && len(parts) != 5 || parts[0] == "" || parts[len(parts)-1] == "" {
		return false
	}
	return !slices.ContainsFunc(parts, func(part string) bool {
		return strings.Trim(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != ""
	})
}

// claimsOf are the claims of a JWT, which nobody has verified; nil if they cannot
// be read.
func claimsOf(token secret) *jwt.RegisteredClaims {
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	claims := &jwt.RegisteredClaims{}
	if err != nil || json.Unmarshal(payload, claims) != nil {
		return nil
	}
	return claims
}

// expired says that a token has, by this machine's clock; nil if it has not, or
// does not say.
func expired(name string, token secret) error {
	claims := claimsOf(token)
	if claims == nil || claims.ExpiresAt == nil || time.Now().Before(claims.ExpiresAt.Time) {
		return nil
	}
	return fmt.Errorf("%s has expired on %s, and a new one is not there", name, claims.ExpiresAt.UTC().Format(time.RFC3339))
}

// assertionFor reads the assertion anew, to be sent to the authorization server.
// Whoever has it can be weir at the one that it is for: a server that names one
// of its own would have it, if nobody but it says where it belongs. The error is
// an *endpointError.
func (a *Authenticator) assertionFor(ctx context.Context, set *settings, from *whereto) (secret, error) {
	assertion, err := a.readAssertion(ctx)
	if err != nil {
		return "", &endpointError{what: "reading what weir is to show", temporary: true, err: err}
	}
	if set.issuer == "" && set.tokenURL == "" && !isFor(assertion, from.server.Issuer, from.server.Token) {
		return "", &endpointError{what: fmt.Sprintf(
			"auth.assertion is not for %q, which the server names; if it may be shown there, set auth.issuer", guard.Bare(from.server.Issuer),
		)}
	}
	return assertion, nil
}

// isFor reports whether one of these is in the audience of a JWT. Of a slash at
// the end people make nothing.
func isFor(token secret, audience ...string) bool {
	claims := claimsOf(token)
	return claims != nil && slices.ContainsFunc(claims.Audience, func(named string) bool {
		return slices.ContainsFunc(audience, func(one string) bool { return strings.TrimSuffix(named, "/") == strings.TrimSuffix(one, "/") })
	})
}

// ofSecret reports whether the authorization server of the MCP server says that the
// client has not proved who it is.
func (e *endpointError) ofSecret() bool { return e.code == "invalid_client" && e.who == "" }

// otherIssuer says why the configured credentials are not used.
func (s *settings) otherIssuer(bound string, named []string) string {
	if id := cmp.Or(s.clientID, s.metadataURL); id != "" {
		return otherIssuer(id, bound, named)
	}
	return fmt.Sprintf("auth.assertion was shown to %q, and the server now names %s; if that is right, set auth.issuer",
		guard.Bare(bound), quoted(named))
}
