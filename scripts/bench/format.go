package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
)

// A writer writes findings as they are made. Its errors are those of the file,
// which tells them again when it is closed or written to next.
type writer interface {
	head()
	write(finding)
}

func newWriter(format string, w io.Writer) (writer, error) {
	switch format {
	case "table":
		return tableWriter{w}, nil
	case "bench":
		return &benchWriter{w: w, told: map[string]bool{}}, nil
	case "json":
		return jsonWriter{json.NewEncoder(w)}, nil
	}
	return nil, fmt.Errorf("unknown format %q (want table, bench, json)", format)
}

// A tableWriter writes for people: a line for each that was compared.
type tableWriter struct{ w io.Writer }

func (t tableWriter) head() {
	fmt.Fprintf(t.w, "%-50s %-12s %12s %10s %8s  %s\n", "figure", "of", "value", "reference", "ratio", "budget")
}

func (t tableWriter) write(f finding) {
	if f.detail {
		return
	}
	remark := ""
	if !f.counts() {
		remark = fmt.Sprintf("  (does not count: the reference is %.0f %% from itself)", 100*f.apart)
	}
	for _, s := range f.found {
		fmt.Fprintf(t.w, "%-50s %-12s %12s %10s %8.2f  %s%s\n", f.figure, s.of,
			amount(median(s.samples)*f.unit.scale)+" "+f.unit.word,
			amount(median(f.reference.samples)*f.unit.scale), f.ratio(s), f.budget, remark)
	}
}

// A benchWriter writes what benchstat reads: a line for each sample.
type benchWriter struct {
	w    io.Writer
	told map[string]bool // benchmark and unit: findings may share a series
}

func (b *benchWriter) head() {
	fmt.Fprintf(b.w, "goos: %s\ngoarch: %s\npkg: github.com/weir-mcp/weir/scripts/bench\n", runtime.GOOS, runtime.GOARCH)
	for _, u := range []unit{callRate} { // benchstat knows that of bytes
		fmt.Fprintf(b.w, "Unit %s better=higher\n", u.bench)
	}
}

func (b *benchWriter) write(f finding) {
	for _, s := range append([]series{f.reference}, f.found...) {
		name := f.benchmark(s)
		if s.of == "" || b.told[name+f.unit.bench] {
			continue
		}
		b.told[name+f.unit.bench] = true
		for _, sample := range s.samples {
			fmt.Fprintf(b.w, "%s\t1\t%.6g %s\n", name, sample*f.unit.benchScale, f.unit.bench)
		}
	}
}

// A jsonWriter writes one object a line, for each that was compared.
type jsonWriter struct{ encoder *json.Encoder }

func (jsonWriter) head() {}

func (j jsonWriter) write(f finding) {
	for _, s := range f.found {
		_ = j.encoder.Encode(record{
			Figure: f.figure, Benchmark: f.benchmark(s), Of: s.of, Unit: f.unit.bench,
			Samples: scaled(s.samples, f.unit.benchScale), Median: median(s.samples) * f.unit.benchScale,
			ReferenceOf: f.reference.of, Reference: median(f.reference.samples) * f.unit.benchScale,
			Ratio: f.ratio(s), Budget: f.budget.String(), Met: f.budget.met(f.ratio(s)), Counts: f.counts(),
		})
	}
}

// A record is one line of JSON. All values are in the unit.
type record struct {
	Figure      string    `json:"figure"`
	Benchmark   string    `json:"benchmark"`
	Of          string    `json:"of"`
	Unit        string    `json:"unit"`
	Samples     []float64 `json:"samples"`
	Median      float64   `json:"median"`
	ReferenceOf string    `json:"referenceOf,omitempty"` // none where the reference is a constant
	Reference   float64   `json:"reference"`
	Ratio       float64   `json:"ratio"`
	Budget      string    `json:"budget,omitempty"`
	Met         bool      `json:"met"`
	Counts      bool      `json:"counts"` // the reference was near enough to itself
}

func scaled(samples []float64, scale float64) []float64 {
	all := make([]float64, len(samples))
	for i, sample := range samples {
		all[i] = sample * scale
	}
	return all
}
