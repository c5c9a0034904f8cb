package main

import (
	"errors"
	"math"
	"strings"
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

func TestSteadyGoesOnUntilTheReferenceAgreesWithItself(t *testing.T) {
	last := []float64{200, 150, 102, 100}
	run := 0
	medians, apart, err := steady(4, 1, []subject{
		{"first", func() (float64, error) { return 100, nil }},
		{"measured", func() (float64, error) { return 7, nil }},
		{"last", func() (float64, error) { run++; return last[run-1], nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	if run != 3 || medians[1] != 7 || math.Abs(apart-0.0196) > 0.001 {
		t.Errorf("got %d runs, %v, %v apart, want 3 runs, 7 measured, 0.0196 apart", run, medians, apart)
	}
}

func TestRoundsSaysWhoFailed(t *testing.T) {
	_, err := rounds(1, []subject{{"gw", func() (float64, error) { return 0, errors.New("gone") }}})
	if err == nil || err.Error() != "gw: gone" {
		t.Errorf("got %v, want gw: gone", err)
	}
}
