package aggregator

import (
	"crypto/sha256"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file lets a modern host go on with an approved call that its modern server
// has answered with a question (2026-07-28, multi round-trip requests): the next
// request belongs to the call that was approved, and nobody is asked again.

// maxRoundsOpen is how many approved calls of one host may wait so.
const maxRoundsOpen = 64

// A round is the next request of an approved call: what it is for, and the
// requestState that the server wants to see again.
type round struct {
	request digest
	state   digest
}

func roundOf(request digest, fields []jsonrpc.Member) round {
	state, _ := jsonrpc.String(jsonrpc.Find(fields, "requestState")) // "" for none
	return round{request, sha256.Sum256([]byte(state))}
}

// expectRound notes that the server of an approved call wants to be asked again.
func (c *call) expectRound(fields []jsonrpc.Member) {
	if c.approved == nil || !c.modern || string(jsonrpc.Find(fields, "resultType")) != `"input_required"` {
		return
	}
	now := time.Now()
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for r, expires := range c.s.rounds {
		if !now.Before(expires) || len(c.s.rounds) >= maxRoundsOpen {
			delete(c.s.rounds, r)
		}
	}
	c.s.rounds[roundOf(*c.approved, fields)] = now.Add(answerTime)
}

// continues reports whether a request is the next round of an approved call, for
// once.
func (s *session) continues(r *request, op *operation) bool {
	if !r.modern || !resumes(r.params) {
		return false
	}
	next := roundOf(op.digest(r.params), r.params)
	s.mu.Lock()
	defer s.mu.Unlock()
	expires, expected := s.rounds[next]
	delete(s.rounds, next)
	return expected && time.Now().Before(expires)
}
