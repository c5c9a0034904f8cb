package main

import (
	"fmt"
	"strings"
	"time"
)

// A wire is a way to a server.
type wire struct {
	name   string // in words
	slug   string // in the names of benchmarks, and of folders
	modern bool   // the era of the host, and of a server that speaks one only
	server string // as weir's configuration has it
	dial   func() (caller, error)
}

// wiresTo are networks, at the server at base, and a child, to have something
// beside those.
func (b *bench) wiresTo(base string) []wire {
	over := func(name, slug, transport string, modern bool, dial dialer) wire {
		url := base + "/" + slug
		if transport == "websocket" {
			url = "ws" + strings.TrimPrefix(url, "http")
		}
		return wire{
			name: name, slug: slug, modern: modern,
			server: fmt.Sprintf("{url: %q, transport: %s}", url, transport),
			dial:   func() (caller, error) { return dial(url) },
		}
	}
	return []wire{
		{
			name: "stdio", slug: "stdio", server: fmt.Sprintf("{command: %q, args: [tools, %q]}", b.peer, "4"),
			dial: func() (caller, error) {
				return startWarm(gateway{name: "direct", command: []string{b.peer, "tools", "4"}})
			},
		},
		over("HTTP "+legacyRevision, legacyRevision, "http", false, dialLegacy),
		over("HTTP "+modernRevision, modernRevision, "http", true, dialModern),
		over("HTTP+SSE", "sse", "sse", false, dialStream),
		over("WebSocket", "ws", "websocket", false, dialFrames),
	}
}

// overWires is what weir adds for a host that could speak to the server itself.
func (b *bench) overWires() error {
	if !b.wantsAnyWire() {
		return nil
	}
	s, err := startWeb(b.web)
	if err != nil {
		return err
	}
	defer s.stop()
	for _, w := range b.wiresTo(s.url) {
		if err := b.overWire(w); err != nil {
			return fmt.Errorf("over %s: %w", w.name, err)
		}
	}
	return nil
}

var wireInFlight = []int{1, 64}

func (w wire) figure(inFlight int) string {
	return fmt.Sprintf("echo over %s, %d in flight", w.name, inFlight)
}

func (b *bench) wantsWire(w wire) bool {
	for _, inFlight := range wireInFlight {
		if b.wants(w.figure(inFlight)) {
			return true
		}
	}
	return false
}

func (b *bench) wantsAnyWire() bool {
	for _, w := range b.wiresTo("") {
		if b.wantsWire(w) {
			return true
		}
	}
	return false
}

func (b *bench) overWire(w wire) error {
	if !b.wantsWire(w) {
		return nil
	}
	callers, names, err := b.lineUpOver(w)
	if err != nil {
		return err
	}
	defer func() {
		for _, c := range callers {
			c.stop()
		}
	}()
	for _, inFlight := range wireInFlight {
		what := measure{
			figure: w.figure(inFlight), family: "EchoOver/wire=" + w.slug, param: "inflight", at: inFlight, unit: perCall,
		}
		n := b.effort.calls / 16 // they take long
		if inFlight > 1 {
			what.unit, n = callRate, 2*n
		}
		if !b.wants(what.figure) {
			continue
		}
		subjects := make([]subject, len(callers))
		for i, c := range callers {
			subjects[i] = subject{name: names[i], once: func() ([]float64, error) { return echoed(c, n, inFlight, what.unit) }}
		}
		if err := b.compareSubjects([]measure{what}, b.rounds, subjects); err != nil {
			return err
		}
	}
	return nil
}

// echoed is one sample, in the unit.
func echoed(c caller, n, inFlight int, u unit) ([]float64, error) {
	begin := time.Now()
	if err := c.callEcho(n, inFlight); err != nil {
		return nil, err
	}
	each := time.Since(begin).Seconds() / float64(n)
	if u == callRate {
		each = 1 / each
	}
	return []float64{each}, nil
}

// lineUpOver dials the server, starts the weirs before it, and dials it again.
func (b *bench) lineUpOver(w wire) (callers []caller, names []string, err error) {
	defer func() {
		if err != nil {
			for _, c := range callers {
				c.stop()
			}
		}
	}()
	direct := func() error {
		c, err := w.dial()
		if err != nil {
			return err
		}
		callers, names = append(callers, c), append(names, "direct")
		return c.callEcho(200, 64) // not measured
	}
	if err := direct(); err != nil {
		return callers, nil, err
	}
	for _, p := range b.weirs {
		g, err := b.weirWith(p, "over-"+w.slug, "  s0: "+w.server+"\n")
		if err != nil {
			return callers, nil, err
		}
		g.modern = w.modern
		c, err := startWarm(g)
		if err != nil {
			return callers, nil, err
		}
		callers, names = append(callers, c), append(names, p.name)
	}
	return callers, names, direct()
}
