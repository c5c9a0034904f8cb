package aggregator

import (
	"slices"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is what becomes of notifications that a host is too slow for. Answers
// are never among them.

const (
	// maxChatter is how many bytes may wait for a host before notifications have to
	// wait for it. It is little, since the answers of all servers stand behind what
	// waits.
	maxChatter = 1 << 20

	// maxThinned is the size up to which progress is thinned: the latest that a call
	// has reported is kept instead of what it has reported before. Each call in
	// flight may keep so much.
	maxThinned = 4 << 10
)

// holdBackChatter is holdBack for a notification. So a server that tells more than
// the host reads waits with its own stream, and the answers of others come through.
func (s *session) holdBackChatter(b *jsonrpc.Batch) {
	if s.out.Queued() <= maxChatter {
		return
	}
	if b != nil {
		b.Flush()
	}
	s.out.WaitBelow(maxChatter)
}

// report writes the progress of a call: what its server has written, with the
// host's token in place of theirs. While the host is behind, only the latest report
// of each call is kept, and brought out when the host has read; the answer of the
// call, if that comes first, says more than any of them.
func (c *call) report(b *jsonrpc.Batch, raw, theirs []byte) {
	s := c.s
	before, after := jsonrpc.Cut(raw, theirs)
	s.mu.Lock()
	token := c.tokenInUse()
	thinned := token != nil && len(raw) <= maxThinned && (c.latest != nil || s.out.Queued() > maxChatter)
	switch {
	case thinned:
		s.thin(c, slices.Concat(before, token, after))
	default:
		c.latest = nil
	}
	s.mu.Unlock()
	if token == nil || thinned {
		return
	}
	s.write(b, before, token, after)
	if len(raw) > maxThinned {
		s.holdBackChatter(b)
	}
}

// thin makes line the latest report of the call. The caller holds s.mu.
func (s *session) thin(c *call, line []byte) {
	if c.latest == nil {
		s.thinned = append(s.thinned, c)
	}
	c.latest = line
	if !s.thinning {
		s.thinning = true
		s.behind.Go(s.bringOut)
	}
}

// bringOut writes the latest reports whenever the host has read, until there are
// none. It queues them under the lock, so that none comes behind its answer: who
// answers has taken the call out of the table before.
func (s *session) bringOut() {
	var b jsonrpc.Batch
	for s.ctx.Err() == nil {
		s.out.WaitBelow(maxChatter / 2)
		s.mu.Lock()
		behind := s.thinned
		s.thinned = nil
		if s.thinning = len(behind) > 0; !s.thinning {
			s.mu.Unlock()
			return
		}
		for _, c := range behind {
			if c.latest != nil && c.tokenInUse() != nil {
				s.write(&b, c.latest)
			}
			c.latest = nil
		}
		s.mu.Unlock()
		b.Flush()
	}
}
