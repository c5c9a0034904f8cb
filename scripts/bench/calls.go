package main

import (
	"fmt"
	"slices"
	"time"
)

// percentiles are told of the time of a call: all in plots, some in tables.
var percentiles = []struct {
	p      float64
	detail bool
}{{10, true}, {50, false}, {75, true}, {90, false}, {95, true}, {99, false}, {99.5, true}, {99.9, false}}

// latency is of one call after the other.
func (b *bench) latency() error {
	const figure = "echo, 1 in flight"
	if !b.wants(figure) {
		return nil
	}
	all, err := b.lineUp()
	if err != nil {
		return err
	}
	defer stopAll(all)
	measures := []measure{
		{figure: figure + ", time", family: "Echo", unit: perCall, budget: atMost(1.15)},
		{figure: figure + ", CPU per call", family: "Echo", unit: processor},
	}
	for _, p := range percentiles {
		measures = append(measures, measure{
			figure: fmt.Sprintf("%s, p%v", figure, p.p), family: "Echo", unit: percentile(p.p), detail: p.detail,
		})
	}
	for i := range measures {
		measures[i].param, measures[i].at = "inflight", 1
	}
	return b.compare(measures, all, b.latencies)
}

func (b *bench) latencies(r *running) ([]float64, error) {
	times := make([]float64, b.effort.calls/4)
	elapsed, processor, err := r.clocked(len(times), func() error {
		params := r.echo()
		last := time.Now()
		for i := range times {
			if err := r.call(params); err != nil {
				return err
			}
			now := time.Now()
			times[i] = now.Sub(last).Seconds()
			last = now
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(times)
	samples := []float64{elapsed, processor}
	for _, p := range percentiles {
		samples = append(samples, quantile(times, p.p))
	}
	return samples, nil
}

// throughput is of calls that are made together.
func (b *bench) throughput() error {
	budgets := map[int]bool{64: true, 256: true}
	for _, inFlight := range b.inFlight {
		figure := fmt.Sprintf("echo, %d in flight", inFlight)
		if !b.wants(figure) {
			continue
		}
		measures := []measure{
			{figure: figure + ", calls", family: "Throughput", unit: callRate},
			{figure: figure + ", CPU per call", family: "Throughput", unit: processor},
		}
		if budgets[inFlight] {
			measures[0].budget, measures[1].budget = atLeast(0.85), atMost(2)
		}
		for i := range measures {
			measures[i].param, measures[i].at, measures[i].detail = "inflight", inFlight, !budgets[inFlight]
		}
		if err := b.throughputOf(measures, inFlight); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) throughputOf(measures []measure, inFlight int) error {
	all, err := b.lineUp()
	if err != nil {
		return err
	}
	defer stopAll(all)
	n := b.effort.calls
	if inFlight < 8 {
		n /= 4 // they take longer
	}
	return b.compare(measures, all, func(r *running) ([]float64, error) {
		n := r.fewer(n)
		elapsed, processor, err := r.clocked(n, func() error {
			return r.calls(n, inFlight, r.echo())
		})
		return []float64{1 / elapsed, processor}, err
	})
}

// results are of some size.
func (b *bench) results() error {
	for _, size := range []struct {
		bytes  int
		name   string
		budget budget
	}{{10_000, "10 KB", budget{}}, {1_000_000, "1 MB", budget{}}, {10_000_000, "10 MB", atLeast(0.6)}} {
		figure := size.name + " result"
		if !b.wants(figure) {
			continue
		}
		all, err := b.lineUp()
		if err != nil {
			return err
		}
		n := max(b.large/size.bytes/4, 1)
		if size.bytes < 100_000 {
			n = min(n, b.effort.calls/4)
		}
		what := measure{figure: figure + "s", family: "Result", param: "bytes", at: size.bytes, unit: byteRate, budget: size.budget}
		err = b.compare([]measure{what}, all, func(r *running) ([]float64, error) {
			rate, err := resultRate(r, r.fewer(n), size.bytes)
			return []float64{rate}, err
		})
		stopAll(all)
		if err != nil {
			return err
		}
	}
	return nil
}

// resultRate is in bytes per second.
func resultRate(r *running, n, size int) (float64, error) {
	params := r.bytes(size)
	begin := time.Now()
	for range n {
		if err := r.call(params); err != nil {
			return 0, err
		}
	}
	return float64(n*size) / time.Since(begin).Seconds(), nil
}
