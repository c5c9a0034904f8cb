package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/policy"
)

// An Error is one thing that is wrong in a configuration, and where.
type Error struct {
	Pos  policy.Position
	Text string
	Err  error // the cause; may be nil
}

func (e *Error) Error() string {
	text := e.Text
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Pos == (policy.Position{}) {
		return text
	}
	return e.Pos.String() + ": " + text
}

func (e *Error) Unwrap() error { return e.Err }

// inOrder joins errors in the order of their lines; nil if there are none.
func inOrder(errs []error) error {
	slices.SortStableFunc(errs, func(a, b error) int { return lineOf(a) - lineOf(b) })
	return errors.Join(errs...)
}

func lineOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Pos.Line
	}
	if e, ok := errors.AsType[*policy.ConfigError](err); ok {
		return e.Pos.Line
	}
	return 0
}

// nearest returns the one of names that is most likely meant by word, or "".
func nearest(word string, names []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, name := range names {
		if d := distance(strings.ToLower(word), name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance counts the characters to insert, delete, replace or swap with their
// neighbour to get from a to b. It is for short words: longer ones than 64
// characters are far from everything.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	var before, last, row [65]int
	for k := range len(b) + 1 {
		last[k] = k
	}
	for i := range len(a) {
		row[0] = i + 1
		for k := range len(b) {
			cost := 1
			if a[i] == b[k] {
				cost = 0
			}
			row[k+1] = min(last[k+1]+1, row[k]+1, last[k]+cost)
			if i > 0 && k > 0 && a[i] == b[k-1] && a[i-1] == b[k] {
				row[k+1] = min(row[k+1], before[k-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
