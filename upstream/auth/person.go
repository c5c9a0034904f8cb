package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/auth/discovery"
)

// lookTime is how long the store may take where nobody says how long.
const lookTime = 5 * time.Second

// A person is the source of tokens that somebody got by logging in with a browser
// (the authorization code grant). Tokens are in the store, which all processes
// share: what is known here of the login is what was there when it was last looked
// at, and it is looked at again before anything is given up.
type person struct {
	a   *Authenticator
	k   *Keeper
	log zerolog.Logger

	turn chan struct{} // held while a login is begun

	mu       sync.Mutex // guards the following
	set      *settings  // nil until the references were read
	current  *credentials.Login
	seen     string    // the stamp of the store that current was found with
	looked   time.Time // when the store was looked at last; zero if it must be
	own      secret    // the access token that was got here, by a login or a renewal
	forced   secret    // the one that was got here for one that was refused, until it is accepted
	bad      secret    // the access token that the server has refused
	good     secret    // the one that it took last
	pardons  pardons
	unsaved  bool  // current could not be stored
	bond     *bond // of the login that was looked at last; nil for none
	renewing *flight
	backoff  backoff

	// What was given up, until there is another login.
	need      *LoginError // for all requests, or, with StepUp, for some
	unrenewed bool        // need is for a renewal that failed here, and that another process may have got
	fail      *TokenError // for good

	challenge  discovery.Challenge // the last
	challenged bool
	stepUps    map[string]bool // whether somebody has logged in for it since it was asked for
}

// maxStepUps is how many different wishes for more scopes a server may have.
const maxStepUps = 100

// A flight is something that is done once for all who wait for it.
type flight struct {
	done chan struct{}
	err  error // set before done is closed
}

func newPerson(a *Authenticator) *person {
	log := zerolog.Nop()
	if a.keeper != nil {
		log = a.keeper.o.Log.With().Str("upstream", a.server).Logger()
	}
	return &person{a: a, k: a.keeper, log: log, turn: make(chan struct{}, 1), stepUps: map[string]bool{}}
}

func (p *person) roundTripper(ctx context.Context, base http.RoundTripper) (http.RoundTripper, error) {
	if p.k == nil {
		return nil, errNoKeeper
	}
	set, err := p.a.readSettings(ctx)
	if err != nil {
		return nil, err
	}
	if !set.at.secure() {
		// No token may go there. It may want none.
		return base, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.use(set)
	p.need, p.fail, p.bad = nil, nil, ""
	return &oauthTripper{tripper{base}, set.at.origin, p}, nil
}

// use takes settings that were read anew. Where they want another login, other
// tokens are sent.
func (p *person) use(set *settings) {
	if p.set != nil && !p.set.wantsSameLogin(set) {
		p.current, p.seen, p.unsaved = nil, "", false
	}
	p.set, p.looked = set, time.Time{}
}

// settings returns what was read last, and reads it if nothing was.
func (p *person) settings(ctx context.Context) (*settings, error) {
	if p.k == nil {
		return nil, errNoKeeper
	}
	p.mu.Lock()
	set := p.set
	p.mu.Unlock()
	if set != nil {
		return set, nil
	}
	set, err := p.a.readSettings(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.set == nil {
		p.set = set
	}
	return p.set, nil
}

// token looks at the store first, where it costs no more than a glance: whoever
// has logged out, in whatever process, or in again as somebody else, means it.
// With a server that seems to want no login that glance is now and then only.
func (p *person) token(ctx context.Context) (secret, error) {
	now := time.Now()
	p.mu.Lock()
	token, unsaved, glanced := p.usable(now), p.unsaved, p.seemsOpen() && now.Sub(p.looked) < glanceTime
	p.mu.Unlock()
	if token != "" && unsaved || glanced {
		return token, nil // what is stored is older, or nothing is
	}
	if err := p.look(ctx); err != nil && token == "" {
		return "", err
	}
	p.mu.Lock()
	token, err, stale := p.usable(time.Now()), p.givenUp(), p.current
	p.mu.Unlock()
	if token != "" {
		return token, nil
	}
	if err == nil && (stale == nil || stale.Refresh == "") {
		return "", nil
	}
	if err == nil {
		if err = p.renew(ctx, stale); err == nil {
			return p.renewed(stale)
		}
	}
	if still := p.alive(stale); still != "" && ctx.Err() == nil {
		return still, nil // it was early enough to fail
	}
	return "", err
}

// glanceTime is for how long a login may be overlooked that nobody asks for.
const glanceTime = time.Second

// seemsOpen reports whether there is no login, and the server has never asked for
// one. When it does, the store is looked at before anything else. p.mu is held.
func (p *person) seemsOpen() bool {
	return p.current == nil && !p.challenged && p.need == nil && p.fail == nil
}

// alive is the stale token, while it is not at its end.
func (p *person) alive(stale *credentials.Login) secret {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stale == nil || p.current != stale || secret(stale.Access) == p.bad || !lives(stale, time.Now()) {
		return ""
	}
	return secret(stale.Access)
}

// renewed is the token after a renewal.
func (p *person) renewed(stale *credentials.Login) (secret, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil && p.current.Access != "" && p.current.Access != stale.Access {
		return secret(p.current.Access), nil // however short it lives
	}
	return "", p.want("the login has ended", nil)
}

// usable is the access token at hand, if it can be sent and need not be renewed
// yet; else "". p.mu is held.
func (p *person) usable(now time.Time) secret {
	if p.current == nil || secret(p.current.Access) == p.bad || !isFresh(p.current, now) {
		return ""
	}
	return secret(p.current.Access)
}

func (p *person) bondOf(token secret) *bond {
	p.mu.Lock()
	l := p.current
	p.mu.Unlock()
	if l == nil || secret(l.Access) != token || l.Type != boundToken {
		return nil
	}
	bound, err := p.bondFor(l)
	if err != nil {
		p.log.Warn().Err(err).Msg("token is sent without a proof")
	}
	return bound
}

// bondFor is what the tokens of a login may be bound to; nil for nothing.
func (p *person) bondFor(l *credentials.Login) (*bond, error) {
	if l.ProofKey == "" {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bond != nil && p.bond.kept == secret(l.ProofKey) {
		return p.bond, nil
	}
	bound, err := keptBond(p.a.server, secret(l.ProofKey))
	if err != nil {
		return nil, err
	}
	p.bond = bound
	return bound, nil
}

// isFresh reports whether an access token need not be renewed: it has 30 s left,
// or, if it lives short, a tenth of its life.
func isFresh(l *credentials.Login, now time.Time) bool {
	if l.Access == "" || l.Expiry.IsZero() {
		return l.Access != ""
	}
	return l.Expiry.Sub(now) > earlier(l.Issued, l.Expiry)
}

// earlier is how long before its end a token is renewed.
func earlier(issued, expiry time.Time) time.Duration {
	const most = 30 * time.Second
	if issued.IsZero() {
		return most
	}
	return min(most, expiry.Sub(issued)/10)
}

func lives(l *credentials.Login, now time.Time) bool {
	return l.Access != "" && now.Before(l.Expiry)
}

// givenUp is why nothing is tried, until there is another login or a new
// connection; nil while there is something to try. p.mu is held.
func (p *person) givenUp() error {
	if p.fail != nil {
		return p.fail
	}
	if p.need != nil && !p.need.StepUp {
		return p.need
	}
	return nil
}

// look reads the store if it has changed since it was read.
func (p *person) look(ctx context.Context) error {
	set, err := p.settings(ctx)
	if err != nil {
		return err
	}
	stamp := p.k.o.Store.Stamp(set.at.text, set.account)
	p.mu.Lock()
	known := p.seen == stamp
	if known {
		p.looked = time.Now()
	}
	p.mu.Unlock()
	if known {
		return nil
	}
	found, err := p.k.o.Store.Find(ctx, set.at.text, set.account)
	if errors.Is(err, credentials.ErrDamaged) {
		p.log.Warn().Err(err).Msg("stored login cannot be used")
		found, err = nil, nil
	}
	if !set.admits(found) {
		found = nil
	}
	if err != nil {
		return &TokenError{
			Server: p.a.server, RetryAfter: minBackoff, Temporary: true, Err: &endpointError{what: "reading the stored login", err: err},
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.adopt(found, stamp)
	return nil
}

// adopt takes what was found in the store with a stamp. If it is another login than
// before, what was given up may be tried again. p.mu is held.
func (p *person) adopt(found *credentials.Login, stamp string) {
	p.seen, p.looked = stamp, time.Now()
	if p.unsaved && sameLogin(p.current, found) && p.current.Issued.After(found.Issued) {
		return // what is in the store is spent
	}
	if !sameLogin(p.current, found) {
		p.need, p.fail, p.bad = nil, nil, ""
		p.backoff.reset()
	} else if p.unrenewed && found != nil && found.Access != p.current.Access {
		p.need, p.unrenewed = nil, false
	}
	p.current, p.unsaved = found, false
}

// sameLogin reports whether two states are of one login, with tokens or without.
func sameLogin(a, b *credentials.Login) bool { return markOf(a) == markOf(b) }

// markOf tells one login of the user's from another, whatever was renewed since.
func markOf(l *credentials.Login) string {
	if l == nil {
		return "none"
	}
	return fmt.Sprintf("%q %d %t", l.Key, l.Since.UnixNano(), l.Access+l.Refresh != "")
}

func (p *person) refused(ctx context.Context, r *refusal) (secret, error) {
	p.mu.Lock()
	p.challenge, p.challenged = r.challenge, true
	if r.sent != "" && p.current != nil && secret(p.current.Access) == r.sent {
		p.bad = r.sent
	}
	err := p.hopeless(r)
	if err == nil {
		err = p.givenUp()
	}
	token := p.usable(time.Now())
	p.mu.Unlock()
	if token != "" || err != nil {
		return token, err
	}
	if err := p.look(ctx); err != nil {
		return "", err
	}
	p.mu.Lock()
	token, stale := p.usable(time.Now()), p.current
	if token == "" && (stale == nil || stale.Refresh == "") {
		err = p.want(p.whyEnded(r), nil)
	}
	p.mu.Unlock()
	if token != "" || err != nil {
		return token, err
	}
	if err := p.renew(ctx, stale); err != nil {
		return "", err
	}
	return p.renewed(stale)
}

func (p *person) accepted(sent secret) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.good = sent
	if p.forced == sent {
		p.forced = ""
	}
}

// moment is how long a token is new.
const moment = 10 * time.Second

// pardons are how often, of late, a token was refused that is new and was good.
type pardons struct {
	since time.Time
	n     int
}

// A server may withdraw tokens one after the other, while requests are under way.
// One that does nothing else is not believed for ever.
const (
	maxPardons = 3
	pardonTime = time.Minute
)

func (p *pardons) another(now time.Time) bool {
	if now.Sub(p.since) > pardonTime {
		*p = pardons{since: now}
	}
	p.n++
	return p.n <= maxPardons
}

// hopeless notes that the server refuses what was got a moment ago, in the place of
// what it refused before. p.mu is held.
func (p *person) hopeless(r *refusal) error {
	again := r.sent == p.forced && p.current != nil && time.Since(p.current.Issued) < moment
	again = again || r.before > 0 && r.sent == p.own
	last := r.before == maxSends-1
	switch {
	case r.sent == "", !again && !last:
		return nil
	case !last && r.sent == p.good && p.pardons.another(time.Now()):
		return nil // another request had it, and went through
	}
	return p.want("the server refuses the tokens that its own authorization server has just given out", nil)
}

// whyEnded says why there is no token. p.mu is held.
func (p *person) whyEnded(r *refusal) string {
	switch {
	case p.current == nil:
		return "nobody has logged in yet"
	case r.sent != "":
		return "the server does not accept the token any more, and it cannot be renewed"
	}
	return "the login has ended, and cannot be renewed"
}

// want notes that somebody must log in. p.mu is held.
func (p *person) want(reason string, err error) *LoginError {
	e := &LoginError{Server: p.a.server, Scopes: p.wantedScopes(), Reason: reason, Err: err}
	if p.current != nil {
		e.Issuer = p.current.Key.Issuer
	}
	p.need, p.unrenewed = e, false
	return e
}

// wantedScopes are those to ask for, as far as they are known without asking.
// p.mu is held.
func (p *person) wantedScopes() []string {
	if p.set != nil && len(p.set.scopes) > 0 {
		return p.set.scopes
	}
	return p.challenge.Scopes
}

// insufficient is a 403 for want of scopes (2025-11-25 and 2026-07-28,
// Authorization, step-up authorization flow): somebody may allow more, but is not
// asked twice for what did not help.
func (p *person) insufficient(ctx context.Context, r *refusal) (secret, error) {
	_ = p.look(ctx) // what cannot be read changes nothing
	p.mu.Lock()
	defer p.mu.Unlock()
	if token := p.usable(time.Now()); token != "" && token != r.sent {
		return token, nil // somebody has logged in meanwhile
	}
	var granted []string
	if p.current != nil {
		granted = p.current.Scopes
	}
	asked := r.challenge.Scopes
	id := r.operation + " " + scopeKey(asked)
	_, known := p.stepUps[id]
	if p.stepUps[id] || len(asked) > 0 && covers(granted, asked) || !known && len(p.stepUps) >= maxStepUps {
		return "", nil
	}
	p.stepUps[id] = false
	p.challenge, p.challenged = r.challenge, true
	e := &LoginError{Server: p.a.server, StepUp: true, Scopes: union(granted, asked), Reason: stepUpReason(asked)}
	if p.current != nil {
		e.Issuer = p.current.Key.Issuer
	}
	if p.need == nil || p.need.StepUp {
		wider := *e
		if p.need != nil {
			wider.Scopes = union(p.need.Scopes, e.Scopes)
		}
		p.need, p.unrenewed = &wider, false
	}
	return "", e
}

func stepUpReason(scopes []string) string {
	if len(scopes) == 0 {
		return "the server wants more scopes for this"
	}
	return fmt.Sprintf("the server wants the scopes %q for this", clip(scopeKey(scopes), shownMost))
}

func (p *person) stamp(ctx context.Context) string {
	set, err := p.settings(ctx)
	if err != nil {
		return "unread"
	}
	if err := p.look(ctx); err != nil {
		return "unread " + p.k.o.Store.Stamp(set.at.text, set.account)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return markOf(p.current)
}

func (p *person) wanted() *LoginError {
	p.mu.Lock()
	need := p.need
	p.mu.Unlock()
	if need == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	_ = p.look(ctx) // what cannot be read changes nothing
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.need
}

func (p *person) standing(ctx context.Context) (Standing, error) {
	set, err := p.settings(ctx)
	if err != nil {
		return Standing{}, err
	}
	found, err := p.k.o.Store.Find(ctx, set.at.text, set.account)
	if err != nil || !set.admits(found) {
		return Standing{Account: set.account}, err
	}
	stored := "file"
	if found.Sealed {
		stored = "keyring"
	}
	return Standing{
		LoggedIn:  found.Refresh != "" || found.Access != "" && (found.Expiry.IsZero() || lives(found, time.Now())),
		Issuer:    found.Key.Issuer,
		Client:    found.Key.Client,
		Account:   cmp.Or(found.Key.Account, set.account),
		Scopes:    found.Scopes,
		Since:     found.Since,
		Expiry:    found.Expiry,
		Renewable: found.Refresh != "",
		Stored:    stored,
	}, nil
}
