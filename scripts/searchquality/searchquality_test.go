package main

import (
	"strings"
	"testing"
)

// TestQuality: what was reached is not lost unnoticed.
func TestQuality(t *testing.T) {
	c, err := readCollection()
	if err != nil {
		t.Fatal(err)
	}
	requests, err := readRequests(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(requests) < 200 || len(c.names) < 500 {
		t.Errorf("got %d requests over %d definitions, want 200 over 500", len(requests), len(c.names))
	}
	r := c.ask(requests)
	for within, least := range map[int]float64{1: 0.44, 5: 0.70, 10: 0.79} {
		if got := r.rate(within); got < least {
			t.Errorf("found among the first %d: got %.3f, want %.2f", within, got, least)
		}
	}
}

func TestOutput(t *testing.T) {
	var out strings.Builder
	if err := run(&out, true); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "200 requests, 509 definitions of 24 servers\n") || !strings.Contains(out.String(), ": want ") {
		t.Errorf("got %.300s", out.String())
	}
}
