package config

import (
	"errors"
	"slices"

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
