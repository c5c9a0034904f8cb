package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// A process is one weir, as far as authentication goes.
type process struct {
	t      *testing.T
	keeper *auth.Keeper
	a      *auth.Authenticator
	client *http.Client
	url    string
}

// world is a protected server and the user's folder.
type world struct {
	t        *testing.T
	server   *authserver.Server
	endpoint string
	folder   string
	config   auth.OAuth
	log      io.Writer
}

func newWorld(t *testing.T, o authserver.Options) *world {
	t.Helper()
	w := &world{t: t, server: authserver.New(t, o), folder: t.TempDir(), log: io.Discard}
	w.endpoint = w.server.Protect(http.HandlerFunc(echo), "/mcp")
	return w
}

// echo is a server that is glad of every token.
func echo(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }

// process starts one, which ends with the test.
func (w *world) process() *process {
	w.t.Helper()
	k := auth.NewKeeper(auth.Options{
		Store: w.store(), Version: "1.2.3", Log: zerolog.New(w.log),
	})
	w.t.Cleanup(k.Close)
	p := &process{t: w.t, keeper: k, url: w.endpoint}
	p.a = k.Authenticator("gh", w.endpoint, auth.Config{Kind: auth.OAuth2, OAuth: w.config}, nil)
	p.connect()
	return p
}

// connect makes a new connection.
func (p *process) connect() {
	p.t.Helper()
	base := &http.Transport{}
	p.t.Cleanup(base.CloseIdleConnections)
	tripper, err := p.a.RoundTripper(p.t.Context(), base)
	if err != nil {
		p.t.Fatal(err)
	}
	p.client = &http.Client{Transport: tripper}
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"w","version":"1"}}}`

// post sends a message, and returns the status.
func (p *process) post(message string) (int, error) {
	return p.postWith(p.t.Context(), message)
}

func (p *process) postWith(ctx context.Context, message string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(message))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusOK && string(body) != message {
		return resp.StatusCode, fmt.Errorf("the server got %q, want %q", body, message)
	}
	return resp.StatusCode, err
}

// works fails the test unless a request goes through.
func (p *process) works() {
	p.t.Helper()
	if status, err := p.post(initialize); status != http.StatusOK || err != nil {
		p.t.Fatalf("got %d, %v, want 200", status, err)
	}
}

// wantsLogin fails the test unless a request ends with a LoginError, which it returns.
func (p *process) wantsLogin() *auth.LoginError {
	p.t.Helper()
	status, err := p.post(initialize)
	wanted, ok := errors.AsType[*auth.LoginError](err)
	if !ok {
		p.t.Fatalf("got %d, %v, want a LoginError", status, err)
	}
	return wanted
}

// login does what the user would, and returns how it ended.
func (w *world) login(p *process) error {
	w.t.Helper()
	attempt, err := p.a.Login(w.t.Context(), auth.LoginOptions{})
	if err != nil {
		return err
	}
	w.browse(attempt)
	<-attempt.Done()
	return attempt.Err()
}

func (w *world) browse(attempt *login.Attempt) {
	w.t.Helper()
	w.server.Browse(w.t, attempt.URL())
}

// loggedIn is a process in which somebody has logged in.
func (w *world) loggedIn() *process {
	w.t.Helper()
	p := w.process()
	if err := w.login(p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// httptestServer serves a handler, and returns its URL.
func httptestServer(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
