package watch

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestSettle: what happens in a burst is looked at once, and when.
func TestSettle(t *testing.T) {
	const ms = time.Millisecond
	every := func(step, until time.Duration) (at []time.Duration) {
		for d := time.Duration(0); d <= until; d += step {
			at = append(at, d)
		}
		return at
	}
	tests := []struct {
		name     string
		happens  []time.Duration
		halfDone int // so many looks find it so
		looks    []time.Duration
		sure     []bool
	}{
		{"once", []time.Duration{0}, 0, []time.Duration{100 * ms}, []bool{false}},
		{"a burst", every(10*ms, 50*ms), 0, []time.Duration{150 * ms}, []bool{false}},
		{"twice", []time.Duration{0, 500 * ms}, 0, []time.Duration{100 * ms, 600 * ms}, []bool{false, false}},
		{"without end", every(50*ms, 1970*ms), 0, []time.Duration{1000 * ms, 2000 * ms}, []bool{false, false}},
		{"half done", []time.Duration{0}, 1, []time.Duration{100 * ms, 200 * ms}, []bool{false, true}},
		{"done meanwhile", []time.Duration{0, 150 * ms}, 1, []time.Duration{100 * ms, 250 * ms}, []bool{false, false}},
		{"never done", []time.Duration{0, 150 * ms}, 2, []time.Duration{100 * ms, 250 * ms, 350 * ms}, []bool{false, false, true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				happened := make(chan struct{}, 1)
				began := time.Now()
				var looks []time.Duration
				var sure []bool
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					Settle(ctx, happened, func(isSure bool) bool {
						looks, sure = append(looks, time.Since(began)), append(sure, isSure)
						return len(looks) <= tt.halfDone
					})
				}()
				for _, at := range tt.happens {
					<-time.After(at - time.Since(began))
					poke(happened)
				}
				<-time.After(time.Minute)
				cancel()
				<-ended
				if !slices.Equal(looks, tt.looks) || !slices.Equal(sure, tt.sure) {
					t.Errorf("got looks at %v, sure %v, want %v, %v", looks, sure, tt.looks, tt.sure)
				}
			})
		})
	}
}
