package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// This file is what users of other gateways complain of when servers and their
// processes come and go, as far as it takes the whole program. The rest of it is in
// package upstream.

// saved writes a script with one tool, "ok", and returns its file.
func (p places) saved(t *testing.T) string {
	t.Helper()
	script := upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("ok")}}
	file := filepath.Join(p.home, "ok.json")
	if err := script.Save(file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAnswerDoesNotWaitForTheServersEnd: elsewhere a call is done, and who made it
// waits until the server has ended, which some never do.
func TestAnswerDoesNotWaitForTheServersEnd(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	u.configure(t, fmt.Sprintf(
		"policy: {default: execute}\nservers:\n  stays: {command: sh, args: [-c, \"trap '' TERM; fake %s; sleep 600 & sleep 600\"]}\n", u.saved(t)))
	u.wants(t, []string{"ok"}, "call", "stays__ok")
}

// TestLaunchersAreEndedWithWeir: elsewhere what npx and its like have started goes
// on when the gateway is killed, whether it has forked, left its group or both.
func TestLaunchersAreEndedWithWeir(t *testing.T) {
	t.Parallel()
	p := testPlaces(t)
	file := p.saved(t)
	h, err := startHost(p.weir(t, fmt.Sprintf(`
policy: {default: execute}
servers:
  forks: {command: sh, args: [-c, "exec 3<&0; sleep 600 & fake %[1]s <&3 & wait"]}
  leaves: {command: sh, args: [-c, "setsid sleep 600 & fake %[1]s"]}
  deep: {command: sh, args: [-c, "(setsid sh -c 'trap \"\" TERM; sleep 600 & sleep 600' &) ; fake %[1]s"]}
`, file)))
	if err != nil {
		t.Fatal(err)
	}
	s := &session{host: h, version: upstreamtest.Legacy}
	s.greet(t)
	for _, server := range []string{"forks", "leaves", "deep"} {
		if got := string(s.call(t, server+"__ok", `{}`).Raw); !strings.Contains(got, `"text":"ok"`) {
			t.Errorf("%s: got %s", server, got)
		}
	}
	h.kill() // that nothing is left is seen by the places
}

// TestServerThatComesLate: elsewhere a server that is down when weir starts stays
// away until somebody switches it off and on.
func TestServerThatComesLate(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	s := openSession(t, upstreamtest.Legacy, testPlaces(t).weir(t, fmt.Sprintf("policy: {default: execute}\nservers:\n  late: {url: \"http://%s/mcp\"}\n", address)))
	if tools := s.tools(t); len(tools) != 0 {
		t.Errorf("got %q, want none", tools)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip("the port is somebody else's by now:", err)
	}
	server := &http.Server{
		Handler:           upstreamtest.New(upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("ok")}}),
		ReadHeaderTimeout: time.Minute,
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	if _, err := s.notification("notifications/tools/list_changed"); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(s.tools(t), func(tool string) bool { return nameOf(t, tool) == "late__ok" }) {
		t.Error("late__ok is not listed")
	}
}
