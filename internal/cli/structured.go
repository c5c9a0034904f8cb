package cli

import (
	"bytes"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/aggregator/canonical"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A structured is the structuredContent of a result, as it is to be shown.
type structured struct {
	value []byte // raw: the one member of an object that only wraps it, else all

	spelled map[canonical.Digest]bool // whatever a text block would repeat
}

// newStructured looks at structuredContent, which may be nil. Servers repeat it as
// text for hosts that do not know it; some repeat each element of a list in a block
// of its own, and wrap what is no object into one.
func newStructured(raw []byte) *structured {
	s := &structured{value: raw, spelled: make(map[canonical.Digest]bool)}
	if raw == nil {
		return s
	}
	s.spelled[canonical.DigestOf(raw)] = true
	if members, _ := jsonrpc.ParseObject(nil, raw); len(members) == 1 && string(members[0].Key) == "result" {
		s.value = members[0].Value
		s.spelled[canonical.DigestOf(s.value)] = true
	}
	elements, _ := jsonrpc.ParseArray(nil, s.value)
	for _, e := range elements {
		s.spelled[canonical.DigestOf(e)] = true
	}
	return s
}

// isRepeatedBy reports whether a block is a text that is nothing but an object or a
// list of the structure, so that the structure is the better way to show it.
func (s *structured) isRepeatedBy(raw []byte) bool {
	text := []byte(strings.TrimSpace(blockText(raw)))
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	return s.spelled[canonical.DigestOf(text)]
}

// isSaidBy reports whether a block is the text of a structure that is but a text, a
// number or the like.
func (s *structured) isSaidBy(raw []byte) bool {
	return s.value != nil && isScalar(s.value) && blockText(raw) == scalarText(s.value)
}

// blockText is the text of a text block; "" of another one.
func blockText(raw []byte) string {
	block, _ := jsonrpc.ParseObject(nil, raw)
	if textOf(block, "type") != "text" {
		return ""
	}
	return textOf(block, "text")
}

// value shows a JSON value to a person: a list of flat objects is a table, an
// object its members in lines, and what is nested deeper stands as it is.
func (v *view) value(raw []byte) {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err == nil && len(members) > 0 {
		v.members(members)
		return
	}
	v.plainValue(raw)
}

// plainValue is value of what is no object.
func (v *view) plainValue(raw []byte) {
	elements, err := jsonrpc.ParseArray(nil, raw)
	switch {
	case isScalar(raw):
		v.line(scalarText(raw))
	case err == nil && len(elements) > 0 && all(elements, isFlat):
		v.rows(elements)
	case err == nil && len(elements) > 0 && all(elements, isScalar):
		for _, e := range elements {
			v.line(scalarText(e))
		}
	default:
		v.line(indented(raw))
	}
}

// members shows an object: the scalars first as they stand, in two columns, then
// the rest under their names.
func (v *view) members(members []jsonrpc.Member) {
	var nested []jsonrpc.Member
	scalars := slices.DeleteFunc(slices.Clone(members), func(m jsonrpc.Member) bool {
		if !isScalar(m.Value) {
			nested = append(nested, m)
			return true
		}
		return false
	})
	v.pairs(scalars)
	for _, m := range nested {
		printLine(v.out, v.paint.bold(printable(string(m.Key)))+":")
		v.plainValue(m.Value)
	}
}

// pairs shows names and their values, the values beneath each other.
func (v *view) pairs(members []jsonrpc.Member) {
	t := table{}
	for _, m := range members {
		t.rows = append(t.rows, []cell{{string(m.Key), v.paint.dim}, plain(scalarText(m.Value))})
	}
	if len(t.rows) > 0 {
		t.printRows(v.out, v.width)
	}
}

// rows shows objects in a table, whose columns are all the keys that they have. A
// terminal that is too narrow for so many gets one object beneath the other.
func (v *view) rows(objects [][]byte) {
	if t := tableOf(objects); t != nil && t.fits(v.width) {
		t.print(v.out, v.paint, v.width)
		return
	}
	for i, raw := range objects {
		if i > 0 {
			v.line("")
		}
		members, _ := jsonrpc.ParseObject(nil, raw)
		v.pairs(members)
	}
}

// maxColumns is how many columns nobody looks for more in.
const maxColumns = 40

// tableOf is the table of some objects; nil if that had too many columns.
func tableOf(objects [][]byte) *table {
	t := &table{even: true}
	column := make(map[string]int)
	for _, raw := range objects {
		members, _ := jsonrpc.ParseObject(nil, raw)
		row := make([]cell, maxColumns)
		for _, m := range members {
			i, known := column[string(m.Key)]
			if !known && len(column) == maxColumns {
				return nil
			}
			if !known {
				i = len(column)
				column[string(m.Key)] = i
				t.head = append(t.head, string(m.Key))
			}
			row[i] = plain(scalarText(m.Value))
		}
		t.rows = append(t.rows, row)
	}
	for i := range t.rows {
		t.rows[i] = t.rows[i][:len(t.head)]
	}
	return t
}

func all(values [][]byte, is func([]byte) bool) bool {
	return !slices.ContainsFunc(values, func(raw []byte) bool { return !is(raw) })
}

// isFlat reports whether a value is an object without objects and lists in it.
func isFlat(raw []byte) bool {
	members, err := jsonrpc.ParseObject(nil, raw)
	return err == nil && len(members) > 0 &&
		!slices.ContainsFunc(members, func(m jsonrpc.Member) bool { return !isScalar(m.Value) })
}

func isScalar(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) > 0 && raw[0] != '{' && raw[0] != '['
}

// scalarText is what a person reads of a text, a number, a boolean; "" of null.
func scalarText(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if text, err := jsonrpc.String(raw); err == nil {
		return text
	}
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}
