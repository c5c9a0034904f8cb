package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/login"
)

// resolveTime is how long references may take to be read.
const resolveTime = 10 * time.Second

// static are credentials that the user has: they go with each request, and when
// they are refused, nothing but other ones can help. Without any, requests go as
// they are.
type static struct {
	a    *Authenticator
	seed maphash.Seed // of stamps: what the credentials are cannot be told from them
}

func newStatic(a *Authenticator) *static { return &static{a, maphash.MakeSeed()} }

func (s *static) roundTripper(ctx context.Context, base http.RoundTripper) (http.RoundTripper, error) {
	if s.a.config.Kind == None {
		return base, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	at, err := s.a.place(ctx)
	if err != nil {
		return nil, err
	}
	if !at.secure() {
		return nil, errors.New("credentials must not travel over plain http, but within this machine; use https")
	}
	name, value, err := s.header(ctx)
	if err != nil {
		return nil, err
	}
	return &staticTripper{tripper{base}, at.origin, name, value}, nil
}

// header makes the header that the credentials go in.
func (s *static) header(ctx context.Context) (name string, value secret, err error) {
	c := s.a.config
	switch c.Kind {
	case Bearer:
		token, err := s.credential(ctx, "token", c.Token)
		return authorization, "Bearer " + token, err
	case APIKey:
		key, err := s.credential(ctx, "value", c.Value)
		if err != nil {
			return "", "", err
		}
		prefix, err := s.a.text(ctx, "prefix", c.Prefix)
		if prefix != "" {
			key = secret(prefix) + " " + key
		}
		name := c.Header
		if name == "" {
			name = authorization
		}
		return textproto.CanonicalMIMEHeaderKey(name), key, err
	case Basic:
		return s.basic(ctx)
	case None, OAuth2:
	}
	return "", "", fmt.Errorf("no static credentials: %q", c.Kind)
}

// basic makes the header of a name and a password (RFC 7617, section 2).
func (s *static) basic(ctx context.Context) (string, secret, error) {
	user, err := s.a.text(ctx, "username", s.a.config.Username)
	if err == nil && (user == "" || strings.Contains(user, ":")) {
		err = errors.New("auth.username: it is empty, or has a colon")
	}
	if err != nil {
		return "", "", err
	}
	password, err := s.a.text(ctx, "password", s.a.config.Password)
	if err != nil {
		return "", "", err
	}
	return authorization, secret("Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))), nil
}

// credential reads one that there must be.
func (s *static) credential(ctx context.Context, key, text string) (secret, error) {
	value, err := s.a.text(ctx, key, text)
	if err == nil && strings.TrimSpace(value) == "" {
		err = fmt.Errorf("auth.%s: it is blank", key)
	}
	return secret(strings.TrimSpace(value)), err
}

// stamp is a keyed digest of what the references hold now. One that cannot be
// read has a stamp too: that it can be read again is a change.
func (s *static) stamp(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	name, value, err := s.header(ctx)
	return fmt.Sprintf("%x", maphash.Comparable(s.seed, [...]any{name, value, err != nil}))
}

func (s *static) wanted() *LoginError { return nil }

func (s *static) login(context.Context, LoginOptions) (*login.Attempt, error) {
	return nil, ErrNoLogin
}

func (s *static) logout(context.Context) (Outcome, error) { return Outcome{}, ErrNoLogin }

func (s *static) standing(context.Context) (Standing, error) { return Standing{}, nil }

// A staticTripper sets one header.
type staticTripper struct {
	tripper
	origin string
	name   string
	value  secret
}

func (t *staticTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if originOf(req.URL) != t.origin {
		return t.base.RoundTrip(req)
	}
	return t.base.RoundTrip(withHeader(req, t.name, t.value))
}
