package aggregator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// loginPage is where users of the tests log in. What stands in its query is not to
// be in any text.
const loginPage = "https://auth.example/authorize?state=planted-state&code_challenge=planted-challenge"

// A visitor is a user at an authorization server, whom a test has log in.
type visitor struct {
	mu       sync.Mutex
	loggedIn bool
	scopes   int // that calls need, and that have been granted
	granted  int
	gates    []*testGate
}

// wanted is the login that a request of the visitor needs.
func (a *visitor) wanted() *auth.LoginError {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := &auth.LoginError{Server: "up", Issuer: "https://auth.example/tenant", Reason: "nobody has logged in yet"}
	switch {
	case !a.loggedIn:
	case a.granted < a.scopes:
		e.StepUp, e.Scopes, e.Reason = true, []string{"repo", "admin"}, "the call needs more scopes"
	default:
		return nil
	}
	return e
}

// logIn is the user logging in, to all that was asked for.
func (a *visitor) logIn() {
	a.mu.Lock()
	a.loggedIn, a.granted = true, a.scopes
	gates := a.gates
	a.mu.Unlock()
	for _, g := range gates {
		g.end(nil)
		g.up.CredentialsChanged() // each process notices by itself
	}
}

// A testGate is the gate of one server of one weir.
type testGate struct {
	*visitor
	up *upstream.Upstream

	refusal   error // of BeginLogin
	noUnasked error // of one that nobody has asked for
	noBrowser error // of Open

	hold chan struct{} // BeginLogin takes until it is closed; nil for no time

	mu      sync.Mutex
	begun   []auth.LoginOptions
	opened  []string
	attempt *testAttempt
}

// LoginWanted implements gate.
func (g *testGate) LoginWanted() *auth.LoginError {
	if g.up.Status().State != upstream.NeedsLogin && g.up.Status().State != upstream.Ready {
		return nil
	}
	return g.wanted()
}

// BeginLogin implements gate.
func (g *testGate) BeginLogin(_ context.Context, o auth.LoginOptions) (attempt, error) {
	g.mu.Lock()
	g.begun = append(g.begun, o)
	hold := g.hold
	g.mu.Unlock()
	if hold != nil {
		<-hold
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refusal != nil {
		return nil, g.refusal
	}
	if o.Unasked && g.noUnasked != nil {
		return nil, g.noUnasked
	}
	g.attempt = &testAttempt{done: make(chan struct{})}
	return g.attempt, nil
}

// Open implements gate.
func (g *testGate) Open(_ context.Context, at attempt) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.noBrowser == nil {
		g.opened = append(g.opened, at.URL())
	}
	return g.noBrowser
}

// CredentialsChanged implements gate.
func (g *testGate) CredentialsChanged() { g.up.CredentialsChanged() }

// end ends the login under way.
func (g *testGate) end(err error) {
	g.mu.Lock()
	at := g.attempt
	g.mu.Unlock()
	if at != nil {
		at.end(err)
	}
}

func (g *testGate) counts() (begun, opened int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.begun), len(g.opened)
}

// ended reports whether no login is under way.
func (g *testGate) ended() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.attempt == nil {
		return true
	}
	select {
	case <-g.attempt.done:
		return true
	default:
		return false
	}
}

type testAttempt struct {
	once sync.Once
	done chan struct{}
	err  error
}

func (a *testAttempt) end(err error) {
	a.once.Do(func() {
		a.err = err
		close(a.done)
	})
}

func (a *testAttempt) URL() string           { return loginPage }
func (a *testAttempt) Done() <-chan struct{} { return a.done }
func (a *testAttempt) Err() error            { return a.err }
func (a *testAttempt) Close()                { a.end(login.ErrAbandoned) }

// guarded are servers of which "up" lets nobody in who is not logged in.
func (a *visitor) guarded(servers map[string]*upstreamtest.Server) upstream.Dialer {
	return a.locked("up", memoryDialer(servers))
}

// locked is a dialer that lets nobody in to one server who is not logged in.
func (a *visitor) locked(name string, dial upstream.Dialer) upstream.Dialer {
	return func(ctx context.Context, cfg upstream.Config, recv transport.Receiver) (transport.Conn, error) {
		if cfg.Name != name {
			return dial(ctx, cfg, recv)
		}
		if wanted := a.wanted(); wanted != nil && !wanted.StepUp {
			return nil, &transport.RefusedError{Err: wanted}
		}
		conn, err := dial(ctx, cfg, recv)
		return &guardedConn{Conn: conn, visitor: a, recv: recv}, err
	}
}

// A guardedConn refuses calls that need more than was granted.
type guardedConn struct {
	transport.Conn
	*visitor
	recv transport.Receiver
}

// Send implements transport.Conn.
func (c *guardedConn) Send(b *jsonrpc.Batch, out *transport.Outgoing) error {
	wanted := c.wanted()
	if wanted == nil || out.Method != "tools/call" {
		return c.Conn.Send(b, out)
	}
	own := *out
	go c.recv.Failed(&own, &transport.RefusedError{Err: wanted})
	return nil
}

// gatedConfig is a weir with a server "up" that wants a login, and "other" that
// wants none.
func (a *visitor) config(t testing.TB, server *upstreamtest.Server) Config {
	t.Helper()
	servers := map[string]*upstreamtest.Server{"up": server, "other": upstreamtest.New(withTools("o"))}
	cfg := config(t, servers, "up", "other")
	cfg.Dialers["memory"] = a.guarded(servers)
	return cfg
}

// gate puts a gate before the server "up" of a weir.
func (a *visitor) gate(w *Aggregator) *testGate { return a.gateOf(w, "up") }

func (a *visitor) gateOf(w *Aggregator, name string) *testGate {
	s := w.world.Load().byName[name]
	g := &testGate{visitor: a, up: s.up}
	s.desk = newDesk(g)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gates = append(a.gates, g)
	return g
}

// loginWeir is a weir, with a host that has not said anything yet.
func loginWeir(t testing.TB, edit func(*Config), versions ...string) (*upstreamtest.Server, *visitor, *testGate, *Aggregator, *host) {
	t.Helper()
	server, acc := upstreamtest.New(tidy(versions...)), &visitor{}
	cfg := acc.config(t, server)
	if edit != nil {
		edit(&cfg)
	}
	// It has been listed before.
	store, err := catalog.OpenStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store = store
	acc.logIn()
	for _, e := range []era{legacy, modern} {
		before, h := start(t, cfg)
		h.send(e.open()...)
		pass(time.Second)
		h.close()
		before.Close()
	}
	acc.mu.Lock()
	acc.loggedIn = false
	acc.mu.Unlock()

	w := New(cfg)
	t.Cleanup(w.Close)
	g := acc.gate(w)
	return server, acc, g, w, hostOf(t, w)
}

// withoutLinks and withLinks are what a host declares that cannot have its user open
// a page, and one that can.
const (
	withoutLinks = `{}`
	withLinks    = `{"elicitation":{"url":{}}}`
)

// declaring is a line of a host that declares this.
func declaring(capabilities string, lines ...string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		line = strings.ReplaceAll(line, `"capabilities":{}`, `"capabilities":`+capabilities)
		out[i] = strings.ReplaceAll(line, `clientCapabilities":{}`, `clientCapabilities":`+capabilities)
	}
	return out
}

func (h *host) declares(capabilities string, lines ...string) []string {
	h.t.Helper()
	return h.send(declaring(capabilities, lines...)...)
}

// opens begins a conversation and lets weir find out that a login is wanted.
func (h *host) opens(e era, capabilities string) {
	h.t.Helper()
	h.declares(capabilities, e.open()...)
	pass(time.Second)
	h.received()
}

// wantsLogin checks that an answer is a failure for want of a login, with all of
// these in its text, and returns that.
func wantsLogin(t testing.TB, lines []string, parts ...string) string {
	t.Helper()
	got := parseFailure(t, lines)
	if !strings.Contains(got.data, `"kind":"auth`) || !strings.Contains(got.data, `"server":"up"`) ||
		!strings.Contains(got.data, `"retryable":true`) || strings.Contains(got.data, "maybeExecuted") {
		t.Errorf("got data %s, want a login that is needed", got.data)
	}
	for _, part := range parts {
		if !strings.Contains(got.text, part) {
			t.Errorf("got %q, want %q in it", got.text, part)
		}
	}
	return got.text
}

type parsedFailure struct{ text, data string }

func parseFailure(t testing.TB, lines []string) parsedFailure {
	t.Helper()
	var got struct {
		Result struct {
			Content []struct{ Text string }
			IsError bool
			Meta    map[string]json.RawMessage `json:"_meta"`
		}
		Error struct {
			Code    int
			Message string
			Data    json.RawMessage
		}
	}
	if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &got) != nil {
		t.Fatalf("got %q, want one answer", lines)
	}
	if strings.Contains(lines[0], "planted") {
		t.Errorf("got %s, which tells of the page", lines[0])
	}
	switch {
	case got.Result.IsError:
		return parsedFailure{got.Result.Content[0].Text, string(got.Result.Meta["weir/error"])}
	case got.Error.Code == codeInternal:
		return parsedFailure{got.Error.Message, string(got.Error.Data)}
	}
	t.Fatalf("got %s, want a failure", lines[0])
	return parsedFailure{}
}

// succeeded checks that the answers are results, one for each id.
func succeeded(t testing.TB, lines []string, ids ...string) {
	t.Helper()
	all := strings.Join(lines, "\n")
	for _, id := range ids {
		if !strings.Contains(all, `"id":`+id+`,"result":`) {
			t.Errorf("got %q, want a result for %s", lines, id)
		}
	}
	if len(lines) != len(ids) || strings.Contains(all, `"isError":true`) {
		t.Errorf("got %q, want %d results", lines, len(ids))
	}
}

func wantCounts(t testing.TB, g *testGate, begun, opened int) {
	t.Helper()
	if b, o := g.counts(); b != begun || o != opened {
		t.Errorf("got %d logins begun and %d pages opened, want %d and %d", b, o, begun, opened)
	}
}

const removeCall = `"name":"up__remove","arguments":{}`

// eras runs a test for hosts of both.
func eras(t *testing.T, name string, f func(t *testing.T, e era)) {
	t.Helper()
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String()+" host, "+name, func(t *testing.T) { f(t, e) })
	}
}

// TestLoginByBrowser: a call of a tool opens the browser where the host cannot, once
// for all calls, and goes through when the user is logged in. It is executed once.
func TestLoginByBrowser(t *testing.T) {
	eras(t, "in time", func(t *testing.T, e era) {
		server, user, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		got := h.send(e.call("1", "up__remove", `{"n":1.0}`), e.call("2", "up__echo", "{}"))
		want(t, "before", got)
		wantCounts(t, g, 1, 1)
		if !g.begun[0].Unasked {
			t.Error("got a login that was asked for")
		}
		succeeded(t, h.send(e.call("3", "other__o", "{}")), "3")
		pass(20 * time.Second)
		user.logIn()
		succeeded(t, h.received(), "1", "2")
		if calls := server.Received("tools/call"); len(calls) != 2 {
			t.Errorf("got %d calls, want 2", len(calls))
		}
		succeeded(t, h.send(e.call("4", "up__remove", "{}")), "4")
		wantCounts(t, g, 1, 1)
	})
	eras(t, "too late", func(t *testing.T, e era) {
		server, user, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		want(t, "at once", h.send(e.call("1", "up__remove", "{}")))
		pass(loginTime)
		wantsLogin(t, h.received(), `Server "up": a login is needed`, "opened in the user's browser", "Make the same request again")
		want(t, "again, at once", h.send(e.call("2", "up__remove", "{}")))
		pass(loginTime)
		wantsLogin(t, h.received(), "The user has been asked to log in")
		wantCounts(t, g, 1, 1)
		user.logIn()
		h.received()
		succeeded(t, h.send(e.call("3", "up__remove", "{}")), "3")
		if calls := server.Received("tools/call"); len(calls) != 1 {
			t.Errorf("got %d calls, want 1", len(calls))
		}
	})
	eras(t, "in vain", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		h.send(e.call("1", "up__remove", "{}"))
		g.end(&login.DeniedError{Code: "access_denied", Description: "no\x1b[31m way"})
		text := wantsLogin(t, h.received(), "The login has come to nothing: access was denied", "weir login up")
		if strings.ContainsRune(text, 0x1b) {
			t.Errorf("got %q", text)
		}
		wantsLogin(t, h.send(e.call("2", "up__remove", "{}")), "has not logged in", "weir login up", "weir__login")
		wantCounts(t, g, 1, 1)
		pass(refusedTime)
		h.received()
		want(t, "later", h.send(e.call("3", "up__remove", "{}")))
		wantCounts(t, g, 2, 2)
	})
	eras(t, "by nobody's leave", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		g.noUnasked = auth.ErrAskFirst
		h.opens(e, withoutLinks)
		for i := range 3 {
			wantsLogin(t, h.send(e.call(fmt.Sprint(i), "up__remove", "{}")), "Run `weir login up` in a terminal, or call the tool weir__login; then make the same request again.")
		}
		if _, opened := g.counts(); opened != 0 {
			t.Errorf("got %d pages opened", opened)
		}
	})
	eras(t, "no browser", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		g.noBrowser = errors.New("exec: /usr/bin/secret-path")
		h.opens(e, withoutLinks)
		if text := wantsLogin(t, h.send(e.call("1", "up__remove", "{}")), "weir login up"); strings.Contains(text, "secret-path") {
			t.Errorf("got %s", text)
		}
		if !g.ended() {
			t.Error("a login that nobody can see is still under way")
		}
	})
	eras(t, "cancelled", func(t *testing.T, e era) {
		server, user, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		h.send(e.call("1", "up__remove", "{}"), e.call("2", "up__echo", "{}"))
		want(t, "cancelled", h.send(cancelled("1")))
		if g.ended() {
			t.Error("the login has ended with the call")
		}
		user.logIn()
		succeeded(t, h.received(), "2")
		if calls := server.Received("tools/call"); len(calls) != 1 {
			t.Errorf("got %d calls, want 1", len(calls))
		}
	})
	eras(t, "session ends", func(t *testing.T, e era) {
		server, user, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		h.send(e.call("1", "up__remove", "{}"))
		h.close()
		synctest.Wait()
		user.logIn()
		synctest.Wait()
		if calls := server.Received("tools/call"); len(calls) != 0 || !g.ended() {
			t.Errorf("got %d calls", len(calls))
		}
	})
}

// TestOthersOpenNoBrowser: only calls of tools do; lists do not even ask.
func TestOthersOpenNoBrowser(t *testing.T) {
	eras(t, "prompts and resources", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		wantsLogin(t, h.send(e.request("1", "prompts/get", `"name":"up__p"`, "")), "a login is needed", "weir login up")
		wantsLogin(t, h.send(e.request("2", "resources/read", `"uri":"file:///r"`, "")), "a login is needed", "weir login up")
		wantCounts(t, g, 0, 0)
	})
	for _, capabilities := range []string{withoutLinks, withLinks} {
		eras(t, "lists, "+capabilities, func(t *testing.T, e era) {
			_, _, g, _, h := loginWeir(t, nil)
			h.opens(e, capabilities)
			for i, method := range []string{"tools/list", "prompts/list", "resources/list"} {
				got := strings.Join(h.declares(capabilities, e.request(fmt.Sprint(i), method, "", "")), "")
				if !strings.Contains(got, `"result"`) {
					t.Errorf("got %s", got)
				}
				if stored := map[string]string{"tools/list": `"up__remove"`, "prompts/list": `"up__p"`, "resources/list": `"file:///r"`}[method]; !strings.Contains(got, stored) {
					t.Errorf("%s: got %s, want what was listed before", method, got)
				}
			}
			pass(25 * time.Hour)
			h.declares(capabilities, e.request("9", "tools/list", "", ""))
			wantCounts(t, g, 0, 0)
		})
	}
}
