package main

import (
	"fmt"
	"math"
)

// A subject is one thing that is measured beside others: each call of once
// gives one sample of each measure.
type subject struct {
	name    string
	foreign bool // for what reads the findings
	slow    bool // measured in one round of a few
	once    func() ([]float64, error)
}

// slowEvery is in which rounds slow subjects are measured: the first, and so on.
const slowEvery = 3

// A run is what was sampled of some subjects: of each, for each measure.
type run [][][]float64

// rounds measures all subjects in turn, again and again, so that what happens
// to the machine meanwhile happens to all of them. The order is turned about
// with each round.
func rounds(n int, subjects []subject) (run, error) {
	r := make(run, len(subjects))
	for round := range n {
		for i := range subjects {
			i = (i + round) % len(subjects)
			if subjects[i].slow && round%slowEvery != 0 {
				continue
			}
			samples, err := subjects[i].once()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", subjects[i].name, err)
			}
			if r[i] == nil {
				r[i] = make([][]float64, len(samples))
			}
			for m, sample := range samples {
				r[i][m] = append(r[i][m], sample)
			}
		}
	}
	return r, nil
}

// tolerance is how far the floor may be from itself in a run that counts.
const tolerance = 0.05

// steady runs rounds whose first and last subject are the same thing until
// those two agree in their first measure, tries times at most. It returns how
// far apart they were in the run that it returns: the calmest.
func steady(tries, n int, subjects []subject) (calmest run, apart float64, err error) {
	apart = math.Inf(1)
	for range tries {
		r, err := rounds(n, subjects)
		if err != nil {
			return nil, 0, err
		}
		off := math.Abs(median(r[0][0])/median(r[len(r)-1][0]) - 1)
		if off < apart || calmest == nil {
			calmest, apart = r, off
		}
		if apart <= tolerance {
			break
		}
	}
	return calmest, apart, nil
}
