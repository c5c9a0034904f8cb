package discovery

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/weir-mcp/weir/upstream/auth/guard"
)

// A page is what a site answers at one place.
type page struct {
	status int    // 0 is 200
	kind   string // content type; "" is application/json
	body   string // in which ORIGIN is the site's own
	hangUp bool   // instead of an answer
}

// A site is servers on loopback whose pages are given. It answers 404 where there
// is none.
type site struct {
	*httptest.Server
	pages map[string]page

	mu   sync.Mutex
	seen []*http.Request
}

func newSite(t *testing.T, pages map[string]page) *site {
	t.Helper()
	s := &site{pages: pages}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r)
	s.mu.Unlock()
	p, ok := s.pages[r.URL.EscapedPath()]
	switch {
	case !ok:
		http.NotFound(w, r)
		return
	case p.hangUp:
		panic(http.ErrAbortHandler)
	}
	if p.kind == "" {
		p.kind = "application/json"
	}
	w.Header().Set("Content-Type", p.kind)
	if p.status != 0 {
		w.WriteHeader(p.status)
	}
	io.WriteString(w, s.filled(p.body))
}

// filled puts the site's own origin into a text.
func (s *site) filled(text string) string { return strings.ReplaceAll(text, "ORIGIN", s.URL) }

// paths returns what was asked for so far.
func (s *site) paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var paths []string
	for _, r := range s.seen {
		paths = append(paths, r.URL.RequestURI())
	}
	return paths
}

func parseURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newGuard(t *testing.T, server string) *guard.Client {
	t.Helper()
	c := guard.NewClient(parseURL(t, server), &http.Transport{})
	t.Cleanup(c.Close)
	return c
}

// wantError fails unless err is an Error at a place (in which ORIGIN is the
// site's) whose reason has these words, and is target if that is not nil.
func (s *site) wantError(t *testing.T, name string, err error, place, words string, target error) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		t.Errorf("%s: got %v, want an Error", name, err)
	case e.URL != s.filled(place) || !strings.Contains(e.Reason, s.filled(words)):
		t.Errorf("%s: got %v, want %q at %s", name, err, words, s.filled(place))
	case target != nil && !errors.Is(err, target):
		t.Errorf("%s: %v is not %v", name, err, target)
	}
}
