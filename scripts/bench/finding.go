package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A unit is how samples of a kind are told. Samples are kept in seconds, in
// bytes, or in either of them or calls per second.
type unit struct {
	word       string // in tables
	scale      float64
	bench      string // in the format of Go's benchmarks
	benchScale float64
	more       bool // is better
}

var (
	perCall   = unit{word: "µs", scale: 1e6, bench: "ns/op", benchScale: 1e9}
	processor = unit{word: "µs", scale: 1e6, bench: "cpu-ns/op", benchScale: 1e9}
	starting  = unit{word: "ms", scale: 1e3, bench: "ns/op", benchScale: 1e9}
	callRate  = unit{word: "/s", scale: 1, bench: "calls/s", benchScale: 1, more: true}
	byteRate  = unit{word: "MB/s", scale: 1e-6, bench: "MB/s", benchScale: 1e-6, more: true}
	memory    = unit{word: "MB", scale: 1e-6, bench: "bytes", benchScale: 1}
)

// better is which values are.
func (u unit) better() string {
	if u.more {
		return "more"
	}
	return "less"
}

// percentile is the unit of the time that a share of calls, in percent, is
// done in.
func percentile(p float64) unit {
	return unit{word: "µs", scale: 1e6, bench: fmt.Sprintf("p%v-ns/op", p), benchScale: 1e9}
}

// A budget is the bound of a ratio to a reference. The zero value is none.
type budget struct {
	least bool // it is the least that is enough, else the most that is allowed
	ratio float64
}

func atMost(ratio float64) budget  { return budget{ratio: ratio} }
func atLeast(ratio float64) budget { return budget{least: true, ratio: ratio} }

func (b budget) String() string {
	switch {
	case b.ratio == 0:
		return ""
	case b.least:
		return fmt.Sprintf("≥ %v", b.ratio)
	}
	return fmt.Sprintf("≤ %v", b.ratio)
}

// met is true where there is no budget. What is no number meets none.
func (b budget) met(ratio float64) bool {
	switch {
	case b.ratio == 0:
		return true
	case b.least:
		return ratio >= b.ratio
	}
	return ratio <= b.ratio
}

// A measure is what is measured of each that is compared.
type measure struct {
	figure string // in words
	family string // as the name of a benchmark
	param  string // what is varied, if anything
	at     int    // the value of that
	unit   unit
	budget budget
	detail bool // not for tables: for plots and other programs
}

// A series is what was measured of one that is compared.
type series struct {
	of      string // "" for a constant
	foreign bool   // neither the reference nor a weir
	point   string // in place of what the measure says, as "param=value"
	samples []float64
}

// A finding is one measure of all that are compared.
type finding struct {
	measure
	reference series // what budgets are ratios to
	found     []series
	apart     float64 // how far the reference was from itself
}

// benchmark is the name of a series in the format of Go's benchmarks.
func (f *finding) benchmark(s series) string {
	name := "Benchmark" + f.family
	switch {
	case s.point != "":
		name += "/" + s.point
	case f.param != "":
		name += fmt.Sprintf("/%s=%d", f.param, f.at)
	}
	return name + "/gateway=" + strings.ReplaceAll(s.of, "/", "_")
}

func (f *finding) ratio(s series) float64 { return median(s.samples) / median(f.reference.samples) }

// counts is whether the run was calm enough.
func (f *finding) counts() bool { return f.apart <= tolerance }

// trouble says what keeps weir from its budget, if anything does.
func (f *finding) trouble() string {
	for _, s := range f.found {
		if s.of != subjectWeir || f.budget == (budget{}) {
			continue
		}
		if !f.counts() {
			return fmt.Sprintf("%s: the reference is %.0f %% from itself", f.figure, 100*f.apart)
		}
		if ratio := f.ratio(s); !f.budget.met(ratio) {
			return fmt.Sprintf("%s: got %.2f, want %s", f.figure, ratio, f.budget)
		}
	}
	return ""
}

// median returns 0 of nothing.
func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// quantile is the least sample that so many percent are not above. The samples
// are sorted, and there are some.
func quantile(sorted []float64, percent float64) float64 {
	rank := int(math.Ceil(percent * float64(len(sorted)) / 100))
	return sorted[min(max(rank, 1), len(sorted))-1]
}
