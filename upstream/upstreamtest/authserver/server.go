package authserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Server is an authorization server, and the protected endpoints that trust
// it. All methods may be called from any goroutine.
type Server struct {
	t      testing.TB
	closed chan struct{} // at the end of the test

	mu        sync.Mutex
	options   Options
	issuers   []*issuer // the last is the one that resources name
	resources []*resource
	clients   map[clientKey]*Client // those that registered dynamically
	codes     map[string]*grant
	access    map[string]*token
	refresh   map[string]*token
	jtis      map[string]bool
	replied   map[*Reply]int
	secrets   []string
	seen      []*Event
	arrived   chan struct{} // closed, and replaced, with each event
}

// clientKey is a client's name: what is registered at one issuer is not at
// another.
type clientKey struct{ issuer, id string }

// An Event is a request as it came, and how it was answered.
type Event struct {
	Origin string // scheme, host and port
	Method string
	Path   string
	Form   url.Values // of query and body
	Header http.Header
	Body   string
	Status int // 0: not answered yet
}

// HasToken reports whether the request brought an access token.
func (e Event) HasToken() bool { return e.Token() != "" }

// Token is the access token that the request brought, "" for none.
func (e Event) Token() string {
	scheme, token, _ := strings.Cut(e.Header.Get("Authorization"), " ")
	if scheme == "DPoP" || scheme == "Bearer" {
		return token
	}
	return ""
}

// New starts a server, which ends with the test.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	s := newServer(t, o)
	s.Migrate()
	return s
}

// newServer returns one that serves nothing yet.
func newServer(t testing.TB, o Options) *Server {
	s := &Server{
		t: t, closed: make(chan struct{}), options: o,
		clients: map[clientKey]*Client{}, codes: map[string]*grant{},
		access: map[string]*token{}, refresh: map[string]*token{},
		jtis: map[string]bool{}, replied: map[*Reply]int{}, arrived: make(chan struct{}),
	}
	t.Cleanup(func() { close(s.closed) })
	return s
}

// Issuer is the issuer that resources name now.
func (s *Server) Issuer() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issuers[len(s.issuers)-1].url
}

// Migrate sets up another issuer, which all resources name from now on in the
// place of the one before. They take none of its tokens, and nobody is
// registered there but Options.Clients.
func (s *Server) Migrate() (url string) {
	i := &issuer{s: s}
	origin := s.listen(i)
	s.mu.Lock()
	defer s.mu.Unlock()
	i.place(origin, s.options.IssuerPath)
	s.issuers = append(s.issuers, i)
	return i.url
}

// Set changes the options. Where things are (IssuerPath, PRM) stays as it is for
// what is there.
func (s *Server) Set(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.options)
}

// Expire ends all access tokens now.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.access)
}

// Revoke ends all tokens now, as an administrator would.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.access)
	clear(s.refresh)
}

// Forget forgets all clients that registered dynamically.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.clients)
}

// Seen returns all requests so far, to the authorization server and to the
// protected endpoints, in the order they came.
func (s *Server) Seen() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make([]Event, len(s.seen))
	for i, e := range s.seen {
		found[i] = *e
	}
	return found
}

// At returns the requests whose path ends with this, in the order they came.
func (s *Server) At(path string) []Event {
	return slices.DeleteFunc(s.Seen(), func(e Event) bool { return !strings.HasSuffix(e.Path, path) })
}

// Granted returns the requests to the token endpoint of this grant type.
func (s *Server) Granted(grant string) []Event {
	return slices.DeleteFunc(s.At("/token"), func(e Event) bool { return e.Form.Get("grant_type") != grant })
}

// Await waits until n requests with a path that ends with this have come. The
// error is that of ctx.
func (s *Server) Await(ctx context.Context, path string, n int) error {
	for {
		s.mu.Lock()
		arrived := s.arrived
		s.mu.Unlock()
		if len(s.At(path)) >= n {
			return nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Secrets returns all that nobody but the client and the servers may ever see:
// codes, tokens, the secrets of clients, verifiers and assertions.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := slices.Clone(s.secrets)
	for _, c := range s.options.Clients {
		if c.Secret != "" {
			found = append(found, c.Secret)
		}
	}
	return found
}

// listen serves a handler on a port of its own.
func (s *Server) listen(h http.Handler) (origin string) {
	server := httptest.NewServer(s.noting(h))
	s.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

const maxBody = 4 << 20

// noting notes each request before it is served.
func (s *Server) noting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return // the client is gone
		}
		form := r.URL.Query()
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			if posted, err := url.ParseQuery(string(body)); err == nil {
				for name, values := range posted {
					form[name] = append(form[name], values...)
				}
			}
		}
		e := &Event{
			Origin: "http://" + r.Host, Method: r.Method, Path: r.URL.Path, Form: form, Header: r.Header.Clone(), Body: string(body),
		}
		s.note(e)
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(&answer{w, s, e}, r)
	})
}

func (s *Server) note(e *Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []string{"code_verifier", "client_assertion", "assertion", "subject_token"} {
		if secret := e.Form.Get(name); secret != "" {
			s.secrets = append(s.secrets, secret)
		}
	}
	s.seen = append(s.seen, e)
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// answer notes the status.
type answer struct {
	http.ResponseWriter
	s *Server
	e *Event
}

func (a *answer) WriteHeader(status int) {
	a.s.mu.Lock()
	a.e.Status = status
	a.s.mu.Unlock()
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	a.s.mu.Lock()
	if a.e.Status == 0 {
		a.e.Status = http.StatusOK
	}
	a.s.mu.Unlock()
	return a.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (s *Server) now() Options {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options
}

// reply answers in the place of an endpoint, if it is to: nil never is.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, reply *Reply) bool {
	if reply == nil {
		return false
	}
	s.mu.Lock()
	s.replied[reply]++
	over := reply.Times > 0 && s.replied[reply] > reply.Times
	s.mu.Unlock()
	if over {
		return false
	}
	if reply.Hang {
		select {
		case <-r.Context().Done():
		case <-s.closed:
		}
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	for name, value := range reply.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(max(reply.Status, http.StatusOK))
	_, _ = io.WriteString(w, reply.Body)
	return true
}

// wait is the server's slowness.
func (s *Server) wait(r *http.Request, delay time.Duration) {
	if delay == 0 {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-s.closed:
	}
}

// secret makes a secret, and remembers it. The caller holds s.mu.
func (s *Server) secret(prefix string) string {
	text := prefix + rand.Text()
	s.secrets = append(s.secrets, text)
	return text
}

func writeJSON(w http.ResponseWriter, status int, document any) {
	text, err := json.Marshal(document)
	if err != nil {
		panic(err) // Options hold what is no JSON
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// fail answers with an error of OAuth (RFC 6749, section 5.2).
func fail(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, map[string]any{"error": code, "error_description": description})
}
