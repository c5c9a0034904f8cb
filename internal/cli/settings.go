package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/state"
)

// GuardianCommand is the argument with which weir starts itself as the
// guardian of its children; see process.GuardianMain.
const GuardianCommand = "guard-children"

// servedConfig is aggregatorConfig for hosts, which are shown tools as the profile
// says.
func (a *app) servedConfig(file *config.File, log zerolog.Logger) aggregator.Config {
	cfg := a.aggregatorConfig(file, log)
	cfg.Expose, cfg.MaxTools = file.Expose, file.MaxTools
	return cfg
}

// aggregatorConfig makes an aggregator's configuration of a file, for people: they
// are shown all tools, whatever hosts are.
func (a *app) aggregatorConfig(file *config.File, log zerolog.Logger) aggregator.Config {
	cfg := aggregator.Config{
		Names:        file.Names,
		Policy:       file.Policy,
		Principal:    file.Principal,
		Approvals:    a.servedApprovals(log),
		MaxAge:       file.CacheMaxAge,
		Pins:         a.pinStore(),
		MessageLimit: file.MessageLimit,
		Version:      version,
		Process:      upstream.ProcessOptions{Environ: a.Environ, Guardian: guardian(log)},
		Log:          log,
	}
	cfg.Servers = slices.Grow(cfg.Servers, len(file.Servers))
	for i := range file.Servers {
		cfg.Servers = append(cfg.Servers, file.Servers[i].Server)
	}
	switch {
	case file.Denied != "":
		log.Error().Msg("no servers are served: everything is denied")
		return withoutServers(cfg, deniedNotice(file.Denied))
	case len(cfg.Servers) == 0:
		cfg.Notice = noServersNotice(file)
		return cfg
	}
	chain, err := parseChain(a.getenv(chainVariable)).enter(file.Path, file.Principal.Profile)
	if err != nil {
		log.Error().Err(err).Msg("no servers are served")
		return withoutServers(cfg, chainNotice)
	}
	cfg.Process.Weir = map[string]string{chainVariable: chain.String()}
	return cfg
}

// withoutServers is cfg for a weir that must not, or cannot, serve any.
func withoutServers(cfg aggregator.Config, notice string) aggregator.Config {
	cfg.Servers, cfg.Notice = nil, notice
	return cfg
}

// brokenConfig is for a weir whose configuration is not understood: it offers
// nothing but the reason.
func (a *app) brokenConfig(err error, log zerolog.Logger) aggregator.Config {
	return aggregator.Config{
		Policy:  policy.DenyAll("the configuration is broken"),
		Version: version,
		Notice:  brokenNotice(err),
		Process: upstream.ProcessOptions{Environ: a.Environ, Guardian: guardian(log)},
		Log:     log,
	}
}

const chainNotice = "This weir was started by a weir that serves the same configuration, or by a long chain of them, " +
	"so it offers no servers: it would start itself without end. " +
	"Take the entry that starts weir out of weir's own configuration."

// deniedNotice is for a host that may do nothing: no server is started for it.
func deniedNotice(why string) string {
	return "weir offers this host no servers, since its policy denies everything to it: " + why + "."
}

func noServersNotice(file *config.File) string {
	if profile := file.Principal.Profile; profile != "" {
		return fmt.Sprintf("The profile %q of weir's configuration has no servers, so there are no tools.", profile)
	}
	where := file.Path
	if where == "" {
		where = file.Want
	}
	if where == "" {
		where = "mcp.yaml (named by --config FILE or $WEIR_CONFIG)"
	}
	return "No servers are configured, so there are no tools yet. To add some, write " + homeless(where) + `, for example:

servers:
  files:
    command: npx
    args: ["-y", "@modelcontextprotocol/server-filesystem", "${HOME}/Documents"]

weir reads it as soon as it is saved. "weir servers" in a terminal shows whether they work.`
}

func brokenNotice(err error) string {
	return "weir's configuration cannot be used, so there are no tools:\n\n" + homeless(err.Error()) +
		"\n\nCorrect it and save it: weir reads it again then. \"weir servers\" in a terminal checks it."
}

// homeless writes the user's home folder as ~: the text may leave the machine.
func homeless(text string) string {
	home, err := os.UserHomeDir()
	if err != nil || len(home) < 2 {
		return text
	}
	return strings.ReplaceAll(text, home+string(filepath.Separator), "~"+string(filepath.Separator))
}

// openStore opens the store of lists in the user's cache folder. Without one
// weir goes on, and forgets.
func openStore(ctx context.Context, log zerolog.Logger) *catalog.Store {
	folder, err := os.UserCacheDir()
	if err == nil {
		folder = filepath.Join(folder, "weir")
	}
	store, err := catalog.OpenStore(ctx, folder)
	if err != nil {
		log.Warn().Err(err).Msg("lists are not kept")
	}
	return store
}

// pinStore is where the user's pins are. Without a folder of state it has no
// place, and says so when something is to be pinned.
func (a *app) pinStore() *pins.Store {
	folder, _ := state.UserFolder(a.getenv)
	return pins.NewStore(folder)
}

func guardian(log zerolog.Logger) []string {
	program, err := os.Executable()
	if err != nil {
		log.Warn().Err(err).Msg("children go without a guardian")
		return nil
	}
	return []string{program, GuardianCommand}
}

// logger writes to stderr: for people on a terminal, as JSON elsewhere.
func (a *app) logger(level *logLevel) zerolog.Logger {
	out := a.Stderr
	if isTerminal(a.Stderr) {
		out = zerolog.ConsoleWriter{Out: a.Stderr, NoColor: !a.errorPaint().on, TimeFormat: "15:04:05"}
	}
	return zerolog.New(withoutSecrets(out)).Level(zerolog.TraceLevel).Sample(level).With().Timestamp().Logger()
}

// logProblems logs an error that may be many, one line each.
func logProblems(log zerolog.Logger, err error, what string) {
	for _, line := range strings.Split(err.Error(), "\n") {
		log.Error().Str("problem", line).Msg(what)
	}
}

// loadError words the error of a command that cannot go on without its
// configuration.
func loadError(err error) error {
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNoKeyFile) {
		return fmt.Errorf("%w\n(--config and $WEIR_CONFIG name a file that must exist)", err)
	}
	return err
}
