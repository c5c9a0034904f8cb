package approval

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/state"
)

// newCall is a call of the tool "remove", changed by each of the changes.
func newCall(t *testing.T, changes ...func(*Subject)) *Call {
	t.Helper()
	s := Subject{
		Principal: policy.Principal{Key: "laptop"}, Server: "files", Kind: policy.Tool, Name: "remove",
		Arguments: []byte(`{"path":"/x","n":1.0}`), Definition: []byte(`{"name":"remove","description":"d"}`),
		Why: "mcp.yaml:3", Client: policy.Client{Name: "host", Version: "1"},
	}
	for _, change := range changes {
		change(&s)
	}
	c, err := NewCall(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func arguments(raw string) func(*Subject) { return func(s *Subject) { s.Arguments = []byte(raw) } }

func definition(raw string) func(*Subject) { return func(s *Subject) { s.Definition = []byte(raw) } }

// clock is a store's time.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newStore(t *testing.T) (*Store, *clock) {
	c := &clock{time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)}
	s := NewStore(state.At(filepath.Join(t.TempDir(), "weir")))
	s.now = c.now
	return s, c
}

// sole is the one request that waits.
func sole(t *testing.T, s *Store) *Request {
	t.Helper()
	waiting, err := s.Waiting()
	if err != nil || len(waiting) != 1 {
		t.Fatalf("got %d requests, %v, want one", len(waiting), err)
	}
	return waiting[0]
}

// wants checks whether a call may go through.
func wants(t *testing.T, s *Session, what string, c *Call, want bool) {
	t.Helper()
	if got, err := s.Approved(t.Context(), c); got != want || err != nil {
		t.Errorf("%s: got %v, %v, want %v", what, got, err, want)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestScopes: what each scope lets through, given at a terminal or by the host's
// user.
func TestScopes(t *testing.T) {
	other := arguments(`{"path":"/y","n":1.0}`)
	tests := []struct {
		name    string
		change  func(*Subject)
		granted map[Scope]bool
	}{
		{"the same", func(*Subject) {}, map[Scope]bool{ThisCall: true, TheseArguments: true, ToolThisSession: true, ToolAlways: true}},
		{"the same in other words", arguments(` { "n":1.0, "path" : "/x"}`), map[Scope]bool{ThisCall: true, TheseArguments: true, ToolThisSession: true, ToolAlways: true}},
		{"other arguments", other, map[Scope]bool{ToolThisSession: true, ToolAlways: true}},
		{"another number", arguments(`{"path":"/x","n":1}`), map[Scope]bool{ToolThisSession: true, ToolAlways: true}},
		{"an argument more", arguments(`{"path":"/x","n":1.0,"f":true}`), map[Scope]bool{ToolThisSession: true, ToolAlways: true}},
		{"an argument twice", arguments(`{"path":"/x","n":1.0,"path":"/y"}`), map[Scope]bool{ToolThisSession: true, ToolAlways: true}},
		{"no arguments", func(s *Subject) { s.Arguments = nil }, map[Scope]bool{ToolThisSession: true, ToolAlways: true}},
		{"changed definition", definition(`{"name":"remove","description":"D"}`), map[Scope]bool{ThisCall: true, TheseArguments: true}},
		{"definition in other order", definition(`{"description":"d", "name":"remove"}`), map[Scope]bool{ThisCall: true, TheseArguments: true, ToolThisSession: true, ToolAlways: true}},
		{"another tool", func(s *Subject) { s.Name = "Remove" }, nil},
		{"another server", func(s *Subject) { s.Server = "db" }, nil},
		{"another kind", func(s *Subject) { s.Kind = policy.Prompt }, nil},
		{"another key", func(s *Subject) { s.Principal.Key = "" }, nil},
		{"another profile", func(s *Subject) { s.Principal.Profile = "work" }, nil},
	}
	for _, scope := range []Scope{ThisCall, TheseArguments, ToolThisSession, ToolAlways} {
		for _, test := range tests {
			t.Run(string(scope)+"/"+test.name, func(t *testing.T) {
				store, _ := newStore(t)
				s := store.NewSession()
				check(t, s.Wait(t.Context(), newCall(t)))
				check(t, store.Approve(t.Context(), sole(t, store), scope))
				wants(t, s, "approved at a terminal", newCall(t, test.change), test.granted[scope])

				store, _ = newStore(t)
				s = store.NewSession()
				check(t, s.Grant(t.Context(), newCall(t), scope))
				wants(t, s, "approved in the host", newCall(t, test.change), test.granted[scope] && scope != ThisCall)
			})
		}
	}
}

func TestOnceIsOnce(t *testing.T) {
	store, _ := newStore(t)
	one, two := store.NewSession(), store.NewSession()
	check(t, one.Wait(t.Context(), newCall(t)))
	check(t, two.Wait(t.Context(), newCall(t)))
	waiting, _ := store.Waiting()
	if len(waiting) != 2 {
		t.Fatalf("got %d requests, want one of each session", len(waiting))
	}
	check(t, store.Approve(t.Context(), waiting[0], ThisCall))
	wants(t, two, "call from another session", newCall(t), true)
	wants(t, one, "second call", newCall(t), false)
	check(t, store.Approve(t.Context(), sole(t, store), ThisCall))
	wants(t, one, "call with a second yes", newCall(t), true)
}

// TestOnceIsOnceAcrossProcesses: of many that try at once exactly one gets
// through.
func TestOnceIsOnceAcrossProcesses(t *testing.T) {
	store, clock := newStore(t)
	const yeses, tries = 3, 16
	for range yeses {
		check(t, store.NewSession().Wait(t.Context(), newCall(t)))
	}
	waiting, _ := store.Waiting()
	for _, r := range waiting {
		check(t, store.Approve(t.Context(), r, ThisCall))
	}
	var through atomic.Int32
	var all sync.WaitGroup
	for range tries {
		c := newCall(t)
		all.Go(func() {
			other := NewStore(store.folder) // as another process has its own
			other.now = clock.now
			ok, err := other.NewSession().Approved(context.Background(), c)
			if err != nil {
				t.Error(err)
			}
			if ok {
				through.Add(1)
			}
		})
	}
	all.Wait()
	if got := through.Load(); got != yeses {
		t.Errorf("%d calls got through, want %d", got, yeses)
	}
}

func TestSessionIsOne(t *testing.T) {
	store, clock := newStore(t)
	one, two := store.NewSession(), store.NewSession()
	check(t, one.Wait(t.Context(), newCall(t)))
	check(t, two.Wait(t.Context(), newCall(t)))
	waiting, _ := store.Waiting()
	check(t, store.Approve(t.Context(), waiting[0], ToolThisSession))
	wants(t, one, "its session", newCall(t), true)
	wants(t, one, "its session, again", newCall(t), true)
	wants(t, two, "another session", newCall(t), false)
	clock.at = clock.at.Add(sessionTime)
	wants(t, one, "a day later", newCall(t), false)

	check(t, two.Grant(t.Context(), newCall(t), ToolThisSession))
	if grants, err := store.Grants(); len(grants) != 0 || err != nil {
		t.Errorf("got %v, %v, want what was approved in a host to stay there", grants, err)
	}
	if !two.Remembers(newCall(t)) || one.Remembers(newCall(t)) {
		t.Error("a session must remember what was approved in it, and no other")
	}
}

func TestTimePasses(t *testing.T) {
	store, clock := newStore(t)
	s := store.NewSession()
	check(t, s.Wait(t.Context(), newCall(t)))
	r := sole(t, store)
	clock.at = clock.at.Add(WaitTime - 1)
	check(t, s.Wait(t.Context(), newCall(t))) // it comes again
	if again := sole(t, store); again.ID != r.ID || !again.Asked.Equal(r.Asked) {
		t.Errorf("got %+v, want the same request", again)
	}
	clock.at = clock.at.Add(WaitTime - 1)
	check(t, store.Approve(t.Context(), sole(t, store), ThisCall))
	clock.at = clock.at.Add(WaitTime)
	wants(t, s, "call long after the yes", newCall(t), false)

	check(t, s.Wait(t.Context(), newCall(t)))
	r = sole(t, store)
	clock.at = clock.at.Add(WaitTime)
	if waiting, err := store.Waiting(); len(waiting) != 0 || err != nil {
		t.Errorf("got %v, %v, want nothing to wait any more", waiting, err)
	}
	if err := store.Approve(t.Context(), r, ToolAlways); !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want %v", err, ErrGone)
	}
	check(t, s.Wait(t.Context(), newCall(t)))
	clock.at = clock.at.Add(-time.Hour)
	if waiting, err := store.Waiting(); len(waiting) != 0 || err != nil {
		t.Errorf("clock set back: got %v, %v, want nothing", waiting, err)
	}
}

// TestApproveWhatWasShown: a request that says something else than what was read
// is another one.
func TestApproveWhatWasShown(t *testing.T) {
	store, _ := newStore(t)
	check(t, store.NewSession().Wait(t.Context(), newCall(t)))
	for name, change := range map[string]func(*Request){
		"arguments": func(r *Request) { r.Call = `{}` },
		"name":      func(r *Request) { r.Name = "list" },
		"id":        func(r *Request) { r.ID = "x" },
	} {
		r := sole(t, store)
		change(r)
		if err := store.Approve(t.Context(), r, ThisCall); !errors.Is(err, ErrGone) {
			t.Errorf("%s: got %v, want %v", name, err, ErrGone)
		}
	}
	sole(t, store)
}

func TestWithdraw(t *testing.T) {
	store, _ := newStore(t)
	s := store.NewSession()
	check(t, s.Wait(t.Context(), newCall(t)))
	check(t, store.Dismiss(t.Context(), sole(t, store)))
	wants(t, s, "dismissed", newCall(t), false)
	check(t, s.Wait(t.Context(), newCall(t)))
	check(t, store.Approve(t.Context(), sole(t, store), ToolAlways))
	grants, _ := store.Grants()
	if len(grants) != 1 || grants[0].Scope != ToolAlways || grants[0].Call != "" {
		t.Fatalf("got %+v", grants)
	}
	check(t, store.Revoke(t.Context(), grants[0]))
	wants(t, s, "revoked", newCall(t), false)
	if err := store.Revoke(t.Context(), grants[0]); !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want %v", err, ErrGone)
	}
	if _, err := os.Stat(store.Path()); !os.IsNotExist(err) {
		t.Errorf("got %v, want no file that holds nothing", err)
	}
}

// TestAlwaysAnswersAll: a yes for always answers all that it covers.
func TestAlwaysAnswersAll(t *testing.T) {
	store, _ := newStore(t)
	for _, c := range []*Call{newCall(t), newCall(t, arguments(`{}`)), newCall(t, func(s *Subject) { s.Name = "list" })} {
		check(t, store.NewSession().Wait(t.Context(), c))
	}
	waiting, _ := store.Waiting()
	check(t, store.Approve(t.Context(), waiting[0], ToolAlways))
	if left := sole(t, store); left.Name != "list" {
		t.Errorf("got %q left", left.Name)
	}
}

func TestWithoutDefinition(t *testing.T) {
	store, _ := newStore(t)
	s := store.NewSession()
	c := newCall(t, func(s *Subject) { s.Kind, s.Definition, s.Arguments = policy.Resource, nil, nil })
	check(t, s.Wait(t.Context(), c))
	for _, scope := range []Scope{ToolThisSession, ToolAlways, "", "everything"} {
		if err := store.Approve(t.Context(), sole(t, store), scope); err == nil {
			t.Errorf("%q: approved", scope)
		}
		if err := s.Grant(t.Context(), c, scope); err == nil {
			t.Errorf("%q: granted", scope)
		}
	}
	if got := c.ScopeOf("this resource always"); got != TheseArguments {
		t.Errorf("got %q", got)
	}
	check(t, s.Grant(t.Context(), c, TheseArguments))
	wants(t, s, "the resource", c, true)
}

func TestBounds(t *testing.T) {
	if _, err := NewCall(Subject{Arguments: []byte(`"` + strings.Repeat("x", MaxArguments) + `"`)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want %v", err, ErrTooLarge)
	}
	store, _ := newStore(t)
	flood := store.NewSession()
	nth := func(i int) *Call { return newCall(t, arguments(strconv.Itoa(i))) }
	for i := range maxOfSession {
		check(t, flood.Wait(t.Context(), nth(i)))
	}
	if err := flood.Wait(t.Context(), nth(maxOfSession)); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want %v", err, ErrFull)
	}
	check(t, flood.Wait(t.Context(), nth(0))) // waits already
	check(t, store.NewSession().Wait(t.Context(), nth(maxOfSession)))

	store, _ = newStore(t)
	large := arguments(`"` + strings.Repeat("x", MaxArguments-2) + `"`)
	for i := range maxUnread / MaxArguments {
		check(t, store.NewSession().Wait(t.Context(), newCall(t, large, func(s *Subject) { s.Name = strconv.Itoa(i) })))
	}
	if err := store.NewSession().Wait(t.Context(), nth(1)); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want %v", err, ErrFull)
	}
}

// TestUnreadable: a file that is not understood approves nothing and is left as
// it is.
func TestUnreadable(t *testing.T) {
	for name, text := range map[string]string{
		"damaged":       `{"version":1,"grants":[`,
		"empty":         ``,
		"newer version": `{"version":2,"grants":[]}`,
		"nothing in it": `{"version":1,"grants":[null]}`,
		"other shape":   `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			store, _ := newStore(t)
			s := store.NewSession()
			check(t, s.Grant(t.Context(), newCall(t), ToolAlways))
			check(t, os.WriteFile(store.Path(), []byte(text), 0o600))
			if ok, err := s.Approved(t.Context(), newCall(t)); ok || !errors.Is(err, ErrUnreadable) {
				t.Errorf("got %v, %v", ok, err)
			}
			for what, err := range map[string]error{
				"wait":  s.Wait(t.Context(), newCall(t)),
				"grant": s.Grant(t.Context(), newCall(t), ToolAlways),
			} {
				if !errors.Is(err, ErrUnreadable) {
					t.Errorf("%s: got %v", what, err)
				}
			}
			if got, _ := os.ReadFile(store.Path()); string(got) != text {
				t.Errorf("it became %q", got)
			}
		})
	}
}

func TestWithoutFolder(t *testing.T) {
	s := NewStore(state.Folder{}).NewSession()
	wants(t, s, "nothing approved", newCall(t), false)
	if err := s.Wait(t.Context(), newCall(t)); !errors.Is(err, state.ErrNoFolder) {
		t.Errorf("got %v", err)
	}
	check(t, s.Grant(t.Context(), newCall(t), ToolThisSession))
	wants(t, s, "approved in the host", newCall(t), true)

	var none *Store
	wants(t, none.NewSession(), "no store", newCall(t), false)
	if none.NewSession().Wait(t.Context(), newCall(t)) == nil {
		t.Error("it waits nowhere")
	}
}

// TestKept: what others wrote is kept to the byte, and nobody else may read it.
func TestKept(t *testing.T) {
	store, _ := newStore(t)
	raw := "{\"a\": \"<&>\u2028\\ud83d\x7f\", \"n\":1E400}"
	check(t, store.NewSession().Wait(t.Context(), newCall(t, arguments(raw))))
	if got := sole(t, store).Call; got != raw {
		t.Errorf("got %q, want %q", got, raw)
	}
	info, err := os.Stat(store.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}
