package cli

import (
	"runtime/metrics"
	"testing"
	"testing/synctest"
	"time"
)

// percent is how far the heap may grow now.
func percent() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestSpareCollector(t *testing.T) {
	usual := percent()
	tests := []struct {
		name    string
		environ []string
		live    time.Duration // from the start to the end of weir
		begun   uint64
		late    uint64 // before the end
	}{
		{"a weir that stays", nil, startTime, startPercent, usual},
		{"a weir that ends at once", nil, startTime - 1, startPercent, startPercent},
		{"somebody knows better", []string{"GOGC=50"}, startTime, usual, usual},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &app{Process: Process{Environ: test.environ}}
				end := a.spareCollector()
				begun := percent()
				<-time.After(test.live)
				synctest.Wait()
				late := percent()
				end()
				if begun != test.begun || late != test.late {
					t.Errorf("got %d %%, then %d %%, want %d, then %d", begun, late, test.begun, test.late)
				}
				if after := percent(); after != usual {
					t.Errorf("got %d %% in the end, want %d", after, usual)
				}
			})
		})
	}
}
