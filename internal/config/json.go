package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/policy"
)

// maxJSONDepth is how deep lists and objects may nest.
const maxJSONDepth = 100

// maxJSONParts is how many values and keys a file may have: each takes far more
// memory than it has bytes.
const maxJSONParts = 1 << 19

func looksLikeJSON(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return bytes.HasPrefix(data, []byte("{")) || bytes.HasPrefix(data, []byte("//")) || bytes.HasPrefix(data, []byte("/*"))
}

// parseJSON reads JSON with comments and trailing commas into the same tree as
// YAML.
func parseJSON(path string, data []byte) (root *yaml.Node, err error) {
	p := &jsonParser{path: path, rest: data, line: 1}
	root, err = p.value(0)
	if err != nil {
		return nil, err
	}
	if next, err := p.next(); err != nil || next != 0 {
		return nil, p.fail("something follows the end")
	}
	return root, nil
}

type jsonParser struct {
	path  string
	rest  []byte
	line  int
	parts int
}

// next passes over white space and comments and returns the byte that stands
// there; 0 at the end.
func (p *jsonParser) next() (byte, error) {
	for len(p.rest) > 0 {
		switch {
		case p.rest[0] == '\n' || p.rest[0] == ' ' || p.rest[0] == '\t' || p.rest[0] == '\r':
			p.take(1)
		case bytes.HasPrefix(p.rest, []byte("//")):
			end := bytes.IndexByte(p.rest, '\n')
			if end < 0 {
				end = len(p.rest)
			}
			p.take(end)
		case bytes.HasPrefix(p.rest, []byte("/*")):
			end := bytes.Index(p.rest[2:], []byte("*/"))
			if end < 0 {
				return 0, p.fail("a comment does not end")
			}
			p.take(end + 4)
		default:
			return p.rest[0], nil
		}
	}
	return 0, nil
}

func (p *jsonParser) take(n int) string {
	taken := p.rest[:n]
	p.line += bytes.Count(taken, []byte("\n"))
	p.rest = p.rest[n:]
	return string(taken)
}

func (p *jsonParser) value(depth int) (*yaml.Node, error) {
	next, err := p.next()
	p.parts++
	switch {
	case err != nil:
		return nil, err
	case next == 0:
		return nil, p.fail("the end comes too soon")
	case p.parts > maxJSONParts:
		return nil, p.fail("it has too many parts")
	case depth > maxJSONDepth:
		return nil, p.fail("it is nested too deep")
	case next == '{':
		return p.object(depth)
	case next == '[':
		return p.array(depth)
	case next == '"':
		return p.text()
	default:
		return p.word()
	}
}

func (p *jsonParser) object(depth int) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: p.line}
	return n, p.list('}', func() error {
		if p.rest[0] != '"' {
			return p.fail("want a key in double quotes")
		}
		key, err := p.text()
		if err != nil {
			return err
		}
		if next, err := p.next(); err != nil || next != ':' {
			return p.fail("want a colon behind the key")
		}
		p.take(1)
		value, err := p.value(depth + 1)
		n.Content = append(n.Content, key, value)
		return err
	})
}

func (p *jsonParser) array(depth int) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: p.line}
	return n, p.list(']', func() error {
		item, err := p.value(depth + 1)
		n.Content = append(n.Content, item)
		return err
	})
}

// list reads items with commas between them, and the brackets around.
func (p *jsonParser) list(end byte, item func() error) error {
	p.take(1)
	for {
		next, err := p.next()
		if err != nil {
			return err
		}
		if next == end {
			p.take(1)
			return nil
		}
		if next == 0 {
			return p.fail("the end comes too soon")
		}
		if err := item(); err != nil {
			return err
		}
		switch next, err := p.next(); {
		case err != nil:
			return err
		case next == ',':
			p.take(1)
		case next != end:
			return p.fail(fmt.Sprintf("want a comma or %q", end))
		}
	}
}

func (p *jsonParser) text() (*yaml.Node, error) {
	end := 1
	for end < len(p.rest) && p.rest[end] != '"' && p.rest[end] != '\n' {
		if p.rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.rest) || p.rest[end] != '"' {
		return nil, p.fail("a string does not end on its line")
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Line: p.line}
	if err := json.Unmarshal(p.rest[:end+1], &n.Value); err != nil {
		return nil, p.fail("a string is not valid")
	}
	p.take(end + 1)
	return n, nil
}

func (p *jsonParser) word() (*yaml.Node, error) {
	end := bytes.IndexAny(p.rest, " \t\r\n,:]}/")
	if end < 0 {
		end = len(p.rest)
	}
	word := string(p.rest[:end])
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: word, Line: p.line}
	switch {
	case word == "true" || word == "false":
		n.Tag = "!!bool"
	case word == "null":
		n.Tag = "!!null"
	case !json.Valid([]byte(word)):
		return nil, p.fail("this is not JSON")
	case strings.ContainsAny(word, ".eE"):
		n.Tag = "!!float"
	default:
		n.Tag = "!!int"
	}
	p.take(end)
	return n, nil
}

func (p *jsonParser) fail(text string) error {
	return &Error{Pos: policy.Position{File: p.path, Line: p.line}, Text: "reading JSON: " + text}
}
