package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// presented are the schemes of the tokens that the protected server got, in the
// order they came.
func (w *world) presented() []string {
	var schemes []string
	for _, e := range w.server.At("/mcp") {
		if scheme, _, ok := strings.Cut(e.Header.Get("Authorization"), " "); ok {
			schemes = append(schemes, scheme)
		}
	}
	return schemes
}

// only fails the test unless the protected server got so many tokens, all in this
// scheme.
func (w *world) only(scheme string, n int) {
	w.t.Helper()
	if got, want := w.presented(), slices.Repeat([]string{scheme}, n); !slices.Equal(got, want) {
		w.t.Errorf("got tokens presented as %v, want %v", got, want)
	}
}

// TestBoundTokens: from the login to a renewal by another process, all is bound to
// one key. The server is strict.
func TestBoundTokens(t *testing.T) {
	w := newWorld(t, authserver.Options{DPoP: true})
	p := w.loggedIn()
	p.works()
	p.works()
	w.server.Expire()
	p.works()

	q := w.process()
	q.works()
	w.server.Expire()
	q.works()
	p.works() // at once with the token of the other
	w.only("DPoP", 8)
	w.refreshes(2)

	jkt := w.server.At("/authorize")[0].Form.Get("dpop_jkt")
	if len(jkt) != 43 {
		t.Errorf("got dpop_jkt %q, want a thumbprint", jkt)
	}
	proofs := map[string]bool{}
	for _, e := range w.server.Seen() {
		if proof := e.Header.Get("DPoP"); proof != "" {
			proofs[proof] = true
		}
	}
	if len(proofs) != 8+3 {
		t.Errorf("got %d different proofs, want 11", len(proofs))
	}
}

// TestEveryMethodIsProved: the server compares it, and the URL without its query.
func TestEveryMethodIsProved(t *testing.T) {
	w := newWorld(t, authserver.Options{DPoP: true})
	p := w.loggedIn()
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		req, err := http.NewRequestWithContext(t.Context(), method, p.url+"?session=1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := p.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d, want 200", method, resp.StatusCode)
		}
	}
	w.only("DPoP", 3)
}

// TestEachLoginHasItsKey: the key of one that is over is of no use.
func TestEachLoginHasItsKey(t *testing.T) {
	w := newWorld(t, authserver.Options{DPoP: true})
	p := w.loggedIn()
	p.works()
	if err := w.login(p); err != nil {
		t.Fatal(err)
	}
	p.works()
	asked := w.server.At("/authorize")
	if first, second := asked[0].Form.Get("dpop_jkt"), asked[1].Form.Get("dpop_jkt"); first == second {
		t.Error("got the same key for both logins")
	}
}

// TestNoncesAreTakenUp: each costs one refusal, and no login.
func TestNoncesAreTakenUp(t *testing.T) {
	w := newWorld(t, authserver.Options{DPoP: true, DPoPNonce: "n1"})
	p := w.loggedIn()
	if got := len(w.server.Granted("authorization_code")); got != 2 {
		t.Errorf("got %d requests for the code, want one more for the nonce", got)
	}
	p.works() // refused once
	p.works()
	w.only("DPoP", 3)
	w.server.Set(func(o *authserver.Options) { o.DPoPNonce = "n2" })
	p.works() // refused once
	p.works()
	w.only("DPoP", 6)
	w.refreshes(0)
	w.server.Expire()
	p.works() // refused for the token; the nonce of the authorization server is an old one
	w.refreshes(2)
	w.only("DPoP", 8)
	if wanted := p.a.Wanted(); wanted != nil {
		t.Errorf("got %v wanted", wanted)
	}
}

// TestNonceForEver: a token endpoint that is never content is asked twice.
func TestNonceForEver(t *testing.T) {
	reply := &authserver.Reply{Status: 400, Header: map[string]string{"DPoP-Nonce": "n"}, Body: `{"error":"use_dpop_nonce"}`}
	w := newWorld(t, authserver.Options{DPoP: true, Token: reply})
	if err := w.login(w.process()); err == nil || !strings.Contains(err.Error(), "use_dpop_nonce") {
		t.Errorf("got %v, want use_dpop_nonce", err)
	}
	if got := len(w.server.Granted("authorization_code")); got != 2 {
		t.Errorf("got %d requests, want 2", got)
	}
}

// TestRefusedProofsEndNoLogin: that a proof is refused says nothing of the refresh
// token.
func TestRefusedProofsEndNoLogin(t *testing.T) {
	for _, code := range []string{"invalid_dpop_proof", "use_dpop_nonce"} {
		w := newWorld(t, authserver.Options{DPoP: true})
		p := w.loggedIn()
		w.server.Expire()
		w.server.Set(func(o *authserver.Options) {
			o.Refresh = &authserver.Reply{Status: 400, Body: `{"error":"` + code + `"}`}
		})
		_, err := p.post(initialize)
		if failed, ok := errors.AsType[*auth.TokenError](err); !ok || !failed.Temporary || failed.Code != code {
			t.Errorf("%s: got %v, want a TokenError that is temporary", code, err)
		}
		w.server.Set(func(o *authserver.Options) { o.Refresh = nil })
		w.process().works()
	}
}

// TestUnawareServer: it takes bound tokens as bearer tokens, and is asked once.
func TestUnawareServer(t *testing.T) {
	w := newWorld(t, authserver.Options{DPoP: true, DPoPUnaware: true})
	p := w.loggedIn()
	p.works()
	p.works()
	if got, want := w.presented(), []string{"DPoP", "Bearer", "Bearer"}; !slices.Equal(got, want) {
		t.Errorf("got tokens presented as %v, want %v", got, want)
	}
	w.server.Expire()
	p.works() // by a bound refresh token
	w.refreshes(1)
}

// TestBearerInSpiteOfProof: what the authorization server says counts.
func TestBearerInSpiteOfProof(t *testing.T) {
	for _, name := range []string{"Bearer", "bearer"} {
		w := newWorld(t, authserver.Options{DPoP: true, DPoPUnaware: true, AlterToken: func(_ string, answer map[string]any) { answer["token_type"] = name }})
		p := w.loggedIn()
		p.works()
		w.only("Bearer", 1)
		for _, e := range w.server.At("/mcp") {
			if e.Header.Get("DPoP") != "" {
				t.Error("got a proof for a bearer token")
			}
		}
	}
}

// TestNobodyAskedForIt: without a proof no token is bound, whatever is said of it.
func TestNobodyAskedForIt(t *testing.T) {
	w := newWorld(t, authserver.Options{AlterToken: func(_ string, answer map[string]any) { answer["token_type"] = "DPoP" }})
	if err := w.login(w.process()); err == nil {
		t.Error("got a login")
	}
	for _, algs := range []any{[]string{"RS256"}, "ES256", []string{}} {
		w := newWorld(t, authserver.Options{AlterMetadata: func(d map[string]any) { d["dpop_signing_alg_values_supported"] = algs }})
		w.loggedIn().works()
		w.only("Bearer", 1)
		if w.server.At("/authorize")[0].Form.Has("dpop_jkt") {
			t.Errorf("%v: got dpop_jkt", algs)
		}
	}
}

// TestUnbound: who wants none gets none.
func TestUnbound(t *testing.T) {
	w := newWorld(t, authserver.Options{DPoP: true})
	w.config.Unbound = true
	w.loggedIn().works()
	w.only("Bearer", 1)
	const clientSecret = "s3cret"
	m := machineWorld(t, authserver.Options{DPoP: true}, authserver.Client{Secret: clientSecret}, auth.OAuth{ClientSecret: clientSecret, Unbound: true})
	m.process().works()
	m.only("Bearer", 1)
}

// TestLoginStaysBound: a login that is bound goes on when no other is to be.
func TestLoginStaysBound(t *testing.T) {
	w := newWorld(t, authserver.Options{DPoP: true})
	w.loggedIn()
	w.config.Unbound = true
	p := w.process()
	p.works()
	w.server.Expire()
	p.works()
	w.only("DPoP", 3)
}

// TestLoginFromBefore: one without a key stays one of bearer tokens.
func TestLoginFromBefore(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	w.loggedIn()
	w.server.Set(func(o *authserver.Options) { o.DPoP = true })
	p := w.process()
	p.works()
	w.server.Expire()
	p.works()
	w.only("Bearer", 3)
}

// TestKeyThatCannotBeRead wants another login, and does not say what the key is.
func TestKeyThatCannotBeRead(t *testing.T) {
	w := newWorld(t, authserver.Options{DPoP: true})
	w.loggedIn()
	w.change(func(l *credentials.Login) { l.ProofKey = "k3y" + l.ProofKey })
	e := &ears{}
	w.log = e
	err := w.process().wantsLogin()
	e.hear(err, err.Err)
	e.mu.Lock()
	defer e.mu.Unlock()
	if said := e.text.String(); !strings.Contains(said, "key") || strings.Contains(said, "k3y") {
		t.Errorf("got %s", said)
	}
}

// TestProofKeyIsNotSaid: nor is it sent.
func TestProofKeyIsNotSaid(t *testing.T) {
	w := newWorld(t, authserver.Options{DPoP: true})
	e := &ears{}
	w.log = e
	p := w.loggedIn()
	p.works()
	all, err := p.keeper.Logins(t.Context())
	if err != nil || len(all) != 1 || len(all[0].ProofKey) != 43 {
		t.Fatalf("got %v, %v, want a login with a key", all, err)
	}
	stand, err := p.a.Standing(t.Context())
	e.hear(stand, err, all, *all[0], p.a, p.keeper)
	for _, event := range w.server.Seen() {
		e.hear(event)
		for part := range strings.SplitSeq(event.Header.Get("DPoP"), ".") {
			raw, err := base64.RawURLEncoding.DecodeString(part)
			if err == nil && json.Valid(raw) {
				e.hear(string(raw))
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !strings.Contains(e.text.String(), "P-256") || strings.Contains(e.text.String(), all[0].ProofKey) {
		t.Error("the key was said, or nothing was")
	}
}

// TestBoundMachine: client credentials are bound too, with a key that is nowhere
// but in memory.
func TestBoundMachine(t *testing.T) {
	const clientSecret = "s3cret"
	w := machineWorld(t, authserver.Options{DPoP: true, DPoPNonce: "n1"}, authserver.Client{Secret: clientSecret}, auth.OAuth{ClientSecret: clientSecret})
	p := w.process()
	p.works()
	w.grants(2)
	w.only("DPoP", 2)
	w.server.Expire()
	p.works()
	w.grants(3)
	all, err := p.keeper.Logins(t.Context())
	if err != nil || len(all) != 0 {
		t.Errorf("got %v, %v stored", all, err)
	}
}

// TestManyBoundRequests: no proof is used twice, however many are made at once.
func TestManyBoundRequests(t *testing.T) {
	w := newWorld(t, authserver.Options{DPoP: true})
	p := w.loggedIn()
	const all = 100
	var together sync.WaitGroup
	failed := make(chan error, all)
	for range all {
		together.Go(func() {
			if status, err := p.post(initialize); status != http.StatusOK || err != nil {
				failed <- fmt.Errorf("%d, %w", status, err)
			}
		})
	}
	together.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	w.only("DPoP", all)
}
