package aggregator

import (
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
)

// pinLater sees to it that what could not be pinned, since the disk is full or may
// not be written, or could not be compared, is as soon as it can be: at the pace at
// which lists are stored then, and though the server says nothing more. The lists
// that were seen first stay that. The caller holds checking.
func (s *server) pinLater(first *catalog.Lists) {
	s.pinning.first, s.pinning.unstored = first, true
	if s.pinning.retrying {
		return
	}
	s.pinning.retrying = true
	s.a.spawn(s.retryPins)
}

// retryPins tries until all is pinned, or the server has left.
func (s *server) retryPins() {
	for pause := firstStoring; ; pause = min(2*pause, lastStoring) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			timer.Stop()
			return
		}
		s.compareAgain()
		if s.a.setSnapshot() {
			s.a.pushes.soon()
		}
		if s.hasPinned() {
			s.a.log.Info().Str("upstream", s.Name).Msg("definitions can be pinned again")
			return
		}
	}
}

// hasPinned ends the tries if nothing is left to be pinned.
func (s *server) hasPinned() bool {
	s.pinning.checking <- struct{}{}
	defer func() { <-s.pinning.checking }()
	s.pinning.retrying = s.pinning.unstored
	return !s.pinning.retrying
}
