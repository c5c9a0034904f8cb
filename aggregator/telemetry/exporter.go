package telemetry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxQueued is how many spans may wait to be sent.
	maxQueued = 4096

	// maxBatch is how many spans are sent at once: some 250 KB.
	maxBatch = 512

	// gatherTime lets spans that come together be sent together.
	gatherTime = 5 * time.Second

	// interval is how often the figures are told.
	interval = time.Minute

	// lastTime is how long the end waits for the collector.
	lastTime = 200 * time.Millisecond
)

// Config is where an Exporter sends what, and who it says that it is.
type Config struct {
	// Endpoint is the base of the collector's URL: /v1/traces and /v1/metrics are
	// put behind it. Required; https, or http to this machine.
	Endpoint string

	// Headers are those of each request. nil for none; else it is asked when
	// something is to be sent, again until it has succeeded once.
	Headers func(ctx context.Context) (map[string]string, error)

	Traces, Metrics bool // what is sent

	// Ratio is the part of the traces that begin here which is recorded, 0 to 1.
	// One that the host has begun is recorded if the host records it.
	Ratio float64

	Service string // service.name
	Version string // of weir

	// Transport is the way to the collector; nil for weir's own, with TLS as the
	// system has it and the environment's proxy.
	Transport http.RoundTripper

	// Gather returns the figures of now. It is called by one goroutine; required
	// for metrics.
	Gather func() []Metric

	// Report is told why nothing gets through, once until it does again. It is
	// called by one goroutine; nil for nobody.
	Report func(error)
}

// An Exporter is one process's way to the collector. It is safe for concurrent
// use. A nil Exporter is none: it records nothing.
type Exporter struct {
	cfg    Config
	source source
	sender *sender
	begun  time.Time

	wake   chan struct{} // a batch is full
	ending chan struct{} // closed by Close
	ended  chan struct{} // closed by the goroutine
	cancel context.CancelFunc
	closed sync.Once

	mu    sync.Mutex
	queue []Span

	dropped  atomic.Uint64 // spans
	exported atomic.Uint64 // spans that the collector has
	silent   bool          // of the goroutine: Report knows that nothing gets through
}

// Open returns an Exporter and starts its goroutine, which nothing but
// [Exporter.Close] ends. Nothing is connected before there is something to send.
func Open(cfg Config) *Exporter {
	ctx, cancel := context.WithCancel(context.Background())
	e := &Exporter{
		cfg: cfg, sender: newSender(&cfg), begun: time.Now(), cancel: cancel,
		source: source{version: cfg.Version, resource: []Attribute{
			Text("service.name", cfg.Service), Text("service.version", cfg.Version),
			Text("service.instance.id", fmt.Sprintf("%d-%08x", os.Getpid(), rand.Uint32())), Number("process.pid", int64(os.Getpid())),
		}},
		wake: make(chan struct{}, 1), ending: make(chan struct{}), ended: make(chan struct{}),
	}
	go e.run(ctx)
	return e
}

// Traces reports whether spans are recorded at all.
func (e *Exporter) Traces() bool { return e != nil && e.cfg.Traces }

// Begin returns the place of a new span below a parent, which may be none. It
// reports false if it is not to be recorded.
func (e *Exporter) Begin(parent Context) (Context, bool) {
	switch {
	case !e.Traces():
		return Context{}, false
	case !parent.IsZero():
		return parent.Child(), parent.Sampled()
	case e.cfg.Ratio < 1 && rand.Float64() >= e.cfg.Ratio:
		return Context{}, false
	}
	return newTrace(), true
}

// Record takes a span to be sent. It never waits: a span that there is no room for
// is counted.
func (e *Exporter) Record(s Span) {
	e.mu.Lock()
	if len(e.queue) >= maxQueued {
		e.mu.Unlock()
		e.dropped.Add(1)
		return
	}
	e.queue = append(e.queue, s)
	full := len(e.queue) == maxBatch
	e.mu.Unlock()
	if full {
		e.poke()
	}
}

func (e *Exporter) poke() {
	select {
	case e.wake <- struct{}{}:
	default: // it is known already
	}
}

// Close tells what is left, and waits for that 0.2 s at most. It may be called
// again.
func (e *Exporter) Close() {
	if e == nil {
		return
	}
	e.closed.Do(func() {
		close(e.ending)
		late := time.AfterFunc(lastTime, e.cancel)
		defer late.Stop()
		<-e.ended
		e.cancel()
	})
}

// run sends until the Exporter is closed.
func (e *Exporter) run(ctx context.Context) {
	defer close(e.ended)
	defer e.sender.close()
	spans, figures := time.NewTicker(gatherTime), time.NewTicker(interval)
	defer spans.Stop()
	defer figures.Stop()
	for {
		select {
		case <-e.ending:
			e.sendSpans(ctx)
			e.sendFigures(ctx)
			return
		case <-e.wake:
			e.sendSpans(ctx)
		case <-spans.C:
			e.sendSpans(ctx)
		case <-figures.C:
			e.sendFigures(ctx)
		}
	}
}

func (e *Exporter) sendSpans(ctx context.Context) {
	for {
		batch := e.take()
		if len(batch) == 0 {
			return
		}
		if err := e.deliver(ctx, "/v1/traces", e.source.spans(batch)); err != nil {
			e.dropped.Add(uint64(len(batch)))
			e.report(err)
			return
		}
		e.exported.Add(uint64(len(batch)))
		e.silent = false
	}
}

// take takes the oldest spans out of the queue.
func (e *Exporter) take() []Span {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(len(e.queue), maxBatch)
	batch := e.queue[:n:n]
	e.queue = e.queue[n:]
	if len(e.queue) == 0 {
		e.queue = nil
	}
	return batch
}

func (e *Exporter) sendFigures(ctx context.Context) {
	if !e.cfg.Metrics {
		return
	}
	metrics := append(e.cfg.Gather(), e.own()...)
	if err := e.deliver(ctx, "/v1/metrics", e.source.metrics(metrics, e.begun, time.Now())); err != nil {
		e.report(err)
		return
	}
	e.silent = false
}

// own are the figures of the Exporter itself.
func (e *Exporter) own() []Metric {
	if !e.cfg.Traces {
		return nil
	}
	return []Metric{{
		Name: "weir.telemetry.spans", Unit: "{span}", Description: "Spans that were exported, and that were dropped",
		Points: []Point{
			{Attributes: []Attribute{Text("outcome", "exported")}, Value: e.exported.Load()},
			{Attributes: []Attribute{Text("outcome", "dropped")}, Value: e.dropped.Load()},
		},
	}}
}

// deliver sends a document, again if it may be. While weir ends it is sent once.
func (e *Exporter) deliver(ctx context.Context, path string, document []byte) error {
	for try := 0; ; try++ {
		again, err := e.sender.post(ctx, path, document)
		if err == nil || try >= len(pauses) || !again.may {
			return err
		}
		timer := time.NewTimer(max(pauses[try]+rand.N(pauses[try]/2), min(again.after, longestPause)))
		select {
		case <-timer.C:
		case <-e.ending:
			timer.Stop()
			return err
		}
	}
}

// pauses are those before each further try.
var pauses = [...]time.Duration{time.Second, 2 * time.Second, 5 * time.Second}

// longestPause is how long a collector may have the Exporter wait.
const longestPause = 30 * time.Second

func (e *Exporter) report(err error) {
	if e.silent || e.cfg.Report == nil || errors.Is(err, context.Canceled) {
		return
	}
	e.silent = true
	e.cfg.Report(err)
}
