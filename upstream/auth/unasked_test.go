package auth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// screen is a browser that notes what it is shown.
type screen struct {
	there bool
	shown []string
}

func (s *screen) Available() bool { return s.there }

func (s *screen) Open(_ context.Context, url string) error {
	s.shown = append(s.shown, url)
	return nil
}

// desktop is a process with a screen.
func (w *world) desktop(s *screen) *process {
	w.t.Helper()
	k := auth.NewKeeper(auth.Options{Store: w.store(), Browser: s})
	w.t.Cleanup(k.Close)
	p := &process{t: w.t, keeper: k, url: w.endpoint}
	p.a = k.Authenticator("gh", w.endpoint, auth.Config{Kind: auth.OAuth2, OAuth: w.config}, nil)
	p.connect()
	return p
}

// TestUnaskedLogin: a browser opens by itself seldom, and where there is one.
func TestUnaskedLogin(t *testing.T) {
	unasked := auth.LoginOptions{Unasked: true}
	w := newWorld(t, authserver.Options{})
	refuses := func(p *process, want error) {
		t.Helper()
		before := len(w.server.Seen())
		if attempt, err := p.a.Login(t.Context(), unasked); !errors.Is(err, want) {
			t.Errorf("got %v, %v, want %v", attempt, err, want)
		}
		if got := len(w.server.Seen()); got != before {
			t.Errorf("%v: got %d requests, want none", want, got-before)
		}
	}
	refuses(w.process(), auth.ErrNoBrowser)
	refuses(w.desktop(&screen{}), auth.ErrNoBrowser)
	w.config.Ask = true
	refuses(w.desktop(&screen{there: true}), auth.ErrAskFirst)
	w.config.Ask = false

	s := &screen{there: true}
	p := w.desktop(s)
	attempt, err := p.a.Login(t.Context(), unasked)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.a.Open(t.Context(), attempt); err != nil || len(s.shown) != 1 || s.shown[0] != attempt.URL() {
		t.Errorf("got %v, %v shown, want the address", err, s.shown)
	}
	refuses(w.desktop(&screen{there: true}), auth.ErrLoginUnderWay)

	// Another server, while the tab is open: only to somebody who asks.
	other := newWorld(t, authserver.Options{})
	other.folder = w.folder
	q := other.desktop(&screen{there: true})
	if _, err := q.a.Login(t.Context(), unasked); !errors.Is(err, auth.ErrLoginUnderWay) {
		t.Errorf("of another server: got %v, want %v", err, auth.ErrLoginUnderWay)
	}
	if err := other.login(q); err != nil {
		t.Errorf("of another server, in words: got %v", err)
	}

	attempt.Close()
	refuses(w.desktop(&screen{there: true}), auth.ErrAskedLately)
	if err := w.login(p); err != nil { // whoever says so may
		t.Error(err)
	}
}
