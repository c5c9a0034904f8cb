package hostedit

import (
	"bytes"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A layout is how values are written: each member on a line of its own, or all on
// one.
type layout struct {
	lined bool
	eol   string // of lines
	unit  string // by which members are indented
	colon string // between a key and its value
	gap   string // behind a comma on the same line
}

// compact is the layout without any white space.
var compact = layout{colon: ":"}

// layout is the manner of the members of an object, or of the text as a whole.
func (w *way) layout(object *node) layout {
	l := layout{lined: true, eol: "\n", unit: w.unit(object), colon: ": ", gap: " "}
	if i := bytes.IndexByte(w.text, '\n'); i > 0 && w.text[i-1] == '\r' {
		l.eol = "\r\n"
	}
	if object == nil || w.isLined(object) {
		return l
	}
	l.lined = false
	if like := w.neighbour(object); like != nil {
		l.colon = ":" + strings.Repeat(" ", min(1, blanks(w.text[like.colon+1:])))
	}
	if w.isDense(object) {
		l.gap = ""
	}
	return l
}

// layoutLike is the manner of a value beside which another one is to stand, if it
// is an object that says something on one line; else l.
func (w *way) layoutLike(n *node, l layout) layout {
	if len(n.members) == 0 || bytes.Contains(w.text[n.from:n.to], []byte("\n")) {
		return l
	}
	return w.layout(n)
}

// isLined reports whether the members of an object have lines of their own. One
// without members is like the object that holds it.
func (w *way) isLined(object *node) bool {
	if n := len(object.members); n > 0 {
		return w.startsLine(object.members[n-1].from)
	}
	if bytes.Contains(w.text[object.from:object.to], []byte("\n")) || object == w.root {
		return true
	}
	for _, s := range w.steps {
		if s.member().value == object {
			return w.isLined(s.object)
		}
	}
	return true
}

// neighbour is a member whose manner is that of an object's; nil if there is none.
func (w *way) neighbour(object *node) *member {
	if n := len(object.members); n > 0 {
		return &object.members[n-1]
	}
	for _, s := range w.steps {
		if s.member().value == object {
			return s.member()
		}
	}
	return nil
}

// isDense reports whether members follow each other without a blank.
func (w *way) isDense(object *node) bool {
	if n := len(object.members); n > 1 {
		return blanks(w.text[object.members[n-2].end():]) == 0
	}
	like := w.neighbour(object)
	return like != nil && blanks(w.text[like.colon+1:]) == 0
}

// unit is by how much the members of an object are indented more than it is.
func (w *way) unit(object *node) string {
	for _, n := range []*node{object, w.root} {
		if n == nil || len(n.members) == 0 {
			continue
		}
		if from := n.members[len(n.members)-1].from; w.startsLine(from) {
			if unit, deeper := strings.CutPrefix(w.indent(from), w.indent(n.from)); deeper && unit != "" {
				return unit
			}
		}
	}
	return "  "
}

// append writes a value that stands in a line with this indent.
func (l layout) append(dst []byte, n *node, indent string) []byte {
	switch n.kind {
	case '{':
		return l.appendObject(dst, n, indent)
	case '[':
		dst = append(dst, '[')
		for i, item := range n.items {
			if i > 0 {
				dst = append(append(dst, ','), l.gap...)
			}
			dst = l.append(dst, item, indent)
		}
		return append(dst, ']')
	case '"':
		return jsonrpc.AppendString(dst, n.text)
	}
	return append(dst, n.text...)
}

func (l layout) appendObject(dst []byte, n *node, indent string) []byte {
	dst = append(dst, '{')
	for i, m := range n.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch {
		case l.lined:
			dst = append(append(dst, l.eol...), indent+l.unit...)
		case i > 0:
			dst = append(dst, l.gap...)
		}
		dst = l.appendMember(dst, m, indent+l.unit)
	}
	if l.lined && len(n.members) > 0 {
		dst = append(append(dst, l.eol...), indent...)
	}
	return append(dst, '}')
}

func (l layout) appendMember(dst []byte, m member, indent string) []byte {
	dst = append(jsonrpc.AppendString(dst, m.name), l.colon...)
	return l.append(dst, m.value, indent)
}
