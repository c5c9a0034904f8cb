package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// decoded is a proof, its signature checked with the key that it brings.
func decoded(t *testing.T, proof string) (header, claims map[string]any) {
	t.Helper()
	parsed, err := jwt.Parse(proof, func(token *jwt.Token) (any, error) {
		key, _ := token.Header["jwk"].(map[string]any)
		point := []byte{4}
		for _, name := range []string{"x", "y"} {
			coordinate, err := base64.RawURLEncoding.DecodeString(fmt.Sprint(key[name]))
			if err != nil || len(coordinate) != 32 {
				return nil, fmt.Errorf("%s: %v", name, key[name])
			}
			point = append(point, coordinate...)
		}
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	}, jwt.WithValidMethods([]string{"ES256"}))
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Header, parsed.Claims.(jwt.MapClaims)
}

func parsedURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestProof: what RFC 9449 has in its examples, section 4.2 for a token request
// and section 7.1 for a resource, and nothing else.
func TestProof(t *testing.T) {
	key, err := newProofKey()
	if err != nil {
		t.Fatal(err)
	}
	at := parsedURL(t, "https://server.example.com/token?secret=1#there")
	for _, tt := range []struct {
		access        secret
		nonce, method string
		claims        []string
	}{
		{"", "", "POST", []string{"jti", "htm", "htu", "iat"}},
		{"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", "", "GET", []string{"jti", "htm", "htu", "iat", "ath"}},
		{"a", "eyJ7S_zG.eyJH0-Z.HX4w-7v", "DELETE", []string{"jti", "htm", "htu", "iat", "ath", "nonce"}},
	} {
		proof, err := key.proof(tt.method, at, tt.access, tt.nonce)
		if err != nil {
			t.Fatal(err)
		}
		header, claims := decoded(t, proof)
		public, _ := header["jwk"].(map[string]any)
		if len(header) != 3 || header["typ"] != "dpop+jwt" || header["alg"] != "ES256" || len(public) != 4 || public["kty"] != "EC" || public["crv"] != "P-256" {
			t.Errorf("got the header %v", header)
		}
		if len(claims) != len(tt.claims) {
			t.Errorf("got the claims %v, want %v", claims, tt.claims)
		}
		iat, _ := claims["iat"].(float64)
		if claims["htm"] != tt.method || claims["htu"] != "https://server.example.com/token" || time.Since(time.Unix(int64(iat), 0)).Abs() > time.Minute {
			t.Errorf("got the claims %v", claims)
		}
		if jti, _ := claims["jti"].(string); len(jti) < 16 {
			t.Errorf("got jti %q, want one of 96 bits or more", jti)
		}
		if nonce, _ := claims["nonce"].(string); nonce != tt.nonce {
			t.Errorf("got nonce %q, want %q", nonce, tt.nonce)
		}
		// Of RFC 9449, figure 12.
		if strings.HasPrefix(string(tt.access), "Kz~") && claims["ath"] != "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo" {
			t.Errorf("got ath %v", claims["ath"])
		}
	}
}

// TestThumbprint is the example of RFC 9449, section 6.1.
func TestThumbprint(t *testing.T) {
	k := &proofKey{x: "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", y: "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}
	if got := k.thumbprint(); got != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" {
		t.Errorf("got %s", got)
	}
}

func TestProofKeyIsKept(t *testing.T) {
	made, err := newBond("gh")
	if err != nil {
		t.Fatal(err)
	}
	again, err := keptBond("gh", made.kept)
	if err != nil || again.key.thumbprint() != made.key.thumbprint() || !again.key.key.Equal(made.key.key) {
		t.Errorf("got another key, %v", err)
	}
	for _, text := range []secret{"x", "!", made.kept[:20], made.kept + made.kept, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if _, err := keptBond("gh", text); err == nil || strings.Contains(err.Error(), string(text)) && len(text) > 1 {
			t.Errorf("%q: got %v, want an error that does not repeat it", string(text), err)
		}
	}
}

func TestTargets(t *testing.T) {
	for address, want := range map[string]string{
		"https://mcp.example/mcp?key=1#x":  "https://mcp.example/mcp",
		"https://MCP.example:443/mcp":      "https://mcp.example/mcp",
		"HTTP://mcp.example:80":            "http://mcp.example/",
		"http://127.0.0.1:8080/a%2Fb/":     "http://127.0.0.1:8080/a%2Fb/",
		"wss://mcp.example/ws":             "https://mcp.example/ws",
		"ws://[::1]:443/ws":                "http://[::1]:443/ws",
		"https://user:pass@mcp.example/":   "https://mcp.example/",
		"https://mcp.example:4443/?a=b&c#": "https://mcp.example:4443/",
	} {
		if got := targetOf(parsedURL(t, address)); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

func TestNonces(t *testing.T) {
	var n nonces
	header := func(values ...string) http.Header { return http.Header{http.CanonicalHeaderKey(nonceHeader): values} }
	for _, bad := range []http.Header{
		{}, header(""), header("a", "b"), header("a b"), header("a\x1b"), header(`"a"`), header(`\`), header("é"), header(strings.Repeat("a", maxNonce+1)),
	} {
		if n.note("https://a", bad) || n.at("https://a") != "" {
			t.Errorf("%v was taken", bad)
		}
	}
	for _, good := range []string{"a", "eyJ7S_zG.eyJH0-Z.HX4w-7v", "!#[]~"} {
		if !n.note("https://a", header(good)) || n.at("https://a") != good || n.at("https://b") != "" {
			t.Errorf("%q: got %q and %q", good, n.at("https://a"), n.at("https://b"))
		}
	}
	for i := range 10 * maxOrigins {
		n.note(fmt.Sprint("https://", i), header("x"))
	}
	if len(n.last) > maxOrigins {
		t.Errorf("got %d origins, want %d at most", len(n.last), maxOrigins)
	}
}

// An actor is a server that answers as it is told, the last answer for ever.
type actor struct {
	answers []answer
	got     []*http.Request
	bodies  []string
	open    int
}

type answer struct {
	status    int
	challenge string
	nonce     string
}

func (a *actor) RoundTrip(req *http.Request) (*http.Response, error) {
	body := ""
	if req.Body != nil {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = string(text)
		req.Body.Close()
	}
	now := a.answers[min(len(a.got), len(a.answers)-1)]
	a.got, a.bodies = append(a.got, req), append(a.bodies, body)
	header := http.Header{}
	if now.challenge != "" {
		header.Set("WWW-Authenticate", now.challenge)
	}
	if now.nonce != "" {
		header.Set(nonceHeader, now.nonce)
	}
	a.open++
	closed := 0
	return &http.Response{StatusCode: now.status, Header: header, Body: &leaving{closing{strings.NewReader("x"), &closed}, a}}, nil
}

type leaving struct {
	closing
	a *actor
}

func (l *leaving) Close() error {
	l.a.open--
	return nil
}

// TestBoundRequest: how often a request is sent, with what, and what comes of it.
func TestBoundRequest(t *testing.T) {
	const nonceWanted = `DPoP error="use_dpop_nonce"`
	tests := map[string]struct {
		answers []answer
		oneShot bool
		next    []secret // tokens after the first
		status  int      // 0 is an error about the proof
		sent    string   // schemes and nonces of the proofs
	}{
		"good at once":             {answers: []answer{{status: 200}}, status: 200, sent: "DPoP a"},
		"a nonce":                  {answers: []answer{{401, nonceWanted, "n1"}, {status: 200}}, status: 200, sent: "DPoP a, DPoP a n1"},
		"a nonce for ever":         {answers: []answer{{401, nonceWanted, "n1"}}, next: []secret{"b"}, sent: "DPoP a, DPoP a n1"},
		"another nonce each time":  {answers: []answer{{401, nonceWanted, "n1"}, {401, nonceWanted, "n2"}, {401, nonceWanted, "n3"}}, next: []secret{"b"}, sent: "DPoP a, DPoP a n1"},
		"wanted, and not there":    {answers: []answer{{401, nonceWanted, ""}}, next: []secret{"b"}, sent: "DPoP a"},
		"a nonce, not to be sent":  {answers: []answer{{401, nonceWanted, "n1"}}, oneShot: true, next: []secret{"b"}, sent: "DPoP a"},
		"of several schemes":       {answers: []answer{{401, "Bearer, " + nonceWanted, "n1"}, {status: 200}}, status: 200, sent: "DPoP a, DPoP a n1"},
		"a bad proof":              {answers: []answer{{401, `DPoP error="invalid_dpop_proof"`, "n1"}}, next: []secret{"b"}, sent: "DPoP a"},
		"a bad token":              {answers: []answer{{401, `DPoP error="invalid_token"`, "n1"}, {status: 200}}, next: []secret{"b"}, status: 200, sent: "DPoP a, DPoP b n1"},
		"a nonce for the next one": {answers: []answer{{401, `DPoP error="invalid_token"`, ""}, {401, nonceWanted, "n1"}, {status: 200}}, next: []secret{"b"}, status: 200, sent: "DPoP a, DPoP b, DPoP b n1"},
		"bearer tokens only":       {answers: []answer{{401, "Bearer", ""}, {status: 200}}, status: 200, sent: "DPoP a, Bearer a"},
		"says nothing":             {answers: []answer{{401, "", ""}, {status: 200}}, status: 200, sent: "DPoP a, Bearer a"},
		"bearer, and a bad token":  {answers: []answer{{401, "Bearer", ""}, {401, "Bearer", ""}, {status: 200}}, next: []secret{"b"}, status: 200, sent: "DPoP a, Bearer a, DPoP b"},
		"refused for ever":         {answers: []answer{{401, `DPoP error="invalid_token"`, ""}}, next: []secret{"b", "c", "d"}, status: 401, sent: "DPoP a, DPoP b, DPoP c"},
		"refused and unaware":      {answers: []answer{{401, "Bearer", ""}}, next: []secret{"b", "c", "d"}, status: 401, sent: "DPoP a, Bearer a, DPoP b, Bearer b, DPoP c, Bearer c"},
		"something else":           {answers: []answer{{503, nonceWanted, "n1"}}, status: 503, sent: "DPoP a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bound, err := newBond("gh")
			if err != nil {
				t.Fatal(err)
			}
			a := &actor{answers: tt.answers}
			tripper := &oauthTripper{tripper{a}, "https://mcp.example:443", &script{tokens: append([]secret{"a"}, tt.next...), bond: bound}}
			status, handedBack := 0, 0
			resp, err := roundTrip(t, tripper, tt.oneShot)
			if err == nil {
				defer resp.Body.Close()
				status, handedBack = resp.StatusCode, 1
			} else if refused, ok := errors.AsType[*TokenError](err); !ok || !refused.Temporary || refused.Server != "gh" || refused.Code == "" {
				t.Errorf("got %v, want a TokenError that is temporary", err)
			}
			var sent []string
			for i, req := range a.got {
				sent = append(sent, strings.TrimSpace(req.Header.Get(authorization)+" "+nonceOf(t, req)))
				if a.bodies[i] != "hello" {
					t.Errorf("got the body %q", a.bodies[i])
				}
			}
			if got := strings.Join(sent, ", "); status != tt.status || got != tt.sent {
				t.Errorf("got %d after %q, want %d after %q", status, got, tt.status, tt.sent)
			}
			if a.open != handedBack {
				t.Errorf("got %d open answers, want only what is handed back", a.open)
			}
		})
	}
}

// roundTrip sends hello.
func roundTrip(t *testing.T, tripper http.RoundTripper, oneShot bool) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://mcp.example/x?y=z", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if oneShot {
		req.GetBody = nil
	}
	resp, err := tripper.RoundTrip(req)
	if req.Header.Get(authorization)+req.Header.Get(proofHeader) != "" {
		t.Error("the caller's request was changed")
	}
	return resp, err
}

// nonceOf is the nonce in the proof of a request, which there is if its token is
// bound, and only then.
func nonceOf(t *testing.T, req *http.Request) string {
	t.Helper()
	if !strings.HasPrefix(req.Header.Get(authorization), "DPoP ") {
		if len(req.Header.Values(proofHeader)) != 0 {
			t.Error("got a proof for a bearer token")
		}
		return ""
	}
	parts := strings.Split(req.Header.Get(proofHeader), ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Nonce string }
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		t.Fatalf("got the proof %q", req.Header.Get(proofHeader))
	}
	return claims.Nonce
}

// TestWhatServersSayIsRemembered: who was found to know bearer tokens only is not asked
// with each request; and any answer may bring the next nonce.
func TestWhatServersSayIsRemembered(t *testing.T) {
	for name, tt := range map[string]struct {
		answers []answer
		sent    string
	}{
		"unaware":               {[]answer{{401, "Bearer", ""}, {status: 200}}, "DPoP a, Bearer a, Bearer a, Bearer a"},
		"a nonce with success":  {[]answer{{200, "", "n1"}, {200, "", ""}, {200, "", "n2"}}, "DPoP a, DPoP a n1, DPoP a n1"},
		"a nonce with an error": {[]answer{{500, "", "n1"}, {200, "", "n2"}}, "DPoP a, DPoP a n1, DPoP a n2"},
	} {
		t.Run(name, func(t *testing.T) {
			bound, err := newBond("gh")
			if err != nil {
				t.Fatal(err)
			}
			a := &actor{answers: tt.answers}
			tripper := &oauthTripper{tripper{a}, "https://mcp.example:443", &script{tokens: []secret{"a"}, bond: bound}}
			var sent []string
			for range 3 {
				resp, err := roundTrip(t, tripper, false)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
			for _, req := range a.got {
				sent = append(sent, strings.TrimSpace(req.Header.Get(authorization)+" "+nonceOf(t, req)))
			}
			if got := strings.Join(sent, ", "); got != tt.sent {
				t.Errorf("got %q, want %q", got, tt.sent)
			}
		})
	}
}
