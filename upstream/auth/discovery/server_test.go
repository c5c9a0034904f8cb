package discovery

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/auth/guard"
)

// metadata is that of an issuer, with the least that can be used.
func metadata(issuer string) page {
	return page{body: `{"issuer":"` + issuer + `","token_endpoint":"ORIGIN/token","code_challenge_methods_supported":["plain","S256"]}`}
}

func least(issuer string) *Server {
	return &Server{Issuer: issuer, Token: "ORIGIN/token", PKCE: true}
}

// filledServer puts the site's own origin into what is expected.
func (s *site) filledServer(server *Server) *Server {
	filled := *server
	for _, text := range []*string{&filled.Issuer, &filled.Authorization, &filled.Token, &filled.Registration, &filled.Revocation} {
		*text = s.filled(*text)
	}
	return &filled
}

func TestFindServer(t *testing.T) {
	for _, test := range []struct {
		name   string
		issuer string
		legacy bool
		pages  map[string]page
		want   *Server
		paths  []string
	}{
		{"OAuth, without a path", "ORIGIN", false, map[string]page{oauthPlace: metadata("ORIGIN")}, least("ORIGIN"), []string{oauthPlace}},
		{"OpenID, without a path", "ORIGIN", false, map[string]page{openIDPlace: metadata("ORIGIN")}, least("ORIGIN"), []string{oauthPlace, openIDPlace}},
		{"with a slash alone", "ORIGIN/", false, map[string]page{openIDPlace: metadata("ORIGIN/")}, least("ORIGIN/"), []string{oauthPlace, openIDPlace}},
		{"OAuth, with a path", "ORIGIN/t", false, map[string]page{oauthPlace + "/t": metadata("ORIGIN/t")}, least("ORIGIN/t"), []string{oauthPlace + "/t"}},
		{
			"OpenID with the path behind", "ORIGIN/t", false,
			map[string]page{openIDPlace + "/t": metadata("ORIGIN/t")},
			least("ORIGIN/t"),
			[]string{oauthPlace + "/t", openIDPlace + "/t"},
		},
		{
			"OpenID with the path before", "ORIGIN/t", false,
			map[string]page{"/t" + openIDPlace: metadata("ORIGIN/t"), oauthPlace: {body: "not asked"}},
			least("ORIGIN/t"),
			[]string{oauthPlace + "/t", openIDPlace + "/t", "/t" + openIDPlace},
		},
		{
			"a slash at the end", "ORIGIN/t/", false,
			map[string]page{"/t" + openIDPlace: metadata("ORIGIN/t/")},
			least("ORIGIN/t/"),
			[]string{oauthPlace + "/t", openIDPlace + "/t", "/t" + openIDPlace},
		},
		{"refusals and pages are absence", "ORIGIN/t", false, map[string]page{
			oauthPlace + "/t":  {status: http.StatusForbidden, body: "{}"},
			openIDPlace + "/t": {kind: "text/html", body: "<html>"},
			"/t" + openIDPlace: metadata("ORIGIN/t"),
		}, least("ORIGIN/t"), []string{oauthPlace + "/t", openIDPlace + "/t", "/t" + openIDPlace}},
		{
			"all of it", "ORIGIN", false,
			map[string]page{oauthPlace: {body: `{
			"issuer":"ORIGIN", "authorization_endpoint":"ORIGIN/authorize?tenant=x", "token_endpoint":"https://other.example/token",
			"registration_endpoint":"ORIGIN/register", "revocation_endpoint":"ORIGIN/revoke",
			"scopes_supported":["openid","offline_access"], "token_endpoint_auth_methods_supported":["none","private_key_jwt"],
			"token_endpoint_auth_signing_alg_values_supported":["ES256"], "grant_types_supported":[], "dpop_signing_alg_values_supported":["EdDSA"],
			"code_challenge_methods_supported":["S256"], "client_id_metadata_document_supported":true,
			"authorization_response_iss_parameter_supported":true, "unknown":{"issuer":"https://x"}}`}},
			&Server{
				Issuer: "ORIGIN", Authorization: "ORIGIN/authorize?tenant=x", Token: "https://other.example/token", Registration: "ORIGIN/register", Revocation: "ORIGIN/revoke",
				Scopes: []string{"openid", "offline_access"}, AuthMethods: []string{"none", "private_key_jwt"}, SigningAlgs: []string{"ES256"}, Grants: []string{},
				DPoPAlgs: []string{"EdDSA"}, PKCE: true, ClientIDMetadata: true, ReturnsIssuer: true,
			},
			[]string{oauthPlace},
		},
		{
			"what is of another type is not there", "ORIGIN", false,
			map[string]page{oauthPlace: {body: `{
			"issuer":"ORIGIN", "token_endpoint":"ORIGIN/token", "authorization_endpoint":null, "registration_endpoint":7, "revocation_endpoint":["x"],
			"scopes_supported":"openid", "token_endpoint_auth_methods_supported":[1], "grant_types_supported":{}, "code_challenge_methods_supported":"S256",
			"client_id_metadata_document_supported":"true", "authorization_response_iss_parameter_supported":1}`}},
			&Server{Issuer: "ORIGIN", Token: "ORIGIN/token"},
			[]string{oauthPlace},
		},
		{"what is refused and not needed is not there", "ORIGIN", false, map[string]page{oauthPlace: {body: `{"issuer":"ORIGIN", "token_endpoint":"ORIGIN/token",
			"registration_endpoint":"http://a.example/", "revocation_endpoint":"file:///x"}`}}, &Server{Issuer: "ORIGIN", Token: "ORIGIN/token"}, []string{oauthPlace}},
		{
			"without S256", "ORIGIN", false,
			map[string]page{oauthPlace: {body: `{"issuer":"ORIGIN","token_endpoint":"ORIGIN/token","code_challenge_methods_supported":["plain","s256"]}`}},
			&Server{Issuer: "ORIGIN", Token: "ORIGIN/token"},
			[]string{oauthPlace},
		},
		{
			"members in other letters are others", "ORIGIN", false,
			map[string]page{oauthPlace: {body: `{"ISSUER":"x","issuer":"ORIGIN","token_endpoint":"ORIGIN/token","TOKEN_ENDPOINT":"https://x"}`}},
			&Server{Issuer: "ORIGIN", Token: "ORIGIN/token"},
			[]string{oauthPlace},
		},

		{"legacy", "ORIGIN", true, map[string]page{oauthPlace: metadata("ORIGIN")}, least("ORIGIN"), []string{oauthPlace}},
		{"legacy with a slash", "ORIGIN", true, map[string]page{oauthPlace: metadata("ORIGIN/")}, least("ORIGIN/"), []string{oauthPlace}},
		{
			"legacy without metadata", "ORIGIN", true, nil,
			&Server{Issuer: "ORIGIN", Authorization: "ORIGIN/authorize", Token: "ORIGIN/token", Registration: "ORIGIN/register", PKCE: true, Assumed: true},
			[]string{oauthPlace, openIDPlace},
		},
	} {
		s := newSite(t, test.pages)
		got, err := FindServer(t.Context(), newGuard(t, s.URL), s.filled(test.issuer), test.legacy)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if diff := cmp.Diff(s.filledServer(test.want), got); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.paths, s.paths()); diff != "" {
			t.Errorf("%s: asked for -want +got\n%s", test.name, diff)
		}
		for _, r := range s.seen {
			if got := r.Header.Get("MCP-Protocol-Version"); (got == "2025-03-26") != test.legacy {
				t.Errorf("%s: MCP-Protocol-Version is %q", test.name, got)
			}
		}
	}
}

func TestServerThatCannotBeUsed(t *testing.T) {
	const here = "ORIGIN" + oauthPlace
	for _, test := range []struct {
		name   string
		issuer string
		legacy bool
		pages  map[string]page
		place  string
		words  string
		is     error
	}{
		{"nothing anywhere", "ORIGIN/t", false, map[string]page{oauthPlace: metadata("ORIGIN/t")}, "ORIGIN/t", "there is none", ErrNoMetadata},
		{
			"of another issuer", "ORIGIN", false,
			map[string]page{oauthPlace: metadata("https://evil.example"), openIDPlace: metadata("ORIGIN")},
			here, `it is of another issuer, "https://evil.example", than the one that was asked, "ORIGIN"`, ErrIssuerMismatch,
		},
		{"with another slash", "ORIGIN", false, map[string]page{oauthPlace: metadata("ORIGIN/")}, here, "of another issuer", ErrIssuerMismatch},
		{"with a path more", "ORIGIN/t", false, map[string]page{oauthPlace + "/t": metadata("ORIGIN/t/u")}, here + "/t", "of another issuer", ErrIssuerMismatch},
		{"legacy of another issuer", "ORIGIN", true, map[string]page{oauthPlace: metadata("https://evil.example")}, here, "of another issuer", ErrIssuerMismatch},
		{"without an issuer", "ORIGIN", false, map[string]page{oauthPlace: {body: `{"token_endpoint":"ORIGIN/token"}`}}, here, "of another issuer", ErrIssuerMismatch},
		{"with an issuer that is no string", "ORIGIN", false, map[string]page{oauthPlace: {body: `{"issuer":7}`}}, here, "issuer is no string", nil},
		{"without a token endpoint", "ORIGIN", false, map[string]page{oauthPlace: {body: `{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/a"}`}}, here, "it names no token_endpoint", nil},
		{"with a token endpoint that is no string", "ORIGIN", false, map[string]page{oauthPlace: {body: `{"issuer":"ORIGIN","token_endpoint":{}}`}}, here, "token_endpoint is no string", nil},
		{
			"with a token endpoint over http", "ORIGIN", false,
			map[string]page{oauthPlace: {body: `{"issuer":"ORIGIN","token_endpoint":"http://a.example/token?SECRET"}`}},
			here, `token_endpoint "http://a.example/token" is refused: it would be asked over plain http`, nil,
		},
		{
			"with a script to open", "ORIGIN", false,
			map[string]page{oauthPlace: {body: `{"issuer":"ORIGIN","token_endpoint":"ORIGIN/token","authorization_endpoint":"javascript:alert(1)"}`}},
			here, "authorization_endpoint", nil,
		},
		{
			"with a number to open", "ORIGIN", false,
			map[string]page{oauthPlace: {body: `{"issuer":"ORIGIN","token_endpoint":"ORIGIN/token","authorization_endpoint":1}`}},
			here, "authorization_endpoint is no string", nil,
		},
		{"in trouble", "ORIGIN", false, map[string]page{oauthPlace: {status: http.StatusInternalServerError}, openIDPlace: metadata("ORIGIN")}, here, "the answer is 500", nil},
		{"legacy in trouble", "ORIGIN", true, map[string]page{oauthPlace: {status: http.StatusInternalServerError}}, here, "the answer is 500", nil},
		{"no JSON", "ORIGIN", false, map[string]page{oauthPlace: {body: "SECRET"}, openIDPlace: metadata("ORIGIN")}, here, "it is no JSON object", nil},
		{"an issuer with a query", "ORIGIN?SECRET", false, nil, "ORIGIN", "an issuer has no query", nil},
		{"an issuer with an empty query", "ORIGIN?", false, nil, "ORIGIN", "an issuer has no query", nil},
		{"an issuer over http", "http://auth.example.com/x", false, nil, "http://auth.example.com/x", "it would be asked over plain http", nil},
		{"no issuer", "", false, nil, "", "it does not begin with https://", nil},
	} {
		s := newSite(t, test.pages)
		got, err := FindServer(t.Context(), newGuard(t, s.URL), s.filled(test.issuer), test.legacy)
		if got != nil {
			t.Errorf("%s: got %v", test.name, got)
		}
		s.wantError(t, test.name, err, test.place, test.words, test.is)
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: the error tells what it must not: %v", test.name, err)
		}
	}
}

// An issuer over https is found as one within this machine is.
func TestServerOverTLS(t *testing.T) {
	var site *httptest.Server
	site = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(strings.ReplaceAll(metadata("ORIGIN").body, "ORIGIN", site.URL)))
	}))
	t.Cleanup(site.Close)
	trusting, ok := site.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("the test's transport is another")
	}
	c := guard.NewClient(&url.URL{Scheme: "https", Host: "localhost"}, trusting)
	t.Cleanup(c.Close)
	got, err := FindServer(t.Context(), c, site.URL, false)
	if err != nil || got.Token != site.URL+"/token" {
		t.Errorf("got %v %v", got, err)
	}
}

// FuzzMetadata reads documents of both kinds: whatever is in them, nothing comes
// out that may not be gone to.
func FuzzMetadata(f *testing.F) {
	const issuer = "https://auth.example.com"
	f.Add([]byte(`{"issuer":"https://auth.example.com","token_endpoint":"https://auth.example.com/token","authorization_endpoint":"http://x"}`))
	f.Add([]byte(`{"resource":"https://mcp.example.com/mcp","authorization_servers":["https://a.example","http://b"],"scopes_supported":["a b","\ud83d"]}`))
	f.Add([]byte(`{"issuer":null,"issuer":"x","token_endpoint":["\u0000"]}`))
	server := &url.URL{Scheme: "https", Host: "mcp.example.com", Path: "/mcp"}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := guard.NewClient(server, &http.Transport{})
		d, err := parseDocument(serverMetadata, issuer+oauthPlace, http.StatusOK, http.Header{}, body)
		if err != nil {
			return
		}
		if s, err := readServer(c, d, issuer, false); err == nil {
			if s.Issuer != issuer || s.Token == "" {
				t.Fatalf("got %+v", s)
			}
			for _, endpoint := range []string{s.Authorization, s.Token, s.Registration, s.Revocation} {
				if endpoint != "" && c.Allowed(endpoint) != nil {
					t.Fatalf("%q is an endpoint", endpoint)
				}
			}
		}
		if r, err := readResource(c, server, d); err == nil {
			if !covers(r.ID, server) || len(r.Issuer) == 0 {
				t.Fatalf("got %+v", r)
			}
			for _, issuer := range r.Issuer {
				if c.Allowed(issuer) != nil {
					t.Fatalf("%q is an issuer", issuer)
				}
			}
			for _, scope := range r.Scopes {
				if !isScope(scope) {
					t.Fatalf("%q is a scope", scope)
				}
			}
		}
	})
}
