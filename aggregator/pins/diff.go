package pins

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/aggregator/canonical"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Difference is one place where two definitions differ.
type Difference struct {
	Path string // inputSchema.properties.path.type, required[], tags[2]; "" is all of it
	Old  []byte // raw JSON; nil if it is not there
	New  []byte // raw JSON; nil if it is not there
}

// Differences returns where two definitions differ, in the order of the old one
// and then of the new one. Spelling, white space and the order of members are no
// difference. nil stands for no definition: then every member of the other one is
// a difference.
func Differences(before, after []byte) []Difference {
	var d differ
	if _, err := canonical.Text(nil, orEmpty(before)); err != nil {
		return d.whole("", before, after)
	}
	if _, err := canonical.Text(nil, orEmpty(after)); err != nil {
		return d.whole("", before, after)
	}
	d.value("", before, after)
	return d.found
}

func orEmpty(raw []byte) []byte {
	if raw == nil {
		return []byte("{}")
	}
	return raw
}

// A differ gathers differences of values that canonical.Text takes.
type differ struct{ found []Difference }

func (d *differ) whole(path string, before, after []byte) []Difference {
	d.found = append(d.found, Difference{Path: path, Old: before, New: after})
	return d.found
}

func (d *differ) value(path string, before, after []byte) {
	if same(before, after) {
		return
	}
	if path == "" && (before == nil || after == nil) {
		before, after = emptied(before, after), emptied(after, before)
	}
	switch {
	case isObject(before) && isObject(after) && d.objects(path, before, after):
	case isArray(before) && isArray(after) && d.arrays(path, before, after):
	default:
		d.whole(path, before, after)
	}
}

// emptied is an empty object in place of nothing, beside an object.
func emptied(raw, other []byte) []byte {
	if raw == nil && isObject(other) {
		return []byte("{}")
	}
	return raw
}

func same(a, b []byte) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return bytes.Equal(a, b) || bytes.Equal(textOf(a), textOf(b))
}

// textOf is canonical.Text for what is known to be taken.
func textOf(raw []byte) []byte {
	text, _ := canonical.Text(nil, raw)
	return text
}

func isObject(raw []byte) bool { return len(raw) > 0 && raw[0] == '{' }
func isArray(raw []byte) bool  { return len(raw) > 0 && raw[0] == '[' }

// objects compares by members. It reports false for objects in which a member
// stands twice.
func (d *differ) objects(path string, before, after []byte) bool {
	old, oldKeys := uniqueMembers(before)
	fresh, freshKeys := uniqueMembers(after)
	if oldKeys == nil || freshKeys == nil {
		return false
	}
	for _, m := range old {
		d.value(joined(path, string(m.Key)), m.Value, freshKeys[string(m.Key)])
	}
	for _, m := range fresh {
		if _, both := oldKeys[string(m.Key)]; !both {
			d.value(joined(path, string(m.Key)), nil, m.Value)
		}
	}
	return true
}

func uniqueMembers(raw []byte) ([]jsonrpc.Member, map[string][]byte) {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, nil
	}
	values := make(map[string][]byte, len(members))
	for _, m := range members {
		values[string(m.Key)] = m.Value
	}
	if len(values) < len(members) {
		return nil, nil
	}
	return members, values
}

// arrays compares the elements, those of lists of words as sets. It reports
// false for what is better shown whole.
func (d *differ) arrays(path string, before, after []byte) bool {
	old, errOld := jsonrpc.ParseArray(nil, before)
	fresh, errFresh := jsonrpc.ParseArray(nil, after)
	if errOld != nil || errFresh != nil {
		return false
	}
	if scalars(old) && scalars(fresh) {
		return d.sets(path+"[]", old, fresh)
	}
	for i := range max(len(old), len(fresh)) {
		d.value(path+"["+strconv.Itoa(i)+"]", at(old, i), at(fresh, i))
	}
	return true
}

func scalars(elements [][]byte) bool {
	for _, e := range elements {
		if isObject(e) || isArray(e) {
			return false
		}
	}
	return true
}

func at(elements [][]byte, i int) []byte {
	if i < len(elements) {
		return elements[i]
	}
	return nil
}

// sets finds what is in one of them only. It reports false if only the order is
// another.
func (d *differ) sets(path string, old, fresh [][]byte) (found bool) {
	inOld, inFresh := countOf(old), countOf(fresh)
	for _, e := range old {
		if inFresh.take(e) {
			continue
		}
		found = true
		d.whole(path, e, nil)
	}
	for _, e := range fresh {
		if inOld.take(e) {
			continue
		}
		found = true
		d.whole(path, nil, e)
	}
	return found
}

// A count is how often each value is there, by its canonical text.
type count map[string]int

func countOf(elements [][]byte) count {
	c := make(count, len(elements))
	for _, e := range elements {
		c[string(textOf(e))]++
	}
	return c
}

// take takes one away. It reports false if there is none left.
func (c count) take(element []byte) bool {
	key := string(textOf(element))
	c[key]--
	return c[key] >= 0
}

// joined is the path of a member.
func joined(path, key string) string {
	switch {
	case key == "" || strings.ContainsFunc(key, unusual):
		return path + "[" + string(jsonrpc.AppendString(nil, key)) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// unusual reports whether a character of a key could be taken for the path's own.
func unusual(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$", r)
}
