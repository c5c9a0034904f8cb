package aggregator

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
	"github.com/weir-mcp/weir/upstream/state"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const linkText = `"message":"Server \"up\" wants you to log in at auth.example."`

// A link is a page that a host was asked to open for its user.
type link struct {
	id          string // raw, of the question; of a modern host's, its key
	elicitation string // its elicitationId
	state       string
}

// linkOf checks that the one line asks for the page.
func linkOf(t *testing.T, e era, lines []string, message string) link {
	t.Helper()
	var legacyAsks struct {
		ID     json.RawMessage
		Method string
		Params json.RawMessage
	}
	if e == modern {
		requests, state := inputRequired(t, lines)
		want := `{"q1":{"method":"elicitation/create","params":{"mode":"url",` + message + `,"url":"` + loginPage + `"}}}`
		if requests != want && requests != strings.ReplaceAll(want, "q1", "q2") {
			t.Errorf("got %s\nwant %s", requests, want)
		}
		return link{id: requests[2:4], state: state}
	}
	if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &legacyAsks) != nil || legacyAsks.Method != "elicitation/create" {
		t.Fatalf("got %q, want a question", lines)
	}
	params := string(legacyAsks.Params)
	before, id, found := strings.Cut(params, `,"elicitationId":"weir:`)
	if want := `{"mode":"url",` + message + `,"url":"` + loginPage + `"`; !found || before != want || len(id) != 34 {
		t.Errorf("got %s, want %s and an id", params, want)
	}
	return link{id: string(legacyAsks.ID), elicitation: "weir:" + strings.TrimSuffix(id, `"}`)}
}

// answer is the user's action, as the host tells it; the request of a modern host
// has the id.
func (l link) answer(h *host, e era, id, method, params, action string) []string {
	if e == legacy {
		return h.send(`{"jsonrpc":"2.0","id":` + l.id + `,"result":{"action":"` + action + `"}}`)
	}
	return h.declares(withLinks, e.request(id, method, join(params, resumeWith(`{"`+l.id+`":{"action":"`+action+`"}}`, l.state)), ""))
}

func (l link) complete() string {
	return `{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"` + l.elicitation + `"}}`
}

// idAfter is the id of the request that is answered in the end: a modern host's
// second one.
func idAfter(e era) string { return [...]string{"1", "2"}[e] }

// uses are what a host can want of a server.
var uses = []struct{ method, params string }{
	{"tools/call", removeCall},
	{"prompts/get", `"name":"up__p"`},
	{"resources/read", `"uri":"file:///r"`},
}

// TestLoginByLink: a host that can have its user open a page is asked to, once, and
// the request goes on when the user is logged in.
func TestLoginByLink(t *testing.T) {
	for _, use := range uses {
		eras(t, use.method, func(t *testing.T, e era) {
			server, user, g, _, h := loginWeir(t, nil)
			h.opens(e, withLinks)
			page := linkOf(t, e, h.declares(withLinks, e.request("1", use.method, use.params, "")), linkText)
			want(t, "agreed", page.answer(h, e, "2", use.method, use.params, "accept"))
			pass(20 * time.Second)
			want(t, "waiting", h.received())
			user.logIn()
			got := h.received()
			if e == legacy {
				got = without(t, got, page.complete())
			}
			succeeded(t, got, idAfter(e))
			wantCounts(t, g, 1, 0)
			if calls := server.Received(use.method); len(calls) != 1 {
				t.Errorf("got %d requests, want 1", len(calls))
			}
			if g.begun[0].Unasked {
				t.Error("got a login that would open a browser by itself")
			}
		})
	}
	eras(t, "too late", func(t *testing.T, e era) {
		server, user, _, _, h := loginWeir(t, nil)
		h.opens(e, withLinks)
		page := linkOf(t, e, h.declares(withLinks, e.request("1", "tools/call", removeCall, "")), linkText)
		page.answer(h, e, "2", "tools/call", removeCall, "accept")
		pass(loginTime)
		wantsLogin(t, h.received(), "The user has the page to log in at", "Make the same request again")
		user.logIn()
		if got := h.received(); e == legacy {
			want(t, "told", without(t, got, page.complete()))
		}
		succeeded(t, h.declares(withLinks, e.request("3", "tools/call", removeCall, "")), "3")
		if calls := server.Received("tools/call"); len(calls) != 1 {
			t.Errorf("got %d calls, want 1", len(calls))
		}
	})
	for _, action := range []string{"decline", "cancel", "nonsense"} {
		eras(t, action, func(t *testing.T, e era) {
			server, user, g, _, h := loginWeir(t, nil)
			h.opens(e, withLinks)
			request := func(id string) []string { return h.declares(withLinks, e.request(id, "tools/call", removeCall, "")) }
			page := linkOf(t, e, request("1"), linkText)
			wantsLogin(t, page.answer(h, e, "2", "tools/call", removeCall, action), "does not want to log in", "weir login up")
			if !g.ended() {
				t.Error("a login that nobody wants is still under way")
			}
			wantsLogin(t, request("3"), "has not logged in")
			pass(refusedTime - time.Second)
			wantsLogin(t, request("4"), "has not logged in")
			pass(time.Second)
			linkOf(t, e, request("5"), linkText)
			wantCounts(t, g, 2, 0)
			user.logIn()
			if calls := server.Received("tools/call"); e == modern && len(calls) != 0 {
				t.Errorf("got %d calls", len(calls))
			}
		})
	}
	eras(t, "two at once", func(t *testing.T, e era) {
		server, user, g, _, h := loginWeir(t, nil)
		h.opens(e, withLinks)
		page := linkOf(t, e, h.declares(withLinks, e.request("1", "tools/call", removeCall, "")), linkText)
		want(t, "another", h.declares(withLinks, e.request("11", "tools/call", `"name":"up__echo","arguments":{}`, "")))
		page.answer(h, e, "2", "tools/call", removeCall, "accept")
		user.logIn()
		got := h.received()
		if e == legacy {
			got = without(t, got, page.complete())
		}
		succeeded(t, got, idAfter(e), "11")
		wantCounts(t, g, 1, 0)
		if calls := server.Received("tools/call"); len(calls) != 2 {
			t.Errorf("got %d calls, want 2", len(calls))
		}
	})
	eras(t, "logged in elsewhere before the answer", func(t *testing.T, e era) {
		_, user, _, _, h := loginWeir(t, nil)
		h.opens(e, withLinks)
		page := linkOf(t, e, h.declares(withLinks, e.request("1", "tools/call", removeCall, "")), linkText)
		user.logIn()
		if e == legacy {
			got := h.received()
			got = without(t, got, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+page.id+`}}`)
			succeeded(t, got, "1")
			return
		}
		want(t, "parked", h.received())
		succeeded(t, page.answer(h, e, "2", "tools/call", removeCall, "decline"), "2")
	})
	eras(t, "cancelled while the user is asked", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		h.opens(e, withLinks)
		h.declares(withLinks, e.request("1", "tools/call", removeCall, ""))
		if e == modern {
			h.close() // the request has been answered
			synctest.Wait()
		} else {
			h.send(cancelled("1"))
		}
		if !g.ended() {
			t.Error("a login whose page nobody has is still under way")
		}
		if e == legacy {
			linkOf(t, e, h.declares(withLinks, e.request("2", "tools/call", removeCall, "")), linkText)
		}
	})
	eras(t, "never answered", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		h.opens(e, withLinks)
		h.declares(withLinks, e.request("1", "tools/call", removeCall, ""))
		if e == modern {
			pass(approval.WaitTime)
			want(t, "parked", h.received())
			if !g.ended() {
				t.Error("a login whose page nobody has is still under way")
			}
			return
		}
		pass(approval.WaitTime)
		g.end(login.ErrExpired)
		got := h.received()
		if len(got) != 2 || !strings.Contains(got[0], "notifications/cancelled") {
			t.Fatalf("got %q, want the question taken back and an answer", got)
		}
		wantsLogin(t, got[1:], "come to nothing")
		wantsLogin(t, h.declares(withLinks, e.request("2", "tools/call", removeCall, "")), "has not logged in")
	})
	bubble(t, "a host that cannot do what it declares", func(t *testing.T) {
		_, _, g, _, h := loginWeir(t, nil)
		h.opens(legacy, withLinks)
		page := linkOf(t, legacy, h.send(legacy.call("1", "up__remove", "{}")), linkText)
		wantsLogin(t, h.send(`{"jsonrpc":"2.0","id":`+page.id+`,"error":{"code":-32601,"message":"no"}}`), "weir login up")
		if !g.ended() {
			t.Error("a login whose page nobody has is still under way")
		}
	})
	bubble(t, "a state is good once", func(t *testing.T) {
		server, user, _, _, h := loginWeir(t, nil)
		h.opens(modern, withLinks)
		page := linkOf(t, modern, h.declares(withLinks, modern.request("1", "tools/call", removeCall, "")), linkText)
		other := page.answer(h, modern, "2", "tools/call", `"name":"up__echo","arguments":{}`, "accept")
		if len(other) != 1 || !strings.Contains(other[0], "requestState is unknown") {
			t.Errorf("got %q for another call", other)
		}
		page.answer(h, modern, "3", "tools/call", removeCall, "accept")
		again := page.answer(h, modern, "4", "tools/call", removeCall, "accept")
		if len(again) != 1 || !strings.Contains(again[0], "requestState is unknown") {
			t.Errorf("got %q for another try", again)
		}
		user.logIn()
		succeeded(t, h.received(), "3")
		if calls := server.Received("tools/call"); len(calls) != 1 {
			t.Errorf("got %d calls, want 1", len(calls))
		}
	})
	eras(t, "login cannot begin", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		g.refusal = fmt.Errorf("planted/path: %w", &login.PortError{Port: 7})
		h.opens(e, withLinks)
		wantsLogin(t, h.declares(withLinks, e.request("1", "tools/call", removeCall, "")), "The login could not begin: port 7", "weir login up")
	})
	eras(t, "login cannot begin, call after call", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		g.refusal = errors.New("planted")
		h.opens(e, withLinks)
		calls := func(from, to int) {
			for id := from; id < to; id++ {
				wantsLogin(t, h.declares(withLinks, e.request(fmt.Sprint(id), "tools/call", removeCall, "")), "The login could not begin", "weir login up")
			}
		}
		calls(1, 6)
		wantCounts(t, g, 1, 0)
		h.declares(withLinks, e.call("6", "weir__login", "{}")) // in words
		wantCounts(t, g, 2, 0)
		calls(7, 9)
		wantCounts(t, g, 2, 0)
		pass(failedTime)
		h.received()
		calls(9, 11)
		wantCounts(t, g, 3, 0)
		g.refusal = auth.ErrLoginUnderWay // which says nothing of the next
		pass(failedTime)
		h.received()
		calls(11, 13)
		wantCounts(t, g, 5, 0)
	})
}

// without checks that one of the lines is this, and returns the others.
func without(t *testing.T, lines []string, line string) (others []string) {
	t.Helper()
	found := 0
	for _, l := range lines {
		if l == line {
			found++
			continue
		}
		others = append(others, l)
	}
	if found != 1 {
		t.Errorf("got %q, want %s once in it", lines, line)
	}
	return others
}

// TestMoreRights: a call that needs more than was granted asks for another login;
// it has not run, and others go on.
func TestMoreRights(t *testing.T) {
	const text = `"message":"Server \"up\" wants you to log in again at auth.example: what it is asked to do needs more rights (repo admin)."`
	eras(t, "by link", func(t *testing.T, e era) {
		server, user, g, w, h := loginWeir(t, nil)
		user.logIn()
		user.mu.Lock()
		user.scopes = 1
		user.mu.Unlock()
		h.opens(e, withLinks)
		page := linkOf(t, e, h.declares(withLinks, e.request("1", "tools/call", removeCall, "")), text)
		succeeded(t, h.declares(withLinks, e.request("9", "prompts/get", `"name":"up__p"`, "")), "9")
		if w.Status()[0].State != "ready" {
			t.Errorf("got state %s", w.Status()[0].State)
		}
		page.answer(h, e, "2", "tools/call", removeCall, "accept")
		user.logIn()
		got := h.received()
		if e == legacy {
			got = without(t, got, page.complete())
		}
		succeeded(t, got, idAfter(e))
		wantCounts(t, g, 1, 0)
		if calls := server.Received("tools/call"); len(calls) != 1 {
			t.Errorf("got %d calls, want 1", len(calls))
		}
	})
	eras(t, "one after the other", func(t *testing.T, e era) {
		server, user, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		h.send(e.call("1", "up__remove", "{}"))
		user.logIn()
		succeeded(t, h.received(), "1")
		for range 3 {
			user.mu.Lock()
			user.scopes++
			user.mu.Unlock()
			h.send(e.call("2", "up__remove", "{}"))
			user.logIn()
			succeeded(t, h.received(), "2")
		}
		wantCounts(t, g, 4, 4)
		if calls := server.Received("tools/call"); len(calls) != 4 {
			t.Errorf("got %d calls, want 4", len(calls))
		}
	})
	eras(t, "never enough", func(t *testing.T, e era) {
		server, user, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		h.send(e.call("1", "up__remove", "{}"))
		for range 5 { // whatever is granted, more is needed
			user.mu.Lock()
			user.loggedIn, user.granted, user.scopes = true, user.scopes, user.scopes+1
			user.mu.Unlock()
			g.up.CredentialsChanged()
			g.end(nil)
			synctest.Wait()
		}
		wantsLogin(t, h.received(), "needs more than the present login allows")
		wantCounts(t, g, 2, 2)
		if calls := server.Received("tools/call"); len(calls) != 0 {
			t.Errorf("got %d calls", len(calls))
		}
	})
}

// TestApprovedBeforeLogin: the user approves a call before the login that it needs.
func TestApprovedBeforeLogin(t *testing.T) {
	eras(t, "approval by form", func(t *testing.T, e era) {
		const both = `{"elicitation":{"form":{},"url":{}}}`
		kept := newApprovals(t)
		server, user, g, _, h := loginWeir(t, func(cfg *Config) {
			cfg.Policy, cfg.Approvals = policyOf(t, askPolicy), kept.store()
		})
		h.opens(e, both)
		asked := strings.Join(h.declares(both, e.request("1", "tools/call", removeCall, "")), "")
		if !strings.Contains(asked, `"mode":"form"`) {
			t.Fatalf("got %s, want the form", asked)
		}
		wantCounts(t, g, 0, 0)
		const yes = `{"action":"accept","content":{"approval":"this call"}}`
		var lines []string
		if e == legacy {
			var question struct{ ID json.RawMessage }
			_ = json.Unmarshal([]byte(asked), &question)
			lines = h.send(`{"jsonrpc":"2.0","id":` + string(question.ID) + `,"result":` + choose(asked, yes) + `}`)
		} else {
			_, state := inputRequired(t, []string{asked})
			lines = h.declares(both, e.request("2", "tools/call", join(removeCall, resumeWith(`{"q1":`+choose(asked, yes)+`}`, state)), ""))
		}
		page := linkOf(t, e, lines, linkText)
		if e == legacy {
			page.answer(h, e, "", "", "", "accept")
		} else {
			h.declares(both, e.request("3", "tools/call", join(removeCall, resumeWith(`{"`+page.id+`":{"action":"accept"}}`, page.state)), ""))
		}
		user.logIn()
		got := h.received()
		if e == legacy {
			got = without(t, got, page.complete())
		}
		succeeded(t, got, [...]string{"1", "3"}[e])
		if calls := server.Received("tools/call"); len(calls) != 1 {
			t.Errorf("got %d calls, want 1", len(calls))
		}
	})
}

// choose puts the first of the choices that a form offers into an answer.
func choose(asked, answer string) string {
	_, rest, _ := strings.Cut(asked, `"enum":[`)
	first, _, _ := strings.Cut(rest, `,`)
	return strings.Replace(answer, `"this call"`, first, 1)
}

// TestComparedAfterLogin: a server whose pins block is logged in to before its
// definitions are compared, and its call goes on.
func TestComparedAfterLogin(t *testing.T) {
	eras(t, "pins block", func(t *testing.T, e era) {
		store := pins.NewStore(state.At(t.TempDir() + "/weir"))
		server, user, _, _, h := loginWeir(t, func(cfg *Config) { cfg.Pins, cfg.Servers[0].Pin = store, pins.Block })
		h.opens(e, withLinks)
		page := linkOf(t, e, h.declares(withLinks, e.request("1", "tools/call", removeCall, "")), linkText)
		page.answer(h, e, "2", "tools/call", removeCall, "accept")
		user.logIn()
		pass(time.Second)
		got := h.received()
		if e == legacy {
			got = without(t, got, page.complete())
		}
		succeeded(t, got, idAfter(e))
		if calls := server.Received("tools/call"); len(calls) != 1 {
			t.Errorf("got %d calls, want 1", len(calls))
		}
	})
	eras(t, "pins block, too late", func(t *testing.T, e era) {
		store := pins.NewStore(state.At(t.TempDir() + "/weir"))
		_, _, _, _, h := loginWeir(t, func(cfg *Config) { cfg.Pins, cfg.Servers[0].Pin = store, pins.Block })
		h.opens(e, withoutLinks)
		h.send(e.call("1", "up__remove", "{}"))
		pass(loginTime)
		wantsLogin(t, h.received(), "opened in the user's browser")
		wantsLogin(t, h.send(e.request("2", "completion/complete", `"ref":{"type":"ref/prompt","name":"up__p"},"argument":{"name":"a","value":""}`, "")),
			"or call the tool weir__login; then make the same request again")
	})
}

// TestAskedAfterLogin: what a server asks in a call that has waited for a login goes
// its own way.
func TestAskedAfterLogin(t *testing.T) {
	bubble(t, "modern host, a page of the server's own", func(t *testing.T) {
		script := tidy()
		script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/call remove", Nth: 1, Do: []upstreamtest.Step{
			{Error: raw(`{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://h/","message":"agree"}]}}`)},
		}})
		user := &visitor{}
		server := upstreamtest.New(script)
		w := New(user.config(t, server))
		t.Cleanup(w.Close)
		user.logIn()
		user.gate(w)
		h := hostOf(t, w)
		h.opens(modern, withLinks) // it lists
		user.mu.Lock()
		user.scopes = 1
		user.mu.Unlock()
		const more = `"message":"Server \"up\" wants you to log in again at auth.example: what it is asked to do needs more rights (repo admin)."`
		page := linkOf(t, modern, h.declares(withLinks, modern.request("1", "tools/call", removeCall, "")), more)
		page.answer(h, modern, "2", "tools/call", removeCall, "accept")
		user.logIn()
		requests, state := inputRequired(t, h.received())
		if requests != `{"q2":{"method":"elicitation/create","params":{"mode":"url","url":"https://h/","message":"[up] agree"}}}` {
			t.Errorf("got %s, want the server's question", requests)
		}
		succeeded(t, link{id: "q2", state: state}.answer(h, modern, "3", "tools/call", removeCall, "accept"), "3")
		if calls := server.Received("tools/call"); len(calls) != 2 {
			t.Errorf("got %d calls, want 2", len(calls))
		}
	})
}

// TestLoginMessage: what strangers wrote is short and plain in what a user reads.
func TestLoginMessage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		wanted *auth.LoginError
		page   string
		want   string
	}{
		{"nothing known", nil, loginPage, `Server "up" wants you to log in at auth.example.`},
		{"port", &auth.LoginError{}, "https://id.example:8443/t?x=y", `Server "up" wants you to log in at id.example:8443.`},
		{"another issuer before", &auth.LoginError{Issuer: "https://trusted.example"}, loginPage, `Server "up" wants you to log in at auth.example.`},
		{"no url", &auth.LoginError{}, "::", `Server "up" wants you to log in at its authorization server.`},
		{
			"hostile", &auth.LoginError{StepUp: true, Scopes: []string{"a\x1b[2J\n", strings.Repeat("b", 400)}}, "https://e\u202ex.example/",
			`Server "up" wants you to log in again at ex.example: what it is asked to do needs more rights (a[2J ` + strings.Repeat("b", maxPlain-5) + `…).`,
		},
	} {
		if got := linkMessage("up", tt.wanted, tt.page); got != tt.want {
			t.Errorf("%s: got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}
