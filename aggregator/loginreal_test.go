package aggregator

import (
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/state"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// These tests are of the real thing: HTTP, an authorization server, the files that
// weirs share. What takes time is in those of a bubble.

// A person is who sits before a desktop: their browser logs in at once.
type person struct {
	t      *testing.T
	issuer *authserver.Server
	wait   sync.WaitGroup

	mu    sync.Mutex
	pages []string
}

// Available implements auth.Browser.
func (p *person) Available() bool { return true }

// Open implements auth.Browser.
func (p *person) Open(_ context.Context, url string) error {
	p.mu.Lock()
	p.pages = append(p.pages, url)
	p.mu.Unlock()
	p.wait.Go(func() { p.issuer.Browse(p.t, url) })
	return nil
}

func (p *person) opened() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.pages)
}

// realWeir is one weir process of a user, whose state is in a folder.
func realWeir(t *testing.T, folder, endpoint string, browser auth.Browser, log io.Writer) *host {
	t.Helper()
	keeper := auth.NewKeeper(auth.Options{
		Store: credentials.Open(state.At(folder), nil), Browser: browser, Version: "test", Log: zerolog.New(log),
	})
	t.Cleanup(keeper.Close)
	cfg := config(t, nil, "up")
	cfg.Auth, cfg.Log = keeper, zerolog.New(log)
	cfg.Patience = time.Minute // a busy machine may take more than 5 s to find out what a server wants
	cfg.Servers[0].Config = upstream.Config{
		Name: "up", Transport: upstream.HTTP, URL: endpoint, Identity: []byte("up"), Auth: auth.Config{Kind: auth.OAuth2},
	}
	w := New(cfg)
	t.Cleanup(w.Close)
	return hostOf(t, w)
}

// tell writes lines and waits for nothing.
func (h *host) tell(lines ...string) {
	h.t.Helper()
	if _, err := io.WriteString(h.in, strings.Join(lines, "\n")+"\n"); err != nil {
		h.t.Fatal(err)
	}
}

// until returns the next line with this in it, and leaves others out. None of
// those may be a failure: what is waited for would never come.
func (h *host) until(part string) string {
	h.t.Helper()
	for {
		line := h.next()
		switch {
		case strings.Contains(line, part):
			return line
		case strings.Contains(line, `"error":{`), strings.Contains(line, `"isError":true`):
			h.t.Fatalf("got %s, waiting for %s", line, part)
		}
	}
}

// answer returns the answer to a request, a failure too. Lines before it are left
// out as until does.
func (h *host) answer(id string) string {
	h.t.Helper()
	for {
		line := h.until(`"id":` + id + `,`)
		if strings.Contains(line, `"result":`) || strings.Contains(line, `"error":`) {
			return line
		}
	}
}

// secretsOf are what no text of weir's may hold.
func secretsOf(t *testing.T, issuer *authserver.Server, texts ...string) {
	t.Helper()
	for _, event := range issuer.Seen() {
		for _, key := range []string{"code", "code_verifier", "refresh_token", "state"} {
			for _, secret := range event.Form[key] {
				for _, text := range texts {
					if strings.Contains(text, secret) {
						t.Errorf("the %s of a login is in %.300s", key, text)
					}
				}
			}
		}
		if token := event.Token(); token != "" && strings.Contains(strings.Join(texts, ""), token) {
			t.Errorf("a token is in what weir tells")
		}
	}
}

// TestRealLogin: from a server that nobody is logged in to, to the result of the
// call, which was made once; and another weir, which has waited in vain before,
// goes on by itself.
func TestRealLogin(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		for _, byLink := range []bool{true, false} {
			t.Run(e.String()+" host, "+[...]string{"by browser", "by link"}[ternary(byLink)], func(t *testing.T) {
				t.Parallel() // weirs look for logins of others every 2 s
				server := upstreamtest.New(tidy(e.versions()...))
				issuer := authserver.New(t, authserver.Options{})
				endpoint := issuer.Protect(server, "/mcp")
				folder := filepath.Join(t.TempDir(), "weir")
				var log logText
				user := &person{t: t, issuer: issuer}
				defer user.wait.Wait() // before the context of the test ends
				capabilities := withoutLinks
				if byLink {
					capabilities = withLinks
				}

				idle := realWeir(t, folder, endpoint, nil, &log)
				idle.tell(e.open()...)
				idle.until(`"init"`)
				idle.tell(listRequest(e, "1"))
				if list := idle.until(`"id":1,`); strings.Contains(list, "up__") || !strings.Contains(list, "weir__login") {
					t.Errorf("got %s, want weir__login alone", list)
				}
				if e == modern {
					idle.tell(e.request(`"l"`, "subscriptions/listen", listening1, ""))
				}

				h := realWeir(t, folder, endpoint, user, &log)
				h.tell(declaring(capabilities, e.open()...)...)
				h.until(`"init"`)
				h.tell(listRequest(e, `"list"`))
				h.until(`"id":"list"`)
				var told []string
				h.tell(declaring(capabilities, e.request("1", "tools/call", `"name":"weir__login","arguments":{}`, ""))...)
				if byLink {
					page := h.answerLink(t, e)
					user.wait.Go(func() { issuer.Browse(t, page) })
				}
				answer := h.until(`"text":"`)
				told = append(told, answer)
				if !strings.Contains(answer, `The user is logged in to server \"up\" at 127.0.0.1:`) {
					t.Fatalf("got %s", answer)
				}
				h.tell(declaring(capabilities, e.request("3", "tools/call", removeCallOf("up__remove"), ""))...)
				if answer := h.until(`"id":3,`); !strings.Contains(answer, `"result"`) {
					t.Errorf("got %s", answer)
				}

				for list := ""; !strings.Contains(list, `"up__echo"`); { // weir__login may go first
					idle.until(toolChanges)
					idle.tell(listRequest(e, `"again"`))
					list = idle.until(`"id":"again",`)
				}
				idle.tell(e.call("2", "up__echo", "{}"))
				if answer := idle.until(`"id":2,`); !strings.Contains(answer, `"result"`) || strings.Contains(answer, `"isError":true`) {
					t.Errorf("got %s", answer)
				}
				if calls := server.Received("tools/call"); len(calls) != 2 {
					t.Errorf("got %d calls, want 2", len(calls))
				}
				if pages := user.opened(); (len(pages) == 0) != byLink {
					t.Errorf("got %d pages opened", len(pages))
				}
				secretsOf(t, issuer, append(told, log.String())...)
			})
		}
	}
}

// TestRealCall: a call that needs more than was granted goes through when the user
// has granted it; calls of other tools ask for nothing.
func TestRealCall(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		t.Run(e.String()+" host", func(t *testing.T) {
			server := upstreamtest.New(tidy(e.versions()...))
			issuer := authserver.New(t, authserver.Options{ToolScopes: map[string][]string{"remove": {"admin"}}})
			endpoint := issuer.Protect(server, "/mcp")
			var log logText
			user := &person{t: t, issuer: issuer}
			defer user.wait.Wait() // before the context of the test ends
			h := realWeir(t, filepath.Join(t.TempDir(), "weir"), endpoint, user, &log)
			h.tell(declaring(withLinks, e.open()...)...)
			h.until(`"init"`)
			h.tell(declaring(withLinks, listRequest(e, `"list"`))...)
			h.until(`"id":"list"`)
			h.tell(declaring(withLinks, e.request("1", "tools/call", `"name":"weir__login","arguments":{}`, ""))...)
			page := h.answerLink(t, e)
			issuer.Browse(t, page)
			h.until(`"text":"`)
			h.tell(declaring(withLinks, e.request("5", "tools/call", removeCallOf("up__echo"), ""))...)
			if answer := h.until(`"id":5,`); !strings.Contains(answer, `"result"`) {
				t.Errorf("got %s", answer)
			}
			h.tell(declaring(withLinks, e.request("1", "tools/call", removeCallOf("up__remove"), ""))...)
			page = h.answerLinkOf(t, e, removeCallOf("up__remove"))
			if !strings.Contains(page, "admin") {
				t.Errorf("got %s, want it to ask for more", page)
			}
			issuer.Browse(t, page)
			if answer := h.until(`"id":` + idAfter(e) + `,"result"`); strings.Contains(answer, `"isError":true`) {
				t.Errorf("got %s", answer)
			}
			if calls := server.Received("tools/call"); len(calls) != 2 {
				t.Errorf("got %d calls, want 2", len(calls))
			}
			secretsOf(t, issuer, log.String())
		})
	}
}

// TestRealBrowser is TestRealCall for a host that cannot have pages opened: weir
// opens the browser for a call that nobody has asked it for.
func TestRealBrowser(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		t.Run(e.String()+" host", func(t *testing.T) {
			server := upstreamtest.New(tidy(e.versions()...))
			issuer := authserver.New(t, authserver.Options{ToolScopes: map[string][]string{"remove": {"admin"}}})
			endpoint := issuer.Protect(server, "/mcp")
			var log logText
			user := &person{t: t, issuer: issuer}
			defer user.wait.Wait() // before the context of the test ends
			h := realWeir(t, filepath.Join(t.TempDir(), "weir"), endpoint, user, &log)
			h.tell(e.open()...)
			h.until(`"init"`)
			h.tell(listRequest(e, `"list"`))
			h.until(`"id":"list"`)
			h.tell(e.call("1", "weir__login", "{}"))
			if answer := h.answer("1"); !strings.Contains(answer, `is logged in`) {
				t.Fatalf("got %s", answer)
			}
			h.tell(e.call("2", "up__remove", "{}"), e.call("3", "up__remove", "{}"))
			got := h.until(`"result"`) + h.until(`"result"`)
			if strings.Contains(got, `"isError":true`) || !strings.Contains(got, `"id":2,`) || !strings.Contains(got, `"id":3,`) {
				t.Errorf("got %s", got)
			}
			if calls := server.Received("tools/call"); len(calls) != 2 {
				t.Errorf("got %d calls, want 2", len(calls))
			}
			if pages := user.opened(); len(pages) != 2 || !strings.Contains(pages[1], "admin") {
				t.Errorf("got pages %q, want one to log in and one for more rights", pages)
			}
			secretsOf(t, issuer, got, log.String())
		})
	}
}

func removeCallOf(tool string) string { return `"name":"` + tool + `","arguments":{}` }

func ternary(b bool) int {
	if b {
		return 1
	}
	return 0
}

// answerLink agrees to open the page of weir__login, and returns it.
func (h *host) answerLink(t *testing.T, e era) string {
	t.Helper()
	return h.answerLinkOf(t, e, `"name":"weir__login","arguments":{}`)
}

func (h *host) answerLinkOf(t *testing.T, e era, params string) string {
	t.Helper()
	asked := h.until("elicitation/create")
	var question struct {
		ID     json.RawMessage
		Params struct{ URL string }
		Result struct {
			RequestState  string
			InputRequests map[string]struct{ Params struct{ URL string } }
		}
	}
	if err := json.Unmarshal([]byte(asked), &question); err != nil {
		t.Fatal(err)
	}
	if e == legacy {
		h.tell(`{"jsonrpc":"2.0","id":` + string(question.ID) + `,"result":{"action":"accept"}}`)
		return question.Params.URL
	}
	for key, request := range question.Result.InputRequests {
		h.tell(declaring(withLinks, e.request("2", "tools/call", join(params, resumeWith(`{"`+key+`":{"action":"accept"}}`, question.Result.RequestState)), ""))...)
		return request.Params.URL
	}
	t.Fatalf("got %s", asked)
	return ""
}

// logText is a log of several goroutines.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns what was logged.
func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
