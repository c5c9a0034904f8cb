package main

import (
	"fmt"
	"math"
	"slices"
)

// A subject is one thing that is measured beside others: each call of once
// gives one sample.
type subject struct {
	name string
	once func() (float64, error)
}

// median returns 0 of nothing.
func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// rounds measures all subjects in turn, again and again, so that what happens
// to the machine meanwhile happens to all of them, and returns their medians.
// The order is turned about with each round.
func rounds(n int, subjects []subject) ([]float64, error) {
	samples := make([][]float64, len(subjects))
	for round := range n {
		for i := range subjects {
			i = (i + round) % len(subjects)
			sample, err := subjects[i].once()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", subjects[i].name, err)
			}
			samples[i] = append(samples[i], sample)
		}
	}
	medians := make([]float64, len(subjects))
	for i := range samples {
		medians[i] = median(samples[i])
	}
	return medians, nil
}

// tolerance is how far the floor may be from itself in a run that counts.
const tolerance = 0.05

// steady runs rounds whose first and last subject are the same thing until
// those two agree, tries times at most. It returns how far apart they were in
// the run that it returns: the calmest.
func steady(tries, n int, subjects []subject) (medians []float64, apart float64, err error) {
	apart = math.Inf(1)
	for range tries {
		got, err := rounds(n, subjects)
		if err != nil {
			return nil, 0, err
		}
		if off := math.Abs(got[0]/got[len(got)-1] - 1); off < apart {
			medians, apart = got, off
		}
		if apart <= tolerance {
			break
		}
	}
	return medians, apart, nil
}
