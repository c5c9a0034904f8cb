package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A way is a transport, in an era, by which a server is reached over HTTP.
type way struct {
	transport string
	version   string
	requests  []string // that a call and the end of the connection must make, beside others
}

var ways = []way{
	{HTTP, legacyVersion, []string{"POST", "GET", "DELETE"}},
	{HTTP, modernVersion, []string{"POST"}},
	{SSE, legacyVersion, []string{"POST", "GET"}},
	{WebSocket, legacyVersion, []string{"GET"}},
	{WebSocket, modernVersion, []string{"GET"}},
}

func (w way) String() string { return w.transport + " " + w.version }

func (w way) peer() Peer { return Peer{Modern: w.version == modernVersion, Version: w.version} }

// handler serves a server in this way.
func (w way) handler(t *testing.T, server *upstreamtest.Server) http.Handler {
	t.Helper()
	switch w.transport {
	case SSE:
		return upstreamtest.HTTPWithSSE(server)
	case WebSocket:
		sockets := upstreamtest.WebSocket(server)
		t.Cleanup(sockets.Close)
		return sockets
	}
	return server
}

// at is the URL to reach it by.
func (w way) at(url string) string {
	if w.transport == WebSocket {
		return "ws" + strings.TrimPrefix(url, "http")
	}
	return url
}

// tally counts requests by their method, and those that did not come with a
// header.
type tally struct {
	name, value string
	next        http.Handler

	mu      sync.Mutex
	methods []string
	without int
}

func (c *tally) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.methods = append(c.methods, r.Method)
	right := slices.Equal(r.Header.Values(c.name), []string{c.value})
	if !right {
		c.without++
	}
	c.mu.Unlock()
	if !right {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	c.next.ServeHTTP(w, r)
}

// check looks at what came once the connection has ended.
func (c *tally) check(t *testing.T, w way, without int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, method := range w.requests {
		if !slices.Contains(c.methods, method) {
			t.Errorf("got %v, want %s among them", c.methods, method)
		}
	}
	if c.without != without {
		t.Errorf("got %d requests of %d without credentials, want %d", c.without, len(c.methods), without)
	}
}

// Every request of every transport has the credentials of the configuration.
func TestStaticCredentials(t *testing.T) {
	kinds := []struct {
		cfg         auth.Config
		name, value string
	}{
		{auth.Config{Kind: auth.Bearer, Token: "${secret}"}, "Authorization", "Bearer s3cret"},
		{auth.Config{Kind: auth.APIKey, Value: "${secret}", Header: "x-api-key"}, "X-Api-Key", "s3cret"},
		{auth.Config{Kind: auth.APIKey, Value: "${secret}", Prefix: "Token"}, "Authorization", "Token s3cret"},
		{auth.Config{Kind: auth.Basic, Username: "u", Password: "${secret}"}, "Authorization", "Basic dTpzM2NyZXQ="},
	}
	for _, kind := range kinds {
		for _, w := range ways {
			t.Run(fmt.Sprint(kind.cfg.Kind, " ", w), func(t *testing.T) {
				noLeak(t)
				server := newServer(script{Versions: []string{w.version}, Tools: tools("echo")})
				count := &tally{name: kind.name, value: kind.value, next: w.handler(t, server)}
				web := httptest.NewServer(count)
				t.Cleanup(web.Close)
				secret := "wrong"
				u := open(t, Config{
					Transport: w.transport, URL: w.at(web.URL + "/mcp"), Auth: kind.cfg,
					Resolve: func(_ context.Context, text string) (string, error) {
						return strings.ReplaceAll(text, "${secret}", secret), nil
					},
				}, nil, w.peer())
				err := u.call(t, "echo", "").err
				fault(t, err, KindAuthentication, false)
				if text := err.Error() + u.Status().Reason.Error(); strings.Contains(text, "wrong") {
					t.Errorf("the secret is told: %s", text)
				}
				count.mu.Lock()
				refused := count.without
				count.mu.Unlock()
				if st := u.Status().State; st != Failed || refused == 0 {
					t.Errorf("got state %q after %d refusals", st, refused)
				}
				secret = "s3cret"
				u.CredentialsChanged()
				if _, err := u.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				u.mustCall(t, "echo")
				if w.transport == HTTP && w.version == legacyVersion {
					if err := server.Await(t.Context(), "GET", 1); err != nil {
						t.Fatal(err)
					}
				}
				u.set.Close()
				count.check(t, w, refused)
			})
		}
	}
}

// A secret that cannot be read is told as what it is, and not asked for at the
// server.
func TestCredentialsUnreadable(t *testing.T) {
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			noLeak(t)
			var asked atomic.Int64
			web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
			t.Cleanup(web.Close)
			missing := errors.New("no such secret")
			u := open(t, Config{
				Transport: w.transport, URL: w.at(web.URL + "/mcp"), Auth: auth.Config{Kind: auth.Bearer, Token: "${keyring:weir/u}"},
				Resolve: func(_ context.Context, text string) (string, error) {
					if strings.HasPrefix(text, "$") {
						return "", missing
					}
					return text, nil
				},
			}, nil, w.peer())
			if f := fault(t, u.call(t, "echo", "").err, KindConfiguration, false); !errors.Is(f, missing) || asked.Load() != 0 {
				t.Errorf("got %v after %d requests", f, asked.Load())
			}
			if st := u.Status(); st.State != Backoff {
				t.Errorf("got state %q, want one that is tried again", st.State)
			}
		})
	}
}

// A server that turns out to have HTTP+SSE, and wants a login there.
func TestLoginNeededForHTTPWithSSE(t *testing.T) {
	h := &holder{}
	h.refuse(h.wantLogin)
	u := openHTTP(t, Config{Auth: auth.Config{Kind: auth.OAuth2}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}), legacyHost)
	u.auth = h
	fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
	if st := u.Status(); st.State != NeedsLogin {
		t.Errorf("got state %q because of %v", st.State, st.Reason)
	}
}

// What has a path of its own, and no other origin, has credentials.
func TestCredentialsStayAtTheOrigin(t *testing.T) {
	elsewhere := make(chan http.Header, 1)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { elsewhere <- r.Header }))
	t.Cleanup(other.Close)
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			noLeak(t)
			web := httptest.NewServer(http.RedirectHandler(other.URL+"/mcp", http.StatusTemporaryRedirect))
			t.Cleanup(web.Close)
			u := open(t, Config{Transport: w.transport, URL: w.at(web.URL + "/mcp"), Auth: auth.Config{Kind: auth.Bearer, Token: "t"}}, nil, w.peer())
			fault(t, u.call(t, "echo", "").err, KindTransport, false)
			select {
			case header := <-elsewhere:
				t.Errorf("got a request with %v at another origin", header)
			default:
			}
		})
	}
}
