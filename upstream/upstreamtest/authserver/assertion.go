package authserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// JWTBearer is the grant type of assertions (RFC 7523, section 2.1): of a workload,
// which needs no client, or of a user (an ID-JAG), whose client must be the one
// that it names.
const JWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

const idJAGType = "oauth-id-jag+jwt"

// claims are those of all assertions here.
type claims struct {
	jwt.RegisteredClaims

	ClientID string `json:"client_id,omitempty"`
	Resource string `json:"resource,omitempty"`
	Scope    string `json:"scope,omitempty"`
}

// workload is the client of a request that has none, and brings an assertion of
// who it is instead; nil for all others.
func workload(r *http.Request, form url.Values) *Client {
	_, _, way := credentials(r, form)
	if form.Get("grant_type") != JWTBearer || way != "none" || form.Has("client_id") {
		return nil
	}
	return &Client{Auth: "none", Grants: []string{JWTBearer}}
}

// believe gives an access token for an assertion (RFC 7523, section 3.1). An
// ID-JAG is believed once (io.modelcontextprotocol/enterprise-managed-authorization,
// section 7.4.2). The caller holds s.mu.
func (i *issuer) believe(o Options, client *Client, form url.Values) outcome {
	c, typ, problem := o.verified(form.Get("assertion"))
	resource := form.Get("resource")
	asked := strings.Fields(form.Get("scope"))
	granted := o.granted(asked)
	switch {
	case problem != "":
		return refusal("invalid_grant", problem)
	case !slices.ContainsFunc(c.Audience, func(one string) bool { return one == i.url || one == i.url+"/token" }):
		return refusal("invalid_grant", "the assertion is for somebody else")
	case !i.s.knows(resource):
		return refusal("invalid_target", "resource is unknown here")
	case typ != idJAGType:
	case c.ClientID != client.ID:
		return refusal("invalid_grant", "the assertion is of another client")
	case c.Resource != resource:
		return refusal("invalid_grant", "the assertion is for another resource")
	case c.ID == "" || i.s.jtis[c.ID]:
		return refusal("invalid_grant", "the assertion was used before")
	default:
		i.s.jtis[c.ID] = true
		granted = slices.DeleteFunc(granted, func(scope string) bool { return !slices.Contains(strings.Fields(c.Scope), scope) })
	}
	g := &grant{issuer: i.url, client: client.ID, resource: resource, asked: asked, scopes: granted, family: "of-" + c.Subject}
	return i.tokens(o, g, g.scopes, "")
}

// verified are the claims of an assertion that somebody trusted has signed, and its
// type.
func (o Options) verified(assertion string) (c *claims, typ, problem string) {
	c = &claims{}
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithExpirationRequired()).ParseWithClaims(
		assertion, c, func(*jwt.Token) (any, error) {
			for _, p := range o.Trusted {
				if p.Issuer() == c.Issuer {
					return &p.key.PublicKey, nil
				}
			}
			return nil, jwt.ErrTokenInvalidIssuer
		},
	)
	if err != nil {
		return nil, "", err.Error()
	}
	typ, _ = parsed.Header["typ"].(string)
	return c, typ, ""
}
