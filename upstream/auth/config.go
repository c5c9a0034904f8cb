package auth

import (
	"context"
	"fmt"
)

// A Kind is how weir authenticates to a server.
type Kind string

// The kinds of authentication.
const (
	None   Kind = ""
	Bearer Kind = "bearer"  // a token that the user has
	APIKey Kind = "api_key" // a key in a header
	Basic  Kind = "basic"   // a name and a password
	OAuth2 Kind = "oauth2"  // tokens that weir gets by itself
)

// Config is how weir authenticates to one server, as configured. All texts but
// Header are to be resolved (see Resolve) when they are needed: Token, Value,
// Username, Password, ClientSecret, PrivateKey, Assertion and SubjectToken may hold
// references, the others what would look like one.
type Config struct {
	Kind Kind

	Token string // for Bearer; required

	Value  string // for APIKey; required
	Header string // for APIKey: its name; "" is Authorization
	Prefix string // for APIKey: stands before the value, with a space between; may be empty

	Username string // for Basic; required, without a colon
	Password string // for Basic

	OAuth OAuth // for OAuth2
}

// A Grant is how OAuth gives out tokens.
type Grant string

// The grants.
const (
	AuthorizationCode Grant = "authorization_code" // a person logs in with a browser
	ClientCredentials Grant = "client_credentials" // weir has an identity of its own
	JWTBearer         Grant = "jwt_bearer"         // what weir runs on says who it is (RFC 7523, section 2.1)
	Enterprise        Grant = "enterprise"         // an identity provider says who the user is (enterprise-managed authorization)
)

// NoResource is the resource of an authorization server that takes no resource
// indicators. What its tokens are good for is not in weir's hand then.
const NoResource = "none"

// NeedsPerson reports whether somebody has to log in with a browser to have
// tokens: if not, weir gets them by itself.
func (g Grant) NeedsPerson() bool { return g == "" || g == AuthorizationCode }

// OAuth is how weir gets its tokens. What is left out is found out by asking
// the server (2025-11-25 and 2026-07-28, Authorization).
type OAuth struct {
	Grant Grant // "" is AuthorizationCode

	ClientID     string // as registered beforehand; "" registers, where that is possible
	ClientSecret string // "" for a public client, and one with a PrivateKey
	PrivateKey   string // PEM, to sign assertions with (private_key_jwt); "" for none
	KeyID        string // names PrivateKey in assertions; "" does not
	ClientAuth   string // how the secret is sent: "basic" or "post"; "" finds out

	// ClientMetadataURL is where a document about this client lies, to be its
	// client id where a server takes that (client ID metadata documents). "" for none.
	ClientMetadataURL string

	Issuer   string // the only authorization server to trust; "" is the one the server names
	TokenURL string // where tokens are had, with nothing asked, for grants without a person; "" finds out
	Scopes   []string

	// Resource is what tokens are asked for (RFC 8707): a URI, or NoResource to
	// say nothing of it; "" is what the server calls itself.
	Resource string

	// Assertion is the token that says who weir is, for JWTBearer: a JWT for the
	// authorization server. It is read anew each time one is needed.
	Assertion string

	IdentityProvider IdentityProvider // for Enterprise

	// AuthorizeParams are further parameters of the URL at which a person logs
	// in, which some authorization servers want. None is one that weir sets.
	AuthorizeParams map[string]string

	// Unbound never asks for tokens that are bound to a key (DPoP, RFC 9449), even
	// where the authorization server gives them out. Those that there are stay so.
	Unbound bool

	CallbackHost string // how the browser is told to come back to this machine: "localhost"; "" is "127.0.0.1"
	CallbackPort int    // there, for the browser to come back to; 0 is any
	Ask          bool   // never open a browser unless told to
	Account      string // tells logins of several accounts apart; may be empty
}

// An IdentityProvider is where the people of an enterprise sign in, once for all
// servers (io.modelcontextprotocol/enterprise-managed-authorization). It gives out,
// for the token that somebody has by that, one for the authorization server of each
// server that the enterprise lets them use. All texts are to be resolved;
// ClientSecret, PrivateKey and SubjectToken may hold references.
type IdentityProvider struct {
	Issuer   string // whose metadata says where tokens are exchanged; "" with a TokenURL
	TokenURL string // where tokens are exchanged, with nothing asked; "" finds out

	ClientID     string // of weir there; required
	ClientSecret string // "" for a public client, and one with a PrivateKey
	PrivateKey   string // PEM, to sign assertions with (private_key_jwt); "" for none
	KeyID        string // names PrivateKey in assertions; "" does not
	ClientAuth   string // how the secret is sent: "basic" or "post"; "" finds out

	// SubjectToken is what the user has by signing in. It is read anew each time one
	// is needed, and sent nowhere else.
	SubjectToken     string
	SubjectTokenType string // "id_token", "refresh_token" or "saml2"; "" is "id_token"
}

// Resolve reads the references in a text. It is safe for concurrent use.
type Resolve func(ctx context.Context, text string) (string, error)

// Format hides the credentials, whatever a Config is printed with.
func (c Config) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "authentication %q", string(c.Kind))
}

// Format hides the credentials, whatever an OAuth is printed with.
func (o OAuth) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "grant %q", string(o.Grant))
}

// Format hides the credentials, whatever an IdentityProvider is printed with.
func (p IdentityProvider) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "identity provider of %q", p.SubjectTokenType)
}
