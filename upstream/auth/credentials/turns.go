package credentials

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Locks and files of turns.
const (
	turnLock  = "turn-"
	tabLock   = "turn-of-the-browser"
	askedFile = "asked.json"
)

// Bounds of what is remembered of questions.
const (
	maxAsked = 1000
	askedAge = 7 * 24 * time.Hour
)

// TakeTurn lets one login at an endpoint be under way at a time, over all
// processes, until release is called. It does not wait: the error is a *BusyError
// if somebody else has the turn. The system frees it with the process.
func (s *Store) TakeTurn(ctx context.Context, endpoint string) (release func(), err error) {
	return s.take(ctx, turnLock+digest(endpoint), "a login at this server")
}

// TakeTab is TakeTurn for the one tab that weir opens without having been told to,
// over all servers.
func (s *Store) TakeTab(ctx context.Context) (release func(), err error) {
	return s.take(ctx, tabLock, "a login in the browser")
}

func (s *Store) take(ctx context.Context, name, what string) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	release, err = s.folder.TryLock(name)
	switch {
	case err != nil:
		return nil, s.problem("locking", name, err)
	case release == nil:
		return nil, &BusyError{What: what}
	}
	return release, nil
}

// MayAsk reports whether the user may be asked for something by itself: once in
// an interval, a week at most, over all processes. It notes that it was asked for
// at now.
func (s *Store) MayAsk(ctx context.Context, what string, now time.Time, interval time.Duration) (may bool, err error) {
	err = s.folder.Update(ctx, askedFile, func(old []byte) ([]byte, error) {
		asked := parseAsked(old, now)
		last, ever := asked.At[digest(what)]
		if may = !ever || now.Sub(last) >= interval; !may {
			return old, nil
		}
		asked.At[digest(what)] = now.UTC()
		asked.bound()
		return json.Marshal(asked)
	})
	if err != nil {
		return false, s.problem("changing", askedFile, err)
	}
	return may, nil
}

// asked is what the user was asked for, by digest, and when.
type asked struct {
	At map[string]time.Time `json:"asked"`
}

// parseAsked reads the file, without what is past, and what another clock has
// written ahead of now. One that cannot be understood says nothing.
func parseAsked(file []byte, now time.Time) *asked {
	a := &asked{}
	if file == nil || json.Unmarshal(file, a) != nil || a.At == nil {
		a.At = map[string]time.Time{}
	}
	maps.DeleteFunc(a.At, func(_ string, at time.Time) bool {
		return at.After(now.Add(time.Minute)) || now.Sub(at) > askedAge
	})
	return a
}

// bound drops the oldest beyond what is kept.
func (a *asked) bound() {
	if len(a.At) <= maxAsked {
		return
	}
	byAge := slices.SortedFunc(maps.Keys(a.At), func(x, y string) int { return a.At[x].Compare(a.At[y]) })
	for _, key := range byAge[:len(byAge)-maxAsked] {
		delete(a.At, key)
	}
}
