package cli

import (
	"context"
	"errors"
	"sync"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/config"
)

// A reloader reads the configuration anew for a weir that serves, with the flags
// that it was started with. Where that cannot be used, the one before goes on.
type reloader struct {
	app  *app
	log  zerolog.Logger
	weir *aggregator.Aggregator // set before anything is asked of the reloader
	asks chan struct{}          // holds a token when a signal has asked for it

	telemetry collecting // written before weir is

	one    sync.Mutex // one reload at a time
	source string     // the file that the present configuration stands in; "" for none
}

// newReloader returns a reloader that a hangup asks from now on, though nothing
// comes of it before watch.
func (a *app) newReloader() *reloader {
	r := &reloader{app: a, asks: make(chan struct{}, 1)}
	a.signals.setHangup(func() {
		select {
		case r.asks <- struct{}{}:
		default:
		}
	})
	return r
}

// watch reloads whenever a hangup asks for it, until stop is called, which waits
// for one under way.
func (r *reloader) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-r.asks:
				_, _ = r.Reload() // it tells what is wrong in the log
			}
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}

var (
	errGone  = errors.New("the configuration file is not there any more")
	errEmpty = errors.New("the configuration file is empty")
)

// Reload takes the configuration as it stands on the disk. An error is why it is
// not taken, in words that a host may see.
func (r *reloader) Reload() (aggregator.Changes, error) {
	r.one.Lock()
	defer r.one.Unlock()
	file, err := r.app.load()
	switch {
	case err != nil:
	case file.Path == "" && r.source != "":
		err = errGone
	case file.Empty && r.source != "":
		err = errEmpty
	}
	if err != nil {
		r.weir.NoteProblem(keptNotice(err))
		logProblems(r.log, err)
		return aggregator.Changes{}, errors.New(homeless(err.Error()))
	}
	return r.take(file)
}

func (r *reloader) take(file *config.File) (aggregator.Changes, error) {
	for _, warning := range file.Warnings {
		r.log.Warn().Msg(warning)
	}
	changes, err := r.weir.Reconfigure(r.app.aggregatorConfig(file, r.log))
	if err != nil {
		return changes, err
	}
	r.source = file.Path
	r.log.Info().Strs("added", changes.Added).Strs("changed", changes.Changed).Strs("removed", changes.Removed).
		Msg("configuration taken anew")
	return changes, nil
}

func keptNotice(err error) string {
	return "weir's configuration has changed and cannot be used, so the one before goes on:\n\n" + homeless(err.Error()) +
		"\n\nCorrect it and let weir read it again (SIGHUP, or start weir anew)."
}
