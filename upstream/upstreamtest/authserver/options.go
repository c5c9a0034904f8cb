package authserver

import (
	"crypto"
	"net/http"
	"time"
)

// Options say how a server behaves. The zero value is a well-behaved one, which
// registers clients dynamically and does all that it can: the endpoint's own
// metadata named in the challenge, RFC 8414 metadata, PKCE, iss, rotation.
// [Server.Set] changes them between requests.
type Options struct {
	IssuerPath string        // such as "/tenant"; "" for none
	Discovery  Discovery     // where the server's own metadata is
	PRM        ResourceAt    // where the resource's metadata is
	Delay      time.Duration // before each answer of the authorization server

	// What the authorization server says of itself.
	PKCEMethods     []string             // nil is S256; empty leaves the member out
	ClaimIssuer     string               // in place of its own; "" for none
	Scopes          []string             // scopes_supported; nil leaves it out
	AuthMethods     []string             // token_endpoint_auth_methods_supported; nil is all there are
	IssUnadvertised bool                 // no authorization_response_iss_parameter_supported
	AlterMetadata   func(map[string]any) // changes all else
	Metadata        *Reply               // in place of the metadata

	// What the resource says of itself.
	ResourceScopes []string                     // scopes_supported; nil leaves it out, empty is an empty list
	ClaimResource  func(endpoint string) string // nil is the endpoint
	ClaimIssuers   []string                     // authorization_servers; nil is this one
	AlterResource  func(map[string]any)         // changes all else
	ResourceReply  *Reply                       // in place of the resource's metadata

	// The client.
	Clients        []Client          // registered beforehand
	Documents      map[string]string // client ID metadata documents by URL; not nil: such clients are taken
	NoRegistration bool              // no dynamic one
	Registration   *Reply            // in place of the answer to it
	RegisterAs     string            // token_endpoint_auth_method whatever was asked for; "" is as asked
	Trusted        []*Provider       // whose assertions are taken (JWTBearer)
	SecretLife     time.Duration     // of registered secrets; 0 is for ever
	AnyPort        bool              // a loopback redirect may have another port than registered (RFC 8252, section 7.3)

	// The authorization response.
	Iss              Iss
	State            State
	AuthorizeError   string // every user's answer, such as "access_denied"; "" consents
	ErrorDescription string

	// Tokens.
	Life            time.Duration // of access tokens; 0 is an hour
	NoExpiresIn     bool          // their life is not told
	NoRefresh       bool          // no refresh tokens
	OfflineOnly     bool          // no refresh tokens but for the scope offline_access
	NoRotation      bool          // refresh tokens stay as they are
	Withhold        []string      // scopes that are never granted
	HideScope       bool          // granted scopes are not told where they are what was asked for
	ResourceIgnored bool          // "resource" is neither wanted nor read: tokens are for any resource
	Token           *Reply        // in place of tokens for codes and client credentials
	Refresh         *Reply        // in place of tokens for refresh tokens
	AlterToken      func(grant string, answer map[string]any)
	NoRevocation    bool   // no endpoint
	Revocation      *Reply // in place of its answer

	// Proof of possession (DPoP, RFC 9449).
	DPoP        bool   // is listed; tokens are bound to the key of the proof that they are asked for with
	DPoPNonce   string // what proofs must have, here and at the protected endpoint; "" for none
	DPoPUnaware bool   // the protected endpoint knows of bearer tokens only

	// The protected endpoint.
	ChallengeScopes []string                                                    // in its 401
	ToolScopes      map[string][]string                                         // what calls of these tools need besides, else 403
	ChallengeOnly   bool                                                        // a 403 names only the scopes that are missing, not all that are needed
	Challenge       func(w http.ResponseWriter, r *http.Request, header string) // writes a refusal in another way; nil for none
	RejectTokens    bool                                                        // 401 even with a fresh token
}

// Discovery is where an authorization server's metadata is.
type Discovery int

// The places.
const (
	OAuthInserted  Discovery = iota // /.well-known/oauth-authorization-server/tenant (RFC 8414)
	OpenIDInserted                  // /.well-known/openid-configuration/tenant
	OpenIDAppended                  // /tenant/.well-known/openid-configuration
	Undiscovered                    // nowhere
)

// ResourceAt is where a protected resource's metadata is.
type ResourceAt int

// The places.
const (
	InChallenge ResourceAt = iota // where only the challenge says
	AtPath                        // /.well-known/oauth-protected-resource/mcp; the challenge does not say
	AtRoot                        // /.well-known/oauth-protected-resource; the challenge does not say

	// Legacy is nowhere: the resource's own origin is the authorization server
	// (2025-03-26), with metadata as Discovery says, and endpoints at their
	// default places.
	Legacy
)

// Iss is the iss of an authorization response (RFC 9207).
type Iss int

// The ways.
const (
	IssRight Iss = iota
	IssMissing
	IssWrong
)

// State is the state of an authorization response.
type State int

// The ways.
const (
	StateEchoed State = iota
	StateDropped
	StateChanged
)

// A Client is one that is registered.
type Client struct {
	ID     string
	Secret string           // "" for none
	Key    crypto.PublicKey // of private_key_jwt; nil for none
	Auth   string           // token_endpoint_auth_method; "" is "none", "private_key_jwt" with a Key, else whichever way a secret is sent
	Grants []string         // nil is authorization_code and refresh_token

	RedirectURIs []string // nil is any on 127.0.0.1
}

// A Reply stands in the place of an endpoint's answer.
type Reply struct {
	Status int               // 0 is 200
	Header map[string]string // its Content-Type is application/json unless it says otherwise
	Body   string
	Hang   bool // no answer at all, for as long as the client waits
	Times  int  // how many requests have it, before all is as ever; 0 is all
}
