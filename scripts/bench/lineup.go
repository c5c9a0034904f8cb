package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// A running gateway is one with a driver before it.
type running struct {
	gateway
	*driver
}

// lineUp starts the floor, weir, the other gateways, and the floor again.
func (b *bench) lineUp() ([]*running, error) {
	gateways := []gateway{b.floor()}
	for _, w := range b.weirs {
		g, err := b.weirOver(w, 1, 4)
		if err != nil {
			return nil, err
		}
		gateways = append(gateways, g)
	}
	gateways = append(gateways, b.others...)
	return b.startAll(append(gateways, b.floor()))
}

func (b *bench) startAll(gateways []gateway) ([]*running, error) {
	var all []*running
	for _, g := range gateways {
		r, err := startWarm(g)
		if err != nil {
			stopAll(all)
			return nil, fmt.Errorf("%s: %w", g.name, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// startWarm has the first calls, which start the server, not be measured.
func startWarm(g gateway) (*running, error) {
	d, err := start(g)
	if err != nil {
		return nil, err
	}
	r := &running{gateway: g, driver: d}
	if err := r.warmUp(); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

// fewer is how many of n calls make a sample.
func (r *running) fewer(n int) int {
	if r.slow {
		n /= 8
	}
	return max(n, 1)
}

func (r *running) warmUp() error {
	if _, err := r.list(); err != nil {
		return err
	}
	line, err := r.request("tools/call", r.echo())
	if err != nil {
		return err
	}
	// What only says why there is none comes sooner than any answer.
	if !bytes.Contains(line, []byte(`"structuredContent":`)) {
		return fmt.Errorf("want an echo, got %.500s", line)
	}
	return r.calls(200, 64, r.echo())
}

// echo is a call that returns what little it is given.
func (r *running) echo() (params string) { return toolCall(r.prefix+"echo", echoArguments, r.meta) }

const echoArguments = `{"text":"hello","n":1}`

// bytes is a call whose result has this size.
func (r *running) bytes(size int) (params string) {
	return toolCall(r.prefix+"bytes", `{"n":`+strconv.Itoa(size)+`}`, r.meta)
}

func stopAll(all []*running) {
	for _, r := range all {
		r.stop()
	}
}

// compare measures samples for all that line up, in turn, and reports each
// measure of them.
func (b *bench) compare(measures []measure, all []*running, once func(*running) ([]float64, error)) error {
	subjects := make([]subject, len(all))
	for i, r := range all {
		subjects[i] = subject{name: r.name, foreign: r.foreign, slow: r.slow, once: func() ([]float64, error) { return once(r) }}
	}
	return b.compareSubjects(measures, b.rounds, subjects)
}

// compareSubjects is the same for any subjects of which the first and the last
// are the reference.
func (b *bench) compareSubjects(measures []measure, rounds int, subjects []subject) error {
	r, apart, err := steady(b.tries, rounds, subjects)
	if err != nil {
		return err
	}
	last := len(subjects) - 1
	for m, what := range measures {
		f := finding{measure: what, apart: apart}
		f.reference = series{of: subjects[0].name, samples: append(r[0][m], r[last][m]...)}
		for i := 1; i < last; i++ {
			f.found = append(f.found, series{of: subjects[i].name, foreign: subjects[i].foreign, samples: r[i][m]})
		}
		b.report(f)
	}
	return nil
}

// clocked is how long something takes, and what it costs the gateway of
// processor time, each for one of n calls, in seconds.
func (r *running) clocked(n int, do func() error) (elapsed, processor float64, err error) {
	before, err := r.cpu()
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if err := do(); err != nil {
		return 0, 0, err
	}
	took := time.Since(begin)
	after, err := r.cpu()
	return took.Seconds() / float64(n), (after - before).Seconds() / float64(n), err
}
