package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// This file is what users of other gateways complain of when what stands behind the
// gateway changes: lists that are read once.

// TestListsFollowTheServer: elsewhere a list is read once, when a server is
// registered, and what it adds or takes away later is not seen without a restart.
func TestListsFollowTheServer(t *testing.T) {
	t.Parallel()
	r := newReloading(t, func(u *user) string {
		return anyoneMayLook + "servers:\n" + u.scripted(t, "up", upstreamtest.Script{
			Tools: []json.RawMessage{upstreamtest.Tool("old"), upstreamtest.Tool("turn")},
			Rules: []upstreamtest.Rule{{On: "tools/call turn", Do: []upstreamtest.Step{
				{Tools: []json.RawMessage{upstreamtest.Tool("new"), upstreamtest.Tool("turn")}}, {Default: true},
			}}},
		})
	})
	if got := r.names(t); got != "up__old up__turn weir__servers" {
		t.Fatalf("got %s", got)
	}
	r.call(t, "up__turn", `{}`)
	r.changed(t)
	if got := r.names(t); got != "up__new up__turn weir__servers" {
		t.Errorf("got %s", got)
	}
	if got := string(r.call(t, "up__new", `{}`).Raw); !strings.Contains(got, `"text":"new"`) {
		t.Errorf("the new tool: got %s", got)
	}
	if got := string(r.call(t, "up__old", `{}`).Raw); !strings.Contains(got, "Unknown tool: up__old") {
		t.Errorf("the one that was taken away: got %s", got)
	}
}

// TestRecoveredServerIsSeen: elsewhere a host that is connected already never sees
// the tools of a server that was down by then; it has to connect again.
func TestRecoveredServerIsSeen(t *testing.T) {
	t.Parallel()
	var program string
	r := newReloading(t, func(u *user) string {
		program = filepath.Join(u.home, "server")
		return anyoneMayLook + "servers:\n" + strings.Replace(u.fake(t, "late", "l"), "command: fake", "command: "+program, 1)
	})
	if got := r.names(t); got != "weir__servers" {
		t.Fatalf("while it is down: got %s", got)
	}
	if got := string(r.call(t, "late__l", `{}`).Raw); !strings.Contains(got, "could not be started. Nothing was sent.") {
		t.Errorf("a call while it is down: got %s", got)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec fake \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.changed(t)
	if got := r.names(t); got != "late__l weir__servers" {
		t.Errorf("when it is up: got %s", got)
	}
	if got := string(r.call(t, "late__l", `{}`).Raw); !strings.Contains(got, `"text":"l"`) {
		t.Errorf("a call when it is up: got %s", got)
	}
}

// TestServersComeAndGoUnderAHost: elsewhere servers that are added to or taken from
// a group are so for hosts that connect afterwards only, and who stays is told
// nothing.
func TestServersComeAndGoUnderAHost(t *testing.T) {
	t.Parallel()
	var one, two string
	r := newReloading(t, func(u *user) string {
		one, two = u.fake(t, "one", "a"), u.fake(t, "two", "b")
		return anyoneMayLook + "servers:\n" + one
	})
	for _, step := range []struct{ servers, want string }{
		{one, "one__a weir__servers"},
		{one + two, "one__a two__b weir__servers"},
		{two, "two__b weir__servers"},
		{one + two, "one__a two__b weir__servers"},
	} {
		if step.servers != one {
			r.configure(t, anyoneMayLook+"servers:\n"+step.servers)
			r.changed(t)
		}
		if got := r.names(t); got != step.want {
			t.Errorf("got %s, want %s", got, step.want)
		}
	}
	for _, name := range []string{"one__a", "two__b"} {
		if got := string(r.call(t, name, `{}`).Raw); strings.Contains(got, "rror") {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// TestListTakenWhileServersLoad: elsewhere a list that a host has read while servers
// were still loading stays what it gets for good, so that late ones never come.
func TestListTakenWhileServersLoad(t *testing.T) {
	t.Parallel()
	var quick, late string
	r := newReloading(t, func(u *user) string {
		quick = u.fake(t, "quick", "q")
		late = u.scripted(t, "late", upstreamtest.Script{
			Log: filepath.Join(u.home, "late.log"), Tools: []json.RawMessage{upstreamtest.Tool("l")},
			Rules: []upstreamtest.Rule{{On: "tools/list", Do: []upstreamtest.Step{{Delay: upstreamtest.Duration(reloadedMeanwhile)}, {Default: true}}}},
		})
		return anyoneMayLook + "servers:\n" + quick
	})
	r.names(t)
	r.configure(t, anyoneMayLook+"servers:\n"+quick+late)
	r.logs(t, taken)
	if err := awaitFile(filepath.Join(r.home, "late.log"), "tools/list"); err != nil {
		t.Fatal(err)
	}
	if got := r.names(t); got != "quick__q weir__servers" {
		t.Fatalf("while it loads: got %s", got)
	}
	r.changed(t)
	if got := r.names(t); got != "quick__q late__l weir__servers" {
		t.Errorf("when it has: got %s", got)
	}
	if got := string(r.call(t, "late__l", `{}`).Raw); !strings.Contains(got, `"text":"l"`) {
		t.Errorf("a call: got %s", got)
	}
}
