package cli

import (
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// A loginTerminal is a terminal on which a login is under way, of a process of
// its own.
type loginTerminal struct {
	*terminal
	ended   chan error
	process *os.Process
	address string // where to log in
}

// onTerminal begins a login on a terminal.
func (p *protected) onTerminal(t *testing.T, args ...string) *loginTerminal {
	t.Helper()
	tty := newTerminal(t)
	devices := []*os.File{tty.far, tty.far, tty.far}
	process, err := os.StartProcess(program(t), append([]string{program(t), "login", "acme", "--config", p.config}, args...),
		&os.ProcAttr{Files: devices, Env: append(os.Environ(), "TERM=dumb")})
	if err != nil {
		t.Fatal(err)
	}
	l := &loginTerminal{terminal: tty, ended: make(chan error, 1), process: process}
	go func() {
		state, err := process.Wait()
		if err == nil && !state.Success() {
			err = errors.New(state.String())
		}
		l.ended <- err
	}()
	t.Cleanup(func() {
		_ = process.Kill()
		if l.ended != nil {
			<-l.ended
		}
	})
	l.await(t, "paste the address of that page here.")
	l.address = regexp.MustCompile(`(?m)^http://\S*/authorize\S*$`).FindString(l.text())
	if l.address == "" {
		t.Fatalf("the address has no line of its own:\n%s", l.text())
	}
	return l
}

func (l *loginTerminal) await(t *testing.T, words string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !strings.Contains(l.text(), words) {
		select {
		case <-l.more:
		case <-deadline:
			t.Fatalf("terminal never showed %q:\n%s", words, l.text())
		}
	}
}

// end waits for the process and returns how it ended.
func (l *loginTerminal) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-l.ended:
		l.ended = nil
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("it does not end:\n%s", l.text())
		return nil
	}
}

func (l *loginTerminal) paste(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(l.near, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// elsewhere is where a browser on another machine ends up: at an address that it
// cannot load.
func elsewhere(t *testing.T, address string) string {
	t.Helper()
	client := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	response, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	location := response.Header.Get("Location")
	if location == "" {
		t.Fatalf("got %s, want a redirect", response.Status)
	}
	return location
}

// TestLoginElsewhere is the way over SSH: the browser is on another machine.
func TestLoginElsewhere(t *testing.T) {
	newHome(t)
	withBrowser(t)
	p := newProtected(t, authserver.Options{}, "")
	l := p.onTerminal(t, "--no-browser")
	if strings.Contains(l.text(), "being opened") {
		t.Error("a browser was opened, want none")
	}
	l.paste(t, "what is this?")
	l.await(t, "That is not it: ")
	l.paste(t, "http://127.0.0.1:1/callback?code=x&state=y")
	l.await(t, "this is from another login")
	l.paste(t, "  "+elsewhere(t, l.address)+"  ")
	if err := l.end(t); err != nil {
		t.Errorf("the process ended with %v", err)
	}
	l.await(t, "Logged in to acme.")
	nobodyListens(t, l.text())
	weir(t, "tools", "--config", p.config).wants(t, exitOK, "acme__echo")
}

// TestLoginInterrupted leaves no port behind.
func TestLoginInterrupted(t *testing.T) {
	newHome(t)
	p := newProtected(t, authserver.Options{}, "")
	l := p.onTerminal(t)
	if err := l.process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := l.end(t); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("the process ended with %v, want 1", err)
	}
	l.await(t, "interrupted")
	nobodyListens(t, l.text())
	weir(t, "auth", "--config", p.config).wants(t, exitOK, "not logged in")
}

// TestLoginTwice: one login of a server at a time, over all processes.
func TestLoginTwice(t *testing.T) {
	newHome(t)
	p := newProtected(t, authserver.Options{}, "")
	l := p.onTerminal(t)
	weir(t, "login", "acme", "--config", p.config).wants(t, exitFailed, "another login is under way")
	l.paste(t, elsewhere(t, l.address))
	if err := l.end(t); err != nil {
		t.Errorf("the process ended with %v", err)
	}
}

// TestServeAfterLogin: what serves has the login that a command made.
func TestServeAfterLogin(t *testing.T) {
	newHome(t)
	withBrowser(t)
	p := newProtected(t, authserver.Options{}, "")
	weir(t, "login", "acme", "--config", p.config).wants(t, exitOK, "Logged in")
	c := startServing(t, "--config", p.config)
	if _, err := c.host.initialize(t.Context()); err != nil {
		t.Fatal(c.explain(err))
	}
	result, err := c.host.callTool(t.Context(), "acme__echo", []byte(`{"text":"x"}`), nil)
	if err != nil || result.IsError {
		t.Fatalf("got %+v, %v:\n%s", result, err, c.stderr.String())
	}
}

// TestLoginWhileServing: a weir that runs notices the login, and goes on.
func TestLoginWhileServing(t *testing.T) {
	newHome(t)
	p := newProtected(t, authserver.Options{}, "")
	c := startServing(t, "--config", p.config)
	if _, err := c.host.initialize(t.Context()); err != nil {
		t.Fatal(c.explain(err))
	}
	if tools, err := c.host.listTools(t.Context()); err != nil || len(tools) > 1 {
		t.Fatalf("got %d tools, %v, want none of a server that wants a login", len(tools), err)
	}
	withBrowser(t)
	weir(t, "login", "acme", "--config", p.config).wants(t, exitOK, "Logged in")
	result, err := c.host.callTool(t.Context(), "acme__echo", []byte(`{"text":"x"}`), nil)
	for deadline := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(deadline); {
		if _, err := c.host.listTools(t.Context()); err != nil {
			t.Fatal(c.explain(err))
		}
		result, err = c.host.callTool(t.Context(), "acme__echo", []byte(`{"text":"x"}`), nil)
	}
	if err != nil || result.IsError {
		t.Errorf("got %+v, %v:\n%s", result, err, c.stderr.String())
	}
}
