package main

import (
	"bytes"
	"fmt"
	random "math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/weir-mcp/weir/scripts/rig"
)

// This file is a server that wants tokens. It gives them itself, to who has the
// secret of weir's own identity there; they expire, are revoked, or are not to be
// had for a while.

// secretMark is in the secret and in every token: neither is to be seen in what
// weir says.
const secretMark = "s3cret-of-chaos"

// shortLife is for how long the tokens are good that say that they expire.
const shortLife = 2 * time.Second

// tokens are those that a server has given.
type tokens struct {
	mu       sync.Mutex
	given    int
	good     map[string]*tokenLife
	withheld bool // none are given
}

type tokenLife struct {
	until time.Time
	used  bool
}

// addLogin adds a server that wants a token with each request.
func (w *world) addLogin(r *random.Rand) error {
	if !w.machine.hurts(rig.HTTP) {
		return nil
	}
	if err := w.serve(rig.HTTP, true, r); err != nil {
		return err
	}
	s := w.servers[len(w.servers)-1]
	s.name, s.tokens = "ill-login", &tokens{good: map[string]*tokenLife{}}
	url := regexp.MustCompile(`http://[^/"]+`).FindString(s.config)
	s.config = strings.Replace(s.config, "{type: none}", fmt.Sprintf(
		"{type: oauth2, grant: client_credentials, client_id: chaos, client_secret: %s, client_auth: post, token_url: %q}", secretMark, url+"/token"), 1)
	return nil
}

// turnedAway answers what is not for the server itself: requests for tokens, and
// those without a good one, which are not executed.
func (s *server) turnedAway(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case s.tokens == nil:
		return false
	case r.URL.Path == "/token":
		s.giveToken(w, r)
		return true
	case s.tokens.admit(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")):
		return false
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	w.WriteHeader(http.StatusUnauthorized)
	return true
}

// giveToken answers a request for a token (RFC 6749, section 4.4). Every other one
// does not say how long it is good.
func (s *server) giveToken(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("client_secret") != secretMark || r.PostFormValue("grant_type") != "client_credentials" {
		s.w.journal.violated(s.name, "a token is asked for with %v", r.PostForm)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	token, life := s.tokens.next()
	if token == "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	expires := ""
	if life == shortLife {
		expires = fmt.Sprintf(`,"expires_in":%d`, int(life.Seconds()))
	}
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer"%s}`, token, expires)
}

// next is a further token and how long it is good; "" where none are given.
func (t *tokens) next() (token string, life time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.withheld {
		return "", 0
	}
	t.given++
	if life = shortLife; t.given%2 == 0 {
		life = time.Hour
	}
	token = fmt.Sprintf("%s-%d", secretMark, t.given)
	t.good[token] = &tokenLife{until: time.Now().Add(life)}
	return token, life
}

func (t *tokens) admit(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	life := t.good[token]
	if life == nil || time.Now().After(life.until) {
		return false
	}
	life.used = true
	return true
}

// revoke makes all tokens bad ones that were used. A server that will not have
// one that it has just given is left alone for good, and rightly so.
func (t *tokens) revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for token, life := range t.good {
		if life.used {
			delete(t.good, token)
		}
	}
}

// withhold has no tokens given, or has them given again.
func (t *tokens) withhold(really bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.withheld = really
}

// seeSecrets looks whether somebody says what nobody may.
func (j *journal) seeSecrets(who string, text []byte) {
	if at := bytes.Index(text, []byte(secretMark)); at >= 0 {
		j.violated(who, "a secret is told: %.300s", text[max(at-200, 0):])
	}
}
