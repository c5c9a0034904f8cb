package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/policy"
)

// A lookout is a weir within this process whose policies are looked at from
// outside, by somebody who may read the configuration: for whomever it names.
type lookout struct {
	*gateway
	file *config.File
	who  *config.Person
}

// personFlags are the flags by which a command asks about somebody else. They
// take names: what one may look up one need not show.
type personFlags struct{ policy.Principal }

func (f *personFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.Key, "key", "", "ask for the holder of the key with this `NAME` (or the key itself)")
	cmd.Flags().StringVar(&f.Team, "team", "", "ask for the keys of the team with this `NAME`")
	cmd.Flags().StringVar(&f.Org, "org", "", "ask for the teams of the org with this `NAME`")
}

// person finds out about whom a command asks: without names, about whom this run
// is for.
func (a *app) person(file *config.File, named policy.Principal) (*config.Person, error) {
	if named == (policy.Principal{}) {
		return file.Self(), nil
	}
	if named.Profile == "" {
		named.Profile = file.Principal.Profile
	}
	return file.People.Find(named)
}

// lookOut opens a weir that knows what the servers list, those that have never
// been listed included.
func (a *app) lookOut(ctx context.Context, named policy.Principal) (*lookout, error) {
	return a.lookOutWith(ctx, named, func(*aggregator.Config) {})
}

// errNotAsked is what is wrong with servers of which only the lists are wanted.
var errNotAsked = errors.New("no server is asked here")

// lookOutQuietly is lookOut with what is stored: no server is started or asked.
func (a *app) lookOutQuietly(ctx context.Context, named policy.Principal) (*lookout, error) {
	return a.lookOutWith(ctx, named, onlyStored)
}

// onlyStored has a weir go by what is stored: no server is started or asked.
func onlyStored(cfg *aggregator.Config) {
	for i := range cfg.Servers {
		// What is switched off shows nothing; what is broken, what it had.
		cfg.Servers[i].Disabled, cfg.Servers[i].Broken = false, errNotAsked
	}
	cfg.Patience = time.Nanosecond
}

func (a *app) lookOutWith(ctx context.Context, named policy.Principal, adjust func(*aggregator.Config)) (*lookout, error) {
	file, err := a.load()
	if err != nil {
		return nil, loadError(err)
	}
	for _, warning := range file.Warnings {
		fmt.Fprintln(a.Stderr, a.errorPaint().yellow("warning:"), warning)
	}
	who, err := a.person(file, named)
	if err != nil {
		return nil, err
	}
	seen := *file
	seen.Principal, seen.Policy, seen.Denied = who.Principal, who.Policy, "" // there is something to see all the same
	cfg := a.aggregatorConfig(&seen, zerolog.Nop())
	cfg.Store = openStore(ctx, zerolog.Nop())
	cfg.Patience = longest(cfg.Servers)
	adjust(&cfg)
	g, err := a.openListed(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &lookout{gateway: g, file: file, who: who}, nil
}
