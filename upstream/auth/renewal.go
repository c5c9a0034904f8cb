package auth

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/credentials"
)

// What a renewal may take: the request, and that with the wait for other processes.
const (
	requestTime = 30 * time.Second
	renewTime   = requestTime + 15*time.Second
)

var (
	errEnding = errors.New("weir is ending")
	errGone   = errors.New("the login has been removed")
)

// renew gets another access token in the place of a stale one, once for all
// requests that wait for it. A renewal that has begun goes on when ctx ends: the
// server may have spent the refresh token already.
func (p *person) renew(ctx context.Context, stale *credentials.Login) error {
	p.mu.Lock()
	if p.current != nil && p.current.Access != stale.Access && p.usable(time.Now()) != "" {
		p.mu.Unlock()
		return nil
	}
	if p.renewing == nil {
		if err := p.backoff.hold(time.Now()); err != nil {
			p.mu.Unlock()
			return err
		}
		f := &flight{done: make(chan struct{})}
		if !p.k.run(renewTime, func(ctx context.Context) { p.fly(ctx, f, stale) }) {
			p.mu.Unlock()
			return &TokenError{Server: p.a.server, Temporary: true, Err: errEnding}
		}
		p.renewing = f
	}
	f := p.renewing
	p.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *person) fly(ctx context.Context, f *flight, stale *credentials.Login) {
	fresh, err := p.renewStored(ctx, stale)
	p.dropUnknown(ctx, stale, err)
	stamp := p.k.o.Store.Stamp(stale.Endpoint, stale.Key.Account)
	p.mu.Lock()
	f.err = p.settle(fresh, err, stamp)
	p.renewing = nil
	p.mu.Unlock()
	close(f.done)
}

// A renewal is what became of the refresh token of a login.
type renewal struct {
	login *credentials.Login // with new tokens, or without any
	own   bool               // they were got here
	saved bool
}

// dropUnknown forgets a registration that the authorization server does not know
// any more, so that the next login registers anew.
func (p *person) dropUnknown(ctx context.Context, l *credentials.Login, err error) {
	refused, ok := errors.AsType[*endpointError](err)
	if !ok || !refused.ofClient() || l.Client.Port == 0 {
		return
	}
	if err := p.k.o.Store.RemoveClient(ctx, l.Key.Issuer, l.Endpoint); err != nil {
		p.log.Warn().Err(err).Msg("registration could not be removed")
	}
}

// renewStored changes the login in the store, under its lock: whoever comes second
// finds what the first has got, and asks no server (heeding that public clients'
// refresh tokens are spent by use: OAuth 2.1, section 4.3.1).
func (p *person) renewStored(ctx context.Context, stale *credentials.Login) (*renewal, error) {
	p.mu.Lock()
	unsaved := p.unsaved && p.current == stale
	p.mu.Unlock()
	var done *renewal
	var asked error
	_, err := p.k.o.Store.Update(ctx, stale.Key, func(old *credentials.Login) (*credentials.Login, error) {
		switch {
		case unsaved && (old == nil || old.Since.Equal(stale.Since)):
			old = stale // what is stored was spent
		case old == nil:
			return nil, errGone
		case old.Access != stale.Access && isFresh(old, time.Now()):
			done = &renewal{login: old, saved: true}
			return old, nil
		case old.Refresh == "":
			return nil, errGone
		}
		fresh, err := p.ask(old)
		if fresh == nil {
			asked = err
			return nil, err
		}
		done, asked = &renewal{login: fresh, own: fresh.Access != ""}, err
		return fresh, nil
	})
	switch {
	case asked != nil:
		if done != nil {
			done.saved = err == nil
		}
		return done, asked
	case done == nil:
		return nil, err
	case err != nil:
		p.log.Warn().Err(err).Msg("renewed login could not be stored: it ends with this process")
		return done, nil
	}
	done.saved = true
	return done, nil
}

// ask sends the refresh token of a login to where it came from. It returns the
// login with new tokens; or one without any, and an error, if the server has
// withdrawn them; or an error only. It takes as long as the server does: whoever
// asked for it may have gone.
func (p *person) ask(old *credentials.Login) (*credentials.Login, error) {
	ctx, cancel := context.WithTimeout(p.k.ctx, requestTime)
	defer cancel()
	p.mu.Lock()
	set := p.set
	p.mu.Unlock()
	c, err := clientOf(set, &old.Client)
	if err != nil {
		return nil, &endpointError{err: err}
	}
	if c.bond, err = p.bondFor(old); err != nil {
		return nil, &endpointError{err: err}
	}
	g := p.a.guard(set)
	defer g.Close()
	resource := old.Key.Resource // what the login was for, whatever is configured since
	if set.resource == NoResource {
		resource = ""
	}
	request := tokenRequest{old.Token, c, withResource(url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {old.Refresh},
	}, resource)}
	got, err := request.send(ctx, g)
	fresh := *old
	if refused, ok := errors.AsType[*endpointError](err); ok {
		if refused.code == "invalid_grant" {
			fresh.Access, fresh.Refresh = "", ""
			return &fresh, refused
		}
		return nil, refused
	}
	fresh.Access, fresh.Type, fresh.Issued, fresh.Expiry = string(got.access), got.kind(), got.issued, got.expiry
	if got.refresh != "" {
		fresh.Refresh = string(got.refresh)
	}
	if len(got.scopes) > 0 {
		fresh.Scopes = got.scopes
	}
	return &fresh, nil
}

// clientOf is the client that tokens were given to, with what the configuration
// says of it now. A configured secret is shown to nobody but the issuer that the
// configuration means: neither to the one before, nor to one that has given weir,
// when it registered there, the id that is configured (2025-11-25 and 2026-07-28,
// Authorization, on the binding of credentials to authorization servers).
func clientOf(set *settings, c *credentials.Client) (*client, error) {
	if c.Auth == privateKeyJWT {
		if set.key == nil {
			return nil, errors.New("the login was had with a private key, and there is none any more: log in again")
		}
		s, err := newSigner(set.key, set.keyID, nil)
		return &client{id: c.ID, method: privateKeyJWT, signer: s, audience: c.Issuer}, err
	}
	held := secret(c.Secret)
	if set.isClient(c) {
		held = set.secret // a configured secret is not kept
	}
	return &client{id: c.ID, secret: held, method: c.Auth}, nil
}

// settle takes what became of a renewal. p.mu is held.
func (p *person) settle(done *renewal, err error, stamp string) error {
	if done != nil {
		if done.own && p.bad != "" && p.current != nil && secret(p.current.Access) == p.bad {
			p.forced = secret(done.login.Access)
		}
		p.adopt(done.login, stamp)
		p.unsaved = !done.saved
		if done.own {
			p.own = secret(done.login.Access)
		}
	}
	if err == nil {
		p.backoff.reset()
		return nil
	}
	if errors.Is(err, errGone) {
		p.seen = "" // there may be another
		return p.want("the login has ended", err)
	}
	failed, ok := errors.AsType[*endpointError](err)
	if !ok {
		failed = &endpointError{what: "changing the stored login", temporary: true, err: err}
	}
	switch {
	case failed.temporary:
		return p.backoff.fail(p.a.server, time.Now(), failed)
	case failed.code == "invalid_grant":
		return p.want("the authorization server has ended the login", failed)
	case p.set.clientID != "" && failed.ofClient():
		p.fail = &TokenError{Server: p.a.server, Code: failed.code, Status: failed.status, Err: failed}
		return p.fail
	}
	e := p.want("the login could not be renewed", failed)
	p.unrenewed = true
	return e
}
