package authserver

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticate returns the client that a request to the token endpoint is from.
// It must have authenticated in the way it is registered with, and in that only.
func (i *issuer) authenticate(w http.ResponseWriter, r *http.Request, o Options, form url.Values) *Client {
	id, secret, way := credentials(r, form)
	if way == "private_key_jwt" {
		id = unverifiedSubject(form.Get("client_assertion"))
	}
	client := i.client(o, id)
	problem := ""
	switch {
	case client == nil:
		problem = "unknown client"
	case way == "":
		problem = "more than one way to authenticate"
	case client.auth() != way && (client.auth() != "" || way != "client_secret_basic" && way != "client_secret_post"):
		problem = "this client does not authenticate by " + way
	case way == "private_key_jwt":
		problem = i.wrongAssertion(client, form)
	case way != "none" && subtle.ConstantTimeCompare([]byte(secret), []byte(client.Secret)) != 1:
		problem = "wrong secret"
	}
	if problem == "" {
		return client
	}
	status := http.StatusBadRequest
	if r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
		status = http.StatusUnauthorized
	}
	fail(w, status, "invalid_client", problem)
	return nil
}

// credentials are what a request says of its client; way is "" if it says it in
// more than one way (RFC 6749, section 2.3).
func credentials(r *http.Request, form url.Values) (id, secret, way string) {
	var ways []string
	id = form.Get("client_id")
	if name, password, ok := r.BasicAuth(); ok {
		ways = append(ways, "client_secret_basic")
		name, err1 := url.QueryUnescape(name)
		password, err2 := url.QueryUnescape(password)
		if err1 == nil && err2 == nil {
			id, secret = name, password
		}
	}
	if form.Has("client_secret") {
		ways = append(ways, "client_secret_post")
		secret = form.Get("client_secret")
	}
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		ways = append(ways, "private_key_jwt")
	}
	switch len(ways) {
	case 0:
		return id, "", "none"
	case 1:
		return id, secret, ways[0]
	}
	return id, "", ""
}

func unverifiedSubject(assertion string) string {
	parsed, _, err := jwt.NewParser().ParseUnverified(assertion, &jwt.RegisteredClaims{})
	if err != nil {
		return ""
	}
	subject, err := parsed.Claims.GetSubject()
	if err != nil {
		return ""
	}
	return subject
}

// wrongAssertion says what is wrong with an assertion (RFC 7523, section 3).
func (i *issuer) wrongAssertion(client *Client, form url.Values) string {
	if form.Get("client_assertion_type") != assertionType {
		return "unknown client_assertion_type"
	}
	if form.Has("client_id") && form.Get("client_id") != client.ID {
		return "client_id is another than the assertion's"
	}
	claims := &jwt.RegisteredClaims{}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256", "RS256"}), jwt.WithExpirationRequired(), jwt.WithIssuer(client.ID), jwt.WithSubject(client.ID),
	)
	_, err := parser.ParseWithClaims(form.Get("client_assertion"), claims, func(*jwt.Token) (any, error) { return client.Key, nil })
	if err != nil {
		return "assertion: " + err.Error()
	}
	if len(claims.Audience) != 1 || claims.Audience[0] != i.url && claims.Audience[0] != i.url+"/token" {
		return "assertion: it is for somebody else"
	}
	if time.Until(claims.ExpiresAt.Time) > time.Hour {
		return "assertion: it is good for too long"
	}
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	if claims.ID == "" || i.s.jtis[claims.ID] {
		return "assertion: it was used before"
	}
	i.s.jtis[claims.ID] = true
	return ""
}
