package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The headers of Streamable HTTP, in the form http.Header keeps them in.
const (
	versionHeader     = "Mcp-Protocol-Version"
	methodHeader      = "Mcp-Method"
	nameHeader        = "Mcp-Name"
	sessionIDHeader   = "Mcp-Session-Id"
	lastEventIDHeader = "Last-Event-Id"
)

const (
	typeJSON   = "application/json"
	typeStream = "text/event-stream"
)

// NewRoundTripper returns what Streamable sends its requests with by default,
// to build others on. Only the way to the server has a time limit: a call may
// take long, and its caller knows how long.
func NewRoundTripper() *http.Transport {
	const setup = 10 * time.Second
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: setup}).DialContext,
		TLSHandshakeTimeout:    setup,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        50 * time.Second, // under the minute after which most proxies hang up
		MaxResponseHeaderBytes: 256 << 10,
		ForceAttemptHTTP2:      true,
		// Compressed event streams are often held back until a block is full.
		DisableCompression: true,
		HTTP2:              &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

func newClient(rt http.RoundTripper) *http.Client {
	if rt == nil {
		rt = NewRoundTripper()
	}
	return &http.Client{Transport: rt, CheckRedirect: checkRedirect}
}

const maxRedirects = 5

// checkRedirect follows within the origin only, since every header goes along,
// and only where the request stays the one it was (307, 308). What it does not
// follow comes back as an answer.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > maxRedirects || req.Method != first.Method || origin(req.URL) != origin(first.URL) {
		return http.ErrUseLastResponse
	}
	return nil
}

// origin is scheme, host and port (RFC 6454).
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// ownHeader returns the headers of the configuration that may go along.
func ownHeader(configured http.Header) http.Header {
	own := make(http.Header, len(configured))
	for name, values := range configured {
		key := http.CanonicalHeaderKey(name)
		if !isReserved(key) {
			own[key] = append(own[key], values...)
		}
	}
	return own
}

func isReserved(key string) bool {
	switch key {
	case versionHeader, methodHeader, nameHeader, sessionIDHeader, lastEventIDHeader,
		"Accept", "Accept-Encoding", "Content-Type", "Content-Length", "Content-Encoding",
		"Connection", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect",
		// With these, net/http would repeat a POST that may have been executed.
		"Idempotency-Key", "X-Idempotency-Key":
		return true
	}
	return strings.HasPrefix(key, paramPrefix) || strings.HasPrefix(key, "Sec-Websocket-")
}

// withoutURL takes the URL, which may hold secrets, out of an error of
// http.Client and of net/url.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func mediaType(resp *http.Response) string {
	value := resp.Header.Get("Content-Type")
	t, _, err := mime.ParseMediaType(value)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		t, _, _ = strings.Cut(value, ";")
		t = strings.ToLower(strings.TrimSpace(t))
	}
	return t
}

func isSuccess(resp *http.Response) bool {
	return resp.StatusCode >= 200 && resp.StatusCode < 300
}

// discard ends an answer that nobody reads. A short rest is read, so that the
// connection can be used again.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	resp.Body.Close()
}

// visibleASCII is what a session id must be made of (2025-11-25, Streamable
// HTTP, session management).
func visibleASCII(id string) bool {
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

const statusBodyLimit = 1 << 10

// newStatusError describes an answer that is no MCP answer, with the first
// bytes of its body and the session id, if any, left out of them.
func newStatusError(resp *http.Response, body []byte, session string) error {
	if session != "" {
		body = bytes.ReplaceAll(body, []byte(session), []byte("[session]"))
	}
	status := &StatusError{
		Code:       resp.StatusCode,
		RetryAfter: RetryAfter(resp),
		Challenge:  resp.Header.Values("Www-Authenticate"),
		Body:       body[:min(len(body), statusBodyLimit)],
	}
	switch {
	case isSuccess(resp):
		return fmt.Errorf("want an answer in JSON or an event stream, got %q: %w", mediaType(resp), status)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return fmt.Errorf("%s: %w", refusedRedirect(resp), status)
	}
	return status
}

func refusedRedirect(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil {
		return "redirect without a usable target"
	}
	if from := origin(resp.Request.URL); origin(to) != from {
		return fmt.Sprintf("redirect to another origin, %q, is not followed", origin(to))
	}
	return "redirect that would change the request, or one of too many, is not followed"
}

// RetryAfter returns how long a server asks to be let alone in an answer (RFC
// 9110, section 10.2.3), a day at most; 0 if it does not.
func RetryAfter(resp *http.Response) time.Duration {
	return retryAfter(resp.Header.Get("Retry-After"), time.Now())
}

// retryAfter reads seconds or a date; 0 for anything else.
func retryAfter(value string, now time.Time) time.Duration {
	const longest = 24 * time.Hour
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(longest/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), longest)
	}
	return 0
}
