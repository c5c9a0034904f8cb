package approval

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// maxDepth is how deep arrays and objects may stand in each other.
const maxDepth = 500

var errNotJSON = errors.New("not a JSON value of bounded depth")

// Canonical appends raw to dst without white space and with the members of each
// object in the order of their keys; those of one key keep theirs, since it may
// decide which of them counts. Names, strings and numbers stay as they are
// written: a server may read 1 and 1.0 as different.
func Canonical(dst, raw []byte) ([]byte, error) {
	if !jsonrpc.Valid(raw) {
		return nil, errNotJSON
	}
	c := canonizer{text: raw}
	return c.value(dst, 0)
}

// digest is that of the canonical form; "" stands for none.
func digest(raw []byte) (string, error) {
	if raw == nil {
		return "", nil
	}
	text, err := Canonical(nil, raw)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// canonizer reads JSON that is known to be valid, in one pass.
type canonizer struct {
	text []byte
	at   int
}

// next skips white space and returns what follows it.
func (c *canonizer) next() byte {
	for {
		switch b := c.text[c.at]; b {
		case ' ', '\t', '\n', '\r':
			c.at++
		default:
			return b
		}
	}
}

func (c *canonizer) value(dst []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errNotJSON
	}
	switch c.next() {
	case '{':
		return c.object(dst, depth+1)
	case '[':
		return c.array(dst, depth+1)
	case '"':
		return append(dst, c.str()...), nil
	}
	begin := c.at
	for c.at < len(c.text) && bytes.IndexByte([]byte(" \t\n\r,]}"), c.text[c.at]) < 0 {
		c.at++
	}
	return append(dst, c.text[begin:c.at]...), nil
}

func (c *canonizer) str() []byte {
	begin := c.at
	for c.at++; c.text[c.at] != '"'; c.at++ {
		if c.text[c.at] == '\\' {
			c.at++
		}
	}
	c.at++
	return c.text[begin:c.at]
}

func (c *canonizer) array(dst []byte, depth int) (_ []byte, err error) {
	c.at++
	dst = append(dst, '[')
	for first := true; c.next() != ']'; first = false {
		if !first {
			c.at++ // the comma
			dst = append(dst, ',')
		}
		if dst, err = c.value(dst, depth); err != nil {
			return nil, err
		}
	}
	c.at++
	return append(dst, ']'), nil
}

func (c *canonizer) object(dst []byte, depth int) (_ []byte, err error) {
	c.at++
	type member struct {
		key  string
		text []byte
	}
	var members []member
	for c.next() != '}' {
		if len(members) > 0 {
			c.at++ // the comma
			c.next()
		}
		name := c.str()
		key, err := jsonrpc.String(name)
		if err != nil {
			return nil, err
		}
		c.next()
		c.at++ // the colon
		text, err := c.value(append(slices.Clone(name), ':'), depth)
		if err != nil {
			return nil, err
		}
		members = append(members, member{key, text})
	}
	c.at++
	slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.key, b.key) })
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, m.text...)
	}
	return append(dst, '}'), nil
}
