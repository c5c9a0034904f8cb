package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writePlots draws what the findings are enough for.
func writePlots(dir string, findings []finding) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, c := range charts(findings) {
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), c.svg(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// charts leaves out those that have no curve of two points.
func charts(findings []finding) map[string]chart {
	all := map[string]chart{
		"latency": latencyChart(findings),
		"throughput": {
			title: "Calls per second, by how many are in flight",
			x:     axis{label: "calls in flight", log: true}, y: axis{label: "calls per second"},
			curves: curvesOf(findings, "Throughput", "inflight", callRate, ""),
		},
		"servers": {
			title: "One call, by how many servers weir has",
			x:     axis{label: "servers, of 10 tools each, all running", log: true}, y: axis{label: "µs"},
			curves: curvesOf(findings, "Echo", "servers", perCall, ""),
		},
		"tools": {
			title: "One call, by how many tools the server has",
			x:     axis{label: "tools", log: true}, y: axis{label: "µs"},
			curves: curvesOf(findings, "Echo", "tools", perCall, ""),
		},
		"start": {
			title: "A start of weir, by how many servers it has stored",
			x:     axis{label: "servers, of 20 tools each, none running", log: true}, y: axis{label: "ms"},
			curves: append(
				curvesOf(findings, "StartToInitialize", "servers", starting, " to initialize"),
				curvesOf(findings, "StartToList", "servers", starting, " to tools/list")...),
		},
	}
	for name, c := range all {
		if len(c.curves) == 0 || len(c.curves[0].points) < 2 {
			delete(all, name)
			continue
		}
		all[name] = c.fitted()
	}
	return all
}

// fitted gives the chart the ticks that it lacks: on the left as the values
// are, below at each point.
func (c chart) fitted() chart {
	most := 0.0
	for _, curve := range c.curves {
		for _, p := range curve.points {
			most = max(most, p.y)
			if !slices.ContainsFunc(c.x.ticks, func(t tick) bool { return t.at == p.x }) && c.x.log {
				c.x.ticks = append(c.x.ticks, tick{p.x, amount(p.x)})
			}
		}
	}
	slices.SortFunc(c.x.ticks, func(a, b tick) int { return int(math.Copysign(1, a.at-b.at)) })
	if c.y.ticks == nil {
		c.y = fromZero(c.y.label, most)
	}
	return c
}

// curvesOf has a curve for each that was measured over a parameter, the
// reference first.
func curvesOf(findings []finding, family, param string, u unit, suffix string) []curve {
	var curves []curve
	add := func(name string, p point) {
		i := slices.IndexFunc(curves, func(c curve) bool { return c.name == name })
		if i < 0 {
			i = len(curves)
			curves = append(curves, curve{name: name})
		}
		if !slices.Contains(curves[i].points, p) {
			curves[i].points = append(curves[i].points, p)
		}
	}
	for i := range findings {
		f := &findings[i]
		if f.family != family || f.param != param || f.unit != u {
			continue
		}
		for _, s := range append([]series{f.reference}, f.found...) {
			if s.of != "" {
				add(s.of+suffix, point{float64(f.where(s)), median(s.samples) * u.scale})
			}
		}
	}
	return curves
}

// where is the value of the parameter at which a series was measured.
func (f *finding) where(s series) int {
	at := f.at
	if value, found := strings.CutPrefix(s.point, f.param+"="); found {
		_, _ = fmt.Sscan(value, &at)
	}
	return at
}

// latencyChart has the percentiles from left to right, each nine as wide as
// the one before.
func latencyChart(findings []finding) chart {
	c := chart{title: "How long a call takes, one at a time: so many percent of calls are no slower", x: axis{label: "percent of calls"}}
	least, most := math.Inf(1), 0.0
	for _, p := range percentiles {
		at := -math.Log10(1 - p.p/100)
		c.x.ticks = append(c.x.ticks, tick{at, fmt.Sprint(p.p)})
		for i, found := range curvesOf(findings, "Echo", "inflight", percentile(p.p), "") {
			if i == len(c.curves) {
				c.curves = append(c.curves, curve{name: found.name})
			}
			y := found.points[0].y
			c.curves[i].points = append(c.curves[i].points, point{at, y})
			least, most = min(least, y), max(most, y)
		}
	}
	if most > 0 {
		c.y = decades("µs", least, most)
	}
	return c
}
