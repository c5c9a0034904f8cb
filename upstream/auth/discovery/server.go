package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/auth/guard"
)

const (
	serverMetadata = "authorization server metadata"
	oauthPlace     = "/.well-known/oauth-authorization-server"
	openIDPlace    = "/.well-known/openid-configuration"
)

// FindServer finds out what an authorization server says of itself, in the order
// of 2025-11-25 (Authorization, authorization server metadata discovery): RFC
// 8414, then OpenID Connect Discovery in both readings. Metadata of another issuer
// ends it (ErrIssuerMismatch), and so does a place that cannot be asked; a place
// that has none leads to the next, and none at all to ErrNoMetadata. All errors
// are an *Error.
//
// With legacy the issuer is the origin of a server that says nothing of itself:
// without metadata it is Assumed to have the endpoints of 2025-03-26
// (Authorization, fallbacks for servers without metadata discovery).
func FindServer(ctx context.Context, c *guard.Client, issuer string, legacy bool) (*Server, error) {
	u, err := parseIssuer(c, issuer)
	if err != nil {
		return nil, err
	}
	var header http.Header
	if legacy {
		header = http.Header{"Mcp-Protocol-Version": {"2025-03-26"}}
	}
	for _, place := range serverPlaces(u) {
		d, err := fetchDocument(ctx, c, serverMetadata, place, header)
		if errors.Is(err, errAbsent) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return readServer(c, d, issuer, legacy)
	}
	if !legacy {
		reason := "there is none at the places where that of this issuer would be"
		return nil, &Error{What: serverMetadata, URL: guard.Bare(issuer), Reason: reason, Err: ErrNoMetadata}
	}
	return assumed(issuer, u), nil
}

func parseIssuer(c *guard.Client, issuer string) (*url.URL, error) {
	broken := func(reason string, err error) error {
		return &Error{What: "authorization server", URL: guard.Bare(issuer), Reason: reason, Err: err}
	}
	if err := c.Allowed(issuer); err != nil {
		return nil, broken(reasonOf(issuer, err), err)
	}
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, broken("it is no URL", err)
	}
	if u.RawQuery != "" || u.ForceQuery {
		return nil, broken("an issuer has no query (?)", nil)
	}
	return u, nil
}

// serverPlaces are where the metadata of an issuer may be. A slash at its end
// is left out where something is put behind (RFC 8414, section 3.1).
func serverPlaces(issuer *url.URL) []string {
	base, path := origin(issuer), trimmedPath(issuer)
	return slices.Compact([]string{base + oauthPlace + path, base + openIDPlace + path, base + path + openIDPlace})
}

func readServer(c *guard.Client, d *document, issuer string, legacy bool) (*Server, error) {
	s := &Server{
		Scopes:           d.scopes("scopes_supported"),
		AuthMethods:      d.optionalList("token_endpoint_auth_methods_supported"),
		SigningAlgs:      d.optionalList("token_endpoint_auth_signing_alg_values_supported"),
		Grants:           d.optionalList("grant_types_supported"),
		DPoPAlgs:         d.optionalList("dpop_signing_alg_values_supported"),
		PKCE:             slices.Contains(d.optionalList("code_challenge_methods_supported"), "S256"),
		ClientIDMetadata: d.is("client_id_metadata_document_supported"),
		ReturnsIssuer:    d.is("authorization_response_iss_parameter_supported"),
	}
	var err error
	if s.Issuer, err = d.text("issuer"); err != nil {
		return nil, err
	}
	if !isIssuer(s.Issuer, issuer, legacy) {
		reason := fmt.Sprintf("it is of another issuer, %q, than the one that was asked, %q", guard.Printable(s.Issuer), guard.Printable(issuer))
		return nil, d.broken(reason, ErrIssuerMismatch)
	}
	if err := s.readEndpoints(c, d); err != nil {
		return nil, err
	}
	return s, nil
}

// isIssuer compares issuers exactly (RFC 8414, section 3.3). The legacy one was
// not named by anybody but made of an origin: with a slash behind, its metadata
// lies in the same place, and many servers write it so.
func isIssuer(named, asked string, legacy bool) bool {
	return named == asked || legacy && strings.TrimSuffix(named, "/") == strings.TrimSuffix(asked, "/")
}

// readEndpoints takes the endpoints. One that weir may not go to is not there, if
// it can be done without; weir sends neither a person nor a secret to it.
func (s *Server) readEndpoints(c *guard.Client, d *document) error {
	var err error
	if s.Authorization, err = d.endpoint(c, "authorization_endpoint"); err != nil {
		return err
	}
	if s.Token, err = d.endpoint(c, "token_endpoint"); err != nil {
		return err
	}
	if s.Token == "" {
		return d.broken("it names no token_endpoint", nil)
	}
	s.Registration = d.optionalEndpoint(c, "registration_endpoint")
	s.Revocation = d.optionalEndpoint(c, "revocation_endpoint")
	return nil
}

// endpoint returns a member that is a URL which is Allowed; "" if there is none.
func (d *document) endpoint(c *guard.Client, name string) (string, error) {
	address, err := d.text(name)
	if err != nil || address == "" {
		return "", err
	}
	if err := c.Allowed(address); err != nil {
		return "", d.broken(name+" "+err.Error(), err)
	}
	return address, nil
}

func (d *document) optionalEndpoint(c *guard.Client, name string) string {
	address, err := d.endpoint(c, name)
	if err != nil {
		return ""
	}
	return address
}

// assumed is a server without metadata (2025-03-26, Authorization).
func assumed(issuer string, u *url.URL) *Server {
	base := origin(u)
	return &Server{
		Issuer:        issuer,
		Authorization: base + "/authorize",
		Token:         base + "/token",
		Registration:  base + "/register",
		PKCE:          true,
		Assumed:       true,
	}
}
