//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A realHost is one as it was seen, or is described: what it writes, in which
// environment it starts weir, and how it ends it.
type realHost struct {
	name     string
	modern   bool
	dialog   string
	environ  func(map[string]string) map[string]string // what of a user's environment it passes on
	ownGroup bool                                      // weir gets a process group of its own
	stubborn bool                                      // a server does not want to end, the second time
	end      func(*testing.T, *host)
}

var realHosts = []realHost{
	{name: "Claude Code", modern: true, dialog: claudeModern, environ: all, stubborn: true, end: interruptTerminateKill},
	{name: "Claude Code, legacy", dialog: claudeLegacy, environ: all, end: interruptTerminateKill},
	{name: "Claude Code, first modern, then legacy", dialog: claudeTurned, environ: all, end: interruptTerminateKill},
	{name: "Codex", dialog: codex, environ: onlyCommon, ownGroup: true, stubborn: true, end: terminateAndKillGroup},
	{name: "opencode", dialog: opencode, environ: all, stubborn: true, end: terminateTree},
	{name: "Gemini CLI", dialog: gemini, environ: withoutSecrets, stubborn: true, end: terminate},
	{name: "Claude Desktop", dialog: claudeDesktop, environ: all, end: closeStdin},
	{name: "Cursor", dialog: cursor, environ: all, end: closeStdin},
	{name: "VS Code", dialog: vsCode, environ: all, end: closeStdin},
	{name: "a newcomer", dialog: newcomer, environ: all, end: closeStdin},
	{name: "Codex, which gave up", dialog: codex, environ: onlyCommon, ownGroup: true, stubborn: true, end: killGroup},
}

// all is what most hosts pass on.
func all(user map[string]string) map[string]string { return user }

// onlyCommon is what Codex passes on.
func onlyCommon(user map[string]string) map[string]string {
	common := map[string]string{}
	for _, name := range []string{"HOME", "LANG", "PATH", "TERM", "GORACE"} {
		common[name] = user[name]
	}
	return common
}

// withoutSecrets is what Gemini CLI passes on: nothing of which the name sounds
// secret.
func withoutSecrets(user map[string]string) map[string]string {
	rest := maps.Clone(user)
	maps.DeleteFunc(rest, func(name, _ string) bool {
		return strings.Contains(name, "KEY") || strings.Contains(name, "TOKEN") || strings.Contains(name, "PASSWORD") || name == "DATABASE_URL"
	})
	return rest
}

// TestRealHosts: hosts as they are get what they need, from a weir that has never
// listed its servers and from one that has; and however a host ends it, nothing
// is left.
func TestRealHosts(t *testing.T) {
	for _, h := range realHosts {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			p := testPlaces(t)
			user := h.configure(t, p)
			t.Run("for the first time", func(t *testing.T) { h.use(t, p, user, "{...}") })
			if h.stubborn {
				p.write(t, "start-deaf", stubborn)
			}
			t.Run("with stored lists", func(t *testing.T) { h.use(t, p, user, claims) })
		})
	}
}

// claims are the capabilities of weir, once it knows what its servers have.
const claims = `{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true},"logging":{}}`

// How the server "deaf" is started: with children that have left its group, and
// so that nothing but SIGKILL ends it and its further children.
const (
	polite   = "setsid sleep 600 & exec fake deaf.json"
	stubborn = "trap '' TERM INT HUP; setsid sleep 600 & fake deaf.json; sleep 600 & sleep 600"
)

// use is one life of weir under the host.
func (h *realHost) use(t *testing.T, p places, user map[string]string, claims string) {
	log := filepath.Join(p.home, "files.log")
	if err := os.RemoveAll(log); err != nil {
		t.Fatal(err)
	}
	weir := h.start(t, p, user)
	ended := false
	defer func() {
		if !ended {
			weir.kill()
		}
	}()
	text := strings.NewReplacer("$CLAIMS", claims, "$LOG", log, "$EARLY", filepath.Join(p.home, "early.log")).Replace(h.dialog + h.lastCalls())
	d := &dialog{host: weir, files: -1, over: true}
	for step := range strings.Lines(text) {
		if step = strings.TrimSuffix(step, "\n"); step == "" || step[0] == '#' {
			continue
		}
		if err := d.do(step); err != nil {
			t.Fatalf("%s\n%v", step, err)
		}
	}
	// Nothing was taken back from a server: what was cancelled had been answered.
	if heard, err := os.ReadFile(log); err != nil || bytes.Contains(heard, []byte("notifications/cancelled")) {
		t.Errorf("the server heard of a cancellation (%v):\n%s", err, heard)
	}
	guardian := guardianOf(t, weir.cmd.Process.Pid)
	ended = true
	h.end(t, weir)
	if h.modern {
		weir.passOver(`"listen:0"`) // a subscription that ends is answered, if there is time
	}
	if err := d.finish(); err != nil {
		t.Error(err)
	}
	checkStderr(t, weir.stderr.String())
	awaitEnd(t, guardian, outlives)
	if err := p.nothingLeft(); err != nil {
		t.Error(err)
	}
}

// passOver drops the answer to the request with this raw id, if it has come.
func (h *host) passOver(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inbox = slices.DeleteFunc(h.inbox, func(line []byte) bool {
		m, err := parse(line)
		return err == nil && m.Kind == jsonrpc.Response && string(m.ID) == id
	})
}

// lastCalls start a server that does not want to end, with children, and leave
// a call open.
func (h *realHost) lastCalls() string {
	meta := ""
	if h.modern {
		meta = "," + claudeMeta + "}"
	}
	return `> {"method":"tools/call","params":{"name":"deaf__ok","arguments":{}` + meta + `},"jsonrpc":"2.0","id":98}
< {"jsonrpc":"2.0","id":98,"result":{...}}
> {"method":"tools/call","params":{"name":"files__hang","arguments":{}` + meta + `},"jsonrpc":"2.0","id":99}
file $LOG "name":"hang"
`
}

// checkStderr: what weir says beside is short: some hosts keep all of it.
func checkStderr(t *testing.T, text string) {
	t.Helper()
	if len(text) > 4<<10 || strings.Contains(text, "cancel") || strings.Contains(text, `"level":"error"`) || strings.Contains(text, "panic") {
		t.Errorf("stderr (%d bytes):\n%s", len(text), shorten([]byte(text)))
	}
}

// configure writes what a user has: servers, a configuration where weir looks for
// one, and a project with one that nobody vouches for. It returns the user's
// environment.
func (h *realHost) configure(t *testing.T, p places) map[string]string {
	t.Helper()
	ok := upstreamtest.Script{Tools: []json.RawMessage{[]byte(`{"name":"ok"}`)}}
	files, early, late := filesScript(), ok, ok
	files.Log, early.Log = filepath.Join(p.home, "files.log"), filepath.Join(p.home, "early.log")
	early.Rules = []upstreamtest.Rule{{On: "notifications/initialized", Do: []upstreamtest.Step{
		{Send: []byte(`{"jsonrpc":"2.0","id":"soon","method":"roots/list"}`)},
	}}}
	late.Rules = []upstreamtest.Rule{{On: "initialize", Do: []upstreamtest.Step{
		{Delay: upstreamtest.Duration(300 * time.Millisecond)}, {Default: true},
	}}}
	config := "policy: {default: execute}\nservers:\n"
	for _, server := range []struct {
		name, command string
		script        upstreamtest.Script
	}{
		{"files", "fake, args: [files.json]", files},
		{"early", "fake, args: [early.json]", early},
		{"late", "fake, args: [late.json]", late},
		{"deaf", "sh, args: [start-deaf]", ok},
	} {
		if err := server.script.Save(filepath.Join(p.home, server.name+".json")); err != nil {
			t.Fatal(err)
		}
		if server.name != "early" || h.modern { // a legacy host could be asked
			config += fmt.Sprintf("  %s: {command: %s, cwd: %q}\n", server.name, server.command, p.home)
		}
	}
	p.write(t, "start-deaf", polite)
	p.write(t, "../config/weir/mcp.yaml", config)
	p.write(t, ".config/weir/mcp.yaml", config)
	p.write(t, "project/mcp.yaml", "servers: {planted: {command: fake, args: [files.json]}}\n")
	user := p.environment()
	maps.Copy(user, map[string]string{
		"PATH": os.Getenv("PATH"), "LANG": "C.UTF-8", "TERM": "xterm", "GITHUB_TOKEN": "t", "OPENAI_API_KEY": "k",
		"CLAUDE_PROJECT_DIR": p.home, "CLAUDE_CODE_SESSION_ID": "s", "OPENCODE": "1",
	})
	return user
}

// write writes a file below the home.
func (p places) write(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(p.home, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What the server "files" lists, and what hosts see of it and of the others. The
// members of _meta and annotations decide what hosts do with a tool.
const (
	echoDefinition = `"title":"Echo","description":"says it again","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}}},` +
		`"annotations":{"readOnlyHint":true,"destructiveHint":false,"vendor":1},"_meta":{"anthropic/maxResultSizeChars":500000,"openai/toolInvocation/invoking":"Echoing","n":9007199254740993}}`

	toolsSeen = `"tools":[{"name":"files__echo",` + echoDefinition + `,{"name":"files__wait"},{"name":"files__go"},{"name":"files__ask"},{"name":"files__log"},` +
		`{"name":"files__change"},{"name":"files__hang"},...{"name":"late__ok"},{"name":"deaf__ok"}]`
	promptsSeen   = `"prompts":[{"name":"files__summary","arguments":[{"name":"of","required":true}]}]`
	resourcesSeen = `"resources":[{"uri":"file:///w/a.txt","name":"a.txt","size":9007199254740993}]`
)

func filesScript() upstreamtest.Script {
	tools := []json.RawMessage{
		[]byte(`{"name":"echo",` + echoDefinition), []byte(`{"name":"wait"}`), []byte(`{"name":"go"}`), []byte(`{"name":"ask"}`),
		[]byte(`{"name":"log"}`), []byte(`{"name":"change"}`), []byte(`{"name":"hang"}`),
	}
	send := func(text string) upstreamtest.Step { return upstreamtest.Step{Send: []byte(text)} }
	reply := func(text string) upstreamtest.Step { return upstreamtest.Step{Reply: []byte(text)} }
	await := func(name string) upstreamtest.Step { return upstreamtest.Step{Await: name} }
	usual := upstreamtest.Step{Default: true}
	return upstreamtest.Script{
		Capabilities: []byte(`{"tools":{"listChanged":true},"prompts":{},"resources":{},"logging":{}}`),
		Tools:        tools,
		Rules: []upstreamtest.Rule{
			{On: "prompts/list", Do: []upstreamtest.Step{reply(`{"prompts":[{"name":"summary","arguments":[{"name":"of","required":true}]}]}`)}},
			{On: "resources/list", Do: []upstreamtest.Step{reply(`{"resources":[{"uri":"file:///w/a.txt","name":"a.txt","size":9007199254740993}]}`)}},
			{On: "logging/setLevel", Do: []upstreamtest.Step{reply(`{}`)}},
			{On: "tools/call wait", Do: []upstreamtest.Step{
				send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":1}}`), await("go"), usual,
			}},
			{On: "tools/call go", Do: []upstreamtest.Step{usual, {Release: "go"}}},
			{On: "tools/call ask", Do: []upstreamtest.Step{
				send(`{"jsonrpc":"2.0","id":"ping","method":"ping"}`),
				await(`response "ping"`),
				send(`{"jsonrpc":"2.0","id":"roots","method":"roots/list"}`),
				send(`{"jsonrpc":"2.0","id":"form","method":"elicitation/create","params":{"message":"How many?","requestedSchema":{"type":"object","properties":{"n":{"type":"integer"}}}}}`),
				send(`{"jsonrpc":"2.0","id":"model","method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`),
				await(`response "roots"`), await(`response "form"`), await(`response "model"`), usual,
			}},
			{On: "tools/call log", Do: []upstreamtest.Step{send(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"logged"}}`), usual}},
			{On: "tools/call change", Do: []upstreamtest.Step{{Tools: append(tools[:len(tools):len(tools)], []byte(`{"name":"new"}`))}, usual}},
			{On: "tools/call new", Do: []upstreamtest.Step{usual, {Tools: tools}}},
			{On: "tools/call hang", Do: []upstreamtest.Step{}},
		},
	}
}
