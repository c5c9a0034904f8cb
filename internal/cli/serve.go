package cli

import (
	"context"
	"runtime"
	"sync"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/prelude"
	"github.com/weir-mcp/weir/upstream/auth/login"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve a host on stdin and stdout",
		Long: `Serve one host on stdin and stdout, as an MCP server over stdio, until stdin ends.
This is what a host starts; "weir" alone does the same when its input is a pipe.
Nothing but the protocol is written to stdout; the log goes to stderr.`,
		Example: `  weir serve
  weir serve --config ~/work/mcp.yaml`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context()) },
	}
}

// serve is the life of weir under a host. That the host is gone, or a signal
// came, is a good end.
func (a *app) serve(ctx context.Context) error {
	defer a.spareCollector()()
	makeRoomForReaders()
	s, err := takeStdio(a.Stdin, a.Stdout)
	if err != nil {
		return err
	}
	defer s.giveBack()
	r := a.newReloader()
	cfg := r.firstConfig(ctx)
	defer func() { closeAudit(r.audit.Load(), r.log) }()
	defer cfg.Auth.Close()
	cfg.Admin = administrator{r}
	beacon := r.newBeacon()
	cfg.Answered = beacon.light
	if prelude.Supported {
		r.prompter = r.newPrompter(a.Prelude, s.play(a.Prelude), cfg.Store)
		cfg.Stored = r.prompter.again
	}
	weir := aggregator.New(cfg)
	defer together(weir.Close, r.telemetry.close)
	r.weir = weir
	r.telemetry.of(weir)
	defer beacon.out()
	defer r.watch(ctx)()
	if err := weir.Serve(ctx, s.in, s.out); err != nil && ctx.Err() == nil && !isGone(err) {
		return err
	}
	return nil
}

// together does things at once, and returns when all are done.
func together(things ...func()) {
	var all sync.WaitGroup
	for _, do := range things {
		all.Go(do)
	}
	all.Wait()
}

// readersAtOnce is how many readers of pipes may come back from a wait in the
// kernel without a wait for the scheduler.
const readersAtOnce = 4

// makeRoomForReaders lets more goroutines run than there are processors, where
// those are few. Who waits in the kernel for a pipe still counts as running for
// a while; with none to spare the runtime would take that place away every
// 20 µs, at a tenth of weir's processor time, and give it back late.
func makeRoomForReaders() {
	if runtime.GOMAXPROCS(0) < readersAtOnce {
		runtime.GOMAXPROCS(readersAtOnce)
	}
}

// firstConfig is what a host is served at first: with a configuration that cannot
// be used, a weir that says so.
func (r *reloader) firstConfig(ctx context.Context) aggregator.Config {
	a := r.app
	file, sources, err := a.loadWithSources()
	r.sources = sources
	if err != nil {
		logProblems(r.log, err, "configuration cannot be used")
		return r.begin(ctx, a.brokenConfig(err, r.log), &config.File{})
	}
	r.level.set(file.LogLevel)
	r.source = file.Path
	for _, warning := range file.Warnings {
		r.log.Warn().Msg(warning)
	}
	return r.begin(ctx, a.servedConfig(file, r.log), file)
}

// begin completes a configuration with what stays whatever is read later.
func (r *reloader) begin(ctx context.Context, cfg aggregator.Config, file *config.File) aggregator.Config {
	cfg.Audit = r.app.openAudit(file.Audit, r.log)
	r.telemetry = openTelemetry(file.Telemetry, r.log)
	cfg.Telemetry = r.telemetry.exporter
	r.audit.Store(cfg.Audit)
	r.audited, r.collected = file.Audit, file.Telemetry
	if cfg.Approvals == nil { // what a broken file becomes
		cfg.Approvals, cfg.Pins = r.app.servedApprovals(r.log), r.app.pinStore()
	}
	cfg.Store = openStore(ctx, r.log)
	cfg.Auth = r.app.newKeeper(login.NewBrowser(r.app.getenv), r.log)
	if cfg.Process.Weir == nil {
		cfg.Process.Weir = r.app.laterChain()
	}
	return cfg
}
