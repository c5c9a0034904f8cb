package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// An endpoint is where a server is, its references read.
type endpoint struct {
	text   string   // as configured
	url    *url.URL // of http or https
	origin string
}

// place reads the endpoint. Its errors do not repeat the URL: there may be a
// secret in it.
func (a *Authenticator) place(ctx context.Context) (endpoint, error) {
	text, err := a.resolve(ctx, a.endpoint)
	if err != nil {
		return endpoint{}, fmt.Errorf("url: %w", err)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return endpoint{}, errors.New("url: this is no URL of a server")
	}
	switch u.Scheme = strings.ToLower(u.Scheme); u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	}
	return endpoint{text, u, originOf(u)}, nil
}

// secure reports whether what is sent there can be read by nobody on the way.
func (e endpoint) secure() bool { return isSecure(e.url) }

// isSecure is true for https, and for http within this machine (RFC 6761, section
// 6.3 for names).
func isSecure(u *url.URL) bool {
	switch u.Scheme {
	case "https":
		return true
	case "http":
		host := strings.ToLower(u.Hostname())
		addr, err := netip.ParseAddr(host)
		return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
	}
	return false
}

// text reads the references of a text of the configuration. The error names the
// key.
func (a *Authenticator) text(ctx context.Context, key, text string) (string, error) {
	value, err := a.resolve(ctx, text)
	if err == nil && strings.ContainsFunc(value, isControl) {
		err = errors.New("it has a control character")
	}
	if err != nil {
		return "", fmt.Errorf("auth.%s: %w", key, err)
	}
	return value, nil
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
