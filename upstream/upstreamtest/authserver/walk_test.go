package authserver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A walker is a client that takes each step by hand.
type walker struct {
	t        *testing.T
	s        *Server
	endpoint string

	callback string // its redirect URI
	came     chan url.Values

	issuer, authorization, tokens, registration string
	scope                                       string
	client                                      url.Values // client_id, client_secret
	verifier                                    string
}

func walk(t *testing.T, o Options) *walker {
	t.Helper()
	w := &walker{t: t, s: New(t, o), came: make(chan url.Values, 1), verifier: rand.Text() + rand.Text()}
	w.endpoint = w.s.Protect(upstreamtest.New(upstreamtest.Script{}), "/mcp")
	listener := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.came <- r.URL.Query()
		_, _ = io.WriteString(rw, "you may close this window")
	}))
	t.Cleanup(listener.Close)
	w.callback = listener.URL + "/callback"
	return w
}

// do sends a request and returns the status, the headers and the body.
func (w *walker) do(method, target, contentType, body, authorization string) (int, http.Header, string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", "application/json, text/event-stream")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}

func (w *walker) object(text string) map[string]any {
	w.t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	return o
}

const discover = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"w","version":"1"}}}`

// call posts a message to the protected endpoint.
func (w *walker) call(token, message string) (status int, challenge string) {
	w.t.Helper()
	authorization := ""
	if token != "" {
		authorization = "Bearer " + token
	}
	status, header, _ := w.do(http.MethodPost, w.endpoint, "application/json", message, authorization)
	return status, header.Get("WWW-Authenticate")
}

// discover takes the steps from the challenge to the endpoints.
func (w *walker) discover() {
	w.t.Helper()
	status, challenge := w.call("", discover)
	if status != http.StatusUnauthorized {
		w.t.Fatalf("without a token: got %d, want 401", status)
	}
	if found := regexp.MustCompile(`scope="([^"]*)"`).FindStringSubmatch(challenge); found != nil {
		w.scope = found[1]
	}
	named := regexp.MustCompile(`resource_metadata="([^"]*)"`).FindStringSubmatch(challenge)
	_, _, text := w.do(http.MethodGet, named[1], "", "", "")
	w.issuer = w.object(text)["authorization_servers"].([]any)[0].(string)
	_, _, text = w.do(http.MethodGet, w.issuer+"/.well-known/oauth-authorization-server", "", "", "")
	m := w.object(text)
	w.authorization = m["authorization_endpoint"].(string)
	w.tokens = m["token_endpoint"].(string)
	w.registration, _ = m["registration_endpoint"].(string)
}

func (w *walker) register() {
	w.t.Helper()
	status, _, text := w.do(http.MethodPost, w.registration, "application/json",
		`{"redirect_uris":["`+w.callback+`"],"client_name":"walker","application_type":"native","token_endpoint_auth_method":"none",
		"grant_types":["authorization_code","refresh_token"],"response_types":["code"]}`, "")
	if status != http.StatusCreated {
		w.t.Fatalf("registering: got %d %s, want 201", status, text)
	}
	w.client = url.Values{"client_id": {w.object(text)["client_id"].(string)}}
}

// authorizationURL is where the user is sent.
func (w *walker) authorizationURL() string {
	sum := sha256.Sum256([]byte(w.verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {w.client.Get("client_id")}, "redirect_uri": {w.callback}, "state": {"st"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "resource": {w.endpoint},
	}
	if w.scope != "" {
		q.Set("scope", w.scope)
	}
	return w.authorization + "?" + q.Encode()
}

// consent lets the user log in, and returns the authorization response.
func (w *walker) consent() url.Values {
	w.t.Helper()
	page := w.s.Browse(w.t, w.authorizationURL())
	select {
	case q := <-w.came:
		return q
	default:
		w.t.Fatalf("the browser did not come back: %d %s", page.Status, page.Body)
		return nil
	}
}

// ask posts to the token endpoint, as the client.
func (w *walker) ask(members ...string) (int, map[string]any) {
	w.t.Helper()
	form := url.Values{}
	for name, values := range w.client {
		form[name] = values
	}
	for i := 0; i < len(members); i += 2 {
		form.Set(members[i], members[i+1])
	}
	status, _, text := w.do(http.MethodPost, w.tokens, "application/x-www-form-urlencoded", form.Encode(), "")
	return status, w.object(text)
}

func (w *walker) redeem(code string) (int, map[string]any) {
	w.t.Helper()
	return w.ask("grant_type", "authorization_code", "code", code, "redirect_uri", w.callback, "code_verifier", w.verifier, "resource", w.endpoint)
}

func (w *walker) renew(token string) (int, map[string]any) {
	w.t.Helper()
	return w.ask("grant_type", "refresh_token", "refresh_token", token, "resource", w.endpoint)
}

// logIn goes all the way to the tokens.
func (w *walker) logIn() (access, refresh string) {
	w.t.Helper()
	w.discover()
	w.register()
	q := w.consent()
	if q.Get("state") != "st" || q.Get("iss") != w.issuer {
		w.t.Errorf("got response %v, want the state and the issuer", q)
	}
	status, tokens := w.redeem(q.Get("code"))
	if status != http.StatusOK {
		w.t.Fatalf("redeeming: got %d %v", status, tokens)
	}
	refresh, _ = tokens["refresh_token"].(string)
	return tokens["access_token"].(string), refresh
}

func TestWalk(t *testing.T) {
	w := walk(t, Options{})
	access, refresh := w.logIn()
	if status, _ := w.call(access, discover); status != http.StatusOK {
		t.Errorf("with a token: got %d, want 200", status)
	}
	status, tokens := w.renew(refresh)
	if status != http.StatusOK || tokens["refresh_token"] == refresh {
		t.Fatalf("renewing: got %d %v, want another refresh token", status, tokens)
	}
	if status, _ := w.call(tokens["access_token"].(string), discover); status != http.StatusOK {
		t.Errorf("with a renewed token: got %d, want 200", status)
	}
}
