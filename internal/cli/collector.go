package cli

import (
	"runtime/debug"
	"time"
)

// The heap of a start is small, and most of it is kept. The collector would go
// over it all the same as soon as it has reached 4 MB, which is about when the
// host waits for its first list of many servers: with threads of its own and
// for nothing.
const (
	startPercent = 800             // the collector begins at 32 MB
	startTime    = 2 * time.Second // of which the first answers take a hundredth
)

// spareCollector lets the heap grow further than usual before it is collected,
// until weir has started or end is called. Then the garbage of the start is
// collected behind, and what is free goes back to the system. Whoever has set
// GOGC has decided otherwise.
func (a *app) spareCollector() (end func()) {
	if a.getenv("GOGC") != "" {
		return func() {}
	}
	usual := debug.SetGCPercent(startPercent)
	started := time.AfterFunc(startTime, func() {
		debug.SetGCPercent(usual)
		debug.FreeOSMemory()
	})
	return func() {
		if started.Stop() {
			debug.SetGCPercent(usual)
		}
	}
}
