package upstream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// This file lets a server alone that cannot be reached. After each failure the
// next try must wait, and calls fail at once meanwhile. When it may be made, the
// calls that come wait for its outcome together; but where so many tries have
// failed in a row that little is to be hoped for, one call alone does. That is
// what else is called an open breaker, and its probe.

// The pauses between tries to connect: doubling from the first to the last,
// each longer by up to a quarter at random.
const (
	firstPause = time.Second
	lastPause  = 5 * time.Minute
)

// breakerFailures in a row open the breaker.
const breakerFailures = 5

// pauseAfter is how long to wait after so many failures in a row.
func pauseAfter(failures int) time.Duration {
	const longest = lastPause / 5 * 4
	pause := min(firstPause<<min(failures-1, 20), longest)
	return pause + rand.N(pause/4)
}

// IsOpen reports whether the breaker is open: of the calls that come, one at most
// waits for a connection, and all others fail at once.
func (s Status) IsOpen() bool {
	return s.Failures >= breakerFailures && (s.State == Backoff || s.State == Connecting)
}

// isProbed reports whether the breaker is open and a try is being made, or about to
// be. The caller holds u.mu.
func (u *Upstream) isProbed() bool { return u.wanted && u.statusNow().IsOpen() }

// letAlone is why a call fails at once: there may be no other try for a while. The
// caller holds u.mu.
func (u *Upstream) letAlone(wait time.Duration) error {
	return u.dated(delayed(u.status.Reason, wait, u.inARow()+"Nothing was sent."))
}

// probed is why a call fails at once: another one is tried first. The caller holds
// u.mu.
func (u *Upstream) probed() error {
	return u.dated(delayed(u.status.Reason, firstPause, u.inARow()+"Nothing was sent. Another try is being made right now."))
}

// inARow is a sentence on an open breaker.
func (u *Upstream) inARow() string {
	if u.failures < breakerFailures {
		return ""
	}
	return fmt.Sprintf("That makes %d failures in a row. ", u.failures)
}

// delayed is the last failure again, for a call that is not to be tried: nothing
// of it was sent.
func delayed(reason error, wait time.Duration, hint string) error {
	failure, ok := errors.AsType[Failure](reason)
	if !ok {
		return reason
	}
	f := *failure.Detail()
	f.Retryable, f.MaybeExecuted, f.RetryAfter, f.Hint = true, false, wait, hint
	return withFault(failure, &f)
}
