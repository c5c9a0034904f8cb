package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// measure prints the table, line by line as it is found.
func (b *bench) measure() error {
	fmt.Printf("%-44s %-8s %10s %10s %8s  %s\n", "figure", "of", "value", "reference", "ratio", "budget")
	for _, figures := range []func() error{
		b.latency, b.throughput, b.results, b.peak, b.starts, b.headOfLine, b.growth, b.size,
	} {
		if err := figures(); err != nil {
			return err
		}
	}
	return nil
}

// row prints one line. apart is how far the reference was from itself.
func row(figure, of string, value, reference float64, unit, budget string, apart float64) {
	remark := ""
	if apart > tolerance {
		remark = fmt.Sprintf("  (does not count: the reference is %.0f %% from itself)", 100*apart)
	}
	fmt.Printf("%-44s %-8s %10s %10s %8.2f  %s%s\n", figure, of,
		fmt.Sprintf("%.4g %s", value, unit), fmt.Sprintf("%.4g", reference), value/reference, budget, remark)
}

// A running gateway is one with a driver before it.
type running struct {
	gateway
	*driver
	calls int           // made so far
	cpu   time.Duration // used when the calls began to count
}

// lineUp starts the floor, weir, the other gateways, and the floor again.
func (b *bench) lineUp() ([]*running, error) {
	weir, err := b.weirOver(1, 4)
	if err != nil {
		return nil, err
	}
	gateways := append([]gateway{b.floor(), weir}, b.others...)
	return b.startAll(append(gateways, b.floor()))
}

func (b *bench) startAll(gateways []gateway) ([]*running, error) {
	var all []*running
	for _, g := range gateways {
		d, err := start(g.command, g.env)
		if err != nil {
			stopAll(all)
			return nil, err
		}
		r := &running{gateway: g, driver: d}
		all = append(all, r)
		// The first call starts the server, and is not measured.
		if err := r.warmUp(); err != nil {
			stopAll(all)
			return nil, fmt.Errorf("%s: %w", g.name, err)
		}
	}
	return all, nil
}

func (r *running) warmUp() error {
	if _, err := r.request("tools/list", "{}"); err != nil {
		return err
	}
	if err := r.driver.calls(200, 64, r.prefix+"echo", echoArguments); err != nil {
		return err
	}
	var err error
	r.cpu, err = r.driver.cpu()
	return err
}

func stopAll(all []*running) {
	for _, r := range all {
		r.stop()
	}
}

const echoArguments = `{"text":"hello","n":1}`

// compare measures sample for all that line up, in turn, and prints a row for
// each but the floors.
func (b *bench) compare(figure, unit, budget string, all []*running, sample func(*running) (float64, error)) error {
	subjects := make([]subject, len(all))
	for i, r := range all {
		subjects[i] = subject{r.name, func() (float64, error) { return sample(r) }}
	}
	medians, apart, err := steady(b.tries, b.rounds, subjects)
	if err != nil {
		return err
	}
	floor := (medians[0] + medians[len(medians)-1]) / 2
	for i, r := range all[1 : len(all)-1] {
		row(figure, r.name, medians[i+1], floor, unit, budget, apart)
	}
	return nil
}

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
	err = b.compare(figure+", time", "µs", "≤ 1.15", all, func(r *running) (float64, error) {
		n := b.calls / 4
		r.calls += n
		begin := time.Now()
		for range n {
			if err := r.call(r.prefix+"echo", echoArguments); err != nil {
				return 0, err
			}
		}
		return float64(time.Since(begin).Microseconds()) / float64(n), nil
	})
	if err != nil {
		return err
	}
	return processorTime(figure, "", all)
}

func (b *bench) throughput() error {
	for _, inFlight := range []int{64, 256} {
		figure := fmt.Sprintf("echo, %d in flight", inFlight)
		if !b.wants(figure) {
			continue
		}
		all, err := b.lineUp()
		if err != nil {
			return err
		}
		err = b.compare(figure+", calls", "/s", "≥ 0.85", all, func(r *running) (float64, error) {
			r.calls += b.effort.calls
			begin := time.Now()
			err := r.driver.calls(b.effort.calls, inFlight, r.prefix+"echo", echoArguments)
			return float64(b.effort.calls) / time.Since(begin).Seconds(), err
		})
		if err == nil {
			err = processorTime(figure, "≤ 2.0", all)
		}
		stopAll(all)
		if err != nil {
			return err
		}
	}
	return nil
}

// processorTime prints what a call has cost of processor time so far. It is a
// mean: the system counts in hundredths of a second.
func processorTime(figure, budget string, all []*running) error {
	per := make([]float64, len(all))
	for i, r := range all {
		now, err := r.driver.cpu()
		if err != nil {
			return err
		}
		per[i] = float64((now - r.cpu).Microseconds()) / float64(r.calls)
	}
	first, last := per[0], per[len(per)-1]
	if first+last == 0 {
		return nil // all of it took less than can be counted
	}
	for i, r := range all[1 : len(all)-1] {
		row(figure+", CPU per call", r.name, per[i+1], (first+last)/2, "µs", budget, 0)
	}
	return nil
}

func (b *bench) results() error {
	for _, size := range []struct {
		bytes  int
		name   string
		budget string
	}{{10_000, "10 KB", ""}, {1_000_000, "1 MB", ""}, {10_000_000, "10 MB", "≥ 0.6"}} {
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
		arguments := `{"n":` + strconv.Itoa(size.bytes) + `}`
		err = b.compare(figure+"s, MB", "/s", size.budget, all, func(r *running) (float64, error) {
			begin := time.Now()
			for range n {
				if err := r.call(r.prefix+"bytes", arguments); err != nil {
					return 0, err
				}
			}
			return float64(n*size.bytes) / 1e6 / time.Since(begin).Seconds(), nil
		})
		stopAll(all)
		if err != nil {
			return err
		}
	}
	return nil
}

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
	const size = 10_000_000
	for _, r := range all[1 : len(all)-1] {
		for range 10 {
			if err := r.call(r.prefix+"bytes", `{"n":`+strconv.Itoa(size)+`}`); err != nil {
				return err
			}
		}
		peak, err := r.memory("VmHWM")
		if err != nil {
			return err
		}
		row(figure, r.name, peak/1e6, size/1e6, "MB", "≤ 3.0", 0)
	}
	return nil
}

// starts are of a weir that has the lists of 50 servers with 20 tools stored.
func (b *bench) starts() error {
	const figure = "start, 50 servers × 20 tools stored"
	if !b.wants(figure) {
		return nil
	}
	const servers, tools = 50, 20
	weir, err := b.weirOver(servers, tools)
	if err != nil {
		return err
	}
	list, err := b.store(weir, servers*tools)
	if err != nil {
		return err
	}
	file := filepath.Join(b.dir, "list.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		return err
	}
	trivial := gateway{name: "trivial", command: []string{b.peer, "tools", "20"}}
	if err := b.compareStarts("start to initialize, 50 stored", "≤ 2.0", weir, trivial, startToInitialize); err != nil {
		return err
	}
	same := gateway{name: "file", command: []string{b.peer, "file", file}}
	if err := b.compareStarts("start to tools/list, 1,000 stored", "≤ 1.5", weir, same, startToList); err != nil {
		return err
	}
	return restingMemory(weir)
}

// store lets weir list all its servers and keep what they say. It returns the
// result of a start after that.
func (b *bench) store(weir gateway, tools int) ([]byte, error) {
	var result []byte
	for range 2 {
		d, err := start(weir.command, weir.env)
		if err != nil {
			return nil, err
		}
		line, err := d.request("tools/list", "{}")
		if err == nil {
			_, result, _ = bytes.Cut(line, []byte(`"result":`))
			result = bytes.Clone(bytes.TrimSuffix(result, []byte("}")))
		}
		d.stop()
		if err != nil {
			return nil, err
		}
	}
	if got := bytes.Count(result, []byte(`"name":"s`)); got != tools {
		return nil, fmt.Errorf("tools stored: got %d, want %d", got, tools)
	}
	return result, nil
}

func (b *bench) compareStarts(figure, budget string, weir, reference gateway, once func(gateway) (float64, error)) error {
	subjects := []subject{
		{reference.name, func() (float64, error) { return once(reference) }},
		{weir.name, func() (float64, error) { return once(weir) }},
		{reference.name, func() (float64, error) { return once(reference) }},
	}
	medians, apart, err := steady(b.tries, b.effort.starts, subjects)
	if err != nil {
		return err
	}
	row(figure, weir.name, medians[1], (medians[0]+medians[2])/2, "ms", budget, apart)
	return nil
}

func startToInitialize(g gateway) (float64, error) {
	begin := time.Now()
	d, err := start(g.command, g.env)
	if err != nil {
		return 0, err
	}
	elapsed := time.Since(begin)
	d.stop()
	return elapsed.Seconds() * 1000, nil
}

func startToList(g gateway) (float64, error) {
	begin := time.Now()
	d, err := start(g.command, g.env)
	if err != nil {
		return 0, err
	}
	_, err = d.request("tools/list", "{}")
	elapsed := time.Since(begin)
	d.stop()
	return elapsed.Seconds() * 1000, err
}

func restingMemory(weir gateway) error {
	d, err := start(weir.command, weir.env)
	if err != nil {
		return err
	}
	defer d.stop()
	if _, err := d.request("tools/list", "{}"); err != nil {
		return err
	}
	resident, err := d.memory("VmRSS")
	if err != nil {
		return err
	}
	row("memory, 1,000 stored, no server started", weir.name, resident/1e6, 25, "MB", "≤ 1.0", 0)
	return nil
}

func (b *bench) headOfLine() error {
	const figure = "echo while 256 calls wait"
	if !b.wants(figure) {
		return nil
	}
	weir, err := b.weirOver(2, 4)
	if err != nil {
		return err
	}
	all, err := b.startAll([]gateway{weir})
	if err != nil {
		return err
	}
	defer stopAll(all)
	r := all[0]
	idle := func() (float64, error) { return b.echoes(r) }
	medians, apart, err := steady(b.tries, b.rounds, []subject{
		{"idle", idle},
		{"same", func() (float64, error) { return b.echoesWhile(r, "s0__") }},
		{"other", func() (float64, error) { return b.echoesWhile(r, "s1__") }},
		{"idle", idle},
	})
	if err != nil {
		return err
	}
	reference := (medians[0] + medians[3]) / 2
	row(figure+" in the same server", r.name, medians[1], reference, "µs", "≤ 1.3", apart)
	row(figure+" in another", r.name, medians[2], reference, "µs", "≤ 1.3", apart)
	return nil
}

// echoes is the time of one call, in microseconds.
func (b *bench) echoes(r *running) (float64, error) {
	n := b.effort.calls / 4
	begin := time.Now()
	for range n {
		if err := r.call("s0__echo", echoArguments); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(begin).Microseconds()) / float64(n), nil
}

// echoesWhile is the same while calls of another tool wait.
func (b *bench) echoesWhile(r *running, prefix string) (float64, error) {
	const held = 256
	for range held {
		r.put("tools/call", `{"name":"`+prefix+`hold","arguments":{}}`)
	}
	if err := r.flush(); err != nil {
		return 0, err
	}
	elapsed, err := b.echoes(r)
	if err != nil {
		return 0, err
	}
	r.put("tools/call", `{"name":"`+prefix+`release","arguments":{}}`)
	if err := r.flush(); err != nil {
		return 0, err
	}
	for range held + 1 {
		if _, err := r.line(); err != nil {
			return 0, err
		}
	}
	return elapsed, nil
}

func (b *bench) growth() error {
	const figure = "echo as weir grows"
	if !b.wants(figure) {
		return nil
	}
	sizes := []struct{ servers, tools int }{{1, 10}, {100, 10}, {1, 5000}, {1, 10}}
	var gateways []gateway
	for _, size := range sizes {
		g, err := b.weirOver(size.servers, size.tools)
		if err != nil {
			return err
		}
		gateways = append(gateways, g)
	}
	all, err := b.startAll(gateways)
	if err != nil {
		return err
	}
	defer stopAll(all)
	subjects := make([]subject, len(all))
	for i, r := range all {
		subjects[i] = subject{r.name, func() (float64, error) { return b.echoes(r) }}
	}
	medians, apart, err := steady(b.tries, b.rounds, subjects)
	if err != nil {
		return err
	}
	reference := (medians[0] + medians[3]) / 2
	row(figure+" to 100 servers", "weir", medians[1], reference, "µs", "≤ 1.1", apart)
	row(figure+" to 5,000 tools", "weir", medians[2], reference, "µs", "≤ 1.1", apart)
	return nil
}

func (b *bench) size() error {
	const figure = "binary, stripped"
	if !b.wants(figure) {
		return nil
	}
	info, err := os.Stat(b.weir)
	if err != nil {
		return err
	}
	row(figure, "weir", float64(info.Size())/1e6, 30, "MB", "≤ 1.0", 0)
	return nil
}
