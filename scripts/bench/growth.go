package main

import (
	"fmt"
	"time"
)

// headOfLine is what a call costs while others wait.
func (b *bench) headOfLine() error {
	const figure = "echo while 256 calls wait"
	if !b.wants(figure) {
		return nil
	}
	for _, w := range b.weirs {
		g, err := b.weirOver(w, 2, 4)
		if err != nil {
			return err
		}
		if err := b.headOfLineIn(figure, g); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) headOfLineIn(figure string, weir gateway) error {
	all, err := b.startAll([]gateway{weir})
	if err != nil {
		return err
	}
	defer stopAll(all)
	r := all[0]
	idle := func() ([]float64, error) { return b.echoes(r) }
	samples, apart, err := steady(b.tries, b.rounds, []subject{
		{name: "idle", once: idle},
		{name: "same", once: func() ([]float64, error) { return b.echoesWhile(r, "s0__") }},
		{name: "other", once: func() ([]float64, error) { return b.echoesWhile(r, "s1__") }},
		{name: "idle", once: idle},
	})
	if err != nil {
		return err
	}
	f := finding{
		measure:   measure{family: "EchoWhile256Wait", unit: perCall, budget: atMost(1.3)},
		reference: series{of: r.name, point: "in=none", samples: append(samples[0][0], samples[3][0]...)},
		apart:     apart,
	}
	f.figure, f.found = figure+" in the same server", []series{{of: r.name, point: "in=same", samples: samples[1][0]}}
	b.report(f)
	f.figure, f.found = figure+" in another", []series{{of: r.name, point: "in=other", samples: samples[2][0]}}
	b.report(f)
	return nil
}

// echoes is the time of one call, in seconds.
func (b *bench) echoes(r *running) ([]float64, error) {
	n := b.effort.calls / 4
	params := r.echo()
	begin := time.Now()
	for range n {
		if err := r.call(params); err != nil {
			return nil, err
		}
	}
	return []float64{time.Since(begin).Seconds() / float64(n)}, nil
}

// echoesWhile is the same while calls of another tool wait.
func (b *bench) echoesWhile(r *running, prefix string) ([]float64, error) {
	const held = 256
	for range held {
		r.put("tools/call", toolCall(prefix+"hold", "{}", r.meta))
	}
	if err := r.flush(); err != nil {
		return nil, err
	}
	elapsed, err := b.echoes(r)
	if err != nil {
		return nil, err
	}
	r.put("tools/call", toolCall(prefix+"release", "{}", r.meta))
	if err := r.flush(); err != nil {
		return nil, err
	}
	for range held + 1 {
		if _, err := r.line(); err != nil {
			return nil, err
		}
	}
	return elapsed, nil
}

// The smallest weir in growth.
const (
	fewServers = 1
	fewTools   = 10 // of each server
)

// growth is what a call costs with more servers, and with more tools.
func (b *bench) growth() error {
	if !b.wants("echo as weir grows") {
		return nil
	}
	for _, w := range b.weirs {
		if err := b.growthOf(w); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) growthOf(w program) error {
	all, err := b.startSizes(w)
	if err != nil {
		return err
	}
	defer stopAll(all)
	subjects := make([]subject, len(all))
	for i, r := range all {
		subjects[i] = subject{name: r.name, once: func() ([]float64, error) { return b.echoes(r) }}
	}
	samples, apart, err := steady(b.tries, b.rounds, subjects)
	if err != nil {
		return err
	}
	reference := append(samples[0][0], samples[len(samples)-1][0]...)
	report := func(param string, few int, sizes []int, samples run) {
		for i, size := range sizes {
			f := finding{
				measure:   measure{figure: fmt.Sprintf("echo as weir grows to %s %s", amount(float64(size)), param), family: "Echo", param: param, at: size, unit: perCall},
				reference: series{of: w.name, point: fmt.Sprintf("%s=%d", param, few), samples: reference},
				found:     []series{{of: w.name, samples: samples[i][0]}},
				apart:     apart,
			}
			if i == len(sizes)-1 {
				f.budget = atMost(1.1)
			} else {
				f.detail = true
			}
			b.report(f)
		}
	}
	report("servers", fewServers, b.servers, samples[1:])
	report("tools", fewTools, b.tools, samples[1+len(b.servers):])
	return nil
}

// startSizes starts the smallest, those of more servers, those of more tools,
// and the smallest again.
func (b *bench) startSizes(w program) ([]*running, error) {
	type size struct{ servers, tools int }
	sizes := []size{{fewServers, fewTools}}
	for _, servers := range b.servers {
		sizes = append(sizes, size{servers, fewTools})
	}
	for _, tools := range b.tools {
		sizes = append(sizes, size{fewServers, tools})
	}
	var gateways []gateway
	for _, s := range append(sizes, sizes[0]) {
		g, err := b.weirOver(w, s.servers, s.tools)
		if err != nil {
			return nil, err
		}
		gateways = append(gateways, g)
	}
	return b.startAll(gateways)
}
