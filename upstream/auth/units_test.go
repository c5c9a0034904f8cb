package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"

	"github.com/weir-mcp/weir/upstream/auth/credentials"
)

func TestAlgorithms(t *testing.T) {
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	for name, tt := range map[string]struct {
		key   crypto.Signer
		taken []string
		want  string // "" is an error
	}{
		"RSA":            {rsaKey, nil, "RS256"},
		"RSA, as taken":  {rsaKey, []string{"ES256", "PS256"}, "PS256"},
		"RSA, not taken": {rsaKey, []string{"ES256"}, ""},
		"RSA, too small": {small, nil, ""},
		"P-256":          {p256, []string{"RS256", "ES256"}, "ES256"},
		"P-384":          {p384, nil, "ES384"},
		"P-521":          {p521, nil, "ES512"},
		"Ed25519":        {ed, nil, "EdDSA"},
		"not taken":      {ed, []string{"RS256"}, ""},
	} {
		s, err := newSigner(tt.key, "", tt.taken)
		if (err == nil) != (tt.want != "") {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
		if err != nil {
			continue
		}
		text, err := s.assertion("me", "https://as.example")
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return tt.key.Public(), nil },
			jwt.WithAudience("https://as.example"), jwt.WithIssuer("me"), jwt.WithSubject("me"), jwt.WithExpirationRequired(), jwt.WithValidMethods([]string{tt.want}))
		if err != nil || token.Claims.(jwt.MapClaims)["jti"] == "" {
			t.Errorf("%s: got %v, %v", name, token, err)
		}
	}
}

func TestLifeOfTokens(t *testing.T) {
	now := time.Now()
	for name, tt := range map[string]struct {
		life, left time.Duration
		fresh      bool
	}{
		"long":              {time.Hour, time.Minute, true},
		"long, at its end":  {time.Hour, 29 * time.Second, false},
		"short":             {20 * time.Second, 3 * time.Second, true},
		"short, at its end": {20 * time.Second, 2 * time.Second, false},
		"over":              {time.Hour, -time.Second, false},
	} {
		l := &credentials.Login{Access: "a", Issued: now.Add(tt.left - tt.life), Expiry: now.Add(tt.left)}
		if got := isFresh(l, now); got != tt.fresh {
			t.Errorf("%s: got %t, want %t", name, got, tt.fresh)
		}
	}
	if !isFresh(&credentials.Login{Access: "a"}, now) || isFresh(&credentials.Login{}, now) {
		t.Error("a life that is not known is taken for an end, or nothing for a token")
	}
}

func TestLifeAsItIsTold(t *testing.T) {
	now := time.Now()
	for name, tt := range map[string]struct {
		told, want time.Time
	}{
		"none":     {time.Time{}, time.Time{}},
		"an hour":  {now.Add(time.Hour), now.Add(time.Hour)},
		"negative": {now.Add(-time.Hour), time.Time{}},
		"an aeon":  {now.Add(68 * 365 * 24 * time.Hour), now.Add(maxLife)},
	} {
		got, err := readGranted(&oauth2.Token{AccessToken: "a", Expiry: tt.told}, now)
		if err != nil || !got.expiry.Equal(tt.want) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, tt.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-5": 0, "x": 0, "99999999999999": time.Hour, "999999999999999999999999": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

// TestBackoff counts the tries of an hour.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b backoff
		tries := 0
		for range 3600 {
			if b.hold(time.Now()) == nil {
				tries++
				b.fail("gh", time.Now(), &endpointError{status: 500, temporary: true})
			}
			wait(time.Second)
		}
		if tries < 15 || tries > 25 {
			t.Errorf("got %d tries in an hour, want about 20", tries)
		}
		if got := b.hold(time.Now()); got == nil || got.RetryAfter > maxBackoff {
			t.Errorf("got %v", got)
		}
		b.reset()
		if b.hold(time.Now()) != nil {
			t.Error("it holds on after a success")
		}
	})
}

// wait lets the bubble's time pass.
func wait(d time.Duration) { <-time.After(d) }

func TestSecretHidesItself(t *testing.T) {
	s := secret("hunter2")
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{
			s,
			[]secret{s},
			&granted{access: s, refresh: s}, &client{secret: s}, &settings{secret: s},
			&Authenticator{config: Config{Token: "hunter2"}}, &tokenRequest{client: &client{secret: s}}, &refusal{sent: s},
			&dialogue{verifier: "hunter2"}, &staticTripper{value: s}, &bond{kept: s},
			&person{own: s, forced: s, bad: s}, &machine{bad: s}, &client{bond: &bond{kept: s}}, &proofKey{x: "hunter2"},
		} {
			if text := fmt.Sprintf(format, value); strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) {
				t.Errorf("%s: got %s", format, text)
			}
		}
	}
}

func TestClip(t *testing.T) {
	if got := clip("a\x1b[31m\u202eb\xff"+strings.Repeat("é", 300), 10); got != "a [31m b é…" && len([]rune(got)) != 11 {
		t.Errorf("got %q", got)
	}
}
