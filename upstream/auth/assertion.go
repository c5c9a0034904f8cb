package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// assertionTime is how long an assertion may be used.
const assertionTime = 5 * time.Minute

// A signer signs assertions of who the client is (RFC 7523, section 2.2).
type signer struct {
	key    crypto.Signer
	id     string // of the key; "" for none
	method jwt.SigningMethod
}

// newSigner chooses the algorithm: one that fits the key, and that the server
// takes if it says what it takes.
func newSigner(key crypto.Signer, id string, taken []string) (*signer, error) {
	fitting, err := methodsOf(key)
	if err != nil {
		return nil, err
	}
	for _, m := range fitting {
		if taken == nil || slices.Contains(taken, m.Alg()) {
			return &signer{key, id, m}, nil
		}
	}
	return nil, fmt.Errorf("auth.private_key: a key that signs with %s, which the authorization server does not take", fitting[0].Alg())
}

func methodsOf(key crypto.Signer) ([]jwt.SigningMethod, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < 2048 {
			return nil, errors.New("an RSA key of less than 2048 bits")
		}
		return []jwt.SigningMethod{jwt.SigningMethodRS256, jwt.SigningMethodPS256}, nil
	case *ecdsa.PrivateKey:
		switch key.Curve.Params().BitSize {
		case 256:
			return []jwt.SigningMethod{jwt.SigningMethodES256}, nil
		case 384:
			return []jwt.SigningMethod{jwt.SigningMethodES384}, nil
		case 521:
			return []jwt.SigningMethod{jwt.SigningMethodES512}, nil
		}
	case ed25519.PrivateKey:
		return []jwt.SigningMethod{jwt.SigningMethodEdDSA}, nil
	}
	return nil, errors.New("a key that no algorithm here can use (want RSA, P-256, P-384, P-521 or Ed25519)")
}

func (s *signer) assertion(client, audience string) (string, error) {
	now := time.Now()
	token := jwt.NewWithClaims(s.method, jwt.MapClaims{
		"iss": client, "sub": client, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(assertionTime).Unix(),
	})
	if s.id != "" {
		token.Header["kid"] = s.id // of several keys, it says which (RFC 7515, section 4.1.4)
	}
	signed, err := token.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("signing an assertion: %w", err)
	}
	return signed, nil
}

// parseKey reads a private key. Its errors repeat nothing of it.
func parseKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil && !strings.Contains(text, "\n") {
		block, _ = pem.Decode([]byte(strings.ReplaceAll(text, `\n`, "\n"))) // as it stands in variables
	}
	if block == nil {
		return nil, errors.New("it is no private key in PEM")
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return nil, errors.New("it is no private key in PEM that is not encrypted")
	}
	signing, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("the private key cannot be read")
	}
	_, err = methodsOf(signing)
	return signing, err
}
