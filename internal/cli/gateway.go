package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/auth"
)

// A gateway is a weir within this process, and a host that talks to it.
type gateway struct {
	aggregator *aggregator.Aggregator
	keeper     *auth.Keeper // of its logins, if it is the gateway's own
	host       *host
	began      time.Time
	served     chan struct{}
}

// gatewayConfig is the configuration for a command that asks the servers
// something. A person waits for what is slow, if told so: longer than a host.
func (a *app) gatewayConfig(ctx context.Context) (aggregator.Config, error) {
	_, cfg, err := a.gatewayFile(ctx)
	return cfg, err
}

// gatewayFile is gatewayConfig with the file that it is made of.
func (a *app) gatewayFile(ctx context.Context) (*config.File, aggregator.Config, error) {
	file, err := a.load()
	if err != nil {
		return nil, aggregator.Config{}, loadError(err)
	}
	for _, warning := range file.Warnings {
		fmt.Fprintln(a.Stderr, a.errorPaint().yellow("warning:"), warning)
	}
	log := zerolog.Nop() // a command says itself what went wrong
	cfg := a.aggregatorConfig(file, log)
	cfg.Store = openStore(ctx, log)
	cfg.Patience = longest(cfg.Servers)
	return file, cfg, nil
}

// longest is how long it can take until each server has listed its tools, or
// failed to.
func longest(servers []aggregator.Server) time.Duration {
	var all time.Duration
	for _, s := range servers {
		connect, list := s.ConnectTimeout, s.ListTimeout
		if connect == 0 {
			connect = upstream.DefaultConnectTimeout
		}
		if list == 0 {
			list = upstream.DefaultListTimeout
		}
		all = max(all, connect+list)
	}
	return all + time.Second
}

// openGateway starts a weir and shakes hands with it. It has logins of its own to
// use where cfg has none, and opens no browser for another one.
func (a *app) openGateway(ctx context.Context, cfg aggregator.Config) (*gateway, error) {
	return a.openGatewayAs(ctx, cfg, ownClient)
}

// openGatewayAs is openGateway for a host that calls itself so.
func (a *app) openGatewayAs(ctx context.Context, cfg aggregator.Config, client string) (*gateway, error) {
	weirIn, hostOut := io.Pipe()
	hostIn, weirOut := io.Pipe()
	g := &gateway{began: time.Now(), served: make(chan struct{})}
	if cfg.Auth == nil {
		g.keeper = a.newKeeper(nil, cfg.Log)
		cfg.Auth = g.keeper
	}
	g.aggregator = aggregator.New(cfg)
	go func() {
		defer close(g.served)
		err := g.aggregator.Serve(context.WithoutCancel(ctx), weirIn, weirOut)
		_ = weirOut.CloseWithError(err) // the host reads it
	}()
	g.host = newHost(hostIn, hostOut)
	if _, err := g.host.initializeAs(ctx, client); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// close ends the host's side, then all the servers.
func (g *gateway) close() {
	g.host.close()
	<-g.served
	g.aggregator.Close()
	if g.keeper != nil {
		g.keeper.Close()
	}
}

// open is openGateway with the configuration of this run. It waits until there
// are lists of all servers that have any.
func (a *app) open(ctx context.Context) (*gateway, error) {
	cfg, err := a.gatewayConfig(ctx)
	if err != nil {
		return nil, err
	}
	return a.openWith(ctx, cfg)
}

func (a *app) openWith(ctx context.Context, cfg aggregator.Config) (*gateway, error) {
	if cfg.Notice != "" {
		fmt.Fprintln(a.Stderr, cfg.Notice)
	}
	return a.openListed(ctx, cfg)
}

// openListed is openGateway for a person, who waits until there are lists.
func (a *app) openListed(ctx context.Context, cfg aggregator.Config) (*gateway, error) {
	g, err := a.openGateway(ctx, cfg)
	if err != nil {
		return nil, err
	}
	// Hosts are not kept waiting for a server that failed last time; people are.
	known := func(s aggregator.ServerStatus) bool { return !s.Fetched.IsZero() }
	if _, err := a.waitForServers(ctx, g, cfg.Patience, known); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// pace is how often a command looks whether a server has got on.
const pace = 10 * time.Millisecond

// waitForServers waits until each server has listed, as that command means it,
// or has failed to. It returns what became of them, the same when the limit
// has passed first.
func (a *app) waitForServers(
	ctx context.Context, g *gateway, limit time.Duration, listed func(aggregator.ServerStatus) bool,
) ([]aggregator.ServerStatus, error) {
	w := a.wait("connecting")
	defer w.stop()
	late := time.NewTimer(limit)
	defer late.Stop()
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		statuses := g.aggregator.Status()
		open := 0
		for _, s := range statuses {
			if !g.hasFailed(s) && !listed(s) {
				open++
			}
		}
		if open == 0 {
			return statuses, nil
		}
		w.set(fmt.Sprintf("waiting for %d of %s", open, plural(len(statuses), "server", "servers")))
		select {
		case <-ticker.C:
		case <-late.C:
			return statuses, nil
		case <-ctx.Done():
			return nil, errInterrupted
		}
	}
}

// errInterrupted ends a command that a signal came to.
var errInterrupted = errors.New("interrupted")

// hasFailed reports whether no list is to be expected of a server.
func (g *gateway) hasFailed(s aggregator.ServerStatus) bool {
	final := []upstream.State{upstream.Disabled, upstream.Failed, upstream.NeedsLogin, upstream.Backoff}
	return slices.Contains(final, s.State) || s.Failure.At.After(g.began)
}

// missing tells of the servers whose tools are not in the list, and is an
// error if there are any.
func (g *gateway) missing(a *app) error {
	usable, missing := 0, 0
	for _, s := range g.aggregator.Status() {
		if s.State == upstream.Disabled {
			continue
		}
		usable++
		if s.Fetched.IsZero() && s.Reason != nil {
			missing++
			fmt.Fprintln(a.Stderr, a.errorPaint().yellow("missing:"), printable(s.Reason.Error()))
			if s.State == upstream.NeedsLogin {
				fmt.Fprintf(a.Stderr, "%s: run %s\n", s.Name, a.errorPaint().cyan("weir login "+s.Name))
			}
		}
	}
	switch missing {
	case 0:
		return nil
	case usable:
		return &exitError{exitFailed, nil}
	}
	return &exitError{exitPartly, nil}
}
