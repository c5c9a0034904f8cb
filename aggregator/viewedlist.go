package aggregator

import (
	"slices"
	"sync/atomic"

	"github.com/weir-mcp/weir/aggregator/catalog"
)

// A viewedList is one list as the principal sees it. Hosts that differ see it in
// different shapes; each is written when the first host asks for it, and never
// again while it says the same. It is immutable but for that.
type viewedList struct {
	kind   catalog.Kind
	routes []*catalog.Route
	own    []*ownTool // weir's own, which stand behind them

	loose  bool // some have an output schema that legacy hosts may not bear
	hidden bool // some are for apps only
	polled bool // some need a task

	written [shapes]atomic.Pointer[[]byte] // members of a list result
}

// A shape is what lists of one host have in common.
type shape struct {
	legacy bool // it speaks the legacy era
	apps   bool // it shows apps (MCP Apps)
	tasks  bool // it knows tasks of the core (2025-11-25)
}

const shapes = 8

func (l *viewedList) add(route *catalog.Route) {
	l.routes = append(l.routes, route)
	l.loose = l.loose || route.LooseOutput()
	l.hidden = l.hidden || route.AppOnly()
	l.polled = l.polled || route.Polled()
}

// adopt takes over what was written of an earlier view if that says the same,
// and reports whether it does.
func (l *viewedList) adopt(before *viewedList) bool {
	if before == nil || !slices.Equal(l.own, before.own) || !catalog.Same(l.routes, before.routes) {
		return false
	}
	for i := range l.written {
		l.written[i].Store(before.written[i].Load())
	}
	return true
}

// in returns the list in a shape: a member of a result. It must not be changed.
func (l *viewedList) in(s shape) []byte {
	s = shape{legacy: s.legacy && l.loose, apps: s.apps || !l.hidden, tasks: s.tasks || !l.polled}
	at := 0
	if s.legacy {
		at++
	}
	if s.apps {
		at += 2
	}
	if s.tasks {
		at += 4
	}
	if text := l.written[at].Load(); text != nil {
		return *text
	}
	text := l.write(s)
	l.written[at].Store(&text)
	return text
}

func (l *viewedList) write(s shape) []byte {
	routes := l.routes
	if !s.apps {
		routes = slices.DeleteFunc(slices.Clone(routes), (*catalog.Route).AppOnly)
	}
	text := catalog.AppendList(nil, l.kind, routes, catalog.Shape{Legacy: s.legacy, Polled: !s.tasks})
	if len(l.own) > 0 {
		text = appendOwnTools(text, len(routes) == 0, l.own)
	}
	return text
}
