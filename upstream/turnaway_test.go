package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// holder is an authenticator whose credentials are what the test says.
type holder struct {
	mu      sync.Mutex
	token   string           // that goes with requests; "" = none
	stamp   string           // "" = token
	wanted  *auth.LoginError // what Wanted says
	refused func() error     // in place of an answer 401 or 403; nil or a nil error for the answer
	stamps  int              // how often the stamp was looked at
	login   func() (*login.Attempt, error)
}

func (h *holder) RoundTripper(_ context.Context, base http.RoundTripper) (http.RoundTripper, error) {
	return tripper(func(req *http.Request) (*http.Response, error) {
		h.mu.Lock()
		token, refused := h.token, h.refused
		h.mu.Unlock()
		clone := req.Clone(req.Context())
		if token != "" {
			clone.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := base.RoundTrip(clone)
		if err != nil || resp.StatusCode != 401 && resp.StatusCode != 403 || refused == nil {
			return resp, err
		}
		if err := refused(); err != nil {
			return nil, err
		}
		return resp, nil
	}), nil
}

type tripper func(*http.Request) (*http.Response, error)

func (t tripper) RoundTrip(req *http.Request) (*http.Response, error) { return t(req) }

func (h *holder) Stamp(context.Context) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stamps++
	return cmp.Or(h.stamp, h.token)
}

func (h *holder) Wanted() *auth.LoginError {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wanted
}

func (h *holder) Login(context.Context, auth.LoginOptions) (*login.Attempt, error) { return h.login() }

// wantLogin makes a refusal a login that is wanted.
func (h *holder) wantLogin() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wanted = &auth.LoginError{Server: "u", Reason: "nobody has logged in yet"}
	return h.wanted
}

// loggedIn is what another process has done.
func (h *holder) loggedIn(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.token, h.wanted = token, nil
}

// refuse sets what is made of answers that are a refusal.
func (h *holder) refuse(by func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused = by
}

func (h *holder) looks() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stamps
}

// doors is a server that lets in who has its token.
type doors struct {
	next  http.Handler
	asked atomic.Int64 // how often, whether let in or not

	mu     sync.Mutex
	token  string
	status int                      // for who has another; 0 = 401
	header http.Header              // of the refusal
	only   func(*http.Request) bool // who is looked at; nil = everybody
}

func (d *doors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.asked.Add(1)
	d.mu.Lock()
	shut := (d.token == "" || r.Header.Get("Authorization") != "Bearer "+d.token) && (d.only == nil || d.only(r))
	status := d.status
	for name, values := range d.header {
		if shut {
			w.Header()[name] = values
		}
	}
	d.mu.Unlock()
	if !shut {
		d.next.ServeHTTP(w, r)
		return
	}
	if status == 0 {
		status = http.StatusUnauthorized
	}
	w.WriteHeader(status)
}

func (d *doors) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// direct makes a round trip of a handler, within a bubble. It offers no stream
// to listen to.
func direct(h http.Handler) http.RoundTripper {
	return tripper(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet {
			w := httptest.NewRecorder()
			w.WriteHeader(http.StatusMethodNotAllowed)
			return w.Result(), nil
		}
		w := httptest.NewRecorder()
		served := req.Clone(req.Context())
		h.ServeHTTP(w, served)
		if err := context.Cause(req.Context()); err != nil {
			return nil, err
		}
		return w.Result(), nil
	})
}

// openBehind opens an upstream over Streamable HTTP whose server stands behind
// doors, all within the process.
func openBehind(t *testing.T, kind auth.Kind, h *holder, s script, d *doors) fixture {
	t.Helper()
	if s.Tools == nil {
		s.Tools = tools("echo", "held", "more")
	}
	d.next = newServer(s)
	u := open(t, Config{Transport: HTTP, URL: "https://server/mcp", Auth: auth.Config{Kind: kind}}, func(ctx context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
		rt, err := recv.(*connection).roundTripper(ctx, direct(d))
		return transport.NewStreamable(transport.HTTPConfig{URL: cfg.URL, RoundTripper: rt, Limit: cfg.MessageLimit}, recv), err
	}, legacyHost)
	u.auth = h
	return u
}

func (u fixture) states() []State {
	u.events.mu.Lock()
	defer u.events.mu.Unlock()
	return slices.Clone(u.events.states)
}

func (u fixture) wantState(t *testing.T, want State) {
	t.Helper()
	synctest.Wait()
	if st := u.Status(); st.State != want {
		t.Errorf("got state %q because of %v, want %q", st.State, st.Reason, want)
	}
}

// callsFor makes calls for a while, many a minute, and returns how many were
// refused.
func (u fixture) callsFor(t *testing.T, d time.Duration) (refused int) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		for range 3 {
			if u.call(t, "echo", "").err != nil {
				refused++
			}
		}
		<-time.After(7 * time.Second)
	}
	return refused
}

// A server that wants a login gets nothing until somebody has logged in, which is
// noticed whoever that was and though nobody calls.
func TestLoginNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, d := &holder{}, &doors{token: "good"}
		h.refuse(h.wantLogin)
		u := openBehind(t, auth.OAuth2, h, script{}, d)
		f := fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
		if wanted, ok := errors.AsType[*auth.LoginError](f.Err); !ok || wanted != u.LoginWanted() || !f.Retryable ||
			f.Text != "a login is needed: nobody has logged in yet" || f.WithCause() != f.Text || !strings.Contains(f.Hint, "`weir login u`") || !strings.Contains(f.Hint, "weir__login") {
			t.Errorf("got %+v, want the login that is wanted", f)
		}
		u.wantState(t, NeedsLogin)
		if refused := u.callsFor(t, time.Hour); refused < 1000 || d.asked.Load() != 1 {
			t.Errorf("got %d requests for %d calls in an hour, want 1", d.asked.Load(), refused)
		}
		if _, err := u.ListTools(t.Context()); err == nil || d.asked.Load() != 1 {
			t.Errorf("listing: got %v and %d requests", err, d.asked.Load())
		}

		h.loggedIn("good")
		<-time.After(lookPause)
		u.wantState(t, Ready)
		if u.LoginWanted() != nil {
			t.Error("a login is wanted still")
		}
		u.mustCall(t, "echo")
		if want := []State{Connecting, NeedsLogin, Idle, Connecting, Ready}; !slices.Equal(u.states(), want) {
			t.Errorf("got states %q, want %q", u.states(), want)
		}
	})
}

// A call does not wait for the next look.
func TestCallAfterLogin(t *testing.T) {
	for _, kind := range []auth.Kind{auth.OAuth2, auth.Bearer} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, d := &holder{token: "bad"}, &doors{token: "good"}
				if kind == auth.OAuth2 {
					h.refuse(h.wantLogin)
				}
				u := openBehind(t, kind, h, script{}, d)
				fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
				<-time.After(1100 * time.Millisecond)
				fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
				h.loggedIn("good")
				if kind == auth.Bearer {
					// What a file or the keyring holds is looked at once a second at most.
					fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
					<-time.After(lookRest)
				}
				u.mustCall(t, "echo")
			})
		})
	}
}

// A login that is not wanted any more is as good as other credentials.
func TestNoLoginWantedAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, d := &holder{stamp: "same"}, &doors{token: "good"}
		h.refuse(h.wantLogin)
		u := openBehind(t, auth.OAuth2, h, script{}, d)
		fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
		h.loggedIn("good")
		<-time.After(lookPause)
		u.wantState(t, Ready)
	})
}

// What a call met with the login before is not wanted of the present one.
func TestStepUpOfALoginBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stepUp := &auth.LoginError{Server: "u", StepUp: true, Reason: "more"}
		h, d := &holder{token: "good", wanted: stepUp}, &doors{token: "good"}
		u := openBehind(t, auth.OAuth2, h, script{}, d)
		u.mustCall(t, "echo")
		d.set(func() { d.token, d.status = "better", 403 })
		h.refuse(func() error {
			u.CredentialsChanged()
			return stepUp
		})
		fault(t, u.call(t, "more", "").err, KindAuthorization, false)
		if wanted := u.LoginWanted(); wanted != nil {
			t.Errorf("got %v, want nothing of the login before", wanted)
		}
	})
}

// What is told by somebody who knows needs no look.
func TestCredentialsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, d := &holder{token: "bad"}, &doors{token: "good"}
		h.refuse(h.wantLogin)
		u := openBehind(t, auth.OAuth2, h, script{}, d)
		fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
		h.mu.Lock()
		h.token, h.stamp = "good", "bad" // to look at them would not tell
		h.mu.Unlock()
		u.CredentialsChanged()
		u.wantState(t, Ready)
		u.CredentialsChanged() // of no account
		u.wantState(t, Ready)
	})
}

// A server that will not have the credentials of the configuration is not asked
// again, and nobody looks for others but for a call.
func TestCredentialsRefused(t *testing.T) {
	for _, status := range []int{401, 403} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(status, " ", late), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, d := &holder{token: "good"}, &doors{token: "good", status: status}
					u := openBehind(t, auth.Bearer, h, script{}, d)
					kind := map[int]Kind{401: KindAuthentication, 403: KindAuthorization}[status]
					if late {
						u.mustCall(t, "echo")
					}
					d.set(func() { d.token = "other" })
					f := fault(t, u.call(t, "echo", "").err, kind, false)
					if !strings.Contains(f.Hint, "weir__restart") {
						t.Errorf("got the hint %q", f.Hint)
					}
					if late && status == 403 {
						u.wantState(t, Ready) // others may be allowed
						return
					}
					u.wantState(t, Failed)
					if !u.Usable() || u.LoginWanted() != nil {
						t.Error("got a server that is of no use for good, or wants a login")
					}
					asked, looks := d.asked.Load(), h.looks()
					<-time.After(time.Hour)
					if h.looks() != looks {
						t.Errorf("looked %d times for nobody", h.looks()-looks)
					}
					if refused := u.callsFor(t, time.Hour); refused < 1000 || d.asked.Load() > asked+1 {
						// One that ends the session may follow.
						t.Errorf("got %d requests for %d calls in an hour, want none", d.asked.Load()-asked, refused)
					}
					h.loggedIn("other")
					u.mustCall(t, "echo")
				})
			})
		}
	}
}

// A token that the server does not accept any more takes the connection out of
// use; what is under way goes on, nothing else is sent before a login.
func TestLoginNeededLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, d := &holder{token: "good"}, &doors{token: "good"}
		h.refuse(h.wantLogin)
		s := script{Rules: []rule{on("tools/call held", step{Await: "go"}, step{Default: true})}, Tools: tools("echo", "held", "more")}
		u := openBehind(t, auth.OAuth2, h, s, d)
		held := newSink()
		u.mustCall(t, "echo")
		u.Do(nil, toolCall(held, "held", ""))
		synctest.Wait()
		d.set(func() { d.token = "new" })
		fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
		u.wantState(t, NeedsLogin)
		fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
		held.none(t)
		d.next.(*upstreamtest.Server).Release("go")
		if out := held.wait(t); out.err != nil {
			t.Errorf("the call under way: %v", out.err)
		}
		synctest.Wait()
		asked := d.asked.Load()
		u.callsFor(t, time.Hour)
		if n := d.asked.Load(); n != asked {
			t.Errorf("got %d requests while a login was needed", n-asked)
		}
		h.loggedIn("new")
		u.mustCall(t, "echo")
	})
}

// A call that needs more than others do fails alone.
func TestStepUp(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		t.Run(fmt.Sprint(elsewhere), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &holder{token: "good"}
				d := &doors{token: "better", status: 403, only: func(r *http.Request) bool { return strings.Contains(bodyOf(r), `"more"`) }}
				stepUp := &auth.LoginError{Server: "u", StepUp: true, Reason: "it wants scope more", Scopes: []string{"more"}}
				h.wanted = stepUp
				h.refuse(func() error { return stepUp })
				u := openBehind(t, auth.OAuth2, h, script{}, d)
				u.mustCall(t, "echo")
				f := fault(t, u.call(t, "more", "").err, KindAuthorization, false)
				if !errors.Is(f.Err, stepUp) || !strings.Contains(f.Hint, "weir login u") || !strings.Contains(f.Text, "it wants scope more") {
					t.Errorf("got %+v", f)
				}
				u.wantState(t, Ready)
				u.mustCall(t, "echo")
				if u.LoginWanted() != stepUp {
					t.Errorf("got %v, want the login that the call wants", u.LoginWanted())
				}
				told := len(u.states())
				h.loggedIn("better")
				if !elsewhere {
					u.CredentialsChanged()
					if got := u.states()[told:]; !slices.Equal(got, []State{Ready}) {
						t.Errorf("got %q told, want that it may list other things", got)
					}
				}
				if u.LoginWanted() != nil {
					t.Error("a login is wanted still")
				}
				u.mustCall(t, "more")
			})
		})
	}
}

// bodyOf returns the body of a request, which stays to be read.
func bodyOf(r *http.Request) string {
	if r.GetBody == nil {
		return ""
	}
	body, _ := r.GetBody()
	text, _ := io.ReadAll(body)
	return string(text)
}

// No token to be had is a matter of time, or of the configuration.
func TestNoToken(t *testing.T) {
	tests := []struct {
		name  string
		err   *auth.TokenError
		late  bool
		state State
		asked int64 // in the hour after, at most
	}{
		{"for now", &auth.TokenError{Temporary: true, RetryAfter: 10 * time.Minute}, false, Backoff, 6},
		{"at all", &auth.TokenError{Code: "invalid_client"}, false, Failed, 0},
		{"for now, later", &auth.TokenError{Temporary: true, RetryAfter: 10 * time.Minute}, true, Ready, 1 << 20},
		{"at all, later", &auth.TokenError{Code: "invalid_client"}, true, Failed, 1}, // the end of the session
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, d := &holder{token: "good"}, &doors{token: "good"}
				u := openBehind(t, auth.OAuth2, h, script{}, d)
				if tt.late {
					u.mustCall(t, "echo")
				}
				d.set(func() { d.token = "new" })
				h.refuse(func() error { return tt.err })
				f := fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
				if !errors.Is(f.Err, tt.err) || f.RetryAfter != tt.err.RetryAfter || f.Retryable != tt.err.Temporary {
					t.Errorf("got %+v", f)
				}
				u.wantState(t, tt.state)
				if u.LoginWanted() != nil {
					t.Error("a login is wanted, which would not help")
				}
				asked := d.asked.Load()
				u.callsFor(t, time.Hour)
				if n := d.asked.Load() - asked; n > tt.asked {
					t.Errorf("got %d requests in an hour, want %d at most", n, tt.asked)
				}
				h.loggedIn("new")
				h.refuse(nil)
				<-time.After(10 * time.Minute)
				u.mustCall(t, "echo")
			})
		})
	}
}

// A login ends the wait for an authorization server that gave out no token.
func TestLoginEndsBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, d := &holder{}, &doors{token: "good"}
		h.refuse(func() error { return &auth.TokenError{Temporary: true, RetryAfter: time.Hour} })
		u := openBehind(t, auth.OAuth2, h, script{}, d)
		fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
		u.wantState(t, Backoff)
		h.loggedIn("good")
		u.CredentialsChanged()
		u.wantState(t, Ready)
	})
}

// However often the credentials change, or seem to, and however much is called:
// a server that refuses them is asked less and less often.
func TestNoStorm(t *testing.T) {
	login := func(h *holder) func() error { return h.wantLogin }
	stepUp := func(*holder) func() error {
		return func() error { return &auth.LoginError{StepUp: true, Reason: "more"} }
	}
	answer := func(*holder) func() error { return nil }
	tests := []struct {
		name   string
		kind   auth.Kind
		says   func(*holder) func() error
		status int
		header http.Header
		most   int64
	}{
		{"401, no login", auth.OAuth2, login, 401, nil, 24},
		{"401 given back", auth.OAuth2, answer, 401, nil, 24},
		{"403 given back", auth.OAuth2, answer, 403, nil, 24},
		{"403, more is wanted at once", auth.OAuth2, stepUp, 403, nil, 24},
		{"401", auth.Bearer, answer, 401, nil, 24},
		{"403", auth.APIKey, answer, 403, nil, 24},
		{"401, no auth", auth.None, answer, 401, nil, 24},
		{"429", auth.OAuth2, answer, 429, nil, 24},
		{"429 for a minute", auth.Bearer, answer, 429, http.Header{"Retry-After": {"60"}}, 24},
		{"429 for an hour", auth.Bearer, answer, 429, http.Header{"Retry-After": {"3600"}}, 1},
		{"503 for an hour", auth.Bearer, answer, 503, http.Header{"Retry-After": {"3600"}}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, d := &holder{}, &doors{token: "good", status: tt.status, header: tt.header}
				h.refuse(tt.says(h))
				u := openBehind(t, tt.kind, h, script{}, d)
				// Whoever looks finds another token, which is no better.
				u.auth = restless{h, new(atomic.Int64)}
				refused := u.callsFor(t, time.Hour)
				if n := d.asked.Load(); n > tt.most || refused < 1000 {
					t.Errorf("got %d requests for %d calls in an hour, want %d at most", n, refused, tt.most)
				}
				h.loggedIn("good")
				u.CredentialsChanged()
				<-time.After(time.Hour)
				u.mustCall(t, "echo")
			})
		})
	}
}

// restless is a holder whose stamp is never the same.
type restless struct {
	*holder
	n *atomic.Int64
}

func (r restless) Stamp(context.Context) string { return fmt.Sprint(r.n.Add(1)) }

// A login while a try with the old credentials is under way counts: the try that
// fails then is made again. What the server said before it does not count.
func TestLoginMeanwhile(t *testing.T) {
	t.Run("connecting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, d := &holder{token: "bad"}, &doors{token: "good"}
			begun, decided := make(chan struct{}, 8), make(chan struct{})
			h.refuse(func() error {
				begun <- struct{}{}
				<-decided
				return h.wantLogin()
			})
			u := openBehind(t, auth.OAuth2, h, script{}, d)
			s := newSink()
			u.Do(nil, toolCall(s, "echo", ""))
			<-begun
			h.mu.Lock()
			h.token, h.stamp = "good", "bad" // looks the same
			h.mu.Unlock()
			u.CredentialsChanged()
			close(decided)
			fault(t, s.wait(t).err, KindAuthentication, false)
			u.wantState(t, Ready)
		})
	})
	t.Run("connected", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, d := &holder{token: "good"}, &doors{token: "good"}
			begun, decided := make(chan struct{}, 8), make(chan struct{})
			u := openBehind(t, auth.OAuth2, h, script{}, d)
			u.mustCall(t, "echo")
			d.set(func() { d.token = "new" })
			h.refuse(func() error {
				begun <- struct{}{}
				<-decided
				return h.wantLogin()
			})
			s := newSink()
			u.Do(nil, toolCall(s, "echo", ""))
			<-begun
			h.loggedIn("new")
			u.CredentialsChanged()
			close(decided)
			fault(t, s.wait(t).err, KindAuthentication, false)
			u.wantState(t, Ready)
			u.mustCall(t, "echo")
			if n := methods(d.next.(*upstreamtest.Server), "initialize"); n != "initialize" {
				t.Errorf("got %q, want one connection", n)
			}
		})
	})
}

// A server that asks for fewer requests gets none for as long as it asks, a
// minute at most.
func TestHeldBack(t *testing.T) {
	tests := []struct {
		after string
		held  time.Duration
	}{{"", 0}, {"0", 0}, {"20", 20 * time.Second}, {"86400", time.Minute}}
	for _, tt := range tests {
		t.Run(tt.after, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, d := &holder{}, &doors{token: "x", status: 429}
				if tt.after != "" {
					d.header = http.Header{"Retry-After": {tt.after}}
				}
				u := openBehind(t, auth.Bearer, h, script{}, d)
				busy := true
				d.only = func(*http.Request) bool { return busy }
				d.set(func() { busy = false })
				u.mustCall(t, "echo")
				d.set(func() { busy = true })
				fault(t, u.call(t, "echo", "").err, KindRateLimited, false)
				d.set(func() { busy = false })
				asked := d.asked.Load()
				if tt.held > 0 {
					<-time.After(tt.held / 2)
					f := fault(t, u.call(t, "echo", "").err, KindRateLimited, false)
					if f.RetryAfter != tt.held-tt.held/2 || !f.Retryable || d.asked.Load() != asked {
						t.Errorf("got %+v after %d requests more", f, d.asked.Load()-asked)
					}
					if _, err := u.ListTools(t.Context()); d.asked.Load() != asked {
						t.Errorf("a list was asked for: %v", err)
					}
					<-time.After(tt.held - tt.held/2)
				}
				u.mustCall(t, "echo")
				u.wantState(t, Ready)
			})
		})
	}
}

// Without anything configured the user is told what would help.
func TestHintOfLogin(t *testing.T) {
	for challenge, want := range map[string]bool{
		"": false, "Basic realm=x": false, "Bearer": true, `bearer realm="x"`: true, `Custom resource_metadata="https://x"`: true, "Bearerless": false,
	} {
		for _, kind := range []auth.Kind{auth.None, auth.APIKey} {
			t.Run(challenge+" "+string(kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, d := &holder{}, &doors{token: "x", header: http.Header{"Www-Authenticate": {challenge}}}
					u := openBehind(t, kind, h, script{}, d)
					f := fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
					if got := strings.Contains(f.Hint, "oauth2"); got != (want && kind == auth.None) {
						t.Errorf("got the hint %q", f.Hint)
					}
				})
			})
		}
	}
}

// The values behind references in URL and headers are credentials too.
func TestOwnHeaders(t *testing.T) {
	secret, broken := "1", error(nil)
	h := ownHeaders{&Config{
		URL: "https://server/${file:a}", Headers: map[string]string{"X-A": "${file:a}", "X-B": "b"},
		Resolve: func(_ context.Context, text string) (string, error) {
			return strings.ReplaceAll(text, "${file:a}", secret), broken
		},
	}}
	first := h.Stamp(t.Context())
	if first != h.Stamp(t.Context()) || strings.Contains(first, secret+"/") {
		t.Errorf("got %q, then another", first)
	}
	secret = "2"
	if second := h.Stamp(t.Context()); second == first {
		t.Error("another secret: got the same stamp")
	}
	broken = errors.New("no such file")
	if got := h.Stamp(t.Context()); got == first {
		t.Errorf("no secret: got %q", got)
	}
	if _, err := h.Login(t.Context(), auth.LoginOptions{}); err == nil {
		t.Error("a login that nobody configured began")
	}
}

// An upstream that is taken out of use while a login is needed ends.
func TestRemovedWhileLoginNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, d := &holder{}, &doors{token: "good"}
		h.refuse(h.wantLogin)
		u := openBehind(t, auth.OAuth2, h, script{}, d)
		fault(t, u.call(t, "echo", "").err, KindAuthentication, false)
		u.Leave()
		looks := h.looks()
		<-time.After(time.Hour)
		if n := h.looks() - looks; n > 1 {
			t.Errorf("looked %d times for one that leaves", n)
		}
		u.set.Remove(u.Upstream)
		fault(t, u.call(t, "echo", "").err, KindConnection, false)
	})
}
