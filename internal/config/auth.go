package config

import (
	"cmp"
	"fmt"
	"net/textproto"
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/auth"
)

// noAuth is the word for no authentication at all.
const noAuth = "none"

// authTypes are the words for auth.type.
var authTypes = []string{noAuth, string(auth.Bearer), string(auth.APIKey), string(auth.Basic), string(auth.OAuth2)}

// authSynonyms are the words that other programs have for them.
var authSynonyms = map[string]string{
	"bearer_token": string(auth.Bearer), "bearertoken": string(auth.Bearer), "token": string(auth.Bearer),
	"apikey": string(auth.APIKey), "api-key": string(auth.APIKey), "header": string(auth.APIKey),
	"basic_auth": string(auth.Basic), "password": string(auth.Basic),
	"o_auth2": string(auth.OAuth2), "oauth": string(auth.OAuth2), "oidc": string(auth.OAuth2),
}

// An authentication is how weir authenticates to a server. Of the keys only those
// of its type are there.
type authentication struct {
	pos  policy.Position
	kind text

	bearer bearerAuth
	apiKey apiKeyAuth
	basic  basicAuth
	oauth  oauth
}

type bearerAuth struct {
	Type  *text `yaml:"type"`
	Token *text `yaml:"token"`
}

type apiKeyAuth struct {
	Type   *text `yaml:"type"`
	Value  *text `yaml:"value"`
	Header *text `yaml:"header"` // default Authorization
	Prefix *text `yaml:"prefix"`
}

type basicAuth struct {
	Type     *text `yaml:"type"`
	Username *text `yaml:"username"`
	Password *text `yaml:"password"`
}

type oauth struct {
	Type              *text         `yaml:"type"`
	Grant             *text         `yaml:"grant"` // default authorization_code
	ClientID          *text         `yaml:"client_id"`
	ClientSecret      *text         `yaml:"client_secret"`
	PrivateKey        *text         `yaml:"private_key"`
	KeyID             *text         `yaml:"key_id"`      // of private_key
	ClientAuth        *text         `yaml:"client_auth"` // basic or post; default: as the server says
	ClientMetadataURL *text         `yaml:"client_metadata_url"`
	Issuer            *text         `yaml:"issuer"`
	TokenURL          *text         `yaml:"token_url"`
	Scopes            []string      `yaml:"scopes"`
	Resource          *text         `yaml:"resource"`      // a URI or none; default: what the server calls itself
	CallbackHost      *text         `yaml:"callback_host"` // 127.0.0.1 (default) or localhost
	CallbackPort      *int          `yaml:"callback_port"`
	Login             *text         `yaml:"login"` // auto (default) or ask
	Account           *text         `yaml:"account"`
	AuthorizeParams   mapping[text] `yaml:"authorize_params"`
	DPoP              *text         `yaml:"dpop"` // auto (default) or off

	Assertion        *text             `yaml:"assertion"`         // for jwt_bearer
	IdentityProvider *identityProvider `yaml:"identity_provider"` // for enterprise

	ScopesPos       policy.Position `pos:"scopes"`
	CallbackPortPos policy.Position `pos:"callback_port"`
}

type identityProvider struct {
	Issuer           *text `yaml:"issuer"`
	TokenURL         *text `yaml:"token_url"`
	ClientID         *text `yaml:"client_id"`
	ClientSecret     *text `yaml:"client_secret"`
	PrivateKey       *text `yaml:"private_key"`
	KeyID            *text `yaml:"key_id"`
	ClientAuth       *text `yaml:"client_auth"`
	SubjectToken     *text `yaml:"subject_token"`
	SubjectTokenType *text `yaml:"subject_token_type"` // id_token (default), refresh_token or saml2

	Pos policy.Position `pos:""`
}

func (a *authentication) decode(d *decoder, n *yaml.Node) {
	a.pos = d.pos(n)
	kind := member(n, "type")
	if kind == nil {
		if n.Kind != yaml.MappingNode {
			d.wrongType(n, "keys with values")
			return
		}
		d.fail(n, fmt.Sprintf(`"type" is missing (%s)`, orList(authTypes)))
		return
	}
	before := len(d.errs)
	d.path = append(d.path, "type")
	d.value(kind, &a.kind)
	d.path = d.path[:len(d.path)-1]
	if len(d.errs) > before {
		return
	}
	switch auth.Kind(a.kind.value) {
	case noAuth:
		d.value(n, &struct {
			Type *text `yaml:"type"`
		}{})
	case auth.Bearer:
		d.value(n, &a.bearer)
	case auth.APIKey:
		d.value(n, &a.apiKey)
	case auth.Basic:
		d.value(n, &a.basic)
	case auth.OAuth2:
		d.value(n, &a.oauth)
	default: // what keys belong to it is not known
	}
}

// auth reads how to authenticate, and holds it against the headers: one of which
// may hold a credential, if it has a name. A server that asks for a login is
// believed where nothing is said, so that its URL is all that is needed; the
// target is where it is, nil if that is not known.
func (m *serverMaker) auth(target *url.URL, credential string) {
	a := m.source.value.Auth
	safe := target != nil && (target.Scheme == "https" || target.Scheme == "wss" || isLoopback(target.Hostname()))
	if a == nil {
		if credential == "" && safe {
			m.made.Auth.Kind = auth.OAuth2
		}
		return
	}
	switch kind := auth.Kind(a.kind.value); kind {
	case noAuth:
		return
	case auth.Bearer:
		m.made.Auth = auth.Config{Kind: kind, Token: m.secret(a.pos, "token", a.bearer.Token)}
	case auth.APIKey:
		m.apiKey(a)
	case auth.Basic:
		m.basic(a)
	case auth.OAuth2:
		m.made.Auth.Kind = kind
		(&oauthMaker{serverMaker: m, pos: a.pos, oauth: &a.oauth}).make()
	default:
		m.fail(a.kind.pos, "auth.type: unknown type %q%s", a.kind.value, meantOf(a.kind.value, authTypes, authSynonyms))
		return
	}
	if target != nil && !safe {
		m.fail(a.pos, "auth: a credential must not travel over plain %s (use a URL with %ss)", target.Scheme, target.Scheme)
	}
	m.oneCredential(a)
}

// oneCredential refuses a header that is also given as such.
func (m *serverMaker) oneCredential(a *authentication) {
	header := cmp.Or(m.made.Auth.Header, "Authorization")
	if _, twice := m.made.Headers[header]; twice {
		m.fail(a.pos, "auth: header %q is set by auth (type %s) and by headers; keep one of them", header, m.made.Auth.Kind)
	}
}

func (m *serverMaker) apiKey(a *authentication) {
	k := &a.apiKey
	m.made.Auth = auth.Config{Kind: auth.APIKey, Value: m.secret(a.pos, "value", k.Value)}
	if k.Prefix != nil {
		m.made.Auth.Prefix = strings.TrimSpace(m.word("prefix", k.Prefix))
	}
	if k.Header == nil {
		return
	}
	name := m.word("header", k.Header)
	if err := checkHeaderName(strings.ToLower(name)); err != nil {
		m.fail(k.Header.pos, "auth.header: %q: %v", name, err)
	}
	m.made.Auth.Header = textproto.CanonicalMIMEHeaderKey(name)
}

// basic allows an empty password: some servers want a key for a name.
func (m *serverMaker) basic(a *authentication) {
	m.made.Auth = auth.Config{Kind: auth.Basic, Username: m.secret(a.pos, "username", a.basic.Username)}
	if p := a.basic.Password; p == nil {
		m.fail(a.pos, `auth: "password" is missing ("" for none)`)
	} else if p.value != "" {
		m.made.Auth.Password = m.secret(a.pos, "password", p)
	}
	if strings.Contains(m.made.Auth.Username, ":") && !refers(m.made.Auth.Username) {
		m.fail(a.basic.Username.pos, "auth.username: it must not have a colon")
	}
}

// secret expands a text that is required, and must be something that a header
// can hold. Errors do not repeat it.
func (m *serverMaker) secret(pos policy.Position, key string, t *text) string {
	value := m.required(pos, key, t)
	if strings.ContainsFunc(value, isControl) || strings.Contains(value, "\t") {
		m.fail(t.pos, "auth.%s: it has a control character", key)
	}
	return value
}

// required expands a text that must be there. With a reference that is read
// later, what it is is not known.
func (m *serverMaker) required(pos policy.Position, key string, t *text) string {
	if t == nil {
		m.fail(pos, "auth: %q is missing", key)
		return ""
	}
	before := len(m.errs)
	value := m.expand("auth."+key, *t)
	if len(m.errs) == before && strings.TrimSpace(value) == "" {
		m.fail(t.pos, "auth.%s: it is empty", key)
	}
	return value
}

// word expands a text without references for later, of which "" is none. It stays
// escaped, as all texts of auth do.
func (m *serverMaker) word(key string, t *text) string {
	if t == nil {
		return ""
	}
	before := m.deferred
	m.deferred = false
	value := m.expand("auth."+key, *t)
	if m.deferred {
		m.fail(t.pos, "auth.%s: %v", key, errFileHere)
	}
	m.deferred = before
	if strings.ContainsFunc(value, isControl) || strings.Contains(value, "\t") {
		m.fail(t.pos, "auth.%s: it has a control character", key)
	}
	return value
}

// refers reports whether an expanded text has a reference that is left for
// later.
func refers(expanded string) bool {
	found := false
	_, _ = replace(expanded, "", func(string) (string, error) {
		found = true
		return "", nil
	})
	return found
}

// meantOf is a hint at the word that was meant, and all there are.
func meantOf(word string, words []string, synonyms map[string]string) string {
	hint := meant(word, words)
	if own := synonyms[strings.ToLower(word)]; own != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", own)
	}
	return hint + " (want " + orList(words) + ")"
}

func orList(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// unescapeAuth gives all texts of auth their final form.
func unescapeAuth(c *auth.Config) {
	idp := &c.OAuth.IdentityProvider
	for _, t := range []*string{
		&c.Token, &c.Value, &c.Header, &c.Prefix, &c.Username, &c.Password,
		&c.OAuth.ClientID, &c.OAuth.ClientSecret, &c.OAuth.PrivateKey, &c.OAuth.ClientMetadataURL,
		&c.OAuth.Issuer, &c.OAuth.TokenURL, &c.OAuth.Account, &c.OAuth.Assertion,
		&idp.Issuer, &idp.TokenURL, &idp.ClientID, &idp.ClientSecret, &idp.PrivateKey, &idp.SubjectToken,
	} {
		*t = unescape(*t)
	}
	for name, value := range c.OAuth.AuthorizeParams {
		c.OAuth.AuthorizeParams[name] = unescape(value)
	}
}
