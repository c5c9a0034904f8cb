package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/weir-mcp/weir/upstream/auth/discovery"
)

// A proofKey is a key that tokens are bound to (DPoP, RFC 9449): who has them can
// use them only with proofs that it signs. It is a secret.
type proofKey struct {
	key  *ecdsa.PrivateKey // of P-256
	x, y string            // of the public key, as in a JWK
}

// binds reports whether tokens of an authorization server are to be bound to a
// key: the server can do that, with one that weir can have (RFC 9449, section 5.1).
func (a *Authenticator) binds(s *discovery.Server) bool {
	return s != nil && !a.config.OAuth.Unbound && slices.Contains(s.DPoPAlgs, jwt.SigningMethodES256.Alg())
}

func newProofKey() (*proofKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key to bind tokens to: %w", err)
	}
	return ofKey(key)
}

// parseProofKey reads what text has made. Its error repeats nothing of it.
func parseProofKey(text secret) (*proofKey, error) {
	raw, err := base64.RawURLEncoding.DecodeString(string(text))
	if err == nil {
		var key *ecdsa.PrivateKey
		if key, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), raw); err == nil {
			return ofKey(key)
		}
	}
	return nil, errors.New("the key that the login's tokens are bound to cannot be read")
}

func ofKey(key *ecdsa.PrivateKey) (*proofKey, error) {
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	return &proofKey{key: key, x: encode(point[1:33]), y: encode(point[33:])}, nil
}

// text is the private key as it is kept.
func (k *proofKey) text() (secret, error) {
	raw, err := k.key.Bytes()
	if err != nil {
		return "", err
	}
	return secret(base64.RawURLEncoding.EncodeToString(raw)), nil
}

// thumbprint names the key (RFC 7638, section 3).
func (k *proofKey) thumbprint() string {
	return digestOf(`{"crv":"P-256","kty":"EC","x":"` + k.x + `","y":"` + k.y + `"}`)
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// proof is what goes with one request, and no other (RFC 9449, section 4.2): with
// an access token, "" if there is none, and with the nonce that the server wants,
// "" if it has not said.
func (k *proofKey) proof(method string, u *url.URL, access secret, nonce string) (string, error) {
	claims := jwt.MapClaims{"jti": rand.Text(), "htm": method, "htu": targetOf(u), "iat": time.Now().Unix()}
	if access != "" {
		claims["ath"] = digestOf(string(access))
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["typ"] = "dpop+jwt"
	token.Header["jwk"] = map[string]string{"kty": "EC", "crv": "P-256", "x": k.x, "y": k.y}
	signed, err := token.SignedString(k.key)
	if err != nil {
		return "", fmt.Errorf("signing a proof: %w", err)
	}
	return signed, nil
}

// targetOf is a URL as proofs name it: without query and fragment, and normal, as
// servers make it for themselves (RFC 9449, section 4.3; RFC 3986, section 6.2).
// A WebSocket begins with a request of HTTP.
func targetOf(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "ws":
		scheme = "http"
	case "wss":
		scheme = "https"
	}
	if port, ok := map[string]string{"http": ":80", "https": ":443"}[scheme]; ok {
		host = strings.TrimSuffix(host, port)
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + path
}
