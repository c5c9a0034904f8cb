package auth

import (
	"net/http"
	"net/url"
	"slices"

	"golang.org/x/oauth2"

	"github.com/weir-mcp/weir/upstream/auth/discovery"
)

// How a client authenticates to a token endpoint (RFC 7591, section 2; OpenID
// Connect Core, section 9).
const (
	noSecret      = "none"
	secretBasic   = "client_secret_basic"
	secretPost    = "client_secret_post"
	privateKeyJWT = "private_key_jwt"
)

// A client is weir as an authorization server knows it, with what it takes to
// prove it. It is a secret.
type client struct {
	id       string
	secret   secret
	method   string  // one of the above
	signer   *signer // for privateKeyJWT
	audience string  // for privateKeyJWT: the issuer
	bond     *bond   // what its tokens are to be bound to; nil asks for bearer tokens
}

// configuredClient is the one that the user has registered, or that has a metadata
// document, at an authorization server; server is nil where nothing is known of it.
func configuredClient(s *settings, id string, server *discovery.Server) (*client, error) {
	c := &client{id: id, secret: s.secret, method: noSecret}
	var methods, algs []string
	if server != nil {
		methods, algs, c.audience = server.AuthMethods, server.SigningAlgs, server.Issuer
	}
	switch {
	case s.key != nil:
		c.method = privateKeyJWT
		if c.audience == "" {
			c.audience = s.issuer
		}
		if c.audience == "" {
			c.audience = s.tokenURL
		}
		var err error
		c.signer, err = newSigner(s.key, s.keyID, algs)
		return c, err
	case s.secret == "":
	case s.clientAuth != "":
		c.method = s.clientAuth
	case slices.Contains(methods, secretPost) && !slices.Contains(methods, secretBasic):
		c.method = secretPost
	default:
		c.method = secretBasic // what all must take (RFC 6749, section 2.3.1)
	}
	return c, nil
}

// prove adds to the parameters of a request what authenticates the client, and
// says what else does: a name and a password for x/oauth2 to send in that style.
func (c *client) prove(params url.Values) (id string, password secret, style oauth2.AuthStyle, err error) {
	switch c.method {
	case secretBasic:
		return c.id, c.secret, oauth2.AuthStyleInHeader, nil
	case secretPost:
		return c.id, c.secret, oauth2.AuthStyleInParams, nil
	case privateKeyJWT:
		// The assertion says who it is of (RFC 7523, section 3): no client_id.
		assertion, err := c.signer.assertion(c.id, c.audience)
		params.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		params.Set("client_assertion", assertion)
		return "", "", oauth2.AuthStyleInParams, err
	}
	return c.id, "", oauth2.AuthStyleInParams, nil
}

// form puts parameters and what authenticates the client into a request, for
// those endpoints that x/oauth2 does not know.
func (c *client) form(params url.Values) (body string, header http.Header, err error) {
	id, password, style, err := c.prove(params)
	if err != nil {
		return "", nil, err
	}
	req := http.Request{Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}
	if style == oauth2.AuthStyleInHeader {
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(string(password)))
		return params.Encode(), req.Header, nil
	}
	if id != "" {
		params.Set("client_id", id)
	}
	if password != "" {
		params.Set("client_secret", string(password))
	}
	return params.Encode(), req.Header, nil
}
