package aggregator

import "github.com/weir-mcp/weir/upstream/jsonrpc"

// recent is which tools a host has called by which names, so that it need not be
// found out again for each call. It is for the session's reader alone.
type recent struct {
	view  *view               // in which that was found
	tools map[string]recalled // by the names as the host writes them, raw
}

// recalled is what a host means by a name.
type recalled struct {
	subject string
	way     *way
}

// Names that are longer or more are looked up each time.
const (
	maxRecalled     = 1000
	maxRecalledName = 128
)

// recall returns the way to the tool that a call names, if the host has called it
// by this very name since it has the view that it has now, and the name; nil if
// not.
func (s *session) recall(op *operation, params []jsonrpc.Member) (*way, string) {
	if op != toolCall || s.recent.view != s.view() {
		return nil, ""
	}
	known := s.recent.tools[string(jsonrpc.Find(params, op.member))]
	return known.way, known.subject
}

// remember is for the next recall: what was found in the view of the way.
func (s *session) remember(params []jsonrpc.Member, subject string, w *way) {
	name := jsonrpc.Find(params, toolCall.member)
	if len(name) > maxRecalledName {
		return
	}
	if s.recent.view != w.view || len(s.recent.tools) >= maxRecalled {
		s.recent = recent{view: w.view, tools: make(map[string]recalled)}
	}
	s.recent.tools[string(name)] = recalled{subject, w}
}
