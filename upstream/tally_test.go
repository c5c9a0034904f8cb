package upstream

import (
	"errors"
	"testing"
)

// TestTally: what weir ends by itself is not lost.
func TestTally(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		from, to Status
		want     Tally
	}{
		{Status{State: Idle}, Status{State: Connecting}, Tally{}},
		{Status{State: Connecting}, Status{State: Ready}, Tally{Made: 1}},
		{Status{State: Ready}, Status{State: Idle, Reason: broken}, Tally{Lost: 1}},
		{Status{State: Ready}, Status{State: NeedsLogin, Reason: broken}, Tally{Lost: 1}},
		{Status{State: Ready}, Status{State: Idle}, Tally{}},
		{Status{State: Ready}, Status{State: Closed, Reason: broken}, Tally{}},
		{Status{State: Idle, Reason: broken}, Status{State: Backoff, Reason: broken}, Tally{}},
		{Status{State: Connecting}, Status{State: Backoff, Reason: broken}, Tally{Failed: 1}},
		{Status{State: Connecting}, Status{State: NeedsLogin, Reason: broken}, Tally{Failed: 1}},
		{Status{State: Connecting}, Status{State: Failed, Reason: broken}, Tally{Failed: 1}},
		{Status{State: Connecting}, Status{State: Closed}, Tally{}},
	} {
		var got Tally
		if got.count(tt.from, tt.to); got != tt.want {
			t.Errorf("from %s to %s: got %+v, want %+v", tt.from.State, tt.to.State, got, tt.want)
		}
	}
}
