package watch

import (
	"context"
	"time"
)

// How long a file must have been left alone before it is looked at, and after
// what time it is looked at all the same.
const (
	Quiet = 100 * time.Millisecond
	Most  = time.Second
)

// Settle calls look when what happened tells of has come to rest: Quiet after the
// last of it, or Most after the first. It returns when ctx ends, never in the
// middle of look.
//
// A look may find what is half done. Where it says so it is called once more after
// another Quiet, with sure if nothing has happened meanwhile: then nobody is at it
// any more.
func Settle(ctx context.Context, happened <-chan struct{}, look func(sure bool) (halfDone bool)) {
	rest := time.NewTimer(Quiet)
	rest.Stop()
	defer rest.Stop()
	var since time.Time // the first that was not looked at; zero for none
	sure := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-happened:
			if since.IsZero() {
				since = time.Now()
			}
			sure = false
			rest.Reset(min(Quiet, time.Until(since.Add(Most))))
		case <-rest.C:
			since = time.Time{}
			if sure = look(sure); sure {
				rest.Reset(Quiet)
			}
		}
	}
}
