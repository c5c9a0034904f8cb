package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/auth/guard"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// maxClientID is how long a client id and a secret may be.
const maxClientID = 8 << 10

// A registration is what weir says of itself (RFC 7591, section 2; OpenID Connect
// Dynamic Client Registration 1.0, section 2, for the application's type: a web
// application may not be redirected to this machine).
type registration struct {
	RedirectURIs    []string `json:"redirect_uris"`
	ClientName      string   `json:"client_name"`
	ApplicationType string   `json:"application_type"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	Scope           string   `json:"scope,omitempty"`
	SoftwareID      string   `json:"software_id,omitempty"`
	SoftwareVersion string   `json:"software_version,omitempty"`
}

// register makes weir known to the authorization server, with this redirect URI
// and no other, and stores that.
func (d *dialogue) register(ctx context.Context, redirectURI string, at *url.URL) error {
	if d.server.Registration == "" {
		return fmt.Errorf("the port %d of the registration is in use, and the authorization server registers nobody any more", d.client.Port)
	}
	r := registration{
		RedirectURIs:    []string{redirectURI},
		ClientName:      "weir",
		ApplicationType: "native",
		GrantTypes:      []string{string(AuthorizationCode), "refresh_token"},
		ResponseTypes:   []string{"code"},
		AuthMethod:      registeredMethod(d.server.AuthMethods),
		Scope:           strings.Join(d.scopes, " "),
		SoftwareID:      "weir",
		SoftwareVersion: d.p.k.o.Version,
	}
	c, err := d.ask(ctx, &r)
	if refused, ok := errors.AsType[*endpointError](err); ok && isOfMetadata(refused.code) {
		r.Scope, r.SoftwareID, r.SoftwareVersion = "", "", "" // what some do not know or allow
		c, err = d.ask(ctx, &r)
	}
	if err != nil {
		return fmt.Errorf("registering at the authorization server %q: %w; it may be that weir must be registered there by hand, "+
			"and auth.client_id set", guard.Bare(d.server.Issuer), err)
	}
	c.Host = at.Hostname()
	if c.Port, err = strconv.Atoi(at.Port()); err != nil {
		return err
	}
	d.client = *c
	return d.p.k.o.Store.SaveClient(ctx, d.set.at.text, c)
}

func isOfMetadata(code string) bool {
	return code == "invalid_client_metadata" || code == "invalid_redirect_uri"
}

// registeredMethod is how weir would like to authenticate: not at all, as a
// program that cannot keep a secret from its user.
func registeredMethod(taken []string) string {
	for _, method := range []string{noSecret, secretBasic, secretPost} {
		if slices.Contains(taken, method) {
			return method
		}
	}
	return noSecret
}

// ask sends a registration. What a server answers is shown as far as it can be.
func (d *dialogue) ask(ctx context.Context, r *registration) (*credentials.Client, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.server.Registration, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := d.guard.HTTP().Do(req)
	if err != nil {
		return nil, unanswered(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, unanswered(err)
	}
	members, err := jsonrpc.ParseObject(nil, answer)
	if resp.StatusCode/100 != 2 {
		return nil, refusedRegistration(resp.StatusCode, members)
	}
	if err != nil {
		return nil, errors.New("it answered something that cannot be read")
	}
	return d.readClient(members, r.AuthMethod)
}

func refusedRegistration(status int, members []jsonrpc.Member) *endpointError {
	return &endpointError{
		status:      status,
		code:        errorCode(textOf(members, "error")),
		description: said(textOf(members, "error_description"), shownMost),
	}
}

// readClient reads what the server made of a registration (RFC 7591, section
// 3.2.1), which counts where it differs from what was asked for.
func (d *dialogue) readClient(members []jsonrpc.Member, asked string) (*credentials.Client, error) {
	c := &credentials.Client{
		Issuer: d.server.Issuer, ID: textOf(members, "client_id"), Secret: textOf(members, "client_secret"),
		Auth: textOf(members, "token_endpoint_auth_method"),
	}
	if c.ID == "" || len(c.ID) > maxClientID || !isPrintable(c.ID) || len(c.Secret) > maxClientID || !isPrintable(c.Secret) {
		return nil, errors.New("it answered with a client id or secret that cannot be one")
	}
	if c.Auth == "" {
		c.Auth = asked
	}
	switch c.Auth {
	case noSecret:
		c.Secret = ""
	case secretBasic, secretPost:
		if c.Secret == "" {
			return nil, errors.New("it wants a secret from weir, and gave none")
		}
		if at, _ := strconv.ParseInt(string(jsonrpc.Find(members, "client_secret_expires_at")), 10, 64); at > 0 {
			c.Expires = time.Unix(at, 0)
		}
	default:
		return nil, fmt.Errorf("it wants weir to authenticate by %q, which it cannot", said(c.Auth, 40))
	}
	return c, nil
}

// textOf is a string among the members of an object; "" if there is none.
func textOf(members []jsonrpc.Member, name string) string {
	text, err := jsonrpc.String(jsonrpc.Find(members, name))
	if err != nil {
		return ""
	}
	return text
}
