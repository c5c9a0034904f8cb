package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// An oidc is an authorization server that others have made, with a protected
// server beside it, made by yet others: see npm/oidc.mjs.
type oidc struct {
	issuer   string
	endpoint string
}

// startOIDC starts it; access tokens live for so many seconds.
func startOIDC(t *testing.T, life int) oidc {
	t.Helper()
	needNode(t)
	if _, err := os.Stat("npm/node_modules/oidc-provider"); errors.Is(err, os.ErrNotExist) {
		t.Skip("e2e/npm/node_modules has no oidc-provider; to get it: npm ci --prefix e2e/npm")
	}
	script, err := filepath.Abs("npm/oidc.mjs")
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	o := oidc{endpoint: "http://" + address + "/mcp"}
	o.issuer = testPlaces(t).startNode(t, script, port, fmt.Sprint(life))
	until(t, "listening on "+address, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return o
}

// oidcSeen is what has happened there.
type oidcSeen struct {
	Registered []struct {
		ApplicationType string   `json:"application_type"`
		AuthMethod      string   `json:"token_endpoint_auth_method"`
		GrantTypes      []string `json:"grant_types"`
		RedirectURIs    []string `json:"redirect_uris"`
	}
	Granted         map[string]int // by grant_type
	Refused         []string       // error codes
	Consents        int
	Access, Refresh int // tokens: that the MCP server got, that were given out
	Active          struct{ Access, Refresh int }
}

func (o oidc) seen(t *testing.T) (seen oidcSeen) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(o.endpoint, "/mcp")+"/seen", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&seen); err != nil {
		t.Fatal(err)
	}
	return seen
}

// isAda reports whether the call says that Ada has logged in.
func isAda(m *jsonrpc.Message) bool {
	return strings.Contains(string(m.Raw), `"text":"ada by a registered client, notes:read"`)
}

// config is all that a user needs to say.
func (o oidc) config() string {
	return fmt.Sprintf("servers: {notes: {url: %q}}\npolicy: {default: execute}\n", o.endpoint)
}

// TestOIDC is what a user lives through: a URL is all that stands in the
// configuration, and after one login nobody is asked again until the log-out.
func TestOIDC(t *testing.T) {
	t.Parallel()
	o := startOIDC(t, 2)
	u := newUser(t, o.config())
	first := u.serve(t, upstreamtest.Legacy)
	if tools := first.tools(t); slices.ContainsFunc(tools, func(tool string) bool { return nameOf(t, tool) == "notes__whoami" }) {
		t.Errorf("nobody has logged in, and yet there is %s", tools)
	}
	if said, code := u.run(t, "servers"); code == 0 || !strings.Contains(said, "weir login notes") {
		t.Errorf("weir servers: got code %d, %q, want it to say that a login is needed", code, said)
	}
	u.wants(t, []string{"not logged in"}, "auth")

	said := u.withBrowser().wants(t, []string{"Logged in to notes.", "It has 1 tool"}, "login", "notes")
	if !strings.Contains(said, o.issuer+"/auth?") {
		t.Errorf("weir login: got %q, want it to show where", said)
	}
	if visits := u.visits(t); len(visits) != 1 || visits[0].Status != http.StatusOK || !strings.Contains(visits[0].Page, "<title>Logged in") {
		t.Errorf("the browser saw %+v, want the page that says it has worked", visits)
	}
	// The weir that runs goes on without more ado, and the host is told.
	if _, err := first.notification("notifications/tools/list_changed"); err != nil {
		t.Fatal(err)
	}
	if got := first.call(t, "notes__whoami", `{}`); !isAda(got) {
		t.Fatalf("got %s, want Ada", got.Raw)
	}
	u.wants(t, []string{"logged in", "renewed", o.issuer, "notes:read"}, "auth")

	// Another weir needs no login, and both go on when tokens end.
	second := u.serve(t, upstreamtest.Modern)
	renewals := o.seen(t).Granted["refresh_token"]
	until(t, "tokens are renewed", func() bool {
		for _, s := range []*session{first, second} {
			if got := s.call(t, "notes__whoami", `{}`); !isAda(got) {
				t.Fatalf("got %s, want Ada", got.Raw)
			}
		}
		return o.seen(t).Granted["refresh_token"] >= renewals+2
	})
	seen := o.seen(t)
	if len(seen.Registered) != 1 || seen.Granted["authorization_code"] != 1 || seen.Consents != 1 || slices.Contains(seen.Refused, "invalid_grant") {
		t.Errorf("got %+v, want one registration, one code, one consent, no grant refused", seen)
	}
	if seen.Active.Refresh != 1 {
		t.Errorf("%d refresh tokens are good, want one: each use rotates", seen.Active.Refresh)
	}
	if r := seen.Registered[0]; r.ApplicationType != "native" || r.AuthMethod != "none" || !slices.Contains(r.GrantTypes, "refresh_token") {
		t.Errorf("registered as %+v", r)
	}

	u.wants(t, []string{"Logged out of notes", "withdrawn"}, "logout", "notes")
	if seen := o.seen(t); seen.Active.Access != 0 || seen.Active.Refresh != 0 {
		t.Errorf("after the log-out these are good: %+v", seen.Active)
	}
	for _, s := range []*session{first, second} {
		until(t, "calls say what to do", func() bool {
			got := string(s.call(t, "notes__whoami", `{}`).Raw)
			return strings.Contains(got, `"isError":true`) && strings.Contains(got, "weir login notes") && strings.Contains(got, `"kind":"authentication"`)
		})
	}
	u.wants(t, []string{"not logged in"}, "auth")
}

// TestOIDCForMachine: of a client of its own nothing stands in the configuration but
// its id and secret.
func TestOIDCForMachine(t *testing.T) {
	t.Parallel()
	o := startOIDC(t, 2)
	u := newUser(t, fmt.Sprintf(`
servers:
  notes: {url: %q, auth: {type: oauth2, grant: client_credentials, client_id: robot, client_secret: "${ROBOT_SECRET}"}}
policy: {default: execute}
`, o.endpoint))
	u.env = append(u.env, "ROBOT_SECRET=robot-secret")
	s := u.serve(t, upstreamtest.Legacy)
	s.tools(t)
	until(t, "tokens are had anew", func() bool {
		got := s.call(t, "notes__whoami", `{}`)
		if !strings.Contains(string(got.Raw), `"text":"nobody by robot, notes:read"`) {
			t.Fatalf("got %s, want the robot", got.Raw)
		}
		return o.seen(t).Granted["client_credentials"] >= 3
	})
	if seen := o.seen(t); len(seen.Registered) != 0 || len(seen.Refused) != 0 || seen.Refresh != 0 {
		t.Errorf("got %+v, want nothing but tokens", seen)
	}
	u.wants(t, []string{"by itself"}, "auth")
}

// TestOIDCUnasked: a call opens the browser by itself, once in an hour; a list
// never does.
func TestOIDCUnasked(t *testing.T) {
	t.Parallel()
	o := startOIDC(t, 60)
	u := newUser(t, o.config()).withBrowser()
	// The host knows the tool from another day.
	u.wants(t, []string{"Logged in"}, "login", "notes")
	u.wants(t, []string{"Logged out"}, "logout", "notes")
	s := u.serve(t, upstreamtest.Legacy)
	for range 3 {
		if tools := s.tools(t); !slices.ContainsFunc(tools, func(tool string) bool { return nameOf(t, tool) == "notes__whoami" }) {
			t.Fatalf("got %s, want what is stored", tools)
		}
	}
	u.run(t, "servers")
	if visits := u.visits(t); len(visits) != 1 {
		t.Fatalf("a list has opened a browser: %+v", visits)
	}
	until(t, "call", func() bool { return isAda(s.call(t, "notes__whoami", `{}`)) })
	if visits := u.visits(t); len(visits) != 2 {
		t.Errorf("got %+v, want one visit for the call", visits)
	}
	u.wants(t, []string{"Logged out"}, "logout", "notes")
	until(t, "the log-out is noticed", func() bool { return !isAda(s.call(t, "notes__whoami", `{}`)) })
	for range 3 {
		if got := string(s.call(t, "notes__whoami", `{}`).Raw); !strings.Contains(got, "weir login notes") {
			t.Errorf("got %s, want it to say what to do", got)
		}
	}
	if visits := u.visits(t); len(visits) != 2 {
		t.Errorf("got %+v, want no other visit within the hour", visits)
	}
}
