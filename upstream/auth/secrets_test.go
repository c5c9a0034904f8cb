package auth_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// ears hear all that is logged, said in errors and shown.
type ears struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (e *ears) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.Write(p)
}

func (e *ears) hear(values ...any) {
	for _, v := range values {
		fmt.Fprintf(e, "%v %+v %#v %s\n", v, v, v, v)
	}
}

// TestSecretsAreNotSaid: whatever goes well or wrong, with servers that repeat
// what they were sent.
func TestSecretsAreNotSaid(t *testing.T) {
	e := &ears{}
	const clientSecret = "s3cret-of-the-client"
	w := newWorld(t, authserver.Options{Clients: []authserver.Client{{ID: "me", Secret: clientSecret}}})
	w.config = auth.OAuth{ClientID: "me", ClientSecret: clientSecret}
	w.log = e
	p := w.loggedIn()
	p.works()
	stand, err := p.a.Standing(t.Context())
	e.hear(stand, err, p.a.Stamp(t.Context()))
	logins, err := p.keeper.Logins(t.Context())
	e.hear(logins, err)

	for _, body := range []string{
		`{"error":"invalid_request","error_description":"no such token: %s"}`, `{"error":"%s"}`, "%s", `{"access_token":{"%s":1}}`, `{"access_token":"a","expires_in":"%s"}`,
		`{"error":"invalid_grant","error_description":"%s was withdrawn"}`,
	} {
		for _, status := range []int{400, 500, 200} {
			w.server.Expire()
			said := strings.ReplaceAll(body, "%s", w.refreshToken()+" "+clientSecret)
			w.server.Set(func(o *authserver.Options) { o.Refresh = &authserver.Reply{Status: status, Body: said} })
			q := w.process()
			_, err := q.post(initialize)
			if err == nil {
				t.Errorf("%s: got no error", body)
			}
			e.hear(err, q.a.Wanted())
			if w.refreshToken() == "" {
				w.server.Set(func(o *authserver.Options) { o.Refresh = nil })
				w.loggedIn()
			}
		}
	}
	held := w.refreshToken()
	w.server.Set(func(o *authserver.Options) { o.Revocation = &authserver.Reply{Status: 500, Body: held} })
	out, err := p.a.Logout(t.Context())
	e.hear(out, err)

	e.mu.Lock()
	defer e.mu.Unlock()
	secrets := w.server.Secrets()
	if len(secrets) < 5 {
		t.Fatalf("got %d secrets", len(secrets))
	}
	for _, secret := range secrets {
		if strings.Contains(e.text.String(), secret) {
			t.Errorf("a secret was said: %s", secret)
		}
	}
	if testing.Verbose() {
		t.Log(e.text.String())
	}
}

// refreshToken is the one that is stored.
func (w *world) refreshToken() string {
	w.t.Helper()
	all, err := w.store().All(w.t.Context())
	if err != nil || len(all) != 1 {
		w.t.Fatalf("got %v, %v, want one login", all, err)
	}
	return all[0].Refresh
}
