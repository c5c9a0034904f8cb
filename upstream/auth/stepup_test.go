package auth_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

func call(tool string) string {
	return `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"` + tool + `"}}`
}

// wantsMore fails the test unless a call ends with a step-up, which it returns.
func (p *process) wantsMore(tool string) *auth.LoginError {
	p.t.Helper()
	status, err := p.post(call(tool))
	wanted, ok := errors.AsType[*auth.LoginError](err)
	if !ok || !wanted.StepUp {
		p.t.Fatalf("got %d, %v, want a step-up", status, err)
	}
	return wanted
}

func (p *process) gets(status int, tool string) {
	p.t.Helper()
	if got, err := p.post(call(tool)); got != status || err != nil {
		p.t.Fatalf("%s: got %d, %v, want %d", tool, got, err, status)
	}
}

func TestStepUp(t *testing.T) {
	w := newWorld(t, authserver.Options{
		ChallengeScopes: []string{"basic"}, ChallengeOnly: true, ToolScopes: map[string][]string{"write": {"rw"}, "rule": {"admin"}},
	})
	p := w.loggedIn()
	p.gets(http.StatusOK, "read")
	wanted := p.wantsMore("write")
	if want := []string{"basic", "rw"}; !slices.Equal(wanted.Scopes, want) {
		t.Errorf("got scopes %q, want %q", wanted.Scopes, want)
	}
	if got := p.a.Wanted(); got == nil || !got.StepUp {
		t.Errorf("got %v, want a step-up", got)
	}
	p.gets(http.StatusOK, "read") // others go on
	p.wantsMore("rule")
	other := w.process()
	if err := w.login(p); err != nil {
		t.Fatal(err)
	}
	visits := w.server.At("/authorize")
	if got := visits[len(visits)-1].Form.Get("scope"); got != "basic rw admin" {
		t.Errorf("got scope %q, want all that was wanted", got)
	}
	for _, tool := range []string{"read", "write", "rule"} {
		p.gets(http.StatusOK, tool)
		other.gets(http.StatusOK, tool)
	}
	if p.a.Wanted() != nil {
		t.Errorf("got %v wanted, want nothing", p.a.Wanted())
	}
}

// TestStepUpElsewhere: another process has stepped up while this one had its token.
func TestStepUpElsewhere(t *testing.T) {
	w := newWorld(t, authserver.Options{ChallengeScopes: []string{"basic"}, ToolScopes: map[string][]string{"write": {"basic", "rw"}}})
	p, other := w.loggedIn(), w.process()
	p.gets(http.StatusOK, "read")
	other.wantsMore("write")
	if err := w.login(other); err != nil {
		t.Fatal(err)
	}
	p.gets(http.StatusOK, "write")
}

// TestStepUpHasAnEnd: who has allowed all, or will not, is not asked again.
func TestStepUpHasAnEnd(t *testing.T) {
	for name, withhold := range map[string][]string{"granted in vain": nil, "not granted": {"rw"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, authserver.Options{ChallengeScopes: []string{"basic"}, Withhold: withhold, ToolScopes: map[string][]string{"write": {"rw"}}})
			p := w.loggedIn()
			p.wantsMore("write")
			if err := w.login(p); err != nil {
				t.Fatal(err)
			}
			if withhold == nil { // granted, and it changes nothing
				w.server.Set(func(o *authserver.Options) {
					o.Challenge = func(rw http.ResponseWriter, _ *http.Request, _ string) {
						rw.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="rw"`)
						rw.WriteHeader(http.StatusForbidden)
					}
					o.ToolScopes = map[string][]string{"write": {"never"}}
				})
			}
			for range 3 {
				p.gets(http.StatusForbidden, "write")
			}
			if p.a.Wanted() != nil {
				t.Errorf("got %v wanted, want nothing", p.a.Wanted())
			}
			p.gets(http.StatusOK, "read")
			if withhold == nil { // who comes later sees that it was granted
				w.process().gets(http.StatusForbidden, "write")
			}
		})
	}
}

// TestForbiddenIsForbidden: a 403 for any other reason is the answer.
func TestForbiddenIsForbidden(t *testing.T) {
	w := newWorld(t, authserver.Options{ToolScopes: map[string][]string{"write": {"rw"}}})
	w.server.Set(func(o *authserver.Options) {
		o.Challenge = func(rw http.ResponseWriter, r *http.Request, header string) {
			if r.Header.Get("Authorization") == "" {
				rw.Header().Set("WWW-Authenticate", header)
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
			rw.Header().Set("WWW-Authenticate", `Bearer error="access_denied"`)
			rw.WriteHeader(http.StatusForbidden)
		}
	})
	p := w.loggedIn()
	p.gets(http.StatusForbidden, "write")
	if p.a.Wanted() != nil {
		t.Errorf("got %v wanted, want nothing", p.a.Wanted())
	}
}
