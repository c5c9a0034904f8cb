package catalog

import (
	"math"
	"time"
)

// pushedTTL is how long a list is called fresh that has no other limit than that
// its changes are announced.
const pushedTTL = 5 * time.Minute

// The values of "cacheScope" (2026-07-28, caching).
const (
	ScopePublic  = "public"
	ScopePrivate = "private"
)

// served is what the servers together say about their lists of one kind.
type served struct {
	missing bool      // a server has not told its list yet
	private bool      // a list is not for everybody
	stale   bool      // a list is never fresh
	pushed  bool      // a list is fresh until a change of it is announced
	until   time.Time // until when the lists are fresh that say so; zero: none does
}

// add takes in what one server, of this era, told: whether it has such a list at
// all, and announces its changes.
func (s *served) add(l *List, modern, has, announces bool) {
	if l.Fetched.IsZero() {
		s.missing = true
		return
	}
	if !has {
		return
	}
	s.private = s.private || !modern || l.Scope != ScopePublic
	switch {
	case l.Hinted:
		until := l.Fetched.Add(l.TTL)
		if s.until.IsZero() || until.Before(s.until) {
			s.until = until
		}
	case announces:
		s.pushed = true
	default:
		s.stale = true
	}
}

// Hints returns the hints for the merged list of a kind (2026-07-28, caching):
// how long it is fresh from now on, 0 if it is not, or not whole; and its scope,
// private if that of any list is, or unknown. A list that is filtered for
// somebody is private, whatever this says.
func (s *Snapshot) Hints(k Kind, now time.Time) (ttl time.Duration, scope string) {
	of := &s.served[k]
	scope = ScopePublic
	if of.private {
		scope = ScopePrivate
	}
	if of.missing || of.stale {
		return 0, scope
	}
	if of.until.IsZero() {
		return pushedTTL, scope
	}
	ttl = max(0, of.until.Sub(now))
	if of.pushed {
		ttl = min(ttl, pushedTTL)
	}
	return ttl, scope
}

// Life returns until when the merged list of a kind is fresh, and for how long at
// most: what Hints makes of the time that it is asked. A zero time is that it makes
// nothing of it.
func (s *Snapshot) Life(k Kind) (until time.Time, most time.Duration) {
	of := &s.served[k]
	switch {
	case of.missing, of.stale, of.until.IsZero():
		return time.Time{}, 0
	case of.pushed:
		return of.until, pushedTTL
	}
	return of.until, math.MaxInt64
}
