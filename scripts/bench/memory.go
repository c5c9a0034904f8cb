package main

import (
	"os"
	"time"
)

// constant is a reference that is not measured.
func constant(value float64) series { return series{samples: []float64{value}} }

// peak is the most memory that large results have taken, in gateways that have come
// to rest after their start.
func (b *bench) peak() error {
	const figure = "peak memory, 10 MB results"
	if !b.wants(figure) {
		return nil
	}
	all, err := b.lineUp()
	if err != nil {
		return err
	}
	defer stopAll(all)
	time.Sleep(restTime)
	const size = 10_000_000
	f := finding{
		measure:   measure{figure: figure, family: "PeakMemory", unit: memory, budget: atMost(3)},
		reference: constant(size),
	}
	for _, r := range all[1 : len(all)-1] {
		for range 10 {
			if err := r.call(r.bytes(size)); err != nil {
				return err
			}
		}
		peak, err := r.memory("VmHWM")
		if err != nil {
			return err
		}
		f.found = append(f.found, series{of: r.name, foreign: r.foreign, samples: []float64{peak}})
	}
	b.report(f)
	return nil
}

// restingMemory is of weirs that have lists stored and no server started.
func (b *bench) restingMemory(weirs []gateway) error {
	f := finding{
		measure:   measure{figure: "memory, 1,000 stored, no server started", family: "RestingMemory", unit: memory, budget: atMost(1)},
		reference: constant(25e6),
	}
	for _, weir := range weirs {
		resident, err := resident(weir)
		if err != nil {
			return err
		}
		f.found = append(f.found, series{of: weir.name, samples: []float64{resident}})
	}
	b.report(f)
	return nil
}

// restTime is how long after a start a gateway rests: what it does behind the first
// answers is over.
const restTime = 3 * time.Second

func resident(g gateway) (float64, error) {
	d, err := start(g)
	if err != nil {
		return 0, err
	}
	defer d.stop()
	if _, err := d.list(); err != nil {
		return 0, err
	}
	// The list may come before the rest of a gateway is there.
	if _, err := d.request("ping", "{}"); err != nil {
		return 0, err
	}
	time.Sleep(restTime)
	return d.memory("VmRSS")
}

// size is that of the binary.
func (b *bench) size() error {
	const figure = "binary, stripped"
	if !b.wants(figure) {
		return nil
	}
	f := finding{
		measure:   measure{figure: figure, family: "Binary", unit: memory, budget: atMost(1)},
		reference: constant(30e6),
	}
	for _, w := range b.weirs {
		info, err := os.Stat(w.path)
		if err != nil {
			return err
		}
		f.found = append(f.found, series{of: w.name, samples: []float64{float64(info.Size())}})
	}
	b.report(f)
	return nil
}
