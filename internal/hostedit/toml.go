package hostedit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// TOML is TOML. An object becomes a table with a head of its own, and those within
// it tables below that one; a path of one key names a key at the top.
type TOML struct{}

var _ Language = TOML{}

// Find reads dates as texts.
func (TOML) Find(text []byte, path []string) ([]byte, error) {
	all, err := readStatements(text)
	if err != nil {
		return nil, err
	}
	n, err := all.find(path)
	if err != nil || n == nil {
		return nil, err
	}
	return compact.append(nil, n, ""), nil
}

// Missing is 0: a table needs no other around it.
func (TOML) Missing(text []byte, _ []string) (int, error) {
	_, err := readStatements(text)
	return 0, err
}

func (TOML) Set(text []byte, path []string, value []byte) ([]byte, error) {
	v, err := parseValue(value)
	if err != nil {
		return nil, err
	}
	if err := sayable(v); err != nil {
		return nil, err
	}
	tablesLast(v)
	all, err := readStatements(text)
	if err != nil {
		return nil, err
	}
	old, err := all.find(path)
	if err != nil {
		return nil, err
	}
	var after []byte
	switch {
	case old != nil && same(old, v):
		return text, nil
	case v.kind != '{':
		after, err = all.setKey(path, v)
	case old == nil:
		after, err = all.addTable(path, v)
	default:
		after, err = TOML{}.replaceTable(text, path, value)
	}
	if err != nil {
		return nil, err
	}
	return after, all.checked(after, path, v)
}

func (l TOML) replaceTable(text []byte, path []string, value []byte) ([]byte, error) {
	without, err := l.Remove(text, path, 0)
	if err != nil {
		return nil, err
	}
	return l.Set(without, path, value)
}

func (TOML) Remove(text []byte, path []string, _ int) ([]byte, error) {
	all, err := readStatements(text)
	if err != nil {
		return nil, err
	}
	if err := all.passable(path); err != nil {
		return nil, err
	}
	after := splice(text, all.cuts(path)...)
	return after, all.checked(after, path, nil)
}

// sayable reports what TOML has no word for.
func sayable(n *node) error {
	if n.text == "null" && n.kind == 0 {
		return errors.New("writing TOML: it has no null")
	}
	for _, m := range n.members {
		if err := sayable(m.value); err != nil {
			return err
		}
	}
	for _, item := range n.items {
		if err := sayable(item); err != nil {
			return err
		}
	}
	return nil
}

// tablesLast puts the members of objects into the order in which they are written: a
// table ends where the next one begins.
func tablesLast(n *node) {
	slices.SortStableFunc(n.members, func(a, b member) int {
		isTable := func(m member) int {
			if m.value.kind == '{' {
				return 1
			}
			return 0
		}
		return isTable(a) - isTable(b)
	})
	for _, m := range n.members {
		tablesLast(m.value)
	}
}

// hasPrefix reports whether a path leads to another one, or to what is below it.
func hasPrefix(path, prefix []string) bool {
	return len(path) >= len(prefix) && slices.Equal(path[:len(prefix)], prefix)
}

// find is the value at a path; nil if there is none.
func (s *statements) find(path []string) (*node, error) {
	if err := s.passable(path); err != nil {
		return nil, err
	}
	var found *node
	for i := range s.all {
		one := &s.all[i]
		if !hasPrefix(one.path, path) {
			continue
		}
		if one.kind == pair && len(one.path) == len(path) {
			return one.value, nil
		}
		if found == nil {
			found = &node{kind: '{'}
		}
		value := one.value
		if one.kind != pair {
			value = nil
		}
		if !found.put(one.path[len(path):], value) {
			return nil, s.fail(one, "what stands here stands above it too; take one out and try again")
		}
	}
	return found, nil
}

// put puts a value below an object, or makes a table there if it is nil. It
// reports false if there is one already.
func (n *node) put(path []string, value *node) bool {
	for i, name := range path {
		at := n.index(name)
		isLast := i == len(path)-1
		switch {
		case at < 0 && isLast && value != nil:
			n.members = append(n.members, member{name: name, value: value})
			return true
		case at < 0:
			n.members = append(n.members, member{name: name, value: &node{kind: '{'}})
			at = len(n.members) - 1
		case isLast && value != nil, n.members[at].value.kind != '{':
			return false
		}
		n = n.members[at].value
	}
	return true
}

// passable reports what stands in the way along a path: what is no table, and what
// is there twice.
func (s *statements) passable(path []string) error {
	count := 0
	for i := range s.all {
		one := &s.all[i]
		switch {
		case one.kind == arrayHead && (hasPrefix(path, one.path) || hasPrefix(one.path, path)):
			return s.fail(one, "%q is a list of tables; a table is wanted there", strings.Join(one.path, "."))
		case one.kind == pair && len(one.path) < len(path) && hasPrefix(path, one.path):
			return s.fail(one, "%q is written as a value here; write it as a table of its own, [%s], and try again",
				strings.Join(one.path, "."), strings.Join(one.path, "."))
		case slices.Equal(one.path, path):
			if count++; count > 1 {
				return s.fail(one, "%q stands here for the second time; take one out and try again", strings.Join(path, "."))
			}
		}
	}
	return nil
}

// setKey puts a value under a key of a table that is there.
func (s *statements) setKey(path []string, value *node) ([]byte, error) {
	text := appendTOML(nil, value)
	for _, one := range s.all {
		if one.kind == pair && slices.Equal(one.path, path) {
			return splice(s.text, cut{one.valueFrom, one.end, text}), nil
		}
	}
	table := path[:len(path)-1]
	last := -1
	for i := range s.all {
		if one := &s.all[i]; one.section >= 0 && s.all[one.section].kind == head && slices.Equal(s.all[one.section].path, table) {
			last = i
		}
	}
	if last < 0 {
		return nil, &Error{1, fmt.Sprintf("there is no table [%s] to put %q into", dotted(table), path[len(path)-1])}
	}
	from := s.all[last].from
	indent := s.text[from : from+blanks(s.text[from:])]
	line := append(appendTOMLKey(bytes.Clone(indent), path[len(path)-1]), " = "...)
	return s.insert(s.all[last].to, append(line, text...)), nil
}

// addTable puts a table behind those beside which it belongs, else at the end.
func (s *statements) addTable(path []string, value *node) ([]byte, error) {
	at := len(s.text)
	for i, one := range s.all {
		if one.section < 0 || i+1 < len(s.all) && s.all[i+1].section == one.section {
			continue // it is not the last of a table
		}
		if hasPrefix(s.all[one.section].path, path[:len(path)-1]) {
			at = s.before(i + 1)
		}
	}
	text := s.appendTable(nil, path, value)
	if at > s.first {
		text = append([]byte(s.eol), text...)
	}
	return s.insert(at, bytes.TrimSuffix(text, []byte(s.eol))), nil
}

// before is where a statement begins together with the comments right above it, and
// without the blank lines above these.
func (s *statements) before(i int) int {
	if i == len(s.all) {
		return len(s.text)
	}
	at := s.all[i].from
	for _, isWanted := range []func(line string) bool{
		func(line string) bool { return strings.HasPrefix(line, "#") },
		func(line string) bool { return line == "" },
	} {
		for above := s.lineAbove(at); at > s.all[i-1].to && isWanted(strings.TrimSpace(string(s.text[above:at]))); above = s.lineAbove(at) {
			at = above
		}
	}
	return at
}

// lineAbove is where the line begins that ends before the one at a place.
func (s *statements) lineAbove(at int) int {
	return max(s.first, bytes.LastIndexByte(s.text[:max(0, at-1)], '\n')+1)
}

// insert puts lines at the beginning of one; the last has no end yet. Where the
// text has no end of its last line it gets none now.
func (s *statements) insert(at int, lines []byte) []byte {
	if at > s.first && s.text[at-1] != '\n' {
		return splice(s.text, cut{at, at, append([]byte(s.eol), lines...)})
	}
	return splice(s.text, cut{at, at, append(lines, s.eol...)})
}

// cuts take out what is at a path and below it: pairs with their lines, tables
// with all that stands in them, and one blank line above.
func (s *statements) cuts(path []string) (all []cut) {
	for i := 0; i < len(s.all); i++ {
		one := &s.all[i]
		if !hasPrefix(one.path, path) {
			continue
		}
		from, to := one.from, one.to
		if one.kind != pair {
			for i+1 < len(s.all) && hasPrefix(s.all[s.all[i+1].section].path, path) {
				i++
				to = s.all[i].to
			}
			if above := s.lineAbove(from); above < from && len(bytes.TrimSpace(s.text[above:from])) == 0 {
				from = above
			}
		}
		if n := len(all); n > 0 && all[n-1].to >= from {
			all[n-1].to = to
		} else {
			all = append(all, cut{from, to, nil})
		}
	}
	if n := len(all); n > 0 && all[n-1].to == len(s.text) && s.text[len(s.text)-1] != '\n' {
		all[n-1].from = s.withoutEnd(all[n-1].from)
	}
	return all
}

// withoutEnd is where the line ends that stands above the one at a place.
func (s *statements) withoutEnd(at int) int {
	if at > s.first && s.text[at-1] == '\n' {
		at--
		if at > s.first && s.text[at-1] == '\r' {
			at--
		}
	}
	return at
}

// checked makes sure that a text has this value at the path, and otherwise what
// was there before.
func (s *statements) checked(after []byte, path []string, value *node) error {
	unsure := &Error{1, "its shape is not understood well enough to be edited by a program; change it by hand"}
	now, err := readStatements(after)
	if err != nil {
		return unsure
	}
	found, err := now.find(path)
	if err != nil || (found == nil) != (value == nil) || value != nil && !same(found, value) {
		return unsure
	}
	isOther := func(one statement) bool { return !hasPrefix(one.path, path) }
	if !slices.EqualFunc(s.where(isOther), now.where(isOther), sameStatement) {
		return unsure
	}
	return nil
}

func (s *statements) where(wanted func(statement) bool) (all []statement) {
	for _, one := range s.all {
		if wanted(one) {
			all = append(all, one)
		}
	}
	return all
}

func sameStatement(a, b statement) bool {
	return a.kind == b.kind && slices.Equal(a.path, b.path) && (a.kind != pair || same(a.value, b.value))
}

// appendTable writes a table, and those below it.
func (s *statements) appendTable(dst []byte, path []string, n *node) []byte {
	dst = append(dst, "["+dotted(path)+"]"+s.eol...)
	for _, m := range n.members {
		if m.value.kind != '{' {
			dst = append(appendTOMLKey(dst, m.name), " = "...)
			dst = append(appendTOML(dst, m.value), s.eol...)
		}
	}
	for _, m := range n.members {
		if m.value.kind == '{' {
			dst = append(dst, s.eol...)
			dst = s.appendTable(dst, append(slices.Clip(path), m.name), m.value)
		}
	}
	return dst
}

func dotted(path []string) string {
	var text []byte
	for i, key := range path {
		if i > 0 {
			text = append(text, '.')
		}
		text = appendTOMLKey(text, key)
	}
	return string(text)
}

func appendTOMLKey(dst []byte, key string) []byte {
	isBare := key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if isBare {
		return append(dst, key...)
	}
	return appendTOMLString(dst, key)
}

// appendTOMLString writes a string as JSON does, which TOML reads as the same, but
// for one character that it wants escaped.
func appendTOMLString(dst []byte, text string) []byte {
	from := len(dst)
	dst = jsonrpc.AppendString(dst, text)
	return append(dst[:from], bytes.ReplaceAll(dst[from:], []byte("\x7f"), []byte(`\u007F`))...)
}

// appendTOML writes a value on one line.
func appendTOML(dst []byte, n *node) []byte {
	switch n.kind {
	case '{':
		dst = append(dst, '{')
		for i, m := range n.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendTOMLKey(append(dst, ' '), m.name), " = "...)
			dst = appendTOML(dst, m.value)
		}
		return append(dst, " }"...)
	case '[':
		dst = append(dst, '[')
		for i, item := range n.items {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendTOML(dst, item)
		}
		return append(dst, ']')
	case '"':
		return appendTOMLString(dst, n.text)
	}
	return append(dst, n.text...)
}
