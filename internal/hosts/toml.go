package hosts

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/policy"
)

// parseTOML reads TOML into the same tree as JSON and YAML. Of the library it
// needs the parser only, which keeps lines and order; what tables mean is little.
func parseTOML(path string, data []byte) (*yaml.Node, error) {
	r := &tomlReader{path: path, text: string(data), root: newMapping(1)}
	r.parser.Reset(data)
	table := r.root
	for r.parser.NextExpression() {
		expression := r.parser.Expression()
		var err error
		switch expression.Kind {
		case unstable.Table:
			table, err = r.table(expression.Key())
		case unstable.ArrayTable:
			table, err = r.arrayTable(expression.Key())
		case unstable.KeyValue:
			err = r.set(table, expression)
		default: // there are no others
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.parser.Error(); err != nil {
		return nil, r.fail(r.errorLine(err), strings.TrimPrefix(err.Error(), "toml: "))
	}
	return r.root, nil
}

// maxTOMLParts is how many values and keys a file may have.
const maxTOMLParts = 1 << 19

// A tomlReader builds a tree. Tables are found again by their keys, so a tree of
// many tables of one parent takes time; the number of parts bounds it.
type tomlReader struct {
	parser unstable.Parser
	path   string
	text   string
	root   *yaml.Node
	line   int // of the last thing that had a place
	offset int // of that line's beginning in text, or later in it
	parts  int
	tables map[*yaml.Node]map[string]*yaml.Node // values by their keys
	closed map[*yaml.Node]bool                  // what is written in braces or brackets is whole
	opened map[*yaml.Node]bool                  // a table has one head
}

func newMapping(line int) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: line}
}

// table is the one that a head names.
func (r *tomlReader) table(keys unstable.Iterator) (*yaml.Node, error) {
	n := r.root
	for keys.Next() {
		key := keys.Node()
		next, err := r.step(n, key)
		if err != nil {
			return nil, err
		}
		if keys.IsLast() {
			if next.Kind != yaml.MappingNode || r.opened[next] {
				return nil, r.twice(key)
			}
			r.open(next)
		}
		n = r.last(next)
	}
	return n, nil
}

// arrayTable adds a table to the list that a head names.
func (r *tomlReader) arrayTable(keys unstable.Iterator) (*yaml.Node, error) {
	n := r.root
	for keys.Next() {
		key := keys.Node()
		if !keys.IsLast() {
			next, err := r.step(n, key)
			if err != nil {
				return nil, err
			}
			n = r.last(next)
			continue
		}
		list := r.find(n, string(key.Data))
		if list == nil {
			list = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: r.lineOf(key)}
			if err := r.put(n, key, list); err != nil {
				return nil, err
			}
		}
		if list.Kind != yaml.SequenceNode || r.closed[list] {
			return nil, r.twice(key)
		}
		made := newMapping(r.lineOf(key))
		list.Content = append(list.Content, made)
		return made, nil
	}
	return n, nil
}

// step is what stands under a key that leads further, which is made if need be.
func (r *tomlReader) step(n *yaml.Node, key *unstable.Node) (*yaml.Node, error) {
	next := r.find(n, string(key.Data))
	if next == nil {
		next = newMapping(r.lineOf(key))
		return next, r.put(n, key, next)
	}
	if next.Kind == yaml.ScalarNode || r.closed[next] {
		return nil, r.twice(key)
	}
	return next, nil
}

// last is the table that a list of tables ends with.
func (r *tomlReader) last(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 {
		return n.Content[len(n.Content)-1]
	}
	return n
}

// set puts a value under its key, which may lead through tables.
func (r *tomlReader) set(n *yaml.Node, expression *unstable.Node) error {
	keys := expression.Key()
	for keys.Next() {
		key := keys.Node()
		if !keys.IsLast() {
			next, err := r.step(n, key)
			if err != nil {
				return err
			}
			if next.Kind != yaml.MappingNode {
				return r.twice(key)
			}
			n = next
			continue
		}
		line := r.lineOf(key)
		value, err := r.value(expression.Value(), line)
		if err != nil {
			return err
		}
		return r.put(n, key, value)
	}
	return nil
}

// value is a value that begins on this line, or below it.
func (r *tomlReader) value(n *unstable.Node, line int) (*yaml.Node, error) {
	if r.parts++; r.parts > maxTOMLParts {
		return nil, r.fail(line, "it has too many parts")
	}
	made := &yaml.Node{Kind: yaml.ScalarNode, Value: string(n.Data), Line: line}
	switch n.Kind {
	case unstable.String:
		made.Tag, made.Style = "!!str", yaml.DoubleQuotedStyle
	case unstable.Bool:
		made.Tag = "!!bool"
	case unstable.Integer:
		made.Tag, made.Value = "!!int", strings.ReplaceAll(made.Value, "_", "")
	case unstable.Float:
		made.Tag, made.Value = "!!float", strings.ReplaceAll(made.Value, "_", "")
	case unstable.Array:
		made.Kind, made.Tag, made.Value = yaml.SequenceNode, "!!seq", ""
		for items := n.Children(); items.Next(); {
			item, err := r.value(items.Node(), line)
			if err != nil {
				return nil, err
			}
			made.Content = append(made.Content, item)
		}
		r.close(made)
	case unstable.InlineTable:
		made = newMapping(line)
		for pairs := n.Children(); pairs.Next(); {
			if err := r.set(made, pairs.Node()); err != nil {
				return nil, err
			}
		}
		r.close(made)
	default: // a date, which no key of a server has
		made.Tag = "!!timestamp"
	}
	return made, nil
}

func (r *tomlReader) find(n *yaml.Node, key string) *yaml.Node { return r.tables[n][key] }

func (r *tomlReader) put(n *yaml.Node, key *unstable.Node, value *yaml.Node) error {
	if n.Kind != yaml.MappingNode || r.closed[n] || r.find(n, string(key.Data)) != nil {
		return r.twice(key)
	}
	if r.parts++; r.parts > maxTOMLParts {
		return r.fail(r.lineOf(key), "it has too many parts")
	}
	if r.tables == nil {
		r.tables = map[*yaml.Node]map[string]*yaml.Node{}
	}
	if r.tables[n] == nil {
		r.tables[n] = map[string]*yaml.Node{}
	}
	name := string(key.Data)
	r.tables[n][name] = value
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: r.lineOf(key)}, value)
	return nil
}

func (r *tomlReader) open(n *yaml.Node) {
	if r.opened == nil {
		r.opened = map[*yaml.Node]bool{}
	}
	r.opened[n] = true
}

func (r *tomlReader) close(n *yaml.Node) {
	if r.closed == nil {
		r.closed = map[*yaml.Node]bool{}
	}
	r.closed[n] = true
}

// lineOf is the line of a key. Keys come in the order of the text.
func (r *tomlReader) lineOf(key *unstable.Node) int {
	at := int(key.Raw.Offset)
	if r.line == 0 || at < r.offset {
		r.line, r.offset = 1, 0
	}
	r.line += strings.Count(r.text[r.offset:min(at, len(r.text))], "\n")
	r.offset = at
	return r.line
}

// errorLine is the line of what the parser points at.
func (r *tomlReader) errorLine(err error) int {
	failure, ok := err.(*unstable.ParserError) //nolint:errorlint // it is the parser's own, never wrapped
	if !ok || len(failure.Highlight) == 0 {
		return max(r.line, 1)
	}
	return 1 + strings.Count(r.text[:min(int(r.parser.Range(failure.Highlight).Offset), len(r.text))], "\n")
}

func (r *tomlReader) twice(key *unstable.Node) error {
	return r.fail(r.lineOf(key), fmt.Sprintf("%q stands here twice, as one thing and another", key.Data))
}

func (r *tomlReader) fail(line int, text string) error {
	return &config.Error{Pos: policy.Position{File: r.path, Line: line}, Text: "reading TOML: " + text}
}
