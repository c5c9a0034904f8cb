package authserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// ProviderOptions say how a Provider behaves. [Provider.Set] changes them between
// requests.
type ProviderOptions struct {
	Client     Client   // the one that it knows: for whom people sign in
	NamedAs    string   // the client's id at authorization servers, in assertions; "" is the same
	Scopes     []string // that people may have; nil is all
	ExchangeAs *Reply   // in place of the answer to a token exchange

	AlterToken func(answer map[string]any)
}

// A Provider is an identity provider: it signs people in, says so to those who
// trust it (ID-JAG), and says who workloads are. All methods may be called from any
// goroutine.
type Provider struct {
	s      *Server // of which it is only served and watched
	origin string
	key    *ecdsa.PrivateKey

	o ProviderOptions // guarded by s.mu
}

// NewProvider starts one, which ends with the test.
func NewProvider(t testing.TB, o ProviderOptions) *Provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{s: newServer(t, Options{}), key: key, o: o}
	p.origin = p.s.listen(p)
	return p
}

// Issuer is its issuer.
func (p *Provider) Issuer() string { return p.origin }

// Set changes the options.
func (p *Provider) Set(change func(*ProviderOptions)) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	change(&p.o)
}

// Seen returns all requests to it, in the order they came.
func (p *Provider) Seen() []Event { return p.s.Seen() }

// Secrets returns all that nobody but the client and the servers may ever see.
func (p *Provider) Secrets() []string {
	secrets := p.s.Secrets()
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if p.o.Client.Secret != "" {
		secrets = append(secrets, p.o.Client.Secret)
	}
	return secrets
}

// SignIn signs a user in: what it returns is the ID token (OpenID Connect Core,
// section 2), good for as long as this. It may have ended before it began.
func (p *Provider) SignIn(user string, life time.Duration) string {
	p.s.mu.Lock()
	client := p.o.Client.ID
	p.s.mu.Unlock()
	return p.sign("JWT", &claims{RegisteredClaims: p.registered(user, client, life)})
}

// Workload is who a workload is, for this authorization server.
func (p *Provider) Workload(name, audience string, life time.Duration) string {
	return p.sign("JWT", &claims{RegisteredClaims: p.registered(name, audience, life)})
}

func (p *Provider) registered(subject, audience string, life time.Duration) jwt.RegisteredClaims {
	now := time.Now()
	return jwt.RegisteredClaims{
		Issuer: p.origin, Subject: subject, Audience: []string{audience}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(life)),
	}
}

func (p *Provider) sign(typ string, c *claims) string {
	token := jwt.NewWithClaims(jwt.SigningMethodES256, c)
	token.Header["typ"] = typ
	signed, err := token.SignedString(p.key)
	if err != nil {
		panic(err) // the key is its own
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.secrets = append(p.s.secrets, signed)
	return signed
}

func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/.well-known/openid-configuration":
		writeJSON(w, http.StatusOK, map[string]any{
			"issuer": p.origin, "token_endpoint": p.origin + "/token", "jwks_uri": p.origin + "/jwks",
			"authorization_endpoint": p.origin + "/authorize", "grant_types_supported": []string{tokenExchange},
		})
	case r.URL.Path == "/token" && r.Method == http.MethodPost:
		p.exchange(w, r)
	default:
		http.NotFound(w, r)
	}
}

const (
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	tokenTypes    = "urn:ietf:params:oauth:token-type:"
)

// exchange gives an ID-JAG for an ID token
// (draft-ietf-oauth-identity-assertion-authz-grant, section 4.3).
func (p *Provider) exchange(w http.ResponseWriter, r *http.Request) {
	form, ok := posted(w, r)
	if !ok {
		return
	}
	p.s.mu.Lock()
	o := p.o
	p.s.mu.Unlock()
	if p.s.reply(w, r, o.ExchangeAs) {
		return
	}
	if problem := wrongClient(r, form, &o.Client); problem != "" {
		fail(w, http.StatusBadRequest, "invalid_client", problem)
		return
	}
	user, code, problem := p.subject(form, &o.Client)
	if problem != "" {
		fail(w, http.StatusBadRequest, code, problem)
		return
	}
	c := &claims{
		RegisteredClaims: p.registered(user, form.Get("audience"), 5*time.Minute),
		ClientID:         o.Client.ID, Resource: form.Get("resource"), Scope: o.allowed(form.Get("scope")),
	}
	if o.NamedAs != "" {
		c.ClientID = o.NamedAs
	}
	answer := map[string]any{
		"access_token": p.sign(idJAGType, c), "issued_token_type": tokenTypes + "id-jag", "token_type": "N_A",
		"expires_in": 300, "scope": c.Scope,
	}
	if o.AlterToken != nil {
		o.AlterToken(answer)
	}
	writeJSON(w, http.StatusOK, answer)
}

// allowed are those of the scopes asked for that people may have.
func (o *ProviderOptions) allowed(scope string) string {
	if o.Scopes == nil {
		return scope
	}
	return strings.Join(slices.DeleteFunc(strings.Fields(scope), func(one string) bool { return !slices.Contains(o.Scopes, one) }), " ")
}

func wrongClient(r *http.Request, form url.Values, known *Client) string {
	id, secret, way := credentials(r, form)
	switch {
	case id != known.ID:
		return "unknown client"
	case known.Auth != "" && way != known.Auth:
		return "this client does not authenticate by " + way
	case subtle.ConstantTimeCompare([]byte(secret), []byte(known.Secret)) != 1:
		return "wrong secret"
	}
	return ""
}

// subject is the user whose ID token is exchanged.
func (p *Provider) subject(form url.Values, client *Client) (user, code, problem string) {
	switch {
	case form.Get("grant_type") != tokenExchange:
		return "", "unsupported_grant_type", "this is no token exchange"
	case form.Get("requested_token_type") != tokenTypes+"id-jag":
		return "", "invalid_request", "requested_token_type is unknown"
	case form.Get("subject_token_type") != tokenTypes+"id_token":
		return "", "invalid_request", "subject_token_type is unknown"
	case form.Get("audience") == "" || form.Get("resource") == "":
		return "", "invalid_target", "audience or resource is missing"
	}
	c := &claims{}
	_, err := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithExpirationRequired(), jwt.WithIssuer(p.origin), jwt.WithAudience(client.ID),
	).ParseWithClaims(form.Get("subject_token"), c, func(*jwt.Token) (any, error) { return &p.key.PublicKey, nil })
	if err != nil {
		return "", "invalid_grant", "subject_token: " + err.Error()
	}
	return c.Subject, "", ""
}
