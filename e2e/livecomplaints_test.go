package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// This file is what users of other gateways complain of when they want to know how
// theirs is doing.

// A liveWeir is what "weir servers --live --json" tells of one that runs.
type liveWeir struct {
	PID     int
	Hosts   []string
	Config  string
	Problem string

	Goroutines int

	Servers []struct {
		Name, State, Reason string
		NextTry             time.Time
		Calls, OK           int
		FailedToReach       int
	}
}

// live asks the weirs that run until it is as wanted, and returns what the last of
// them said.
func (u *user) live(t *testing.T, wanted func([]liveWeir) bool) (weirs []liveWeir) {
	t.Helper()
	until(t, "weirs that run and say so", func() bool {
		said, code := u.run(t, "servers", "--live", "--json")
		if weirs = nil; code != 0 || json.Unmarshal([]byte(said), &weirs) != nil {
			t.Fatalf("exit code %d: %s", code, said)
		}
		return wanted(weirs)
	})
	return weirs
}

const oneIsMissing = `
servers:
  demo: {command: weir, args: [demo-server]}
  missing: {command: ./hidden-place/missing-program, args: [hidden-argument]}
policy:
  default: execute
  rules: [{server: weir, level: execute}]
`

// TestMissingServerIsVisible: elsewhere the session goes well, the tools of one
// server are not there, and nothing says so.
func TestMissingServerIsVisible(t *testing.T) {
	t.Parallel()
	collected := make(chan string, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		collected <- r.URL.Path + " " + string(body)
	}))
	t.Cleanup(collector.Close)
	u := newUser(t, oneIsMissing+fmt.Sprintf("telemetry: {endpoint: %q}\n", collector.URL))
	s := u.serveUntil(t, upstreamtest.Legacy)
	if tools := s.tools(t); len(tools) == 0 {
		t.Fatal("got no tools, want those of the server that is there")
	}
	outcome(t, s.call(t, "demo__echo", `{"text":"hidden-text"}`))
	weirs := u.live(t, func(all []liveWeir) bool {
		return len(all) == 1 && len(all[0].Servers) == 2 && all[0].Servers[0].Calls == 1 && all[0].Servers[1].FailedToReach > 0
	})
	if weirs[0].Goroutines < 3 {
		t.Errorf("got %d goroutines, want some for each server", weirs[0].Goroutines)
	}
	if got := weirs[0].Servers; got[0].State != "ready" || got[1].Name != "missing" || got[1].State == "ready" || got[1].Reason == "" {
		t.Errorf("got %+v", got)
	}
	said := u.wants(t, []string{"demo", "ready", "missing: the server could not be started", "NEXT TRY", "mcp.yaml"}, "servers", "--live")
	told := string(s.call(t, "weir__servers", "{}").Result)
	if !strings.Contains(told, "missing: backoff for ") && !strings.Contains(told, "missing: connecting for ") || !strings.Contains(told, "demo: ready for ") || !strings.Contains(told, "1 calls (0 failed") {
		t.Errorf("weir__servers says %s", told)
	}
	s.hangUp(t)
	collector.Close()
	close(collected)
	var all []string
	for body := range collected {
		all = append(all, body)
	}
	telemetry := strings.Join(all, "\n")
	for _, want := range []string{
		"/v1/metrics ", "/v1/traces ", `"name":"tools/call demo__echo"`,
		`{"key":"weir.server","value":{"stringValue":"missing"}},{"key":"weir.state","value":{"stringValue":"`,
		`{"key":"weir.server","value":{"stringValue":"missing"}},{"key":"weir.event","value":{"stringValue":"failed"}}`,
	} {
		if !strings.Contains(telemetry, want) {
			t.Errorf("the collector was told %s, want it to hold %s", telemetry, want)
		}
	}
	for name, text := range map[string]string{"servers --live": said, "weir__servers": told, "the collector": telemetry} {
		if strings.Contains(text, "hidden") || strings.Contains(text, u.home) {
			t.Errorf("%s: an argument or a path was told: %s", name, text)
		}
	}
}

// serveUntil starts weir with a host that the test itself ends.
func (u *user) serveUntil(t *testing.T, version string) *session {
	t.Helper()
	h, err := startHost(u.command("serve"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.cmd.Process.Kill() }) // it has ended, unless the test has failed
	s := &session{host: h, version: version}
	s.greet(t)
	return s
}

// hangUp is a host that goes, and waits for the end of weir.
func (h *host) hangUp(t *testing.T) {
	t.Helper()
	if err := h.close(); err != nil {
		t.Error(err)
	}
}

// TestNextTryIsShown: elsewhere a server that is down at the start says nothing of
// when it will be tried again.
func TestNextTryIsShown(t *testing.T) {
	t.Parallel()
	u := newUser(t, oneIsMissing)
	s := u.serve(t, upstreamtest.Legacy)
	s.tools(t)
	weirs := u.live(t, func(all []liveWeir) bool {
		return len(all) == 1 && all[0].Servers[1].State == "backoff" && time.Until(all[0].Servers[1].NextTry) > time.Second/2
	})
	if next := time.Until(weirs[0].Servers[1].NextTry); next > 7*time.Minute {
		t.Errorf("got the next try in %v", next)
	}
	until(t, "weir__servers with the next try", func() bool {
		return strings.Contains(string(s.call(t, "weir__servers", "{}").Result), "next try may be in ")
	})
}

// TestEveryWeirIsShown, as long as it runs, however it ends.
func TestEveryWeirIsShown(t *testing.T) {
	t.Parallel()
	u := newUser(t, "servers: {demo: {command: weir, args: [demo-server]}}\n")
	u.wants(t, []string{"no weir is running"}, "servers", "--live")
	first, second := u.serveUntil(t, upstreamtest.Legacy), u.serveUntil(t, upstreamtest.Modern)
	first.tools(t)
	second.tools(t)
	want := []int{first.cmd.Process.Pid, second.cmd.Process.Pid}
	slices.Sort(want)
	u.live(t, func(all []liveWeir) bool {
		var pids []int
		for _, w := range all {
			pids = append(pids, w.PID)
		}
		slices.Sort(pids)
		return slices.Equal(pids, want)
	})
	second.hangUp(t)
	u.live(t, func(all []liveWeir) bool { return len(all) == 1 && all[0].PID == first.cmd.Process.Pid })
	first.kill()
	u.live(t, func(all []liveWeir) bool { return len(all) == 0 })
}

// TestBrokenReloadIsShown with the weir that goes on without it.
func TestBrokenReloadIsShown(t *testing.T) {
	t.Parallel()
	u := newUser(t, "servers: {demo: {command: weir, args: [demo-server]}}\n")
	s := u.serve(t, upstreamtest.Legacy)
	s.tools(t)
	u.configure(t, "servers: [broken\n")
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	weirs := u.live(t, func(all []liveWeir) bool { return len(all) == 1 && all[0].Problem != "" })
	if problem := weirs[0].Problem; !strings.Contains(problem, "mcp.yaml") || strings.Contains(problem, u.home) {
		t.Errorf("got %q", problem)
	}
	u.wants(t, []string{"problem: ", "demo"}, "servers", "--live")
}
