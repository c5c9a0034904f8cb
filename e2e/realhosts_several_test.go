//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const (
	probe           = `{"jsonrpc":"2.0","id":"probe","method":"server/discover","params":{` + claudeMeta + `}}}`
	desktopGreeting = `{"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"claude-ai","version":"0.1.0"}},"jsonrpc":"2.0","id":0}` +
		"\n" + `{"method":"notifications/initialized","jsonrpc":"2.0"}`
	listTools = `{"method":"tools/list","params":{},"jsonrpc":"2.0","id":1}`
	callEcho  = `{"method":"tools/call","params":{"name":"files__echo","arguments":{}},"jsonrpc":"2.0","id":2}`
)

// start starts weir as the host does.
func (h *realHost) start(t *testing.T, p places, user map[string]string) *host {
	t.Helper()
	cmd := exec.Command("weir") // as it stands in the files of hosts: no argument at all
	for name, value := range h.environ(user) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Dir = filepath.Join(p.home, "project")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: h.ownGroup}
	weir, err := startHost(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return weir
}

// say sends lines and returns the answer to the last.
func (h *host) say(t *testing.T, lines ...string) *jsonrpc.Message {
	t.Helper()
	for _, line := range lines {
		if err := h.send(line); err != nil {
			t.Fatal(err)
		}
	}
	return h.hear(t, lines[len(lines)-1])
}

// hear waits for the answer to a request.
func (h *host) hear(t *testing.T, request string) *jsonrpc.Message {
	t.Helper()
	sent, err := parse([]byte(request))
	if err != nil {
		t.Fatal(err)
	}
	line, err := h.answer(string(sent.ID))
	if err != nil {
		t.Fatal(err)
	}
	m, err := parse(line)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wantTools compares an answer to tools/list.
func wantTools(t *testing.T, m *jsonrpc.Message) {
	t.Helper()
	if !matches(string(m.Raw), `{"jsonrpc":"2.0","id":1,"result":{`+toolsSeen+`}}`) {
		t.Errorf("got %s", m.Raw)
	}
}

// TestProbeBeside: Claude Desktop starts a second weir to find the era out, and
// closes it, perhaps before it has answered. That starts no server where the
// lists are stored, and is nothing to the first.
func TestProbeBeside(t *testing.T) {
	t.Parallel()
	p := testPlaces(t)
	desktop := &realHost{environ: all}
	user := desktop.configure(t, p)
	first := desktop.start(t, p, user)
	wantTools(t, first.say(t, desktopGreeting, listTools))
	first.say(t, callEcho)
	before := handshakes(t, p)

	patient := desktop.start(t, p, user)
	if m := patient.say(t, probe); m.Kind != jsonrpc.Response || !bytes.Contains(m.Raw, []byte(`"supportedVersions":["2026-07-28",`)) {
		t.Errorf("got %s", m.Raw)
	}
	closeStdin(t, patient)
	hasty := desktop.start(t, p, user)
	if err := hasty.send(probe); err != nil {
		t.Fatal(err)
	}
	closeStdin(t, hasty)
	if got := hasty.rest(); len(got) != 1 || !bytes.HasPrefix(got[0], []byte(`{"jsonrpc":"2.0","id":"probe","result":{`)) {
		t.Errorf("who did not wait got %q", got)
	}
	if diff := cmp.Diff(before, handshakes(t, p)); diff != "" {
		t.Errorf("handshakes with the server:\n%s", diff)
	}
	if m := first.say(t, callEcho); m.Kind != jsonrpc.Response {
		t.Errorf("got %s", m.Raw)
	}
	closeStdin(t, first)
}

// handshakes are the messages that began a connection with the server "files".
func handshakes(t *testing.T, p places) []string {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(p.home, "files.log"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, `"method":"initialize"`) || strings.Contains(line, `"method":"server/discover"`) {
			found = append(found, line)
		}
	}
	return found
}

// TestManyAtOnce: hosts start a weir for each window, session or thread, at the
// same time, and leave them so. All have the whole first list, and what they
// store together is good.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	p := testPlaces(t)
	windows := &realHost{environ: all}
	user := windows.configure(t, p)
	var all []*host
	for range 6 {
		weir := windows.start(t, p, user)
		if err := weir.send(desktopGreeting + "\n" + listTools); err != nil {
			t.Fatal(err)
		}
		all = append(all, weir)
	}
	for _, weir := range all {
		wantTools(t, weir.hear(t, listTools))
	}
	for _, weir := range all {
		weir.say(t, callEcho)
		signalTo(t, weir.cmd.Process.Pid, syscall.SIGTERM)
	}
	for _, weir := range all {
		if err := weir.wait(); err != nil {
			t.Error(err)
		}
		checkQuiet(t, weir)
	}
	next := windows.start(t, p, user)
	before := handshakes(t, p)
	wantTools(t, next.say(t, desktopGreeting, listTools))
	if diff := cmp.Diff(before, handshakes(t, p)); diff != "" {
		t.Errorf("the list was stored, but the server was asked:\n%s", diff)
	}
	closeStdin(t, next)
	checkQuiet(t, next)
}

// checkQuiet: there was nothing to warn of.
func checkQuiet(t *testing.T, h *host) {
	t.Helper()
	checkStderr(t, h.stderr.String())
	if strings.Contains(h.stderr.String(), `"level":"warn"`) {
		t.Errorf("stderr:\n%s", h.stderr.String())
	}
}

// TestHostIsKilled: a host that dies sends nothing; its pipes end, and with them
// weir and all below it.
func TestHostIsKilled(t *testing.T) {
	t.Parallel()
	p := testPlaces(t)
	dying := &realHost{environ: all}
	user := dying.configure(t, p)
	p.write(t, "start-deaf", stubborn)
	log := filepath.Join(p.home, "files.log")
	p.write(t, "dialog", "> "+strings.ReplaceAll(desktopGreeting, "\n", "\n> ")+"\n"+strings.ReplaceAll(dying.lastCalls(), "$LOG", log)+"file never.txt x\n")
	cmd := exec.Command("host", filepath.Join(p.home, "dialog"), "weir")
	for name, value := range user {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := awaitFile(log, `"name":"hang"`); err != nil {
		t.Error(err)
	}
	all := descendants(cmd.Process.Pid)
	weir := all[len(all)-1] // its children stand before it
	guardian := guardianOf(t, weir)
	signalTo(t, cmd.Process.Pid, syscall.SIGKILL)
	if err := cmd.Wait(); err == nil {
		t.Error("the host has ended well")
	}
	awaitEnd(t, weir, patience)
	awaitEnd(t, guardian, outlives)
}

// TestKeysElsewhere: Codex passes a user's keys on to no server. Those in a file
// are there all the same, and those in its own entry; a server whose key is
// missing is left out and named, and no other.
func TestKeysElsewhere(t *testing.T) {
	t.Parallel()
	p := testPlaces(t)
	config := "policy: {default: execute}\nenv_file: keys\nservers:\n"
	servers := map[string]*upstreamtest.Server{}
	for name, variable := range map[string]string{"filed": "ACME_TOKEN", "entered": "ENTRY_TOKEN", "lost": "GITHUB_TOKEN"} {
		servers[name] = upstreamtest.New(upstreamtest.Script{Tools: []json.RawMessage{[]byte(`{"name":"ok"}`)}})
		web := httptest.NewServer(servers[name])
		t.Cleanup(func() {
			web.CloseClientConnections()
			web.Close()
		})
		config += fmt.Sprintf("  %s: {url: %q, headers: {Authorization: \"Bearer ${%s}\"}}\n", name, web.URL, variable)
	}
	p.write(t, ".config/weir/mcp.yaml", config)
	p.write(t, ".config/weir/keys", "ACME_TOKEN=from-file\n")
	p.write(t, "project/none", "")
	entered := func(user map[string]string) map[string]string {
		passed := onlyCommon(user)
		passed["ENTRY_TOKEN"] = "from-entry"
		return passed
	}
	user := map[string]string{"HOME": p.home, "PATH": os.Getenv("PATH"), "LANG": "C.UTF-8", "TERM": "xterm", "GORACE": "atexit_sleep_ms=0", "GITHUB_TOKEN": "secret"}
	weir := (&realHost{environ: entered}).start(t, p, user)
	got := weir.say(t, desktopGreeting, listTools).Raw
	for name, want := range map[string]bool{"filed": true, "entered": true, "lost": false} {
		if bytes.Contains(got, []byte(`{"name":"`+name+`__ok"}`)) != want {
			t.Errorf("tools of %q: want %v, got %s", name, want, got)
		}
	}
	closeStdin(t, weir)
	for name, key := range map[string]string{"filed": "Bearer from-file", "entered": "Bearer from-entry"} {
		for _, received := range servers[name].Received("tools/list") {
			if got := received.Header.Get("Authorization"); got != key {
				t.Errorf("key for %q: got %q, want %q", name, got, key)
			}
		}
	}
	if n := len(servers["lost"].Received("")) + len(servers["lost"].Received("initialize")) + len(servers["lost"].Received("server/discover")); n != 0 {
		t.Errorf("a server without its key was asked %d times", n)
	}
	if text := weir.stderr.String(); !strings.Contains(text, "GITHUB_TOKEN") || !strings.Contains(text, `"lost"`) || strings.Contains(text, "from-") {
		t.Errorf("stderr names neither the server nor the variable, or it tells a key:\n%s", text)
	}
}

// TestNamesFitEveryHost: however servers call their tools, each has a name that
// no known host refuses, drops or cuts, and is found by it; behind three weirs
// too, each of which adds to the name.
func TestNamesFitEveryHost(t *testing.T) {
	long := strings.Repeat("a-name-that-goes-on-", 7)
	originals := []string{
		"plain", "with.dots.and/slashes", "ein schöner Name", "with__separator", "files__plain", "weir__servers", " ", "ä", "ö",
		long + "1", long + "2", "1" + long, "x" + long[1:64] + "y", strings.Repeat("名", 40),
	}
	script := upstreamtest.Script{}
	for _, name := range originals {
		script.Tools = append(script.Tools, upstreamtest.Tool(name))
	}
	for _, weirs := range []int{1, 3} {
		t.Run(fmt.Sprintf("weirs: %d", weirs), func(t *testing.T) {
			t.Parallel()
			p := testPlaces(t)
			file := filepath.Join(p.home, "script.json")
			if err := script.Save(file); err != nil {
				t.Fatal(err)
			}
			config := fmt.Sprintf("{command: fake, args: [%q]}, a-server-whose-name-is-very-long: {command: fake, args: [%q]}", file, file)
			for _, name := range []string{"files", "v", "u"}[:weirs] {
				config = serveBehind(t, p, name, config)
			}
			outermost := filepath.Join(p.home, []string{"files", "v", "u"}[weirs-1]+".yaml")
			s := openSession(t, upstreamtest.Legacy, p.command(context.Background(), "weir", "serve", "--config", outermost))
			checkNames(t, s, slices.Concat(originals, originals))
		})
	}
}

// checkNames: these tools are listed in this order, and their names are good.
func checkNames(t *testing.T, s *session, originals []string) {
	t.Helper()
	tools := s.tools(t)
	if len(tools) != len(originals) {
		t.Fatalf("got %d tools, want %d", len(tools), len(originals))
	}
	legal := regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	seen := map[string]bool{}
	for i, tool := range tools {
		name := nameOf(t, tool)
		// What hosts make of it, and how long that may be: Cursor leaves out what is
		// longer, Gemini CLI cuts it in the middle.
		for before, limit := range map[string]int{"": 50, "weir": 60, "mcp__weir__": 64, "mcp_weir_": 63} {
			if exposed := before + name; len(exposed) > limit || !legal.MatchString(exposed) {
				t.Errorf("%q of %q cannot be had in %d characters", exposed, originals[i], limit)
			}
		}
		// opencode and Codex take both for the same.
		if key := strings.ReplaceAll(name, "-", "_"); seen[key] {
			t.Errorf("two tools are %q", name)
		} else {
			seen[key] = true
		}
		called := s.call(t, name, "{}")
		want := `"content":[{"type":"text","text":` + string(jsonrpc.AppendString(nil, originals[i])) + `}]`
		if !bytes.Contains(called.Raw, []byte(want)) {
			t.Errorf("%q answers %s, want %s", name, called.Raw, want)
		}
	}
}
