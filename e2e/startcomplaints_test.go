package e2e

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// This file is what users of other gateways complain of when they start, and what
// was listed once must do for that.

// A fleet is scripted servers over HTTP and a weir's configuration of them, in
// their order.
type fleet struct {
	servers []*upstreamtest.Server
	lines   []string
}

// add adds a server; keys are more of its configuration.
func (f *fleet) add(t *testing.T, name, keys string, script upstreamtest.Script) *upstreamtest.Server {
	t.Helper()
	server := upstreamtest.New(script)
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	f.servers = append(f.servers, server)
	f.lines = append(f.lines, fmt.Sprintf("  %s: {url: %q%s}", name, web.URL, keys))
	return server
}

// ten adds servers s0 to s9 with a tool each, all of them with these rules.
func (f *fleet) ten(t *testing.T, rules ...upstreamtest.Rule) {
	t.Helper()
	for i := range 10 {
		f.add(t, fmt.Sprintf("s%d", i), "", upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("ok")}, Rules: rules})
	}
}

func (f *fleet) config() string {
	return "policy: {default: execute}\nservers:\n" + strings.Join(f.lines, "\n") + "\n"
}

// namesIn are the tools that are listed, by spaces.
func namesIn(t *testing.T, s *session) string {
	t.Helper()
	var names []string
	for _, tool := range s.tools(t) {
		names = append(names, nameOf(t, tool))
	}
	return strings.Join(names, " ")
}

const allTen = "s0__ok s1__ok s2__ok s3__ok s4__ok s5__ok s6__ok s7__ok s8__ok s9__ok"

// heldUp keeps a request waiting until the server is released.
func heldUp(method string) upstreamtest.Rule {
	return upstreamtest.Rule{On: method, Do: []upstreamtest.Step{{Await: "go"}, {Default: true}}}
}

// TestInitializeWaitsForNobody: elsewhere it is answered when all servers are up,
// their images pulled, and hosts have given up by then.
func TestInitializeWaitsForNobody(t *testing.T) {
	t.Parallel()
	var f fleet
	f.ten(t, heldUp("initialize"), heldUp("server/discover"))
	for _, version := range []string{upstreamtest.Legacy, upstreamtest.Modern} {
		s := newUser(t, f.config()).serve(t, version) // which shakes hands, in the era that does
		if version == upstreamtest.Modern {
			s.request(t, "server/discover", "")
		}
	}
}

// TestServersAreListedTogether: elsewhere one after the other, so that their times
// add up. Here none answers before all have been asked.
func TestServersAreListedTogether(t *testing.T) {
	t.Parallel()
	var f fleet
	f.ten(t, heldUp("tools/list"))
	s := newUser(t, f.config()).serve(t, upstreamtest.Legacy)
	asked := s.begin(t, "tools/list", "", "")
	for _, server := range f.servers {
		if err := server.Await(t.Context(), "tools/list", 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, server := range slices.Backward(f.servers) {
		server.Release("go")
	}
	s.end(t, asked)
	until(t, "all are listed, in the order of the configuration", func() bool { return namesIn(t, s) == allTen })
}

// TestSlowServerComesLate: elsewhere one slow server of ten keeps all from the
// host, or is missing for as long as the host runs.
func TestSlowServerComesLate(t *testing.T) {
	t.Parallel()
	var f fleet
	f.ten(t, heldUp("tools/list"))
	for i, server := range f.servers {
		if i != 3 {
			server.Release("go")
		}
	}
	s := newUser(t, f.config()).serve(t, upstreamtest.Legacy)
	s.tools(t) // does not wait for it
	nine := strings.Replace(allTen, "s3__ok ", "", 1)
	until(t, "the others are listed", func() bool { return namesIn(t, s) == nine })
	if got := string(s.call(t, "s4__ok", "{}").Raw); !strings.Contains(got, `"text":"ok"`) {
		t.Errorf("calling another one: got %s", got)
	}
	f.servers[3].Release("go")
	for namesIn(t, s) != allTen {
		if _, err := s.notification("notifications/tools/list_changed"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSecondStartNeedsNoServer: elsewhere each start asks all servers again. What
// is stored are their own lists: another name or filter needs nobody either.
func TestSecondStartNeedsNoServer(t *testing.T) {
	t.Parallel()
	var f fleet
	f.ten(t)
	u := newUser(t, f.config())
	u.wants(t, []string{"s0__ok", "s9__ok"}, "tools")
	for _, server := range f.servers {
		before := len(server.Received("initialize"))
		defer func() {
			if n := len(server.Received("initialize")); n != before {
				t.Errorf("a server was asked %d times more", n-before)
			}
		}()
	}
	s := u.serve(t, upstreamtest.Legacy)
	if got := namesIn(t, s); got != allTen {
		t.Errorf("got %s, want all", got)
	}
	config := strings.Replace(f.config(), "  s1: {", "  s1: {prefix: one, ", 1)
	u.configure(t, strings.Replace(config, "  s2: {", `  s2: {tools: {exclude: ["*"]}, `, 1))
	want := strings.Replace(allTen, "s1__ok s2__ok", "one__ok", 1)
	if got := namesIn(t, u.serve(t, upstreamtest.Legacy)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestConnectTimeoutOfOneServer: elsewhere there is one for all, too short for a
// server that installs itself first.
func TestConnectTimeoutOfOneServer(t *testing.T) {
	t.Parallel()
	var f fleet
	never := []upstreamtest.Rule{ // but the first time, or nobody would know its tools
		{On: "initialize", Nth: 1, Do: []upstreamtest.Step{{Default: true}}}, heldUp("initialize"), heldUp("server/discover"),
	}
	tools := []json.RawMessage{upstreamtest.Tool("ok")}
	f.add(t, "short", ", connect_timeout: 200ms", upstreamtest.Script{Tools: tools, Rules: never})
	slow := f.add(t, "slow", ", connect_timeout: 10m", upstreamtest.Script{Tools: tools, Rules: never})
	u := newUser(t, f.config())
	u.wants(t, []string{"short__ok", "slow__ok"}, "tools")
	s := u.serve(t, upstreamtest.Legacy)
	waiting := s.begin(t, "tools/call", `"name":"slow__ok","arguments":{}`, "")
	got := string(s.call(t, "short__ok", "{}").Raw)
	for _, want := range []string{`"isError":true`, `"kind":"timeout"`, `"server":"short"`} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	slow.Release("go")
	if got := string(s.end(t, waiting).Raw); !strings.Contains(got, `"text":"ok"`) {
		t.Errorf("got %s, want the answer of the slow server", got)
	}
}

// TestVeryLargeList: elsewhere a child whose list does not fit into a pipe, or into
// a line, hangs.
func TestVeryLargeList(t *testing.T) {
	t.Parallel()
	const count = 5000
	var script upstreamtest.Script
	for i := range count {
		tool := upstreamtest.Tool(fmt.Sprintf("tool%d", i))
		long := `"description":"` + strings.Repeat("x", 2000) + `"`
		script.Tools = append(script.Tools, json.RawMessage(strings.Replace(string(tool), `"description":"a scripted tool"`, long, 1)))
	}
	u := newUser(t, "")
	file := filepath.Join(u.home, "large.json")
	if err := script.Save(file); err != nil {
		t.Fatal(err)
	}
	u.configure(t, fmt.Sprintf("policy: {default: execute}\nservers: {large: {command: fake, args: [%q]}}\n", file))
	u.wants(t, []string{"large__tool0", fmt.Sprintf("large__tool%d", count-1)}, "tools", "--format", "json")
	never := upstreamtest.Script{Rules: []upstreamtest.Rule{{On: "initialize"}, {On: "server/discover"}}}
	if err := never.Save(file); err != nil {
		t.Fatal(err)
	}
	if got := len(u.serve(t, upstreamtest.Legacy).tools(t)); got != count {
		t.Errorf("got %d tools from the disk, want %d", got, count)
	}
}
