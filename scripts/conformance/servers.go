package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/e2e/bridge"
)

// serverCommand is how a leg's peer is started as an HTTP server. The Go SDK
// serves either era, not both at once.
func (l leg) serverCommand(ctx context.Context, w *workshop, address string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.programs[l.peer])
	switch l.peer {
	case "go-sdk":
		cmd.Args = append(cmd.Args, "-http", address, "-stateless="+strconv.FormatBool(l.revision >= "2026-07-28"))
	case "mcp-go":
		cmd.Env = append(os.Environ(), "CONFORMANCE_ADDR="+address)
	}
	return cmd
}

// upstream is the leg's peer in weir's configuration.
func (l leg) upstream(w *workshop, url string) string {
	if l.via == "stdio" {
		return fmt.Sprintf("{command: %q, prefix: \"\"}", w.programs[l.peer])
	}
	return fmt.Sprintf("{url: %q, prefix: \"\"}", url)
}

// withServer runs the leg's peer while score does its work.
func withServer(ctx context.Context, w *workshop, l leg, dir string, score func(url string) (scores, error)) (found scores, err error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "server.txt"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	ctx, stop := context.WithCancel(ctx)
	cmd := l.serverCommand(ctx, w, address)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		stop()
		return nil, err
	}
	defer func() {
		stop()
		_ = cmd.Wait() // killed, as it must be
	}()
	if err := awaitServer(ctx, address); err != nil {
		return nil, err
	}
	return score("http://" + address + "/mcp")
}

// freeAddress is one that nobody listened on a moment ago: a server takes a port
// by its number only.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func awaitServer(ctx context.Context, address string) error {
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

// withBridge runs weir with one upstream behind a bridge while score does its
// work. What weir or the bridge do wrong besides is an error.
func withBridge(ctx context.Context, w *workshop, dir, upstream string, score func(url string) (scores, error)) (scores, error) {
	trace, err := os.Create(filepath.Join(dir, "messages.txt"))
	if err != nil {
		return nil, err
	}
	defer trace.Close()
	p, err := newPlace(w.programs["weir"], dir, upstream)
	if err != nil {
		return nil, err
	}
	defer p.log.Close()
	// As it is after "weir add": the first list of a host is whole.
	if _, err := output(p.weir(ctx, "servers")); err != nil {
		return nil, err
	}
	b := bridge.New(func() *exec.Cmd { return p.weir(context.WithoutCancel(ctx), "serve") }, trace)
	server := httptest.NewUnstartedServer(b)
	server.Config = &http.Server{Handler: b, ReadHeaderTimeout: time.Minute}
	server.Start()
	found, err := score(server.URL + "/mcp")
	err = errors.Join(err, b.Close())
	server.Close()
	return found, err
}
