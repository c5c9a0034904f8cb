package auth_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/state"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// expire makes the stored login look as if its access token were at its end.
func (w *world) expire(left time.Duration) {
	w.t.Helper()
	w.change(func(l *credentials.Login) {
		l.Issued, l.Expiry = time.Now().Add(-time.Hour), time.Now().Add(left)
	})
}

func (w *world) store() *credentials.Store { return credentials.Open(state.At(w.folder), nil) }

func (w *world) change(change func(l *credentials.Login)) {
	w.t.Helper()
	store := w.store()
	all, err := store.All(w.t.Context())
	if err != nil || len(all) != 1 {
		w.t.Fatalf("got %v, %v, want one login", all, err)
	}
	_, err = store.Update(w.t.Context(), all[0].Key, func(old *credentials.Login) (*credentials.Login, error) {
		change(old)
		return old, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) refreshes(want int) {
	w.t.Helper()
	if got := len(w.server.Granted("refresh_token")); got != want {
		w.t.Errorf("got %d refreshes, want %d", got, want)
	}
}

func TestTokenIsRenewedBeforeItsEnd(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	w.loggedIn()
	w.expire(20 * time.Second)
	p := w.process()
	p.works()
	p.works()
	w.refreshes(1)
	w.process().works() // what it got was stored
	w.refreshes(1)
	for _, e := range w.server.At("/mcp") {
		if e.Status == http.StatusUnauthorized && e.HasToken() {
			t.Error("a request was sent with the old token")
		}
	}
}

func TestShortLivesAreUsed(t *testing.T) {
	w := newWorld(t, authserver.Options{Life: 20 * time.Second})
	p := w.loggedIn()
	p.works()
	w.process().works()
	w.refreshes(0)
}

func TestRotationAndNone(t *testing.T) {
	for name, o := range map[string]authserver.Options{
		"rotating": {}, "fixed": {NoRotation: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, o)
			p := w.loggedIn()
			for range 3 {
				w.server.Expire()
				p.works()
				w.process().works()
			}
			w.refreshes(3)
		})
	}
}

// TestHerdRenewsOnce: many requests of several processes, with a token that has
// ended: by a refusal, and by the clock.
func TestHerdRenewsOnce(t *testing.T) {
	for name, end := range map[string]func(w *world){
		"refused":        func(w *world) { w.server.Expire() },
		"at its end":     func(w *world) { w.expire(time.Second) },
		"past and ended": func(w *world) { w.expire(-time.Hour); w.server.Expire() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, authserver.Options{Delay: 10 * time.Millisecond})
			w.loggedIn()
			processes := []*process{w.process(), w.process(), w.process()}
			if name == "refused" {
				for _, p := range processes {
					p.works()
				}
			}
			end(w)
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					if status, err := processes[i%3].post(initialize); status != http.StatusOK || err != nil {
						t.Errorf("got %d, %v, want 200", status, err)
					}
				})
			}
			all.Wait()
			w.refreshes(1)
		})
	}
}

// TestLoginElsewhereIsNoticed: nobody tells this process.
func TestLoginElsewhereIsNoticed(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.process()
	p.wantsLogin()
	stamp := p.a.Stamp(t.Context())
	w.loggedIn()
	if p.a.Wanted() != nil || p.a.Stamp(t.Context()) == stamp {
		t.Errorf("got %v, %q: the login is not noticed", p.a.Wanted(), p.a.Stamp(t.Context()))
	}
	p.works()
}

// TestLogoutElsewhereIsNoticed: also while the token at hand would do, and though
// it could not be withdrawn.
func TestLogoutElsewhereIsNoticed(t *testing.T) {
	w := newWorld(t, authserver.Options{Revocation: &authserver.Reply{Status: 500}})
	p := w.loggedIn()
	p.works()
	if out, err := w.process().a.Logout(t.Context()); err != nil || !out.Had {
		t.Fatalf("got %+v, %v", out, err)
	}
	p.wantsLogin()
	if err := w.login(w.process()); err != nil {
		t.Fatal(err)
	}
	p.works()
}

// TestOtherLoginIsUsedAtOnce: nobody acts in another's name any longer than they
// must.
func TestOtherLoginIsUsedAtOnce(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	p.works()
	if err := w.login(w.process()); err != nil {
		t.Fatal(err)
	}
	all, err := w.store().All(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v, %v, want one login", all, err)
	}
	p.works()
	seen := w.server.At("/mcp")
	if got := seen[len(seen)-1].Header.Get("Authorization"); got != "Bearer "+all[0].Access {
		t.Error("the request went with the token of the login before")
	}
}

// TestRenewalElsewhereIsNoLogin: processes that cannot get on must not wake each
// other for ever.
func TestRenewalElsewhereIsNoLogin(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	stamp := p.a.Stamp(t.Context())
	other := w.process()
	w.server.Expire()
	other.works()
	if p.a.Stamp(t.Context()) != stamp {
		t.Error("the stamp changed with a renewal")
	}
	p.works()
	w.refreshes(1)
}

// TestRenewalElsewhereIsNoticed: what this process could not renew another one has,
// as "weir login" does that finds the login to be good.
func TestRenewalElsewhereIsNoticed(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	w.server.Expire()
	w.server.Set(func(o *authserver.Options) {
		o.Refresh = &authserver.Reply{Status: 400, Body: `{"error":"unheard_of"}`}
	})
	p.wantsLogin()
	w.server.Set(func(o *authserver.Options) { o.Refresh = nil })
	p.wantsLogin() // it does not try again by itself
	w.process().works()
	if wanted := p.a.Wanted(); wanted != nil {
		t.Errorf("got %v wanted, want nothing", wanted)
	}
	p.works()
	w.refreshes(2)
}

func TestWithdrawnLoginIsDropped(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	issuer := w.server.Issuer()
	w.server.Revoke()
	wanted := p.wantsLogin()
	if wanted.Issuer != issuer || !strings.Contains(wanted.Error(), "ended the login") {
		t.Errorf("got %v at %q", wanted, wanted.Issuer)
	}
	before := len(w.server.Seen())
	for range 10 {
		p.wantsLogin()
	}
	if got := len(w.server.Seen()); got != before {
		t.Errorf("got %d more requests, want none", got-before)
	}
	w.process().wantsLogin() // it does not spend the token again
	w.refreshes(1)
	all, err := p.keeper.Logins(t.Context())
	if err != nil || len(all) != 1 || all[0].Access != "" || all[0].Refresh != "" {
		t.Errorf("got %v, %v, want a login without tokens", all, err)
	}
	if standing, err := p.a.Standing(t.Context()); err != nil || standing.LoggedIn {
		t.Errorf("got %+v, %v", standing, err)
	}
	if err := w.login(w.process()); err != nil {
		t.Fatal(err)
	}
	p.works()
}

func TestTroubleThatPasses(t *testing.T) {
	for name, reply := range map[string]*authserver.Reply{
		"500":       {Status: 500, Body: "oops"},
		"429":       {Status: 429, Header: map[string]string{"Retry-After": "120"}},
		"503, code": {Status: 503, Body: `{"error":"temporarily_unavailable"}`},
		"garbage":   {Body: `{"access_token":`},
		"huge":      {Body: strings.Repeat(" ", 2<<20)},
		"no type":   {Body: `{"access_token":"a b","token_type":"Bearer"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, authserver.Options{Refresh: reply})
			p := w.loggedIn()
			w.server.Expire()
			for range 20 {
				_, err := p.post(initialize)
				failed, ok := errors.AsType[*auth.TokenError](err)
				if !ok || !failed.Temporary || failed.RetryAfter <= 0 || failed.Status != max(reply.Status, 200) {
					t.Fatalf("got %#v, want a TokenError that passes", err)
				}
				if name == "429" && failed.RetryAfter < 100*time.Second {
					t.Errorf("got %v to wait, want what the server said", failed.RetryAfter)
				}
			}
			w.refreshes(1)
			if p.a.Wanted() != nil {
				t.Errorf("got %v wanted, want nothing", p.a.Wanted())
			}
		})
	}
}

// TestEarlyRenewalMayFail: the token at hand is good for a while.
func TestEarlyRenewalMayFail(t *testing.T) {
	w := newWorld(t, authserver.Options{Refresh: &authserver.Reply{Status: 500}})
	w.loggedIn()
	w.expire(20 * time.Second)
	p := w.process()
	p.works()
	p.works()
	w.refreshes(1)
}

// TestRenewalOutlivesItsRequest: its answer holds the only refresh token.
func TestRenewalOutlivesItsRequest(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	w.server.Expire()
	w.server.Set(func(o *authserver.Options) { o.Delay = 200 * time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := p.postWith(ctx, initialize)
		ended <- err
	}()
	exchanges := len(w.server.At("/token"))
	if err := w.server.Await(t.Context(), "/token", exchanges+1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	p.works()
	w.refreshes(1)
	w.process().works()
	w.refreshes(1)
}

// TestCloseWaitsForRenewal: as above, with the whole process.
func TestCloseWaitsForRenewal(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	w.server.Expire()
	w.server.Set(func(o *authserver.Options) { o.Delay = 200 * time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := p.postWith(ctx, initialize)
		ended <- err
	}()
	if err := w.server.Await(t.Context(), "/token", 2); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-ended
	p.keeper.Close()
	w.process().works()
	w.refreshes(1)
}

// TestFreshTokensAreRefused: there is no end to it but by giving up.
func TestFreshTokensAreRefused(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	p.works()
	w.server.Set(func(o *authserver.Options) { o.RejectTokens = true })
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := p.post(initialize); !isLoginError(err) {
				t.Errorf("got %v, want a LoginError", err)
			}
		})
	}
	all.Wait()
	w.refreshes(1)
	before := len(w.server.Seen())
	stamp := p.a.Stamp(t.Context())
	if wanted := p.wantsLogin(); !strings.Contains(wanted.Error(), "just given out") {
		t.Errorf("got %v", wanted)
	}
	if got := len(w.server.Seen()); got != before || p.a.Stamp(t.Context()) != stamp {
		t.Errorf("got %d more requests, stamp %q after %q", got-before, p.a.Stamp(t.Context()), stamp)
	}
	w.server.Set(func(o *authserver.Options) { o.RejectTokens = false })
	p.connect() // somebody restarts the server
	p.works()
}

func isLoginError(err error) bool {
	_, ok := errors.AsType[*auth.LoginError](err)
	return ok
}

// TestClientIsForgotten: by the authorization server.
func TestClientIsForgotten(t *testing.T) {
	t.Run("one that weir registered", func(t *testing.T) {
		w := newWorld(t, authserver.Options{})
		p := w.loggedIn()
		w.server.Forget()
		w.server.Expire()
		p.wantsLogin()
		if err := w.login(p); err != nil {
			t.Fatal(err)
		}
		p.works()
	})
	t.Run("one of the user's", func(t *testing.T) {
		w := newWorld(t, authserver.Options{Clients: []authserver.Client{{ID: "me", Secret: "right"}}})
		w.config = auth.OAuth{ClientID: "me", ClientSecret: "right"}
		w.loggedIn()
		w.server.Expire()
		w.config.ClientSecret = "wrong"
		p := w.process()
		for range 5 {
			_, err := p.post(initialize)
			if failed, ok := errors.AsType[*auth.TokenError](err); !ok || failed.Temporary || failed.Code != "invalid_client" {
				t.Fatalf("got %v, want a TokenError for good", err)
			}
		}
		w.refreshes(1)
		w.config.ClientSecret = "right"
		w.process().works()
	})
}

// TestStoreThatCannotBeWritten: what was renewed is used as long as the process
// lives, and renewed again, though what is stored is spent.
func TestStoreThatCannotBeWritten(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	p.works()
	away := w.folder + ".away"
	w.server.Set(func(o *authserver.Options) {
		o.AlterToken = func(string, map[string]any) { // while the lock is held
			if err := errors.Join(os.Rename(w.folder, away), os.WriteFile(w.folder, nil, 0o600)); err != nil {
				t.Error(err)
			}
		}
	})
	for range 3 {
		w.server.Expire()
		p.works()
		if err := errors.Join(os.Remove(w.folder), os.Rename(away, w.folder)); err != nil {
			t.Fatal(err)
		}
	}
	w.refreshes(3)
	w.server.Set(func(o *authserver.Options) { o.AlterToken = nil })
	w.server.Expire()
	p.works()
	w.process().works() // now it is stored
	w.refreshes(4)
}

// TestTokenWithdrawnUnderWay: a request that is made again with a new token meets
// that this one has been withdrawn meanwhile, after it was good for another request.
func TestTokenWithdrawnUnderWay(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	p.works()
	between := &interruption{RoundTripper: http.DefaultTransport, at: 2}
	tripper, err := p.a.RoundTripper(t.Context(), between)
	if err != nil {
		t.Fatal(err)
	}
	q := *p
	q.client = &http.Client{Transport: tripper}
	between.do = func() {
		p.works()
		w.server.Expire()
	}
	for range 3 {
		between.n = 0
		w.server.Expire()
		q.works()
	}
	between.n = 0
	w.server.Expire()
	q.wantsLogin() // it does nothing else
}

// An interruption lets something happen before one of the requests that it sends.
type interruption struct {
	http.RoundTripper
	n, at int
	do    func()
}

func (i *interruption) RoundTrip(req *http.Request) (*http.Response, error) {
	if i.n++; i.n == i.at {
		i.do()
	}
	return i.RoundTripper.RoundTrip(req)
}
