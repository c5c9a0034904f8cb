package auth

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/auth/discovery"
)

// maxSends is how often a request is sent at most: with the token at hand, with one
// that another process has got meanwhile, and with one got for it.
const maxSends = 3

// maxDrain is how much of a refusal is read so that its connection can be used again.
const maxDrain = 16 << 10

// A source has the tokens of one server.
type source interface {
	// token returns the one to send; "" to send none, to see what the server wants.
	token(ctx context.Context) (secret, error)
	// bondOf is what a token is bound to; nil for a bearer token, and for one that is
	// not the newest any more: the server refuses that, and there is another then.
	bondOf(token secret) *bond
	// refused says what to do about a 401: the token to send the request with once
	// more, or an error.
	refused(ctx context.Context, r *refusal) (secret, error)
	// insufficient says what to do about a 403 for want of scopes; with "" and no
	// error, nothing can be done.
	insufficient(ctx context.Context, r *refusal) (secret, error)
	// accepted is told of each token that the server took.
	accepted(sent secret)
}

// A refusal is what a server said to a token.
type refusal struct {
	sent      secret // "" if there was none
	before    int    // how many were refused to the same request before
	operation string // what was refused
	challenge discovery.Challenge
}

// An oauthTripper sends requests with the tokens of a source. What a server refuses
// for its token it has not executed (RFC 6750, section 3.1), so such a request may
// be sent again.
type oauthTripper struct {
	tripper
	origin string
	source source
}

func (t *oauthTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if originOf(req.URL) != t.origin {
		return t.base.RoundTrip(req)
	}
	token, err := t.source.token(req.Context())
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	sending := req
	for before := range maxSends {
		bound := t.source.bondOf(token)
		resp, err := t.send(sending, token, bound)
		if err != nil {
			return nil, err
		}
		if bound != nil {
			if refused := bound.refusal(resp); refused != nil {
				discard(resp)
				return nil, refused
			}
		}
		next, err := t.judge(req, resp, token, before)
		if err == nil && next == "" {
			return resp, nil
		}
		if err == nil {
			if sending, err = rewound(req); sending == nil && err == nil {
				return resp, nil // it cannot be sent again; the next one has the new token
			}
		}
		discard(resp)
		if err != nil {
			return nil, err
		}
		token = next
	}
	panic("auth: a request is refused with all tokens, and goes on") // judge ends it
}

// send sends a request with a token, "" for none, and what it is bound to.
func (t *oauthTripper) send(req *http.Request, token secret, bound *bond) (*http.Response, error) {
	if bound == nil {
		return t.base.RoundTrip(withToken(req, token))
	}
	return bound.present(t.base, req, token)
}

// judge returns the token to send the request with again; "" if the answer is to
// be handed back.
func (t *oauthTripper) judge(req *http.Request, resp *http.Response, sent secret, before int) (secret, error) {
	if resp.StatusCode != http.StatusUnauthorized && sent != "" {
		t.source.accepted(sent)
	}
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		return "", nil
	}
	challenge := challengeOf(resp, sent)
	r := &refusal{sent, before, req.Method + " " + req.URL.Path, challenge}
	var next secret
	var err error
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		next, err = t.source.refused(req.Context(), r)
	case challenge.Error != "insufficient_scope":
		return "", nil
	case sent == "":
		next, err = t.source.refused(req.Context(), r)
	default:
		next, err = t.source.insufficient(req.Context(), r)
	}
	if before == maxSends-1 {
		next = ""
	}
	return next, err
}

// challengeOf reads the challenge of a response. The scopes that it names are shown,
// and become a part of an address: none of them repeats the token.
func challengeOf(resp *http.Response, sent secret) discovery.Challenge {
	challenge, _ := discovery.ParseChallenge(resp.Header.Values("WWW-Authenticate"))
	challenge.Scopes = slices.DeleteFunc(challenge.Scopes, func(scope string) bool {
		return sent != "" && strings.Contains(scope, string(sent))
	})
	return challenge
}

// withToken returns a copy of a request with a bearer token, or without any.
func withToken(req *http.Request, token secret) *http.Request {
	if token == "" {
		return req
	}
	return withHeader(req, authorization, bearerToken+" "+token)
}

// rewound returns a copy of a request with its body from the start; nil if there
// is no way.
func rewound(req *http.Request) (*http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, nil
	}
	if req.GetBody == nil {
		return nil, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	fresh := *req
	fresh.Body = body
	return &fresh, nil
}

func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	resp.Body.Close()
}
