package config

import (
	"math"
	"strconv"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A jsonText is a value of any shape, as JSON: keys in their order, numbers as they
// are written where JSON has that.
type jsonText struct {
	raw []byte
	pos policy.Position
}

func (t *jsonText) decode(d *decoder, n *yaml.Node) {
	before := len(d.errs)
	raw := d.appendJSON(nil, n, 0)
	if len(d.errs) == before {
		*t = jsonText{raw, d.pos(n)}
	}
}

// or returns the JSON of t; nil for its absence.
func (t *jsonText) or() []byte {
	if t == nil {
		return nil
	}
	return t.raw
}

func (d *decoder) appendJSON(dst []byte, n *yaml.Node, depth int) []byte {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if d.units += 1 + len(n.Value); d.units > maxUnits || depth > maxJSONDepth {
		if depth > maxJSONDepth || d.units-1-len(n.Value) <= maxUnits {
			d.fail(n, "this is too large, or nested too deeply")
		}
		return dst
	}
	switch n.Kind {
	case yaml.MappingNode:
		dst = append(dst, '{')
		first := true
		d.pairs(n, func(key, value *yaml.Node) {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(jsonrpc.AppendString(dst, key.Value), ':')
			d.path = append(d.path, key.Value)
			dst = d.appendJSON(dst, value, depth+1)
			d.path = d.path[:len(d.path)-1]
		})
		return append(dst, '}')
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, item := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = d.appendJSON(dst, item, depth+1)
		}
		return append(dst, ']')
	default:
		return d.appendScalar(dst, n)
	}
}

func (d *decoder) appendScalar(dst []byte, n *yaml.Node) []byte {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return jsonrpc.AppendString(dst, n.Value)
	case "!!null":
		return append(dst, "null"...)
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return strconv.AppendBool(dst, b)
		}
	case "!!int", "!!float":
		return d.appendNumber(dst, n)
	}
	d.wrongType(n, "text, a number, true, false, null, a list, or keys with values")
	return dst
}

// appendNumber keeps what JSON can read as it is written.
func (d *decoder) appendNumber(dst []byte, n *yaml.Node) []byte {
	if jsonrpc.Valid([]byte(n.Value)) {
		return append(dst, n.Value...)
	}
	var whole int64
	if n.Decode(&whole) == nil {
		return strconv.AppendInt(dst, whole, 10)
	}
	var f float64
	if n.Decode(&f) != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		d.fail(n, "JSON has no such number")
		return dst
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}
