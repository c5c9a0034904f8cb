package aggregator

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const (
	loginCall   = `"name":"weir__login","arguments":{"server":"up"}`
	toolChanges = `"method":"notifications/tools/list_changed"`
	listening1  = `"notifications":{"toolsListChanged":true}`
)

// lists reports whether weir__login is in the list that a host gets.
func (h *host) listsLogin(e era) bool {
	h.t.Helper()
	return strings.Contains(strings.Join(h.send(listRequest(e, `"list"`)), ""), `"name":"weir__login"`)
}

// TestLoginToolComesAndGoes: it is listed while a server wants a login, and hosts
// are told when that changes.
func TestLoginToolComesAndGoes(t *testing.T) {
	eras(t, "in the lists", func(t *testing.T, e era) {
		_, user, _, _, h := loginWeir(t, nil)
		h.send(e.open()...)
		if e == modern {
			h.send(e.request(`"l"`, "subscriptions/listen", listening1, ""))
		}
		if h.listsLogin(e) { // what was listed before is not old, and nobody has called
			t.Error("got weir__login while nobody needs it")
		}
		h.send(e.call("1", "up__remove", "{}"))
		pass(loginTime)
		if got := strings.Join(h.received(), ""); strings.Count(got, toolChanges) != 1 {
			t.Errorf("got %s, want to be told once", got)
		}
		if !h.listsLogin(e) {
			t.Error("got no weir__login while it is needed")
		}
		user.logIn()
		pass(time.Second)
		if got := strings.Join(h.received(), ""); strings.Count(got, toolChanges) != 1 {
			t.Errorf("got %s, want to be told once", got)
		}
		if h.listsLogin(e) {
			t.Error("got weir__login while nobody needs it")
		}
		want(t, "call", h.send(e.call("2", "weir__login", "{}")), noTool("2", "weir__login"))
	})
	for _, tt := range []struct {
		name         string
		rules        []policy.Rule
		listed, may  bool
		knows        bool // that it is a matter of logins
		wordsForbade string
	}{
		{"no rule", nil, true, true, true, ""},
		{"a rule for another", onWeir(policy.Execute, "servers"), true, true, true, ""},
		{"execute", onWeir(policy.Execute), true, true, true, ""},
		{"read", onWeir(policy.Read), true, false, true, "weir__login"},
		{"denied", onWeir(policy.Deny, "login"), false, false, true, "weir__login"},
		{"everything of weir denied", onWeir(policy.Deny), false, false, true, "weir__login"},
		{"the server denied", []policy.Rule{{Server: text("up"), Level: level(policy.Deny)}}, false, false, false, "up"},
	} {
		eras(t, tt.name, func(t *testing.T, e era) {
			_, _, g, w, h := loginWeir(t, func(cfg *Config) { cfg.Policy = ruled(t, tt.rules...) })
			h.opens(e, withoutLinks)
			w.world.Load().byName["up"].refresh(everyKind)
			pass(time.Second)
			if got := strings.Join(h.received(), ""); strings.Contains(got, toolChanges) {
				t.Errorf("got %s: the host has no list", got)
			}
			if got := h.listsLogin(e); got != tt.listed {
				t.Errorf("listed: got %v, want %v", got, tt.listed)
			}
			g.noUnasked = errors.New("login: ask")
			answer := h.send(e.call("1", "up__remove", "{}"))
			if !tt.knows {
				want(t, "call", answer, noTool("1", "up__remove"))
			} else if text := wantsLogin(t, answer, "weir login up"); tt.wordsForbade != "" && strings.Contains(text, tt.wordsForbade) != (tt.wordsForbade == "up") {
				t.Errorf("got %q, which tells of %s", text, tt.wordsForbade)
			}
			for _, arguments := range []string{"{}", `{"server":"up"}`} {
				got := h.send(e.call("2", "weir__login", arguments))
				switch {
				case tt.may:
					want(t, "at once", got)
					_, user := g, g.visitor
					user.logIn()
					pass(time.Second)
					if got := strings.Join(h.received(), ""); !strings.Contains(got, `The user is logged in to server \"up\" at auth.example.`) {
						t.Errorf("got %s", got)
					}
					return
				case tt.listed:
					if !strings.Contains(strings.Join(got, ""), `"kind":"authorization"`) {
						t.Errorf("got %q, want a refusal", got)
					}
				default:
					want(t, "call", got, noTool("2", "weir__login"))
				}
			}
			if begun, opened := g.counts(); opened != 0 || begun > 1 {
				t.Errorf("got %d logins begun, %d pages opened", begun, opened)
			}
		})
	}
}

// TestDeniedLoginIsInvisible: nothing tells of a login that a server wants which is
// not there for the principal, be it known what that server has or not.
func TestDeniedLoginIsInvisible(t *testing.T) {
	for _, stored := range []bool{true, false} {
		eras(t, fmt.Sprint("listed before: ", stored), func(t *testing.T, e era) {
			edit := func(cfg *Config) {
				cfg.Policy = ruled(t, policy.Rule{Server: text("up"), Level: level(policy.Deny)})
			}
			_, _, g, w, h := loginWeir(t, edit)
			if !stored {
				w.Close()
				g, w, h = newcomer(t, edit)
			}
			begin := strings.Join(h.send(e.open()...), "")
			w.world.Load().byName["up"].refresh(everyKind)
			pass(10 * time.Second)
			if !w.world.Load().byName["up"].wantsLogin() {
				t.Fatal("the server wants no login")
			}
			all := begin + strings.Join(h.received(), "") + strings.Join(h.send(listRequest(e, "1")), "")
			all += strings.Join(hostOf(t, w).send(e.open()...), "")
			for _, arguments := range []string{"{}", `{"server":"up"}`, `{"server":"other"}`} {
				want(t, "call", h.send(e.call("2", "weir__login", arguments)), noTool("2", "weir__login"))
			}
			if strings.Contains(all, "login") || strings.Contains(all, toolChanges) {
				t.Errorf("got %s", all)
			}
			wantCounts(t, g, 0, 0)
		})
	}
	eras(t, "another server wants one too", func(t *testing.T, e era) {
		// What is denied is not counted, and answered like what nobody has.
		_, _, g, _, h := twoWanting(t, policy.Rule{Server: text("other"), Level: level(policy.Deny)})
		h.opens(e, withoutLinks)
		denied := strings.Join(h.send(e.call("2", "weir__login", `{"server":"other"}`)), "")
		unknown := strings.Join(h.send(e.call("2", "weir__login", `{"server":"nobody"}`)), "")
		if strings.ReplaceAll(denied, "other", "nobody") != unknown || !strings.Contains(unknown, `"kind":"server_not_found"`) {
			t.Errorf("got %s for what is denied, %s for what nobody has", denied, unknown)
		}
		h.send(e.call("3", "weir__login", "{}"))
		wantCounts(t, g, 1, 1)
	})
}

// newcomer is a weir that has never listed anything.
func newcomer(t *testing.T, edit func(*Config)) (*testGate, *Aggregator, *host) {
	t.Helper()
	user := &visitor{}
	cfg := user.config(t, upstreamtest.New(tidy()))
	edit(&cfg)
	w := New(cfg)
	t.Cleanup(w.Close)
	return user.gate(w), w, hostOf(t, w)
}

// twoWanting is a weir of two servers that want a login, with these rules.
func twoWanting(t *testing.T, rules ...policy.Rule) (user, second *visitor, up, other *testGate, h *host) {
	t.Helper()
	user, second = &visitor{}, &visitor{}
	cfg := user.config(t, upstreamtest.New(tidy()))
	cfg.Policy = ruled(t, rules...)
	up1 := cfg.Dialers["memory"]
	cfg.Dialers["memory"] = up1
	cfg.Servers[1].Transport = "another"
	cfg.Dialers["another"] = second.locked("other", memoryDialer(map[string]*upstreamtest.Server{"other": upstreamtest.New(withTools("o"))}))
	cfg.Servers[1].Aliases = []string{"o2"}
	w := New(cfg)
	t.Cleanup(w.Close)
	return user, second, user.gate(w), second.gateOf(w, "other"), hostOf(t, w)
}

// TestLoginTool is the way to the page, by what the host can do and what there is.
func TestLoginTool(t *testing.T) {
	eras(t, "by link", func(t *testing.T, e era) {
		_, user, _, _, h := loginWeir(t, nil)
		h.opens(e, withLinks)
		needed(t, h, e)
		page := linkOf(t, e, h.declares(withLinks, e.request("1", "tools/call", loginCall, "")), linkText)
		page.answer(h, e, "2", "tools/call", loginCall, "accept")
		user.logIn()
		pass(time.Second)
		answered(t, h.received(), idAfter(e), "The user is logged in to server", false)
	})
	eras(t, "declined", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		h.opens(e, withLinks)
		needed(t, h, e)
		for i := range 2 { // it asks whatever was said before
			id := fmt.Sprint(10 * (i + 1))
			page := linkOf(t, e, h.declares(withLinks, e.request(id, "tools/call", loginCall, "")), linkText)
			got := page.answer(h, e, id+"1", "tools/call", loginCall, "decline")
			answered(t, got, id+[...]string{"", "1"}[e], "does not want to log in", true)
		}
		wantsLogin(t, h.declares(withLinks, e.request("3", "tools/call", removeCall, "")), "has not logged in")
		if !g.ended() {
			t.Error("a login that nobody wants is still under way")
		}
	})
	eras(t, "declined first, then logged in", func(t *testing.T, e era) {
		_, user, g, _, h := loginWeir(t, nil)
		h.opens(e, withLinks)
		page := linkOf(t, e, h.declares(withLinks, e.request("1", "tools/call", removeCall, "")), linkText)
		page.answer(h, e, "2", "tools/call", removeCall, "decline")
		h.received()
		page = linkOf(t, e, h.declares(withLinks, e.request("3", "tools/call", loginCall, "")), linkText)
		page.answer(h, e, "4", "tools/call", loginCall, "accept")
		user.logIn()
		pass(time.Second)
		h.received()
		user.mu.Lock()
		user.scopes++
		user.mu.Unlock()
		h.declares(withLinks, e.request("5", "tools/call", removeCall, ""))
		wantCounts(t, g, 3, 0) // what was refused before does not count any more
	})
	eras(t, "by browser, though a call may not open it", func(t *testing.T, e era) {
		_, user, g, _, h := loginWeir(t, nil)
		g.noUnasked = errors.New("login: ask")
		h.opens(e, withoutLinks)
		needed(t, h, e)
		progress := e.request("1", "tools/call", `"name":"weir__login","arguments":{}`, `"progressToken":"p"`)
		if first := h.send(progress); len(first) != 1 || !strings.Contains(first[0], `"progressToken":"p","progress":1,`) {
			t.Errorf("got %q, want a notice of progress", first)
		}
		pass(loginTime - 2*time.Second)
		user.logIn()
		pass(time.Second)
		got := h.received()
		told := 0
		for _, line := range got {
			if strings.Contains(line, `"method":"notifications/progress","params":{"progressToken":"p","progress":`) {
				told++
			}
		}
		if told != 4 {
			t.Errorf("got %d notices of progress in %q", told, got)
		}
		answered(t, got, "1", "The user is logged in to server", false)
		if _, opened := g.counts(); opened != 1 {
			t.Errorf("got %d pages opened", opened)
		}
	})
	eras(t, "asked for in a circle", func(t *testing.T, e era) {
		_, user, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		needed(t, h, e)
		for n := range 5 {
			h.send(e.call(strconv.Itoa(n+1), "weir__login", "{}"))
			pass(time.Second)
		}
		if _, opened := g.counts(); opened != 1 {
			t.Errorf("got %d pages opened, want one", opened)
		}
		user.logIn()
		pass(time.Second)
		if got := strings.Join(h.received(), "\n"); strings.Count(got, "The user is logged in to server") != 5 {
			t.Errorf("got %s", got)
		}
	})
	eras(t, "too late, and once more", func(t *testing.T, e era) {
		_, user, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		needed(t, h, e)
		before, _ := g.counts()
		for range 2 {
			h.send(e.call("1", "weir__login", "{}"))
			pass(loginTime)
			answered(t, h.received(), "1", "is not done yet", false)
		}
		begun, opened := g.counts()
		if begun-before != 1 || opened != 2 {
			t.Errorf("got %d logins begun, %d pages opened; want the one page twice", begun-before, opened)
		}
		user.logIn()
		pass(time.Second)
		h.received()
		want(t, "call", h.send(e.call("3", "weir__login", "{}")), noTool("3", "weir__login"))
	})
	eras(t, "no way", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		g.noBrowser = errors.New("planted")
		h.opens(e, withoutLinks)
		needed(t, h, e)
		answered(t, h.send(e.call("1", "weir__login", "{}")), "1", "There is no way here to show the user the page to log in at. Run `weir login up` in a terminal.", true)
		if !g.ended() {
			t.Error("a login that nobody can see is still under way")
		}
	})
	eras(t, "in vain", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		needed(t, h, e)
		h.send(e.call("1", "weir__login", "{}"))
		g.end(login.ErrExpired)
		answered(t, h.received(), "1", "come to nothing: nobody logged in within the time", true)
	})
	eras(t, "cannot begin", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		g.refusal = errors.New("planted")
		h.opens(e, withoutLinks)
		needed(t, h, e)
		answered(t, h.send(e.call("1", "weir__login", "{}")), "1", "could not begin", true)
	})
	eras(t, "asked for while what nobody asked for is refused", func(t *testing.T, e era) {
		_, _, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		needed(t, h, e)
		g.hold, g.noUnasked = make(chan struct{}), auth.ErrAskedLately
		h.send(e.call("1", "up__remove", "{}"))
		h.send(e.call("2", "weir__login", "{}"))
		wantCounts(t, g, 1, 0)
		close(g.hold)
		wantsLogin(t, h.received(), "weir login up")
		wantCounts(t, g, 2, 1)
	})
	eras(t, "cancelled", func(t *testing.T, e era) {
		_, _, _, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		needed(t, h, e)
		h.send(e.call("1", "weir__login", "{}"))
		want(t, "cancelled", h.send(cancelled("1")))
		pass(loginTime)
		want(t, "later", h.received())
	})
	eras(t, "several", func(t *testing.T, e era) {
		_, second, up, other, h := twoWanting(t)
		h.opens(e, withoutLinks)
		answered(t, h.send(e.call("1", "weir__login", "{}")), "1", "Several servers want a login: other, up. Name one of them.", true)
		answered(t, h.send(e.call("2", "weir__login", `{"server":"nobody"}`)), "2", `There is no server \"nobody\"`, true)
		answered(t, h.send(e.call("3", "weir__login", `{"server":7}`)), "3", "want a string", true)
		h.send(e.call("4", "weir__login", `{"server":"o2"}`))
		wantCounts(t, up, 0, 0)
		wantCounts(t, other, 1, 1)
		second.logIn()
		pass(time.Second)
		answered(t, onlyAnswers(h.received()), "4", `logged in to server \"other\"`, false)
		answered(t, h.send(e.call("5", "weir__login", `{"server":"other"}`)), "5", "No login is wanted there now.", false)
		h.send(e.call("6", "weir__login", "{}"))
		wantCounts(t, up, 1, 1)
	})
	eras(t, "approved first", func(t *testing.T, e era) {
		kept := newApprovals(t)
		_, user, g, _, h := loginWeir(t, func(cfg *Config) {
			asks := true
			cfg.Policy = ruled(t, policy.Rule{Server: text(policy.Own), Tool: text("login"), Level: level(policy.Execute), Ask: &asks})
			cfg.Approvals = kept.store()
		})
		h.opens(e, withoutLinks)
		g.noUnasked = errors.New("login: ask")
		h.send(e.call(`"x"`, "up__remove", "{}"))
		pass(time.Second)
		h.received()
		answered(t, h.send(e.call("1", "weir__login", "{}")), "1", "weir approve", true)
		kept.person(t, "call")
		h.send(e.call("2", "weir__login", "{}"))
		pass(time.Second)
		if _, opened := g.counts(); opened != 1 {
			t.Errorf("got %d pages opened, want 1", opened)
		}
		user.logIn()
		pass(time.Second)
		answered(t, onlyAnswers(h.received()), "2", "The user is logged in", false)
	})
}

// needed lets weir find out that a login is needed, by what nobody is asked for.
func needed(t *testing.T, h *host, e era) {
	t.Helper()
	h.send(e.request(`"n"`, "completion/complete", `"ref":{"type":"ref/prompt","name":"up__p"},"argument":{"name":"a","value":""}`, ""))
	pass(time.Second)
	h.received()
}

// onlyAnswers leaves out what nobody has asked for.
func onlyAnswers(lines []string) (answers []string) {
	for _, line := range lines {
		if strings.Contains(line, `"id":`) {
			answers = append(answers, line)
		}
	}
	return answers
}

// answered checks the one answer among lines: a result with this text.
func answered(t *testing.T, lines []string, id, part string, isError bool) {
	t.Helper()
	got := onlyAnswers(lines)
	if len(got) != 1 || !strings.Contains(got[0], `"id":`+id+`,`) || !strings.Contains(got[0], part) ||
		strings.Contains(got[0], `"isError":true`) != isError || strings.Contains(got[0], "planted") {
		t.Errorf("got %q, want %q for %s, isError %v", lines, part, id, isError)
	}
}

// TestListsAfterLogin: what a server lists to who is logged in comes by
// list_changed, without another start.
func TestListsAfterLogin(t *testing.T) {
	eras(t, "new tools", func(t *testing.T, e era) {
		server, user, _, w, h := loginWeir(t, nil)
		server.SetTools(raw(definition("fresh")))
		h.opens(e, withoutLinks)
		if e == modern {
			h.send(e.request(`"l"`, "subscriptions/listen", listening1, ""))
		}
		w.world.Load().byName["up"].refresh(everyKind)
		pass(time.Second)
		before := strings.Join(h.send(listRequest(e, "1")), "")
		if !strings.Contains(before, `"up__remove"`) || strings.Contains(before, "fresh") {
			t.Errorf("got %s, want what was listed before", before)
		}
		user.logIn()
		pass(time.Second)
		if got := strings.Join(h.received(), ""); !strings.Contains(got, toolChanges) {
			t.Errorf("got %s, want to be told", got)
		}
		if got := strings.Join(h.send(listRequest(e, "2")), ""); !strings.Contains(got, `"up__fresh"`) {
			t.Errorf("got %s, want the new tool", got)
		}
	})
	eras(t, "never listed before", func(t *testing.T, e era) {
		g, w, h := newcomer(t, func(*Config) {})
		h.opens(e, withoutLinks)
		if got := strings.Join(h.send(listRequest(e, "1")), ""); strings.Contains(got, "up__") || !strings.Contains(got, "weir__login") || !strings.Contains(got, "other__o") {
			t.Errorf("got %s", got)
		}
		if e == modern {
			h.send(e.request(`"l"`, "subscriptions/listen", listening1, ""))
		}
		g.logIn()
		pass(time.Second)
		if got := strings.Join(h.received(), ""); strings.Count(got, toolChanges) != 1 {
			t.Errorf("got %s, want to be told once", got)
		}
		if got := strings.Join(h.send(listRequest(e, "2")), ""); !strings.Contains(got, `"up__remove"`) || strings.Contains(got, "weir__login") {
			t.Errorf("got %s", got)
		}
		if w.Status()[0].State != "ready" {
			t.Errorf("got state %s", w.Status()[0].State)
		}
	})
}

// TestSlowListsAfterLogin: weir__login waits for the lists to change with it, so that
// hosts are told once, but not for ever.
func TestSlowListsAfterLogin(t *testing.T) {
	for _, tt := range []struct {
		delay time.Duration
		told  []int // after 3 s, after 20 s
	}{{time.Second, []int{1, 1}}, {10 * time.Second, []int{0, 2}}} {
		eras(t, tt.delay.String(), func(t *testing.T, e era) {
			script := tidy()
			script.Rules = append(script.Rules, upstreamtest.Rule{On: "initialize", Do: []upstreamtest.Step{
				{Delay: upstreamtest.Duration(tt.delay)}, {Default: true},
			}})
			user := &visitor{}
			w := New(user.config(t, upstreamtest.New(script)))
			t.Cleanup(w.Close)
			user.gate(w)
			h := hostOf(t, w)
			h.opens(e, withoutLinks)
			h.send(listRequest(e, "1"))
			if e == modern {
				h.send(e.request(`"l"`, "subscriptions/listen", listening1, ""))
			}
			user.logIn()
			told := 0
			for i, d := range []time.Duration{3 * time.Second, 17 * time.Second} {
				pass(d)
				if told += strings.Count(strings.Join(h.received(), ""), toolChanges); told != tt.told[i] {
					t.Errorf("got told %d times, want %d", told, tt.told[i])
				}
				if i == 0 {
					answered(t, h.send(e.call("2", "weir__login", `{"server":"up"}`)), "2", [...]string{"Unknown tool", "No login is wanted"}[tt.told[1]-1], false)
				}
			}
		})
	}
}

// TestLoginElsewhere: a call that waits, and the lists, go on when another weir of
// the user has logged in.
func TestLoginElsewhere(t *testing.T) {
	eras(t, "two weirs", func(t *testing.T, e era) {
		server, user, g, w, h := loginWeir(t, nil)
		cfg := w.cfg
		second := New(cfg)
		t.Cleanup(second.Close)
		other := user.gate(second)
		other.noUnasked = errors.New("another login is under way")
		neighbour := hostOf(t, second)
		h.opens(e, withoutLinks)
		neighbour.opens(e, withoutLinks)
		h.send(e.call("1", "up__remove", "{}"))
		wantsLogin(t, neighbour.send(e.call("1", "up__remove", "{}")), "weir login up")
		user.logIn()
		succeeded(t, onlyAnswers(h.received()), "1")
		pass(time.Second)
		neighbour.received()
		succeeded(t, neighbour.send(e.call("2", "up__remove", "{}")), "2")
		wantCounts(t, g, 1, 1)
		wantCounts(t, other, 1, 0)
		if calls := server.Received("tools/call"); len(calls) != 2 {
			t.Errorf("got %d calls, want 2", len(calls))
		}
	})
	eras(t, "a call waits in the other", func(t *testing.T, e era) {
		_, user, g, _, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		h.send(e.call("1", "up__remove", "{}"))
		user.mu.Lock()
		user.loggedIn = true
		user.mu.Unlock()
		g.up.CredentialsChanged() // by the file, and not by the page
		pass(time.Second)
		succeeded(t, onlyAnswers(h.received()), "1")
	})
}

// TestLoginIsTold: weir__servers and the instructions say which server wants a
// login; the log and the audit log tell nothing of the page.
func TestLoginIsTold(t *testing.T) {
	var log bytes.Buffer
	eras(t, "in words", func(t *testing.T, e era) {
		_, _, _, w, h := loginWeir(t, func(cfg *Config) {
			cfg.Policy = ruled(t, onWeir(policy.Execute, "servers")...)
			cfg.Log = zerolog.New(zerolog.SyncWriter(&log)).Level(zerolog.TraceLevel)
		})
		h.opens(e, withLinks)
		needed(t, h, e)
		page := linkOf(t, e, h.declares(withLinks, e.request("1", "tools/call", loginCall, "")), linkText)
		page.answer(h, e, "2", "tools/call", loginCall, "decline")
		got := strings.Join(h.send(e.call("3", "weir__servers", "{}")), "")
		wantText(t, "weir__servers", got, "up: needs_login for 1s, 2 tools", "a login is needed: nobody has logged in yet (`weir login up` in a terminal lets the user log in)")
		begin := strings.Join(hostOf(t, w).send(e.open()...), "")
		wantText(t, "instructions", begin, "These servers want the user to log in before they can be used: up. `weir login SERVER` in a terminal lets the user do that, and so does the tool weir__login.")
		if strings.Contains(log.String()+got+begin, "planted") {
			t.Errorf("got the page in %s%s%s", log.String(), got, begin)
		}
	})
}

// TestLoginIsRecorded: what waits for a login is in the audit log as what it came
// to, and weir__login as a call like others; nothing tells of the page.
func TestLoginIsRecorded(t *testing.T) {
	eras(t, "in the audit log", func(t *testing.T, e era) {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		log := audit.Open(audit.Config{Path: path, Report: func(err error) { t.Error(err) }})
		t.Cleanup(func() { _ = log.Close() })
		_, user, g, _, h := loginWeir(t, func(cfg *Config) { cfg.Audit = log })
		g.noUnasked = auth.ErrAskFirst
		h.opens(e, withoutLinks)
		h.send(e.call("1", "up__remove", "{}"))
		h.send(e.call("2", "weir__login", "{}"))
		user.logIn()
		pass(time.Second)
		h.send(e.call("3", "up__remove", "{}"))
		(&auditedHost{host: h, log: log, path: path}).wants(
			"tool up remove execute failed authentication",
			"tool weir login execute ok",
			"tool up remove execute ok",
		)
	})
}

// TestLoginSurvivesReconfigure: a server that stays keeps its login; one that
// leaves gives up the one under way.
func TestLoginSurvivesReconfigure(t *testing.T) {
	eras(t, "stays", func(t *testing.T, e era) {
		_, user, g, w, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		h.send(e.call("1", "up__remove", "{}"))
		cfg := w.cfg
		if _, err := w.Reconfigure(cfg); err != nil {
			t.Fatal(err)
		}
		user.logIn()
		succeeded(t, onlyAnswers(h.received()), "1")
		wantCounts(t, g, 1, 1)
	})
	eras(t, "leaves", func(t *testing.T, e era) {
		_, _, g, w, h := loginWeir(t, nil)
		h.opens(e, withoutLinks)
		h.send(e.call("1", "up__remove", "{}"))
		if !h.listsLogin(e) {
			t.Error("got no weir__login")
		}
		cfg := w.cfg
		cfg.Servers = cfg.Servers[1:]
		if _, err := w.Reconfigure(cfg); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if !g.ended() || h.listsLogin(e) {
			t.Error("a login of a server that has left is still wanted")
		}
	})
}
