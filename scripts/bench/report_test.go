package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// someFindings has one of each kind.
func someFindings() []finding {
	weir := func(samples ...float64) []series { return []series{{of: "weir", samples: samples}} }
	all := []finding{
		{
			measure:   measure{figure: "echo, time", family: "Echo", param: "inflight", at: 1, unit: perCall, budget: atMost(1.15)},
			reference: series{of: "floor", samples: []float64{50e-6, 52e-6}},
			found:     append(weir(55e-6, 56e-6), series{of: "weir@a/b", samples: []float64{60e-6, 61e-6}}),
		},
		{
			measure:   measure{figure: "echo, calls", family: "Throughput", param: "inflight", at: 64, unit: callRate, budget: atLeast(0.85)},
			reference: series{of: "floor", samples: []float64{200e3}},
			found:     weir(150e3), apart: 0.01,
		},
		{
			measure:   measure{figure: "echo, 2", family: "Throughput", param: "inflight", at: 2, unit: callRate, detail: true},
			reference: series{of: "floor", samples: []float64{40e3}},
			found:     weir(38e3),
		},
		{
			measure:   measure{figure: "results", family: "Result", param: "bytes", at: 10_000_000, unit: byteRate, budget: atLeast(0.6)},
			reference: series{of: "floor", samples: []float64{9e8}},
			found:     weir(8e8), apart: 0.2,
		},
		{
			measure:   measure{figure: "binary", family: "Binary", unit: memory, budget: atMost(1)},
			reference: constant(30e6), found: weir(18e6),
		},
		{
			measure:   measure{figure: "grows", family: "Echo", param: "servers", at: 100, unit: perCall, budget: atMost(1.1)},
			reference: series{of: "weir", point: "servers=1", samples: []float64{50e-6}},
			found:     weir(51e-6),
		},
		{
			measure:   measure{figure: "grows", family: "Echo", param: "servers", at: 10, unit: perCall, detail: true},
			reference: series{of: "weir", point: "servers=1", samples: []float64{50e-6}},
			found:     weir(50.5e-6),
		},
	}
	for _, p := range percentiles {
		all = append(all, finding{
			measure:   measure{figure: "echo, p", family: "Echo", param: "inflight", at: 1, unit: percentile(p.p), detail: p.detail},
			reference: series{of: "floor", samples: []float64{p.p * 1e-6}}, found: weir(p.p * 2e-6),
		})
	}
	return all
}

func written(t *testing.T, format string, findings []finding) string {
	t.Helper()
	var out bytes.Buffer
	w, err := newWriter(format, &out)
	if err != nil {
		t.Fatal(err)
	}
	w.head()
	for _, f := range findings {
		w.write(f)
	}
	return out.String()
}

// benchmarkLine is what golang.org/design/14313-benchmark-format calls a
// result line, and keyLine and unitLine are the other two that benchstat knows.
var (
	benchmarkLine = regexp.MustCompile(`^Benchmark[A-Z0-9]\S*\s+\d+(\s+\d[\d.e+-]* \S+)+$`)
	keyLine       = regexp.MustCompile(`^[a-z][^A-Z\s]*: \S.*$`)
	unitLine      = regexp.MustCompile(`^Unit \S+ better=(higher|lower)$`)
)

func TestBenchFormat(t *testing.T) {
	got := written(t, "bench", someFindings())
	count := map[string]int{}
	for line := range strings.Lines(got) {
		line = strings.TrimSuffix(line, "\n")
		if keyLine.MatchString(line) || unitLine.MatchString(line) {
			continue
		}
		if !benchmarkLine.MatchString(line) {
			t.Errorf("no line of the format: %q", line)
			continue
		}
		fields := strings.Fields(line)
		count[fields[0]+" "+fields[3]]++
	}
	want := map[string]int{
		"BenchmarkEcho/inflight=1/gateway=floor ns/op":         2,
		"BenchmarkEcho/inflight=1/gateway=weir ns/op":          2,
		"BenchmarkEcho/inflight=1/gateway=weir@a_b ns/op":      2,
		"BenchmarkEcho/inflight=1/gateway=weir p99.9-ns/op":    1,
		"BenchmarkThroughput/inflight=64/gateway=weir calls/s": 1,
		"BenchmarkResult/bytes=10000000/gateway=weir MB/s":     1,
		"BenchmarkBinary/gateway=weir bytes":                   1,
		"BenchmarkEcho/servers=1/gateway=weir ns/op":           1, // though two findings have it
		"BenchmarkEcho/servers=100/gateway=weir ns/op":         1,
		"BenchmarkThroughput/inflight=2/gateway=floor calls/s": 1,
	}
	for name, n := range want {
		if count[name] != n {
			t.Errorf("%s: got %d lines, want %d", name, count[name], n)
		}
	}
	if !strings.Contains(got, "BenchmarkEcho/inflight=1/gateway=weir\t1\t55000 ns/op\n") {
		t.Errorf("no 55 µs in\n%s", got)
	}
}

func TestJSONFormat(t *testing.T) {
	decoder := json.NewDecoder(strings.NewReader(written(t, "json", someFindings())))
	var all []record
	for {
		var r record
		err := decoder.Decode(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if want := 8 + len(percentiles); len(all) != want {
		t.Fatalf("got %d records, want %d", len(all), want)
	}
	echo, calls, results := all[0], all[2], all[4]
	if math.Abs(echo.Median-55500) > 1e-6 || math.Abs(echo.Reference-51000) > 1e-6 || !echo.Met || len(echo.Samples) != 2 {
		t.Errorf("echo: got %+v", echo)
	}
	if calls.Met || !calls.Counts || calls.Ratio != 0.75 || calls.Budget != "≥ 0.85" {
		t.Errorf("calls: got %+v", calls)
	}
	if results.Counts {
		t.Errorf("results: got %+v, want one that does not count", results)
	}
}

func TestTableFormat(t *testing.T) {
	got := written(t, "table", someFindings())
	for _, want := range []string{"echo, time", "weir@a/b", "55.5 µs", "≥ 0.85", "the reference is 20 % from itself"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "echo, 2") {
		t.Errorf("a detail in\n%s", got)
	}
}

func TestUnknownFormat(t *testing.T) {
	if _, err := newWriter("xml", io.Discard); err == nil {
		t.Error("got no error")
	}
}

func TestTrouble(t *testing.T) {
	var got []string
	for _, f := range someFindings() {
		if trouble := f.trouble(); trouble != "" {
			got = append(got, trouble)
		}
	}
	want := []string{"echo, calls: got 0.75, want ≥ 0.85", "results: the reference is 20 % from itself"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPlotsAreXML(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "plots")
	findings := someFindings()
	findings[1].found[0].of, findings[2].found[0].of = `a<b & "c"`, `a<b & "c"`
	if err := writePlots(dir, findings); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(file))
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := wellFormed(content); err != nil {
			t.Errorf("%s: %v\n%s", file, err, content)
		}
		if bytes.Contains(content, []byte("NaN")) || bytes.Contains(content, []byte("Inf")) {
			t.Errorf("%s: no number in\n%s", file, content)
		}
	}
	// There is but one start, and one number of tools.
	if want := []string{"latency.svg", "servers.svg", "throughput.svg"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func wellFormed(content []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(content))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func TestChartPlacesPoints(t *testing.T) {
	c := chart{
		x: axis{log: true, ticks: []tick{{1, "1"}, {100, "100"}}}, y: fromZero("µs", 47),
		curves: []curve{{name: "weir", points: []point{{1, 0}, {10, 25}, {100, 50}}}},
	}
	const middle = (left + width - right) / 2
	want := fmt.Sprintf(`points="%d.0,%d.0 %d.0,%d.0 %d.0,%d.0 "`, left, height-foot, middle, (top+height-foot)/2, width-right, top)
	if got := string(c.svg()); !strings.Contains(got, want) {
		t.Errorf("no %s in\n%s", want, got)
	}
}

func TestNamesOfCurvesHaveRoom(t *testing.T) {
	for n := 1; n <= len(colours); n++ {
		c := chart{curves: make([]curve, n)}
		const widest, highest = 120, 15
		for i := range n {
			x, y := c.nameAt(i)
			if x+widest > width || y < 22+highest || y > top {
				t.Errorf("%d of %d: got %v, %v, out of its room", i, n, x, y)
			}
			for j := range i {
				otherX, otherY := c.nameAt(j)
				if math.Abs(x-otherX) < widest && math.Abs(y-otherY) < highest {
					t.Errorf("%d and %d of %d: got one over the other", j, i, n)
				}
			}
		}
	}
}

func TestAxesHoldAllValues(t *testing.T) {
	for _, most := range []float64{0.3, 1, 9.9, 47, 1024, 123456} {
		for _, a := range []axis{fromZero("", most), decades("", most/30, most), decades("", most, most)} {
			low, high := a.ticks[0].at, a.ticks[len(a.ticks)-1].at
			if n := len(a.ticks); n < 2 || n > 12 || high < most || a.log && low > most {
				t.Errorf("up to %v: got %v", most, a.ticks)
			}
		}
	}
}

func TestAmount(t *testing.T) {
	for n, want := range map[float64]string{0: "0", 0.5: "0.5", 1000: "1,000", 1_050_000: "1,050,000", 123_456: "123,500", 999.96: "1000", 54.321: "54.32"} {
		if got := amount(n); got != want {
			t.Errorf("%v: got %s, want %s", n, got, want)
		}
	}
}

func TestPage(t *testing.T) {
	const page = "# Speed\n\n" + pageBegin + "old\n" + pageEnd + "more\n"
	got, err := withFigures(page, tables(someFindings()))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Speed\n\n" + pageBegin,
		"| echo, time | weir | 55.5 µs | 51 µs | 1.09 | ≤ 1.15 | yes |\n",
		"| echo, time | weir@a/b | 60.5 µs | 51 µs | 1.19 | ≤ 1.15 |  |\n",
		"| echo, calls | weir | 150,000 /s | 200,000 /s | 0.75 | ≥ 0.85 | **no** |\n",
		"| ≥ 0.6 | not known: the reference is 20 % from itself |\n",
		pageEnd + "more\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "old") || strings.Contains(got, "echo, 2") {
		t.Errorf("what was there before, or a detail, in\n%s", got)
	}
	again, err := withFigures(got, tables(someFindings()))
	if err != nil || again != got {
		t.Errorf("written again it is another: %v", err)
	}
	if _, err := withFigures("# Speed\n", ""); err == nil {
		t.Error("a page without marks: got no error")
	}
}

func TestPageShowsOtherGatewaysApart(t *testing.T) {
	findings := someFindings()
	if got := tables(findings); strings.Contains(got, "Beside other gateways") {
		t.Errorf("with none: got a table of them in\n%s", got)
	}
	other := series{of: "other", foreign: true, samples: []float64{150e-6}}
	findings[0].found = append(findings[0].found, other)
	findings[1].found = append(findings[1].found, series{of: "third", foreign: true, samples: []float64{20e3}})
	findings[2].found = append(findings[2].found, other) // a detail
	got := tables(findings)
	const want = "| figure | better is | weir | other | third |\n|---|---|---:|---:|---:|\n" +
		"| echo, time | less | 1.09 | 2.94 | |\n" +
		"| echo, calls | more | 0.75 | | 0.10 |\n"
	if !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant at its end\n%s", got, want)
	}
	if strings.Contains(got, "| echo, time | other |") {
		t.Errorf("a row of another gateway among weir's in\n%s", got)
	}
}

func TestRatioText(t *testing.T) {
	for ratio, want := range map[float64]string{0.0123: "0.012", 0.62: "0.62", 8.1: "8.10", 203.6: "204", 1234.5: "1,235"} {
		if got := ratioText(ratio); got != want {
			t.Errorf("%v: got %s, want %s", ratio, got, want)
		}
	}
}

func TestFewSamplesAreNotToBeBelieved(t *testing.T) {
	const warning = "none of these figures is to be believed"
	if !strings.Contains(conditions(quick), warning) {
		t.Error("a short run: got no warning")
	}
	if strings.Contains(conditions(thorough), warning) {
		t.Error("a thorough run: got a warning")
	}
}
