package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// This file is what the tests of logins have of a person: a configuration, a
// terminal, and a browser.

// A user has no keyring, and no desktop unless there is a browser in env.
type user struct {
	places
	env []string
}

func newUser(t *testing.T, config string) *user {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("here weir would use the keyring of whoever runs the tests")
	}
	u := &user{places: testPlaces(t)}
	u.configure(t, config)
	u.env = []string{
		"WEIR_CONFIG=" + filepath.Join(u.config, "mcp.yaml"),
		"DBUS_SESSION_BUS_ADDRESS=unix:path=" + filepath.Join(u.home, "no-bus"), // nobody's keyring
	}
	return u
}

func (u *user) configure(t *testing.T, config string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(u.config, "mcp.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (u *user) configuration(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(u.config, "mcp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// withBrowser is the same user with a browser, which consents to all that it is
// asked; see browserMain.
func (u *user) withBrowser() *user {
	wider := *u
	wider.env = append(slices.Clip(u.env), "BROWSER=browser")
	return &wider
}

// command outlives the test's context, as a session does.
func (u *user) command(args ...string) *exec.Cmd {
	cmd := u.places.command(context.Background(), "weir", args...)
	cmd.Env = append(cmd.Env, u.env...)
	return cmd
}

// serve starts weir with a host.
func (u *user) serve(t *testing.T, version string, args ...string) *session {
	t.Helper()
	return openSession(t, version, u.command(append([]string{"serve"}, args...)...))
}

// run runs a command without a terminal, and returns what it says.
func (u *user) run(t *testing.T, args ...string) (said string, code int) {
	t.Helper()
	return saidBy(t, u.command(args...))
}

func saidBy(t *testing.T, cmd *exec.Cmd) (said string, code int) {
	t.Helper()
	timeout := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timeout.Stop()
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}

// wants runs a command that must end well and say all of this.
func (u *user) wants(t *testing.T, words []string, args ...string) string {
	t.Helper()
	said, code := u.run(t, args...)
	if code != 0 {
		t.Fatalf("weir %s: exit code %d:\n%s", strings.Join(args, " "), code, said)
	}
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("weir %s: got %q, want it to say %q", strings.Join(args, " "), said, word)
		}
	}
	return said
}

// A visit is where a browser was sent, and what it showed in the end.
type visit struct {
	URL    string
	End    string // the URL of the page
	Status int
	Page   string
}

// visits are those of the user's browser so far.
func (u *user) visits(t *testing.T) (all []visit) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(u.home, visitsFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var v visit
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

const visitsFile = "visits.jsonl"

// onlyLook is the argument for a browser whose user does nothing.
const onlyLook = "--only-look"

// browserMain is a browser whose user logs in and consents at once. What it has
// seen it notes in visitsFile of the home.
func browserMain() {
	v := visit{URL: os.Args[len(os.Args)-1]}
	var err error
	if os.Args[1] != onlyLook {
		v, err = browse(context.Background(), v.URL, nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	line, err := json.Marshal(v)
	if err == nil {
		err = appendLine(filepath.Join(os.Getenv("HOME"), visitsFile), line)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func appendLine(path string, line []byte) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// browse follows an address with a jar of its own. Where stop is true it goes no
// further, as a browser on a machine that cannot reach that place.
func browse(ctx context.Context, address string, stop func(*url.URL) bool) (visit, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return visit{}, err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Jar: jar, Timeout: patience, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if stop != nil && stop(next.URL) {
			return http.ErrUseLastResponse
		}
		if len(via) > 10 {
			return errors.New("redirected too often")
		}
		return nil
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return visit{}, err
	}
	request.Header.Set("Accept", "text/html")
	response, err := client.Do(request)
	if err != nil {
		return visit{}, err
	}
	defer response.Body.Close()
	page, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	v := visit{URL: address, End: response.Request.URL.String(), Status: response.StatusCode, Page: string(page)}
	if next, none := response.Location(); none == nil {
		v.End = next.String()
	}
	return v, err
}

// until tries something again and again until it is done, and gives up after
// patience. It is for what another process does in its own time.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-timeout.C:
			t.Fatalf("%s: it never came to that", what)
		}
	}
}
