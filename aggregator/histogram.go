package aggregator

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// The buckets of a histogram are two for each power of two microseconds: what it
// says of a time is at most half too much.
const (
	buckets     = 2 * bucketPairs
	bucketPairs = 34 // the last one begins at 2 hours
)

// A histogram counts durations. It is safe for concurrent use, and noting one
// costs a few atomic additions. The zero histogram is empty.
type histogram struct {
	counts [buckets]atomic.Uint64
	sum    atomic.Int64 // nanoseconds
	max    atomic.Int64 // nanoseconds
}

func (h *histogram) note(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(d)].Add(1)
	h.sum.Add(int64(d))
	for {
		known := h.max.Load()
		if int64(d) <= known || h.max.CompareAndSwap(known, int64(d)) {
			return
		}
	}
}

// bucketOf is the bucket of a duration: the pair by its highest bit, the one of
// the pair by the bit below.
func bucketOf(d time.Duration) int {
	us := uint64(d / time.Microsecond)
	if us < 2 {
		return int(us)
	}
	high := bits.Len64(us) - 1
	return min(2*high+int(us>>(high-1)&1), buckets-1)
}

// bucketEnd is what all durations of a bucket, and of those before it, are less
// than. The last bucket has no end.
func bucketEnd(i int) time.Duration {
	if i < 2 {
		return time.Duration(i+1) * time.Microsecond
	}
	return time.Duration(uint64(3+i&1)<<(i/2-1)) * time.Microsecond
}

// Durations are how long requests took. It is a value of its own: nothing
// changes it.
type Durations struct {
	Count uint64
	Sum   time.Duration
	Max   time.Duration

	counts [buckets]uint64
}

// durations is what the histogram holds now.
func (h *histogram) durations() (d Durations) {
	for i := range h.counts {
		d.counts[i] = h.counts[i].Load()
		d.Count += d.counts[i]
	}
	d.Sum, d.Max = time.Duration(h.sum.Load()), time.Duration(h.max.Load())
	return d
}

// add counts the durations of another one too.
func (d *Durations) add(other *Durations) {
	for i := range d.counts {
		d.counts[i] += other.counts[i]
	}
	d.Count, d.Sum, d.Max = d.Count+other.Count, d.Sum+other.Sum, max(d.Max, other.Max)
}

// Quantile is the time within which the part q of the requests was answered, 0 to
// 1; half too much at most. 0 if there were none.
func (d *Durations) Quantile(q float64) time.Duration {
	if d.Count == 0 {
		return 0
	}
	wanted, seen := max(uint64(q*float64(d.Count)+0.999999), 1), uint64(0)
	for i, n := range d.counts {
		if seen += n; seen >= wanted && i < buckets-1 {
			return min(bucketEnd(i), d.Max)
		}
	}
	return d.Max
}

// The bounds that durations are told in: every power of two microseconds from
// about an eighth of a millisecond to about nine minutes.
const (
	firstBound = 7
	lastBound  = 29
)

// Bounds are the upper ends, exclusive, of the buckets that Counts tells; the last
// bucket has none.
func (*Durations) Bounds() []time.Duration {
	out := make([]time.Duration, 0, lastBound-firstBound+1)
	for k := firstBound; k <= lastBound; k++ {
		out = append(out, time.Microsecond<<k)
	}
	return out
}

// Counts are how many durations fell between two of the Bounds.
func (d *Durations) Counts() []uint64 {
	out := make([]uint64, lastBound-firstBound+2)
	for i, n := range d.counts {
		out[min(max(i/2-firstBound+1, 0), len(out)-1)] += n
	}
	return out
}
