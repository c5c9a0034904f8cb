package authserver

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

var defaultGrants = []string{"authorization_code", "refresh_token"}

func (c *Client) grants() []string {
	if c.Grants == nil {
		return defaultGrants
	}
	return c.Grants
}

// auth is how the client must authenticate; "" is whichever way its secret is
// sent.
func (c *Client) auth() string {
	switch {
	case c.Auth != "":
		return c.Auth
	case c.Key != nil:
		return "private_key_jwt"
	case c.Secret == "":
		return "none"
	}
	return ""
}

// client returns the client of this id, nil if there is none.
func (i *issuer) client(o Options, id string) *Client {
	if n := slices.IndexFunc(o.Clients, func(c Client) bool { return c.ID == id }); n >= 0 {
		return &o.Clients[n]
	}
	if text, ok := o.Documents[id]; ok {
		return documented(id, text)
	}
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	return i.s.clients[clientKey{i.url, id}]
}

// registration is what a client says of itself (RFC 7591, section 2).
type registration struct {
	ClientID        string   `json:"client_id"`
	ClientName      string   `json:"client_name"`
	RedirectURIs    []string `json:"redirect_uris"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	ApplicationType string   `json:"application_type"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
}

// documented is the client of a client ID metadata document (2025-11-25,
// Authorization, client ID metadata documents), nil if there is something wrong
// with it.
func documented(id, text string) *Client {
	u, err := url.Parse(id)
	if err != nil || u.Scheme != "https" || len(u.Path) < 2 || u.Fragment != "" || u.User != nil {
		return nil
	}
	var d registration
	if json.Unmarshal([]byte(text), &d) != nil || d.ClientID != id || d.ClientName == "" || len(d.RedirectURIs) == 0 {
		return nil
	}
	if d.AuthMethod != "" && d.AuthMethod != "none" {
		return nil
	}
	return &Client{ID: id, Auth: "none", Grants: d.GrantTypes, RedirectURIs: d.RedirectURIs}
}

// register is dynamic registration (RFC 7591), strict on what native clients get
// wrong: a web client may not come back to this machine (OpenID Connect Dynamic
// Client Registration, section 2), and refresh tokens are for those who say so.
func (i *issuer) register(w http.ResponseWriter, r *http.Request, o Options) {
	if i.s.reply(w, r, o.Registration) {
		return
	}
	var m registration
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") || json.NewDecoder(r.Body).Decode(&m) != nil {
		fail(w, http.StatusBadRequest, "invalid_client_metadata", "this is no JSON")
		return
	}
	if code, description := wrongRegistration(o, &m); code != "" {
		fail(w, http.StatusBadRequest, code, description)
		return
	}
	c := &Client{RedirectURIs: m.RedirectURIs, Grants: m.GrantTypes, Auth: m.AuthMethod}
	if o.RegisterAs != "" {
		c.Auth = o.RegisterAs
	}
	if c.Auth == "" {
		c.Auth = "client_secret_basic"
	}
	document := map[string]any{
		"client_id_issued_at": time.Now().Unix(), "redirect_uris": m.RedirectURIs, "grant_types": c.grants(),
		"response_types": m.ResponseTypes, "client_name": m.ClientName, "application_type": m.ApplicationType,
		"token_endpoint_auth_method": c.Auth,
	}
	i.s.mu.Lock()
	c.ID = "client-" + rand.Text()
	if c.Auth != "none" {
		c.Secret = i.s.secret("secret-")
		document["client_secret"] = c.Secret
		document["client_secret_expires_at"] = 0
	}
	i.s.clients[clientKey{i.url, c.ID}] = c
	i.s.mu.Unlock()
	if c.Secret != "" && o.SecretLife > 0 {
		document["client_secret_expires_at"] = time.Now().Add(o.SecretLife).Unix()
	}
	document["client_id"] = c.ID
	writeJSON(w, http.StatusCreated, document)
}

func wrongRegistration(o Options, m *registration) (code, description string) {
	if len(m.RedirectURIs) == 0 {
		return "invalid_redirect_uri", "redirect_uris is empty"
	}
	for _, text := range m.RedirectURIs {
		u, err := url.Parse(text)
		if err != nil || !isRedirect(u) {
			return "invalid_redirect_uri", "redirect_uris must be https, or http to this machine"
		}
		if u.Scheme == "http" && m.ApplicationType != "native" {
			return "invalid_redirect_uri", "only a native application may come back to this machine"
		}
	}
	for _, grant := range m.GrantTypes {
		if !slices.Contains(defaultGrants, grant) {
			return "invalid_client_metadata", "grant_types may only be authorization_code and refresh_token"
		}
	}
	if len(m.ResponseTypes) > 0 && !slices.Equal(m.ResponseTypes, []string{"code"}) {
		return "invalid_client_metadata", "response_types may only be code"
	}
	if m.AuthMethod != "" && !slices.Contains(o.authMethods(), m.AuthMethod) {
		return "invalid_client_metadata", "token_endpoint_auth_method is not supported"
	}
	return "", ""
}
