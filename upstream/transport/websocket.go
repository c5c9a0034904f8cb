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

	Subprotocol string // to ask for; "" for none
	Limit       int    // bytes of one message from the server; required
}

// WebSocket is a connection of text frames, each of which is one message: a
// custom transport, which no revision defines and all allow (2025-11-25 and
// 2026-07-28, Transports, custom transports). It is the same in both eras, and
// requests are cancelled by notifications/cancelled in both.
type WebSocket struct{ *Lines }

// upgradeTime is how long a server may take to become a WebSocket.
const upgradeTime = 10 * time.Second

var errNoUpgrade = errors.New("the server did not become a WebSocket in time")

// DialWebSocket connects, at most as long as ctx. Close the connection. The error
// is a [*DialError], or holds a [*StatusError].
func DialWebSocket(ctx context.Context, config WebSocketConfig, recv Receiver) (*WebSocket, error) {
	target, err := webSocketURL(config.URL)
	if err != nil {
		return nil, &DialError{err}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, upgradeTime, errNoUpgrade)
	defer cancel()
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
	return &WebSocket{NewLines(newFrames(conn), recv, limit)}
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

// upgrade leaves nothing behind when ctx is cancelled. The library by itself
// watches over its deadline only.
func upgrade(ctx context.Context, target *url.URL, config WebSocketConfig) (*websocket.Conn, error) {
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
	if config.Subprotocol != "" {
		dialer.Subprotocols = []string{config.Subprotocol}
	}
	conn, resp, err := dialer.DialContext(ctx, target.String(), ownHeader(config.Header))
	if resp != nil {
		defer resp.Body.Close()
	}
	if !release() && err == nil {
		_ = conn.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, upgradeError(ctx, resp, err)
	}
	return conn, nil
}

// upgradeError says why there is no WebSocket.
func upgradeError(ctx context.Context, resp *http.Response, err error) error {
	switch {
	case ctx.Err() != nil:
		return &DialError{context.Cause(ctx)}
	case resp == nil:
		return &DialError{withoutURL(err)}
	case resp.StatusCode == http.StatusSwitchingProtocols, isSuccess(resp):
		return &DialError{fmt.Errorf("the server answered HTTP %d, but did not become a WebSocket", resp.StatusCode)}
	}
	body, _ := io.ReadAll(resp.Body)
	return newStatusError(resp, body, "")
}
