package authserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Errors about proofs (RFC 9449, sections 5 and 8).
const (
	invalidProof = "invalid_dpop_proof"
	useNonce     = "use_dpop_nonce"
)

// A jwk is the public key of a proof, its members in the order that its thumbprint
// wants (RFC 7638, section 3.3).
type jwk struct {
	Curve string `json:"crv"`
	Type  string `json:"kty"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

// proofClaims are those of RFC 9449, section 4.2.
type proofClaims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	Target string `json:"htu"`
	Issued int64  `json:"iat"`
	Access string `json:"ath"`
	Nonce  string `json:"nonce"`
	jwt.RegisteredClaims
}

// prove checks the proof of a request (RFC 9449, section 4.3), with an access token
// or with "". It returns the thumbprint of the key, or what is wrong.
func (s *Server) prove(r *http.Request, o Options, access string) (jkt, code, problem string) {
	headers := r.Header.Values("DPoP")
	if len(headers) != 1 {
		return "", invalidProof, "there is not one proof"
	}
	claims := &proofClaims{}
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"})).ParseWithClaims(headers[0], claims, func(t *jwt.Token) (any, error) {
		key, thumbprint, err := keyOf(t.Header["jwk"])
		jkt = thumbprint
		return key, err
	})
	want := ""
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		want = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	switch {
	case err != nil:
		return "", invalidProof, err.Error()
	case parsed.Header["typ"] != "dpop+jwt":
		return "", invalidProof, "it is no proof by its type"
	case claims.Method != r.Method || claims.Target != "http://"+r.Host+r.URL.EscapedPath():
		return "", invalidProof, "it is for another request: " + claims.Method + " " + claims.Target
	case time.Since(time.Unix(claims.Issued, 0)).Abs() > time.Minute:
		return "", invalidProof, "it is of another time"
	case claims.Access != want:
		return "", invalidProof, "it is for another access token"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if claims.ID == "" || s.jtis["proof "+claims.ID] {
		return "", invalidProof, "it was used before"
	}
	s.jtis["proof "+claims.ID] = true
	if claims.Nonce != o.DPoPNonce {
		return "", useNonce, "it has not the nonce that is wanted"
	}
	return jkt, "", ""
}

// keyOf is the key in the header of a proof, and its thumbprint. It must be public.
func keyOf(header any) (key *ecdsa.PublicKey, thumbprint string, err error) {
	members, ok := header.(map[string]any)
	if !ok || len(members) != 4 {
		return nil, "", errors.New("jwk is not one of four members")
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil, "", err
	}
	var k jwk
	if err := json.Unmarshal(text, &k); err != nil || k.Type != "EC" || k.Curve != "P-256" {
		return nil, "", errors.New("jwk is none of P-256")
	}
	x, err1 := base64.RawURLEncoding.DecodeString(k.X)
	y, err2 := base64.RawURLEncoding.DecodeString(k.Y)
	if err := errors.Join(err1, err2); err != nil || len(x) != 32 || len(y) != 32 {
		return nil, "", errors.New("jwk has other coordinates than 32 bytes each")
	}
	key, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil, "", err
	}
	canonical, err := json.Marshal(k)
	sum := sha256.Sum256(canonical)
	return key, base64.RawURLEncoding.EncodeToString(sum[:]), err
}

// proven is the thumbprint of the key that a token request proves, "" if it proves
// none and need not. If there is something wrong with that, it is answered.
func (i *issuer) proven(w http.ResponseWriter, r *http.Request, o Options, form url.Values) (jkt string, ok bool) {
	wanted := i.s.boundTo(form)
	if !o.DPoP || len(r.Header.Values("DPoP")) == 0 && wanted == "" {
		return "", true
	}
	jkt, code, problem := i.s.prove(r, o, "")
	if o.DPoPNonce != "" {
		w.Header().Set("DPoP-Nonce", o.DPoPNonce)
	}
	if code == "" && wanted != "" && wanted != jkt {
		code, problem = "invalid_grant", "this is bound to another key"
	}
	if code != "" {
		fail(w, http.StatusBadRequest, code, problem)
		return "", false
	}
	return jkt, true
}

// boundTo is the key that a request must prove: that which the code was asked for
// with (RFC 9449, section 10), or the one that the refresh token was given for.
func (s *Server) boundTo(form url.Values) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.codes[form.Get("code")]; g != nil {
		return g.jkt
	}
	if t := s.refresh[form.Get("refresh_token")]; t != nil {
		return t.jkt
	}
	return ""
}

// bind binds the tokens of an answer to a key: access tokens always, refresh tokens
// of public clients (RFC 9449, section 5).
func (s *Server) bind(document map[string]any, jkt string, client *Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name, ok := document["access_token"].(string); ok {
		s.access[name].jkt = jkt
		document["token_type"] = "DPoP"
	}
	if name, ok := document["refresh_token"].(string); ok && client.auth() == "none" {
		s.refresh[name].jkt = jkt
	}
}
