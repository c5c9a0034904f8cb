package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
)

func (a *app) loginCommand() *cobra.Command {
	var noBrowser bool
	var scopes []string
	cmd := &cobra.Command{
		Use:   "login [SERVER]",
		Short: "Log in to a server with your browser",
		Long: `Log in to a server that wants a login. weir finds out where, prints the address
to log in at and opens it in your browser. Every weir of yours, running or not,
is logged in from then on, until you log out ("weir logout").

Without a browser on this machine, as over SSH, open the address in any other. In
the end it is sent to http://127.0.0.1…, which only this machine can answer: when
that page does not load, copy its address and paste it into this terminal.

Alone it connects to the servers and says which of them want a login.`,
		Example: `  weir login
  weir login github
  weir login github --no-browser
  weir login github --scopes repo,read:org`,
		Args: atMostOne("SERVER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listWanted(cmd.Context())
			}
			return a.logIn(cmd.Context(), args[0], scopes, a.browser(noBrowser))
		},
	}
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "only print the address to log in at")
	cmd.Flags().StringSliceVar(&scopes, "scopes", nil, "ask for these `SCOPES` beside those you have or the server wants")
	return cmd
}

// browser is the user's; nil where there is none, or none is wanted.
func (a *app) browser(unwanted bool) auth.Browser {
	browser := login.NewBrowser(a.getenv)
	if unwanted || !browser.Available() {
		return nil
	}
	return browser
}

// logIn logs in to one server.
func (a *app) logIn(ctx context.Context, name string, scopes []string, browser auth.Browser) error {
	d, err := a.openDesk()
	if err != nil {
		return err
	}
	defer d.close()
	s, err := d.server(name)
	if err != nil {
		return err
	}
	if err := noLoginHere(s); err != nil {
		return err
	}
	before, err := d.authenticator(s).Standing(ctx)
	if err != nil {
		return fmt.Errorf("reading the login of %q: %w", s.Name, err)
	}
	if before.LoggedIn && len(scopes) == 0 {
		if is, err := d.isGood(ctx, s, before); is || err != nil {
			return err
		}
	}
	if len(scopes) > 0 {
		s = wanting(s, before.Scopes, scopes)
	}
	if done, err := d.visit(ctx, s, browser); !done || err != nil {
		return err
	}
	after, err := d.authenticator(s).Standing(ctx)
	if err != nil {
		return fmt.Errorf("reading the login of %q: %w", s.Name, err)
	}
	fmt.Fprintf(a.Stdout, "%s\n%s\n", a.paint().green("Logged in to "+s.Name+"."), inWords(after, time.Now()))
	return d.tellLists(ctx, s)
}

// noLoginHere says why nobody can log in to a server; nil if somebody can.
func noLoginHere(s *config.Server) error {
	switch {
	case s.Broken != nil:
		return s.Broken
	case s.Disabled:
		return fmt.Errorf("server %q is disabled (weir enable %s)", s.Name, s.Name)
	case s.Transport == upstream.Stdio:
		return fmt.Errorf("server %q is a program: there is no login; what it needs goes into its env", s.Name)
	case s.Auth.Kind == auth.None:
		return fmt.Errorf("server %q is configured without a login (auth of type none, or a header with a credential)", s.Name)
	case s.Auth.Kind != auth.OAuth2:
		return fmt.Errorf("server %q has a credential in the configuration (auth of type %s): there is nothing to log in to", s.Name, s.Auth.Kind)
	case !loggedInto(s):
		return fmt.Errorf("server %q: %w (grant %s)", s.Name, auth.ErrNoLogin, s.Auth.OAuth.Grant)
	}
	return nil
}

// wanting is a server of which more is wanted than before.
func wanting(s *config.Server, granted, more []string) *config.Server {
	wider := *s
	wider.Auth.OAuth.Scopes = nil
	for _, scope := range slices.Concat(s.Auth.OAuth.Scopes, granted, more) {
		if !slices.Contains(wider.Auth.OAuth.Scopes, scope) {
			wider.Auth.OAuth.Scopes = append(wider.Auth.OAuth.Scopes, scope)
		}
	}
	return &wider
}

// isGood tries a login that is there, and tells of it. It is an error if something
// else than a login keeps the server from being used.
func (d *desk) isGood(ctx context.Context, s *config.Server, now auth.Standing) (bool, error) {
	status, err := d.list(ctx, s)
	switch {
	case err != nil:
		return false, err
	case status.State == upstream.NeedsLogin:
		return false, nil
	}
	fmt.Fprintf(d.Stdout, "You are logged in to %s.\n%s\n", d.paint().bold(s.Name), inWords(now, time.Now()))
	return true, d.toldOf(s, status)
}

// visit has the user log in. It reports false where there is nothing to log in to.
func (d *desk) visit(ctx context.Context, s *config.Server, browser auth.Browser) (bool, error) {
	w := d.wait("asking " + s.Name + " where to log in")
	attempt, err := d.authenticator(s).Login(ctx, auth.LoginOptions{})
	w.stop()
	switch {
	case ctx.Err() != nil:
		return false, errInterrupted
	case errors.Is(err, auth.ErrNoLoginNeeded) || err != nil && d.isOpen(ctx, s):
		fmt.Fprintf(d.Stdout, "%s wants no login.\n", d.paint().bold(s.Name))
		return false, nil
	case err != nil:
		return false, fmt.Errorf("logging in to %q: %w", s.Name, err)
	}
	defer attempt.Close()
	d.showAddress(ctx, s.Name, attempt, browser)
	if err := d.await(ctx, attempt); err != nil {
		return false, fmt.Errorf("logging in to %q: %w", s.Name, err)
	}
	return true, nil
}

// isOpen reports whether a server can be used as it is. A server may find fault
// with a request that is no more than a question, and be open to others.
func (d *desk) isOpen(ctx context.Context, s *config.Server) bool {
	status, err := d.list(ctx, s)
	return err == nil && status.State == upstream.Ready
}

// showAddress shows where to log in. The address has a line of its own, whole, so
// that it can be copied.
func (d *desk) showAddress(ctx context.Context, name string, attempt *login.Attempt, browser auth.Browser) {
	fmt.Fprintf(d.Stdout, "To log in to %s, open this address:\n\n%s\n\n", d.paint().bold(name), withoutControls(attempt.URL()))
	fmt.Fprintln(d.Stdout, d.open(ctx, attempt.URL(), browser))
	fmt.Fprintf(d.Stdout, "If the browser ends at a page that does not load (%s/…),\npaste the address of that page here.\n", attempt.Origin())
}

// open opens an address, and says whether it has.
func (d *desk) open(ctx context.Context, address string, browser auth.Browser) string {
	if browser == nil {
		return "Any browser will do, on this machine or another."
	}
	if err := browser.Open(ctx, address); err != nil {
		return fmt.Sprintf("It could not be opened (%s): any browser will do, on this machine or another.", printable(err.Error()))
	}
	return "It is being opened in your browser."
}

// await waits until the attempt has ended, and hands it what the user pastes. The
// end of the input says nothing: the browser may still come back.
func (d *desk) await(ctx context.Context, attempt *login.Attempt) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := d.readAnswers(reading).lines
	for {
		select {
		case <-attempt.Done():
			return attempt.Err()
		case <-ctx.Done():
			attempt.Close()
			return errInterrupted
		case line, open := <-lines:
			if !open {
				lines = nil
				continue
			}
			d.paste(ctx, attempt, line)
		}
	}
}

// paste hands over what the user has pasted. What is wrong with it is told; how the
// attempt ended, by that itself.
func (d *desk) paste(ctx context.Context, attempt *login.Attempt, line string) {
	if line == "" {
		return
	}
	err := attempt.Paste(ctx, line)
	select {
	case <-attempt.Done():
	default:
		if err != nil && ctx.Err() == nil {
			fmt.Fprintf(d.Stdout, "That is not it: %v\n", err)
		}
	}
}

// list connects to one server and lists all it has anew, so that the first list of
// a host is whole. Whose policy forbids what does not count here.
func (d *desk) list(ctx context.Context, s *config.Server) (aggregator.ServerStatus, error) {
	statuses, err := d.listAll(ctx, []config.Server{*s})
	if err != nil || len(statuses) == 0 {
		return aggregator.ServerStatus{}, err
	}
	return statuses[0], nil
}

func (d *desk) listAll(ctx context.Context, servers []config.Server) ([]aggregator.ServerStatus, error) {
	file := *d.file
	file.Servers, file.Policy, file.Denied = servers, policy.AllowAll(), ""
	cfg := d.aggregatorConfig(&file, zerolog.Nop())
	if cfg.Notice != "" {
		return nil, errors.New(cfg.Notice)
	}
	cfg.Auth = d.keeper
	cfg.Store = openStore(ctx, zerolog.Nop())
	cfg.Patience = longest(cfg.Servers)
	cfg.MaxAge = time.Nanosecond // ask, whatever is stored
	began := time.Now()
	g, err := d.openGateway(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer g.close()
	return d.waitForServers(ctx, g, cfg.Patience, func(s aggregator.ServerStatus) bool { return s.Fetched.After(began) })
}

// tellLists lists a server that somebody has just logged in to.
func (d *desk) tellLists(ctx context.Context, s *config.Server) error {
	status, err := d.list(ctx, s)
	if err != nil {
		return err
	}
	return d.toldOf(s, status)
}

// toldOf tells what a server lists, or why it does not. That is no whole success.
func (d *desk) toldOf(s *config.Server, status aggregator.ServerStatus) error {
	if status.State != upstream.Ready {
		line := newServerLine(status, time.Now())
		fmt.Fprintf(d.Stdout, "%s %s\n", d.paint().red("It cannot be used:"), line.Error)
		return &exitError{exitPartly, nil}
	}
	fmt.Fprintf(d.Stdout, "It has %s, %s and %s.\n", plural(status.Tools, "tool", "tools"),
		plural(status.Prompts, "prompt", "prompts"), plural(status.Resources, "resource", "resources"))
	return nil
}

// inWords says what a login allows, in one or two lines.
func inWords(s auth.Standing, now time.Time) string {
	var parts []string
	if s.Issuer != "" {
		parts = append(parts, "by "+printable(s.Issuer))
	}
	if s.Account != "" {
		parts = append(parts, "account "+printable(s.Account))
	}
	if len(s.Scopes) > 0 {
		parts = append(parts, "scopes "+printable(strings.Join(s.Scopes, " ")))
	}
	lines := []string{strings.Join(parts, ", "), validity(s, now)}
	if s.Stored != "" {
		lines[1] += ", kept in " + place(s.Stored)
	}
	return strings.TrimPrefix(strings.Join(lines, "\n"), "\n")
}

// validity says how long a login is good.
func validity(s auth.Standing, now time.Time) string {
	switch {
	case s.Renewable:
		return "renewed by itself"
	case s.Expiry.IsZero():
		return "good until the server says otherwise"
	case s.Expiry.After(now):
		return "good for " + span(s.Expiry.Sub(now)) + ", then to be done again"
	}
	return "expired"
}

// place says where a login is stored.
func place(stored string) string {
	switch stored {
	case "keyring":
		return "a file that is sealed by your keyring"
	case "file":
		return "a file that only you can read"
	}
	return stored
}

// span is a time in one unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// listWanted says which servers want a login.
func (a *app) listWanted(ctx context.Context) error {
	d, err := a.openDesk()
	if err != nil {
		return err
	}
	defer d.close()
	var candidates []config.Server
	for _, s := range d.file.Servers {
		if noLoginHere(&s) == nil {
			candidates = append(candidates, s)
		}
	}
	if len(candidates) == 0 {
		fmt.Fprintln(a.Stdout, "No server is configured that you could log in to.")
		return nil
	}
	statuses, err := d.listAll(ctx, candidates)
	if err != nil {
		return err
	}
	return d.tellWanted(a.Stdout, statuses)
}

func (d *desk) tellWanted(out io.Writer, statuses []aggregator.ServerStatus) error {
	p := d.paint()
	wanted, failed := 0, 0
	for _, s := range statuses {
		switch line := newServerLine(s, time.Now()); {
		case s.State == upstream.NeedsLogin:
			wanted++
			fmt.Fprintf(out, "%s wants a login: run %s\n", p.bold(s.Name), p.cyan("weir login "+s.Name))
		case s.State != upstream.Ready:
			failed++
			fmt.Fprintf(out, "%s %s\n", p.red(s.Name+":"), line.Error)
		}
	}
	switch {
	case failed == len(statuses):
		return &exitError{exitFailed, nil}
	case failed > 0:
		return &exitError{exitPartly, nil}
	case wanted == 0:
		fmt.Fprintln(out, "No server wants a login.")
	}
	return nil
}
