package aggregator

import (
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is what a call of a tool must pass before it is sent.

// A query is what a host asks to be found.
type query struct {
	subject string           // what names it
	params  []jsonrpc.Member // of the request; nil where there is more than one subject
	modern  bool
	known   *way // to a tool of this name; nil where it is yet to be found
}

// admit lets a call of a tool pass all that it must pass, in this order, or says
// why not. Only what stands before the policy may change what will be sent.
func (v *view) admit(s *session, q query, t *target) *refusal {
	refused := v.checkReading(t)
	if refused == nil {
		v.amendArguments(t)
		refused = v.checkPolicy(s, q, t)
	}
	if refused == nil {
		refused = v.checkPin(s, q, t)
	}
	if refused == nil {
		refused = v.checkArguments(s, q, t)
	}
	return refused
}

// checkPolicy refuses what the policy does not allow. What is denied does not
// exist: it is answered like what nobody has.
func (v *view) checkPolicy(s *session, q query, t *target) *refusal {
	t.verdict = v.judgeOn(t.way, t.tool, t.arguments)
	switch {
	case !t.verdict.Listed():
		return unknownTool(q.subject)
	case !t.verdict.Callable():
		s.a.log.Info().Str("upstream", t.tool.Server).Str("tool", t.name).
			Stringer("rule", t.verdict.Pos).Msg("call refused by policy")
		return &refusal{result: s.a.deniedResult(t.tool, *t.verdict, q.modern)}
	}
	return nil
}
