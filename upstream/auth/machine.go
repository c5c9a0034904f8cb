package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/discovery"
	"github.com/weir-mcp/weir/upstream/auth/guard"
	"github.com/weir-mcp/weir/upstream/auth/login"
)

// A machine is the source of tokens that weir gets by an identity of its own, with
// no person at hand. Such tokens cost nothing: they are in memory only.
type machine struct {
	a    *Authenticator
	k    *Keeper
	seed maphash.Seed

	mu      sync.Mutex // guards the following
	set     *settings
	current *granted
	bond    *bond    // what tokens are bound to, where they can be; nil until one was
	bad     secret   // the token that the server has refused
	from    *whereto // nil until it is known
	wider   []string // scopes that were asked for beyond the first ones
	tried   map[string]bool
	asking  *flight
	backoff backoff
	fail    *TokenError // for good, until there are other credentials or a new connection
}

// A whereto is where tokens are had, and what for.
type whereto struct {
	server   *discovery.Server // nil if only the token endpoint is known
	token    string
	resource string // "" is not named
	scopes   []string
	post     bool // the secret is sent in the body, as was found out
}

func newMachine(a *Authenticator) *machine {
	return &machine{a: a, k: a.keeper, seed: maphash.MakeSeed(), tried: map[string]bool{}}
}

func (m *machine) roundTripper(ctx context.Context, base http.RoundTripper) (http.RoundTripper, error) {
	if m.k == nil {
		return nil, errNoKeeper
	}
	set, err := m.a.readSettings(ctx)
	if err != nil {
		return nil, err
	}
	if !set.at.secure() {
		return nil, errors.New("credentials must not travel over plain http, but within this machine; use https")
	}
	if err := m.complete(set); err != nil {
		return nil, err
	}
	from, err := m.explicit(set)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.set == nil || m.digest(m.set) != m.digest(set) {
		m.current, m.from = nil, from
		m.backoff.reset()
	}
	m.set, m.fail, m.bad = set, nil, ""
	return &oauthTripper{tripper{base}, set.at.origin, m}, nil
}

// explicit is where the configuration says that tokens are had; nil if it does not.
func (m *machine) explicit(set *settings) (*whereto, error) {
	if set.tokenURL == "" {
		return nil, nil
	}
	u, err := url.Parse(set.tokenURL)
	if err != nil || u.Host == "" || !isSecure(u) {
		return nil, errors.New("auth.token_url: this is no URL that a secret may be sent to; use https")
	}
	return &whereto{token: set.tokenURL, resource: set.indicator(discovery.CanonicalResource(set.at.url)), scopes: set.scopes}, nil
}

// digest tells settings apart by their credentials.
func (m *machine) digest(set *settings) string {
	key, idp := "", ""
	if set.key != nil {
		key = fmt.Sprint(set.key.Public())
	}
	if set.idp != nil {
		idp = m.digest(set.idp)
	}
	return fmt.Sprintf("%x", maphash.Comparable(m.seed, [...]string{
		set.at.text, set.clientID, string(set.secret), key, set.keyID, set.issuer, set.tokenURL, scopeKey(set.scopes),
		set.metadataURL, set.resource, string(set.shown), idp,
	}))
}

func (m *machine) token(ctx context.Context) (secret, error) {
	m.mu.Lock()
	token, fail, from := m.usable(time.Now()), m.fail, m.from
	m.mu.Unlock()
	switch {
	case token != "":
		return token, nil
	case fail != nil:
		return "", fail
	case from == nil:
		return "", nil
	}
	return m.get(ctx, nil)
}

// usable is the token at hand, if it can be sent; else "". m.mu is held.
func (m *machine) usable(now time.Time) secret {
	t := m.current
	if t == nil || t.access == m.bad || !t.expiry.IsZero() && t.expiry.Sub(now) <= earlier(t.issued, t.expiry) {
		return ""
	}
	return t.access
}

func (m *machine) bondOf(token secret) *bond {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil || m.current.access != token || !m.current.bound {
		return nil
	}
	return m.bond
}

// bondFor is what tokens of an authorization server are to be bound to; nil asks
// for bearer tokens. There is one key for all, and it is in memory only.
func (m *machine) bondFor(server *discovery.Server) (*bond, error) {
	if !m.a.binds(server) {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bond == nil {
		made, err := newBond(m.a.server)
		if err != nil {
			return nil, err
		}
		m.bond = made
	}
	return m.bond, nil
}

func (m *machine) refused(ctx context.Context, r *refusal) (secret, error) {
	m.mu.Lock()
	if r.before > 0 && m.fail == nil {
		m.fail = m.failure(&endpointError{
			what: "the server refuses the tokens that its own authorization server has just given out",
		})
	}
	if m.current != nil && m.current.access == r.sent {
		m.bad = r.sent
	}
	token, fail := m.usable(time.Now()), m.fail
	m.mu.Unlock()
	if fail != nil {
		return "", fail
	}
	if token != "" {
		return token, nil
	}
	return m.get(ctx, &r.challenge)
}

func (m *machine) accepted(secret) {}

// insufficient asks once for a token of more scopes: nobody but the authorization
// server can allow them.
func (m *machine) insufficient(ctx context.Context, r *refusal) (secret, error) {
	m.mu.Lock()
	id := r.operation + " " + scopeKey(r.challenge.Scopes)
	token := m.usable(time.Now())
	if token != "" && token != r.sent && r.before == 0 {
		m.mu.Unlock()
		return token, nil
	}
	if m.tried[id] || len(m.tried) >= maxStepUps || len(r.challenge.Scopes) == 0 {
		m.mu.Unlock()
		return "", nil
	}
	m.tried[id] = true
	before := m.wider
	m.wider = union(m.wider, r.challenge.Scopes)
	if token == r.sent {
		m.bad = r.sent
	}
	m.mu.Unlock()
	token, err := m.get(ctx, nil)
	if err == nil {
		return token, nil
	}
	// What was good enough until now still is.
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wider, m.fail = before, nil
	if m.bad == r.sent {
		m.bad = ""
	}
	return "", nil
}

// get gets a token, once for all requests that wait for it. What it learns goes on
// to be learned when ctx ends.
func (m *machine) get(ctx context.Context, ch *discovery.Challenge) (secret, error) {
	m.mu.Lock()
	if m.asking == nil {
		if err := m.backoff.hold(time.Now()); err != nil {
			m.mu.Unlock()
			return "", err
		}
		f := &flight{done: make(chan struct{})}
		if !m.k.run(renewTime, func(ctx context.Context) { m.fly(ctx, f, ch) }) {
			m.mu.Unlock()
			return "", &TokenError{Server: m.a.server, Temporary: true, Err: errEnding}
		}
		m.asking = f
	}
	f := m.asking
	m.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if f.err != nil {
		return "", f.err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current.access, nil
}

func (m *machine) fly(ctx context.Context, f *flight, ch *discovery.Challenge) {
	m.mu.Lock()
	set, from, wider := m.set, m.from, m.wider
	m.mu.Unlock()
	from, got, err := m.ask(ctx, set, from, wider, ch)
	m.mu.Lock()
	defer m.mu.Unlock()
	if from != nil {
		m.from = from
	}
	failed, refused := errors.AsType[*endpointError](err)
	switch {
	case err == nil:
		m.current, m.bad = got, ""
		m.backoff.reset()
	case refused && failed.temporary:
		f.err = m.backoff.fail(m.a.server, time.Now(), failed)
	case refused:
		m.fail = m.failure(failed)
		f.err = m.fail
	case isVerdict(err):
		m.fail = m.failure(&endpointError{what: notFound, err: err})
		f.err = m.fail
	default:
		f.err = m.backoff.fail(m.a.server, time.Now(), &endpointError{what: notFound, temporary: true, err: err})
	}
	m.asking = nil
	close(f.done)
}

const notFound = "finding out who gives out tokens"

// isVerdict reports whether discovery has found something that stays wrong, and is
// not merely out of reach.
func isVerdict(err error) bool {
	if _, refused := errors.AsType[*guard.RefusedError](err); refused {
		return true
	}
	return slices.ContainsFunc([]error{
		discovery.ErrNoMetadata, discovery.ErrIssuerMismatch, discovery.ErrResourceMismatch,
	}, func(verdict error) bool { return errors.Is(err, verdict) })
}

func (m *machine) failure(err *endpointError) *TokenError {
	return &TokenError{Server: m.a.server, Code: err.code, Status: err.status, Err: err}
}

// ask finds out where tokens are had, if that is not known or there is a new
// challenge, and gets one.
func (m *machine) ask(ctx context.Context, set *settings, from *whereto, wider []string, ch *discovery.Challenge) (*whereto, *granted, error) {
	g := m.a.guard(set)
	defer g.Close()
	if set.tokenURL == "" && (from == nil || ch != nil) {
		if ch == nil {
			ch = &discovery.Challenge{}
		}
		found, err := find(ctx, g, set, from, *ch)
		if err != nil {
			return nil, nil, err
		}
		from = found
	}
	c, err := configuredClient(set, cmp.Or(set.clientID, set.metadataURL), from.server)
	if err == nil {
		c.bond, err = m.bondFor(from.server)
	}
	if err != nil {
		return from, nil, &endpointError{what: "authenticating", err: err}
	}
	if from.post && c.method == secretBasic {
		c.method = secretPost
	}
	scopes := union(from.scopes, wider)
	got, err := m.request(ctx, g, set, from, c, scopes)
	if failed, ok := errors.AsType[*endpointError](err); ok && failed.ofSecret() && c.method == secretBasic && mayPost(set, from) {
		// Nothing says how the secret is to be sent, and some want it in the body.
		c.method = secretPost
		if got, err = m.request(ctx, g, set, from, c, scopes); err == nil {
			posting := *from
			posting.post = true
			from = &posting
		}
	}
	return from, got, err
}

func mayPost(set *settings, from *whereto) bool {
	return set.clientAuth == "" && (from.server == nil || from.server.AuthMethods == nil)
}

// find finds out who gives out tokens for the server. The credentials are for one
// issuer: to another they are sent only if the configuration names it.
func find(ctx context.Context, g *guard.Client, set *settings, before *whereto, ch discovery.Challenge) (*whereto, error) {
	resource, err := discovery.FindResource(ctx, g, set.at.url, ch)
	if err != nil {
		return nil, err
	}
	bound := set.issuer
	if bound == "" && before != nil && before.server != nil {
		bound = before.server.Issuer
		if !slices.Contains(resource.Issuer, bound) {
			return nil, &endpointError{what: set.otherIssuer(bound, resource.Issuer)}
		}
	}
	server, err := findServer(ctx, g, resource, bound, "", false)
	if err != nil {
		return nil, err
	}
	scopes := set.scopes
	if len(scopes) == 0 {
		scopes = ch.Scopes
	}
	if len(scopes) == 0 {
		scopes = resource.Scopes
	}
	return &whereto{server: server, token: server.Token, resource: set.indicator(resource.ID), scopes: scopes}, nil
}

// stamp is a keyed digest of the credentials, as the references hold them now.
func (m *machine) stamp(ctx context.Context) string {
	set, err := m.a.readSettings(ctx)
	if err != nil {
		return "unread"
	}
	return m.digest(set)
}

func (m *machine) wanted() *LoginError { return nil }

func (m *machine) login(context.Context, LoginOptions) (*login.Attempt, error) {
	return nil, ErrNoLogin
}

func (m *machine) logout(context.Context) (Outcome, error) { return Outcome{}, ErrNoLogin }

// standing is of this process: no other has these tokens.
func (m *machine) standing(ctx context.Context) (Standing, error) {
	set, err := m.a.readSettings(ctx)
	if err != nil {
		return Standing{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Standing{Client: set.clientID, Account: set.account, Scopes: set.scopes, Issuer: set.issuer}
	if m.from != nil && m.from.server != nil {
		s.Issuer = m.from.server.Issuer
	}
	if m.current != nil {
		s.LoggedIn, s.Since, s.Expiry = m.usable(time.Now()) != "", m.current.issued, m.current.expiry
		s.Scopes = m.current.scopes
	}
	return s, nil
}
