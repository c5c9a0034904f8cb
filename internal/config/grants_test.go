package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/auth"
)

// authOf loads a server with this auth.
func authOf(t *testing.T, text string) (string, Server) {
	t.Helper()
	path := write(t, "mcp.yaml", "servers:\n  a: {url: \"https://x/\", auth: "+text+"}\n")
	f, err := Load(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return path, f.Servers[0]
}

const provider = `identity_provider: {issuer: "https://idp.example/t", client_id: i, subject_token: a.b.c`

func TestGrantsWithoutPerson(t *testing.T) {
	idp := auth.IdentityProvider{Issuer: "https://idp.example/t", ClientID: "i", SubjectToken: "a.b.c"}
	for _, tt := range []struct {
		auth string
		want auth.OAuth
	}{
		{`{type: oauth2, grant: jwt_bearer, assertion: a.b.c}`, auth.OAuth{Grant: auth.JWTBearer, Assertion: "a.b.c"}},
		{
			`{type: oauth2, grant: jwt_bearer, assertion: "${file:/run/token}", client_id: c, client_secret: s, token_url: "https://as.example/t", scopes: [s]}`,
			auth.OAuth{
				Grant: auth.JWTBearer, Assertion: "${file:/run/token}", ClientID: "c", ClientSecret: "s",
				TokenURL: "https://as.example/t", Scopes: []string{"s"},
			},
		},
		{
			`{type: oauth2, grant: enterprise, client_id: c, ` + provider + `}}`,
			auth.OAuth{Grant: auth.Enterprise, ClientID: "c", IdentityProvider: idp},
		},
		{
			`{type: oauth2, grant: enterprise, client_metadata_url: "https://me.example/c", private_key: "${file:k}", ` + provider + `}}`,
			auth.OAuth{
				Grant: auth.Enterprise, ClientMetadataURL: "https://me.example/c", PrivateKey: "${file:k}", IdentityProvider: idp,
			},
		},
		{
			`{type: oauth2, grant: enterprise, client_id: c, issuer: "https://as.example", token_url: "https://as.example/t", ` +
				`identity_provider: {token_url: "http://localhost:1/t", client_id: i, client_secret: s, client_auth: post, ` +
				`subject_token: "${file:x}", subject_token_type: saml2}}`,
			auth.OAuth{
				Grant: auth.Enterprise, ClientID: "c", Issuer: "https://as.example", TokenURL: "https://as.example/t",
				IdentityProvider: auth.IdentityProvider{
					TokenURL: "http://localhost:1/t", ClientID: "i", ClientSecret: "s", ClientAuth: "post",
					SubjectToken: "${file:x}", SubjectTokenType: "saml2",
				},
			},
		},
	} {
		_, s := authOf(t, tt.auth)
		if s.Broken != nil {
			t.Errorf("%s: %v", tt.auth, s.Broken)
			continue
		}
		if diff := cmp.Diff(tt.want, s.Auth.OAuth); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.auth, diff)
		}
	}
}

func TestBrokenGrantsWithoutPerson(t *testing.T) {
	const wif, enterprise = `type: oauth2, grant: jwt_bearer`, `type: oauth2, grant: enterprise, client_id: c`
	for _, tt := range []struct{ auth, want string }{
		{wif, `auth: grant jwt_bearer needs an "assertion"`},
		{wif + `, assertion: ""`, `auth.assertion: it is empty`},
		{wif + `, assertion: /var/run/token`, `auth.assertion: it is no JWT (for one in a file, write ${file:PATH})`},
		{wif + `, assertion: /a.b/../c.d`, `auth.assertion: it is no JWT (for one in a file, write ${file:PATH})`},
		{wif + `, assertion: a.b.c, client_secret: s`, `auth.client_secret: it needs a "client_id"`},
		{wif + `, assertion: a.b.c, private_key: "${file:k}"`, `auth.private_key: it needs a "client_id"`},
		{wif + `, assertion: a.b.c, login: ask`, `auth.login: this key is for grant authorization_code`},
		{wif + `, assertion: a.b.c, account: b`, `auth.account: this key is for grant authorization_code`},
		{wif + `, assertion: a.b.c, client_metadata_url: "https://me.example/c"`, `auth.client_metadata_url: this key is for grant authorization_code or enterprise`},
		{wif + `, assertion: a.b.c, ` + provider + `}`, `auth.identity_provider: this key is for grant enterprise`},
		{`type: oauth2, assertion: a.b.c`, `auth.assertion: this key is for grant jwt_bearer`},
		{`type: oauth2, ` + provider + `}`, `auth.identity_provider: this key is for grant enterprise`},

		{enterprise, `auth: grant enterprise needs an "identity_provider"`},
		{`type: oauth2, grant: enterprise, ` + provider + `}`, `auth: grant enterprise needs a "client_id" or a "client_metadata_url"`},
		{
			enterprise + `, token_url: "https://as.example/t", ` + provider + `}`,
			`auth: grant enterprise needs an "issuer" beside "token_url": the identity provider is told who is meant`,
		},
		{enterprise + `, assertion: a.b.c, ` + provider + `}`, `auth.assertion: this key is for grant jwt_bearer`},
		{enterprise + `, identity_provider: {issuer: "https://i.example", subject_token: a.b.c}`, `auth: "identity_provider.client_id" is missing`},
		{enterprise + `, identity_provider: {issuer: "https://i.example", client_id: i}`, `auth: "identity_provider.subject_token" is missing`},
		{
			enterprise + `, identity_provider: {client_id: i, subject_token: a.b.c}`,
			`auth.identity_provider: it needs an "issuer" or a "token_url"`,
		},
		{
			enterprise + `, ` + provider + `, token_url: "https://i.example/t"}`,
			`auth.identity_provider: it has both an "issuer" and a "token_url"; one of them says where tokens are exchanged`,
		},
		{
			enterprise + `, identity_provider: {issuer: "http://i.example", client_id: i, subject_token: a.b.c}`,
			`auth.identity_provider.issuer: it must begin with https:// (http:// is for this machine only)`,
		},
		{
			enterprise + `, identity_provider: {issuer: "https://i.example?a", client_id: i, subject_token: a.b.c}`,
			`auth.identity_provider.issuer: it must not have a query (?)`,
		},
		{
			enterprise + `, identity_provider: {issuer: "https://i.example", client_id: i, subject_token: ~/token}`,
			`auth.identity_provider.subject_token: it is no JWT (for one in a file, write ${file:PATH})`,
		},
		{enterprise + `, ` + provider + `, subject_token_type: saml}`, `auth.identity_provider.subject_token_type: unknown word "saml" (did you mean "saml2"?) (want id_token, refresh_token or saml2)`},
		{enterprise + `, ` + provider + `, client_auth: post}`, `auth.identity_provider.client_auth: it says how a "client_secret" is sent, and there is none`},
		{enterprise + `, ` + provider + `, client_secret: s, private_key: "${file:k}"}`, `auth.identity_provider: it has both a "client_secret" and a "private_key"`},
		{enterprise + `, ` + provider + `, private_key: k}`, `auth.identity_provider.private_key: it is no key in PEM (for one in a file, write ${file:PATH})`},
	} {
		path, s := authOf(t, "{"+tt.auth+"}")
		if s.Broken == nil {
			t.Errorf("%s: got no error, want %s", tt.auth, tt.want)
			continue
		}
		if got, want := bare(path, s.Broken.Error()), `mcp.yaml:2: server "a": `+tt.want; got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.auth, got, want)
		}
	}
	path := write(t, "mcp.yaml", "servers:\n  a: {url: \"https://x/\", auth: {"+enterprise+", identity_provider: {subjecttoken: t}}}\n")
	const want = `mcp.yaml:2: servers.a.auth.identity_provider: unknown key "subjecttoken" (did you mean "subject_token"?)`
	if _, err := Load(Options{Path: path}); err == nil || bare(path, err.Error()) != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// TestShownTokensAreReadLater: what lies in files is read when it is needed, and
// what stands beside it is not changed by that.
func TestShownTokensAreReadLater(t *testing.T) {
	file := write(t, "token", "a.b.c\n")
	_, s := authOf(t, `{type: oauth2, grant: enterprise, client_id: "c$${d", identity_provider: {issuer: "https://i.example", client_id: "i$${j", `+
		`client_secret: "k$${l", subject_token: "${file:`+file+`}"}}`)
	if s.Broken != nil {
		t.Fatal(s.Broken)
	}
	p := s.Auth.OAuth.IdentityProvider
	for text, want := range map[string]string{p.SubjectToken: "a.b.c", p.ClientID: "i${j", p.ClientSecret: "k${l", s.Auth.OAuth.ClientID: "c${d"} {
		if got, err := s.Resolve(context.Background(), text); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if err := os.WriteFile(file, []byte("d.e.f"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Resolve(context.Background(), p.SubjectToken); err != nil || got != "d.e.f" {
		t.Errorf("after the file has changed: got %q, %v", got, err)
	}
	_, plain := authOf(t, `{type: oauth2, grant: enterprise, client_id: c, identity_provider: {issuer: "https://i.example", client_id: "i$${j", `+
		`client_secret: "k$${l", subject_token: a.b.c}}`)
	if got := plain.Auth.OAuth.IdentityProvider; plain.Resolve != nil || got.ClientID != "i${j" || got.ClientSecret != "k${l" {
		t.Errorf("without references to files: got %q, %q, want no $$", got.ClientID, got.ClientSecret)
	}
}

func TestIdentityOfGrants(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{
		`{type: oauth2}`,
		`{type: oauth2, grant: jwt_bearer, assertion: a.b.c}`,
		`{type: oauth2, grant: jwt_bearer, assertion: a.b.d}`,
		`{type: oauth2, grant: enterprise, client_id: c, ` + provider + `}}`,
		`{type: oauth2, grant: enterprise, client_id: c, ` + provider + `, client_secret: s}}`,
		`{type: oauth2, grant: enterprise, client_id: c, ` + provider + `, subject_token_type: saml2}}`,
		`{type: oauth2, grant: enterprise, client_id: c, identity_provider: {issuer: "https://i.example", client_id: i, subject_token: a.b.c}}`,
		`{type: oauth2, grant: enterprise, client_id: c, identity_provider: {issuer: "https://i.example", client_id: i, subject_token: a.b.d}}`,
	} {
		_, s := authOf(t, text)
		if s.Broken != nil {
			t.Fatal(s.Broken)
		}
		if first, twice := seen[string(s.Identity)]; twice {
			t.Errorf("%s and %s: got the same identity", first, text)
		}
		seen[string(s.Identity)] = text
	}
}

// TestShownTokensAreNotTold: errors about tokens do not repeat them.
func TestShownTokensAreNotTold(t *testing.T) {
	for _, auth := range []string{
		`{type: oauth2, grant: jwt_bearer, assertion: planted}`, `{type: oauth2, grant: jwt_bearer, assertion: "planted${"}`,
		`{type: oauth2, grant: enterprise, client_id: c, identity_provider: {issuer: "https://i.example", client_id: i, subject_token: planted}}`,
		`{type: oauth2, grant: enterprise, client_id: c, identity_provider: {issuer: "https://i.example", client_id: i, client_secret: "planted\u0001", subject_token: a.b.c}}`,
		`{type: oauth2, grant: enterprise, client_id: c, identity_provider: {issuer: "https://i.example", client_id: i, private_key: planted, subject_token: a.b.c}}`,
	} {
		path := filepath.Join(t.TempDir(), "mcp.yaml")
		if err := os.WriteFile(path, []byte(`servers: {a: {url: "https://x/", auth: `+auth+`}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Load(Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if broken := f.Servers[0].Broken; broken == nil || strings.Contains(broken.Error(), "planted") {
			t.Errorf("%s: got %v, want an error that does not tell", auth, broken)
		}
	}
}
