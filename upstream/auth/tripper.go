package auth

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

const authorization = "Authorization"

// A tripper is what all RoundTrippers of this package share.
type tripper struct{ base http.RoundTripper }

// CloseIdleConnections passes through, for [http.Client].
func (t tripper) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// withHeader returns a copy of a request with a header of its own: a RoundTripper
// must not change the caller's.
func withHeader(req *http.Request, name string, value secret) *http.Request {
	fresh := *req
	fresh.Header = req.Header.Clone()
	if fresh.Header == nil {
		fresh.Header = http.Header{}
	}
	fresh.Header.Set(name, string(value))
	return &fresh
}

// originOf is scheme, host and port of a URL (RFC 6454, section 4), for which a
// WebSocket is the request that it begins with.
func originOf(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	switch scheme {
	case "ws":
		scheme = "http"
	case "wss":
		scheme = "https"
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
