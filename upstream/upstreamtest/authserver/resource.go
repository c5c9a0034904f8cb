package authserver

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// oddPath is where only a challenge leads to.
const oddPath = "/about/this-resource.json"

// A resource is a protected endpoint on a port of its own.
type resource struct {
	s        *Server
	mcp      http.Handler
	endpoint string
	origin   string
	path     string
	where    ResourceAt
	legacy   *issuer // its own, for Legacy; else nil
}

// Protect serves an MCP server at this path of a port of its own, to those who
// bring a token that was given for it, and returns its URL. It refuses others as
// RFC 6750 says.
func (s *Server) Protect(mcp http.Handler, path string) (endpoint string) {
	r := &resource{s: s, mcp: mcp, path: path, where: s.now().PRM}
	if r.where == Legacy {
		r.legacy = &issuer{s: s}
	}
	origin := s.listen(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.origin, r.endpoint = origin, origin+path
	if r.legacy != nil {
		r.legacy.place(origin, "")
	}
	s.resources = append(s.resources, r)
	return r.endpoint
}

// id is the resource indicator (RFC 8707) of the resource: the one it claims.
func (r *resource) id(o Options) string {
	if r.where == Legacy || o.ClaimResource == nil {
		return r.endpoint
	}
	return o.ClaimResource(r.endpoint)
}

// isResource reports whether a token may be asked for this resource.
func (s *Server) isResource(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.knows(id)
}

// knows is isResource for a caller that holds s.mu.
func (s *Server) knows(id string) bool {
	return slices.ContainsFunc(s.resources, func(r *resource) bool { return r.id(s.options) == id })
}

func (r *resource) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	o := r.s.now()
	switch {
	case req.URL.Path == r.path:
		r.serve(w, req, o)
	case req.URL.Path == r.metadataPath():
		r.metadata(w, req, o)
	case r.legacy != nil:
		r.legacy.ServeHTTP(w, req)
	default:
		http.NotFound(w, req)
	}
}

func (r *resource) metadataPath() string {
	switch r.where {
	case InChallenge:
		return oddPath
	case AtPath:
		return "/.well-known/oauth-protected-resource" + strings.TrimSuffix(r.path, "/")
	case AtRoot:
		return "/.well-known/oauth-protected-resource"
	case Legacy:
	}
	return ""
}

// metadata is what the resource says of itself (RFC 9728, section 2).
func (r *resource) metadata(w http.ResponseWriter, req *http.Request, o Options) {
	if r.s.reply(w, req, o.ResourceReply) {
		return
	}
	issuers := o.ClaimIssuers
	if issuers == nil {
		issuers = []string{r.s.Issuer()}
	}
	document := map[string]any{
		"resource": r.id(o), "authorization_servers": issuers, "bearer_methods_supported": []string{"header"},
	}
	if o.ResourceScopes != nil {
		document["scopes_supported"] = o.ResourceScopes
	}
	if o.AlterResource != nil {
		o.AlterResource(document)
	}
	writeJSON(w, http.StatusOK, document)
}

// serve checks the token, then the scopes that the request needs.
func (r *resource) serve(w http.ResponseWriter, req *http.Request, o Options) {
	header := req.Header.Get("Authorization")
	if r.proves(o) && o.DPoPNonce != "" {
		w.Header().Set("DPoP-Nonce", o.DPoPNonce)
	}
	t, code := r.token(req, o)
	if t == nil || o.RejectTokens {
		parameters := []string{}
		if header != "" {
			parameters = append(parameters, `error="`+cmp.Or(code, "invalid_token")+`"`)
		}
		r.refuse(w, req, o, http.StatusUnauthorized, parameters, o.ChallengeScopes)
		return
	}
	needed := o.ToolScopes[calledTool(req)]
	missing := slices.DeleteFunc(slices.Clone(needed), func(scope string) bool { return slices.Contains(t.scopes, scope) })
	if len(missing) == 0 {
		r.mcp.ServeHTTP(w, req)
		return
	}
	if o.ChallengeOnly {
		needed = missing
	}
	r.refuse(w, req, o, http.StatusForbidden, []string{`error="insufficient_scope"`}, needed)
}

// token is the good token that a request has brought; nil for none, with what is
// wrong with its proof, "" for nothing.
func (r *resource) token(req *http.Request, o Options) (t *token, code string) {
	scheme, name, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	jkt := ""
	switch {
	case scheme == "Bearer":
	case scheme == "DPoP" && r.proves(o):
		if jkt, code, _ = r.s.prove(req, o, name); code != "" {
			return nil, code
		}
	default:
		return nil, ""
	}
	t = r.known(name, o)
	if t != nil && t.jkt != jkt && r.proves(o) {
		t = nil
	}
	return t, ""
}

// proves reports whether the endpoint knows of tokens that are bound to a key.
func (r *resource) proves(o Options) bool { return o.DPoP && !o.DPoPUnaware }

// known is the good token of that name, nil for none.
func (r *resource) known(name string, o Options) *token {
	issuer := ""
	if r.legacy != nil {
		issuer = r.legacy.url
	} else {
		issuer = r.s.Issuer()
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	t := r.s.access[name]
	if t == nil || t.grant.issuer != issuer || time.Now().After(t.expires) {
		return nil
	}
	if t.grant.resource != "" && t.grant.resource != r.id(o) {
		return nil
	}
	return t
}

// refuse answers with a challenge (RFC 6750, section 3; RFC 9728, section 5.1).
func (r *resource) refuse(w http.ResponseWriter, req *http.Request, o Options, status int, parameters, scopes []string) {
	if len(scopes) > 0 {
		parameters = append(parameters, `scope="`+strings.Join(scopes, " ")+`"`)
	}
	if r.where == InChallenge {
		parameters = append(parameters, `resource_metadata="`+r.origin+oddPath+`"`)
	}
	scheme := "Bearer "
	if r.proves(o) {
		scheme = "DPoP "
		parameters = append(parameters, `algs="ES256"`)
	}
	challenge := strings.TrimSpace(scheme + strings.Join(parameters, ", "))
	if o.Challenge != nil {
		o.Challenge(w, req, challenge)
		return
	}
	w.Header().Set("WWW-Authenticate", challenge)
	w.WriteHeader(status)
}

// calledTool is the tool that a request calls, "" for none.
func calledTool(req *http.Request) string {
	if req.Method != http.MethodPost {
		return ""
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return ""
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	var message struct {
		Method string `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if json.Unmarshal(body, &message) != nil || message.Method != "tools/call" {
		return ""
	}
	return message.Params.Name
}
