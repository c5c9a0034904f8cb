// Bench measures what weir costs, as ratios to the least that any gateway can
// cost: a byte relay, a trivial server. Everything that is compared runs in
// turn, again and again, in one run, and the medians are compared.
//
//	go run ./scripts/bench [-short] [-only WORDS] [-samples N]
//	    [-against REVISION] [-splicer] [-naive] [-gateway 'NAME PREFIX COMMAND ARG...']...
//	    [-format table|bench|json] [-o FILE] [-plot DIR] [-page FILE] [-strict]
//
// -against also measures the weir of another revision, or another binary of it.
// -splicer also measures the least that a gateway costs which knows messages;
// -page implies it. -naive also measures the gateways that mcp-go and the official
// SDK make in sixty lines. Any other must be configured already, with "peer tools 4"
// as its one server; PREFIX is what it puts before the names of tools, or "-".
// -build DIR leaves the programs there, peer among them.
//
// Over networks the reference is the driver itself, as a host that speaks to the
// server without anything between.
//
// -page writes its tables into the page, between the marks, and its plots into
// the folder that is named like it.
//
// It is no test: it fails only where something does not work, or with -strict.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := runBench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the command line says of what becomes of findings, and
// where programs come from.
type options struct {
	format, out    string
	plot, page     string
	build, against string
	naive, splicer bool
	strict         bool
}

func runBench() error {
	b := &bench{effort: thorough}
	var o options
	short := flag.Bool("short", false, "measure for seconds only: to see that it works")
	samples := flag.Int("samples", 0, "how often to measure each figure")
	only := flag.String("only", "", "measure only figures whose name contains one of these words, divided by commas")
	flag.StringVar(&o.build, "build", "", "the folder to build the programs in, and to leave them in")
	flag.StringVar(&o.against, "against", "", "a revision, or a weir, to measure as well")
	flag.BoolVar(&o.splicer, "splicer", false, "measure a gateway that does no more than splice messages as well; -page implies it")
	flag.BoolVar(&o.naive, "naive", false, "measure gateways that two libraries make in sixty lines as well")
	flag.StringVar(&o.format, "format", "table", "table, bench (for benchstat) or json")
	flag.StringVar(&o.out, "o", "", "the file to write to; the table is then on standard error")
	flag.StringVar(&o.plot, "plot", "", "the folder for plots; measures more, to have something to plot")
	flag.StringVar(&o.page, "page", "", "the page to write tables and plots for")
	flag.BoolVar(&o.strict, "strict", false, "fail where a budget is not met, or could not be measured")
	flag.Func("gateway", "another gateway, as 'NAME PREFIX COMMAND ARG...'; may be repeated", b.addGateway)
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flag.Arg(0))
	}
	if *short {
		b.effort = quick
	}
	if *samples > 0 {
		b.rounds, b.effort.starts = *samples, *samples
	}
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	if o.page != "" && o.plot == "" {
		o.plot = strings.TrimSuffix(o.page, filepath.Ext(o.page))
	}
	if o.plot != "" {
		b.plotted()
	}
	return b.runWith(o)
}

func (b *bench) runWith(o options) (err error) {
	if err := b.openWriters(o, os.Stdout, os.Stderr); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.out.Close()) }()
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b.dir = dir
	if o.build == "" {
		o.build = filepath.Join(dir, "bin")
	}
	if err := b.buildAll(o.build, o.against); err != nil {
		return err
	}
	if o.splicer || o.page != "" {
		b.addSplicer()
	}
	if o.naive {
		if err := b.addNaive(o.build); err != nil {
			return err
		}
	}
	if err := b.measure(); err != nil {
		return err
	}
	return b.conclude(o)
}

// openWriters has the findings written to the file, if there is one, and as a
// table to where people look.
func (b *bench) openWriters(o options, stdout, stderr io.Writer) error {
	b.out = io.NopCloser(nil)
	if o.out != "" {
		f, err := os.Create(o.out)
		if err != nil {
			return err
		}
		b.out, stdout = f, f
	}
	w, err := newWriter(o.format, stdout)
	if err != nil {
		return errors.Join(err, b.out.Close())
	}
	b.writers = []writer{w}
	if o.out != "" || o.format != "table" {
		b.writers = append(b.writers, tableWriter{stderr})
	}
	return nil
}

// measure reports line by line, as it is found.
func (b *bench) measure() error {
	for _, w := range b.writers {
		w.head()
	}
	for _, figures := range []func() error{
		b.latency, b.throughput, b.results, b.peak, b.starts, b.headOfLine, b.growth, b.size, b.overWires,
	} {
		if err := figures(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) report(f finding) {
	b.findings = append(b.findings, f)
	for _, w := range b.writers {
		w.write(f)
	}
}

// conclude does what all findings are needed for.
func (b *bench) conclude(o options) error {
	if o.plot != "" {
		if err := writePlots(o.plot, b.findings); err != nil {
			return err
		}
	}
	if o.page != "" {
		if err := writePage(o.page, b.findings, b.effort); err != nil {
			return err
		}
	}
	if !o.strict {
		return nil
	}
	var missed []error
	for i := range b.findings {
		if trouble := b.findings[i].trouble(); trouble != "" {
			missed = append(missed, errors.New(trouble))
		}
	}
	return errors.Join(missed...)
}

// An effort is how often things are measured, and at which points.
type effort struct {
	rounds int // of each figure
	tries  int // to get a run in which the floor agrees with itself
	calls  int // of small calls in one sample
	starts int // processes
	large  int // bytes of large results in one sample

	inFlight       []int // calls
	servers, tools []int // as weir grows
	stored         []int // servers, at the start
}

// Budgets speak of some points only.
var (
	inFlightBudgets = []int{64, 256}
	thorough        = effort{
		rounds: 21, tries: 3, calls: 8000, starts: 61, large: 200_000_000,
		inFlight: inFlightBudgets, servers: []int{100}, tools: []int{5000}, stored: []int{budgeted},
	}
	quick = effort{
		rounds: 2, tries: 1, calls: 200, starts: 3, large: 10_000_000,
		inFlight: inFlightBudgets, servers: []int{100}, tools: []int{5000}, stored: []int{budgeted},
	}
)

// plotted adds the points between and beyond.
func (e *effort) plotted() {
	e.inFlight = []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}
	e.servers = []int{3, 10, 30, 100}
	e.tools = []int{50, 200, 1000, 5000}
	e.stored = []int{1, 10, 25, budgeted, 100}
}

type bench struct {
	effort
	dir    string
	only   []string
	peer   string // the programs
	sdk    string
	web    string
	weirs  []program // the first is that of this tree
	others []gateway

	out      io.Closer
	writers  []writer
	findings []finding
}

func (b *bench) wants(figure string) bool {
	for _, word := range b.only {
		if strings.Contains(figure, word) {
			return true
		}
	}
	return len(b.only) == 0
}
