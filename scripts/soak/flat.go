package main

import (
	"fmt"
	"slices"
)

// settled is the part of a run after which pools, caches and heaps have the size
// that they keep.
const settled = 8

// flat reports what has grown: the median of the last quarter over that of the
// first quarter after an eighth, in which weir finds its size.
func flat(samples []sample) error {
	if len(samples) < 2*settled {
		return nil
	}
	head := samples[len(samples)/settled:]
	first, last := head[:len(head)/4], head[len(head)-len(head)/4:]
	for _, figure := range figures {
		before, after := median(first, figure.of), median(last, figure.of)
		if limit := before*11/10 + figure.slack; after > limit {
			return fmt.Errorf("%s has grown from %d to %d, more than %d", figure.name, before, after, limit)
		}
	}
	return nil
}

// figures are what must not grow, each by more than a tenth and a slack.
var figures = []struct {
	name  string
	slack int64
	of    func(sample) int64
}{
	{"memory", 4 << 20, func(s sample) int64 { return s.memory }},
	{"open files", 10, func(s sample) int64 { return int64(s.files) }},
	{"threads", 6, func(s sample) int64 { return int64(s.threads) }},
	{"processes", 2, func(s sample) int64 { return int64(s.offspring) }},
}

func median(samples []sample, of func(sample) int64) int64 {
	values := make([]int64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
