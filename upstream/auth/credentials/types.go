package credentials

import "time"

// A Key is whose tokens: those of one account of the user's, given to one client
// by one authorization server, for one resource. Tokens are never used for another.
type Key struct {
	Issuer   string // of the authorization server
	Resource string // the resource indicator (RFC 8707)
	Client   string // the client id
	Account  string // as configured; may be empty
}

// A Login is what weir holds under a Key. It is a secret.
type Login struct {
	Key Key

	// Endpoint is the server's URL as configured, by which the login is found
	// before anything was asked.
	Endpoint string

	Access  string    // the access token; "" if it has been given up
	Type    string    // its token_type, as it is sent: "Bearer" or "DPoP"
	Refresh string    // the refresh token; "" for none
	Issued  time.Time // when Access was had; how early it is renewed depends on how long it lives
	Expiry  time.Time // of Access; zero if the server did not say
	Scopes  []string  // that were granted, or asked for where the server did not say
	Since   time.Time // when the user logged in

	Token      string // the token endpoint that renews it
	Revocation string // the revocation endpoint; "" for none
	Client     Client // as which it was given

	// ProofKey is the private key that Access and Refresh may be bound to (RFC
	// 9449), as weir's OAuth writes it; "" for none.
	ProofKey string

	// Sealed says that the file in which it was found is sealed. Store sets it.
	Sealed bool
}

// A Client is weir as an authorization server knows it. ID and Secret are never
// used at another issuer.
type Client struct {
	Issuer  string
	ID      string
	Secret  string    // "" for a public client
	Auth    string    // token_endpoint_auth_method: "none", "client_secret_basic", "client_secret_post", "private_key_jwt"
	Host    string    // of the redirect URI it was registered with; "" is 127.0.0.1
	Port    int       // of the redirect URI it was registered with; 0 if it was not registered by weir
	Expires time.Time // of Secret; zero for never
}
