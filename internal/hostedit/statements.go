package hostedit

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A kind is that of a statement.
type kind int

const (
	pair      kind = iota // key = value
	head                  // [table]
	arrayHead             // [[table]]
)

// A statement is one of TOML, with its lines.
type statement struct {
	kind     kind
	path     []string // from the top, whatever table it stands in
	section  int      // the head of the table that it stands in, which may be itself; -1 before the first
	from, to int      // from the beginning of its first line to the beginning of the next one

	// Of a pair:
	valueFrom, end int // end is the value's: a comment may follow on the line
	value          *node
}

// statements are those of a text.
type statements struct {
	text  []byte
	first int // where the first line begins: behind the byte order mark
	eol   string
	all   []statement
}

// readStatements reads a text. What only the meaning of statements forbids, such as
// a key that stands twice, it lets pass.
func readStatements(text []byte) (*statements, error) {
	s := &statements{text: text, eol: "\n"}
	if bytes.HasPrefix(text, []byte(byteOrderMark)) {
		s.first = len(byteOrderMark)
	}
	if i := bytes.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		s.eol = "\r\n"
	}
	var p unstable.Parser
	p.Reset(text[s.first:])
	section := -1
	for p.NextExpression() {
		one, err := s.read(p.Expression())
		if err != nil {
			return nil, err
		}
		if one.kind != pair {
			section = len(s.all)
		} else if section >= 0 {
			one.path = append(append([]string{}, s.all[section].path...), one.path...)
		}
		one.section = section
		s.all = append(s.all, one)
	}
	if err := p.Error(); err != nil {
		return nil, s.unreadable(&p, err)
	}
	return s, nil
}

// unreadable says where a text is no TOML.
func (s *statements) unreadable(p *unstable.Parser, err error) error {
	at := len(s.text)
	if failure, ok := errors.AsType[*unstable.ParserError](err); ok && len(failure.Highlight) > 0 {
		at = s.first + int(p.Range(failure.Highlight).Offset)
	}
	return failAt(s.text, at, "this is no TOML: %s; mend that and try again", strings.TrimPrefix(err.Error(), "toml: "))
}

func (s *statements) fail(one *statement, format string, args ...any) error {
	return failAt(s.text, one.from, format, args...)
}

// read reads one statement, which knows its own keys only.
func (s *statements) read(e *unstable.Node) (statement, error) {
	var one statement
	begin, end := -1, 0 // of the keys
	for keys := e.Key(); keys.Next(); {
		key := keys.Node()
		one.path = append(one.path, string(key.Data))
		if begin < 0 {
			begin = s.first + int(key.Raw.Offset)
		}
		end = s.first + int(key.Raw.Offset+key.Raw.Length)
	}
	one.kind, one.end = kindOf(e.Kind), end
	if one.kind == pair {
		one.end = s.first + int(e.Raw.Offset+e.Raw.Length)
		sign := end + bytes.IndexByte(s.text[end:], '=')
		one.valueFrom = sign + 1 + blanks(s.text[sign+1:])
		var err error
		if one.value, err = s.value(e.Value(), one.valueFrom, 0); err != nil {
			return one, err
		}
	}
	one.from = max(s.first, bytes.LastIndexByte(s.text[:begin], '\n')+1)
	one.to = len(s.text)
	if n := bytes.IndexByte(s.text[one.end:], '\n'); n >= 0 {
		one.to = one.end + n + 1
	}
	return one, nil
}

func kindOf(k unstable.Kind) kind {
	switch k { //nolint:exhaustive // the parser has no others at the top
	case unstable.Table:
		return head
	case unstable.ArrayTable:
		return arrayHead
	}
	return pair
}

// value is that of a pair which stands at a place.
func (s *statements) value(n *unstable.Node, at, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, failAt(s.text, at, "this is nested too deeply to be edited by a program")
	}
	switch n.Kind { //nolint:exhaustive // the rest are words and dates
	case unstable.Array:
		list := &node{kind: '['}
		for items := n.Children(); items.Next(); {
			item, err := s.value(items.Node(), at, depth+1)
			if err != nil {
				return nil, err
			}
			list.items = append(list.items, item)
		}
		return list, nil
	case unstable.InlineTable:
		table := &node{kind: '{'}
		for pairs := n.Children(); pairs.Next(); {
			if err := s.putPair(table, pairs.Node(), at, depth); err != nil {
				return nil, err
			}
		}
		return table, nil
	case unstable.Integer, unstable.Float, unstable.Bool:
		if text, ok := asJSON(string(n.Data)); ok {
			return &node{text: text}, nil
		}
	}
	return &node{kind: '"', text: string(n.Data)}, nil
}

// putPair puts a pair of a table in braces into it.
func (s *statements) putPair(table *node, e *unstable.Node, at, depth int) error {
	value, err := s.value(e.Value(), at, depth+1)
	if err != nil {
		return err
	}
	var path []string
	for keys := e.Key(); keys.Next(); {
		path = append(path, string(keys.Node().Data))
	}
	if !table.put(path, value) {
		return failAt(s.text, at, "the key %q stands here for the second time; take one out and try again", strings.Join(path, "."))
	}
	return nil
}

// asJSON writes a number or a word of TOML as JSON does, if it can.
func asJSON(text string) (string, bool) {
	if plain := strings.TrimPrefix(strings.ReplaceAll(text, "_", ""), "+"); jsonrpc.Valid([]byte(plain)) {
		return plain, true
	}
	n, err := strconv.ParseInt(text, 0, 64)
	return strconv.FormatInt(n, 10), err == nil
}
