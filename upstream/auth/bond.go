package auth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/weir-mcp/weir/upstream/auth/discovery"
	"github.com/weir-mcp/weir/upstream/auth/guard"
)

// The types of access tokens, as they stand before them in a request (RFC 6750,
// section 2.1; RFC 9449, section 7.1).
const (
	bearerToken = "Bearer"
	boundToken  = "DPoP"
)

// Headers of proofs (RFC 9449, sections 4.1 and 8).
const (
	proofHeader = "DPoP"
	nonceHeader = "DPoP-Nonce"
)

// Errors about proofs (RFC 9449, sections 5, 7.1, 8 and 9).
const (
	wantsNonce   = "use_dpop_nonce"
	invalidProof = "invalid_dpop_proof"
)

// A bond is what tokens are bound to, and what the servers that they are shown to
// have said of the proofs. It is a secret, and safe for concurrent use.
type bond struct {
	server string // as configured
	key    *proofKey
	kept   secret // the key, as it is kept
	nonces nonces

	// unaware is a server that was found to take the tokens as if they were not
	// bound. It is asked no more whether it has learned, for as long as the bond is
	// held in memory.
	unaware atomic.Bool
}

// newBond makes a bond with a new key.
func newBond(server string) (*bond, error) {
	key, err := newProofKey()
	if err != nil {
		return nil, err
	}
	kept, err := key.text()
	return &bond{server: server, key: key, kept: kept}, err
}

// keptBond makes a bond with a key as it was kept.
func keptBond(server string, kept secret) (*bond, error) {
	key, err := parseProofKey(kept)
	if err != nil {
		return nil, err
	}
	return &bond{server: server, key: key, kept: kept}, nil
}

// proved returns a copy of a request with a proof of its own, and with the access
// token, if there is one.
func (b *bond) proved(req *http.Request, access secret) (*http.Request, error) {
	proof, err := b.key.proof(req.Method, req.URL, access, b.nonces.at(originOf(req.URL)))
	if err != nil {
		return nil, err
	}
	fresh := withHeader(req, proofHeader, secret(proof))
	if access != "" {
		fresh.Header.Set(authorization, boundToken+" "+string(access))
	}
	return fresh, nil
}

// present sends a request with a token that is bound. It is sent a second time if
// the server wants a nonce in the proof, and if it refuses the proof for knowing
// bearer tokens only: such a server takes bound ones too (RFC 9449, section 7.2).
// What is refused so has not been executed.
func (b *bond) present(base http.RoundTripper, req *http.Request, access secret) (*http.Response, error) {
	if b.unaware.Load() {
		return base.RoundTrip(withToken(req, access))
	}
	resp, learned, err := b.try(base, req, access)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	challenge, _ := discovery.ParseChallenge(resp.Header.Values("WWW-Authenticate"))
	if challenge.DPoP && (challenge.ProofError != wantsNonce || !learned) {
		return resp, nil
	}
	again, err := rewound(req)
	if again == nil || err != nil {
		return resp, nil //nolint:nilerr // the refusal tells more
	}
	discard(resp)
	if challenge.DPoP {
		resp, _, err = b.try(base, again, access)
		return resp, err
	}
	resp, err = base.RoundTrip(withToken(again, access))
	if err == nil && resp.StatusCode != http.StatusUnauthorized {
		b.unaware.Store(true)
	}
	return resp, err
}

// refusal is an answer by which a server refuses the proof and not the token; nil
// for all others. No other token can mend that, but time may: the nonce is another
// one by then, or the clock of somebody is right.
func (b *bond) refusal(resp *http.Response) *TokenError {
	if resp.StatusCode != http.StatusUnauthorized {
		return nil
	}
	challenge, _ := discovery.ParseChallenge(resp.Header.Values("WWW-Authenticate"))
	e := &TokenError{Server: b.server, Code: challenge.ProofError, Status: resp.StatusCode, Temporary: true}
	switch challenge.ProofError {
	case wantsNonce:
		e.Err = errors.New("the server is content with no nonce, not even its own (use_dpop_nonce)")
	case invalidProof:
		e.Err = fmt.Errorf("the server refuses the proof that goes with the token (%s): %w", invalidProof, errWrongClock)
	default:
		return nil
	}
	return e
}

var errWrongClock = errors.New("perhaps the clock of this machine is wrong")

// try sends a request once, and reports whether the server wants another nonce in
// the next proof.
func (b *bond) try(base http.RoundTripper, req *http.Request, access secret) (resp *http.Response, learned bool, err error) {
	proved, err := b.proved(req, access)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, false, err
	}
	resp, err = base.RoundTrip(proved)
	if err != nil {
		return nil, false, err
	}
	return resp, b.nonces.note(originOf(req.URL), resp.Header), nil
}

// client returns one that proves the key with each request to a token endpoint
// (RFC 9449, section 5); on a nil bond, one that does not.
func (b *bond) client(g *guard.Client) *http.Client {
	client := g.HTTP()
	if b == nil {
		return client
	}
	proving := *client
	proving.Transport = &provingTripper{tripper{client.Transport}, b}
	return &proving
}

type provingTripper struct {
	tripper
	bond *bond
}

func (t *provingTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, _, err := t.bond.try(t.base, req, "")
	return resp, err
}

// Bounds of nonces.
const (
	maxNonce   = 4 << 10 // bytes
	maxOrigins = 8       // that are remembered
)

// nonces are what servers want in the next proofs, each by its origin (RFC 9449,
// sections 8.2 and 9). They are safe for concurrent use.
type nonces struct {
	mu   sync.Mutex
	last map[string]string
}

func (n *nonces) at(origin string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last[origin]
}

// note remembers the nonce of an answer, and reports whether it has one. What
// cannot be one is passed over.
func (n *nonces) note(origin string, header http.Header) bool {
	values := header.Values(nonceHeader)
	if len(values) != 1 || !isNonce(values[0]) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.last[origin]; n.last == nil || !known && len(n.last) >= maxOrigins {
		n.last = map[string]string{}
	}
	n.last[origin] = values[0]
	return true
}

// isNonce reports whether a text can be one (RFC 9449, section 8.1).
func isNonce(text string) bool {
	return text != "" && len(text) <= maxNonce && isPrintable(text) && !strings.ContainsAny(text, `"\ `)
}
