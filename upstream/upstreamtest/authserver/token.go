package authserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A token is an access token or a refresh token.
type token struct {
	grant   *grant
	scopes  []string
	jkt     string    // the thumbprint of the key that it is bound to; "" for none
	expires time.Time // of access tokens
	spent   bool      // of refresh tokens: another has taken its place
}

// token is the token endpoint (RFC 6749, section 3.2).
func (i *issuer) token(w http.ResponseWriter, r *http.Request, o Options) {
	form, ok := posted(w, r)
	if !ok {
		return
	}
	kind := form.Get("grant_type")
	reply := o.Token
	if kind == "refresh_token" {
		reply = o.Refresh
	}
	if i.s.reply(w, r, reply) {
		return
	}
	client := workload(r, form)
	if client == nil {
		client = i.authenticate(w, r, o, form)
	}
	if client == nil {
		return
	}
	if !slices.Contains(client.grants(), kind) {
		fail(w, http.StatusBadRequest, "unauthorized_client", "this client may not use this grant")
		return
	}
	jkt, ok := i.proven(w, r, o, form)
	if !ok {
		return
	}
	given := i.give(o, client, form)
	if jkt != "" && given.status == http.StatusOK {
		i.s.bind(given.document, jkt, client)
	}
	if o.AlterToken != nil && given.status == http.StatusOK {
		o.AlterToken(kind, given.document)
	}
	writeJSON(w, given.status, given.document)
}

// An outcome is an answer of the token endpoint's that is not written yet.
type outcome struct {
	status   int
	document map[string]any
}

func refusal(code, description string) outcome {
	return outcome{http.StatusBadRequest, map[string]any{"error": code, "error_description": description}}
}

func (i *issuer) give(o Options, client *Client, form url.Values) outcome {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	switch form.Get("grant_type") {
	case "authorization_code":
		return i.redeem(o, client, form)
	case "refresh_token":
		return i.renew(o, client, form)
	case "client_credentials":
		return i.credit(o, client, form)
	case JWTBearer:
		return i.believe(o, client, form)
	}
	return refusal("unsupported_grant_type", "unknown grant_type")
}

// posted reads the form, in which nothing may stand twice, and nothing in the
// query.
func posted(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	if err := r.ParseForm(); err != nil || r.URL.RawQuery != "" {
		fail(w, http.StatusBadRequest, "invalid_request", "this is no form")
		return nil, false
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			fail(w, http.StatusBadRequest, "invalid_request", name+" is there twice")
			return nil, false
		}
	}
	return r.PostForm, true
}

// redeem gives tokens for a code. The caller holds s.mu, as for renew, credit and
// tokens.
func (i *issuer) redeem(o Options, client *Client, form url.Values) outcome {
	g := i.s.codes[form.Get("code")]
	switch {
	case g == nil || g.issuer != i.url || g.client != client.ID:
		return refusal("invalid_grant", "unknown code")
	case g.spent:
		i.s.end(g.family)
		return refusal("invalid_grant", "the code was used before")
	}
	g.spent = true
	switch {
	case g.redirect != form.Get("redirect_uri"):
		return refusal("invalid_grant", "another redirect_uri")
	case !verifies(form.Get("code_verifier"), g.challenge):
		return refusal("invalid_grant", "the code_verifier does not fit")
	case g.resource != "" && g.resource != form.Get("resource"):
		return refusal("invalid_target", "another resource")
	}
	return i.tokens(o, g, g.scopes, i.firstRefresh(o, client, g))
}

// verifies checks a verifier (RFC 7636, section 4.6).
func verifies(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return len(verifier) >= 43 && subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// firstRefresh makes the refresh token that comes with a code's access token; ""
// if none does.
func (i *issuer) firstRefresh(o Options, client *Client, g *grant) string {
	if o.NoRefresh || !slices.Contains(client.grants(), "refresh_token") || o.OfflineOnly && !slices.Contains(g.scopes, "offline_access") {
		return ""
	}
	return i.s.newRefresh(g)
}

// renew gives tokens for a refresh token. One that was used before ends all of
// its family: somebody has stolen it (RFC 9700, section 4.14.2).
func (i *issuer) renew(o Options, client *Client, form url.Values) outcome {
	name := form.Get("refresh_token")
	t := i.s.refresh[name]
	switch {
	case t == nil || t.grant.issuer != i.url || t.grant.client != client.ID:
		return refusal("invalid_grant", "unknown refresh token")
	case t.spent:
		i.s.end(t.grant.family)
		return refusal("invalid_grant", "the refresh token was used before")
	case t.grant.resource != "" && t.grant.resource != form.Get("resource"):
		return refusal("invalid_target", "another resource")
	}
	scopes := t.scopes
	if form.Has("scope") {
		scopes = strings.Fields(form.Get("scope"))
		if slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(t.scopes, scope) }) {
			return refusal("invalid_scope", "more than was granted")
		}
	}
	next := ""
	if !o.NoRotation {
		t.spent = true
		next = i.s.newRefresh(t.grant)
	}
	return i.tokens(o, t.grant, scopes, next)
}

// credit gives an access token to a client for itself.
func (i *issuer) credit(o Options, client *Client, form url.Values) outcome {
	resource := form.Get("resource")
	if client.auth() == "none" {
		return refusal("invalid_client", "a client without credentials is nobody")
	}
	if !o.ResourceIgnored && !i.s.knows(resource) {
		return refusal("invalid_target", "resource is unknown here")
	}
	if o.ResourceIgnored {
		resource = ""
	}
	asked := strings.Fields(form.Get("scope"))
	g := &grant{issuer: i.url, client: client.ID, resource: resource, asked: asked, scopes: o.granted(asked), family: "own-" + client.ID}
	return i.tokens(o, g, g.scopes, "")
}

// tokens is an access token, with the refresh token if there is one.
func (i *issuer) tokens(o Options, g *grant, scopes []string, refresh string) outcome {
	life := o.Life
	if life == 0 {
		life = time.Hour
	}
	name := i.s.secret("access-")
	i.s.access[name] = &token{grant: g, scopes: scopes, expires: time.Now().Add(life)}
	document := map[string]any{"access_token": name, "token_type": "Bearer"}
	if !o.NoExpiresIn {
		document["expires_in"] = int(life.Seconds())
	}
	if refresh != "" {
		document["refresh_token"] = refresh
	}
	if !o.HideScope || !slices.Equal(scopes, g.asked) {
		document["scope"] = strings.Join(scopes, " ")
	}
	return outcome{http.StatusOK, document}
}

// newRefresh makes a refresh token. The caller holds s.mu.
func (s *Server) newRefresh(g *grant) string {
	name := s.secret("refresh-")
	s.refresh[name] = &token{grant: g, scopes: g.scopes}
	return name
}

// end revokes a family of tokens. The caller holds s.mu.
func (s *Server) end(family string) {
	for _, tokens := range []map[string]*token{s.access, s.refresh} {
		for name, t := range tokens {
			if t.grant.family == family {
				delete(tokens, name)
			}
		}
	}
}

// revoke is the revocation endpoint (RFC 7009).
func (i *issuer) revoke(w http.ResponseWriter, r *http.Request, o Options) {
	if i.s.reply(w, r, o.Revocation) {
		return
	}
	form, ok := posted(w, r)
	if !ok {
		return
	}
	client := i.authenticate(w, r, o, form)
	if client == nil {
		return
	}
	i.s.drop(form.Get("token"), client)
	w.WriteHeader(http.StatusOK)
}

// drop revokes a token if it is the client's.
func (s *Server) drop(name string, client *Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.refresh[name]; t != nil && t.grant.client == client.ID {
		s.end(t.grant.family)
	}
	if t := s.access[name]; t != nil && t.grant.client == client.ID {
		delete(s.access, name)
	}
}
