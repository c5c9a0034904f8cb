package login

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// The names of this machine in redirect URIs (RFC 8252, section 7.3).
const (
	loopback  = "127.0.0.1"
	localhost = "localhost"
)

const loopback6 = "::1"

// maxPorts is how many ports are tried where any is good, and another program may
// have each on one address only.
const maxPorts = 10

// listen listens where the browser comes back to, on one port. The error is a
// *PortError where a fixed one cannot be had.
func listen(ctx context.Context, host string, fixed, prefer int) (ls []net.Listener, err error) {
	if fixed != 0 {
		if ls, err = listenOn(ctx, host, fixed); err != nil {
			return nil, err
		}
		return ls, nil
	}
	if prefer != 0 {
		if ls, err = listenOn(ctx, host, prefer); err == nil {
			return ls, nil
		}
	}
	for range maxPorts {
		if ls, err = listenOn(ctx, host, 0); err == nil {
			return ls, nil
		}
	}
	return nil, fmt.Errorf("listening for the browser on this machine: %w", err)
}

// listenOn listens on one port, 0 for any. Browsers try ::1 first for localhost:
// where this machine has it, nobody else may listen there. The error is a
// *PortError.
func listenOn(ctx context.Context, host string, port int) ([]net.Listener, error) {
	four, err := listenAt(ctx, loopback, port)
	if err != nil {
		return nil, &PortError{Port: port, Address: loopback, Err: err}
	}
	at, ok := four.Addr().(*net.TCPAddr)
	if host != localhost || !ok {
		return []net.Listener{four}, nil
	}
	six, err := listenAt(ctx, loopback6, at.Port)
	switch {
	case err == nil:
		return []net.Listener{four, six}, nil
	case !has6(ctx):
		return []net.Listener{four}, nil
	}
	_ = four.Close()
	return nil, &PortError{Port: at.Port, Address: loopback6, Err: err}
}

// has6 reports whether this machine has ::1 at all.
func has6(ctx context.Context) bool {
	any6, err := listenAt(ctx, loopback6, 0)
	if err != nil {
		return false
	}
	_ = any6.Close()
	return true
}

func listenAt(ctx context.Context, address string, port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(port)))
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		_ = l.Close()
	}
}
