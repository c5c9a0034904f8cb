//go:build unix

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/internal/prelude"
	"github.com/weir-mcp/weir/internal/prelude/keep"
)

// What hosts of either era ask first.
var preludeHosts = map[string][]string{
	"legacy": {
		`{"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"host","version":"1"}},"jsonrpc":"2.0","id":0}`,
		`{"method":"notifications/initialized","jsonrpc":"2.0"}`,
		`{"method":"tools/list","jsonrpc":"2.0","id":1}`,
		`{"method":"prompts/list","jsonrpc":"2.0","id":2}`,
		`{"method":"resources/list","jsonrpc":"2.0","id":3}`,
		`{"method":"resources/templates/list","jsonrpc":"2.0","id":4}`,
	},
	"modern": {
		modernLine("server/discover", `"first"`),
		modernLine("tools/list", `"second"`),
		modernLine("prompts/list", `"third"`),
		modernLine("resources/list", `"fourth"`),
		modernLine("resources/templates/list", `"fifth"`),
	},
}

func modernLine(method, id string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":{"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},` +
		`"io.modelcontextprotocol/clientInfo":{"name":"host","version":"1"}}}}`
}

// A theatre is a configuration, the lists of which are stored, and a weir that
// serves it.
type theatre struct {
	config string
	args   []string
	r      *reloader
}

func newTheatre(t *testing.T, config string, flags ...string) *theatre {
	t.Helper()
	newHome(t)
	return rebuilt(t, writeConfig(t, config), flags...)
}

func rebuilt(t *testing.T, config string, flags ...string) *theatre {
	t.Helper()
	th := &theatre{config: config, args: append([]string{"serve", "--config", config}, flags...)}
	weir(t, append([]string{"tools", "--config", config}, flags...)...).wants(t, exitOK)
	a := &app{Process: Process{Args: th.args, Environ: os.Environ(), Stderr: io.Discard}, signals: &signals{}, configFlag: config}
	for i := 0; i+1 < len(flags); i += 2 {
		switch flags[i] {
		case "--key-file":
			_ = a.identity.keyFile.Set(flags[i+1])
		case "--profile":
			_ = a.identity.profile.Set(flags[i+1])
		}
	}
	th.r = a.newReloader()
	return th
}

// rehearse records a start with a host.
func (th *theatre) rehearse(t *testing.T, lines []string) {
	t.Helper()
	if err := th.tryRehearsal(t, lines); err != nil {
		t.Fatal(err)
	}
}

func (th *theatre) tryRehearsal(t *testing.T, lines []string) error {
	t.Helper()
	return th.r.rehearse(openStore(t.Context(), zerolog.Nop()), bytesOf(lines), time.Now().Add(time.Hour))
}

func bytesOf(lines []string) (out [][]byte) {
	for _, line := range lines {
		out = append(out, []byte(line))
	}
	return out
}

// play returns what a host is told before weir is there.
func (th *theatre) play(t *testing.T, lines []string) string {
	t.Helper()
	in, toIn, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromOut, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer fromOut.Close()
	for _, line := range lines {
		if _, err := toIn.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	_ = toIn.Close()
	prelude.Play(th.r.app.start(), prelude.Streams{In: int(in.Fd()), Out: int(out.Fd()), Err: -1})
	_ = in.Close()
	_ = out.Close()
	told, err := io.ReadAll(fromOut) // all fits into the pipe
	if err != nil {
		t.Fatal(err)
	}
	return string(told)
}

// serve returns what a whole weir tells a host, which waits for each answer.
func (th *theatre) serve(t *testing.T, lines []string) string {
	t.Helper()
	c := th.begin(t)
	defer c.end()
	var told strings.Builder
	for _, line := range lines {
		told.WriteString(c.ask(line))
	}
	return told.String()
}

// A rawHost is a host of lines.
type rawHost struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Reader
}

func (th *theatre) begin(t *testing.T) *rawHost {
	t.Helper()
	h := &rawHost{t: t, cmd: exec.Command(program(t), th.args...)}
	var err error
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	h.lines = bufio.NewReader(out)
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return h
}

// ask writes a line and returns the answer, or "" to a notification.
func (h *rawHost) ask(line string) string {
	h.t.Helper()
	if _, err := io.WriteString(h.in, line+"\n"); err != nil {
		h.t.Fatal(err)
	}
	if !strings.Contains(line, `"id"`) {
		return ""
	}
	return h.next()
}

func (h *rawHost) next() string {
	h.t.Helper()
	line, err := h.lines.ReadString('\n')
	if err != nil {
		h.t.Fatal(err)
	}
	return line
}

func (h *rawHost) end() {
	_ = h.in.Close()
	_, _ = io.Copy(io.Discard, h.lines)
	if err := h.cmd.Wait(); err != nil {
		h.t.Error(err)
	}
}

// The demo's server beside one that it is under another name.
const theatreConfig = `
servers:
  desk: {command: WEIR, args: [demo-server], env: {SHOWN: "${SHOWN:-nothing}"}}
  other: {command: WEIR, args: [demo-server], pin: block, inherit_env: [ACCOUNT]}
tools:
  custom: {description: "Says so.", command: [echo, "${SAID:-so}"]}
policy:
  default: execute
  rules:
    - {server: desk, tool: "delete_*", level: deny}
    - {server: weir, level: execute}
profiles: {some: {servers: [desk]}}
env_file: env
`

// What a host is told before weir is there is what it would be told by it, to the
// byte, in either era, of every list.
func TestPreludeTellsTheSame(t *testing.T) {
	for era, lines := range preludeHosts {
		t.Run(era, func(t *testing.T) {
			th := newTheatre(t, theatreConfig)
			want := th.serve(t, lines)
			th.rehearse(t, lines)
			if got := th.play(t, lines); got != want {
				t.Errorf("got\n%.700s\nwant\n%.700s", got, want)
			}
			if !strings.Contains(want, "desk__echo") || !strings.Contains(want, "custom") || strings.Contains(want, "desk__delete") {
				t.Errorf("the lists are not those of the servers: %.700s", want)
			}
			if got := th.serve(t, lines); got != want {
				t.Errorf("a start with a record: got\n%.700s\nwant\n%.700s", got, want)
			}
		})
	}
}

// A host that finds its tools is told what it would be, and one with another name, of
// which it may hang whether it has to, has no record of this one's.
func TestPreludeOfToolsToBeFound(t *testing.T) {
	for exposure, want := range map[string]string{"search": "weir__find_tools", "auto": "desk__echo"} {
		t.Run(exposure, func(t *testing.T) {
			th := newTheatre(t, strings.Replace(theatreConfig, "servers: [desk]", "expose: "+exposure+", servers: [desk]", 1), "--profile", "some")
			lines := preludeHosts["legacy"]
			told := th.serve(t, lines)
			th.rehearse(t, lines)
			if got := th.play(t, lines); got != told || !strings.Contains(got, want) {
				t.Errorf("got\n%.700s\nwant\n%.700s", got, told)
			}
			other := slices.Clone(lines)
			other[0] = strings.Replace(other[0], `"clientInfo":{"name":"`, `"clientInfo":{"name":"cursor `, 1)
			if other[0] == lines[0] {
				t.Fatalf("no host is named in %s", lines[0])
			}
			if got := th.play(t, other); got != "" {
				t.Errorf("another host: got %.200s", got)
			}
		})
	}
}

// Each thing that makes another answer makes a record unused.
func TestPreludeIsOfThisMoment(t *testing.T) {
	edit := func(old, other string) func(t *testing.T, th *theatre) {
		return func(t *testing.T, th *theatre) {
			t.Helper()
			text, err := os.ReadFile(th.config)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), old) {
				t.Fatalf("there is no %q", old)
			}
			write(t, th.config, strings.Replace(string(text), old, other, 1))
		}
	}
	setenv := func(name, value string) func(t *testing.T, th *theatre) {
		return func(t *testing.T, _ *theatre) {
			t.Helper()
			t.Setenv(name, value)
		}
	}
	lists := func(t *testing.T, change func(path string) error) {
		t.Helper()
		paths, err := filepath.Glob(filepath.Join(cacheFolder(t), "*.lists*"))
		if err != nil || len(paths) < 3 {
			t.Fatalf("stored lists: %q, %v", paths, err)
		}
		for _, path := range paths {
			if err := change(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	th := newTheatre(t, theatreConfig)
	lines := preludeHosts["legacy"]
	for name, change := range map[string]func(t *testing.T, th *theatre){
		"a comment":          edit("servers:", "servers: # these"),
		"a server more":      edit("tools:\n", "  third: {command: x}\ntools:\n"),
		"another policy":     edit("delete_*", "echo"),
		"a variable":         setenv("SHOWN", "x"),
		"one of a tool":      setenv("SAID", "x"),
		"one to inherit":     setenv("ACCOUNT", "x"),
		"a profile":          setenv(profileVariable, "some"),
		"a key":              setenv(keyVariable, "0123456789-0123456789"),
		"a weir above":       setenv(chainVariable, "abc"),
		"other files":        setenv("XDG_STATE_HOME", t.TempDir()),
		"variables in files": func(t *testing.T, th *theatre) { write(t, filepath.Join(filepath.Dir(th.config), "env"), "A=b") },
		"other arguments": func(_ *testing.T, th *theatre) {
			th.r.app.Args = append(slices.Clone(th.r.app.Args), "--profile", "some")
		},
		"lists that were put anew": func(t *testing.T, _ *theatre) {
			lists(t, func(path string) error {
				data, err := os.ReadFile(path)
				if err == nil {
					err = os.Rename(path, path+".old")
				}
				if err == nil {
					err = os.WriteFile(path, data, 0o600)
				}
				return err
			})
		},
		"lists that are gone":    func(t *testing.T, _ *theatre) { lists(t, os.Remove) },
		"lists that are damaged": func(t *testing.T, _ *theatre) { lists(t, func(path string) error { return os.Truncate(path, 100) }) },
		"pins that are gone": func(t *testing.T, _ *theatre) {
			folder := filepath.Join(os.Getenv("HOME"), ".local", "state", "weir")
			names, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			pinned := false
			for _, name := range names {
				if strings.Contains(name.Name(), "pin") {
					pinned = true
				}
			}
			if err := os.RemoveAll(folder); err != nil || !pinned {
				t.Fatalf("%v, %v", names, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			restore(t, os.Getenv("HOME"))
			restore(t, filepath.Dir(th.config))
			args := th.r.app.Args
			defer func() { th.r.app.Args = args }()
			th.rehearse(t, lines)
			if th.play(t, lines) == "" {
				t.Fatal("nothing has changed, and nothing was told")
			}
			change(t, th)
			if got := th.play(t, lines); got != "" {
				t.Errorf("told %.300s", got)
			}
		})
	}
}

// restore puts a folder back at the end of a test.
func restore(t *testing.T, folder string) {
	t.Helper()
	before := t.TempDir()
	if err := os.CopyFS(before, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.RemoveAll(folder), os.CopyFS(folder, os.DirFS(before))); err != nil {
			t.Error(err)
		}
		closeFolders(t, folder)
	})
}

// closeFolders makes folders the user's alone again, as weir leaves them, and the
// files in them, which is not copied.
func closeFolders(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Error(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func cacheFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "weir")
}

// A host with another name is told what its policy makes of it, and not what was
// recorded for one before.
func TestPreludeIsForThisHost(t *testing.T) {
	th := newTheatre(t, `
servers:
  desk: {command: WEIR, args: [demo-server]}
policy:
  default: execute
  rules:
    - {server: desk, tool: echo, level: deny, when: 'client.name == "other"'}
`)
	lines := preludeHosts["legacy"]
	other := slices.Clone(lines)
	other[0] = strings.Replace(other[0], `"name":"host"`, `"name":"other"`, 1)
	th.rehearse(t, lines)
	if got := th.play(t, other); got != "" {
		t.Errorf("another host was told %.300s", got)
	}
	th.rehearse(t, other)
	if got := th.play(t, lines); !strings.Contains(got, "desk__echo") {
		t.Errorf("the host does not see its tools: %.300s", got)
	}
	if got := th.play(t, other); got == "" || strings.Contains(got, "desk__echo") {
		t.Errorf("the other host sees what is denied to it, or nothing: %.300s", got)
	}
}

// What a start cannot answer at once, or reads but once, is not recorded.
func TestPreludeOfNothing(t *testing.T) {
	lines := preludeHosts["legacy"]
	for name, make := range map[string]func(t *testing.T) *theatre{
		"no servers": func(t *testing.T) *theatre { return newTheatre(t, "servers: {}\n") },
		"a broken configuration": func(t *testing.T) *theatre {
			th := newTheatre(t, oneServer)
			write(t, th.config, "servers: [")
			return th
		},
		"a server that was never listed": func(t *testing.T) *theatre {
			th := newTheatre(t, oneServer)
			text, err := os.ReadFile(th.config)
			if err != nil {
				t.Fatal(err)
			}
			write(t, th.config, strings.Replace(string(text), "policy:", "  more: {command: nothing-like-this}\npolicy:", 1))
			return th
		},
		"a key from a pipe": func(t *testing.T) *theatre {
			th := newTheatre(t, oneServer)
			th.r.app.identity.piped = []byte("key")
			return th
		},
		"lists that were put there just now": func(t *testing.T) *theatre {
			th := newTheatre(t, oneServer)
			err := th.r.rehearse(openStore(t.Context(), zerolog.Nop()), bytesOf(lines), time.Now())
			if err == nil {
				t.Error("recorded, want that it is too early")
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			th := make(t)
			if th == nil {
				return
			}
			if err := th.tryRehearsal(t, lines); err == nil {
				t.Error("a start was recorded")
			}
			if got := th.play(t, lines); got != "" {
				t.Errorf("told %.300s", got)
			}
		})
	}
}

// While something changes all the time it is not tried for ever; whoever changes
// something later has it tried again.
func TestRehearsalsAreNotTriedForEver(t *testing.T) {
	th := newTheatre(t, oneServer)
	synctest.Test(t, func(t *testing.T) { // its time is long ago, so that nothing has settled
		var nobody *prelude.Performance
		var log strings.Builder
		th.r.log = zerolog.New(&log)
		in := nobody.Input(strings.NewReader(strings.Join(preludeHosts["legacy"], "\n") + "\n"))
		p := th.r.newPrompter(nobody, in, openStore(t.Context(), zerolog.Nop()))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { p.run(ctx) })
		tries := func() int {
			<-time.After(time.Minute)
			synctest.Wait()
			return strings.Count(log.String(), errUnsettled.Error())
		}
		if got := tries(); got != 0 {
			t.Errorf("%d tries before the host has written", got)
		}
		if _, err := io.Copy(io.Discard, in); err != nil {
			t.Fatal(err)
		}
		for round := 1; round <= 2; round++ {
			if got, want := tries(), round*maxTries; got != want {
				t.Errorf("tries: got %d, want %d", got, want)
			}
			p.again()
		}
		cancel()
		running.Wait()
	})
}

// What a record has answered whole need not be rehearsed; what it has not is.
func TestWhatIsRehearsed(t *testing.T) {
	th := newTheatre(t, oneServer)
	lines := preludeHosts["legacy"]
	th.rehearse(t, lines[:3])
	for _, asked := range []int{3, 4} {
		want := asked == 4
		var log strings.Builder
		th.r.log = zerolog.New(&log)
		in, toIn, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fromOut, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := toIn.WriteString(strings.Join(lines[:asked], "\n") + "\n"); err != nil {
			t.Fatal(err)
		}
		_ = toIn.Close()
		played := prelude.Play(th.r.app.start(), prelude.Streams{In: int(in.Fd()), Out: int(out.Fd()), Err: -1})
		input := played.Input(in)
		if _, err := io.Copy(io.Discard, input); err != nil {
			t.Fatal(err)
		}
		p := th.r.newPrompter(played, input, openStore(t.Context(), zerolog.Nop()))
		if !p.look() {
			t.Error("nothing can be rehearsed")
		}
		if got := strings.Contains(log.String(), "rehearsed"); got != want {
			t.Errorf("of %d lines: rehearsed %t, want %t", asked, got, want)
		}
		p.due.Stop()
		for _, f := range []*os.File{in, fromOut, out} {
			_ = f.Close()
		}
	}
}

// A record of before is taken away by a rehearsal that comes to nothing.
func TestPreludeIsForgotten(t *testing.T) {
	th := newTheatre(t, oneServer)
	lines := preludeHosts["legacy"]
	th.rehearse(t, lines)
	text, err := os.ReadFile(th.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, th.config, "servers: [")
	if err := th.tryRehearsal(t, lines); err == nil {
		t.Error("a broken configuration was recorded")
	}
	write(t, th.config, string(text))
	if got := th.play(t, lines); got != "" {
		t.Errorf("told %.300s", got)
	}
}

// A weir that serves records its next start by itself. That one is answered from
// the record, and where the world is another after all, the host hears of it.
func TestServeFromARecord(t *testing.T) {
	th := newTheatre(t, oneServer)
	lines := preludeHosts["legacy"][:3]
	first := th.begin(t)
	var want []string
	for _, line := range lines {
		want = append(want, first.ask(line))
	}
	record := awaitRecord(t)
	first.end()
	if got := th.play(t, lines); got != strings.Join(want, "") {
		t.Fatalf("recorded\n%.500s\nwant\n%.500s", got, want)
	}

	forge(t, th, record, "desk__echo", "desk__ehco")
	second := th.begin(t)
	defer second.end()
	second.ask(lines[0])
	second.ask(lines[1])
	if got := second.ask(lines[2]); !strings.Contains(got, "desk__ehco") {
		t.Fatalf("the start was not answered from the record: %.300s", got)
	}
	if got := second.next(); !strings.Contains(got, "notifications/tools/list_changed") {
		t.Errorf("got %.300s, want that the list has changed", got)
	}
	if got, want := second.ask(lines[2]), want[2]; got != want {
		t.Errorf("the list after that: got\n%.300s\nwant\n%.300s", got, want)
	}
	call := second.ask(`{"method":"tools/call","jsonrpc":"2.0","id":9,"params":{"name":"desk__echo","arguments":{"text":"x"}}}`)
	if !strings.Contains(call, `"text":"x"`) {
		t.Errorf("a call: got %s", call)
	}
}

// A call is never answered from a record, whatever stands there.
func TestPreludeLeavesCallsAlone(t *testing.T) {
	th := newTheatre(t, oneServer)
	call := `{"method":"tools/call","jsonrpc":"2.0","id":9,"params":{"name":"desk__echo","arguments":{"text":"x"}}}`
	lines := append(slices.Clone(preludeHosts["legacy"][:2]), call, preludeHosts["legacy"][2])
	if got := openingLines(bytesOf(lines)); len(got) != 2 {
		t.Errorf("%d lines are rehearsed, want those before the call", len(got))
	}
	th.rehearse(t, lines[:2])
	if got := th.serve(t, lines); !strings.Contains(got, `"text":"x"`) {
		t.Errorf("got %.300s", got)
	}
}

// awaitRecord waits until a weir has recorded a start, and returns where.
func awaitRecord(t *testing.T) string {
	t.Helper()
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		paths, err := filepath.Glob(filepath.Join(cacheFolder(t), "*"+prelude.AnyRecords+"*", "[0-9a-f]*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) > 0 {
			return paths[0]
		}
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			t.Fatal("no start was recorded")
		}
	}
}

// forge makes the record of a start say something else.
func forge(t *testing.T, th *theatre, path, old, other string) {
	t.Helper()
	start, err := prelude.NewStart(th.r.app.start())
	if err != nil {
		t.Fatal(err)
	}
	r, err := th.r.record(start, openStore(t.Context(), zerolog.Nop()), bytesOf(preludeHosts["legacy"][:3]), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Answers {
		r.Answers[i].Reply = bytes.ReplaceAll(r.Answers[i].Reply, []byte(old), []byte(other))
	}
	if err := keep.Record(start, r); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the record lies elsewhere now: %v", err)
	}
}

// The lines of a record are JSON, or a host would be at its end.
func TestRecordedRepliesAreWhole(t *testing.T) {
	th := newTheatre(t, theatreConfig)
	for era, lines := range preludeHosts {
		th.rehearse(t, lines)
		for i, line := range strings.Split(strings.TrimSuffix(th.play(t, lines), "\n"), "\n") {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: reply %d is no JSON: %.300s", era, i, fmt.Sprint(line))
			}
		}
	}
}
