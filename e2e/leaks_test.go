package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// TestNothingGrows: however calls end, and however often servers die, weir has
// no more open files afterwards, and no more children.
func TestNothingGrows(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("open files are counted in /proc, which only Linux has")
	}
	p := testPlaces(t)
	script := upstreamtest.Script{
		Tools: []json.RawMessage{upstreamtest.Tool("ok"), upstreamtest.Tool("wait"), upstreamtest.Tool("dies"), upstreamtest.Tool("fails")},
		Rules: []upstreamtest.Rule{
			{On: "tools/call wait", Do: []upstreamtest.Step{{Await: "cancel"}}},
			{On: "tools/call fails", Do: []upstreamtest.Step{{Error: []byte(`{"code":1,"message":"no"}`)}}},
			{On: "tools/call dies", Do: []upstreamtest.Step{{Exit: true}}},
		},
	}
	file := filepath.Join(p.home, "script.json")
	if err := script.Save(file); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(upstreamtest.New(script))
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	s := openSession(t, upstreamtest.Legacy, p.weir(t, fmt.Sprintf(
		"policy: {default: execute}\nservers:\n  child: {command: fake, args: [%q]}\n  web: {url: %q}\n", file, web.URL)))
	s.tools(t)

	use := func(server string) {
		s.call(t, server+"__ok", `{}`)
		s.call(t, server+"__fails", `{}`)
		s.call(t, server+"__no_such", `{}`)
		id := s.begin(t, "tools/call", `"name":"`+server+`__wait"`, "")
		s.notify(t, "notifications/cancelled", `"requestId":`+id)
		s.call(t, server+"__ok", `{}`)
	}
	round := func(calls, deaths int) {
		for range calls {
			use("child")
			use("web")
		}
		for range deaths {
			s.call(t, "child__dies", `{}`)
			s.call(t, "child__ok", `{}`)
		}
	}
	round(5, 1)
	files, children := s.openFiles(t), s.children(t)
	round(50, 5)
	// A connection or two more or less may rest in the pool of HTTP, and that of
	// a cancelled call is left open for a moment.
	const pooled = 3
	for end := time.Now().Add(patience); s.openFiles(t) > files+pooled; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("open files: got %d, want %d", s.openFiles(t), files)
			break
		}
	}
	if got := s.children(t); got != children {
		t.Errorf("children: got %d, want %d", got, children)
	}
}

func (h *host) openFiles(t *testing.T) int {
	t.Helper()
	count, err := openFiles(h.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// children counts all processes of the test but weir itself.
func (h *host) children(t *testing.T) int {
	t.Helper()
	environment := environment(h.cmd)
	return len(withEnvironment("TMPDIR="+environment["TMPDIR"])) - 1
}

// TestLeaksAreSeen: the proof that nothing is left would find what is.
func TestLeaksAreSeen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are found in /proc, which only Linux has")
	}
	p, err := newPlaces(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.temp, "left-over"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := startHost(p.command(t.Context(), "fake", "no-such-script"))
	if err != nil {
		t.Fatal(err)
	}
	h.kill()
	if err := p.nothingLeft(); err == nil || !strings.Contains(err.Error(), "left-over") {
		t.Errorf("got %v, want an error about left-over", err)
	}

	script := upstreamtest.Script{}
	file := filepath.Join(p.home, "script.json")
	if err := script.Save(file); err != nil {
		t.Fatal(err)
	}
	s := openSession(t, upstreamtest.Legacy, p.command(context.Background(), "fake", file))
	if got := withEnvironment("TMPDIR=" + p.temp); len(got) != 1 || !strings.Contains(got[0], strconv.Itoa(s.cmd.Process.Pid)) {
		t.Errorf("processes: got %q, want the one with id %d", got, s.cmd.Process.Pid)
	}
}

// TestNothingGrowsWithLogins: however often somebody logs in and out, tokens end
// and logins are given up, weir has no more open files afterwards, no listener, and
// no more children. Its memory it may use as it likes.
func TestNothingGrowsWithLogins(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("open files are counted in /proc, which only Linux has")
	}
	t.Parallel()
	server := authserver.New(t, authserver.Options{})
	u := newUser(t, strings.Replace(protected(server), `"}}`, `", auth: {type: oauth2, login: ask}}}`, 1)).withBrowser()
	s := u.serve(t, upstreamtest.Legacy)
	s.tools(t)
	logIn := func(want string) {
		t.Helper()
		until(t, "weir__login", func() bool {
			return slices.ContainsFunc(s.tools(t), func(tool string) bool { return nameOf(t, tool) == "weir__login" })
		})
		if got := string(s.call(t, "weir__login", `{"server":"notes"}`).Raw); !strings.Contains(got, want) {
			t.Errorf("weir__login: got %s, want %q", got, want)
		}
	}
	round := func() {
		server.Set(func(o *authserver.Options) { o.AuthorizeError = "access_denied" })
		logIn("denied")
		server.Set(func(o *authserver.Options) { o.AuthorizeError = "" })
		logIn("ogged in")
		until(t, "a call", func() bool { return strings.Contains(string(s.call(t, "notes__ok", `{}`).Raw), `"text":"ok"`) })
		for range 5 {
			server.Expire()
			s.tryCall(t)
		}
		u.wants(t, []string{"Logged out"}, "logout", "notes")
		until(t, "the log-out is noticed", func() bool {
			return strings.Contains(string(s.call(t, "notes__ok", `{}`).Raw), "weir login notes")
		})
	}
	round()
	files, children := s.openFiles(t), s.children(t)
	for range 5 {
		round()
	}
	const pooled = 3 // as above
	until(t, fmt.Sprintf("no more than %d open files", files+pooled), func() bool { return s.openFiles(t) <= files+pooled })
	until(t, "no listener", func() bool { return s.listeners(t) == 0 })
	until(t, fmt.Sprintf("no more than %d children", children), func() bool { return s.children(t) <= children })
}

// listeners counts the TCP ports that the server listens on.
func (h *host) listeners(t *testing.T) (n int) {
	t.Helper()
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", h.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	listening := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 9 && fields[3] == "0A" {
			listening["socket:["+fields[9]+"]"] = true
		}
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", h.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && listening[target] {
			n++
		}
	}
	return n
}
