package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/credentials"
)

func (a *app) authCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "auth",
		Short: "Show where you are logged in, and until when",
		Long: `Show how weir authenticates to each server with a URL: whether you are logged in,
by which authorization server, with which scopes and until when. No secret is
shown, and no server is asked.

A server to which nobody is logged in may want no login: "weir login" finds out.`,
		Example: `  weir auth
  weir auth --json
  weir auth secret set weir/acme`,
		Args: a.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.openDesk()
			if err != nil {
				return err
			}
			defer d.close()
			lines, err := d.authLines(cmd.Context())
			if asJSON {
				return errors.Join(a.printJSON(lines), err)
			}
			a.printAuth(lines)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	cmd.AddCommand(a.authSecretCommand())
	return cmd
}

// An authLine is how weir authenticates to one server.
type authLine struct {
	Server    string     `json:"server,omitempty"` // "" for one that is not configured any more
	URL       string     `json:"url"`              // without its query, where a secret may be
	Kind      string     `json:"kind"`
	State     string     `json:"state"`
	Account   string     `json:"account,omitempty"`
	Issuer    string     `json:"issuer,omitempty"`
	ClientID  string     `json:"clientId,omitempty"`
	Scopes    []string   `json:"scopes,omitempty"`
	Since     *time.Time `json:"since,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"` // the token that is kept now
	Renewable bool       `json:"renewable,omitempty"`
	Stored    string     `json:"stored,omitempty"`
	Error     string     `json:"error,omitempty"`
}

// The states of an authLine.
const (
	authNone      = "none"
	authStatic    = "static"
	authService   = "by itself" // client credentials: tokens are had when they are needed
	authLoggedOut = "not logged in"
	authLoggedIn  = "logged in"
	authExpired   = "expired"
	authBroken    = "broken"
)

// authLines tells of the configured servers, and then of logins that no server is
// configured for. An error is of what could not be read; the rest is there.
func (d *desk) authLines(ctx context.Context) ([]authLine, error) {
	lines := []authLine{}
	now := time.Now()
	for i := range d.file.Servers {
		s := &d.file.Servers[i]
		if s.Transport != upstream.Stdio && s.URL != "" {
			lines = append(lines, d.authLine(ctx, s, now))
		}
	}
	logins, err := d.keeper.Logins(ctx)
	configured := d.places(ctx)
	for _, l := range logins {
		if !slices.Contains(configured, [2]string{l.Endpoint, l.Key.Account}) {
			lines = append(lines, leftLine(l, now))
		}
	}
	if err != nil {
		err = fmt.Errorf("reading the logins: %w", err)
	}
	return lines, err
}

// places are the endpoints and accounts of the servers that somebody logs in to.
func (d *desk) places(ctx context.Context) (all [][2]string) {
	for i := range d.file.Servers {
		s := &d.file.Servers[i]
		if !loggedInto(s) {
			continue
		}
		endpoint := s.URL
		if s.Resolve != nil {
			if read, err := s.Resolve(ctx, endpoint); err == nil {
				endpoint = read
			}
		}
		all = append(all, [2]string{endpoint, s.Auth.OAuth.Account})
	}
	return all
}

func (d *desk) authLine(ctx context.Context, s *config.Server, now time.Time) authLine {
	line := authLine{Server: s.Name, URL: shownEndpoint(s.URL), Kind: string(s.Auth.Kind), Account: s.Auth.OAuth.Account}
	switch {
	case s.Broken != nil:
		line.State, line.Error = authBroken, s.Broken.Error()
	case s.Auth.Kind == auth.None:
		line.Kind, line.State = "none", authNone
	case s.Auth.Kind != auth.OAuth2:
		line.State = authStatic
	case !loggedInto(s):
		line.State, line.Issuer, line.ClientID, line.Scopes = authService, s.Auth.OAuth.Issuer, s.Auth.OAuth.ClientID, s.Auth.OAuth.Scopes
	default:
		standing, err := d.authenticator(s).Standing(ctx)
		if err != nil {
			line.State, line.Error = authBroken, printable(err.Error())
			break
		}
		line.take(standing, now)
	}
	return line
}

// take tells of a login.
func (l *authLine) take(s auth.Standing, now time.Time) {
	if !s.LoggedIn {
		l.State = authLoggedOut
		return
	}
	l.State = authLoggedIn
	if !s.Expiry.IsZero() && !s.Expiry.After(now) && !s.Renewable {
		l.State = authExpired
	}
	l.Issuer, l.ClientID, l.Account, l.Scopes = printable(s.Issuer), printable(s.Client), printable(s.Account), s.Scopes
	l.Since, l.Expires = known(s.Since), known(s.Expiry)
	l.Renewable, l.Stored = s.Renewable, s.Stored
}

// known is a time; nil for none.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// leftLine tells of a login that no server is configured for.
func leftLine(l *credentials.Login, now time.Time) authLine {
	line := authLine{URL: shownEndpoint(l.Endpoint), Kind: string(auth.OAuth2)}
	line.take(auth.Standing{
		LoggedIn: true, Issuer: l.Key.Issuer, Client: l.Key.Client, Account: l.Key.Account, Scopes: l.Scopes,
		Since: l.Since, Expiry: l.Expiry, Renewable: l.Refresh != "",
	}, now)
	return line
}

// loginTitle names a login by where it is for.
func loginTitle(l *credentials.Login) string {
	title := shownEndpoint(l.Endpoint)
	if l.Key.Account != "" {
		title += " (account " + printable(l.Key.Account) + ")"
	}
	return title
}

// shownEndpoint is a URL without what may be secret in it.
func shownEndpoint(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "(not a URL)"
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	return printable(u.String())
}

func (a *app) printAuth(lines []authLine) {
	if len(lines) == 0 {
		fmt.Fprintln(a.Stdout, "No server with a URL is configured, and you are logged in nowhere.")
		return
	}
	p, now := a.paint(), time.Now()
	t := table{head: []string{"SERVER", "AUTH", "STATE", "TOKEN", "ACCOUNT", "STORED", "ISSUER", "SCOPES"}}
	for _, line := range lines {
		name := cell{line.Server, p.bold}
		if line.Server == "" {
			name = cell{line.URL, p.dim}
		}
		t.rows = append(t.rows, []cell{
			name, plain(line.Kind),
			{line.State, authColour(p, line.State)},
			plain(line.validity(now)),
			plain(line.Account), plain(line.Stored), plain(line.Issuer), plain(strings.Join(line.Scopes, " ")),
		})
	}
	t.dropEmpty()
	t.print(a.Stdout, p, a.width())
	for _, line := range lines {
		switch {
		case line.Error != "":
			fmt.Fprintln(a.Stdout, p.red(line.Server+":"), line.Error)
		case line.State == authExpired && line.Server != "":
			fmt.Fprintln(a.Stdout, p.yellow(line.Server+":"), "run", p.cyan("weir login "+line.Server))
		case line.Server == "":
			fmt.Fprintln(a.Stdout, p.yellow(line.URL+":"), "no server is configured for this login; run", p.cyan("weir logout "+line.URL))
		}
	}
}

// validity says until when, in a few words.
func (l *authLine) validity(now time.Time) string {
	switch {
	case l.Renewable:
		return "renewed"
	case l.Expires == nil || l.State == authExpired:
		return ""
	}
	return "for " + span(l.Expires.Sub(now))
}

func authColour(p paint, state string) func(string) string {
	switch state {
	case authLoggedIn, authStatic, authService:
		return p.green
	case authExpired:
		return p.yellow
	case authBroken:
		return p.red
	}
	return p.dim
}
