package cli

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/resident"
	"github.com/weir-mcp/weir/internal/watch"
)

// A reloader reads the configuration anew for a weir that serves, with the flags
// that it was started with. Where that cannot be used, the one before goes on.
type reloader struct {
	app   *app
	log   zerolog.Logger
	level *logLevel              // of log
	weir  *aggregator.Aggregator // set before anything is asked of the reloader
	asks  chan struct{}          // holds a token when a signal has asked for it
	audit atomic.Pointer[audit.Log]

	telemetry collecting // written before weir is
	prompter  *prompter  // likewise; nil where there are no records

	one     sync.Mutex // one reload at a time
	source  string     // the file that the present configuration stands in; "" for none
	sources *config.Sources
	audited config.Audit // what audit is open for

	collected config.Telemetry // what telemetry is open for
	warned    bool             // that another one waits for a start
}

// newReloader returns a reloader that a hangup asks from now on, though nothing
// comes of it before watch.
func (a *app) newReloader() *reloader {
	r := &reloader{app: a, level: &logLevel{}, asks: make(chan struct{}, 1)}
	r.level.set("")
	r.log = a.logger(r.level)
	a.signals.setHangup(func() {
		select {
		case r.asks <- struct{}{}:
		default:
		}
	})
	return r
}

const (
	// watchAfter is how long a weir serves before it watches its files: what was
	// done to them until then it finds, and to set the watch costs more than the
	// first answers do.
	watchAfter = time.Second

	// settledAfter is how long a weir serves before it gives back what of its
	// program only the start has needed.
	settledAfter = 2 * time.Second

	// stopTime is how long the end waits for a disk.
	stopTime = 200 * time.Millisecond
)

// watch reloads whenever a hangup asks for it, or a file has changed, rehearses the
// next start, and gives back what this one has needed, until stop is called, which
// waits for what is under way. A disk that does not answer is left to itself:
// reading cannot be interrupted.
func (r *reloader) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { r.obey(ctx) })
	running.Go(func() { r.follow(ctx) })
	running.Go(func() { r.prompter.run(ctx) })
	running.Go(func() { r.giveBack(ctx) })
	return func() {
		cancel()
		done := make(chan struct{})
		go func() {
			running.Wait()
			close(done)
		}()
		late := time.NewTimer(stopTime)
		defer late.Stop()
		select {
		case <-done:
		case <-late.C:
		}
	}
}

// giveBack makes the process smaller, once.
func (r *reloader) giveBack(ctx context.Context) {
	settled := time.NewTimer(settledAfter)
	defer settled.Stop()
	select {
	case <-ctx.Done():
		return
	case <-settled.C:
	}
	size, err := resident.GiveBackProgram()
	r.log.Debug().Err(err).Int("bytes", size).Msg("gave back the pages of the program")
}

// obey reloads when a signal asks for it.
func (r *reloader) obey(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.asks:
			_, _ = r.Reload() // it tells what is wrong in the log
		}
	}
}

// follow reloads when a file has changed.
func (r *reloader) follow(ctx context.Context) {
	begin := time.NewTimer(watchAfter)
	defer begin.Stop()
	select {
	case <-ctx.Done():
		return
	case <-begin.C:
	}
	w := watch.New(func(err error) { r.log.Debug().Err(err).Msg("looking at the configuration every few seconds instead") })
	defer w.Close()
	w.Follow(r.paths())
	watch.Settle(ctx, w.Happened(), func(sure bool) (halfDone bool) {
		w.Follow(r.paths()) // a link may lead elsewhere now
		halfDone = r.look(sure)
		w.Follow(r.paths()) // it may name another env_file
		return halfDone
	})
}

func (r *reloader) paths() []string {
	r.one.Lock()
	defer r.one.Unlock()
	return r.sources.Paths()
}

// look takes the configuration if there is another one on the disk. It reports
// that it may be half written, or taken away to be replaced, unless the caller is
// sure that nobody is at it.
func (r *reloader) look(sure bool) (halfDone bool) {
	r.one.Lock()
	defer r.one.Unlock()
	if !r.sources.Changed() {
		return false
	}
	file, sources, err := r.read()
	if err != nil && !sure {
		return true
	}
	r.sources = sources
	if err != nil {
		r.keep(err)
		return false
	}
	_, _ = r.take(file) // it fails where weir is ending
	return false
}

// Reload takes the configuration as it stands on the disk. An error is why it is
// not taken, in words that a host may see.
func (r *reloader) Reload() (aggregator.Changes, error) {
	r.one.Lock()
	defer r.one.Unlock()
	file, sources, err := r.read()
	r.sources = sources
	if err != nil {
		r.keep(err)
		return aggregator.Changes{}, errors.New(homeless(err.Error()))
	}
	return r.take(file)
}

var (
	errGone  = errors.New("the configuration file is not there any more")
	errEmpty = errors.New("the configuration file is empty")
)

// read reads the configuration, and what of it can take the place of one that is
// in use. The caller holds r.one.
func (r *reloader) read() (*config.File, *config.Sources, error) {
	file, sources, err := r.app.loadWithSources()
	switch {
	case err != nil:
	case file.Path == "" && r.source != "":
		err = errGone
	case file.Empty && r.source != "":
		err = errEmpty
	}
	return file, sources, err
}

// keep tells why the configuration before goes on.
func (r *reloader) keep(err error) {
	r.weir.NoteProblem(keptNotice(err))
	logProblems(r.log, err, "configuration cannot be used, so the one before goes on")
}

// take goes on with another configuration. The caller holds r.one.
func (r *reloader) take(file *config.File) (aggregator.Changes, error) {
	for _, warning := range file.Warnings {
		r.log.Warn().Msg(warning)
	}
	cfg := r.app.servedConfig(file, r.log)
	before := r.audit.Load()
	cfg.Audit = before
	if file.Audit != r.audited {
		cfg.Audit = r.app.openAudit(file.Audit, r.log)
	}
	changes, err := r.weir.Reconfigure(cfg)
	if err != nil {
		if cfg.Audit != before {
			closeAudit(cfg.Audit, r.log)
		}
		return changes, err
	}
	r.source = file.Path
	r.prompter.again()
	r.level.set(file.LogLevel)
	if cfg.Audit != before {
		r.replaceAudit(cfg.Audit)
	}
	r.audited = file.Audit
	r.compareTelemetry(file.Telemetry)
	r.log.Info().Strs("added", changes.Added).Strs("changed", changes.Changed).Strs("removed", changes.Removed).
		Msg("configuration taken anew")
	return changes, nil
}

// compareTelemetry says that another way to a collector is for the next start: what
// has been gathered belongs to the one there is.
func (r *reloader) compareTelemetry(wanted config.Telemetry) {
	differs := !reflect.DeepEqual(wanted, r.collected)
	if differs && !r.warned {
		r.log.Warn().Msg("a change of telemetry takes effect when weir is started anew")
	}
	r.warned = differs
}

// replaceAudit ends the audit log in whose place another one writes already.
func (r *reloader) replaceAudit(next *audit.Log) {
	if err := r.audit.Swap(next).HandOver(next); err != nil {
		r.log.Error().Err(err).Msg("requests are not recorded as they should be")
	}
}

func keptNotice(err error) string {
	return "weir's configuration has changed and cannot be used, so the one before goes on:\n\n" + homeless(err.Error()) +
		"\n\nCorrect it and save it: weir reads it again then."
}
