package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// This file is changes of the configuration under a weir that serves, as editors
// and others make them.

// A reloading is a user whose weir serves while its configuration changes.
type reloading struct {
	*user
	*session
	seen int // bytes of the log
}

// anyoneMayLook is a policy under which weir__servers is there.
const anyoneMayLook = "policy: {default: execute, rules: [{server: weir, tool: servers, level: execute}]}\n"

func newReloading(t *testing.T, config func(u *user) string) *reloading {
	t.Helper()
	u := newUser(t, "")
	u.configure(t, config(u))
	r := &reloading{user: u}
	r.session = u.serve(t, upstreamtest.Legacy)
	return r
}

// fake is a server of these tools, as it is configured. What it gets is in its log.
func (u *user) fake(t *testing.T, name string, tools ...string) string {
	t.Helper()
	script := upstreamtest.Script{Log: filepath.Join(u.home, name+".log")}
	for _, tool := range tools {
		script.Tools = append(script.Tools, upstreamtest.Tool(tool))
	}
	return u.scripted(t, name, script)
}

func (u *user) scripted(t *testing.T, name string, script upstreamtest.Script) string {
	t.Helper()
	file := filepath.Join(u.home, name+".json")
	if err := script.Save(file); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("  %s: {command: fake, args: [%q]}\n", name, file)
}

// starts are how often a fake was started.
func (u *user) starts(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(u.home, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte(`"method":"initialize"`))
}

// logs waits until weir has logged this since the last time.
func (r *reloading) logs(t *testing.T, what string) {
	t.Helper()
	err := r.await("its log: "+what, func() bool {
		fresh := r.stderr.Bytes()[r.seen:]
		at := bytes.Index(fresh, []byte(what))
		if at < 0 {
			return false
		}
		r.seen += at + len(what)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (r *reloading) names(t *testing.T) string {
	t.Helper()
	var names []string
	for _, tool := range r.tools(t) {
		names = append(names, nameOf(t, tool))
	}
	return strings.Join(names, " ")
}

func (r *reloading) changed(t *testing.T) {
	t.Helper()
	if _, err := r.notification("notifications/tools/list_changed"); err != nil {
		t.Fatal(err)
	}
}

const taken = "configuration taken anew"

// reloadedMeanwhile is how long a call takes that a reload is to meet.
const reloadedMeanwhile = 300 * time.Millisecond

// TestSavedConfigurationIsTaken: whichever way a file is saved it is taken, without
// anything being asked of weir; and what changes nothing is told to nobody.
func TestSavedConfigurationIsTaken(t *testing.T) {
	t.Parallel()
	var keep, more string
	r := newReloading(t, func(u *user) string {
		keep, more = u.fake(t, "keep", "k"), u.fake(t, "more", "m")
		return anyoneMayLook + "servers:\n" + keep
	})
	file, next := filepath.Join(r.config, "mcp.yaml"), filepath.Join(r.config, "next")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	with := func(servers ...string) []byte {
		return []byte(anyoneMayLook + "servers:\n" + strings.Join(servers, ""))
	}
	one, both := "keep__k weir__servers", "keep__k more__m weir__servers"
	if got := r.names(t); got != one {
		t.Fatalf("got %s", got)
	}
	r.call(t, "keep__k", `{}`)

	// Renamed over, as editors do.
	must(os.WriteFile(next, with(keep, more), 0o600))
	must(os.Rename(next, file))
	r.logs(t, taken)
	r.changed(t)
	if got := r.names(t); got != both {
		t.Errorf("renamed over: got %s", got)
	}

	// Broken, and corrected.
	must(os.WriteFile(file, []byte("servers:\n  keep: {commnd: fake}\n"), 0o600))
	r.logs(t, "so the one before goes on")
	if got := string(r.call(t, "weir__servers", `{}`).Raw); !strings.Contains(got, "mcp.yaml:2: ") || !strings.Contains(got, "save it") {
		t.Errorf("weir__servers: got %s", got)
	}
	said, code := r.run(t, "servers")
	if code != 1 || !strings.Contains(said, "mcp.yaml:2: ") || !strings.Contains(said, "goes on with the configuration that it has") {
		t.Errorf("weir servers: got code %d, %s", code, said)
	}
	must(os.WriteFile(file, with("  # a comment\n", keep, more), 0o600))
	r.logs(t, taken)
	if got := string(r.call(t, "weir__servers", `{}`).Raw); strings.Contains(got, "cannot be used") {
		t.Errorf("weir__servers: got %s", got)
	}

	// Taken away, and put there as a link, which is switched.
	must(os.WriteFile(filepath.Join(r.home, "one.yaml"), with(keep), 0o600))
	must(os.WriteFile(filepath.Join(r.home, "both.yaml"), with(keep, more), 0o600))
	link := func(to string) {
		t.Helper()
		must(os.Symlink(filepath.Join(r.home, to), next))
		must(os.Rename(next, file))
	}
	must(os.Remove(file))
	r.logs(t, "so the one before goes on")
	link("one.yaml")
	r.logs(t, taken)
	r.changed(t)
	if got := r.names(t); got != one {
		t.Errorf("a link: got %s", got)
	}
	link("both.yaml")
	r.logs(t, taken)
	r.changed(t)
	if got := r.names(t); got != both {
		t.Errorf("the link switched: got %s", got)
	}
	must(os.WriteFile(filepath.Join(r.home, "both.yaml"), with(more, keep), 0o600))
	r.logs(t, taken)
	r.changed(t)
	if got := r.names(t); got != "more__m keep__k weir__servers" {
		t.Errorf("behind the link, in another order: got %s", got)
	}

	if n := r.starts(t, "keep"); n != 1 {
		t.Errorf("the server that stayed was started %d times, want once", n)
	}
	if rest := r.rest(); len(rest) > 0 {
		t.Errorf("the host was told %q besides", rest)
	}
}

// TestVariablesAreTakenAnew: a changed env_file is a changed configuration.
func TestVariablesAreTakenAnew(t *testing.T) {
	t.Parallel()
	var env string
	r := newReloading(t, func(u *user) string {
		env = filepath.Join(u.home, "env")
		return anyoneMayLook + fmt.Sprintf("env_file: %q\nservers:\n", env) + strings.Replace(u.fake(t, "keep", "k"), "{command", "{env: {A: \"${KEEP_A}\"}, command", 1)
	})
	if got := r.names(t); got != "weir__servers" {
		t.Fatalf("without the variable: got %s", got)
	}
	if err := os.WriteFile(env, []byte("KEEP_A=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.logs(t, taken)
	r.changed(t)
	if got := r.names(t); got != "keep__k weir__servers" {
		t.Errorf("with it: got %s", got)
	}
}

// TestCallsGoOnThroughReloads: a host calls while its configuration is taken anew
// twenty times. Each call is answered, by a server that is started once.
func TestCallsGoOnThroughReloads(t *testing.T) {
	t.Parallel()
	const reloads, calls = 20, 40
	var config string
	r := newReloading(t, func(u *user) string {
		slow := upstreamtest.Script{
			Log: filepath.Join(u.home, "keep.log"), Tools: []json.RawMessage{upstreamtest.Tool("slow")},
			Rules: []upstreamtest.Rule{{On: "tools/call slow", Do: []upstreamtest.Step{{Delay: upstreamtest.Duration(reloadedMeanwhile)}, {Default: true}}}},
		}
		config = anyoneMayLook + "servers:\n" + u.scripted(t, "keep", slow)
		return config
	})
	r.names(t)
	var ids []string
	for i := range reloads {
		for range calls / reloads {
			ids = append(ids, r.begin(t, "tools/call", `"name":"keep__slow","arguments":{}`, ""))
		}
		r.configure(t, config+fmt.Sprintf("  other%d: {command: fake, args: [nothing], enabled: false}\n", i))
		r.logs(t, taken)
	}
	for _, id := range ids {
		if m := r.end(t, id); !strings.Contains(string(m.Raw), `"text":"slow"`) {
			t.Errorf("got %s", m.Raw)
		}
	}
	if n := r.starts(t, "keep"); n != 1 {
		t.Errorf("the server was started %d times, want once", n)
	}
	if rest := r.rest(); len(rest) > 0 {
		t.Errorf("the host was told %q, though nothing has changed for it", rest)
	}
}
