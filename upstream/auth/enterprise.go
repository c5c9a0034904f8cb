package auth

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/weir-mcp/weir/upstream/auth/discovery"
)

// This file trades what a user has by signing in at an identity provider for an
// assertion of who the user is (an ID-JAG), for one authorization server and one
// resource (io.modelcontextprotocol/enterprise-managed-authorization, section 4;
// draft-ietf-oauth-identity-assertion-authz-grant, section 4.3).

// Words of token exchange (RFC 8693, section 2.1).
const (
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange" //nolint:gosec // no credential
	tokenTypes    = "urn:ietf:params:oauth:token-type:"               //nolint:gosec // no credential
	idJAG         = tokenTypes + "id-jag"
	noAccessToken = "N_A" // the type of a token that is none to send with requests (section 2.2.1)
)

// Types of subject tokens, as configured and as they stand behind tokenTypes.
const (
	idToken = "id_token"
	saml2   = "saml2"
)

const identityProvider = "identity provider"

var errSignIn = errors.New("sign in at your identity provider again, and see that auth.identity_provider.subject_token is what that has given")

// readProvider reads who weir is at the identity provider, and where that is.
func (a *Authenticator) readProvider(ctx context.Context) (*settings, error) {
	const within = "identity_provider."
	p := a.config.OAuth.IdentityProvider
	s := &settings{}
	var hiddenText string
	var err error
	for _, t := range []struct {
		key, text string
		into      *string
	}{
		{"issuer", p.Issuer, &s.issuer},
		{"token_url", p.TokenURL, &s.tokenURL},
		{"client_id", p.ClientID, &s.clientID},
		{"client_secret", p.ClientSecret, &hiddenText},
		{"key_id", p.KeyID, &s.keyID},
	} {
		if *t.into, err = a.text(ctx, within+t.key, t.text); err != nil {
			return nil, err
		}
	}
	s.secret = secret(hiddenText)
	if s.clientAuth, err = authMethod(p.ClientAuth); err != nil {
		return nil, err
	}
	if s.key, err = a.key(ctx, within+"private_key", p.PrivateKey); err != nil {
		return nil, err
	}
	if s.clientID == "" {
		return nil, errors.New("auth.identity_provider.client_id: it is blank")
	}
	u, err := url.Parse(cmp.Or(s.tokenURL, s.issuer))
	if err != nil || u.Host == "" || !isSecure(u) {
		return nil, errors.New("auth.identity_provider: it is at no URL that a secret may be sent to; use https")
	}
	s.at = endpoint{text: u.String(), url: u, origin: originOf(u)}
	return s, nil
}

// readSubject reads the token that the user has by signing in. Its errors repeat
// nothing of it.
func (a *Authenticator) readSubject(ctx context.Context) (secret, error) {
	const key = "identity_provider.subject_token"
	p := a.config.OAuth.IdentityProvider
	if p.SubjectTokenType == idToken || p.SubjectTokenType == "" {
		return a.readJWT(ctx, key, p.SubjectToken)
	}
	token, err := a.readToken(ctx, key, p.SubjectToken)
	if err != nil {
		return "", err
	}
	if p.SubjectTokenType == saml2 && strings.HasPrefix(string(token), "<") {
		// The assertion itself, where its encoding is wanted (RFC 8693, section 3).
		return secret(base64.RawURLEncoding.EncodeToString([]byte(token))), nil
	}
	if !isToken(string(token)) {
		return "", fmt.Errorf("auth.%s: it cannot be one", key)
	}
	return token, nil
}

// exchange gets an assertion of who the user is, good for one request to the
// authorization server. The error is an *endpointError.
func (a *Authenticator) exchange(ctx context.Context, set *settings, from *whereto, scopes []string) (secret, error) {
	subject, err := a.readSubject(ctx)
	if err != nil {
		return "", &endpointError{what: "reading what the user has by signing in", temporary: true, err: err}
	}
	request, err := a.exchangeRequest(ctx, set, from, subject, scopes)
	if err != nil {
		return "", err
	}
	// The user has configured where the identity provider is, so it counts as the
	// configured server does: if it is inside, weir may go there, whatever the MCP
	// server names.
	g := a.guard(set.idp)
	defer g.Close()
	token, err := request.post(ctx, g)
	if err != nil {
		return "", ofProvider(err, subject)
	}
	if err := checkExchanged(token); err != nil {
		return "", &endpointError{who: identityProvider, status: http.StatusOK, err: err}
	}
	return secret(token.AccessToken), nil
}

// exchangeRequest is the request to the identity provider (RFC 8693, section 2.1).
func (a *Authenticator) exchangeRequest(ctx context.Context, set *settings, from *whereto, subject secret, scopes []string) (*tokenRequest, error) {
	at, server, err := a.findProvider(ctx, set.idp)
	if err != nil {
		return nil, err
	}
	c, err := configuredClient(set.idp, set.idp.clientID, server)
	if err != nil {
		return nil, &endpointError{what: "authenticating at the identity provider", err: err}
	}
	params := withResource(url.Values{
		"grant_type":           {tokenExchange},
		"requested_token_type": {idJAG},
		"audience":             {from.issuer(set)},
		"subject_token":        {string(subject)},
		"subject_token_type":   {tokenTypes + cmp.Or(a.config.OAuth.IdentityProvider.SubjectTokenType, idToken)},
	}, from.resource)
	if len(scopes) > 0 {
		params.Set("scope", strings.Join(scopes, " "))
	}
	return &tokenRequest{at, c, params}, nil
}

// issuer is who gives out the tokens.
func (w *whereto) issuer(set *settings) string {
	if w.server == nil {
		return set.issuer
	}
	return w.server.Issuer
}

// findProvider finds out where the identity provider exchanges tokens; server is
// nil if that is configured.
func (a *Authenticator) findProvider(ctx context.Context, idp *settings) (at string, server *discovery.Server, err error) {
	if idp.tokenURL != "" {
		return idp.tokenURL, nil, nil
	}
	g := a.guard(idp)
	defer g.Close()
	server, err = discovery.FindServer(ctx, g, idp.issuer, false)
	if err != nil {
		return "", nil, &endpointError{what: "finding out where the identity provider exchanges tokens", temporary: !isVerdict(err), err: err}
	}
	return server.Token, server, nil
}

// ofProvider makes an error of a token request that of the identity provider. It
// has no code of its own for a subject token that it does not take: by RFC 8693,
// section 2.2.2, that is an invalid_request, and most say invalid_grant.
func ofProvider(err error, subject secret) error {
	failed, ok := errors.AsType[*endpointError](err)
	if !ok {
		return err
	}
	failed.who = identityProvider
	if failed.temporary || failed.code == "" {
		return failed
	}
	if failed.code == "invalid_grant" || failed.code == "invalid_request" || expired("it", subject) != nil {
		failed.err = errSignIn
	}
	return failed
}

// checkExchanged checks that what the identity provider gave is an assertion of
// who the user is, and no token that opens something by itself: that would be
// shown to somebody whom it is not for. Its errors repeat nothing of it.
func checkExchanged(t *oauth2.Token) error {
	issued, _ := t.Extra("issued_token_type").(string)
	switch {
	case issued != idJAG:
		return fmt.Errorf("a token of the type %q, and not an ID-JAG", said(issued, 80))
	case !strings.EqualFold(t.TokenType, noAccessToken):
		return fmt.Errorf("an ID-JAG that it calls a token of the type %q", said(t.TokenType, 40))
	case len(t.AccessToken) > maxToken || !isJWT(secret(t.AccessToken)):
		return errors.New("an ID-JAG that is no JWT")
	}
	return nil
}
