package main

import (
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"
)

//go:embed baseline.txt
var baselineText string

// A baseline is the differences that are expected.
type baseline []*expectation

// An expectation is one line of baseline.txt.
type expectation struct {
	line                 int
	kind                 kind
	leg, scenario, check string // patterns, as of path.Match
	reason               string
	met                  bool
}

// A kind is what is expected.
type kind string

const (
	differs   kind = "differs"
	mayDiffer kind = "may-differ"
	retry     kind = "retry" // no difference, at the third time at the latest
)

// retries is how often a scenario is run again, at most.
const retries = 2

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
		if !found || len(words) != 4 || !slices.Contains([]kind{differs, mayDiffer, retry}, kind(words[0])) {
			return nil, fmt.Errorf("baseline.txt:%d: want: %s|%s|%s LEG SCENARIO CHECK: REASON", number, differs, mayDiffer, retry)
		}
		for _, pattern := range words[1:] {
			if _, err := path.Match(pattern, ""); err != nil {
				return nil, fmt.Errorf("baseline.txt:%d: %q: %w", number, pattern, err)
			}
		}
		b = append(b, &expectation{
			line: number, kind: kind(words[0]), leg: words[1], scenario: words[2], check: words[3], reason: reason,
		})
	}
	return b, nil
}

// find returns the first expectation of a difference, or nil.
func (b baseline) find(r row, check string) *expectation {
	for _, e := range b {
		if e.kind != retry && e.covers(r, check) {
			return e
		}
	}
	return nil
}

// wantsRetry reports whether a scenario is to be run again: some difference of
// its is not expected, and may come from a busy machine.
func (b baseline) wantsRetry(r row) bool {
	for _, d := range r.differences {
		mayPass := slices.ContainsFunc(b, func(e *expectation) bool { return e.kind == retry && e.covers(r, d.check) })
		if mayPass && b.find(r, d.check) == nil {
			return true
		}
	}
	return false
}

func (e *expectation) covers(r row, check string) bool {
	return e.isOf(r) && matches(e.check, check)
}

func (e *expectation) isOf(r row) bool {
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
		if e.kind == differs && !e.met && slices.ContainsFunc(rows, e.isOf) {
			found = append(found, e)
		}
	}
	return found
}
