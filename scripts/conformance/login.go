package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// authScenario is how the names of scenarios about authorization begin.
const authScenario = "auth/"

// metadataURL is where the suite takes a document about the client to be, though
// nothing is there.
const metadataURL = "https://conformance-test.local/client-metadata.json"

// authOf is what a user would configure for a scenario: nothing, but for what the
// suite says was agreed on beforehand. It is JSON, "" for none.
func authOf(scenario, given string) (string, error) {
	var g struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		PrivateKey   string `json:"private_key_pem"`
		Issuer       string `json:"issuer"`

		Workload string `json:"valid_jwt"`

		ProviderIssuer string `json:"idp_issuer"`
		ProviderToken  string `json:"idp_token_endpoint"`
		ProviderClient string `json:"idp_client_id"`
		Subject        string `json:"idp_id_token"`
	}
	if given != "" {
		if err := json.Unmarshal([]byte(given), &g); err != nil {
			return "", err
		}
	}
	auth := map[string]any{"type": "oauth2"}
	switch strings.TrimPrefix(scenario, authScenario) {
	case "basic-cimd":
		auth["client_metadata_url"] = metadataURL
	case "pre-registration":
		auth["client_id"], auth["client_secret"] = g.ClientID, g.ClientSecret
		if g.Issuer != "" { // since 0.2
			auth["issuer"] = g.Issuer
		}
	case "client-credentials-basic":
		auth["grant"], auth["client_id"], auth["client_secret"] = "client_credentials", g.ClientID, g.ClientSecret
	case "client-credentials-jwt":
		auth["grant"], auth["client_id"], auth["private_key"] = "client_credentials", g.ClientID, g.PrivateKey
	case "wif-jwt-bearer": // no client: who the workload is says its token
		auth["grant"], auth["assertion"] = "jwt_bearer", g.Workload
	case "enterprise-managed-authorization":
		auth["grant"], auth["client_id"], auth["client_secret"] = "enterprise", g.ClientID, g.ClientSecret
		auth["identity_provider"] = map[string]string{
			"issuer": g.ProviderIssuer, "client_id": g.ProviderClient, "subject_token": g.Subject,
		}
	case "cross-app-access-complete-flow": // the same, before 0.2
		auth["grant"], auth["client_id"], auth["client_secret"] = "enterprise", g.ClientID, g.ClientSecret
		auth["identity_provider"] = map[string]string{
			"token_url": g.ProviderToken, "client_id": g.ProviderClient, "subject_token": g.Subject,
		}
	default:
		return "", nil
	}
	text, err := json.Marshal(auth)
	return string(text), err
}

// maxLogins is how often the user logs in before giving up: more often than a
// client may ask for it.
const maxLogins = 5

const loginTool = "weir__login"

// useProtected uses the suite's one tool, and logs in wherever weir asks for it.
func useProtected(h *host) error {
	const tool = "test-tool"
	for range maxLogins {
		found, err := h.await(tool, loginTool)
		if err != nil {
			return err
		}
		if found == loginTool {
			if err := h.callWell(loginTool); err != nil {
				return err
			}
			if _, err := h.await(tool); err != nil {
				continue // perhaps it wants another login
			}
		}
		return h.callWell(tool)
	}
	return fmt.Errorf("after %d logins one more is wanted", maxLogins)
}

// await lists the tools until one of these is there, in this order. Servers may
// still be connecting, and a login may still be taken in.
func (h *host) await(names ...string) (string, error) {
	const tries = 25
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for range tries {
		tools, err := h.list("tools/list", "tools")
		if err != nil {
			return "", err
		}
		for _, name := range names {
			if contains(tools, name) {
				return name, nil
			}
		}
		<-again.C
	}
	return "", fmt.Errorf("none of %s is listed", strings.Join(names, ", "))
}

func contains(tools [][]jsonrpc.Member, name string) bool {
	for _, tool := range tools {
		if string(jsonrpc.Find(tool, "name")) == string(jsonrpc.AppendString(nil, name)) {
			return true
		}
	}
	return false
}

// callWell calls a tool without arguments, whose result must be no error.
func (h *host) callWell(name string) error {
	result, err := h.request("tools/call", `"name":`+string(jsonrpc.AppendString(nil, name))+`,"arguments":{}`)
	if err == nil && string(jsonrpc.Find(result, "isError")) == "true" {
		err = fmt.Errorf("calling %s: %s", name, jsonrpc.Find(result, "content"))
	}
	return err
}

// visit opens a link as the user's browser does: it follows redirects, and
// authorization servers of the suite ask nothing. What it finds in the end is for
// the user to read: it goes to the trace when the host closes.
func (h *host) visit(link string) {
	h.visits.Go(func() {
		page, err := browse(h.ctx, link)
		if err != nil {
			page = err.Error()
		}
		h.pages <- page
	})
}

func browse(ctx context.Context, link string) (page string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, link, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	return fmt.Sprintf("%s %s", response.Status, text), err
}

// upstreamAt is the suite's server in weir's configuration.
func upstreamAt(url string) (string, error) {
	auth, err := authOf(os.Getenv(envScenario), os.Getenv(envContext))
	if auth != "" {
		auth = ", auth: " + auth
	}
	return fmt.Sprintf("{url: %q, prefix: \"\"%s}", url, auth), err
}
