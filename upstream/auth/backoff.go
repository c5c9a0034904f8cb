package auth

import "time"

// The least and the most that lies between two tries to get a token, after failures.
const (
	minBackoff = time.Second
	maxBackoff = 5 * time.Minute
)

// A backoff keeps weir from asking an authorization server again and again. The
// zero backoff lets the first try through. It is guarded by its owner.
type backoff struct {
	failures int
	until    time.Time
	last     *TokenError
}

// fail notes a failure that may pass, and returns it as requests see it.
func (b *backoff) fail(server string, now time.Time, err *endpointError) *TokenError {
	wait := min(minBackoff<<min(b.failures, 16), maxBackoff)
	wait = max(wait, err.retryAfter)
	b.failures++
	b.until = now.Add(wait)
	b.last = &TokenError{
		Server: server, Code: err.code, Status: err.status, RetryAfter: wait, Temporary: true, Err: err,
	}
	return b.last
}

// hold is the last failure again, if it is too early for another try; else nil.
func (b *backoff) hold(now time.Time) *TokenError {
	left := b.until.Sub(now)
	if left <= 0 || b.last == nil {
		return nil
	}
	again := *b.last
	again.RetryAfter = left
	return &again
}

func (b *backoff) reset() { *b = backoff{} }
