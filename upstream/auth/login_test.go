package auth_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/auth/discovery"
	"github.com/weir-mcp/weir/upstream/auth/login"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

func TestLoginFromChallengeToCall(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.process()
	before := p.a.Stamp(t.Context())
	wanted := p.wantsLogin()
	if p.a.Wanted() != wanted {
		t.Errorf("got %v, want %v", p.a.Wanted(), wanted)
	}
	if err := w.login(p); err != nil {
		t.Fatal(err)
	}
	if got := p.a.Wanted(); got != nil {
		t.Errorf("after the login: got %v, want nil", got)
	}
	if p.a.Stamp(t.Context()) == before {
		t.Error("the stamp is the same after the login")
	}
	p.works()
	w.process().works() // another process has it too
	if got := len(w.server.Granted("authorization_code")); got != 1 {
		t.Errorf("got %d exchanges, want 1", got)
	}
	standing, err := p.a.Standing(t.Context())
	if err != nil || !standing.LoggedIn || !standing.Renewable || standing.Issuer != w.server.Issuer() || standing.Stored != "file" {
		t.Errorf("got %+v, %v", standing, err)
	}
}

// TestLoginSaysWhatMustBeSaid: the requests of a login, each parameter.
func TestLoginSaysWhatMustBeSaid(t *testing.T) {
	w := newWorld(t, authserver.Options{ChallengeScopes: []string{"mcp:read", "mcp:write"}, Scopes: []string{"offline_access"}})
	w.config.AuthorizeParams = map[string]string{"access_type": "offline", "client_id": "evil"}
	p := w.loggedIn()
	visit := one(t, w.server.At("/authorize")).Form
	for name, want := range map[string]string{
		"response_type": "code", "code_challenge_method": "S256", "resource": w.endpoint,
		"scope": "mcp:read mcp:write offline_access", "access_type": "offline",
	} {
		if got := visit.Get(name); got != want {
			t.Errorf("authorization request: %s: got %q, want %q", name, got, want)
		}
	}
	if len(visit["client_id"]) != 1 || len(visit.Get("state")) < 32 || visit.Get("code_challenge") == "" {
		t.Errorf("authorization request: got %v", visit)
	}
	registration := one(t, w.server.At("/register")).Body
	for _, want := range []string{`"application_type":"native"`, `"refresh_token"`, `"token_endpoint_auth_method":"none"`, visit.Get("redirect_uri")} {
		if !strings.Contains(registration, want) {
			t.Errorf("registration: got %s, want %s in it", registration, want)
		}
	}
	trade := one(t, w.server.Granted("authorization_code")).Form
	if trade.Get("resource") != w.endpoint || trade.Get("code_verifier") == "" || trade.Get("redirect_uri") != visit.Get("redirect_uri") {
		t.Errorf("token request: got %v", trade)
	}
	w.server.Expire()
	p.works()
	refresh := one(t, w.server.Granted("refresh_token")).Form
	if refresh.Get("resource") != w.endpoint || refresh.Get("client_id") == "" {
		t.Errorf("refresh: got %v", refresh)
	}
}

// TestResourceAsConfigured: it is named in all requests of a login or in none,
// where the configuration knows better than the server.
func TestResourceAsConfigured(t *testing.T) {
	for configured, want := range map[string][]string{auth.NoResource: nil, "api://acme": {"api://acme"}} {
		w := newWorld(t, authserver.Options{ResourceIgnored: true})
		w.config.Resource = configured
		p := w.loggedIn()
		w.server.Expire()
		p.works()
		for _, e := range append(w.server.At("/authorize"), w.server.At("/token")...) {
			if got := e.Form["resource"]; !slices.Equal(got, want) {
				t.Errorf("resource %s: %s %s: got %q, want %q", configured, e.Path, e.Form.Get("grant_type"), got, want)
			}
		}
		if got := len(w.server.At("/token")); got != 2 {
			t.Errorf("got %d requests for tokens, want 2", got)
		}

		m := machineWorld(t, authserver.Options{ResourceIgnored: true}, authserver.Client{Secret: "s3cret"}, auth.OAuth{
			ClientSecret: "s3cret", Resource: configured,
		})
		m.process().works()
		if got := one(t, m.server.Granted("client_credentials")).Form["resource"]; !slices.Equal(got, want) {
			t.Errorf("resource %s: client credentials: got %q, want %q", configured, got, want)
		}
	}
}

func one(t *testing.T, events []authserver.Event) authserver.Event {
	t.Helper()
	if len(events) != 1 {
		t.Fatalf("got %d requests, want 1", len(events))
	}
	return events[0]
}

func TestLoginFindsTheServer(t *testing.T) {
	for name, o := range map[string]authserver.Options{
		"at the path":              {PRM: authserver.AtPath},
		"at the root":              {PRM: authserver.AtRoot},
		"issuer with a path":       {IssuerPath: "/tenant"},
		"OpenID, inserted":         {IssuerPath: "/tenant", Discovery: authserver.OpenIDInserted},
		"OpenID, appended":         {IssuerPath: "/tenant", Discovery: authserver.OpenIDAppended},
		"2025-03-26":               {PRM: authserver.Legacy},
		"2025-03-26, no metadata":  {PRM: authserver.Legacy, Discovery: authserver.Undiscovered},
		"resource of an origin":    {ClaimResource: originOf},
		"iss neither said nor had": {IssUnadvertised: true, Iss: authserver.IssMissing},
		"iss had but not said":     {IssUnadvertised: true},
		"secret in the header":     {RegisterAs: "client_secret_basic"},
		"secret in the body":       {RegisterAs: "client_secret_post"},
		"no refresh token":         {NoRefresh: true},
		"no life told":             {NoExpiresIn: true},
		"type in capitals": {AlterToken: func(_ string, answer map[string]any) {
			answer["token_type"] = "BEARER"
		}},
		"life as text":    {AlterToken: func(_ string, answer map[string]any) { answer["expires_in"] = "3600" }},
		"a negative life": {AlterToken: func(_ string, answer map[string]any) { answer["expires_in"] = -5 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, o)
			p := w.process()
			p.wantsLogin()
			if err := w.login(p); err != nil {
				t.Fatal(err)
			}
			p.works()
			if o.NoRefresh {
				return
			}
			w.server.Expire()
			p.works()
		})
	}
}

func originOf(endpoint string) string {
	u, _ := url.Parse(endpoint)
	return u.Scheme + "://" + u.Host
}

// TestLoginUnasked: a login in a process that has sent no request yet.
func TestLoginBeforeAnyRequest(t *testing.T) {
	for name, o := range map[string]authserver.Options{"in the challenge": {}, "2025-03-26": {PRM: authserver.Legacy}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, o)
			w.loggedIn().works()
		})
	}
}

func TestLoginIsRefused(t *testing.T) {
	const nasty = "<script>nasty words of a stranger</script>"
	for name, tt := range map[string]struct {
		o    authserver.Options
		is   error
		says string
	}{
		"no proof keys":       {o: authserver.Options{PKCEMethods: []string{}}, is: discovery.ErrNoPKCE},
		"plain proof keys":    {o: authserver.Options{PKCEMethods: []string{"plain"}}, is: discovery.ErrNoPKCE},
		"another issuer":      {o: authserver.Options{ClaimIssuer: "https://evil.example"}, is: discovery.ErrIssuerMismatch},
		"another resource":    {o: authserver.Options{ClaimResource: func(e string) string { return e + "2" }}, is: discovery.ErrResourceMismatch},
		"no metadata":         {o: authserver.Options{Discovery: authserver.Undiscovered}, is: discovery.ErrNoMetadata},
		"nobody is let in":    {o: authserver.Options{NoRegistration: true}, says: "client_id"},
		"registration: 403":   {o: authserver.Options{Registration: &authserver.Reply{Status: 403, Body: `<html>`}}, says: "403"},
		"registration: code":  {o: authserver.Options{Registration: &authserver.Reply{Status: 400, Body: `{"error":"invalid_redirect_uri","error_description":"not\u001b[31m here"}`}}, says: "400 invalid_redirect_uri: not [31m here"},
		"registration: empty": {o: authserver.Options{Registration: &authserver.Reply{Status: 201, Body: `{"client_id":""}`}}, says: "client id"},
		"registration: HTML":  {o: authserver.Options{Registration: &authserver.Reply{Status: 200, Body: `<html>`}}, says: "cannot be read"},
		"iss wrong":           {o: authserver.Options{Iss: authserver.IssWrong}, says: "another authorization server"},
		"iss wrong, unsaid":   {o: authserver.Options{Iss: authserver.IssWrong, IssUnadvertised: true}, says: "another authorization server"},
		"iss missing":         {o: authserver.Options{Iss: authserver.IssMissing}, says: "does not say which"},
		"denied":              {o: authserver.Options{AuthorizeError: "access_denied", ErrorDescription: "you said no"}, says: "you said no"},
		"denied by another":   {o: authserver.Options{AuthorizeError: "access_denied", ErrorDescription: nasty, Iss: authserver.IssWrong}, says: "another authorization server"},
		"denied by nobody":    {o: authserver.Options{AuthorizeError: "access_denied", ErrorDescription: nasty, Iss: authserver.IssMissing}, says: "does not say which"},
		"a token of no type":  {o: authserver.Options{AlterToken: func(_ string, a map[string]any) { a["token_type"] = "mac" }}, says: `type "mac"`},
		"no token":            {o: authserver.Options{AlterToken: func(_ string, a map[string]any) { delete(a, "access_token") }}, says: "cannot be read"},
		"a token of lines":    {o: authserver.Options{AlterToken: func(_ string, a map[string]any) { a["access_token"] = "a\r\nX-Evil: b" }}, says: "cannot be one"},
		"a huge token":        {o: authserver.Options{AlterToken: func(_ string, a map[string]any) { a["access_token"] = strings.Repeat("a", 70_000) }}, says: "cannot be one"},
		"a token of 2 MB":     {o: authserver.Options{Token: &authserver.Reply{Body: strings.Repeat("a", 2<<20)}}, says: "cannot be read"},
		"codes are no good":   {o: authserver.Options{Token: &authserver.Reply{Status: 400, Body: `{"error":"invalid_grant"}`}}, says: "400 invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.o)
			p := w.process()
			p.wantsLogin()
			err := w.login(p)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, want %v %q", err, tt.is, tt.says)
			}
			if strings.Contains(err.Error(), "nasty") || strings.ContainsRune(err.Error(), '\x1b') {
				t.Errorf("got %v, with words that must not be shown", err)
			}
			if mismatch := strings.HasPrefix(name, "iss") || strings.HasPrefix(name, "denied"); mismatch && len(w.server.At("/token")) > 0 {
				t.Error("the code was redeemed")
			}
			p.connect()
			p.wantsLogin() // nothing was stored
		})
	}
}

func TestRegistrationIsTriedWithLess(t *testing.T) {
	refusal := &authserver.Reply{Status: 400, Body: `{"error":"invalid_client_metadata"}`, Times: 1}
	w := newWorld(t, authserver.Options{Registration: refusal, ChallengeScopes: []string{"a"}})
	w.loggedIn().works()
	tries := w.server.At("/register")
	if len(tries) != 2 || !strings.Contains(tries[0].Body, `"scope"`) || strings.Contains(tries[1].Body, `"scope"`) {
		t.Errorf("got %v, want two, the second without a scope", tries)
	}
}

func TestClientsOfTheUser(t *testing.T) {
	document := "https://client.example/weir.json"
	for name, tt := range map[string]struct {
		client authserver.Client
		config auth.OAuth
		o      authserver.Options
	}{
		"public":           {client: authserver.Client{ID: "me"}, config: auth.OAuth{ClientID: "me"}},
		"secret":           {client: authserver.Client{ID: "me", Secret: "s3 cret/%"}, config: auth.OAuth{ClientID: "me", ClientSecret: "s3 cret/%"}},
		"secret, by post":  {client: authserver.Client{ID: "me", Secret: "s3cret", Auth: "client_secret_post"}, config: auth.OAuth{ClientID: "me", ClientSecret: "s3cret", ClientAuth: "post"}},
		"only post":        {client: authserver.Client{ID: "me", Secret: "s3cret", Auth: "client_secret_post"}, config: auth.OAuth{ClientID: "me", ClientSecret: "s3cret"}, o: authserver.Options{AuthMethods: []string{"client_secret_post"}}},
		"a document of it": {config: auth.OAuth{ClientMetadataURL: document}, o: authserver.Options{NoRegistration: true, Documents: map[string]string{document: ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := tt.o
			if o.Documents != nil {
				o.Documents = map[string]string{document: `{"client_id":"` + document + `","client_name":"weir","redirect_uris":["http://127.0.0.1/callback"],
					"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`}
				o.AnyPort = true
			} else {
				o.Clients = []authserver.Client{tt.client}
			}
			w := newWorld(t, o)
			w.config = tt.config
			p := w.loggedIn()
			p.works()
			w.server.Expire()
			p.works()
			if len(w.server.At("/register")) != 0 {
				t.Error("somebody was registered")
			}
		})
	}
}

// TestClientIsBoundToItsIssuer: what was registered at one authorization server is
// never shown to another.
func TestClientIsBoundToItsIssuer(t *testing.T) {
	w := newWorld(t, authserver.Options{Clients: []authserver.Client{{ID: "me", Secret: "s3cret"}}})
	w.config = auth.OAuth{ClientID: "me", ClientSecret: "s3cret"}
	p := w.loggedIn()
	first := w.server.Issuer()
	second := w.server.Migrate()
	p.wantsLogin()
	if err := w.login(p); err == nil || !strings.Contains(err.Error(), first) || !strings.Contains(err.Error(), second) {
		t.Fatalf("got %v, want both issuers named", err)
	}
	for _, e := range w.server.Seen() {
		if e.Origin == second && (e.Path == "/token" || e.Path == "/authorize") {
			t.Errorf("%s was asked", e.Path)
		}
	}
	w.config.Issuer = second
	p = w.loggedIn()
	p.works()
	if all, err := p.keeper.Logins(t.Context()); err != nil || len(all) != 1 || all[0].Key.Issuer != second {
		t.Errorf("got %v, %v, want the second login alone", all, err)
	}
}

// TestSecretIsForTheConfiguredIssuer: a login that there is from before does not
// take what was configured for another client, or for another issuer.
func TestSecretIsForTheConfiguredIssuer(t *testing.T) {
	const newSecret = "s3cret-of-the-second"
	for name, tt := range map[string]struct {
		before auth.OAuth
		change func(l *credentials.Login)
		after  func(w *world) auth.OAuth
	}{
		"another issuer": {
			before: auth.OAuth{ClientID: "me", ClientSecret: "s3cret"},
			after: func(w *world) auth.OAuth {
				return auth.OAuth{ClientID: "me", ClientSecret: newSecret, Issuer: w.server.Migrate()}
			},
		},
		"another client": {
			before: auth.OAuth{ClientID: "me", ClientSecret: "s3cret"},
			after:  func(*world) auth.OAuth { return auth.OAuth{ClientID: "you", ClientSecret: newSecret} },
		},
		"an id that an issuer gave": {
			change: func(l *credentials.Login) { l.Client.Auth, l.Client.Secret = "client_secret_post", "theirs" },
			after: func(w *world) auth.OAuth {
				all, err := w.store().All(w.t.Context())
				if err != nil || len(all) != 1 {
					w.t.Fatalf("got %v, %v", all, err)
				}
				return auth.OAuth{ClientID: all[0].Key.Client, ClientSecret: newSecret}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, authserver.Options{Clients: []authserver.Client{{ID: "me", Secret: "s3cret"}}})
			w.config = tt.before
			w.loggedIn().works()
			w.expire(-time.Minute)
			if tt.change != nil {
				w.change(tt.change)
			}
			asked := len(w.server.At("/token"))
			w.config = tt.after(w)
			p := w.process()
			p.wantsLogin()
			if stand, err := p.a.Standing(t.Context()); err != nil || stand.LoggedIn {
				t.Errorf("got %+v, %v, want nobody logged in", stand, err)
			}
			if out, err := p.a.Logout(t.Context()); err != nil || !out.Had {
				t.Errorf("got %+v, %v, want the login before removed", out, err)
			}
			if got := len(w.server.At("/token")); got != asked {
				t.Errorf("got %d requests for tokens, want none", got-asked)
			}
			for _, e := range w.server.Seen() {
				_, password, _ := (&http.Request{Header: e.Header}).BasicAuth()
				if password == newSecret || e.Form.Get("client_secret") == newSecret {
					t.Errorf("%s was shown the secret", e.Path)
				}
			}
		})
	}
}

func TestMigrationRegistersAnew(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	w.server.Migrate()
	p.wantsLogin()
	if err := w.login(p); err != nil {
		t.Fatal(err)
	}
	p.works()
	if got := len(w.server.At("/register")); got != 2 {
		t.Errorf("got %d registrations, want 2", got)
	}
}

// TestRegistrationIsUsedAgain: with the same redirect URI, as long as the server
// knows it.
func TestRegistrationIsUsedAgain(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	w.server.Revoke()
	p.wantsLogin()
	if err := w.login(p); err != nil {
		t.Fatal(err)
	}
	if got := len(w.server.At("/register")); got != 1 {
		t.Errorf("got %d registrations, want 1", got)
	}
	visits := w.server.At("/authorize")
	if a, b := visits[0].Form.Get("redirect_uri"), visits[1].Form.Get("redirect_uri"); a != b {
		t.Errorf("got redirects to %q and %q, want the same", a, b)
	}
	w.server.Forget()
	w.server.Expire()
	p.wantsLogin()
	if err := w.login(p); err != nil {
		t.Fatal(err)
	}
	p.works()
}

// TestCallbackHost: a registration is good for one name of this machine, as the
// configuration has it.
func TestCallbackHost(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	for _, tt := range []struct {
		host, want    string
		registrations int
	}{
		{"", "127.0.0.1", 1},
		{"localhost", "localhost", 2},
		{"localhost", "localhost", 2},
		{"127.0.0.1", "127.0.0.1", 3},
		{"", "127.0.0.1", 3},
	} {
		w.config.CallbackHost = tt.host
		if err := w.login(w.process()); err != nil {
			t.Fatal(err)
		}
		visits, registrations := w.server.At("/authorize"), w.server.At("/register")
		redirect, err := url.Parse(visits[len(visits)-1].Form.Get("redirect_uri"))
		if err != nil || redirect.Hostname() != tt.want || len(registrations) != tt.registrations {
			t.Errorf("host %q: got a redirect to %v (%v), %d registrations; want %s, %d", tt.host, redirect, err, len(registrations), tt.want, tt.registrations)
		}
	}
}

func TestConfiguredIssuer(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	w.config.Issuer = "https://other.example"
	err := w.login(w.process())
	if err == nil || !strings.Contains(err.Error(), "https://other.example") || !strings.Contains(err.Error(), w.server.Issuer()) {
		t.Errorf("got %v, want both issuers named", err)
	}
	w.config.Issuer = w.server.Issuer() + "/"
	w.loggedIn().works()
}

func TestFirstIssuerThatWorks(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	issuers := []string{"http://127.0.0.1:1", w.server.Issuer()}
	w.server.Set(func(o *authserver.Options) { o.ClaimIssuers = issuers })
	w.loggedIn().works()
}

func TestScopesThatAreAskedFor(t *testing.T) {
	for name, tt := range map[string]struct {
		o      authserver.Options
		config []string
		want   string
	}{
		"of the challenge":     {o: authserver.Options{ChallengeScopes: []string{"a", "b"}, ResourceScopes: []string{"c"}}, want: "a b"},
		"of the resource":      {o: authserver.Options{ResourceScopes: []string{"c", "d"}}, want: "c d"},
		"none":                 {o: authserver.Options{Scopes: []string{"offline_access", "x"}}, want: ""},
		"an empty list":        {o: authserver.Options{ResourceScopes: []string{}}, want: ""},
		"as configured":        {o: authserver.Options{ChallengeScopes: []string{"a"}}, config: []string{"mine"}, want: "mine"},
		"and to stay":          {o: authserver.Options{ChallengeScopes: []string{"a"}, Scopes: []string{"a", "offline_access"}}, want: "a offline_access"},
		"and to stay, already": {o: authserver.Options{ChallengeScopes: []string{"offline_access", "a"}, Scopes: []string{"offline_access"}}, want: "offline_access a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.o)
			w.config.Scopes = tt.config
			p := w.process()
			p.wantsLogin()
			attempt, err := p.a.Login(t.Context(), auth.LoginOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer attempt.Close()
			visit, err := url.Parse(attempt.URL())
			if err != nil {
				t.Fatal(err)
			}
			if got := visit.Query().Get("scope"); got != tt.want || visit.Query().Has("scope") != (tt.want != "") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSecondLoginIsTheFirst(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.process()
	attempts := make(chan *login.Attempt, 4)
	for range cap(attempts) {
		go func() {
			attempt, err := p.a.Login(t.Context(), auth.LoginOptions{})
			if err != nil {
				t.Error(err)
			}
			attempts <- attempt
		}()
	}
	first := <-attempts
	for range cap(attempts) - 1 {
		if got := <-attempts; got != first {
			t.Error("got another attempt")
		}
	}
	if _, err := w.process().a.Login(t.Context(), auth.LoginOptions{}); !errors.Is(err, auth.ErrLoginUnderWay) {
		t.Errorf("in another process: got %v, want %v", err, auth.ErrLoginUnderWay)
	}
	first.Close()
	if err := w.login(p); err != nil {
		t.Error(err)
	}
}

func TestNoLoginNeeded(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	open := httptestServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mcp" {
			echo(w, r)
			return
		}
		http.NotFound(w, r)
	}) + "/mcp"
	w.endpoint = open
	if err := w.login(w.process()); !errors.Is(err, auth.ErrNoLoginNeeded) {
		t.Errorf("got %v, want %v", err, auth.ErrNoLoginNeeded)
	}
	w.process().works()
}

func TestLogout(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	stamp := p.a.Stamp(t.Context())
	issuer := w.server.Issuer()
	if c, err := w.store().Client(t.Context(), issuer, w.endpoint); err != nil || c == nil {
		t.Fatalf("got %v, %v, want a registration", c, err)
	}
	out, err := p.a.Logout(t.Context())
	if c, err := w.store().Client(t.Context(), issuer, w.endpoint); err != nil || c != nil {
		t.Errorf("got %v, %v, want no registration any more", c, err)
	}
	if err != nil || !out.Had || !out.Revoked {
		t.Errorf("got %+v, %v, want it had and revoked", out, err)
	}
	var hints []string
	for _, e := range w.server.At("/revoke") {
		hints = append(hints, e.Form.Get("token_type_hint"))
	}
	if want := []string{"refresh_token", "access_token"}; !slices.Equal(hints, want) {
		t.Errorf("got %v revoked, want %v", hints, want)
	}
	if p.a.Stamp(t.Context()) == stamp {
		t.Error("the stamp is the same after the logout")
	}
	p.wantsLogin()
	if err := w.login(p); err != nil {
		t.Fatal(err)
	}
	if got := len(w.server.At("/register")); got != 2 {
		t.Errorf("got %d registrations, want a second after the logout", got)
	}
	w.server.Set(func(o *authserver.Options) { o.Revocation = &authserver.Reply{Status: 500} })
	if out, err := p.a.Logout(t.Context()); err != nil || !out.Had || out.Revoked {
		t.Errorf("where it cannot be revoked: got %+v, %v", out, err)
	}
	if out, err := p.a.Logout(t.Context()); err != nil || out.Had {
		t.Errorf("a second time: got %+v, %v", out, err)
	}
}

// TestTokensStayAtHome: on a redirect, and with a request for elsewhere.
func TestTokensStayAtHome(t *testing.T) {
	w := newWorld(t, authserver.Options{})
	p := w.loggedIn()
	got := ""
	elsewhere := httptestServer(t, func(_ http.ResponseWriter, r *http.Request) { got += r.Header.Get("Authorization") })
	p.url = elsewhere
	if status, err := p.post(""); status != http.StatusOK || err != nil || got != "" {
		t.Errorf("got %d, %v, with %q", status, err, got)
	}
}
