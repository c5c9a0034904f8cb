package hostedit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// JSON is JSON in which comments and trailing commas may stand. It writes them
// nowhere but where the comma is the manner of the object already.
type JSON struct{}

var _ Language = JSON{}

func (JSON) Find(text []byte, path []string) ([]byte, error) {
	w, err := walk(text, path)
	if err != nil || len(w.left) > 0 || w.end() == nil {
		return nil, err
	}
	return compact.append(nil, w.end(), ""), nil
}

func (JSON) Missing(text []byte, path []string) (int, error) {
	w, err := walk(text, path)
	if err != nil || len(w.left) == 0 {
		return 0, err
	}
	return len(w.left) - 1, nil
}

func (JSON) Set(text []byte, path []string, value []byte) ([]byte, error) {
	v, err := parseValue(value)
	if err != nil {
		return nil, err
	}
	w, err := walk(text, path)
	if err != nil {
		return nil, err
	}
	var after []byte
	switch {
	case w.root == nil:
		after = w.begin(v)
	case len(w.left) == 0 && same(w.end(), v):
		return text, nil
	case len(w.left) == 0:
		after = w.replace(v)
	default:
		after = w.add(v)
	}
	return after, checked(w.root, after, path, v)
}

func (JSON) Remove(text []byte, path []string, made int) ([]byte, error) {
	w, err := walk(text, path)
	if err != nil {
		return nil, err
	}
	if w.root == nil || len(w.left) > 0 {
		return text, nil
	}
	last := len(w.steps) - 1
	for ; made > 0 && last > 0 && len(w.steps[last].object.members) == 1; made-- {
		last--
	}
	after := w.remove(w.steps[last])
	return after, checked(w.root, after, path, nil)
}

// parseValue reads a value that is to be written.
func parseValue(value []byte) (*node, error) {
	n, err := parse(value)
	if err == nil && n == nil {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("writing a value that is no JSON: %w", err)
	}
	return n, nil
}

// checked makes sure that a text has this value at the path, and otherwise what
// was there before.
func checked(before *node, text []byte, path []string, value *node) error {
	unsure := &Error{1, "its shape is not understood well enough to be edited by a program; change it by hand"}
	w, err := walk(text, path)
	if err != nil || !sameBut(before, w.root, path) {
		return unsure
	}
	if value == nil {
		if len(w.left) == 0 {
			return unsure
		}
		return nil
	}
	if len(w.left) > 0 || !same(w.end(), value) {
		return unsure
	}
	return nil
}

// A way is how far a text goes along a path.
type way struct {
	text  []byte
	root  *node    // nil in an empty text
	steps []step   // that are there
	left  []string // what is missing of the path
}

// A step leads from an object to one of its members.
type step struct {
	object *node
	index  int
}

func (s step) member() *member { return &s.object.members[s.index] }

// end is the value that the way leads to, as far as it goes.
func (w *way) end() *node {
	if len(w.steps) == 0 {
		return w.root
	}
	return w.steps[len(w.steps)-1].member().value
}

// walk reads a text and follows a path in it. All that is passed is an object, and
// has the next key once at most.
func walk(text []byte, path []string) (*way, error) {
	root, err := parse(text)
	if err != nil {
		return nil, err
	}
	w := &way{text: text, root: root, left: path}
	if root == nil {
		return w, nil
	}
	for n := root; len(w.left) > 0; {
		if n.kind != '{' {
			return nil, failAt(text, n.from, "%s is not an object in braces; mend that and try again", named(path[:len(w.steps)]))
		}
		i, err := w.only(n, w.left[0])
		if err != nil || i < 0 {
			return w, err
		}
		w.steps = append(w.steps, step{n, i})
		w.left = w.left[1:]
		n = n.members[i].value
	}
	return w, nil
}

// named says which value stands at a path.
func named(path []string) string {
	if len(path) == 0 {
		return "the file"
	}
	return fmt.Sprintf("%q", strings.Join(path, "."))
}

// only is where the member of a name stands in an object; -1 if there is none.
func (w *way) only(n *node, name string) (int, error) {
	i := n.index(name)
	if i < 0 {
		return i, nil
	}
	for _, m := range n.members[i+1:] {
		if m.name == name {
			return 0, failAt(w.text, m.from, "the key %q stands here for the second time, and programs differ in which of the two they read; take one out and try again", name)
		}
	}
	return i, nil
}

// begin writes the first value of a text that has none.
func (w *way) begin(value *node) []byte {
	l := w.layout(nil)
	text := slices.Clone(w.text)
	if body := bytes.TrimPrefix(text, []byte(byteOrderMark)); len(body) > 0 && body[len(body)-1] != '\n' {
		text = append(text, l.eol...)
	}
	text = l.append(text, wrap(w.left, value), "")
	return append(text, l.eol...)
}

// wrap is a value within objects that each hold nothing but the next.
func wrap(path []string, value *node) *node {
	for _, name := range slices.Backward(path) {
		value = &node{kind: '{', members: []member{{name: name, value: value}}}
	}
	return value
}

// replace writes a value in the place of the one at the end of the way.
func (w *way) replace(value *node) []byte {
	old := w.end()
	l, indent := w.layout(nil), ""
	if len(w.steps) > 0 {
		at := w.steps[len(w.steps)-1]
		l, indent = w.layout(at.object), w.indent(at.member().from)
	}
	return splice(w.text, cut{old.from, old.to, l.append(nil, value, indent)})
}

// add writes what is left of the path as the last member of the object that the
// way leads to.
func (w *way) add(value *node) []byte {
	object := w.end()
	l := w.layout(object)
	m := member{name: w.left[0], value: wrap(w.left[1:], value)}
	if len(object.members) == 0 {
		return w.addFirst(l, object, m)
	}
	last := object.members[len(object.members)-1]
	trailing := ""
	if last.comma >= 0 {
		trailing = ","
	}
	var cuts []cut
	if trailing == "" {
		cuts = append(cuts, cut{last.value.to, last.value.to, []byte(",")})
	}
	at, text := last.end(), []byte(l.gap)
	if l.lined {
		indent := w.indent(last.from)
		at, text = w.restOfLine(at), []byte(l.eol+indent)
		if len(w.left) == 1 {
			l = w.layoutLike(last.value, l)
		}
		text = l.appendMember(text, m, indent)
	} else {
		text = l.appendMember(text, m, "")
	}
	return splice(w.text, append(cuts, cut{at, at, append(text, trailing...)})...)
}

// addFirst writes the first member of an object, behind its comments.
func (w *way) addFirst(l layout, object *node, m member) []byte {
	at, end := object.comment, object.to-1
	rest := w.text[at:end]
	if !l.lined {
		text := l.appendMember(slices.Clone(rest), m, "")
		return splice(w.text, cut{at, at, text})
	}
	outer := w.indent(object.from)
	text := l.appendMember([]byte(l.eol+outer+l.unit), m, outer+l.unit)
	if bytes.Contains(rest, []byte("\n")) {
		return splice(w.text, cut{at, at, text})
	}
	return splice(w.text, cut{at, end, append(text, l.eol+outer...)})
}

// restOfLine is where the comments end that follow on the same line; at itself if
// there are none, or if one of them goes on to the next line.
func (w *way) restOfLine(at int) int {
	line := w.text[at : at+lineLength(w.text[at:])]
	p := &parser{text: line}
	comment, err := p.trivia()
	if err != nil || comment < 0 {
		return at
	}
	return at + comment
}

// remove takes a member out, and its line if it has one for itself.
func (w *way) remove(s step) []byte {
	object, m := s.object, s.member()
	isLast := s.index == len(object.members)-1
	if len(object.members) == 1 && object.comment == object.from+1 {
		return splice(w.text, cut{object.from + 1, object.to - 1, nil})
	}
	var cuts []cut
	if isLast && m.comma < 0 && s.index > 0 {
		comma := object.members[s.index-1].comma
		cuts = append(cuts, cut{comma, comma + 1, nil})
	}
	from, to := m.from, m.end()
	lineFrom, alone := w.lineOf(from, to, isLast)
	switch {
	case alone:
		from = lineFrom
	case !isLast:
		to += blanks(w.text[to:])
	case !w.startsLine(from):
		from -= blanksBefore(w.text[:from])
	}
	return splice(w.text, append(cuts, cut{from, to, nil})...)
}

// lineOf is where the line end stands before a member that begins its line, and
// whether the line end can go with it: not where the member's line goes on, unless
// it is the last and no comment would swallow what follows.
func (w *way) lineOf(from, to int, isLast bool) (at int, alone bool) {
	if !w.startsLine(from) {
		return 0, false
	}
	at = bytes.LastIndexByte(w.text[:from], '\n')
	if at > 0 && w.text[at-1] == '\r' {
		at--
	}
	rest := w.text[to : to+lineLength(w.text[to:])]
	if len(bytes.Trim(rest, " \t\r")) == 0 {
		return at, true
	}
	line := w.text[bytes.LastIndexByte(w.text[:at], '\n')+1 : at]
	return at, isLast && !bytes.Contains(line, []byte("//"))
}

// startsLine reports whether nothing but blanks stands before a place on its line.
func (w *way) startsLine(at int) bool {
	before := at - blanksBefore(w.text[:at])
	return before > 0 && w.text[before-1] == '\n'
}

// indent is what the line of a place begins with.
func (w *way) indent(at int) string {
	from := bytes.LastIndexByte(w.text[:at], '\n') + 1
	if from == 0 && bytes.HasPrefix(w.text, []byte(byteOrderMark)) {
		from = len(byteOrderMark)
	}
	return string(w.text[from : from+blanks(w.text[from:at])])
}

// blanks is how many a text begins with.
func blanks(text []byte) int {
	return len(text) - len(bytes.TrimLeft(text, " \t"))
}

// blanksBefore is how many a text ends with.
func blanksBefore(text []byte) int {
	return len(text) - len(bytes.TrimRight(text, " \t"))
}

// A cut is a piece of a text and what takes its place.
type cut struct {
	from, to int
	with     []byte
}

// splice makes cuts, which stand in order and do not overlap.
func splice(text []byte, cuts ...cut) []byte {
	out := make([]byte, 0, len(text))
	at := 0
	for _, c := range cuts {
		out = append(append(out, text[at:c.from]...), c.with...)
		at = c.to
	}
	return append(out, text[at:]...)
}
