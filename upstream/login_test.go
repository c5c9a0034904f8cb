package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
)

// loginPage begins a login that ends with err once a browser comes back from it,
// which visit does.
func loginPage(t *testing.T, err error) (a *login.Attempt, visit func()) {
	t.Helper()
	var back string
	a, failed := login.Begin(t.Context(), login.Options{
		Server: "u", Issuer: "https://issuer.example",
		Authorize: func(_ context.Context, redirectURI, state string) (string, error) {
			back = redirectURI + "?" + url.Values{"code": {"c"}, "state": {state}}.Encode()
			return "https://issuer.example/authorize", nil
		},
		Redeem: func(context.Context, url.Values) error { return err },
	})
	if failed != nil {
		t.Fatal(failed)
	}
	t.Cleanup(a.Close)
	return a, func() {
		resp, err := http.Get(back)
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
	}
}

// openNeedingLogin opens an upstream whose server wants a login.
func openNeedingLogin(t *testing.T) (fixture, *holder) {
	t.Helper()
	h, d := &holder{}, &doors{token: "good"}
	h.refuse(h.wantLogin)
	u := openBehind(t, auth.OAuth2, h, script{}, d)
	fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
	return u, h
}

func within(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not come about", what)
	}
}

// When a login ends well the upstream goes on by itself, at once.
func TestBeginLogin(t *testing.T) {
	noLeak(t)
	u, h := openNeedingLogin(t)
	ready := make(chan struct{})
	u.events.mu.Lock()
	u.events.ready = func(*Upstream) { close(ready) }
	u.events.mu.Unlock()
	attempt, visit := loginPage(t, nil)
	h.login = func() (*login.Attempt, error) { return attempt, nil }
	for range 3 {
		if got, err := u.BeginLogin(t.Context(), auth.LoginOptions{}); got != attempt || err != nil {
			t.Fatalf("got %v, %v, want the login that is under way", got, err)
		}
	}
	h.mu.Lock()
	h.token = "good" // which nobody looks at in time
	h.mu.Unlock()
	visit()
	within(t, ready, "a connection")
	u.mustCall(t, "echo")
}

func TestBeginLoginFails(t *testing.T) {
	noLeak(t)
	u, h := openNeedingLogin(t)
	broken := errors.New("no authorization server")
	h.login = func() (*login.Attempt, error) { return nil, broken }
	if _, err := u.BeginLogin(t.Context(), auth.LoginOptions{}); !errors.Is(err, broken) {
		t.Errorf("got %v, want what stood in the way", err)
	}
	denied := &login.DeniedError{Code: "access_denied"}
	attempt, visit := loginPage(t, denied)
	h.login = func() (*login.Attempt, error) { return attempt, nil }
	if _, err := u.BeginLogin(t.Context(), auth.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	epoch := u.epoch.Load()
	visit()
	within(t, attempt.Done(), "the end of the login")
	u.set.Close() // waits for who follows the login
	if u.epoch.Load() != epoch {
		t.Error("a login that was denied counts")
	}
}

// A login ends with the upstream that it is for.
func TestLoginEndsWithTheSet(t *testing.T) {
	noLeak(t)
	u, h := openNeedingLogin(t)
	attempt, _ := loginPage(t, nil)
	h.login = func() (*login.Attempt, error) { return attempt, nil }
	if _, err := u.BeginLogin(t.Context(), auth.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	u.set.Close()
	within(t, attempt.Done(), "the end of the login")
	if err := attempt.Err(); !errors.Is(err, login.ErrAbandoned) {
		t.Errorf("got %v, want a login that was given up", err)
	}
	late, _ := loginPage(t, nil)
	h.login = func() (*login.Attempt, error) { return late, nil }
	_, err := u.BeginLogin(t.Context(), auth.LoginOptions{})
	fault(t, err, KindConnection, false)
	within(t, late.Done(), "the end of a login that nobody can follow")
}
