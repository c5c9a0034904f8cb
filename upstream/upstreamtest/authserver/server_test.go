package authserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const callDelete = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"delete","arguments":{}}}`

// TestStrict: each step refuses what is not as it must be.
func TestStrict(t *testing.T) {
	tests := []struct {
		name   string
		change func(q url.Values)
		want   string // the error; "" is a page for the user, with no way back
	}{
		{"another client", func(q url.Values) { q.Set("client_id", "x") }, ""},
		{"another path to come back to", func(q url.Values) { q.Set("redirect_uri", q.Get("redirect_uri")+"/x") }, ""},
		{"another port to come back to", func(q url.Values) { q.Set("redirect_uri", "http://127.0.0.1:9/callback") }, ""},
		{"no PKCE", func(q url.Values) { q.Del("code_challenge") }, "invalid_request"},
		{"plain PKCE", func(q url.Values) { q.Set("code_challenge_method", "plain") }, "invalid_request"},
		{"no state", func(q url.Values) { q.Del("state") }, "invalid_request"},
		{"no resource", func(q url.Values) { q.Del("resource") }, "invalid_target"},
		{"another resource", func(q url.Values) { q.Set("resource", "https://other.example/mcp") }, "invalid_target"},
		{"another response_type", func(q url.Values) { q.Set("response_type", "token") }, "unsupported_response_type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := walk(t, Options{})
			w.discover()
			w.register()
			u, err := url.Parse(w.authorizationURL())
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			test.change(q)
			u.RawQuery = q.Encode()
			page := w.s.Browse(t, u.String())
			got := ""
			select {
			case q := <-w.came:
				got = q.Get("error")
			default:
				if page.Status != http.StatusBadRequest {
					t.Errorf("got %d, want 400 for the user", page.Status)
				}
			}
			if got != test.want {
				t.Errorf("got error %q, want %q", got, test.want)
			}
		})
	}
}

func TestRedeeming(t *testing.T) {
	w := walk(t, Options{})
	w.discover()
	w.register()
	for _, test := range []struct {
		name    string
		members []string
		want    string
	}{
		{"another verifier", []string{"code_verifier", strings.Repeat("x", 43), "redirect_uri", w.callback, "resource", w.endpoint}, "invalid_grant"},
		{"another redirect_uri", []string{"code_verifier", w.verifier, "redirect_uri", w.callback + "x", "resource", w.endpoint}, "invalid_grant"},
		{"no resource", []string{"code_verifier", w.verifier, "redirect_uri", w.callback}, "invalid_target"},
	} {
		code := w.consent().Get("code")
		_, answer := w.ask(append([]string{"grant_type", "authorization_code", "code", code}, test.members...)...)
		if answer["error"] != test.want {
			t.Errorf("%s: got %v, want %s", test.name, answer, test.want)
		}
	}
	code := w.consent().Get("code")
	_, tokens := w.redeem(code)
	if _, answer := w.redeem(code); answer["error"] != "invalid_grant" {
		t.Errorf("a code twice: got %v, want invalid_grant", answer)
	}
	if status, _ := w.call(tokens["access_token"].(string), discover); status != http.StatusUnauthorized {
		t.Errorf("tokens of a code that was used twice: got %d, want 401", status)
	}
}

// TestReuse: who uses a refresh token again loses all that has come of it.
func TestReuse(t *testing.T) {
	w := walk(t, Options{})
	_, first := w.logIn()
	_, second := w.renew(first)
	if _, answer := w.renew(first); answer["error"] != "invalid_grant" {
		t.Errorf("a refresh token twice: got %v, want invalid_grant", answer)
	}
	if _, answer := w.renew(second["refresh_token"].(string)); answer["error"] != "invalid_grant" {
		t.Errorf("the one after it: got %v, want invalid_grant", answer)
	}
	if status, challenge := w.call(second["access_token"].(string), discover); status != http.StatusUnauthorized || !strings.Contains(challenge, "invalid_token") {
		t.Errorf("its access token: got %d %s, want 401 invalid_token", status, challenge)
	}
}

// TestAudience: a token is good at the endpoint that it was given for only.
func TestAudience(t *testing.T) {
	w := walk(t, Options{})
	access, _ := w.logIn()
	other := w.s.Protect(http.NotFoundHandler(), "/mcp")
	if status, _, _ := w.do(http.MethodPost, other, "application/json", discover, "Bearer "+access); status != http.StatusUnauthorized {
		t.Errorf("elsewhere: got %d, want 401", status)
	}
	if status, _, _ := w.do(http.MethodPost, w.endpoint+"?access_token="+access, "application/json", discover, ""); status != http.StatusUnauthorized {
		t.Errorf("in the query: got %d, want 401", status)
	}
}

func TestLife(t *testing.T) {
	w := walk(t, Options{Life: time.Nanosecond})
	access, _ := w.logIn()
	if status, _ := w.call(access, discover); status != http.StatusUnauthorized {
		t.Errorf("an old token: got %d, want 401", status)
	}
	w.s.Set(func(o *Options) { o.Life = 0 })
	access, refresh := w.logIn()
	w.s.Expire()
	if status, _ := w.call(access, discover); status != http.StatusUnauthorized {
		t.Errorf("an expired token: got %d, want 401", status)
	}
	w.s.Revoke()
	if _, answer := w.renew(refresh); answer["error"] != "invalid_grant" {
		t.Errorf("a revoked refresh token: got %v, want invalid_grant", answer)
	}
}

func TestScopes(t *testing.T) {
	w := walk(t, Options{ChallengeScopes: []string{"read"}, ToolScopes: map[string][]string{"delete": {"read", "write"}}, Withhold: []string{"never"}})
	access, _ := w.logIn()
	status, challenge := w.call(access, callDelete)
	if status != http.StatusForbidden || !strings.Contains(challenge, `error="insufficient_scope", scope="read write"`) {
		t.Errorf("got %d %s, want 403 with the scopes", status, challenge)
	}
	w.scope = "read write never"
	_, tokens := w.redeem(w.consent().Get("code"))
	if tokens["scope"] != "read write" {
		t.Errorf("got scope %q, want those that are granted", tokens["scope"])
	}
	if status, _ := w.call(tokens["access_token"].(string), callDelete); status == http.StatusForbidden {
		t.Errorf("with the scopes: got 403")
	}
	w.s.Set(func(o *Options) { o.RejectTokens = true })
	if status, _ := w.call(tokens["access_token"].(string), discover); status != http.StatusUnauthorized {
		t.Errorf("rejected for ever: got %d, want 401", status)
	}
}

func TestRefreshTokens(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		scope   string
		want    bool
	}{
		{"as it is", Options{}, "", true},
		{"none", Options{NoRefresh: true}, "", false},
		{"only for offline_access", Options{OfflineOnly: true}, "", false},
		{"with offline_access", Options{OfflineOnly: true, ChallengeScopes: []string{"offline_access"}}, "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := walk(t, test.options)
			if _, refresh := w.logIn(); (refresh != "") != test.want {
				t.Errorf("got %q, want one: %v", refresh, test.want)
			}
		})
	}
	w := walk(t, Options{NoRotation: true})
	_, refresh := w.logIn()
	for range 2 {
		if status, tokens := w.renew(refresh); status != http.StatusOK || tokens["refresh_token"] != nil {
			t.Errorf("without rotation: got %d %v, want no other refresh token", status, tokens)
		}
	}
}

// TestAnswers: the answers of a server that is asked at one place, by options.
func TestAnswers(t *testing.T) {
	get := func(path string) func(w *walker) (int, string) {
		return func(w *walker) (int, string) {
			status, _, text := w.do(http.MethodGet, w.s.Issuer()+path, "", "", "")
			return status, text
		}
	}
	resource := func(path string) func(w *walker) (int, string) {
		return func(w *walker) (int, string) {
			status, _, text := w.do(http.MethodGet, strings.TrimSuffix(w.endpoint, "/mcp")+path, "", "", "")
			return status, text
		}
	}
	const metadata = "/.well-known/oauth-authorization-server"
	tests := []struct {
		name    string
		options Options
		ask     func(w *walker) (int, string)
		status  int
		want    string // is in the answer; not, after "!"
	}{
		{"as it is", Options{}, get(metadata), 200, `"code_challenge_methods_supported":["S256"]`},
		{"iss", Options{}, get(metadata), 200, `"authorization_response_iss_parameter_supported":true`},
		{"iss unadvertised", Options{IssUnadvertised: true}, get(metadata), 200, "!iss_parameter"},
		{"no PKCE", Options{PKCEMethods: []string{}}, get(metadata), 200, "!code_challenge_methods_supported"},
		{"plain PKCE", Options{PKCEMethods: []string{"plain"}}, get(metadata), 200, `"code_challenge_methods_supported":["plain"]`},
		{"another issuer", Options{ClaimIssuer: "https://o.example"}, get(metadata), 200, `"issuer":"https://o.example"`},
		{"documents", Options{Documents: map[string]string{}}, get(metadata), 200, `"client_id_metadata_document_supported":true`},
		{"no registration", Options{NoRegistration: true}, get(metadata), 200, "!registration_endpoint"},
		{"no revocation", Options{NoRevocation: true}, get(metadata), 200, "!revocation_endpoint"},
		{"scopes", Options{Scopes: []string{"offline_access"}}, get(metadata), 200, `"scopes_supported":["offline_access"]`},
		{"altered", Options{AlterMetadata: func(d map[string]any) { d["authorization_endpoint"] = "javascript:1" }}, get(metadata), 200, "javascript:1"},
		{"OpenID only", Options{Discovery: OpenIDInserted}, get("/.well-known/openid-configuration"), 200, "jwks_uri"},
		{"OpenID only, asked otherwise", Options{Discovery: OpenIDInserted}, get(metadata), 404, ""},
		{"undiscovered", Options{Discovery: Undiscovered}, get(metadata), 404, ""},
		{"appended", Options{Discovery: OpenIDAppended, IssuerPath: "/t"}, get("/.well-known/openid-configuration"), 200, "/t/token"},
		{
			"leading astray", Options{Metadata: &Reply{Status: 307, Header: map[string]string{"Location": "/elsewhere"}}}, get(metadata), 404, "",
		},
		{"without a challenge, at the path", Options{PRM: AtPath}, resource("/.well-known/oauth-protected-resource/mcp"), 200, `/mcp"`},
		{"not at the path", Options{PRM: AtRoot}, resource("/.well-known/oauth-protected-resource/mcp"), 404, ""},
		{"at the root", Options{PRM: AtRoot}, resource("/.well-known/oauth-protected-resource"), 200, `/mcp"`},
		{"legacy", Options{PRM: Legacy}, resource(metadata), 200, "/authorize"},
		{"legacy without metadata", Options{PRM: Legacy, Discovery: Undiscovered}, resource("/authorize"), 400, "unknown client"},
		{"another resource", Options{ClaimResource: func(string) string { return "https://o.example/" }}, resource(oddPath), 200, `"resource":"https://o.example/"`},
		{"no scopes", Options{ResourceScopes: []string{}}, resource(oddPath), 200, `"scopes_supported":[]`},
		{"other issuers", Options{ClaimIssuers: []string{"file:///etc"}}, resource(oddPath), 200, `["file:///etc"]`},
		{"altered resource", Options{AlterResource: func(d map[string]any) { delete(d, "resource") }}, resource(oddPath), 200, `!"resource"`},
		{"no resource", Options{ResourceReply: &Reply{Status: 500, Body: "<html>"}}, resource(oddPath), 500, "<html>"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, text := test.ask(walk(t, test.options))
			unwanted, isNot := strings.CutPrefix(test.want, "!")
			if status != test.status || strings.Contains(text, unwanted) == isNot {
				t.Errorf("got %d %s, want %d with %q", status, text, test.status, test.want)
			}
		})
	}
}

func TestResponses(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		want    string // in the query of the response; not, after "!"
	}{
		{"iss missing", Options{Iss: IssMissing}, "!iss="},
		{"iss wrong", Options{Iss: IssWrong}, "iss=https%3A%2F%2Fother.example"},
		{"state dropped", Options{State: StateDropped}, "!state="},
		{"state changed", Options{State: StateChanged}, "state=stx"},
		{"denied", Options{AuthorizeError: "access_denied", ErrorDescription: "<b>no"}, "error=access_denied&error_description=%3Cb%3Eno"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := walk(t, test.options)
			w.discover()
			w.register()
			got := w.consent().Encode()
			if unwanted, isNot := strings.CutPrefix(test.want, "!"); strings.Contains(got, unwanted) == isNot {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestReplies(t *testing.T) {
	limited := &Reply{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "7"}, Body: `{}`, Times: 1}
	w := walk(t, Options{Refresh: limited, AlterToken: func(grant string, answer map[string]any) {
		if grant == "refresh_token" {
			answer["expires_in"] = "soon"
		}
	}})
	_, refresh := w.logIn()
	if status, _ := w.renew(refresh); status != http.StatusTooManyRequests {
		t.Errorf("the first time: got %d, want 429", status)
	}
	if status, tokens := w.renew(refresh); status != http.StatusOK || tokens["expires_in"] != "soon" {
		t.Errorf("the second time: got %d %v, want 200, altered", status, tokens)
	}
	w.s.Set(func(o *Options) { o.Refresh = &Reply{Hang: true} })
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	form := strings.NewReader("grant_type=refresh_token")
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.tokens, form)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
		t.Error("got an answer, want none")
	}
}

func TestRegistration(t *testing.T) {
	for _, body := range []string{
		`no JSON`,
		`{}`,
		`{"redirect_uris":["http://127.0.0.1:1/cb"]}`, // a web client
		`{"redirect_uris":["http://127.0.0.1:1/cb"],"application_type":"native","grant_types":["implicit"]}`,
		`{"redirect_uris":["http://o.example/cb"],"application_type":"native"}`,
		`{"redirect_uris":["http://127.0.0.1:1/cb"],"application_type":"native","token_endpoint_auth_method":"tls"}`,
	} {
		w := walk(t, Options{})
		w.discover()
		if status, _, text := w.do(http.MethodPost, w.registration, "application/json", body, ""); status != http.StatusBadRequest {
			t.Errorf("%s: got %d %s, want 400", body, status, text)
		}
	}
	w := walk(t, Options{})
	w.discover()
	w.register()
	w.s.Forget()
	if page := w.s.Browse(t, w.authorizationURL()); page.Status != http.StatusBadRequest || page.Body != "unknown client\n" {
		t.Errorf("forgotten: got %d %s, want 400", page.Status, page.Body)
	}
}

// TestSecretOfRegistration: a client that is given a secret must use it, in the
// way that it was told.
func TestSecretOfRegistration(t *testing.T) {
	w := walk(t, Options{RegisterAs: "client_secret_post", SecretLife: time.Hour})
	w.discover()
	_, _, text := w.do(http.MethodPost, w.registration, "application/json",
		`{"redirect_uris":["`+w.callback+`"],"application_type":"native","token_endpoint_auth_method":"none"}`, "")
	registered := w.object(text)
	w.client = url.Values{"client_id": {registered["client_id"].(string)}}
	if _, answer := w.redeem(w.consent().Get("code")); answer["error"] != "invalid_client" {
		t.Errorf("without the secret: got %v, want invalid_client", answer)
	}
	w.client.Set("client_secret", registered["client_secret"].(string))
	if status, answer := w.redeem(w.consent().Get("code")); status != http.StatusOK {
		t.Errorf("with the secret: got %d %v, want 200", status, answer)
	}
	if registered["client_secret_expires_at"].(float64) == 0 {
		t.Error("the secret is for ever, want an hour")
	}
}

func TestDocuments(t *testing.T) {
	const id = "https://weir.example/client.json"
	w := walk(t, Options{AnyPort: true, Documents: map[string]string{
		id: `{"client_id":"` + id + `","client_name":"walker","redirect_uris":["http://127.0.0.1/callback"]}`,
	}})
	w.discover()
	w.client = url.Values{"client_id": {id}}
	if status, answer := w.redeem(w.consent().Get("code")); status != http.StatusOK {
		t.Errorf("got %d %v, want 200", status, answer)
	}
	for other, text := range map[string]string{
		"http://weir.example/c.json":  `{"client_id":"http://weir.example/c.json","client_name":"w","redirect_uris":["http://127.0.0.1/callback"]}`,
		"https://weir.example/c.json": `{"client_id":"https://weir.example/d.json","client_name":"w","redirect_uris":["http://127.0.0.1/callback"]}`,
		"https://weir.example":        `{"client_id":"https://weir.example","client_name":"w","redirect_uris":["http://127.0.0.1/callback"]}`,
	} {
		if documented(other, text) != nil {
			t.Errorf("%s: taken, want refused", other)
		}
	}
}

func TestClientCredentials(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own := []string{"client_credentials"}
	w := walk(t, Options{Clients: []Client{
		{ID: "key", Key: key.Public(), Grants: own},
		{ID: "a b", Secret: "s:%", Grants: own},
		{ID: "post", Secret: "s", Auth: "client_secret_post", Grants: own},
		{ID: "browser", Secret: "s"},
	}})
	w.discover()
	sign := func(change func(c *jwt.RegisteredClaims)) string {
		claims := &jwt.RegisteredClaims{
			Issuer: "key", Subject: "key", Audience: jwt.ClaimStrings{w.issuer},
			ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)), ID: rand.Text(),
		}
		change(claims)
		text, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	ask := func(authorization string, members ...string) (int, string) {
		form := url.Values{"grant_type": own, "resource": {w.endpoint}, "scope": {"x"}}
		for i := 0; i < len(members); i += 2 {
			form.Set(members[i], members[i+1])
		}
		status, _, text := w.do(http.MethodPost, w.tokens, "application/x-www-form-urlencoded", form.Encode(), authorization)
		return status, text
	}
	basic := func(id, secret string) string {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
		return r.Header.Get("Authorization")
	}
	assertion := func(text string) []string {
		return []string{"client_assertion_type", assertionType, "client_assertion", text}
	}
	used := sign(func(*jwt.RegisteredClaims) {})
	for _, test := range []struct {
		name          string
		authorization string
		members       []string
		want          int
	}{
		{"basic", basic("a b", "s:%"), nil, 200},
		{"basic, wrong", basic("a b", "s"), nil, 401},
		{"a secret in the body", "", []string{"client_id", "post", "client_secret", "s"}, 200},
		{"in the header instead", basic("post", "s"), nil, 401},
		{"both", basic("post", "s"), []string{"client_id", "post", "client_secret", "s"}, 401},
		{"no secret", "", []string{"client_id", "post"}, 400},
		{"a client for browsers", basic("browser", "s"), nil, 400},
		{"an assertion", "", assertion(used), 200},
		{"it again", "", assertion(used), 400},
		{"for somebody else", "", assertion(sign(func(c *jwt.RegisteredClaims) { c.Audience[0] = "https://o.example" })), 400},
		{"too old", "", assertion(sign(func(c *jwt.RegisteredClaims) { c.ExpiresAt.Time = time.Unix(1, 0) })), 400},
		{"for ever", "", assertion(sign(func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil })), 400},
		{"of somebody else", "", assertion(sign(func(c *jwt.RegisteredClaims) { c.Issuer = "post" })), 400},
	} {
		if status, text := ask(test.authorization, test.members...); status != test.want {
			t.Errorf("%s: got %d %s, want %d", test.name, status, text, test.want)
		}
	}
}

// TestMigration: another issuer knows nothing of what the one before gave out.
func TestMigration(t *testing.T) {
	w := walk(t, Options{})
	access, refresh := w.logIn()
	before := w.issuer
	w.s.Migrate()
	if status, _ := w.call(access, discover); status != http.StatusUnauthorized {
		t.Errorf("the old token: got %d, want 401", status)
	}
	client := w.client
	w.discover()
	if w.issuer == before {
		t.Fatal("the issuer is as before")
	}
	if page := w.s.Browse(t, w.authorizationURL()); page.Status != http.StatusBadRequest {
		t.Errorf("the old client: got %d, want 400", page.Status)
	}
	if _, answer := w.renew(refresh); answer["error"] != "invalid_client" {
		t.Errorf("the old refresh token: got %v, want invalid_client of %v", answer, client)
	}
	if access, _ := w.logIn(); access != "" {
		if status, _ := w.call(access, discover); status != http.StatusOK {
			t.Errorf("a new token: got %d, want 200", status)
		}
	}
}

func TestLegacy(t *testing.T) {
	w := walk(t, Options{PRM: Legacy, Discovery: Undiscovered})
	origin := strings.TrimSuffix(w.endpoint, "/mcp")
	w.issuer, w.authorization, w.tokens, w.registration = origin, origin+"/authorize", origin+"/token", origin+"/register"
	w.register()
	_, tokens := w.redeem(w.consent().Get("code"))
	if status, _ := w.call(tokens["access_token"].(string), discover); status != http.StatusOK {
		t.Errorf("got %d, want 200", status)
	}
}

func TestRevocation(t *testing.T) {
	w := walk(t, Options{})
	access, refresh := w.logIn()
	form := url.Values{"client_id": w.client["client_id"], "token": {refresh}}
	if status, _, _ := w.do(http.MethodPost, w.issuer+"/revoke", "application/x-www-form-urlencoded", form.Encode(), ""); status != http.StatusOK {
		t.Errorf("got %d, want 200", status)
	}
	if status, _ := w.call(access, discover); status != http.StatusUnauthorized {
		t.Errorf("a token of the family: got %d, want 401", status)
	}
}

// TestSeen: what passed can be looked at, and what of it was secret.
func TestSeen(t *testing.T) {
	w := walk(t, Options{Clients: []Client{{ID: "x", Secret: "configured"}}})
	access, refresh := w.logIn()
	if status, _ := w.call(access, discover); status != http.StatusOK {
		t.Fatalf("got %d, want 200", status)
	}
	calls := w.s.At("/mcp")
	if len(calls) != 2 || calls[0].HasToken() || calls[0].Status != 401 || calls[1].Token() != access || calls[1].Status != 200 {
		t.Errorf("got %+v, want one without a token and one with", calls)
	}
	redeemed := w.s.Granted("authorization_code")
	if len(redeemed) != 1 || redeemed[0].Form.Get("resource") != w.endpoint {
		t.Errorf("got %+v, want one code for %s", redeemed, w.endpoint)
	}
	secrets := w.s.Secrets()
	for _, secret := range []string{access, refresh, w.verifier, redeemed[0].Form.Get("code"), "configured"} {
		if !slices.Contains(secrets, secret) {
			t.Errorf("%q is not among the secrets", secret)
		}
	}
	if err := w.s.Await(t.Context(), "/token", 1); err != nil {
		t.Error(err)
	}
}

// TestAssertions: what an identity provider has signed is taken as it must be.
func TestAssertions(t *testing.T) {
	p := NewProvider(t, ProviderOptions{Client: Client{ID: "at-idp", Secret: "s"}, NamedAs: "at-as", Scopes: []string{"read"}})
	stranger := NewProvider(t, ProviderOptions{Client: Client{ID: "at-idp"}})
	grants := []string{JWTBearer}
	w := walk(t, Options{
		Trusted: []*Provider{p},
		Clients: []Client{{ID: "at-as", Secret: "as", Grants: grants}, {ID: "other", Secret: "other", Grants: grants}},
	})
	w.discover()
	exchange := func(change func(url.Values)) map[string]any {
		form := url.Values{
			"grant_type": {tokenExchange}, "requested_token_type": {tokenTypes + "id-jag"}, "subject_token_type": {tokenTypes + "id_token"},
			"audience": {w.issuer}, "resource": {w.endpoint}, "scope": {"read write"}, "subject_token": {p.SignIn("ada", time.Hour)},
			"client_id": {"at-idp"}, "client_secret": {"s"},
		}
		change(form)
		_, _, text := w.do(http.MethodPost, p.Issuer()+"/token", "application/x-www-form-urlencoded", form.Encode(), "")
		return w.object(text)
	}
	for name, test := range map[string]struct {
		change func(url.Values)
		want   string
	}{
		"another secret":           {func(f url.Values) { f.Set("client_secret", "x") }, "invalid_client"},
		"no resource":              {func(f url.Values) { f.Del("resource") }, "invalid_target"},
		"no audience":              {func(f url.Values) { f.Del("audience") }, "invalid_target"},
		"another type":             {func(f url.Values) { f.Del("requested_token_type") }, "invalid_request"},
		"another subject's type":   {func(f url.Values) { f.Del("subject_token_type") }, "invalid_request"},
		"an old subject token":     {func(f url.Values) { f.Set("subject_token", p.SignIn("ada", -time.Minute)) }, "invalid_grant"},
		"a stranger's":             {func(f url.Values) { f.Set("subject_token", stranger.SignIn("ada", time.Hour)) }, "invalid_grant"},
		"one for somebody else":    {func(f url.Values) { f.Set("subject_token", p.Workload("ada", "x", time.Hour)) }, "invalid_grant"},
		"another grant altogether": {func(f url.Values) { f.Set("grant_type", "client_credentials") }, "unsupported_grant_type"},
	} {
		if answer := exchange(test.change); answer["error"] != test.want {
			t.Errorf("exchange with %s: got %v, want %s", name, answer, test.want)
		}
	}
	jag := func(change func(url.Values)) string { return exchange(change)["access_token"].(string) }
	same := func(url.Values) {}
	used := jag(same)
	for _, test := range []struct{ name, client, assertion, want string }{
		{"an ID-JAG", "at-as", used, ""},
		{"an ID-JAG twice", "at-as", used, "invalid_grant"},
		{"of another client", "other", jag(same), "invalid_grant"},
		{"without its client", "", jag(same), "invalid_grant"},
		{"for another resource", "at-as", jag(func(f url.Values) { f.Set("resource", "https://x.example") }), "invalid_grant"},
		{"for another server", "at-as", jag(func(f url.Values) { f.Set("audience", "https://x.example") }), "invalid_grant"},
		{"a workload", "", p.Workload("robot", w.issuer, time.Hour), ""},
		{"an old workload", "", p.Workload("robot", w.issuer, -time.Minute), "invalid_grant"},
		{"a workload for another", "", p.Workload("robot", "https://x.example", time.Hour), "invalid_grant"},
		{"a stranger's workload", "", stranger.Workload("robot", w.issuer, time.Hour), "invalid_grant"},
	} {
		w.client = url.Values{}
		if test.client != "" {
			w.client = url.Values{"client_id": {test.client}, "client_secret": {strings.TrimPrefix(test.client, "at-")}}
		}
		_, answer := w.ask("grant_type", JWTBearer, "assertion", test.assertion, "resource", w.endpoint, "scope", "read write")
		if got, _ := answer["error"].(string); got != test.want {
			t.Errorf("%s: got %v, want %q", test.name, answer, test.want)
		}
		if test.name == "an ID-JAG" && answer["scope"] != "read" {
			t.Errorf("got scope %v, want what the provider allows", answer["scope"])
		}
	}
}
