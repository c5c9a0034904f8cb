//go:build unix

package cli

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// endLimit is how long a process may take to end, on a machine that is busy.
const endLimit = 10 * time.Second

// startServing starts weir as a host does.
func startServing(t *testing.T, args ...string) *child {
	t.Helper()
	c, err := startChild(program(t), append([]string{"serve"}, args...), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return c
}

// endsWell waits for the end of a process of which nothing more is asked.
func endsWell(t *testing.T, c *child) {
	t.Helper()
	kill := time.AfterFunc(endLimit, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	c.host.reader.Wait() // reads to the end of its output
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v, want 0:\n%s", err, c.stderr.String())
	}
}

func TestServe(t *testing.T) {
	newHome(t)
	c := startServing(t, "--config", writeConfig(t, oneServer))
	greeting, err := c.host.initialize(t.Context())
	if err != nil {
		t.Fatal(c.explain(err))
	}
	if greeting.Name != "weir" || greeting.Version != version {
		t.Errorf("got %+v, want weir", greeting)
	}
	result, err := c.host.callTool(t.Context(), "desk__echo", []byte(`{"text":"x"}`), nil)
	if err != nil {
		t.Fatal(c.explain(err))
	}
	if result.text() != "x" {
		t.Errorf("got %s, want x", result.Raw)
	}
}

func TestServeEndsWithASignalDuringACall(t *testing.T) {
	newHome(t)
	config := writeConfig(t, oneServer)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			c := startServing(t, "--config", config)
			if _, err := c.host.initialize(t.Context()); err != nil {
				t.Fatal(c.explain(err))
			}
			running := make(chan struct{}, 100)
			call := make(chan error, 1)
			go func() {
				_, err := c.host.callTool(context.Background(), "desk__slow", []byte(`{"seconds":300,"steps":1000}`),
					func([]byte) { running <- struct{}{} })
				call <- err
			}()
			<-running
			if err := c.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			endsWell(t, c)
			if err := <-call; err == nil {
				t.Error("the call was answered, want none")
			}
		})
	}
}

func TestServeOutlivesAHangup(t *testing.T) {
	newHome(t)
	c := startServing(t)
	if _, err := c.host.initialize(t.Context()); err != nil {
		t.Fatal(c.explain(err))
	}
	if err := c.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if _, err := c.host.listTools(t.Context()); err != nil {
		t.Fatal(c.explain(err))
	}
}

// A host that is gone is a good end, and no signal's.
func TestServeEndsWhenNobodyReads(t *testing.T) {
	newHome(t)
	cmd := exec.Command(program(t), "serve")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	if _, err := io.WriteString(in, `{"jsonrpc":"2.0","id":1,"method":"ping"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(endLimit, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v, want 0", err)
	}
}

func TestServeWithABrokenConfiguration(t *testing.T) {
	newHome(t)
	c := startServing(t, "--config", writeConfig(t, "servers:\n  a: {comand: x}\n"))
	greeting, err := c.host.initialize(t.Context())
	if err != nil {
		t.Fatal(c.explain(err))
	}
	for _, want := range []string{"cannot be used", "mcp.yaml:2", "comand"} {
		if !strings.Contains(greeting.Instructions, want) {
			t.Errorf("instructions have no %q: %s", want, greeting.Instructions)
		}
	}
	tools, err := c.host.listTools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(tools) != 1 || tools[0].Name != "weir__servers" {
		t.Errorf("got %v tools, want weir__servers alone", len(tools))
	}
	result, err := c.host.callTool(t.Context(), "weir__servers", []byte(`{}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(result.text(), "mcp.yaml:2") {
		t.Errorf("weir__servers: got %s, want the place of the error", result.text())
	}
	c.stop()
	if said := c.stderr.String(); !strings.Contains(said, "mcp.yaml:2") {
		t.Errorf("the log does not tell of the error: %s", said)
	}
}

// A weir that stands behind itself serves nothing, so the chain ends there.
func TestServeBehindItself(t *testing.T) {
	newHome(t)
	config := writeConfig(t, `
servers:
  again: {command: WEIR, args: [serve]}
`)
	t.Setenv("WEIR_CONFIG", config)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	named := strings.Replace(string(text), "[serve]", "[serve, --config, "+quoted(config)+"]", 1)
	if err := os.WriteFile(config, []byte(named), 0o600); err != nil {
		t.Fatal(err)
	}
	weir(t, "tools", "--config", config).wants(t, exitOK, "again__weir__servers")
	weir(t, "call", "--config", config, "again__weir__servers").wants(t, exitOK, "start itself without end")
}

func TestStrayPrintsDoNotReachTheHost(t *testing.T) {
	cmd := exec.Command(program(t), strayPrint)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got, want := stdout.String(), "protocol\n"; got != want {
		t.Errorf("stdout: got %q, want %q", got, want)
	}
	for _, want := range []string{"fmt", "os.Stdout", "kept os.Stdout", "descriptor 1"} {
		if !strings.Contains(stderr.String(), "stray: "+want) {
			t.Errorf("stderr has no stray print by %s: %q", want, stderr.String())
		}
	}
}

// The description of a pipe may be shared with processes that cannot cope with
// non-blocking mode.
func TestStreamsAreGivenBackAsTheyWere(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, f := range []*os.File{r, w} {
		_ = f.Fd() // puts it into blocking mode, as a host's child finds it
	}
	s, err := takeStdio(r, w)
	if err != nil {
		t.Fatal(err)
	}
	if !nonBlocking(t, r) || !nonBlocking(t, w) {
		t.Error("the pipes are in blocking mode, want them served by the poller")
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.endWith(ctx)
	cancel()
	if _, err := s.in.Read(make([]byte, 1)); err == nil {
		t.Error("a read after the end of the context succeeded")
	}
	s.giveBack()
	if nonBlocking(t, r) || nonBlocking(t, w) {
		t.Error("the pipes are left in non-blocking mode")
	}
}

func TestOneDescriptionForStdoutAndStderr(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t), strayPrint)
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	said, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v, want 0", err)
	}
	if got, want := strings.Count(string(said), "\n"), 5; got != want {
		t.Errorf("got %d lines, want %d: %q", got, want, said)
	}
}

func nonBlocking(t *testing.T, f *os.File) bool {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	yes := false
	err = raw.Control(func(fd uintptr) {
		flags, flagsErr := unix.FcntlInt(fd, unix.F_GETFL, 0)
		yes = flagsErr == nil && flags&unix.O_NONBLOCK != 0
	})
	if err != nil {
		t.Fatal(err)
	}
	return yes
}
