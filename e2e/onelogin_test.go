package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// protected is a configuration of one server, with one tool, that wants a login.
func protected(s *authserver.Server) (config string) {
	endpoint := s.Protect(upstreamtest.New(upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("ok")}}), "/mcp")
	return fmt.Sprintf("servers: {notes: {url: %q}}\npolicy: {default: execute}\n", endpoint)
}

// TestManyWeirsSpendOneRefreshToken: twenty hosts have each their weir, all of one
// user. Access tokens live for 2 s; a refresh token is spent by use, and whoever
// sends it again ends the login of them all. In a thousand calls none is lost, and
// each token is renewed by one of the twenty only.
func TestManyWeirsSpendOneRefreshToken(t *testing.T) {
	weirs, calls := 20, 50
	if testing.Short() {
		weirs, calls = 5, 20
	}
	const life, pace = 2 * time.Second, 200 * time.Millisecond
	server := authserver.New(t, authserver.Options{Life: life})
	u := newUser(t, protected(server))
	u.withBrowser().wants(t, []string{"Logged in"}, "login", "notes")

	sessions := make([]*session, weirs)
	var starting sync.WaitGroup
	for i := range sessions {
		h, err := startHost(u.command("serve"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := h.close(); err != nil {
				t.Error(err)
			}
		})
		sessions[i] = &session{host: h, version: upstreamtest.Modern}
		starting.Go(func() { sessions[i].tryCall(t) })
	}
	starting.Wait()

	before, began := len(server.Granted("refresh_token")), time.Now()
	var calling sync.WaitGroup
	for _, s := range sessions {
		calling.Go(func() {
			next := time.NewTicker(pace)
			defer next.Stop()
			for range calls {
				<-next.C
				s.tryCall(t)
			}
		})
	}
	// Twice the server forgets all access tokens at once: twenty weirs are refused.
	const forgets = 2
	for i := range forgets {
		timer := time.NewTimer(time.Duration(i+1) * time.Duration(calls) * pace / (forgets + 1))
		<-timer.C
		server.Expire()
	}
	calling.Wait()
	took := time.Since(began)

	renewals := server.Granted("refresh_token")
	spent := map[string]bool{}
	for i, e := range renewals {
		token := e.Form.Get("refresh_token")
		if e.Status != http.StatusOK || spent[token] {
			t.Errorf("renewal %d: status %d, spent before: %v", i+1, e.Status, spent[token])
		}
		spent[token] = true
	}
	// A token of 2 s is renewed when a tenth of its life is left, not before; one
	// that the server has forgotten, at once. The first may be of before.
	got, most := len(renewals)-before, int(took/(life*9/10))+1+forgets
	if least := int(took/life) - 2; got < least || got > most {
		t.Errorf("%d renewals in %v, want %d to %d", got, took, least, most)
	}
	if codes := server.Granted("authorization_code"); len(codes) != 1 {
		t.Errorf("%d logins, want one", len(codes))
	}
	t.Logf("%d weirs, %d calls in %v, %d renewals", weirs, weirs*calls, took.Round(time.Millisecond), got)
}

// tryCall makes a call that must go well. It is for goroutines of a test, each with
// a session of its own.
func (s *session) tryCall(t *testing.T) {
	s.last++
	id := fmt.Sprint(s.last)
	err := s.send(`{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":` + s.params(`"name":"notes__ok","arguments":{}`, "") + `}`)
	var line []byte
	if err == nil {
		line, err = s.answer(id)
	}
	if err == nil && !strings.Contains(string(line), `"text":"ok"`) {
		err = errors.New(string(line))
	}
	if err != nil {
		t.Errorf("call %s: %v", id, err)
	}
}
