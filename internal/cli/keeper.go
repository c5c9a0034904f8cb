package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/spell"
	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/auth/keyring"
	"github.com/weir-mcp/weir/upstream/state"
)

// newKeeper returns what has the logins of this run, and opens this browser when a
// call needs one; nil opens none. Nothing is read or asked before it is needed.
// The caller closes it.
func (a *app) newKeeper(browser auth.Browser, log zerolog.Logger) *auth.Keeper {
	folder, err := state.UserFolder(a.getenv)
	if err != nil {
		log.Warn().Err(err).Msg("logins are not kept")
	}
	return auth.NewKeeper(auth.Options{
		Store:   credentials.Open(folder, a.keyring()),
		Browser: browser,
		Version: version,
		Log:     log,
	})
}

func (a *app) keyring() keyring.Ring { return keyring.System(a.getenv) }

// A desk is where a command looks after logins: those of the configuration, and
// what is kept. It asks no server before it is told to.
type desk struct {
	*app
	file   *config.File
	keeper *auth.Keeper
}

// openDesk reads the configuration. The caller closes the desk.
func (a *app) openDesk() (*desk, error) {
	file, err := a.load()
	if err != nil {
		return nil, loadError(err)
	}
	for _, warning := range file.Warnings {
		fmt.Fprintln(a.Stderr, a.errorPaint().yellow("warning:"), warning)
	}
	return &desk{app: a, file: file, keeper: a.newKeeper(nil, zerolog.Nop())}, nil
}

func (d *desk) close() { d.keeper.Close() }

// server returns the server of that name or alias.
func (d *desk) server(name string) (*config.Server, error) {
	target := cmp.Or(d.file.Aliases[name], name)
	var names []string
	for i := range d.file.Servers {
		s := &d.file.Servers[i]
		if s.Name == target {
			return s, nil
		}
		names = append(names, s.Name)
	}
	names = append(names, slices.Sorted(maps.Keys(d.file.Aliases))...)
	if near := spell.Nearest(name, names); near != "" {
		return nil, fmt.Errorf("there is no server %q; did you mean %q?", name, near)
	}
	return nil, fmt.Errorf("there is no server %q (\"weir auth\" lists them)", name)
}

// authenticator is that of a configured server.
func (d *desk) authenticator(s *config.Server) *auth.Authenticator {
	return d.keeper.Authenticator(s.Name, s.URL, s.Auth, s.Resolve)
}

// loggedInto reports whether a person logs in to a server, as configured.
func loggedInto(s *config.Server) bool {
	return s.Auth.Kind == auth.OAuth2 && s.Auth.OAuth.Grant.NeedsPerson()
}
