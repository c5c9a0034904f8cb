package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// A shelf has what a machine shows, under "${shown}": somebody else puts it there.
type shelf struct {
	mu   sync.Mutex
	text string
	err  error
}

func (s *shelf) put(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
}

func (s *shelf) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *shelf) resolve(_ context.Context, text string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text == "${shown}" {
		return s.text, s.err
	}
	return text, nil
}

// A shownWorld is one where weir shows what somebody else has signed.
type shownWorld struct {
	*world
	provider *authserver.Provider
	shelf    *shelf
	ears     *ears
}

// workloadWorld is one where that says who weir is.
func workloadWorld(t *testing.T, o authserver.Options, config auth.OAuth) *shownWorld {
	t.Helper()
	p := authserver.NewProvider(t, authserver.ProviderOptions{})
	o.Trusted = []*authserver.Provider{p}
	w := &shownWorld{newWorld(t, o), p, &shelf{}, &ears{}}
	w.config = config
	w.config.Grant, w.config.Assertion = auth.JWTBearer, "${shown}"
	w.shelf.put(p.Workload("robot", w.server.Issuer(), time.Hour))
	return w
}

// enterpriseWorld is one where that says who the user is.
func enterpriseWorld(t *testing.T, o authserver.Options) *shownWorld {
	t.Helper()
	p := authserver.NewProvider(t, authserver.ProviderOptions{
		Client: authserver.Client{ID: "at-idp", Secret: "s3cret-at-idp"}, NamedAs: "at-as",
	})
	o.Trusted = []*authserver.Provider{p}
	o.Clients = []authserver.Client{{ID: "at-as", Secret: "s3cret-at-as", Grants: []string{authserver.JWTBearer}}}
	w := &shownWorld{newWorld(t, o), p, &shelf{}, &ears{}}
	w.config = auth.OAuth{
		Grant: auth.Enterprise, ClientID: "at-as", ClientSecret: "s3cret-at-as", Scopes: []string{"a", "b"},
		IdentityProvider: auth.IdentityProvider{
			Issuer: p.Issuer(), ClientID: "at-idp", ClientSecret: "s3cret-at-idp", SubjectToken: "${shown}",
		},
	}
	w.shelf.put(p.SignIn("ada", time.Hour))
	return w
}

// start starts a process that takes what is shown from the shelf.
func (w *shownWorld) start() *process {
	w.t.Helper()
	k := auth.NewKeeper(auth.Options{Store: w.store(), Version: "1.2.3", Log: zerolog.New(w.ears)})
	w.t.Cleanup(k.Close)
	p := &process{t: w.t, keeper: k, url: w.endpoint}
	p.a = k.Authenticator("gh", w.endpoint, auth.Config{Kind: auth.OAuth2, OAuth: w.config}, w.shelf.resolve)
	p.connect()
	return p
}

// asked are the requests for tokens, of which there must be so many, all of the
// one grant.
func (w *shownWorld) asked(want int) []authserver.Event {
	w.t.Helper()
	all := w.server.At("/token")
	if len(all) != want || len(w.server.Granted(authserver.JWTBearer)) != want {
		w.t.Fatalf("got %d token requests, %d of them with an assertion, want %d", len(all), len(w.server.Granted(authserver.JWTBearer)), want)
	}
	return all
}

// fails posts some times; each must end with the same TokenError, for good or not.
func (w *shownWorld) fails(p *process, temporary bool) *auth.TokenError {
	w.t.Helper()
	var failed *auth.TokenError
	for range 10 {
		status, err := p.post(initialize)
		found, ok := errors.AsType[*auth.TokenError](err)
		if !ok || found.Temporary != temporary {
			w.t.Fatalf("got %d, %v, want a TokenError (temporary: %v)", status, err, temporary)
		}
		w.ears.hear(err, found)
		failed = found
	}
	return failed
}

// silent fails the test if a secret was said.
func (w *shownWorld) silent() {
	w.t.Helper()
	w.ears.mu.Lock()
	defer w.ears.mu.Unlock()
	for _, secret := range append(w.server.Secrets(), w.provider.Secrets()...) {
		if strings.Contains(w.ears.text.String(), secret) {
			w.t.Errorf("a secret was said: %s", secret)
		}
	}
}

// carries reports whether a request has a text anywhere.
func carries(e authserver.Event, text string) bool {
	return strings.Contains(fmt.Sprint(e.Form, e.Header, e.Body), text)
}

func TestWorkload(t *testing.T) {
	for name, tt := range map[string]struct {
		config   auth.OAuth
		explicit bool
		aud      string
	}{
		"for the issuer":         {},
		"for the token endpoint": {aud: "/token"},
		"explicit":               {explicit: true, aud: "/token"},
		"with scopes":            {config: auth.OAuth{Scopes: []string{"a", "b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := workloadWorld(t, authserver.Options{}, tt.config)
			if tt.explicit {
				w.config.TokenURL = w.server.Issuer() + "/token"
			}
			first := w.provider.Workload("robot", w.server.Issuer()+tt.aud, time.Hour)
			w.shelf.put(first + "\r\n\n")
			p := w.start()
			var all sync.WaitGroup
			for range 20 {
				all.Go(p.works)
			}
			all.Wait()
			e := w.asked(1)[0]
			if e.Form.Get("assertion") != first || e.Form.Get("resource") != w.endpoint || e.Form.Get("scope") != strings.Join(tt.config.Scopes, " ") {
				t.Errorf("got %v", e.Form)
			}
			if e.Form.Has("client_id") || e.Header.Get("Authorization") != "" {
				t.Errorf("got %v, %v, want no client", e.Form, e.Header)
			}

			stamp := p.a.Stamp(t.Context())
			second := w.provider.Workload("robot", w.server.Issuer()+tt.aud, time.Hour)
			w.shelf.put(second)
			if got := p.a.Stamp(t.Context()); got == stamp || strings.Contains(got, second) {
				t.Errorf("got the stamp %q after %q", got, stamp)
			}
			p.works() // the token is as good as ever
			w.asked(1)
			w.server.Expire()
			p.works()
			if got := w.asked(2)[1].Form.Get("assertion"); got != second {
				t.Error("the assertion was not read anew")
			}
			for _, e := range w.server.At("/mcp") {
				if carries(e, first) || carries(e, second) {
					t.Error("the assertion was sent to the MCP server")
				}
			}
			standing, err := p.a.Standing(t.Context())
			if err != nil || !standing.LoggedIn || standing.Stored != "" {
				t.Errorf("got %+v, %v", standing, err)
			}
			w.ears.hear(p.a, standing, stamp)
			w.silent()
		})
	}
}

func TestWorkloadWithClient(t *testing.T) {
	client := authserver.Client{ID: "robot", Secret: "s3cret", Grants: []string{authserver.JWTBearer}}
	w := workloadWorld(t, authserver.Options{Clients: []authserver.Client{client}}, auth.OAuth{ClientID: "robot", ClientSecret: "s3cret"})
	w.start().works()
	if id, password, _ := basicOf(w.asked(1)[0]); id != "robot" || password != "s3cret" {
		t.Errorf("got %q, %q", id, password)
	}
}

func basicOf(e authserver.Event) (id, password string, ok bool) {
	return (&http.Request{Header: e.Header}).BasicAuth()
}

// TestWorkloadIsRefused: nothing is tried again, and no other grant, until there is
// another assertion.
func TestWorkloadIsRefused(t *testing.T) {
	for code, change := range map[string]func(w *shownWorld){
		"invalid_grant": func(w *shownWorld) { w.shelf.put(w.provider.Workload("robot", w.server.Issuer(), -time.Minute)) },
		"invalid_scope": func(w *shownWorld) {
			w.server.Set(func(o *authserver.Options) {
				o.Token = &authserver.Reply{Status: 400, Body: `{"error":"invalid_scope"}`}
			})
		},
		"unauthorized_client": func(w *shownWorld) {
			w.server.Set(func(o *authserver.Options) {
				o.Token = &authserver.Reply{Status: 400, Body: `{"error":"unauthorized_client","error_description":"not ` + w.shelf.text + `"}`}
			})
		},
	} {
		t.Run(code, func(t *testing.T) {
			w := workloadWorld(t, authserver.Options{}, auth.OAuth{})
			change(w)
			p := w.start()
			stamp := p.a.Stamp(t.Context())
			failed := w.fails(p, false)
			if failed.Code != code || failed.Status != http.StatusBadRequest {
				t.Errorf("got %v", failed)
			}
			if told := strings.Contains(failed.Error(), "auth.assertion has expired on "); told != (code == "invalid_grant") {
				t.Errorf("got %v", failed)
			}
			w.asked(1)
			if p.a.Stamp(t.Context()) != stamp {
				t.Error("the stamp has changed by itself")
			}
			w.server.Set(func(o *authserver.Options) { o.Token = nil })
			w.shelf.put(w.provider.Workload("robot", w.server.Issuer(), time.Hour))
			if p.a.Stamp(t.Context()) == stamp {
				t.Error("the stamp does not tell that there is another assertion")
			}
			p.connect()
			p.works()
			w.asked(2)
			w.silent()
		})
	}
}

// TestWorkloadIsShownToNobodyElse: who has the assertion can be weir where it
// belongs, so it does not go where only the MCP server says.
func TestWorkloadIsShownToNobodyElse(t *testing.T) {
	w := workloadWorld(t, authserver.Options{}, auth.OAuth{})
	w.shelf.put(w.provider.Workload("robot", "https://as.example", time.Hour))
	failed := w.fails(w.start(), false)
	w.asked(0)
	if !strings.Contains(failed.Error(), "auth.issuer") {
		t.Errorf("got %v, want what to set", failed)
	}
	w.config.Issuer = w.server.Issuer()
	if failed := w.fails(w.start(), false); failed.Code != "invalid_grant" {
		t.Errorf("with the issuer configured: got %v", failed)
	}
	w.asked(1)
}

func TestWorkloadIsBoundToItsIssuer(t *testing.T) {
	w := workloadWorld(t, authserver.Options{}, auth.OAuth{})
	p := w.start()
	p.works()
	second := w.server.Migrate()
	w.shelf.put(w.provider.Workload("robot", second, time.Hour))
	failed := w.fails(p, false)
	if !strings.Contains(failed.Error(), second) || !strings.Contains(failed.Error(), "auth.assertion") {
		t.Errorf("got %v, want the new issuer named", failed)
	}
	w.asked(1)
}

// TestWorkloadThatCannotBeRead: nothing is sent, and it heals.
func TestWorkloadThatCannotBeRead(t *testing.T) {
	w := workloadWorld(t, authserver.Options{}, auth.OAuth{})
	p := w.start()
	stamp := p.a.Stamp(t.Context())
	w.shelf.lose(errors.New("no such file"))
	if failed := w.fails(p, true); !strings.Contains(failed.Error(), "no such file") {
		t.Errorf("got %v, want the reason", failed)
	}
	if p.a.Stamp(t.Context()) == stamp {
		t.Error("the stamp does not tell")
	}
	w.shelf.lose(nil)
	for _, text := range []string{"", " \n", "hunter2", "a.b", "a.b.", ".b.c", "a.b c.d", "-----BEGIN PRIVATE KEY-----\nhunter2.a.b\n-----END PRIVATE KEY-----", strings.Repeat("a", 65<<10) + ".b.c"} {
		w.shelf.put(text)
		if _, err := p.a.RoundTripper(t.Context(), http.DefaultTransport); err == nil || !strings.Contains(err.Error(), "auth.assertion: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.20q: got %v", text, err)
		}
	}
	w.asked(0)
	w.shelf.put(w.provider.Workload("robot", w.server.Issuer(), time.Hour))
	p.connect()
	p.works()
}

func TestEnterprise(t *testing.T) {
	w := enterpriseWorld(t, authserver.Options{})
	p := w.start()
	var all sync.WaitGroup
	for range 20 {
		all.Go(p.works)
	}
	all.Wait()
	subject := w.shelf.text
	exchanges := w.exchanges(1)
	for name, want := range map[string]string{
		"grant_type":           "urn:ietf:params:oauth:grant-type:token-exchange",
		"requested_token_type": "urn:ietf:params:oauth:token-type:id-jag",
		"audience":             w.server.Issuer(),
		"resource":             w.endpoint,
		"scope":                "a b",
		"subject_token":        subject,
		"subject_token_type":   "urn:ietf:params:oauth:token-type:id_token",
	} {
		if got := exchanges[0].Form[name]; len(got) != 1 || got[0] != want {
			t.Errorf("exchange: %s: got %q, want %q", name, got, want)
		}
	}
	if id, password, _ := basicOf(exchanges[0]); id != "at-idp" || password != "s3cret-at-idp" {
		t.Errorf("at the identity provider: got %q, %q", id, password)
	}
	e := w.asked(1)[0]
	if id, password, _ := basicOf(e); id != "at-as" || password != "s3cret-at-as" || e.Form.Get("resource") != w.endpoint || e.Form.Get("scope") != "a b" {
		t.Errorf("at the authorization server: got %q, %q, %v", id, password, e.Form)
	}

	w.server.Expire()
	p.works()
	w.exchanges(2)
	if again := w.asked(2)[1]; again.Form.Get("assertion") == e.Form.Get("assertion") {
		t.Error("an ID-JAG was shown twice")
	}
	for _, e := range w.server.Seen() {
		if carries(e, subject) || carries(e, "at-idp") {
			t.Errorf("%s %s: got what is for the identity provider only", e.Method, e.Path)
		}
		if e.Path == "/mcp" && e.Form.Get("assertion") != "" {
			t.Error("the MCP server got the assertion")
		}
	}
	w.ears.hear(p.a, w.config, w.config.IdentityProvider)
	w.silent()
}

// exchanges are the token exchanges at the identity provider.
func (w *shownWorld) exchanges(want int) (all []authserver.Event) {
	w.t.Helper()
	for _, e := range w.provider.Seen() {
		if e.Path == "/token" {
			all = append(all, e)
		}
	}
	if len(all) != want {
		w.t.Fatalf("got %d exchanges, want %d", len(all), want)
	}
	return all
}

func TestEnterpriseExplicit(t *testing.T) {
	w := enterpriseWorld(t, authserver.Options{Discovery: authserver.Undiscovered})
	w.provider.Set(func(o *authserver.ProviderOptions) { o.Client.Auth = "client_secret_post" })
	w.config.Issuer, w.config.TokenURL = w.server.Issuer(), w.server.Issuer()+"/token"
	idp := &w.config.IdentityProvider
	idp.Issuer, idp.TokenURL, idp.ClientAuth = "", w.provider.Issuer()+"/token", "post"
	w.start().works()
	if got := w.provider.Seen(); len(got) != 1 || got[0].Form.Get("audience") != w.server.Issuer() {
		t.Errorf("got %v, want one exchange", got)
	}
	w.config.Issuer = ""
	a := auth.NewKeeper(auth.Options{}).Authenticator("gh", w.endpoint, auth.Config{Kind: auth.OAuth2, OAuth: w.config}, w.shelf.resolve)
	if _, err := a.RoundTripper(t.Context(), http.DefaultTransport); err == nil || !strings.Contains(err.Error(), "auth.issuer") {
		t.Errorf("nobody says who is meant: got %v", err)
	}
}

// TestEnterpriseShowsOnce: the secret may have to be sent in another way, but an
// ID-JAG is not sent again.
func TestEnterpriseShowsOnce(t *testing.T) {
	w := enterpriseWorld(t, authserver.Options{AlterMetadata: func(m map[string]any) { delete(m, "token_endpoint_auth_methods_supported") }})
	w.server.Set(func(o *authserver.Options) { o.Clients[0].Auth = "client_secret_post" })
	w.start().works()
	w.exchanges(2)
	if all := w.asked(2); all[0].Form.Get("assertion") == all[1].Form.Get("assertion") {
		t.Error("an ID-JAG was shown twice")
	}
	w.provider.Set(func(o *authserver.ProviderOptions) { o.Client.Secret = "another" })
	if failed := w.fails(w.start(), false); failed.Code != "invalid_client" || !strings.Contains(failed.Error(), "the identity provider answered") {
		t.Errorf("got %v", failed)
	}
	w.exchanges(3) // that it is the other one's secret that is wrong is not tried out
}

// TestSignInAgain: a user who has been signed out is told so, and nothing more is
// asked until there is another token.
func TestSignInAgain(t *testing.T) {
	for name, answer := range map[string]*authserver.Reply{
		"by its code":   nil,
		"by RFC 8693":   {Status: 400, Body: `{"error":"invalid_request","error_description":"token expired"}`},
		"by this clock": {Status: 403, Body: `{"error":"access_denied"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := enterpriseWorld(t, authserver.Options{})
			w.provider.Set(func(o *authserver.ProviderOptions) { o.ExchangeAs = answer })
			w.shelf.put(w.provider.SignIn("ada", -time.Minute))
			p := w.start()
			stamp := p.a.Stamp(t.Context())
			failed := w.fails(p, false)
			if !strings.Contains(failed.Error(), "the identity provider answered 40") || !strings.Contains(failed.Error(), "sign in at your identity provider again") {
				t.Errorf("got %v, want what to do", failed)
			}
			w.exchanges(1)
			w.asked(0)
			w.provider.Set(func(o *authserver.ProviderOptions) { o.ExchangeAs = nil })
			w.shelf.put(w.provider.SignIn("ada", time.Hour))
			if p.a.Stamp(t.Context()) == stamp {
				t.Error("the stamp does not tell that somebody has signed in")
			}
			p.connect()
			p.works()
			w.silent()
		})
	}
}

// TestHostileProvider: what it gives goes to nobody unless it is what was asked for.
func TestHostileProvider(t *testing.T) {
	jag := `"issued_token_type":"urn:ietf:params:oauth:token-type:id-jag"`
	for name, tt := range map[string]struct {
		reply     *authserver.Reply
		temporary bool
		says      string
	}{
		"an access token":         {reply: &authserver.Reply{Body: `{"access_token":"a.b.c","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`}, says: "not an ID-JAG"},
		"no type":                 {reply: &authserver.Reply{Body: `{"access_token":"a.b.c","token_type":"N_A"}`}, says: "not an ID-JAG"},
		"a type that is no text":  {reply: &authserver.Reply{Body: `{"access_token":"a.b.c","token_type":"N_A","issued_token_type":[1]}`}, says: "not an ID-JAG"},
		"to be sent as it is":     {reply: &authserver.Reply{Body: `{"access_token":"a.b.c","token_type":"Bearer",` + jag + `}`}, says: `"Bearer"`},
		"no JWT":                  {reply: &authserver.Reply{Body: `{"access_token":"hunter2","token_type":"N_A",` + jag + `}`}, says: "no JWT"},
		"too long":                {reply: &authserver.Reply{Body: `{"access_token":"a.` + strings.Repeat("b", 65<<10) + `.c","token_type":"N_A",` + jag + `}`}, says: "no JWT"},
		"no token":                {reply: &authserver.Reply{Body: `{"token_type":"N_A",` + jag + `}`}, temporary: true, says: "identity provider"},
		"no JSON":                 {reply: &authserver.Reply{Body: `<html>`}, temporary: true, says: "identity provider"},
		"more than can be":        {reply: &authserver.Reply{Body: `{"access_token":"` + strings.Repeat("a", 2<<20) + `"}`}, temporary: true, says: "identity provider"},
		"a redirect":              {reply: &authserver.Reply{Status: 307, Header: map[string]string{"Location": "/elsewhere"}}, says: "307"},
		"trouble":                 {reply: &authserver.Reply{Status: 503, Header: map[string]string{"Retry-After": "60"}}, temporary: true, says: "503"},
		"another client":          {reply: &authserver.Reply{Status: 401, Body: `{"error":"invalid_client"}`}, says: "invalid_client"},
		"a policy against it":     {reply: &authserver.Reply{Status: 403, Body: `{"error":"access_denied","error_description":"ask\u001b[1m the\u202e boss"}`}, says: "access_denied: ask [1m the  boss"},
		"what was sent, repeated": {reply: &authserver.Reply{Status: 400, Body: `{"error":"invalid_target","error_description":"%s is not to have this"}`}, says: "invalid_target"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := enterpriseWorld(t, authserver.Options{})
			tt.reply.Body = strings.ReplaceAll(tt.reply.Body, "%s", w.shelf.text)
			w.provider.Set(func(o *authserver.ProviderOptions) { o.ExchangeAs = tt.reply })
			failed := w.fails(w.start(), tt.temporary)
			if !strings.Contains(failed.Error(), tt.says) || strings.Contains(failed.Error(), "hunter2") {
				t.Errorf("got %v, want %q in it", failed, tt.says)
			}
			w.exchanges(1)
			w.asked(0)
			w.silent()
		})
	}
}

// TestEnterprisePolicy: scopes that the identity provider leaves out are not had.
func TestEnterprisePolicy(t *testing.T) {
	w := enterpriseWorld(t, authserver.Options{ToolScopes: map[string][]string{"write": {"rw"}}})
	w.provider.Set(func(o *authserver.ProviderOptions) { o.Scopes = []string{"a"} })
	p := w.start()
	p.gets(http.StatusOK, "read")
	for range 5 {
		p.gets(http.StatusForbidden, "write")
	}
	p.gets(http.StatusOK, "read")
	if all := w.exchanges(2); all[1].Form.Get("scope") != "a b rw" {
		t.Errorf("got %v, want a step up, once", all[1].Form)
	}
	standing, err := p.a.Standing(t.Context())
	if err != nil || strings.Join(standing.Scopes, " ") != "a" || standing.Client != "at-as" || standing.Issuer != w.server.Issuer() {
		t.Errorf("got %+v, %v", standing, err)
	}
}

// TestProviderIsNotFound: a provider that cannot be used is named as such.
func TestProviderIsNotFound(t *testing.T) {
	w := enterpriseWorld(t, authserver.Options{})
	w.config.IdentityProvider.Issuer += "/elsewhere"
	if failed := w.fails(w.start(), false); !strings.Contains(failed.Error(), "identity provider") {
		t.Errorf("got %v", failed)
	}
	w.asked(0)
	for name, change := range map[string]func(p *auth.IdentityProvider){
		"plain http":  func(p *auth.IdentityProvider) { p.Issuer = "http://idp.example" },
		"no client":   func(p *auth.IdentityProvider) { p.ClientID = "" },
		"no token":    func(p *auth.IdentityProvider) { p.SubjectToken = "" },
		"another key": func(p *auth.IdentityProvider) { p.PrivateKey = "hunter2" },
		"no ID token": func(p *auth.IdentityProvider) { p.SubjectToken = "hunter2" },
	} {
		config := w.config
		change(&config.IdentityProvider)
		k := auth.NewKeeper(auth.Options{})
		a := k.Authenticator("gh", w.endpoint, auth.Config{Kind: auth.OAuth2, OAuth: config}, w.shelf.resolve)
		if _, err := a.RoundTripper(t.Context(), http.DefaultTransport); err == nil || !strings.Contains(err.Error(), "auth.identity_provider") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
