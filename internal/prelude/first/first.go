// Package first lets weir answer before it is there.
//
// A program's packages are initialized one after another before its main begins,
// and those of what weir is made of take longer than a host need wait: the
// libraries of conditions alone as long as all of a small server. The
// initialization of this package needs nothing but the system, so that it comes
// among the first (Go specification, package initialization), and plays the
// prelude (package prelude): the one thing in weir that happens before main.
//
// It is a room of its own because that is no habit to take up. What it found is
// kept here until main takes it, once, and nobody else can see or change it. It
// does nothing in a process whose arguments have never been those of one that
// serves, nor where input and output are no pipes.
package first

import (
	"github.com/weir-mcp/weir/internal/prelude"
)

var played = prelude.Play(prelude.This(), prelude.Streams{In: 0, Out: 1, Err: 2})

// Take returns what has happened before main; nil is nothing. The second time it
// is nothing in any case.
func Take() *prelude.Performance {
	p := played
	played = nil
	return p
}
