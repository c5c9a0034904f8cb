package main

import (
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		samples []float64
		want    float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 2, 9}, 3},
	}
	for _, test := range tests {
		if got := median(test.samples); got != test.want {
			t.Errorf("median(%v): got %v, want %v", test.samples, got, test.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	thousand := make([]float64, 1000)
	for i := range thousand {
		thousand[i] = float64(i + 1)
	}
	tests := []struct {
		sorted  []float64
		percent float64
		want    float64
	}{
		{thousand, 0, 1},
		{thousand, 50, 500},
		{thousand, 99, 990},
		{thousand, 99.9, 999},
		{thousand, 100, 1000},
		{[]float64{3, 5}, 99.9, 5},
		{[]float64{3}, 50, 3},
	}
	for _, test := range tests {
		if got := quantile(test.sorted, test.percent); got != test.want {
			t.Errorf("quantile of %d at %v: got %v, want %v", len(test.sorted), test.percent, got, test.want)
		}
	}
}

func TestBudget(t *testing.T) {
	tests := []struct {
		budget budget
		ratio  float64
		want   bool
	}{
		{atMost(1.15), 1.15, true},
		{atMost(1.15), 1.16, false},
		{atLeast(0.85), 0.85, true},
		{atLeast(0.85), 0.84, false},
		{atMost(1.15), math.NaN(), false},
		{atLeast(0.85), math.NaN(), false},
		{budget{}, 9, true},
	}
	for _, test := range tests {
		if got := test.budget.met(test.ratio); got != test.want {
			t.Errorf("%v by %v: got %v, want %v", test.budget, test.ratio, got, test.want)
		}
	}
}

func TestIDOf(t *testing.T) {
	long := strings.Repeat("x", 100)
	tests := []struct {
		line string
		want int
		ok   bool
	}{
		{`{"jsonrpc":"2.0","id":17,"result":{"id":3}}`, 17, true},
		{`{"jsonrpc":"2.0","result":{"text":"` + long + `"},"id":5}`, 5, true},
		{`{"jsonrpc":"2.0","method":"` + long + `"}`, 0, false},
		{`{"jsonrpc":"2.0","id":"s","result":{}}`, 0, false},
	}
	for _, test := range tests {
		if got, ok := idOf([]byte(test.line)); got != test.want || ok != test.ok {
			t.Errorf("idOf(%.40s): got %d %v, want %d %v", test.line, got, ok, test.want, test.ok)
		}
	}
}

// TestLines: of whatever length they are, and however they arrive.
func TestLines(t *testing.T) {
	fromGateway, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var writing sync.WaitGroup
	defer writing.Wait()
	defer fromGateway.Close()
	var want []string
	for i := range 400 {
		want = append(want, strings.Repeat(string(rune('a'+i%26)), i*i%97))
	}
	writing.Go(func() {
		defer out.Close()
		for text := strings.Join(want, "\n") + "\n"; text != ""; {
			n := min(len(text), 1+len(text)%61)
			_, _ = out.WriteString(text[:n])
			text = text[n:]
		}
	})
	d := &driver{stdout: fromGateway, buf: make([]byte, 8)}
	for i, want := range want {
		line, err := d.line()
		if err != nil || string(line) != want {
			t.Fatalf("line %d: got %q, %v, want %q", i, line, err, want)
		}
	}
	if _, err := d.line(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: got %v, want EOF", err)
	}
	if len(d.buf) > 512 {
		t.Errorf("buffer for lines of 96 bytes: got %d bytes", len(d.buf))
	}
}

func TestSteadyGoesOnUntilTheReferenceAgreesWithItself(t *testing.T) {
	last := []float64{200, 150, 102, 100}
	n := 0
	got, apart, err := steady(4, 1, []subject{
		{name: "first", once: func() ([]float64, error) { return []float64{100, 1}, nil }},
		{name: "measured", once: func() ([]float64, error) { return []float64{7, float64(n)}, nil }},
		{name: "last", once: func() ([]float64, error) { n++; return []float64{last[n-1], 9}, nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n != 3 || got[1][0][0] != 7 || got[1][1][0] != 2 || math.Abs(apart-0.0196) > 0.001 {
		t.Errorf("got %d runs, %v, %v apart, want 3 runs, 7 and 2 measured, 0.0196 apart", n, got, apart)
	}
}

func TestRoundsKeepEachSample(t *testing.T) {
	n := 0.0
	count := func() ([]float64, error) { n++; return []float64{n, -n}, nil }
	got, err := rounds(2, []subject{{name: "a", once: count}, {name: "b", once: count}})
	if err != nil {
		t.Fatal(err)
	}
	// The second round begins with the second subject.
	if a, b := got[0], got[1]; a[0][0] != 1 || a[0][1] != 4 || a[1][1] != -4 || b[0][0] != 2 || b[0][1] != 3 {
		t.Errorf("got %v", got)
	}
}

func TestSlowSubjectsAreMeasuredNowAndThen(t *testing.T) {
	once := func() ([]float64, error) { return []float64{1}, nil }
	for n, want := range map[int]int{1: 1, 3: 1, 4: 2, 9: 3} {
		got, err := rounds(n, []subject{{name: "a", once: once}, {name: "slow", slow: true, once: once}, {name: "b", once: once}})
		if err != nil {
			t.Fatal(err)
		}
		if len(got[1][0]) != want || len(got[0][0]) != n || len(got[2][0]) != n {
			t.Errorf("%d rounds: got %d samples of what is slow, %d of others, want %d", n, len(got[1][0]), len(got[0][0]), want)
		}
	}
}

func TestRoundsSaysWhoFailed(t *testing.T) {
	_, err := rounds(1, []subject{{name: "gw", once: func() ([]float64, error) { return nil, errors.New("gone") }}})
	if err == nil || err.Error() != "gw: gone" {
		t.Errorf("got %v, want gw: gone", err)
	}
}
