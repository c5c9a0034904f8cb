package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// WebSocketConfig says how to reach a server by WebSocket.
type WebSocketConfig struct {
	URL string // ws or wss; ws only to this machine; required

	// Header goes with the request to upgrade. What the protocol or HTTP itself
	// sets is left out of it.
	Header http.Header

	// Authenticate returns a RoundTripper over base, which dials: the request to
	// upgrade goes through it. An answer with status 101 has become the connection;
	// any other may be followed by another request. nil for base itself.
	Authenticate func(ctx context.Context, base http.RoundTripper) (http.RoundTripper, error)

	Subprotocol string // to ask for; "" for none
	Limit       int    // bytes of one message from the server; required
}

// WebSocket is a connection of text frames, each of which is one message: a
// custom transport, which no revision defines and all allow (2025-11-25 and
// 2026-07-28, Transports, custom transports). It is the same in both eras, and
// requests are cancelled by notifications/cancelled in both.
//
// A server from which nothing comes for 90 s, though it is pinged, is taken to be
// gone; but not while a Receiver that has a method Busy() bool says that it works on
// something.
type WebSocket struct{ *Lines }

// upgradeTime is how long a server may take to become a WebSocket, or to refuse.
const upgradeTime = 10 * time.Second

var errNoUpgrade = errors.New("the server did not become a WebSocket in time")

// DialWebSocket connects, at most as long as ctx. Close the connection. The error
// is a [*DialError] or a [*RefusedError], holds a [*StatusError], or is that of
// Authenticate.
func DialWebSocket(ctx context.Context, config WebSocketConfig, recv Receiver) (*WebSocket, error) {
	target, err := webSocketURL(config.URL)
	if err != nil {
		return nil, &DialError{err}
	}
	conn, err := upgrade(ctx, target, config)
	if err != nil {
		return nil, err
	}
	if selected := conn.Subprotocol(); selected != "" && selected != config.Subprotocol {
		_ = conn.Close() // it carries nothing
		return nil, &DialError{fmt.Errorf("the server selected the subprotocol %.40q, which was not asked for", selected)}
	}
	return newWebSocket(conn, recv, config.Limit), nil
}

func newWebSocket(conn *websocket.Conn, recv Receiver, limit int) *WebSocket {
	var busy func() bool
	if r, ok := recv.(interface{ Busy() bool }); ok {
		busy = r.Busy
	}
	return &WebSocket{NewLines(newFrames(conn, busy), recv, limit)}
}

func webSocketURL(text string) (*url.URL, error) {
	target, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the URL: %w", withoutURL(err))
	case target.Scheme != "wss" && target.Scheme != "ws":
		return nil, errors.New("the URL of a WebSocket must begin with wss:// or ws://")
	case target.Scheme == "ws" && !isThisMachine(target.Hostname()):
		return nil, errors.New("ws:// is for this machine only; use wss://")
	}
	return target, nil
}

// isThisMachine reports whether what is sent to a host stays within the machine
// (RFC 6761, 6.3 for names).
func isThisMachine(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// upgrade asks the server to become a WebSocket, as often as authentication takes.
func upgrade(ctx context.Context, target *url.URL, config WebSocketConfig) (*websocket.Conn, error) {
	dialer := &upgrader{subprotocol: config.Subprotocol}
	rt := http.RoundTripper(dialer)
	if config.Authenticate != nil {
		var err error
		if rt, err = config.Authenticate(ctx, dialer); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, &DialError{fmt.Errorf("reading the URL: %w", withoutURL(err))}
	}
	req.URL.Scheme = httpScheme(target.Scheme)
	req.Header = ownHeader(config.Header)
	resp, err := rt.RoundTrip(req)
	if err != nil {
		dialer.drop()
		return nil, undelivered(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols || dialer.conn == nil {
		dialer.drop()
		return nil, notUpgraded(resp)
	}
	return dialer.conn, nil
}

// httpScheme is that of the request to upgrade (RFC 6455, section 3).
func httpScheme(scheme string) string {
	if scheme == "wss" {
		return "https"
	}
	return "http"
}

// upgrader makes a round trip of a dial, for one goroutine. What the server
// refuses is an answer; what it grants is one too, and conn.
type upgrader struct {
	subprotocol string
	conn        *websocket.Conn
}

// RoundTrip dials and asks for the upgrade with the headers of req.
func (u *upgrader) RoundTrip(req *http.Request) (*http.Response, error) {
	u.drop()
	ctx, cancel := context.WithTimeoutCause(req.Context(), upgradeTime, errNoUpgrade)
	defer cancel()
	conn, resp, err := u.dial(ctx, req)
	switch {
	case ctx.Err() != nil:
		if err == nil {
			_ = conn.Close() // it carries nothing
		}
		return nil, context.Cause(ctx)
	case errors.Is(err, websocket.ErrBadHandshake):
		resp.Request = req
		return resp, nil
	case err != nil:
		return nil, err
	}
	u.conn = conn
	resp.Request = req
	return resp, nil
}

// dial leaves nothing behind when ctx is cancelled. The library by itself
// watches over its deadline only.
func (u *upgrader) dial(ctx context.Context, req *http.Request) (*websocket.Conn, *http.Response, error) {
	release := func() bool { return true }
	dialer := websocket.Dialer{
		Proxy:           http.ProxyFromEnvironment,
		ReadBufferSize:  frameBuffer,
		WriteBufferSize: frameBuffer,
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				release = context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		},
	}
	if u.subprotocol != "" {
		dialer.Subprotocols = []string{u.subprotocol}
	}
	target := *req.URL
	target.Scheme = map[string]string{"http": "ws", "https": "wss"}[target.Scheme]
	conn, resp, err := dialer.DialContext(ctx, target.String(), req.Header)
	if !release() && err == nil {
		_ = conn.Close()
		err = context.Cause(ctx)
	}
	return conn, resp, err
}

// drop closes a connection that is of no use.
func (u *upgrader) drop() {
	if u.conn != nil {
		_ = u.conn.Close() // it carries nothing
		u.conn = nil
	}
}

// notUpgraded says why an answer made no WebSocket.
func notUpgraded(resp *http.Response) error {
	if resp.StatusCode == http.StatusSwitchingProtocols || isSuccess(resp) {
		return &DialError{fmt.Errorf("the server answered HTTP %d, but did not become a WebSocket", resp.StatusCode)}
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, statusBodyLimit))
	return newStatusError(resp, body, "")
}
