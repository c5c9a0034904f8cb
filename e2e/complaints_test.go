package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// This file is what users of other gateways complain of when they log in. That two
// processes spend one refresh token is in onelogin_test.go; that there is no way to
// log out, and no way in without a desktop, in oidc_test.go.

// TestRefusedRegistrationIsShown: elsewhere it is hidden, and a browser opens with
// an empty client id.
func TestRefusedRegistrationIsShown(t *testing.T) {
	t.Parallel()
	server := authserver.New(t, authserver.Options{Registration: &authserver.Reply{
		Status: http.StatusForbidden, Body: `{"error":"access_denied","error_description":"only partners register here"}`,
	}})
	u := newUser(t, protected(server)).withBrowser()
	said, code := u.run(t, "login", "notes")
	if code != 1 {
		t.Errorf("got exit code %d, want 1", code)
	}
	for _, want := range []string{"registering", "403", "only partners register here", "auth.client_id"} {
		if !strings.Contains(said, want) {
			t.Errorf("got %q, want it to say %q", said, want)
		}
	}
	if visits := u.visits(t); len(visits) != 0 || strings.Contains(said, "/authorize") {
		t.Errorf("got %+v, want no browser to open", visits)
	}
}

// TestCallbackPortStays: elsewhere it changes with each login, so that an
// application that is registered by hand never fits, and others are registered
// anew each time.
func TestCallbackPortStays(t *testing.T) {
	t.Parallel()
	fixed := freeAddress(t)
	port := fixed[strings.LastIndex(fixed, ":")+1:]
	for _, tt := range []struct{ name, auth string }{
		{"as configured", "auth: {type: oauth2, client_id: by-hand, callback_port: " + port + "}"},
		{"as registered", "auth: {type: oauth2}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := authserver.New(t, authserver.Options{
				Clients: []authserver.Client{{ID: "by-hand", RedirectURIs: []string{"http://127.0.0.1:" + port + "/callback"}}},
			})
			u := newUser(t, strings.Replace(protected(server), `"}}`, `", `+tt.auth+`}}`, 1)).withBrowser()
			for _, scopes := range []string{"one", "two", "three"} {
				u.wants(t, []string{"Logged in to notes"}, "login", "notes", "--scopes", scopes)
			}
			var redirects []string
			for _, e := range server.At("/authorize") {
				redirects = append(redirects, e.Form.Get("redirect_uri"))
			}
			if len(redirects) != 3 || len(slices.Compact(redirects)) != 1 {
				t.Errorf("got %q, want the same three times", redirects)
			}
			if n := len(server.At("/register")); n > 1 {
				t.Errorf("got %d registrations", n)
			}
		})
	}
}

// TestRegistrationAsksForRefreshTokens: elsewhere it does not, and the user logs in
// once an hour.
func TestRegistrationAsksForRefreshTokens(t *testing.T) {
	t.Parallel()
	server := authserver.New(t, authserver.Options{})
	u := newUser(t, protected(server)).withBrowser()
	u.wants(t, []string{"renewed by itself"}, "login", "notes")
	var asked struct {
		GrantTypes      []string `json:"grant_types"`
		ApplicationType string   `json:"application_type"`
	}
	registrations := server.At("/register")
	if len(registrations) != 1 || json.Unmarshal([]byte(registrations[0].Body), &asked) != nil {
		t.Fatalf("got %d registrations", len(registrations))
	}
	if !slices.Contains(asked.GrantTypes, "refresh_token") || asked.ApplicationType != "native" {
		t.Errorf("asked for %+v", asked)
	}
}

// TestServerThatRegistersNobody: elsewhere there is no way in with an application
// of one's own.
func TestServerThatRegistersNobody(t *testing.T) {
	t.Parallel()
	server := authserver.New(t, authserver.Options{
		NoRegistration: true, Clients: []authserver.Client{{ID: "by-hand", Secret: "s3cret"}},
	})
	config := protected(server)
	u := newUser(t, config).withBrowser()
	said, code := u.run(t, "login", "notes")
	if code != 1 || !strings.Contains(said, "auth.client_id") || len(u.visits(t)) != 0 {
		t.Errorf("got code %d, %q, want it to say that a client id is needed", code, said)
	}
	u.configure(t, strings.Replace(config, `"}}`, `", auth: {type: oauth2, client_id: by-hand, client_secret: "${SECRET}"}}}`, 1))
	u.env = append(u.env, "SECRET=s3cret")
	u.wants(t, []string{"Logged in to notes"}, "login", "notes")
}

// TestLogOutRevokes: elsewhere tokens that nobody can get rid of lie about.
func TestLogOutRevokes(t *testing.T) {
	t.Parallel()
	server := authserver.New(t, authserver.Options{})
	u := newUser(t, protected(server)).withBrowser()
	u.wants(t, []string{"Logged in"}, "login", "notes")
	u.wants(t, []string{"Logged out"}, "logout", "notes")
	var revoked []string
	for _, e := range server.At("/revoke") {
		kind, _, _ := strings.Cut(e.Form.Get("token"), "-")
		revoked = append(revoked, fmt.Sprint(kind, " ", e.Status))
	}
	if !slices.Contains(revoked, "refresh 200") {
		t.Errorf("got %q, want the refresh token to be withdrawn", revoked)
	}
	err := filepath.WalkDir(u.state, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, secret := range server.Secrets() {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s still has %s", path, secret)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestOneTabAtATime: elsewhere a start of the host opens a dozen.
func TestOneTabAtATime(t *testing.T) {
	t.Parallel()
	server := authserver.New(t, authserver.Options{})
	var config strings.Builder
	config.WriteString("policy: {default: execute}\nservers:\n")
	names := []string{"one", "two", "three", "four"}
	for _, name := range names {
		endpoint := server.Protect(upstreamtest.New(upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("ok")}}), "/"+name)
		fmt.Fprintf(&config, "  %s: {url: %q}\n", name, endpoint)
	}
	u := newUser(t, config.String())
	for _, name := range names {
		u.withBrowser().wants(t, []string{"Logged in"}, "login", name)
	}
	u.wants(t, nil, "logout", "--all")
	before := len(u.visits(t))

	u.env = append(u.env, "BROWSER=browser "+onlyLook)
	first, second := u.serve(t, upstreamtest.Legacy), u.serve(t, upstreamtest.Modern)
	first.tools(t)
	waiting := first.begin(t, "tools/call", `"name":"one__ok","arguments":{}`, "")
	until(t, "a tab opens", func() bool { return len(u.visits(t)) > before })
	for range 2 {
		for _, name := range names[1:] {
			for _, s := range []*session{first, second} {
				s.tools(t)
				if got := string(s.call(t, name+"__ok", `{}`).Raw); !strings.Contains(got, "weir login "+name) {
					t.Errorf("got %s, want it to say what to do", got)
				}
			}
		}
	}
	first.notify(t, "notifications/cancelled", `"requestId":`+waiting)
	if visits := u.visits(t); len(visits) != before+1 {
		var where []string
		for _, v := range visits[before:] {
			at, err := url.Parse(v.URL)
			if err != nil {
				t.Fatal(err)
			}
			where = append(where, at.Query().Get("resource"))
		}
		t.Errorf("tabs for %q, want one", where)
	}
}
