package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/auth/discovery"
	"github.com/weir-mcp/weir/upstream/auth/guard"
	"github.com/weir-mcp/weir/upstream/auth/login"
)

// askInterval is how often weir opens a browser for a server by itself, at most.
const askInterval = time.Hour

// login begins a login, or returns the one that is under way.
func (p *person) login(ctx context.Context, o LoginOptions) (*login.Attempt, error) {
	set, err := p.settings(ctx)
	if err != nil {
		return nil, err
	}
	if !set.at.secure() {
		return nil, errors.New("tokens must not travel over plain http, but within this machine; use https")
	}
	if o.Unasked && p.a.config.OAuth.Ask {
		return nil, ErrAskFirst
	}
	if o.Unasked && (p.k.o.Browser == nil || !p.k.o.Browser.Available()) {
		return nil, ErrNoBrowser
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	at := place{set.at.text, set.account}
	if attempt := p.k.underWay(at); attempt != nil {
		return attempt, nil
	}
	release, err := p.takeTurns(ctx, set, o)
	if err != nil {
		return nil, err
	}
	attempt, err := p.begin(ctx, set, release)
	if err != nil {
		release()
		return nil, err
	}
	if !p.k.keep(at, attempt) {
		attempt.Close()
		return nil, errEnding
	}
	return attempt, nil
}

// underWay returns the attempt for a place, while there is one.
func (k *Keeper) underWay(at place) *login.Attempt {
	k.mu.Lock()
	defer k.mu.Unlock()
	attempt := k.attempts[at]
	if attempt == nil {
		return nil
	}
	select {
	case <-attempt.Done():
		delete(k.attempts, at)
		return nil
	default:
		return attempt
	}
}

// keep notes an attempt, to be closed with the Keeper at the latest.
func (k *Keeper) keep(at place, attempt *login.Attempt) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return false
	}
	k.attempts[at] = attempt
	return true
}

// takeTurns waits for nobody. An unasked login takes the one tab of all servers
// too, and the hour of this one.
func (p *person) takeTurns(ctx context.Context, set *settings, o LoginOptions) (release func(), err error) {
	store := p.k.o.Store
	turn, err := store.TakeTurn(ctx, set.at.text)
	if err != nil {
		return nil, busy(err)
	}
	if !o.Unasked {
		return turn, nil
	}
	tab, err := store.TakeTab(ctx)
	if err != nil {
		turn()
		return nil, busy(err)
	}
	both := func() {
		tab()
		turn()
	}
	may, err := store.MayAsk(ctx, "login "+set.at.text, time.Now(), askInterval)
	if err == nil && !may {
		err = ErrAskedLately
	}
	if err != nil {
		both()
		return nil, err
	}
	return both, nil
}

func busy(err error) error {
	if errors.Is(err, credentials.ErrBusy) {
		return ErrLoginUnderWay
	}
	return err
}

// begin finds out how to log in, and listens.
func (p *person) begin(ctx context.Context, set *settings, release func()) (*login.Attempt, error) {
	d, err := p.newDialogue(ctx, set)
	if err != nil {
		return nil, err
	}
	attempt, err := login.Begin(ctx, login.Options{
		Server:    p.a.server,
		Issuer:    d.server.Issuer,
		Host:      p.a.config.OAuth.callbackHost(),
		Port:      p.a.config.OAuth.CallbackPort,
		Prefer:    d.port(),
		Authorize: d.authorize,
		Redeem:    d.redeem,
		Release: func() {
			d.guard.Close()
			release()
		},
	})
	if err != nil {
		d.guard.Close()
		return nil, err
	}
	return attempt, nil
}

// newDialogue finds out who gives out tokens for the server, and what the server
// needs them for. Nothing of an earlier login is taken for granted.
func (p *person) newDialogue(ctx context.Context, set *settings) (*dialogue, error) {
	d := &dialogue{p: p, set: set, guard: p.a.guard(set)}
	var err error
	if d.before, err = p.k.o.Store.Find(ctx, set.at.text, set.account); err != nil && !errors.Is(err, credentials.ErrDamaged) {
		return nil, err
	}
	if err := d.discover(ctx); err != nil {
		d.guard.Close()
		return nil, err
	}
	return d, nil
}

// discover fills in the resource, the server, the client and the scopes.
func (d *dialogue) discover(ctx context.Context) error {
	challenge, err := d.findResource(ctx)
	if err != nil {
		return err
	}
	before, only := "", d.set.issuer
	if d.before != nil {
		before = d.before.Key.Issuer
	}
	if d.bound() {
		if !slices.Contains(d.resource.Issuer, before) {
			return errors.New(otherIssuer(d.set.clientID, before, d.resource.Issuer))
		}
		only = before
	}
	if d.server, err = findServer(ctx, d.guard, d.resource, only, before, true); err != nil {
		return err
	}
	d.chooseScopes(challenge)
	return d.chooseClient(ctx)
}

// findResource finds out what the server says of itself, beginning with how it has
// refused a request. It returns that refusal.
func (d *dialogue) findResource(ctx context.Context) (discovery.Challenge, error) {
	challenge, refused := d.remembered()
	status := http.StatusUnauthorized
	if challenge.ResourceMetadata == "" {
		answered, fresh, err := probe(ctx, d.guard, d.set)
		switch {
		case err != nil && !refused:
			return challenge, err
		case err == nil && refused:
			challenge.ResourceMetadata = fresh.ResourceMetadata
		case err == nil:
			status, challenge = answered, fresh
		}
	}
	var err error
	d.resource, err = discovery.FindResource(ctx, d.guard, d.set.at.url, challenge)
	switch {
	case status/100 == 2 && (err != nil || d.resource.Legacy):
		return challenge, ErrNoLoginNeeded
	case err != nil:
		return challenge, err
	case status == http.StatusUnauthorized || !d.resource.Legacy:
		return challenge, nil
	}
	return challenge, fmt.Errorf("the server answers %d to a request without a token, and says nothing of how to log in", status)
}

// remembered is how the server has last refused a request, if it has, and what is
// to come of the login.
func (d *dialogue) remembered() (challenge discovery.Challenge, refused bool) {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	if need := d.p.need; need != nil && need.StepUp {
		d.stepUp = need.Scopes
		d.answers = slices.Collect(maps.Keys(d.p.stepUps))
	}
	return d.p.challenge, d.p.challenged
}

// probe sends a request without a token that changes nothing, to be refused.
func probe(ctx context.Context, g *guard.Client, set *settings) (status int, ch discovery.Challenge, err error) {
	ping := []byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, set.at.url.String(), bytes.NewReader(ping))
	if err != nil {
		return 0, ch, errors.New("url: this is no URL of a server")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := g.HTTP().Do(req)
	if err != nil {
		return 0, ch, fmt.Errorf("asking the server what it wants: %w", unanswered(err).err)
	}
	defer resp.Body.Close()
	ch, found := discovery.ParseChallenge(resp.Header.Values("WWW-Authenticate"))
	if found && resp.StatusCode == http.StatusForbidden {
		return http.StatusUnauthorized, ch, nil
	}
	return resp.StatusCode, ch, nil
}

// finish takes a login that somebody has just made, with what its tokens are bound
// to; nil for nothing.
func (p *person) finish(l *credentials.Login, bound *bond, answered []string) {
	stamp := p.k.o.Store.Stamp(l.Endpoint, l.Key.Account)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.adopt(l, stamp)
	p.bond = bound
	p.own = secret(l.Access)
	p.need, p.fail, p.bad = nil, nil, ""
	p.backoff.reset()
	for _, id := range answered {
		p.stepUps[id] = true
	}
}
