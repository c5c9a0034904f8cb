package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/credentials"
)

func (a *app) logoutCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "logout SERVER | URL",
		Short: "Log out of a server",
		Long: `Log out of a server: weir has its tokens withdrawn by who gave them out, where
that is possible, and forgets them and its registration there. A server that is
not in the configuration any more is named by its URL, as "weir auth" shows it.`,
		Example: `  weir logout github
  weir logout https://mcp.acme.example/mcp
  weir logout --all`,
		Args: func(cmd *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return usageError("--all and a server contradict each other")
			}
			if all {
				return nil
			}
			return exactArgs("the SERVER")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.openDesk()
			if err != nil {
				return err
			}
			defer d.close()
			if all {
				return d.logOutOfAll(cmd.Context())
			}
			return d.logOut(cmd.Context(), args[0])
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "log out of all servers, also those that are not configured any more")
	return cmd
}

// logOut logs out of the server with that name, or URL.
func (d *desk) logOut(ctx context.Context, name string) error {
	if !strings.Contains(name, "://") {
		s, err := d.server(name)
		if err != nil {
			return err
		}
		if s.Auth.Kind != auth.OAuth2 {
			return fmt.Errorf("server %q has no login (\"weir auth\" says how weir authenticates to it)", s.Name)
		}
		return d.leave(ctx, s.Name, d.authenticator(s))
	}
	logins, err := d.keeper.Logins(ctx)
	if err != nil && len(logins) == 0 {
		return fmt.Errorf("reading the logins: %w", err)
	}
	found := false
	var errs []error
	for _, l := range logins {
		if shownEndpoint(l.Endpoint) == shownEndpoint(name) {
			found = true
			errs = append(errs, d.leave(ctx, loginTitle(l), d.kept(l)))
		}
	}
	if !found {
		return fmt.Errorf("there is no login for %s (\"weir auth\" lists them)", shownEndpoint(name))
	}
	return errors.Join(errs...)
}

// logOutOfAll logs out of all there is.
func (d *desk) logOutOfAll(ctx context.Context) error {
	logins, err := d.keeper.Logins(ctx)
	errs := []error{err}
	for _, l := range logins {
		errs = append(errs, d.leave(ctx, loginTitle(l), d.kept(l)))
	}
	if len(logins) == 0 && err == nil {
		fmt.Fprintln(d.Stdout, "You are logged in nowhere.")
	}
	return errors.Join(errs...)
}

// kept is what authenticates by a login that is kept, whatever is configured.
func (d *desk) kept(l *credentials.Login) *auth.Authenticator {
	cfg := auth.Config{Kind: auth.OAuth2, OAuth: auth.OAuth{Account: l.Key.Account}}
	return d.keeper.Authenticator(loginTitle(l), l.Endpoint, cfg, nil)
}

// leave ends one login, and says what could not be done.
func (d *desk) leave(ctx context.Context, title string, from *auth.Authenticator) error {
	w := d.wait("logging out of " + title)
	outcome, err := from.Logout(ctx)
	w.stop()
	switch {
	case err != nil:
		return fmt.Errorf("logging out of %s: %w", title, err)
	case !outcome.Had:
		fmt.Fprintf(d.Stdout, "Nobody is logged in to %s.\n", title)
	case outcome.Revoked:
		fmt.Fprintf(d.Stdout, "Logged out of %s: its tokens are withdrawn, and forgotten here.\n", title)
	default:
		fmt.Fprintf(d.Stdout, "Logged out of %s: its tokens are forgotten here.\n"+
			"They could not be withdrawn: a copy of them, if there is one, is good until it expires.\n", title)
	}
	return nil
}
