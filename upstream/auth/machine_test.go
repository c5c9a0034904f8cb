package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

var machineGrants = []string{"client_credentials"}

func machineWorld(t *testing.T, o authserver.Options, c authserver.Client, config auth.OAuth) *world {
	t.Helper()
	c.ID, c.Grants = "robot", machineGrants
	o.Clients = append(o.Clients, c)
	w := newWorld(t, o)
	w.config = config
	w.config.Grant, w.config.ClientID = auth.ClientCredentials, "robot"
	return w
}

func (w *world) grants(want int) {
	w.t.Helper()
	if got := len(w.server.Granted("client_credentials")); got != want {
		w.t.Errorf("got %d token requests, want %d", got, want)
	}
}

func TestClientCredentials(t *testing.T) {
	const s3cret = "s3 cret+/%"
	for name, tt := range map[string]struct {
		o        authserver.Options
		client   authserver.Client
		config   auth.OAuth
		explicit bool
		requests int
	}{
		"by discovery":                  {client: authserver.Client{Secret: s3cret}, requests: 1},
		"explicit":                      {client: authserver.Client{Secret: s3cret}, explicit: true, requests: 1},
		"by discovery, in the body":     {o: authserver.Options{AuthMethods: []string{"client_secret_post"}}, client: authserver.Client{Secret: s3cret, Auth: "client_secret_post"}, requests: 1},
		"explicit, in the body":         {client: authserver.Client{Secret: s3cret, Auth: "client_secret_post"}, config: auth.OAuth{ClientAuth: "post"}, explicit: true, requests: 1},
		"explicit, and it is found":     {client: authserver.Client{Secret: s3cret, Auth: "client_secret_post"}, explicit: true, requests: 2},
		"no proof keys, nobody logs in": {o: authserver.Options{PKCEMethods: []string{}}, client: authserver.Client{Secret: s3cret}, requests: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := machineWorld(t, tt.o, tt.client, tt.config)
			w.config.ClientSecret, w.config.Scopes = s3cret, []string{"a", "b"}
			if tt.explicit {
				w.config.TokenURL = w.server.Issuer() + "/token"
			}
			p := w.process()
			var all sync.WaitGroup
			for range 20 {
				all.Go(p.works)
			}
			all.Wait()
			w.grants(tt.requests)
			last := w.server.Granted("client_credentials")[tt.requests-1].Form
			if last.Get("resource") != w.endpoint || last.Get("scope") != "a b" {
				t.Errorf("got %v", last)
			}
			w.server.Expire()
			p.works()
			w.grants(tt.requests + 1)
			if _, err := p.a.Login(t.Context(), auth.LoginOptions{}); !errors.Is(err, auth.ErrNoLogin) {
				t.Errorf("got %v, want %v", err, auth.ErrNoLogin)
			}
			if all, err := p.keeper.Logins(t.Context()); err != nil || len(all) > 0 {
				t.Errorf("got %v, %v stored, want nothing", all, err)
			}
		})
	}
}

func TestPrivateKeys(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	for name, key := range map[string]crypto.Signer{"RSA": rsaKey, "P-256": p256} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := pemOf(t, key)
			w := machineWorld(t, authserver.Options{}, authserver.Client{Key: key.Public()}, auth.OAuth{PrivateKey: text})
			w.process().works()
			form := one(t, w.server.Granted("client_credentials")).Form
			if form.Has("client_id") || keyIDOf(t, form.Get("client_assertion")) != nil {
				t.Errorf("got %v", form)
			}
			// And as somebody who logs in.
			w = newWorld(t, authserver.Options{Clients: []authserver.Client{{ID: "me", Key: key.Public()}}})
			w.config = auth.OAuth{ClientID: "me", PrivateKey: strings.ReplaceAll(text, "\n", `\n`), KeyID: "2026-11"}
			p := w.loggedIn()
			w.server.Expire()
			p.works()
			for _, e := range w.server.At("/token") {
				if id := keyIDOf(t, e.Form.Get("client_assertion")); id != "2026-11" {
					t.Errorf("%s: got the key id %v", e.Form.Get("grant_type"), id)
				}
			}
		})
	}
}

// keyIDOf is the name of the key that has signed an assertion; nil if it has none.
func keyIDOf(t *testing.T, assertion string) any {
	t.Helper()
	token, _, err := jwt.NewParser().ParseUnverified(assertion, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return token.Header["kid"]
}

func pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestCredentialsThatAreWrong: they are tried once, until there are others.
func TestCredentialsThatAreWrong(t *testing.T) {
	w := machineWorld(t, authserver.Options{}, authserver.Client{Secret: "right"}, auth.OAuth{ClientAuth: "basic"})
	p := w.process()
	given := "wrong"
	w.config.ClientSecret = "${SECRET}"
	p.a = p.keeper.Authenticator("gh", w.endpoint, auth.Config{Kind: auth.OAuth2, OAuth: w.config}, references(&given))
	p.connect()
	for range 20 {
		_, err := p.post(initialize)
		failed, ok := errors.AsType[*auth.TokenError](err)
		if !ok || failed.Temporary || failed.Code != "invalid_client" || failed.Status != http.StatusUnauthorized {
			t.Fatalf("got %v, want a TokenError for good", err)
		}
	}
	w.grants(1)
	stamp := p.a.Stamp(t.Context())
	if p.a.Stamp(t.Context()) != stamp {
		t.Error("the stamp is not the same twice")
	}
	given = "right"
	if p.a.Stamp(t.Context()) == stamp || strings.Contains(p.a.Stamp(t.Context()), given) {
		t.Errorf("got the stamp %q after %q", p.a.Stamp(t.Context()), stamp)
	}
	p.connect()
	p.works()
	w.grants(2)
}

func TestMachineTokensAreRefused(t *testing.T) {
	w := machineWorld(t, authserver.Options{RejectTokens: true}, authserver.Client{Secret: "s"}, auth.OAuth{ClientSecret: "s"})
	p := w.process()
	for range 20 {
		_, err := p.post(initialize)
		if failed, ok := errors.AsType[*auth.TokenError](err); !ok || failed.Temporary {
			t.Fatalf("got %v, want a TokenError for good", err)
		}
	}
	if got := len(w.server.Granted("client_credentials")); got > 2 {
		t.Errorf("got %d token requests", got)
	}
	if got := len(w.server.At("/mcp")); got > 3 {
		t.Errorf("got %d requests", got)
	}
}

func TestMachineTroubleThatPasses(t *testing.T) {
	limit := &authserver.Reply{Status: 429, Header: map[string]string{"Retry-After": "60"}}
	w := machineWorld(t, authserver.Options{Token: limit}, authserver.Client{Secret: "s"}, auth.OAuth{ClientSecret: "s"})
	p := w.process()
	for range 20 {
		_, err := p.post(initialize)
		if failed, ok := errors.AsType[*auth.TokenError](err); !ok || !failed.Temporary || failed.RetryAfter < 50e9 {
			t.Fatalf("got %v, want a TokenError that passes after a minute", err)
		}
	}
	w.grants(1)
}

// TestMachineStepsUpOnce: nobody is there to be asked.
func TestMachineStepsUpOnce(t *testing.T) {
	for name, status := range map[string]int{"granted": http.StatusOK, "withheld": http.StatusForbidden} {
		t.Run(name, func(t *testing.T) {
			o := authserver.Options{ChallengeScopes: []string{"basic"}, ChallengeOnly: true, ToolScopes: map[string][]string{"write": {"rw"}}}
			if status == http.StatusForbidden {
				o.Withhold = []string{"rw"}
			}
			w := machineWorld(t, o, authserver.Client{Secret: "s"}, auth.OAuth{ClientSecret: "s"})
			p := w.process()
			p.gets(http.StatusOK, "read")
			for range 5 {
				p.gets(status, "write")
			}
			p.gets(http.StatusOK, "read")
			w.grants(2)
			if got := w.server.Granted("client_credentials")[1].Form.Get("scope"); got != "basic rw" {
				t.Errorf("got scope %q, want both", got)
			}
		})
	}
}

// TestMachineKeepsWhatItHas: when it may not have more.
func TestMachineKeepsWhatItHas(t *testing.T) {
	w := machineWorld(t, authserver.Options{ChallengeScopes: []string{"basic"}, ToolScopes: map[string][]string{"write": {"rw"}}},
		authserver.Client{Secret: "s"}, auth.OAuth{ClientSecret: "s"})
	p := w.process()
	p.gets(http.StatusOK, "read")
	w.server.Set(func(o *authserver.Options) {
		o.Token = &authserver.Reply{Status: 400, Body: `{"error":"invalid_scope"}`}
	})
	p.gets(http.StatusForbidden, "write")
	p.gets(http.StatusOK, "read")
	w.server.Set(func(o *authserver.Options) { o.Token = nil })
	w.server.Expire()
	p.gets(http.StatusOK, "read")
	if got := w.server.Granted("client_credentials")[2].Form.Get("scope"); got != "basic" {
		t.Errorf("got scope %q, want what is allowed", got)
	}
}

func TestMachineIsBoundToItsIssuer(t *testing.T) {
	w := machineWorld(t, authserver.Options{}, authserver.Client{Secret: "s"}, auth.OAuth{ClientSecret: "s"})
	p := w.process()
	p.works()
	second := w.server.Migrate()
	_, err := p.post(initialize)
	if failed, ok := errors.AsType[*auth.TokenError](err); !ok || failed.Temporary || !strings.Contains(err.Error(), second) {
		t.Fatalf("got %v, want a TokenError for good that names the new issuer", err)
	}
	for _, e := range w.server.Seen() {
		if e.Origin == second && e.Path == "/token" {
			t.Error("the secret was shown to the new issuer")
		}
	}
}

func TestMachineRefusesPlaces(t *testing.T) {
	k := auth.NewKeeper(auth.Options{})
	t.Cleanup(k.Close)
	for name, tt := range map[string]struct {
		endpoint string
		config   auth.OAuth
		says     string
	}{
		"plain token_url": {"https://mcp.example", auth.OAuth{ClientID: "c", TokenURL: "http://idp.example/token"}, "token_url"},
		"plain endpoint":  {"http://mcp.example", auth.OAuth{ClientID: "c"}, "plain http"},
		"no client":       {"https://mcp.example", auth.OAuth{}, "client_id"},
		"no key":          {"https://mcp.example", auth.OAuth{ClientID: "c", PrivateKey: "hunter2"}, "private_key"},
	} {
		tt.config.Grant = auth.ClientCredentials
		a := k.Authenticator("gh", tt.endpoint, auth.Config{Kind: auth.OAuth2, OAuth: tt.config}, nil)
		_, err := a.RoundTripper(t.Context(), http.DefaultTransport)
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %q in it", name, err, tt.says)
		}
	}
}
