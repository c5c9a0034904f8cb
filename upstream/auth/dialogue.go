package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/auth/discovery"
	"github.com/weir-mcp/weir/upstream/auth/guard"
	"github.com/weir-mcp/weir/upstream/auth/login"
)

// A dialogue is one login by the authorization code grant (OAuth 2.1, section 4.1):
// what it is for, and with whom. What is decided before the browser opens counts
// when it comes back. It is a secret.
type dialogue struct {
	p     *person
	set   *settings
	guard *guard.Client

	before   *credentials.Login // nil if there was none
	resource *discovery.Resource
	server   *discovery.Server
	client   credentials.Client // without an ID until it is registered
	scopes   []string
	stepUp   []string // scopes that requests were found to need
	answers  []string // the wishes for more scopes that this answers
	verifier string   // of the proof key (RFC 7636)
	redirect string
	bond     *bond // what the tokens are to be bound to; nil asks for bearer tokens
}

// bound reports whether the client is one that the user has registered, and that
// has been used: it is of that issuer, unless the configuration names one.
func (d *dialogue) bound() bool {
	id := d.set.clientID
	return id != "" && d.set.issuer == "" && d.before != nil && d.before.Key.Client == id
}

// chooseScopes asks for no more than what is needed, as far as anybody says
// (2025-11-25 and 2026-07-28, Authorization, scope selection strategy).
func (d *dialogue) chooseScopes(ch discovery.Challenge) {
	scopes := d.set.scopes
	if len(scopes) == 0 {
		scopes = ch.Scopes
	}
	if len(scopes) == 0 {
		scopes = d.resource.Scopes
	}
	if d.stepUp != nil {
		scopes = union(d.set.scopes, d.stepUp)
	}
	if len(scopes) > 0 && slices.Contains(d.server.Scopes, offlineAccess) {
		scopes = union(scopes, []string{offlineAccess})
	}
	d.scopes = scopes
}

// offlineAccess is the scope for which some servers give out refresh tokens.
const offlineAccess = "offline_access"

// chooseClient finds out as whom weir asks, in the order of 2025-11-25 and
// 2026-07-28 (Authorization, client registration approaches). One that must be
// registered is, once the redirect URI is known.
func (d *dialogue) chooseClient(ctx context.Context) error {
	id := d.set.clientID
	if id == "" && d.server.ClientIDMetadata {
		id = d.set.metadataURL
	}
	if id != "" {
		c, err := configuredClient(d.set, id, d.server)
		if err == nil {
			d.client = credentials.Client{Issuer: d.server.Issuer, ID: id, Auth: c.method}
		}
		return err
	}
	stored, err := d.p.k.o.Store.Client(ctx, d.server.Issuer, d.set.at.text)
	if err != nil && !errors.Is(err, credentials.ErrDamaged) {
		return err
	}
	if err == nil && d.proven(stored) {
		d.client = *stored
		return nil
	}
	if d.server.Registration == "" {
		return fmt.Errorf("the authorization server %q registers nobody by itself: register weir there by hand, with the redirect URI "+
			"http://%s:%s/callback, and set auth.client_id", guard.Bare(d.server.Issuer), d.p.a.config.OAuth.callbackHost(), d.portToRegister())
	}
	return nil
}

// proven reports whether a registration can be used again: somebody has logged in
// with it, so that the server is known to know it.
func (d *dialogue) proven(c *credentials.Client) bool {
	if c == nil || !c.Expires.IsZero() && !time.Now().Before(c.Expires) {
		return false
	}
	o := &d.p.a.config.OAuth
	return d.before != nil && d.before.Key.Client == c.ID &&
		cmp.Or(c.Host, loopbackHost) == o.callbackHost() && (o.CallbackPort == 0 || o.CallbackPort == c.Port)
}

// loopbackHost is this machine in a redirect URI (RFC 8252, section 7.3).
const loopbackHost = "127.0.0.1"

func (o *OAuth) callbackHost() string { return cmp.Or(o.CallbackHost, loopbackHost) }

func (d *dialogue) portToRegister() string {
	if port := d.p.a.config.OAuth.CallbackPort; port != 0 {
		return fmt.Sprint(port)
	}
	return "PORT (any free one, to be set as auth.callback_port)"
}

// port is the one to listen on, if it can be had: many servers compare the whole
// redirect URI.
func (d *dialogue) port() int { return d.client.Port }

// authorize makes the URL where the user logs in. A client that is registered with
// another redirect URI, or not at all, is registered.
func (d *dialogue) authorize(ctx context.Context, redirectURI, state string) (string, error) {
	d.redirect = redirectURI
	at, err := url.Parse(redirectURI)
	if err != nil {
		return "", err
	}
	registered := d.client.Port != 0 && fmt.Sprint(d.client.Port) == at.Port()
	if d.client.ID == "" || d.client.Port != 0 && !registered {
		if err := d.register(ctx, redirectURI, at); err != nil {
			return "", err
		}
	}
	d.verifier = oauth2.GenerateVerifier()
	config := oauth2.Config{
		ClientID: d.client.ID, RedirectURL: redirectURI, Scopes: d.scopes, Endpoint: oauth2.Endpoint{AuthURL: d.server.Authorization},
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(d.verifier)}
	if resource := d.set.indicator(d.resource.ID); resource != "" {
		options = append(options, oauth2.SetAuthURLParam("resource", resource))
	}
	if d.p.a.binds(d.server) {
		if d.bond, err = newBond(d.p.a.server); err != nil {
			return "", err
		}
		// The code is bound too (RFC 9449, section 10).
		options = append(options, oauth2.SetAuthURLParam("dpop_jkt", d.bond.key.thumbprint()))
	}
	visit := config.AuthCodeURL(state, options...)
	return d.withExtra(visit)
}

// withExtra adds what the configuration wants there, and OAuth has not said. A user
// who is asked for offline access must be asked in any case, unless the
// configuration knows better: servers that hold to OpenID Connect Core 1.0, section
// 11, leave the scope out else, and with it the refresh token.
func (d *dialogue) withExtra(visit string) (string, error) {
	u, err := url.Parse(visit)
	if err != nil {
		return "", err
	}
	query := u.Query()
	more := url.Values{}
	if slices.Contains(d.scopes, offlineAccess) {
		more.Set("prompt", "consent")
	}
	for name, values := range d.set.extra {
		if !query.Has(name) {
			more[name] = values
		}
	}
	if len(more) > 0 {
		u.RawQuery += "&" + more.Encode()
	}
	return u.String(), nil
}

// Errors of an answer, for people. Of an answer from nobody knows where, nothing is
// shown (RFC 9207, section 2.4).
var (
	errNoIssuer    = errors.New("the answer does not say which authorization server it is from, though this one always does: it was not used")
	errOtherIssuer = errors.New("the answer is from another authorization server: it was not used")
	errNoCode      = errors.New("the authorization server answered without a code")
)

// checkIssuer compares who answers with who was asked (RFC 9207, section 2.4).
func (d *dialogue) checkIssuer(answer url.Values) error {
	switch {
	case !answer.Has("iss") && d.server.ReturnsIssuer:
		return errNoIssuer
	case answer.Has("iss") && (len(answer["iss"]) != 1 || answer.Get("iss") != d.server.Issuer):
		return errOtherIssuer
	}
	return nil
}

// redeem makes a login of the answer, and stores it.
func (d *dialogue) redeem(ctx context.Context, answer url.Values) error {
	if err := d.checkIssuer(answer); err != nil {
		return err
	}
	if code := answer.Get("error"); code != "" {
		return &login.DeniedError{
			Code:        cmp.Or(errorCode(code, d.set.secret), "with no code of OAuth"),
			Description: said(answer.Get("error_description"), shownMost, d.set.secret),
		}
	}
	code := answer.Get("code")
	if code == "" || !isToken(code) {
		return errNoCode
	}
	got, err := d.exchange(ctx, code)
	if err != nil {
		return err
	}
	return d.keep(ctx, got)
}

// exchange trades the code for tokens (OAuth 2.1, section 4.1.3).
func (d *dialogue) exchange(ctx context.Context, code string) (*granted, error) {
	c, err := d.prover()
	if err != nil {
		return nil, err
	}
	c.bond = d.bond
	request := tokenRequest{d.server.Token, c, withResource(url.Values{
		"grant_type": {string(AuthorizationCode)}, "code": {code}, "redirect_uri": {d.redirect}, "code_verifier": {d.verifier},
	}, d.set.indicator(d.resource.ID))}
	got, err := request.send(ctx, d.guard)
	if refused, ok := errors.AsType[*endpointError](err); ok && refused.ofClient() && d.client.Port != 0 {
		if err := d.p.k.o.Store.RemoveClient(ctx, d.server.Issuer, d.set.at.text); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w; weir will register anew: log in once more", refused)
	}
	return got, err
}

// prover is the client with what proves that it is weir.
func (d *dialogue) prover() (*client, error) {
	if d.client.Port == 0 {
		return configuredClient(d.set, d.client.ID, d.server)
	}
	return clientOf(d.set, &d.client)
}

// keep stores the login, and then lets requests have it. A login with another
// client or issuer is over by that.
func (d *dialogue) keep(ctx context.Context, got *granted) error {
	scopes := got.scopes
	if len(scopes) == 0 {
		scopes = d.scopes
	}
	l := &credentials.Login{
		Key: credentials.Key{
			Issuer: d.server.Issuer, Resource: cmp.Or(d.set.indicator(d.resource.ID), d.resource.ID), Client: d.client.ID, Account: d.set.account,
		},
		Endpoint:   d.set.at.text,
		Access:     string(got.access),
		Type:       got.kind(),
		Refresh:    string(got.refresh),
		Issued:     got.issued,
		Expiry:     got.expiry,
		Scopes:     scopes,
		Since:      got.issued,
		Token:      d.server.Token,
		Revocation: d.server.Revocation,
		Client:     d.client,
	}
	if d.bond != nil {
		l.ProofKey = string(d.bond.kept)
	}
	store := d.p.k.o.Store
	if err := store.Save(ctx, l); err != nil {
		return fmt.Errorf("the login could not be stored: %w", err)
	}
	if d.before != nil && d.before.Key != l.Key {
		if err := store.Remove(ctx, d.before.Key); err != nil {
			d.p.log.Warn().Err(err).Msg("earlier login could not be removed")
		}
	}
	d.p.finish(l, d.bond, d.answers)
	d.p.log.Info().Str("issuer", guard.Bare(l.Key.Issuer)).Strs("scopes", l.Scopes).Msg("logged in")
	return nil
}
