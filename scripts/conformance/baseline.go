package main

import (
	_ "embed"
	"fmt"
	"path"
	"strings"
)

//go:embed baseline.txt
var baselineText string

// A baseline is the differences that are expected.
type baseline []*expectation

// An expectation is one line of baseline.txt. Those of a scenario that comes out
// differently from run to run without weir may be missed.
type expectation struct {
	line                 int
	leg, scenario, check string // patterns, as of path.Match
	mayMiss              bool
	reason               string
	met                  bool
}

func readBaseline() (baseline, error) { return parseBaseline(baselineText) }

func parseBaseline(text string) (baseline, error) {
	var b baseline
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		what, reason, found := strings.Cut(line, ": ")
		words := strings.Fields(what)
		if !found || len(words) != 4 || words[0] != "differs" && words[0] != "may-differ" {
			return nil, fmt.Errorf("baseline.txt:%d: want: differs|may-differ LEG SCENARIO CHECK: REASON", number)
		}
		for _, pattern := range words[1:] {
			if _, err := path.Match(pattern, ""); err != nil {
				return nil, fmt.Errorf("baseline.txt:%d: %q: %w", number, pattern, err)
			}
		}
		b = append(b, &expectation{
			line: number, leg: words[1], scenario: words[2], check: words[3],
			mayMiss: words[0] == "may-differ", reason: reason,
		})
	}
	return b, nil
}

// find returns the first expectation of a difference and marks it met, or nil.
func (b baseline) find(r row, check string) *expectation {
	for _, e := range b {
		if e.covers(r) && matches(e.check, check) {
			e.met = true
			return e
		}
	}
	return nil
}

func (e *expectation) covers(r row) bool {
	return matches(e.leg, r.leg) && matches(e.scenario, r.scenario)
}

func matches(pattern, text string) bool {
	ok, err := path.Match(pattern, text)
	return ok && err == nil
}

// stale returns the expectations that were not met though a scenario of theirs
// has run.
func (b baseline) stale(rows []row) baseline {
	var found baseline
	for _, e := range b {
		if e.met || e.mayMiss {
			continue
		}
		for _, r := range rows {
			if e.covers(r) {
				found = append(found, e)
				break
			}
		}
	}
	return found
}
