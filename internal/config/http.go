package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream"
)

// refusedHeaders are those that the transport sets itself; so are all whose
// name begins with mcp- (2025-11-25 and 2026-07-28, Streamable HTTP) or with
// sec-websocket- (RFC 6455).
var refusedHeaders = []string{
	"accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host", "keep-alive",
	"last-event-id", "origin", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}

// credentialWords in a header's name say that its value is secret.
var credentialWords = []string{"auth", "cookie", "credential", "key", "pass", "secret", "session", "token"}

// remote reads what belongs to a server with a url.
func (m *serverMaker) remote() {
	s := &m.source.value
	secret := m.headers()
	if m.made.Transport == upstream.WebSocket {
		m.subprotocol()
	}
	if m.made.Transport == upstream.SSE && m.made.Protocol == upstream.ModernVersion {
		m.fail(s.Protocol.pos, "protocol: transport %q knows no revision %s", upstream.SSE, upstream.ModernVersion)
	}
	target, err := m.checkURL()
	m.auth(target, secret)
	switch {
	case err != nil:
		m.fail(s.URL.pos, "url: %v", err)
	case target.Scheme == "ws" && !isLoopback(target.Hostname()):
		m.fail(s.URL.pos, "url: ws:// is for this machine only (use wss)")
	case secret != "" && target.Scheme == "http" && !isLoopback(target.Hostname()):
		m.fail(s.URL.pos, "url: header %q may hold a credential, which must not travel over plain http (use https)", secret)
	}
}

// subprotocol reads what to ask for; by default what the MCP SDKs do.
func (m *serverMaker) subprotocol() {
	given := m.source.value.Subprotocol
	m.made.Subprotocol = given.or("mcp")
	if strings.ContainsFunc(m.made.Subprotocol, isNotToken) {
		m.fail(given.pos, "subprotocol: this cannot be the name of one")
	}
}

// headers makes the headers and returns the name of one that may hold a
// credential: by its name, or since a reference is in its value.
func (m *serverMaker) headers() (secret string) {
	s := &m.source.value
	if len(s.Headers) > 0 {
		m.made.Headers = make(map[string]string, len(s.Headers))
	}
	seen := map[string]string{}
	for _, h := range s.Headers {
		lower := strings.ToLower(h.key)
		if first, twice := seen[lower]; twice {
			m.fail(h.pos, "headers: %q and %q are the same header", first, h.key)
		}
		seen[lower] = h.key
		if err := checkHeaderName(lower); err != nil {
			m.fail(h.pos, "headers: %q: %v", h.key, err)
			continue
		}
		value := m.expand("headers."+h.key, h.value)
		if strings.ContainsFunc(value, isControl) {
			m.fail(h.value.pos, "headers.%s: it has a control character", h.key)
		}
		m.made.Headers[textproto.CanonicalMIMEHeaderKey(h.key)] = value
		if isCredential(lower, h.value.value) {
			secret = h.key
		}
	}
	return secret
}

func checkHeaderName(lower string) error {
	switch {
	case lower == "" || strings.ContainsFunc(lower, isNotToken):
		return errors.New("this cannot be the name of a header")
	case slices.Contains(refusedHeaders, lower), strings.HasPrefix(lower, "mcp-"), strings.HasPrefix(lower, "sec-websocket-"):
		return errors.New("weir sets this header itself")
	}
	return nil
}

// isNotToken reports whether a character cannot be in a header's name (RFC 9110,
// 5.6.2).
func isNotToken(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func isCredential(lower, value string) bool {
	return strings.Contains(value, "${") || slices.ContainsFunc(credentialWords, func(word string) bool {
		return strings.Contains(lower, word)
	})
}

// checkURL parses the address of the server. Its errors do not repeat it: there
// may be a secret in it.
func (m *serverMaker) checkURL() (*url.URL, error) {
	secure, plain := "https", "http"
	if m.made.Transport == upstream.WebSocket {
		secure, plain = "wss", "ws"
	}
	u, err := url.Parse(filled(m.made.URL))
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL")
	case u.Scheme != plain && u.Scheme != secure:
		return nil, fmt.Errorf("it must begin with %s:// or %s://", secure, plain)
	case u.User != nil:
		return nil, errors.New("a name or password in it is not possible; use a header")
	case u.Hostname() == "":
		return nil, errors.New("it has no host")
	case u.Fragment != "":
		return nil, errors.New("it must not have a fragment (#)")
	}
	return u, nil
}

// filled puts a letter for each reference that is left in an escaped text.
func filled(text string) string {
	done, err := replace(text, "${", func(string) (string, error) { return "x", nil })
	if err != nil {
		return text
	}
	return done
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
