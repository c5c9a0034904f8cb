package hostedit

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A node is a value and where it stands in the text.
type node struct {
	kind     byte // '{', '[', '"', or 0 for numbers and words
	from, to int
	text     string   // of a string, what it says; of numbers and words, how they are written
	members  []member // of an object
	items    []*node  // of an array
	comment  int      // in an object or array without members: where the last comment ends, or the bracket
}

// A member is one of an object.
type member struct {
	name  string
	from  int // of its key
	colon int
	value *node
	comma int // behind it; -1 for none
}

// end is where a member ends, with its comma.
func (m *member) end() int {
	if m.comma >= 0 {
		return m.comma + 1
	}
	return m.value.to
}

// index is where a member stands; -1 for nowhere. Only the first counts: see way.
func (n *node) index(name string) int {
	for i := range n.members {
		if n.members[i].name == name {
			return i
		}
	}
	return -1
}

// maxDepth is how deep objects and arrays may nest.
const maxDepth = 500

const byteOrderMark = "\ufeff"

// parse reads JSON with comments and trailing commas. It returns nil for a text
// that has no value at all.
func parse(text []byte) (root *node, err error) {
	p := &parser{text: text}
	if i := invalidAt(text); i >= 0 {
		p.at = i
		return nil, p.fail("this is no UTF-8 text; save the file as UTF-8 and try again")
	}
	if bytes.HasPrefix(text, []byte(byteOrderMark)) {
		p.at = len(byteOrderMark)
	}
	if _, err := p.trivia(); err != nil || p.at == len(text) {
		return nil, err
	}
	if root, err = p.value(0); err != nil {
		return nil, err
	}
	if _, err := p.trivia(); err != nil {
		return nil, err
	}
	if p.at < len(text) {
		return nil, p.fail("something follows the end of the JSON; mend that and try again")
	}
	return root, nil
}

// invalidAt is where a text stops being UTF-8; -1 for nowhere.
func invalidAt(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	at := 0
	for at < len(text) {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return at
}

type parser struct {
	text []byte
	at   int
}

func (p *parser) fail(format string, args ...any) error {
	return failAt(p.text, p.at, format, args...)
}

func failAt(text []byte, at int, format string, args ...any) error {
	return &Error{1 + bytes.Count(text[:min(at, len(text))], []byte("\n")), fmt.Sprintf(format, args...)}
}

// trivia passes over white space and comments, and returns where the last comment
// ends, a line's without the line end; -1 if there is none.
func (p *parser) trivia() (comment int, err error) {
	comment = -1
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		switch {
		case rest[0] == ' ', rest[0] == '\t', rest[0] == '\r', rest[0] == '\n':
			p.at++
			continue
		case bytes.HasPrefix(rest, []byte("//")):
			p.at += lineLength(rest)
		case bytes.HasPrefix(rest, []byte("/*")):
			end := bytes.Index(rest[2:], []byte("*/"))
			if end < 0 {
				return 0, p.fail("a comment begins here and does not end; mend that and try again")
			}
			p.at += 2 + end + 2
		default:
			return comment, nil
		}
		comment = p.at
	}
	return comment, nil
}

// lineLength is how much of a text comes before the end of its first line.
func lineLength(text []byte) int {
	n := bytes.IndexByte(text, '\n')
	switch {
	case n < 0:
		return len(text)
	case n > 0 && text[n-1] == '\r':
		return n - 1
	}
	return n
}

// peek is the byte that comes next; 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, p.fail("this is nested too deeply to be edited by a program")
	}
	switch c := p.peek(); c {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		return p.string()
	case 0:
		return nil, p.fail("the file ends in the middle of its JSON; mend that and try again")
	}
	return p.word()
}

func (p *parser) object(depth int) (*node, error) {
	n := &node{kind: '{', from: p.at}
	p.at++
	n.comment = p.at
	for {
		closed, err := p.closes(n, '}')
		if err != nil || closed {
			return n, err
		}
		m := member{from: p.at, comma: -1}
		if p.peek() != '"' {
			return nil, p.fail(`a key in double quotes is missing here; mend that and try again`)
		}
		key, err := p.string()
		if err != nil {
			return nil, err
		}
		m.name = key.text
		if _, err := p.trivia(); err != nil {
			return nil, err
		}
		if p.peek() != ':' {
			return nil, p.fail("a colon is missing behind the key %q; mend that and try again", m.name)
		}
		m.colon = p.at
		p.at++
		if _, err := p.trivia(); err != nil {
			return nil, err
		}
		if m.value, err = p.value(depth + 1); err != nil {
			return nil, err
		}
		if m.comma, err = p.comma('}'); err != nil {
			return nil, err
		}
		n.members = append(n.members, m)
	}
}

func (p *parser) array(depth int) (*node, error) {
	n := &node{kind: '[', from: p.at}
	p.at++
	n.comment = p.at
	for {
		closed, err := p.closes(n, ']')
		if err != nil || closed {
			return n, err
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, err := p.comma(']'); err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
}

// closes passes over what stands before the next part of n, and over its closing
// bracket, if that is what comes.
func (p *parser) closes(n *node, bracket byte) (bool, error) {
	comment, err := p.trivia()
	if err != nil {
		return false, err
	}
	n.comment = max(n.comment, comment)
	if p.peek() != bracket {
		return false, nil
	}
	p.at++
	n.to = p.at
	return true, nil
}

// comma passes over a comma and returns where it stands; -1 if the bracket follows
// without one.
func (p *parser) comma(bracket byte) (int, error) {
	if _, err := p.trivia(); err != nil {
		return 0, err
	}
	switch p.peek() {
	case ',':
		p.at++
		return p.at - 1, nil
	case bracket:
		return -1, nil
	}
	return 0, p.fail("a comma or %q is missing here; mend that and try again", string(bracket))
}

func (p *parser) string() (*node, error) {
	n := &node{kind: '"', from: p.at}
	for p.at++; ; p.at++ {
		switch c := p.peek(); {
		case c == '"':
			p.at++
			n.to = p.at
			raw := p.text[n.from:n.to]
			if !jsonrpc.Valid(raw) { // only what is valid can be decoded
				p.at = n.from
				return nil, p.fail("this string is not written as JSON wants it; mend that and try again")
			}
			n.text, _ = jsonrpc.String(raw)
			return n, nil
		case c == '\\':
			p.at++
		case c < ' ':
			return nil, p.fail("a string does not end on its line; mend that and try again")
		}
	}
}

// word reads a number, or true, false or null.
func (p *parser) word() (*node, error) {
	n := &node{from: p.at}
	for isWordByte(p.peek()) {
		p.at++
	}
	n.to = p.at
	n.text = string(p.text[n.from:n.to])
	if !jsonrpc.Valid([]byte(n.text)) {
		p.at = n.from
		return nil, p.fail("here stands no value as JSON has them; mend that and try again")
	}
	return n, nil
}

func isWordByte(c byte) bool {
	return c == '-' || c == '+' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// same reports whether two values say the same: members in the same order, numbers
// written the same way.
func same(a, b *node) bool {
	if a.kind != b.kind || a.text != b.text || len(a.members) != len(b.members) || len(a.items) != len(b.items) {
		return false
	}
	for i := range a.members {
		if a.members[i].name != b.members[i].name || !same(a.members[i].value, b.members[i].value) {
			return false
		}
	}
	for i := range a.items {
		if !same(a.items[i], b.items[i]) {
			return false
		}
	}
	return true
}

// sameBut reports whether two values say the same but for what is at a path, and
// for objects that hold nothing but the way there.
func sameBut(a, b *node, path []string) bool {
	switch {
	case a == nil || b == nil:
		return isOnlyWay(a, path) && isOnlyWay(b, path)
	case len(path) == 0:
		return true
	case a.kind != '{' || b.kind != '{':
		return false
	}
	others := func(n *node) (kept node, on *node) {
		kept = node{kind: '{'}
		for _, m := range n.members {
			if m.name == path[0] {
				on = m.value
			} else {
				kept.members = append(kept.members, m)
			}
		}
		return kept, on
	}
	aKept, aOn := others(a)
	bKept, bOn := others(b)
	return same(&aKept, &bKept) && sameBut(aOn, bOn, path[1:])
}

// isOnlyWay reports whether a value holds nothing but the way along a path.
func isOnlyWay(n *node, path []string) bool {
	switch {
	case n == nil || len(path) == 0:
		return true
	case n.kind != '{' || len(n.members) > 1:
		return false
	case len(n.members) == 0:
		return true
	}
	return n.members[0].name == path[0] && isOnlyWay(n.members[0].value, path[1:])
}
