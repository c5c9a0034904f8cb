package schema

import (
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The bounds of a schema.
const (
	maxText  = 1 << 20 // bytes
	maxNodes = 20_000
	maxDepth = 100 // of schemas in schemas
)

// A Schema is ready to check values. It is immutable, and safe for concurrent
// use.
type Schema struct {
	root  *node
	notes bool // some node asks which members or items others have looked at
}

// A node is one schema of those that a schema consists of.
type node struct {
	never bool // the schema false
	types types
	enum  []*value // nil = any; that of const has one

	multipleOf, minimum, maximum, above, below *number
	minLength, maxLength                       *int
	pattern                                    *pattern

	properties         []named
	property           map[string]*node
	patternProperties  []patterned
	additional         *node
	propertyNames      *node
	required           []string
	minMembers         *int
	maxMembers         *int
	dependentRequired  []dependency
	dependentSchemas   []named
	unevaluatedMembers *node

	prefix           []*node
	items            *node
	contains         *node
	minContains      *int
	maxContains      *int
	minItems         *int
	maxItems         *int
	unique           bool
	unevaluatedItems *node

	ref                 *node
	allOf, anyOf, oneOf []*node
	not                 *node
	cond, then, other   *node // if, then, else
}

type named struct {
	name string
	node *node
}

type patterned struct {
	pattern *pattern
	node    *node
}

// A pattern is a regular expression, and how much work each byte is for it.
type pattern struct {
	*regexp.Regexp
	size int
}

type dependency struct {
	name  string
	needs []string
}

// Compile reads a JSON Schema. It keeps nothing of raw.
func Compile(raw []byte) (*Schema, error) {
	if len(raw) > maxText {
		return nil, fmt.Errorf("schema has %d bytes, more than %d", len(raw), maxText)
	}
	if !jsonrpc.Valid(raw) {
		return nil, errors.New("schema is not JSON")
	}
	c := &compiler{text: raw, nodes: map[int]*node{}, resources: map[string][]byte{}, anchors: map[string][]byte{}, bases: map[int]*url.URL{}}
	if err := c.draft(); err != nil {
		return nil, err
	}
	base := &url.URL{}
	c.resources[base.String()] = raw
	if err := c.index(raw, base, 0); err != nil {
		return nil, err
	}
	root, err := c.compile(raw, base, 0)
	if err != nil {
		return nil, err
	}
	if err := c.follow(); err != nil {
		return nil, err
	}
	return &Schema{root: root, notes: c.notes}, nil
}

// A compiler makes nodes of one text.
type compiler struct {
	text  []byte
	old   bool // draft-07
	notes bool

	nodes map[int]*node // by where they stand in the text
	open  []reference   // to be followed

	// What references can name: the schemas with an $id by that, and anchors with
	// it before them. bases are the $ids that hold where a schema stands.
	resources map[string][]byte
	anchors   map[string][]byte
	bases     map[int]*url.URL
}

type reference struct {
	from *node
	to   string
	base *url.URL
}

// draft finds out which draft the schema is of.
func (c *compiler) draft() error {
	members, err := jsonrpc.ParseObject(nil, c.text)
	if err != nil {
		return nil // true and false are schemas too; what else it is, compile says
	}
	raw := jsonrpc.Find(members, "$schema")
	if raw == nil {
		return nil
	}
	text, err := jsonrpc.String(raw)
	if err != nil {
		return errors.New("$schema is no text")
	}
	_, name, _ := strings.Cut(strings.TrimRight(text, "#/"), "://json-schema.org/")
	switch name {
	case "draft/2020-12/schema":
	case "draft-07/schema":
		c.old = true
	default:
		return fmt.Errorf("a schema of an unknown draft (%.100q; known are 2020-12 and draft-07)", text)
	}
	return nil
}

// offset is where a part of the text begins.
func (c *compiler) offset(part []byte) int { return cap(c.text) - cap(part) }

// index finds all $ids and anchors.
func (c *compiler) index(raw []byte, base *url.URL, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("schema is nested deeper than %d", maxDepth)
	}
	if raw[0] != '{' {
		return nil
	}
	if len(c.bases) >= maxNodes {
		return fmt.Errorf("schema has more than %d parts", maxNodes)
	}
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return err
	}
	if base, err = c.identify(raw, members, base); err != nil {
		return err
	}
	c.bases[c.offset(raw)] = base
	for i := range members {
		for _, sub := range subschemas(&members[i]) {
			if err := c.index(sub, base, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// identify notes the names that a schema gives itself, and returns the base of
// the references in it.
func (c *compiler) identify(raw []byte, members []jsonrpc.Member, base *url.URL) (*url.URL, error) {
	if c.old && jsonrpc.Find(members, "$ref") != nil {
		return base, nil // draft-07, 8.3: all beside $ref is ignored
	}
	if id, err := jsonrpc.String(jsonrpc.Find(members, "$id")); err == nil {
		if anchor, is := strings.CutPrefix(id, "#"); is {
			c.anchors[base.String()+"#"+anchor] = raw
			return base, nil
		}
		u, err := url.Parse(id)
		if err != nil {
			return nil, fmt.Errorf("$id %.100q is no URI", id)
		}
		base = base.ResolveReference(u)
		base.Fragment = ""
		c.resources[base.String()] = raw
	}
	if anchor, err := jsonrpc.String(jsonrpc.Find(members, "$anchor")); err == nil && !c.old {
		c.anchors[base.String()+"#"+anchor] = raw
	}
	return base, nil
}

// subschemas are the schemas in the value of a keyword.
func subschemas(m *jsonrpc.Member) (subs [][]byte) {
	switch string(m.Key) {
	case "$defs", "definitions", "properties", "patternProperties", "dependentSchemas", "dependencies":
		members, err := jsonrpc.ParseObject(nil, m.Value)
		if err != nil {
			return nil
		}
		for i := range members {
			subs = append(subs, members[i].Value)
		}
	case "allOf", "anyOf", "oneOf", "prefixItems", "items":
		list, err := jsonrpc.ParseArray(nil, m.Value)
		if err != nil {
			return [][]byte{m.Value}
		}
		return list
	case "not", "if", "then", "else", "additionalItems", "contains", "unevaluatedItems",
		"additionalProperties", "propertyNames", "unevaluatedProperties":
		return [][]byte{m.Value}
	}
	return subs
}

// follow gives all references what they name, which may have further ones.
func (c *compiler) follow() error {
	for len(c.open) > 0 {
		r := c.open[len(c.open)-1]
		c.open = c.open[:len(c.open)-1]
		raw, base, err := c.find(r)
		if err != nil {
			return fmt.Errorf("reference %.100q: %w", r.to, err)
		}
		if r.from.ref, err = c.compile(raw, base, 0); err != nil {
			return err
		}
	}
	return nil
}

// find returns the text that a reference names, and the base of references
// within.
func (c *compiler) find(r reference) ([]byte, *url.URL, error) {
	to, err := url.Parse(r.to)
	if err != nil {
		return nil, nil, errors.New("it is no URI")
	}
	base := r.base.ResolveReference(to)
	fragment := base.Fragment
	base.Fragment, base.RawFragment = "", ""
	raw := c.resources[base.String()]
	if raw == nil {
		return nil, nil, errors.New("it leads out of the schema, and nothing is fetched")
	}
	if fragment != "" && fragment[0] != '/' {
		raw = c.anchors[base.String()+"#"+fragment]
	} else {
		raw = at(raw, fragment)
	}
	if raw == nil {
		return nil, nil, errors.New("there is nothing there")
	}
	if own := c.bases[c.offset(raw)]; own != nil {
		base = own
	}
	return raw, base, nil
}

// at follows a JSON pointer (RFC 6901); nil if it leads nowhere.
func at(raw []byte, pointer string) []byte {
	if pointer == "" {
		return raw
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for _, step := range strings.Split(pointer[1:], "/") {
		if raw == nil {
			return nil
		}
		if raw[0] == '[' {
			list, err := jsonrpc.ParseArray(nil, raw)
			i, numErr := strconv.Atoi(step)
			if err != nil || numErr != nil || i < 0 || i >= len(list) {
				return nil
			}
			raw = list[i]
			continue
		}
		members, err := jsonrpc.ParseObject(nil, raw)
		if err != nil {
			return nil
		}
		raw = jsonrpc.Find(members, unescape.Replace(step))
	}
	return raw
}

// compile makes the node of a schema, or returns it if there is one.
func (c *compiler) compile(raw []byte, base *url.URL, depth int) (*node, error) {
	place := c.offset(raw)
	if n := c.nodes[place]; n != nil {
		return n, nil
	}
	switch {
	case depth > maxDepth:
		return nil, fmt.Errorf("schema is nested deeper than %d", maxDepth)
	case len(c.nodes) >= maxNodes:
		return nil, fmt.Errorf("schema has more than %d parts", maxNodes)
	}
	n := &node{}
	c.nodes[place] = n
	switch {
	case string(raw) == "true":
		return n, nil
	case string(raw) == "false":
		n.never = true
		return n, nil
	case raw[0] != '{':
		return nil, fmt.Errorf("a schema must be an object or a boolean, not %.40s", raw)
	}
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, err
	}
	if own := c.bases[place]; own != nil {
		base = own
	}
	r := &reader{c: c, n: n, members: members, base: base, depth: depth}
	r.read()
	return n, r.err
}

// compilePattern makes a pattern of one of ECMA-262.
func compilePattern(text string) (*pattern, error) {
	parsed, err := syntax.Parse(goPattern(text), syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("pattern %.100q is not supported", text)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("pattern %.100q is not supported", text)
	}
	re, err := regexp.Compile(goPattern(text))
	return &pattern{re, len(program.Inst)}, err
}

// goPattern writes a pattern of ECMA-262 as package regexp has it. Most are the
// same.
func goPattern(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '\\' || i+1 == len(pattern) {
			b.WriteByte(pattern[i])
			continue
		}
		i++
		if pattern[i] == 'u' && i+4 < len(pattern) {
			if _, err := strconv.ParseUint(pattern[i+1:i+5], 16, 32); err == nil {
				b.WriteString(`\x{` + pattern[i+1:i+5] + `}`)
				i += 4
				continue
			}
		}
		b.WriteByte('\\')
		b.WriteByte(pattern[i])
	}
	return b.String()
}

// A number is exact, and remembers how it was written.
type number struct {
	rat  *big.Rat
	text string
}
