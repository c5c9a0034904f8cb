package config

import (
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/auth"
)

// The words of auth of type oauth2.
var (
	grants      = []string{string(auth.AuthorizationCode), string(auth.ClientCredentials)}
	clientAuths = []string{"basic", "post"}
	loginWords  = []string{"auto", "ask"}
)

// reservedParams are the parameters of an authorization request that weir sets
// (RFC 6749, 4.1.1; RFC 7636, 4.3; RFC 8707), and those that would put others
// into their place (RFC 9101).
var reservedParams = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method", "resource",
	"request", "request_uri", "client_secret", "client_assertion",
}

// maxAccount is the largest length of auth.account, in bytes.
const maxAccount = 128

// An oauthMaker makes an auth.OAuth of its keys.
type oauthMaker struct {
	*serverMaker
	*oauth
	pos policy.Position // of auth
}

func (m *oauthMaker) make() {
	made := &m.made.Auth.OAuth
	made.Grant = auth.Grant(m.oneOf("grant", m.Grant, grants))
	made.ClientAuth = m.oneOf("client_auth", m.ClientAuth, clientAuths)
	made.Ask = m.oneOf("login", m.Login, loginWords) == "ask"
	made.ClientID = m.given("client_id", m.ClientID)
	made.Account = m.given("account", m.Account)
	made.ClientMetadataURL = m.address("client_metadata_url", m.ClientMetadataURL)
	made.Issuer = m.address("issuer", m.Issuer)
	made.TokenURL = m.address("token_url", m.TokenURL)
	if m.ClientSecret != nil {
		made.ClientSecret = m.secret(m.pos, "client_secret", m.ClientSecret)
	}
	m.privateKey()
	m.scopes()
	m.callbackPort()
	m.authorizeParams()
	m.together()
}

// oneOf is one of a few words, "" if none is given.
func (m *oauthMaker) oneOf(key string, t *text, words []string) string {
	if t == nil {
		return ""
	}
	if !slices.Contains(words, t.value) {
		m.fail(t.pos, "auth.%s: unknown word %q%s", key, t.value, meantOf(t.value, words, nil))
	}
	return t.value
}

// given is a word that must be something if its key is there.
func (m *oauthMaker) given(key string, t *text) string {
	before := len(m.errs)
	value := m.word(key, t)
	switch {
	case t == nil || len(m.errs) > before:
	case strings.TrimSpace(value) == "":
		m.fail(t.pos, "auth.%s: it is empty", key)
	case key == "account" && len(value) > maxAccount:
		m.fail(t.pos, "auth.account: it is longer than %d bytes", maxAccount)
	}
	return value
}

// address is a URL as RFC 8414, section 2, wants them, but for http on this
// machine; "" if none is given.
func (m *oauthMaker) address(key string, t *text) string {
	before := len(m.errs)
	value := m.given(key, t)
	if t == nil || len(m.errs) > before {
		return value
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		err = errors.New("it is not a URL")
	case u.Scheme == "http" && !isLoopback(u.Hostname()), u.Scheme != "http" && u.Scheme != "https":
		err = errors.New("it must begin with https:// (http:// is for this machine only)")
	case u.User != nil:
		err = errors.New("it must not have a name or password")
	case u.Hostname() == "":
		err = errors.New("it has no host")
	case strings.Contains(value, "#"):
		err = errors.New("it must not have a fragment (#)")
	case key == "issuer" && strings.Contains(value, "?"):
		err = errors.New("it must not have a query (?)")
	case key == "client_metadata_url" && (u.Scheme != "https" || strings.Trim(u.Path, "/") == ""):
		err = errors.New("it must begin with https:// and have a path")
	}
	if err != nil {
		m.fail(t.pos, "auth.%s: %v", key, err)
	}
	return value
}

// privateKey wants PEM text where it can be seen: a path is easily taken for it.
func (m *oauthMaker) privateKey() {
	if m.PrivateKey == nil {
		return
	}
	before := len(m.errs)
	value := m.required(m.pos, "private_key", m.PrivateKey)
	m.made.Auth.OAuth.PrivateKey = value
	if len(m.errs) > before || refers(value) {
		return
	}
	if block, _ := pem.Decode([]byte(value)); block == nil {
		m.fail(m.PrivateKey.pos, "auth.private_key: it is no key in PEM (for one in a file, write ${file:PATH})")
	}
}

// scopes checks them by RFC 6749, section 3.3.
func (m *oauthMaker) scopes() {
	m.made.Auth.OAuth.Scopes = m.Scopes
	for _, scope := range m.Scopes {
		if scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			m.fail(m.ScopesPos, "auth.scopes: %q is not a scope (each stands by itself, without spaces)", scope)
		}
	}
}

func (m *oauthMaker) callbackPort() {
	if m.CallbackPort == nil {
		return
	}
	m.made.Auth.OAuth.CallbackPort = *m.CallbackPort
	if *m.CallbackPort < 1 || *m.CallbackPort > 65535 {
		m.fail(m.CallbackPortPos, "auth.callback_port: %d is not a port (want 1 to 65535)", *m.CallbackPort)
	}
}

func (m *oauthMaker) authorizeParams() {
	if len(m.AuthorizeParams) == 0 {
		return
	}
	params := make(map[string]string, len(m.AuthorizeParams))
	for _, p := range m.AuthorizeParams {
		if p.key == "" || slices.Contains(reservedParams, strings.ToLower(p.key)) {
			m.fail(p.pos, "auth.authorize_params: weir sets %q itself", p.key)
		}
		params[p.key] = m.word("authorize_params."+p.key, &p.value)
	}
	m.made.Auth.OAuth.AuthorizeParams = params
}

// together refuses keys that mean nothing beside each other: who writes them
// expects something else than what would happen.
func (m *oauthMaker) together() {
	service := m.made.Auth.OAuth.Grant == auth.ClientCredentials
	for _, key := range []struct {
		name  string
		there *text
	}{
		{"login", m.Login},
		{"account", m.Account},
		{"client_metadata_url", m.ClientMetadataURL},
	} {
		if service && key.there != nil {
			m.fail(key.there.pos, "auth.%s: this key is for grant authorization_code", key.name)
		}
	}
	switch {
	case service && m.CallbackPort != nil:
		m.fail(m.CallbackPortPos, "auth.callback_port: this key is for grant authorization_code")
	case service && len(m.AuthorizeParams) > 0:
		m.fail(m.AuthorizeParams[0].pos, "auth.authorize_params: this key is for grant authorization_code")
	case service && m.ClientID == nil:
		m.fail(m.pos, `auth: grant client_credentials needs a "client_id"`)
	case service && m.ClientSecret == nil && m.PrivateKey == nil:
		m.fail(m.pos, `auth: grant client_credentials needs a "client_secret" or a "private_key"`)
	}
	switch {
	case m.ClientSecret != nil && m.PrivateKey != nil:
		m.fail(m.PrivateKey.pos, `auth: it has both a "client_secret" and a "private_key"`)
	case m.ClientSecret != nil && m.ClientID == nil && !service:
		m.fail(m.ClientSecret.pos, `auth.client_secret: it needs a "client_id"`)
	case m.PrivateKey != nil && m.ClientID == nil && !service:
		m.fail(m.PrivateKey.pos, `auth.private_key: it needs a "client_id"`)
	case m.ClientAuth != nil && m.ClientSecret == nil:
		m.fail(m.ClientAuth.pos, `auth.client_auth: it says how a "client_secret" is sent, and there is none`)
	case m.ClientMetadataURL != nil && m.ClientID != nil:
		m.fail(m.ClientMetadataURL.pos, `auth.client_metadata_url: there is a "client_id" already`)
	case m.TokenURL != nil && !service:
		m.fail(m.TokenURL.pos, "auth.token_url: this key is for grant client_credentials (for a login, name the issuer, if anything)")
	}
}
