package auth

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/discovery"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// TestProviderOfOwn: the identity provider is configured, so it may be on this
// machine though the MCP server is not. What the MCP server names may not.
func TestProviderOfOwn(t *testing.T) {
	idp := authserver.NewProvider(t, authserver.ProviderOptions{Client: authserver.Client{ID: "me"}})
	k := NewKeeper(Options{})
	t.Cleanup(k.Close)
	a := k.Authenticator("gh", "https://mcp.example/mcp", Config{Kind: OAuth2, OAuth: OAuth{
		Grant: Enterprise, ClientID: "c", IdentityProvider: IdentityProvider{
			Issuer: idp.Issuer(), ClientID: "me", SubjectToken: idp.SignIn("ada", time.Hour),
		},
	}}, nil)
	set, err := a.readSettings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	from := &whereto{server: &discovery.Server{Issuer: "https://as.example"}, token: idp.Issuer() + "/token", resource: "https://mcp.example/mcp"}
	jag, err := a.exchange(t.Context(), set, from, nil)
	if err != nil || !isFor(jag, "https://as.example") {
		t.Errorf("got %v, want an ID-JAG", err)
	}
	g := a.guard(set)
	defer g.Close()
	request := tokenRequest{from.token, &client{method: noSecret}, url.Values{}}
	if _, err := request.post(t.Context(), g); err == nil || !strings.Contains(err.Error(), "this machine") {
		t.Errorf("for the MCP server's sake: got %v, want it refused", err)
	}
}

func TestSubjectTokens(t *testing.T) {
	const xml = "<saml:Assertion>\n  <ds:Signature/>\n</saml:Assertion>"
	for _, tt := range []struct{ kind, text, want string }{
		{"", "a.b.c", "a.b.c"},
		{"", "a.b.c\n", "a.b.c"},
		{"id_token", "a..c..e", "a..c..e"},
		{"id_token", "opaque", ""},
		{"refresh_token", "opaque", "opaque"},
		{"refresh_token", "o\x00", ""},
		{"saml2", xml + "\n", base64.RawURLEncoding.EncodeToString([]byte(xml))},
		{"saml2", "PHNhbWw6", "PHNhbWw6"},
		{"saml2", "PHNh\nbWw6", ""},
	} {
		config := Config{Kind: OAuth2, OAuth: OAuth{Grant: Enterprise, IdentityProvider: IdentityProvider{SubjectToken: tt.text, SubjectTokenType: tt.kind}}}
		a := NewKeeper(Options{}).Authenticator("gh", "https://mcp.example", config, nil)
		got, err := a.readSubject(context.Background())
		if string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s %q: got %q, %v, want %q", tt.kind, tt.text, string(got), err, tt.want)
		}
	}
}

func TestAudiences(t *testing.T) {
	token := func(payload string) secret {
		return secret("e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".s")
	}
	for payload, want := range map[string]bool{
		`{"aud":"https://as.example"}`:          true,
		`{"aud":"https://as.example/"}`:         true,
		`{"aud":["x","https://as.example/t"]}`:  true,
		`{"aud":"https://as.example.evil"}`:     false,
		`{"aud":"https://as.example/t/u"}`:      false,
		`{"aud":""}`:                            false,
		`{"aud":[]}`:                            false,
		`{"aud":{"https://as.example":1}}`:      false,
		`{}`:                                    false,
		`no JSON`:                               false,
		`{"aud":"https://as.example","exp":{}}`: false,
	} {
		if got := isFor(token(payload), "https://as.example", "https://as.example/t"); got != want {
			t.Errorf("%s: got %v, want %v", payload, got, want)
		}
	}
	if isFor("a.b.c.d.e", "https://as.example") {
		t.Error("an encrypted token: got that it is for this one, want that nobody knows")
	}
}
