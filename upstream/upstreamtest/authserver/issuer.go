package authserver

import (
	"net/http"
	"slices"
	"strings"
)

// An issuer is one authorization server: its metadata and endpoints.
type issuer struct {
	s      *Server
	url    string
	origin string
	path   string // of the issuer's URL; "" for none
}

func (i *issuer) place(origin, path string) {
	i.origin, i.path, i.url = origin, path, origin+path
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o := i.s.now()
	i.s.wait(r, o.Delay)
	if slices.Contains(i.discoveredAt(o.Discovery), r.URL.Path) {
		i.metadata(w, r, o)
		return
	}
	endpoint, within := strings.CutPrefix(r.URL.Path, i.path)
	switch {
	case !within:
		http.NotFound(w, r)
	case endpoint == "/authorize":
		i.authorize(w, r, o)
	case endpoint == "/token" && r.Method == http.MethodPost:
		i.token(w, r, o)
	case endpoint == "/register" && r.Method == http.MethodPost && !o.NoRegistration:
		i.register(w, r, o)
	case endpoint == "/revoke" && r.Method == http.MethodPost && !o.NoRevocation:
		i.revoke(w, r, o)
	default:
		http.NotFound(w, r)
	}
}

// discoveredAt is where the metadata is: at one place only, so that who looks
// there has asked for the places before it.
func (i *issuer) discoveredAt(d Discovery) []string {
	switch d {
	case OAuthInserted:
		return []string{"/.well-known/oauth-authorization-server" + i.path}
	case OpenIDInserted:
		return []string{"/.well-known/openid-configuration" + i.path}
	case OpenIDAppended:
		return []string{i.path + "/.well-known/openid-configuration"}
	case Undiscovered:
	}
	return nil
}

func (i *issuer) metadata(w http.ResponseWriter, r *http.Request, o Options) {
	if i.s.reply(w, r, o.Metadata) {
		return
	}
	document := map[string]any{
		"issuer":                                           i.url,
		"authorization_endpoint":                           i.url + "/authorize",
		"token_endpoint":                                   i.url + "/token",
		"response_types_supported":                         []string{"code"},
		"grant_types_supported":                            []string{"authorization_code", "refresh_token", "client_credentials"},
		"code_challenge_methods_supported":                 []string{"S256"},
		"token_endpoint_auth_methods_supported":            o.authMethods(),
		"token_endpoint_auth_signing_alg_values_supported": []string{"ES256", "RS256"},
	}
	if o.Discovery == OpenIDInserted || o.Discovery == OpenIDAppended {
		document["jwks_uri"] = i.url + "/jwks"
		document["subject_types_supported"] = []string{"public"}
		document["id_token_signing_alg_values_supported"] = []string{"ES256"}
	}
	if o.Trusted != nil {
		document["grant_types_supported"] = []string{"authorization_code", "refresh_token", "client_credentials", JWTBearer}
		document["authorization_grant_profiles_supported"] = []string{"urn:ietf:params:oauth:grant-profile:id-jag"}
	}
	if !o.NoRegistration {
		document["registration_endpoint"] = i.url + "/register"
	}
	if !o.NoRevocation {
		document["revocation_endpoint"] = i.url + "/revoke"
	}
	if o.DPoP {
		document["dpop_signing_alg_values_supported"] = []string{"ES256"}
	}
	if o.Scopes != nil {
		document["scopes_supported"] = o.Scopes
	}
	if !o.IssUnadvertised {
		document["authorization_response_iss_parameter_supported"] = true
	}
	if o.Documents != nil {
		document["client_id_metadata_document_supported"] = true
	}
	if o.PKCEMethods != nil {
		document["code_challenge_methods_supported"] = o.PKCEMethods
	}
	if o.PKCEMethods != nil && len(o.PKCEMethods) == 0 {
		delete(document, "code_challenge_methods_supported")
	}
	if o.ClaimIssuer != "" {
		document["issuer"] = o.ClaimIssuer
	}
	if o.AlterMetadata != nil {
		o.AlterMetadata(document)
	}
	writeJSON(w, http.StatusOK, document)
}

func (o *Options) authMethods() []string {
	if o.AuthMethods != nil {
		return o.AuthMethods
	}
	return []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}
}
