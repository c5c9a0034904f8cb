package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	budgeted       = 50 // servers of which the budgets of a start speak
	toolsPerServer = 20
)

// starts are of a weir that has the lists of its servers stored.
func (b *bench) starts() error {
	for _, servers := range b.stored {
		figure := fmt.Sprintf("start, %d servers × %d tools stored", servers, toolsPerServer)
		if !b.wants(figure) {
			continue
		}
		if err := b.startsOf(servers); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) startsOf(servers int) error {
	var weirs []gateway
	var list []byte
	for _, w := range b.weirs {
		g, err := b.weirOver(w, servers, toolsPerServer)
		if err != nil {
			return err
		}
		if list, err = b.store(g, servers*toolsPerServer); err != nil {
			return err
		}
		weirs = append(weirs, g)
	}
	if err := b.startsToInitialize(servers, weirs); err != nil {
		return err
	}
	if err := b.startsToList(servers, weirs, list); err != nil {
		return err
	}
	if servers != budgeted {
		return nil
	}
	return b.restingMemory(weirs)
}

// startsToInitialize has two references: a server as its author writes it, to
// which the budget is, and one that links next to nothing.
func (b *bench) startsToInitialize(servers int, weirs []gateway) error {
	written := gateway{name: "mcp-go", command: []string{b.sdk, "tools", fmt.Sprint(toolsPerServer)}}
	bare := gateway{name: "bare", command: []string{b.peer, "tools", fmt.Sprint(toolsPerServer)}}
	what := measure{
		figure: fmt.Sprintf("start to initialize, %d stored", servers),
		family: "StartToInitialize", param: "servers", at: servers,
		unit: starting, detail: servers != budgeted,
	}
	compared := append([]gateway{written}, weirs...)
	subjects := b.startSubjects(append(compared, bare, written), startToInitialize)
	r, apart, err := steady(b.tries, b.effort.starts, subjects)
	if err != nil {
		return err
	}
	f, beside := finding{measure: what, apart: apart}, finding{measure: what, apart: apart}
	beside.figure += ", over a bare server"
	f.reference = series{of: written.name, samples: append(r[0][0], r[len(r)-1][0]...)}
	beside.reference = series{of: bare.name, samples: r[len(r)-2][0]}
	for i, weir := range weirs {
		found := series{of: weir.name, samples: r[i+1][0]}
		f.found, beside.found = append(f.found, found), append(beside.found, found)
	}
	if servers == budgeted {
		f.budget = atMost(2)
	}
	b.report(f)
	b.report(beside)
	return nil
}

// startsToList are beside a server that sends the same bytes from a file.
func (b *bench) startsToList(servers int, weirs []gateway, list []byte) error {
	file := filepath.Join(b.dir, "list.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		return err
	}
	what := measure{
		figure: fmt.Sprintf("start to tools/list, %s stored", amount(float64(servers*toolsPerServer))),
		family: "StartToList", param: "servers", at: servers,
		unit: starting, detail: servers != budgeted,
	}
	if servers == budgeted {
		what.budget = atMost(1.5)
	}
	same := gateway{name: "file", command: []string{b.peer, "file", file}}
	compared := append([]gateway{same}, weirs...)
	return b.compareSubjects([]measure{what}, b.effort.starts, b.startSubjects(append(compared, same), startToList))
}

// recording is how long a weir must run so that it has recorded what its next start
// answers: it waits until nothing has changed for a while. A host runs for longer.
const recording = 5 * time.Second

// store lets weir list all its servers and keep what they say, and then what a start
// answers. It returns the result of a start after that.
func (b *bench) store(weir gateway, tools int) ([]byte, error) {
	var result []byte
	for try := range 2 {
		d, err := start(weir)
		if err != nil {
			return nil, err
		}
		line, err := d.list()
		if err == nil {
			_, result, _ = bytes.Cut(line, []byte(`"result":`))
			result = bytes.Clone(bytes.TrimSuffix(result, []byte("}")))
		}
		if try == 1 { // the first one stores
			<-time.After(recording)
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

func (b *bench) startSubjects(gateways []gateway, once func(gateway) (time.Duration, error)) []subject {
	var subjects []subject
	for _, g := range gateways {
		subjects = append(subjects, subject{name: g.name, once: func() ([]float64, error) {
			elapsed, err := once(g)
			return []float64{elapsed.Seconds()}, err
		}})
	}
	return subjects
}

func startToInitialize(g gateway) (time.Duration, error) {
	begin := time.Now()
	d, err := start(g)
	if err != nil {
		return 0, err
	}
	elapsed := time.Since(begin)
	d.stop()
	return elapsed, nil
}

func startToList(g gateway) (time.Duration, error) {
	begin := time.Now()
	d, err := start(g)
	if err != nil {
		return 0, err
	}
	_, err = d.list()
	elapsed := time.Since(begin)
	d.stop()
	return elapsed, err
}
