package discovery

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/auth/guard"
)

const (
	root  = resourcePlace
	atMCP = resourcePlace + "/mcp"
)

// own is metadata of the server at ORIGIN/mcp.
const own = `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN/auth"]}`

func TestFindResource(t *testing.T) {
	mine := &Resource{ID: "ORIGIN/mcp", Issuer: []string{"ORIGIN/auth"}}
	for _, test := range []struct {
		name   string
		server string // the path of its URL; "" is /mcp
		named  string // by the challenge
		pages  map[string]page
		want   *Resource
		paths  []string // that are asked for
	}{
		{"at its path", "", "", map[string]page{atMCP: {body: own}, root: {body: "not asked"}}, mine, []string{atMCP}},
		{"at the root", "", "", map[string]page{root: {body: own}}, mine, []string{atMCP, root}},
		{"named by the challenge", "", "ORIGIN/elsewhere?x=y", map[string]page{"/elsewhere": {body: own}, atMCP: {body: "not asked"}}, mine, []string{"/elsewhere?x=y"}},
		{"other refusals are absence", "", "", map[string]page{atMCP: {status: http.StatusUnauthorized, body: own}, root: {body: own}}, mine, []string{atMCP, root}},
		{"a success that is none is absence", "", "", map[string]page{atMCP: {status: http.StatusNoContent}, root: {body: own}}, mine, []string{atMCP, root}},
		{"a site that answers all with a page", "", "", map[string]page{atMCP: {kind: "text/html; charset=utf-8", body: "<html>"}, root: {body: own}}, mine, []string{atMCP, root}},
		{"JSON that is said to be a page", "", "", map[string]page{atMCP: {kind: "text/html", body: own}}, mine, []string{atMCP}},
		{
			"a server without a path", "/", "",
			map[string]page{root: {body: `{"resource":"ORIGIN/","authorization_servers":["ORIGIN"]}`}},
			&Resource{ID: "ORIGIN/", Issuer: []string{"ORIGIN"}},
			[]string{root},
		},
		{"a slash at the end", "/mcp/", "", map[string]page{atMCP + "/": {body: own}}, mine, []string{atMCP + "/"}},
		{"a slash at the end that is not in the place", "/mcp/", "", map[string]page{atMCP: {body: own}}, mine, []string{atMCP + "/", atMCP}},
		{"a query stays at home", "/mcp?key=SECRET", "", map[string]page{root: {body: own}}, mine, []string{atMCP, root}},
		{
			"a path is kept as it is written", "/a%2Fb/c", "",
			map[string]page{root + "/a%2Fb/c": {body: `{"resource":"ORIGIN/a%2Fb","authorization_servers":["ORIGIN"]}`}},
			&Resource{ID: "ORIGIN/a%2Fb", Issuer: []string{"ORIGIN"}},
			[]string{root + "/a%2Fb/c"},
		},
		{"nothing anywhere", "/mcp/?key=SECRET", "", nil, &Resource{ID: "ORIGIN/mcp", Issuer: []string{"ORIGIN"}, Legacy: true}, []string{atMCP + "/", atMCP, root}},
		{
			"scopes", "", "",
			map[string]page{atMCP: {body: `{"scopes_supported":["read","a b","\u001b",1],"resource":"ORIGIN","authorization_servers":["ORIGIN"]}`}},
			&Resource{ID: "ORIGIN", Issuer: []string{"ORIGIN"}},
			[]string{atMCP},
		},
		{
			"scopes that can be", "", "",
			map[string]page{atMCP: {body: `{"scopes_supported":["read","a b","\u001b"],"resource":"ORIGIN","authorization_servers":["ORIGIN"]}`}},
			&Resource{ID: "ORIGIN", Issuer: []string{"ORIGIN"}, Scopes: []string{"read", "a", "b"}},
			[]string{atMCP},
		},
		{
			"no scopes at all", "", "",
			map[string]page{atMCP: {body: `{"scopes_supported":[],"resource":"ORIGIN","authorization_servers":["ORIGIN"]}`}},
			&Resource{ID: "ORIGIN", Issuer: []string{"ORIGIN"}, Scopes: []string{}},
			[]string{atMCP},
		},
		{
			"several authorization servers", "", "",
			map[string]page{atMCP: {body: `{"resource":"ORIGIN","authorization_servers":["https://b.example","javascript:x","https://a.example","https://b.example","http://c.example"]}`}},
			&Resource{ID: "ORIGIN", Issuer: []string{"https://b.example", "https://a.example"}},
			[]string{atMCP},
		},
		{
			"members in other letters are others", "", "",
			map[string]page{atMCP: {body: `{"RESOURCE":"https://x","Authorization_Servers":["https://x"],"resource":"ORIGIN","authorization_servers":["ORIGIN"]}`}},
			&Resource{ID: "ORIGIN", Issuer: []string{"ORIGIN"}},
			[]string{atMCP},
		},
	} {
		s := newSite(t, test.pages)
		if test.server == "" {
			test.server = "/mcp"
		}
		got, err := FindResource(t.Context(), newGuard(t, s.URL), parseURL(t, s.URL+test.server), Challenge{ResourceMetadata: s.filled(test.named)})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		want := *test.want
		want.ID, want.Issuer = s.filled(want.ID), slices.Clone(want.Issuer)
		for i := range want.Issuer {
			want.Issuer[i] = s.filled(want.Issuer[i])
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.paths, s.paths()); diff != "" {
			t.Errorf("%s: asked for -want +got\n%s", test.name, diff)
		}
	}
}

func TestResourceThatCannotBeUsed(t *testing.T) {
	const here = "ORIGIN" + atMCP
	for _, test := range []struct {
		name  string
		named string
		pages map[string]page
		place string
		words string
		is    error
	}{
		{"named and not there", "ORIGIN/x?key=SECRET", map[string]page{atMCP: {body: own}}, "ORIGIN/x", "the server names this place, and there is none", ErrNoMetadata},
		{"named and a page", "ORIGIN/x", map[string]page{"/x": {kind: "text/html", body: "<html>"}, atMCP: {body: own}}, "ORIGIN/x", "there is none", ErrNoMetadata},
		{"named and refused", "http://169.254.169.254/x", map[string]page{atMCP: {body: own}}, "http://169.254.169.254/x", "it would be asked over plain http", nil},
		{"named without a host", "/x", map[string]page{"/x": {body: own}}, "/x", "it does not begin with https://", nil},
		{"in trouble", "", map[string]page{atMCP: {status: http.StatusInternalServerError, body: "SECRET"}, root: {body: own}}, here, "the answer is 500 Internal Server Error", nil},
		{"too busy", "", map[string]page{atMCP: {status: http.StatusTooManyRequests}, root: {body: own}}, here, "the answer is 429 Too Many Requests", nil},
		{"in trouble at the root", "", map[string]page{root: {status: http.StatusBadGateway}}, "ORIGIN" + root, "the answer is 502 Bad Gateway", nil},
		{"hangs up", "", map[string]page{atMCP: {hangUp: true}, root: {body: own}}, here, "EOF", nil},
		{"too large", "", map[string]page{atMCP: {body: strings.Repeat(" ", 1<<20) + own}}, here, "larger than 1048576 bytes", nil},
		{"no JSON", "", map[string]page{atMCP: {kind: "text/plain", body: "SECRET"}, root: {body: own}}, here, "it is no JSON object", nil},
		{"no object", "", map[string]page{atMCP: {body: "[" + own + "]"}}, here, "it is no JSON object", nil},
		{"more than an object", "", map[string]page{atMCP: {body: own + "x"}}, here, "it is no JSON object", nil},
		{"without a resource", "", map[string]page{atMCP: {body: `{"authorization_servers":["ORIGIN"]}`}}, here, "of another resource", ErrResourceMismatch},
		{"with a resource that is no string", "", map[string]page{atMCP: {body: `{"resource":["ORIGIN"],"authorization_servers":["ORIGIN"]}`}}, here, "resource is no string", nil},
		{
			"of another resource", "",
			map[string]page{atMCP: {body: `{"resource":"https://evil.example/mcp?SECRET","authorization_servers":["ORIGIN"]}`}, root: {body: own}},
			here, `it is of another resource, "https://evil.example/mcp", than the server, "ORIGIN/mcp"`, ErrResourceMismatch,
		},
		{"a resource that is too long", "", map[string]page{atMCP: {body: `{"resource":"ORIGIN/` + strings.Repeat("x", maxText) + `","authorization_servers":["ORIGIN"]}`}}, here, "resource is longer than", nil},
		{"without authorization servers", "", map[string]page{atMCP: {body: `{"resource":"ORIGIN"}`}}, here, "it names no authorization server", nil},
		{"with none", "", map[string]page{atMCP: {body: `{"resource":"ORIGIN","authorization_servers":[]}`}}, here, "it names no authorization server", nil},
		{"with one as a text", "", map[string]page{atMCP: {body: `{"resource":"ORIGIN","authorization_servers":"ORIGIN"}`}}, here, "authorization_servers is no list of strings", nil},
		{"with something else", "", map[string]page{atMCP: {body: `{"resource":"ORIGIN","authorization_servers":["ORIGIN",1]}`}}, here, "authorization_servers is no list of strings", nil},
		{"with too many", "", map[string]page{atMCP: {body: `{"resource":"ORIGIN","authorization_servers":["ORIGIN"` + strings.Repeat(`,"ORIGIN"`, maxIssuers) + `]}`}}, here, "more than 16", nil},
		{"with far too many", "", map[string]page{atMCP: {body: `{"resource":"ORIGIN","authorization_servers":["ORIGIN"` + strings.Repeat(`,"ORIGIN"`, maxListed) + `]}`}}, here, "more than 512", nil},
		{
			"with those only that are refused", "",
			map[string]page{atMCP: {body: `{"resource":"ORIGIN","authorization_servers":["http://a.example/\u001b[1m?SECRET","javascript:alert(1)"]}`}},
			here, `no authorization server that it names can be used: "javascript:alert(1)" is refused`, nil,
		},
	} {
		s := newSite(t, test.pages)
		got, err := FindResource(t.Context(), newGuard(t, s.URL), parseURL(t, s.URL+"/mcp"), Challenge{ResourceMetadata: s.filled(test.named)})
		if got != nil {
			t.Errorf("%s: got %v", test.name, got)
		}
		s.wantError(t, test.name, err, test.place, test.words, test.is)
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: the error tells what it must not: %v", test.name, err)
		}
	}
}

func TestResourceMetadataOfOtherOrigin(t *testing.T) {
	elsewhere := newSite(t, nil)
	s := newSite(t, nil)
	elsewhere.pages = map[string]page{"/x": {body: s.filled(own)}}
	got, err := FindResource(t.Context(), newGuard(t, s.URL), parseURL(t, s.URL+"/mcp"), Challenge{ResourceMetadata: elsewhere.URL + "/x"})
	if err != nil || got.ID != s.URL+"/mcp" || got.Legacy {
		t.Errorf("got %v %v", got, err)
	}
	// A public server does not get weir to ask this machine.
	got, err = FindResource(t.Context(), newGuard(t, "https://mcp.example.com"), parseURL(t, "https://mcp.example.com"), Challenge{ResourceMetadata: elsewhere.URL + "/y"})
	if got != nil {
		t.Errorf("got %v", got)
	}
	elsewhere.wantError(t, "from afar", err, "ORIGIN/y", "it points into this machine; weir goes there only if the server itself is there", nil)
	if paths := elsewhere.paths(); len(paths) != 1 {
		t.Errorf("asked for %q, want /x alone", paths)
	}
}

func TestTroubleIsNamed(t *testing.T) {
	s := newSite(t, map[string]page{atMCP: {status: http.StatusServiceUnavailable}})
	_, err := FindResource(t.Context(), newGuard(t, s.URL), parseURL(t, s.URL+"/mcp"), Challenge{})
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusServiceUnavailable {
		t.Errorf("got %v, want status 503", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = FindResource(ctx, newGuard(t, s.URL), parseURL(t, s.URL+"/mcp"), Challenge{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that of the context", err)
	}
	_, err = FindResource(t.Context(), newGuard(t, "https://10.0.0.1"), parseURL(t, s.URL+"/mcp"), Challenge{})
	if _, ok := errors.AsType[*guard.RefusedError](err); !ok {
		t.Errorf("got %v, want what the guard says", err)
	}
}

func TestCovers(t *testing.T) {
	for _, test := range []struct {
		resource, server string
		want             bool
	}{
		{"https://mcp.example.com/mcp", "https://mcp.example.com/mcp", true},
		{"https://mcp.example.com/mcp/", "https://mcp.example.com/mcp", true},
		{"https://mcp.example.com/mcp", "https://mcp.example.com/mcp/", true},
		{"https://mcp.example.com", "https://mcp.example.com/mcp", true},
		{"https://mcp.example.com/", "https://mcp.example.com/mcp", true},
		{"https://mcp.example.com/a", "https://mcp.example.com/a/b/c", true},
		{"HTTPS://MCP.example.com:443/mcp", "https://mcp.example.com/mcp", true},
		{"https://mcp.example.com/mcp", "https://MCP.EXAMPLE.COM:443/mcp", true},
		{"https://mcp.example.com:8443/mcp", "https://mcp.example.com:8443/mcp", true},
		{"https://mcp.example.com/mcp", "wss://mcp.example.com/mcp", true},
		{"wss://mcp.example.com/mcp", "wss://mcp.example.com/mcp", true},
		{"http://[::1]:80/mcp", "http://[::1]/mcp", true},
		{"https://mcp.example.com/mcp", "https://mcp.example.com/mcp?key=x", true},
		{"https://mcp.example.com/mcp?a=b", "https://mcp.example.com/mcp?a=b", true},

		{"", "https://mcp.example.com/mcp", false},
		{"/mcp", "https://mcp.example.com/mcp", false},
		{"mcp.example.com", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com/mc", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com/mcp2", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com/mcp/more", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com/MCP", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com/a/../mcp", "https://mcp.example.com/a/../mcp", false},
		{"https://mcp.example.com/a", "https://mcp.example.com/a/../b", false},
		{"https://mcp.example.com/a", "https://mcp.example.com/a/%2e%2e/b", false},
		{"https://mcp.example.com/a//", "https://mcp.example.com/a", false},
		{"http://mcp.example.com/mcp", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com:8443/mcp", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com:80/mcp", "https://mcp.example.com/mcp", false},
		{"https://example.com/mcp", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com.evil.example/mcp", "https://mcp.example.com/mcp", false},
		{"https://user@mcp.example.com/mcp", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com/mcp#x", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com/mcp#", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com/mcp?a=b", "https://mcp.example.com/mcp?a=c", false},
		{"https://mcp.example.com/mcp?a=b", "https://mcp.example.com/mcp", false},
		{"https://mcp.example.com/%zz", "https://mcp.example.com/mcp", false},
	} {
		if got := covers(test.resource, webURL(parseURL(t, test.server))); got != test.want {
			t.Errorf("%q covers %q: %v, want %v", test.resource, test.server, got, test.want)
		}
	}
}

func TestCanonicalResource(t *testing.T) {
	for _, test := range []struct{ server, want string }{
		{"https://mcp.example.com", "https://mcp.example.com"},
		{"https://mcp.example.com/", "https://mcp.example.com"},
		{"HTTPS://MCP.Example.COM:443/Server/MCP/", "https://mcp.example.com/Server/MCP"},
		{"https://mcp.example.com:8443/mcp", "https://mcp.example.com:8443/mcp"},
		{"https://user:SECRET@mcp.example.com/mcp?key=SECRET#x", "https://mcp.example.com/mcp"},
		{"wss://mcp.example.com/mcp", "https://mcp.example.com/mcp"},
		{"ws://localhost:80/mcp", "http://localhost/mcp"},
		{"http://localhost:443/a%2Fb", "http://localhost:443/a%2Fb"},
		{"http://[::1]:80", "http://[::1]"},
		{"https://mcp.example.com:/mcp", "https://mcp.example.com/mcp"},
	} {
		u := parseURL(t, test.server)
		if got := CanonicalResource(u); got != test.want {
			t.Errorf("CanonicalResource(%q) = %q, want %q", test.server, got, test.want)
		}
		if u.String() != parseURL(t, test.server).String() {
			t.Errorf("CanonicalResource changes its URL to %q", u)
		}
	}
}

// FuzzCovers holds that a resource never reaches out of its origin.
func FuzzCovers(f *testing.F) {
	f.Add("https://mcp.example.com/a", "https://mcp.example.com/a/b")
	f.Add("https://mcp.example.com/a%2f", "https://mcp.example.com/a/../b")
	f.Add("//mcp.example.com", "https://MCP.example.com:443")
	f.Fuzz(func(t *testing.T, resource, server string) {
		u, err := url.Parse(server)
		if err != nil || u.Host == "" || !covers(resource, webURL(u)) {
			return
		}
		r, err := url.Parse(resource)
		if err != nil || !strings.EqualFold(r.Hostname(), u.Hostname()) || r.User != nil {
			t.Fatalf("%q covers %q", resource, server)
		}
	})
}
