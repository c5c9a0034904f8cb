package config

import (
	"cmp"
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
	grants = []string{
		string(auth.AuthorizationCode), string(auth.ClientCredentials), string(auth.JWTBearer), string(auth.Enterprise),
	}
	clientAuths = []string{"basic", "post"}
	loginWords  = []string{"auto", "ask"}
	dpopWords   = []string{"auto", "off"}

	callbackHosts = []string{"127.0.0.1", "localhost"}

	subjectTokenTypes = []string{"id_token", "refresh_token", "saml2"}
)

// reservedParams are the parameters of an authorization request that weir sets
// (RFC 6749, 4.1.1; RFC 7636, 4.3; RFC 8707; RFC 9449, 10), and those that would put others
// into their place (RFC 9101).
var reservedParams = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method", "resource",
	"request", "request_uri", "client_secret", "client_assertion", "dpop_jkt",
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
	made.Unbound = m.oneOf("dpop", m.DPoP, dpopWords) == "off"
	made.ClientID = m.given("client_id", m.ClientID)
	made.Account = m.given("account", m.Account)
	made.ClientMetadataURL = m.address("client_metadata_url", m.ClientMetadataURL)
	made.Issuer = m.address("issuer", m.Issuer)
	made.TokenURL = m.address("token_url", m.TokenURL)
	if m.ClientSecret != nil {
		made.ClientSecret = m.secret(m.pos, "client_secret", m.ClientSecret)
	}
	made.PrivateKey = m.privateKey("private_key", m.PrivateKey)
	made.KeyID = m.given("key_id", m.KeyID)
	m.scopes()
	made.Resource = m.resource()
	made.CallbackHost = m.oneOf("callback_host", m.CallbackHost, callbackHosts)
	m.callbackPort()
	m.authorizeParams()
	if m.Assertion != nil {
		made.Assertion = m.jwt("assertion", m.Assertion)
	}
	if m.IdentityProvider != nil {
		m.identityProvider()
	}
	if made.Grant == "" || slices.Contains(grants, string(made.Grant)) {
		m.together()
	}
}

const withinProvider = "identity_provider."

// identityProvider reads who weir is at the one of an enterprise, and what the user
// has from there.
func (m *oauthMaker) identityProvider() {
	p, made := m.IdentityProvider, &m.made.Auth.OAuth.IdentityProvider
	made.Issuer = m.address(withinProvider+"issuer", p.Issuer)
	made.TokenURL = m.address(withinProvider+"token_url", p.TokenURL)
	made.ClientID = m.given(withinProvider+"client_id", p.ClientID)
	made.ClientAuth = m.oneOf(withinProvider+"client_auth", p.ClientAuth, clientAuths)
	made.SubjectTokenType = m.oneOf(withinProvider+"subject_token_type", p.SubjectTokenType, subjectTokenTypes)
	made.PrivateKey = m.privateKey(withinProvider+"private_key", p.PrivateKey)
	made.KeyID = m.given(withinProvider+"key_id", p.KeyID)
	if p.ClientSecret != nil {
		made.ClientSecret = m.secret(p.Pos, withinProvider+"client_secret", p.ClientSecret)
	}
	if made.SubjectTokenType == "" || made.SubjectTokenType == "id_token" {
		made.SubjectToken = m.jwt(withinProvider+"subject_token", p.SubjectToken)
	} else {
		made.SubjectToken = m.required(p.Pos, withinProvider+"subject_token", p.SubjectToken)
	}
	switch {
	case p.ClientID == nil:
		m.fail(p.Pos, `auth: "identity_provider.client_id" is missing`)
	case p.Issuer == nil && p.TokenURL == nil:
		m.fail(p.Pos, `auth.identity_provider: it needs an "issuer" or a "token_url"`)
	case p.Issuer != nil && p.TokenURL != nil:
		m.fail(p.TokenURL.pos, `auth.identity_provider: it has both an "issuer" and a "token_url"; one of them says where tokens are exchanged`)
	case p.ClientSecret != nil && p.PrivateKey != nil:
		m.fail(p.PrivateKey.pos, `auth.identity_provider: it has both a "client_secret" and a "private_key"`)
	case p.KeyID != nil && p.PrivateKey == nil:
		m.fail(p.KeyID.pos, `auth.identity_provider.key_id: it names a "private_key", and there is none`)
	case p.ClientAuth != nil && p.ClientSecret == nil:
		m.fail(p.ClientAuth.pos, `auth.identity_provider.client_auth: it says how a "client_secret" is sent, and there is none`)
	}
}

// jwt wants a token where it can be seen: a path is easily taken for it. Errors do
// not repeat it.
func (m *oauthMaker) jwt(key string, t *text) string {
	before := len(m.errs)
	value := m.required(m.pos, key, t)
	if len(m.errs) > before || refers(value) {
		return value
	}
	if dots := strings.Count(value, "."); dots != 2 && dots != 4 || strings.ContainsAny(value, `/\ `) {
		m.fail(t.pos, "auth.%s: it is no JWT (for one in a file, write ${file:PATH})", key)
	}
	return value
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
	case strings.HasSuffix(key, "issuer") && strings.Contains(value, "?"):
		err = errors.New("it must not have a query (?)")
	case key == "client_metadata_url" && (u.Scheme != "https" || strings.Trim(u.Path, "/") == ""):
		err = errors.New("it must begin with https:// and have a path")
	}
	if err != nil {
		m.fail(t.pos, "auth.%s: %v", key, err)
	}
	return value
}

// resource is a resource indicator (RFC 8707, section 2), or the word for none; ""
// if it is not given.
func (m *oauthMaker) resource() string {
	before := len(m.errs)
	value := m.given("resource", m.Resource)
	if m.Resource == nil || len(m.errs) > before || value == auth.NoResource {
		return value
	}
	u, err := url.Parse(value)
	if err != nil || !u.IsAbs() || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }) {
		m.fail(m.Resource.pos, "auth.resource: %q is no absolute URI without a fragment (want one, or none)", value)
	}
	return value
}

// privateKey wants PEM text where it can be seen: a path is easily taken for it.
func (m *oauthMaker) privateKey(key string, t *text) string {
	if t == nil {
		return ""
	}
	before := len(m.errs)
	value := m.required(m.pos, key, t)
	if len(m.errs) > before || refers(value) {
		return value
	}
	if block, _ := pem.Decode([]byte(value)); block == nil {
		m.fail(t.pos, "auth.%s: it is no key in PEM (for one in a file, write ${file:PATH})", key)
	}
	return value
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

// A grantKey is a key that only some grants know.
type grantKey struct {
	name   string
	pos    *policy.Position // nil if it is not there
	grants []auth.Grant
	hint   string
}

func (m *oauthMaker) grantKeys() []grantKey {
	person := []auth.Grant{auth.AuthorizationCode}
	at := func(t *text) *policy.Position {
		if t == nil {
			return nil
		}
		return &t.pos
	}
	keys := []grantKey{
		{"login", at(m.Login), person, ""},
		{"account", at(m.Account), person, ""},
		{"callback_host", at(m.CallbackHost), person, ""},
		{"client_metadata_url", at(m.ClientMetadataURL), []auth.Grant{auth.AuthorizationCode, auth.Enterprise}, ""},
		{
			"token_url", at(m.TokenURL),
			[]auth.Grant{auth.ClientCredentials, auth.JWTBearer, auth.Enterprise},
			" (for a login, name the issuer, if anything)",
		},
		{"assertion", at(m.Assertion), []auth.Grant{auth.JWTBearer}, ""},
	}
	if m.CallbackPort != nil {
		keys = append(keys, grantKey{"callback_port", &m.CallbackPortPos, person, ""})
	}
	if len(m.AuthorizeParams) > 0 {
		keys = append(keys, grantKey{"authorize_params", &m.AuthorizeParams[0].pos, person, ""})
	}
	if m.IdentityProvider != nil {
		keys = append(keys, grantKey{"identity_provider", &m.IdentityProvider.Pos, []auth.Grant{auth.Enterprise}, ""})
	}
	return keys
}

// together refuses keys that mean nothing beside each other, and grants without
// what they need: who writes them expects something else than what would happen.
func (m *oauthMaker) together() {
	grant := cmp.Or(m.made.Auth.OAuth.Grant, auth.AuthorizationCode)
	for _, key := range m.grantKeys() {
		if key.pos != nil && !slices.Contains(key.grants, grant) {
			m.fail(*key.pos, "auth.%s: this key is for grant %s%s", key.name, orGrants(key.grants), key.hint)
		}
	}
	missing := m.missing(grant)
	if missing != "" {
		m.fail(m.pos, "auth: grant %s needs %s", grant, missing)
	}
	switch {
	case m.ClientSecret != nil && m.PrivateKey != nil:
		m.fail(m.PrivateKey.pos, `auth: it has both a "client_secret" and a "private_key"`)
	case m.ClientID != nil || missing != "":
	case m.ClientSecret != nil:
		m.fail(m.ClientSecret.pos, `auth.client_secret: it needs a "client_id"`)
	case m.PrivateKey != nil && (grant != auth.Enterprise || m.ClientMetadataURL == nil): // a document may name its public half
		m.fail(m.PrivateKey.pos, `auth.private_key: it needs a "client_id"`)
	}
	switch {
	case m.ClientAuth != nil && m.ClientSecret == nil:
		m.fail(m.ClientAuth.pos, `auth.client_auth: it says how a "client_secret" is sent, and there is none`)
	case m.KeyID != nil && m.PrivateKey == nil:
		m.fail(m.KeyID.pos, `auth.key_id: it names a "private_key", and there is none`)
	case m.ClientMetadataURL != nil && m.ClientID != nil:
		m.fail(m.ClientMetadataURL.pos, `auth.client_metadata_url: there is a "client_id" already`)
	}
}

// missing is what a grant lacks, "" for nothing.
func (m *oauthMaker) missing(grant auth.Grant) string {
	switch grant {
	case auth.ClientCredentials:
		switch {
		case m.ClientID == nil:
			return `a "client_id"`
		case m.ClientSecret == nil && m.PrivateKey == nil:
			return `a "client_secret" or a "private_key"`
		}
	case auth.JWTBearer:
		if m.Assertion == nil {
			return `an "assertion"`
		}
	case auth.Enterprise:
		switch {
		case m.IdentityProvider == nil:
			return `an "identity_provider"`
		case m.ClientID == nil && m.ClientMetadataURL == nil:
			return `a "client_id" or a "client_metadata_url"`
		case m.TokenURL != nil && m.Issuer == nil:
			return `an "issuer" beside "token_url": the identity provider is told who is meant`
		}
	case auth.AuthorizationCode:
	}
	return ""
}

func orGrants(grants []auth.Grant) string {
	words := make([]string, len(grants))
	for i, grant := range grants {
		words[i] = string(grant)
	}
	return orList(words)
}
