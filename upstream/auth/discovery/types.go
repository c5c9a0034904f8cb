package discovery

// A Challenge is what a server says of the credentials that it wants, in the
// WWW-Authenticate headers of a refusal (RFC 6750, section 3; RFC 9728, section
// 5.1).
type Challenge struct {
	ResourceMetadata string   // a URL; "" if it names none
	Scopes           []string // that the request needs; nil if it names none
	Error            string   // "invalid_token", "insufficient_scope", …; "" if it names none

	DPoP       bool   // it takes tokens that are bound to a key (RFC 9449, section 7.1)
	ProofError string // what it says of such a token and its proof: "use_dpop_nonce", …
}

// A Resource is what a server says of itself as a protected resource (RFC 9728).
type Resource struct {
	ID     string   // the resource indicator (RFC 8707) to ask tokens for: checked, or made of the server's URL
	Issuer []string // the authorization servers, at least one, in the server's order
	Scopes []string // scopes_supported; nil if it names none

	// Legacy is a server that says nothing: its authorization server is its own
	// origin (2025-03-26, Authorization, server metadata discovery), which is
	// then the one Issuer.
	Legacy bool
}

// A Server is what an authorization server says of itself (RFC 8414, OpenID
// Connect Discovery). Its endpoints are checked: https, or http on loopback.
type Server struct {
	Issuer string

	Authorization string // the endpoints; "" where there is none
	Token         string
	Registration  string
	Revocation    string

	Scopes      []string // scopes_supported
	AuthMethods []string // token_endpoint_auth_methods_supported
	SigningAlgs []string // token_endpoint_auth_signing_alg_values_supported
	Grants      []string // grant_types_supported; nil if it names none
	DPoPAlgs    []string // dpop_signing_alg_values_supported

	ClientIDMetadata bool // takes the URL of a client's metadata document as its id
	ReturnsIssuer    bool // authorization_response_iss_parameter_supported (RFC 9207)

	// PKCE is a server that says that it checks proof keys by S256 (RFC 7636), or is
	// Assumed. Codes are not redeemed at another: see ErrNoPKCE.
	PKCE bool

	// Assumed is a server without metadata, whose endpoints are where 2025-03-26
	// says that they are by default.
	Assumed bool
}
