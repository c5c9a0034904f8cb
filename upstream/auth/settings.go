package auth

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/auth/guard"
)

// settings are an OAuth configuration with its references read. They hold secrets.
type settings struct {
	at      endpoint
	account string

	clientID    string
	secret      secret
	key         crypto.Signer // nil for none
	keyID       string        // of key, as the authorization server knows it; "" for none
	clientAuth  string        // token_endpoint_auth_method of the secret; "" finds out
	metadataURL string
	issuer      string
	tokenURL    string
	scopes      []string
	resource    string // NoResource, a URI, or "" for that of the server
	extra       url.Values

	shown secret    // what says who weir or its user is, for grants that have it
	idp   *settings // of weir at the identity provider, which is at; nil for none
}

// readSettings reads the references, within ctx and 10 s.
func (a *Authenticator) readSettings(ctx context.Context) (*settings, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	at, err := a.place(ctx)
	if err != nil {
		return nil, err
	}
	o := a.config.OAuth
	s := &settings{at: at, extra: url.Values{}}
	var hiddenText string
	for _, t := range []struct {
		key, text string
		into      *string
	}{
		{"account", o.Account, &s.account},
		{"client_id", o.ClientID, &s.clientID},
		{"client_secret", o.ClientSecret, &hiddenText},
		{"key_id", o.KeyID, &s.keyID},
		{"client_metadata_url", o.ClientMetadataURL, &s.metadataURL},
		{"issuer", o.Issuer, &s.issuer},
		{"token_url", o.TokenURL, &s.tokenURL},
		{"resource", o.Resource, &s.resource},
	} {
		if *t.into, err = a.text(ctx, t.key, t.text); err != nil {
			return nil, err
		}
	}
	s.secret = secret(hiddenText)
	for _, text := range o.Scopes {
		scope, err := a.text(ctx, "scopes", text)
		if err != nil {
			return nil, err
		}
		s.scopes = append(s.scopes, scope)
	}
	for name, text := range o.AuthorizeParams {
		value, err := a.text(ctx, "authorize_params."+name, text)
		if err != nil {
			return nil, err
		}
		s.extra.Set(name, value)
	}
	if s.clientAuth, err = authMethod(o.ClientAuth); err != nil {
		return nil, err
	}
	if s.key, err = a.key(ctx, "private_key", o.PrivateKey); err != nil {
		return nil, err
	}
	return s, a.readShown(ctx, s)
}

// wantsSameLogin reports whether other settings are served by the same login.
func (s *settings) wantsSameLogin(o *settings) bool {
	return s.at.text == o.at.text && s.account == o.account && s.clientID == o.clientID && s.issuer == o.issuer
}

// admits reports whether there is a login, and it is of the client and of the
// issuer that the configuration names, where it does.
func (s *settings) admits(l *credentials.Login) bool {
	return l != nil && (s.clientID == "" || s.isClient(&l.Client)) && s.admitsIssuer(l.Key.Issuer)
}

// isClient reports whether a client is the configured one. One that an issuer has
// registered may have been given the same id.
func (s *settings) isClient(c *credentials.Client) bool {
	return c.Port == 0 && c.ID == s.clientID && s.admitsIssuer(c.Issuer)
}

// admitsIssuer compares as people write issuers.
func (s *settings) admitsIssuer(issuer string) bool {
	return s.issuer == "" || strings.TrimSuffix(s.issuer, "/") == strings.TrimSuffix(issuer, "/")
}

// indicator is how the resource is named to an authorization server, whatever the
// server calls itself; "" if it is not.
func (s *settings) indicator(itself string) string {
	switch s.resource {
	case "":
		return itself
	case NoResource:
		return ""
	}
	return s.resource
}

// withResource adds the resource to the parameters of a request (RFC 8707, section
// 2), if it is to be named.
func withResource(params url.Values, resource string) url.Values {
	if resource != "" {
		params.Set("resource", resource)
	}
	return params
}

// authMethod translates the configured way to send a secret.
func authMethod(configured string) (string, error) {
	switch configured {
	case "":
		return "", nil
	case "basic":
		return secretBasic, nil
	case "post":
		return secretPost, nil
	}
	return "", fmt.Errorf("auth.client_auth: unknown %q (want basic or post)", configured)
}

// key reads a private key, whose lines end as lines do; nil for none.
func (a *Authenticator) key(ctx context.Context, name, text string) (key crypto.Signer, err error) {
	text, err = a.resolve(ctx, text)
	if err == nil && text != "" {
		key, err = parseKey(text)
	}
	if err != nil {
		return nil, fmt.Errorf("auth.%s: %w", name, err)
	}
	return key, nil
}

var errNoKeeper = errors.New("OAuth is not to be had here")

// guard returns what fetches for the sake of the server. Close it.
func (a *Authenticator) guard(s *settings) *guard.Client {
	return guard.NewClient(s.at.url, a.keeper.o.Transport)
}
