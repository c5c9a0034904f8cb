package upstream

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/state"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// weirProcess is what one weir process has of its user: the logins in a folder that
// all of them share.
type weirProcess struct {
	keeper *auth.Keeper
	log    *strings.Builder
}

func newProcess(t *testing.T, dir string) weirProcess {
	t.Helper()
	log := &strings.Builder{}
	keeper := auth.NewKeeper(auth.Options{
		Store: credentials.Open(state.At(dir), nil), Version: "0", Log: zerolog.New(zerolog.SyncWriter(log)),
	})
	t.Cleanup(keeper.Close)
	return weirProcess{keeper, log}
}

// upstream opens an upstream of the process, whose server is reached in this way.
func (p weirProcess) upstream(t *testing.T, w way, endpoint string, cfg auth.Config) fixture {
	t.Helper()
	cfg.Kind = auth.OAuth2
	e := &events{}
	set := NewSet([]Config{{Name: "u", Transport: w.transport, URL: w.at(endpoint), Auth: cfg}}, Options{
		Name: "weir", Version: "0", Handler: e, Auth: p.keeper, Log: zerolog.New(zerolog.SyncWriter(p.log)),
		Process: ProcessOptions{Environ: os.Environ()},
	})
	t.Cleanup(set.Close)
	set.Open(w.peer())
	return fixture{set.Get("u"), set, e}
}

// logIn begins a login and does what the user does.
func (u fixture) logIn(t *testing.T, server *authserver.Server) {
	t.Helper()
	attempt, err := u.BeginLogin(t.Context(), auth.LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if page := server.Browse(t, attempt.URL()); page.Status != http.StatusOK {
		t.Fatalf("the browser shows %d: %s", page.Status, page.Body)
	}
	within(t, attempt.Done(), "the end of the login")
	if err := attempt.Err(); err != nil {
		t.Fatal(err)
	}
}

// await waits for a state.
func (u fixture) await(t *testing.T, want State) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); u.Status().State != want; <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("got state %q because of %v, want %q", u.Status().State, u.Status().Reason, want)
		}
	}
}

// tokens counts the requests to a protected endpoint with a token and without.
func tokens(server *authserver.Server, method string) (with, without int) {
	for _, e := range server.At("/mcp") {
		switch {
		case method != "" && e.Method != method:
		case e.HasToken():
			with++
		default:
			without++
		}
	}
	return with, without
}

// A server that wants a login, over every transport: the first request says so,
// and from the login on every request has a token, renewed when it must be, in all
// processes.
func TestOAuth(t *testing.T) {
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			noLeak(t)
			issuer := authserver.New(t, authserver.Options{})
			mcp := newServer(script{Versions: []string{w.version}, Tools: tools("echo")})
			endpoint := issuer.Protect(w.handler(t, mcp), "/mcp")
			dir := filepath.Join(t.TempDir(), "weir")
			first, second := newProcess(t, dir), newProcess(t, dir)
			u, other := first.upstream(t, w, endpoint, auth.Config{}), second.upstream(t, w, endpoint, auth.Config{})

			var failures strings.Builder
			for _, u := range []fixture{u, other} {
				err := u.call(t, "echo", "").err
				f := fault(t, err, KindAuthentication, false)
				failures.WriteString(err.Error() + f.Text + f.Hint)
				if st := u.Status(); st.State != NeedsLogin || u.LoginWanted() == nil {
					t.Fatalf("got state %q because of %v, want one that needs a login", st.State, st.Reason)
				}
			}
			for range 100 {
				fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
			}
			if with, without := tokens(issuer, ""); with != 0 || without != 2 {
				t.Fatalf("got %d requests with a token and %d without, want 0 and 2", with, without)
			}

			u.logIn(t, issuer)
			u.await(t, Ready)
			u.mustCall(t, "echo")
			other.mustCall(t, "echo") // it finds the login with the call
			_, before := tokens(issuer, "")
			issuer.Expire()
			if w.transport == WebSocket {
				u.set.Close() // one request is all there is to authenticate
				u = first.upstream(t, w, endpoint, auth.Config{})
			}
			u.mustCall(t, "echo")
			other.mustCall(t, "echo")
			if n := len(issuer.Granted("refresh_token")); n != 1 {
				t.Errorf("got %d renewals, want one", n)
			}
			if w.transport == HTTP && w.version == legacyVersion {
				if err := mcp.Await(t.Context(), "GET", 2); err != nil {
					t.Fatal(err)
				}
			}
			u.set.Close()
			other.set.Close()
			for _, method := range w.requests {
				if with, _ := tokens(issuer, method); with == 0 {
					t.Errorf("got no %s with a token", method)
				}
			}
			if _, after := tokens(issuer, ""); after != before {
				t.Errorf("got %d requests without a token after the login", after-before)
			}
			said := failures.String() + first.log.String() + second.log.String()
			for _, secret := range issuer.Secrets() {
				if strings.Contains(said, secret) {
					t.Errorf("a secret is told: %s", secret)
				}
			}
		})
	}
}

// A call that needs more than was granted asks for that alone, and only once
// where it does not help.
func TestOAuthStepUp(t *testing.T) {
	for _, withheld := range []bool{false, true} {
		t.Run(map[bool]string{false: "granted", true: "withheld"}[withheld], func(t *testing.T) {
			noLeak(t)
			w := ways[0]
			o := authserver.Options{ToolScopes: map[string][]string{"more": {"admin"}}}
			if withheld {
				o.Withhold = []string{"admin"}
			}
			issuer := authserver.New(t, o)
			endpoint := issuer.Protect(newServer(script{Tools: tools("echo", "more")}), "/mcp")
			u := newProcess(t, filepath.Join(t.TempDir(), "weir")).upstream(t, w, endpoint, auth.Config{})
			fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
			u.logIn(t, issuer)
			u.await(t, Ready)

			fault(t, u.call(t, "more", "").err, KindAuthorization, false)
			wanted := u.LoginWanted()
			if wanted == nil || !wanted.StepUp || !slices.Contains(wanted.Scopes, "admin") || u.Status().State != Ready {
				t.Fatalf("got %+v in state %q, want a login for more", wanted, u.Status().State)
			}
			u.mustCall(t, "echo")
			u.logIn(t, issuer)
			for range 20 {
				err := u.call(t, "more", "").err
				if !withheld {
					if err != nil {
						t.Fatal(err)
					}
					continue
				}
				fault(t, err, KindAuthorization, false)
			}
			u.mustCall(t, "echo")
			if u.Status().State != Ready || !withheld && u.LoginWanted() != nil {
				t.Errorf("got state %q, wanted: %v", u.Status().State, u.LoginWanted())
			}
			if n := len(issuer.Granted("authorization_code")); n != 2 {
				t.Errorf("got %d logins, want 2", n)
			}
		})
	}
}

// A server that refuses all tokens, fresh ones too, gets a handful of requests and
// its authorization server no more, however much is called and logged in.
func TestOAuthTokensOfNoUse(t *testing.T) {
	noLeak(t)
	issuer := authserver.New(t, authserver.Options{})
	endpoint := issuer.Protect(newServer(script{Tools: tools("echo")}), "/mcp")
	u := newProcess(t, filepath.Join(t.TempDir(), "weir")).upstream(t, ways[0], endpoint, auth.Config{})
	fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
	u.logIn(t, issuer)
	u.await(t, Ready)
	u.mustCall(t, "echo")
	issuer.Set(func(o *authserver.Options) { o.RejectTokens = true })
	with, without := tokens(issuer, "")
	began := with + without
	for range 3 {
		for range 100 {
			fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
		}
		u.logIn(t, issuer)
	}
	u.await(t, NeedsLogin)
	with, without = tokens(issuer, "")
	if n := with + without - began; n > 20 {
		t.Errorf("got %d requests for 300 calls and 3 logins", n)
	}
	if n := len(issuer.Granted("refresh_token")); n > 6 {
		t.Errorf("got %d renewals for 300 calls and 3 logins", n)
	}
}
