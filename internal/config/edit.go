package config

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// An UneditableError is a file that weir cannot change without changing more than
// was asked for.
type UneditableError struct{ Why string }

func (e *UneditableError) Error() string {
	return "this file cannot be edited by a program, change it by hand: " + e.Why
}

// Edit makes a change in the text of an mcp.yaml. It touches no more than the lines
// of the entry, or the entry itself where a mapping is written in braces:
// comments, order and style stay. What comes out is read again, and says what
// the change means and nothing else, or Edit fails. An error is a *NameError, an
// *UneditableError, or why the text or the change cannot be understood. A change
// that is made already changes nothing.
//
// Whether the file as a whole still makes sense is for its reader to say.
func Edit(data []byte, change Change) ([]byte, error) {
	text, mark := bytes.TrimPrefix(data, []byte(byteOrderMark)), len(data)
	mark -= len(text)
	intended, err := editableTree(text)
	if err != nil {
		return nil, err
	}
	edits, err := change.plan(intended)
	if err != nil {
		return nil, err
	}
	for _, e := range edits {
		if text, err = e.apply(text); err != nil {
			return nil, err
		}
	}
	got, err := editableTree(text)
	if err != nil || !sameTree(intended, got, true) {
		return nil, &UneditableError{"its shape is not understood well enough"}
	}
	return slices.Concat(data[:mark], text), nil
}

const byteOrderMark = "\ufeff"

// editableTree is the tree of a text that Edit could change; an empty mapping of
// an empty text.
func editableTree(text []byte) (*yaml.Node, error) {
	lines := bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	if bytes.ContainsAny(lines, "\r\u0085\u2028\u2029") {
		return nil, &UneditableError{"its lines do not end as lines do here"}
	}
	root, err := parseYAML("mcp.yaml", text)
	switch {
	case err != nil:
		return nil, err
	case root == nil:
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, nil
	case root.Kind != yaml.MappingNode:
		return nil, &UneditableError{"it is no set of keys with values"}
	case isForeign(root):
		return nil, &UneditableError{"it has the shape of another program's file"}
	}
	for _, key := range []string{"servers", "aliases"} {
		if n := member(root, key); n != nil && n.Kind != yaml.MappingNode && n.ShortTag() != "!!null" {
			return nil, &UneditableError{fmt.Sprintf("%q is no set of keys with values", key)}
		}
	}
	return root, nil
}

// sameTree reports whether two trees say the same. Of the whole file, a key with
// nothing under it is as good as one with an empty mapping.
func sameTree(a, b *yaml.Node, file bool) bool {
	if a.Kind != b.Kind || a.ShortTag() != b.ShortTag() || a.Value != b.Value || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if file && isNothing(a.Content[i]) && isNothing(b.Content[i]) {
			continue
		}
		if !sameTree(a.Content[i], b.Content[i], false) {
			return false
		}
	}
	return true
}

func isNothing(n *yaml.Node) bool {
	return len(n.Content) == 0 && (n.Kind == yaml.MappingNode || n.ShortTag() == "!!null")
}

// An edit is one of an entry of a mapping that stands under a key of the file.
type edit struct {
	key, name string
	value     *yaml.Node // to be added; nil for none
	enabled   *bool      // to be set in the entry; nil for none
}

func (e edit) apply(data []byte) ([]byte, error) {
	root, err := editableTree(data)
	if err != nil {
		return nil, err
	}
	t := newSource(data)
	mapping := member(root, e.key)
	switch {
	case e.value != nil:
		return t.add(root, mapping, e)
	case mapping == nil || member(mapping, e.name) == nil:
		return nil, errLost
	case e.enabled != nil:
		return t.setEnabled(mapping, e)
	default:
		return t.remove(root, mapping, e)
	}
}

// errLost is of an entry that is not where it was read: behind an alias, say.
var errLost = &UneditableError{"what is to be changed stands somewhere else than it is used"}

// A source is a text with its lines.
type source struct {
	data  []byte
	lines []int  // where each begins, and the end of the last
	end   string // of lines
}

func newSource(data []byte) *source {
	t := &source{data: data, lines: []int{0}, end: "\n"}
	for i, c := range data {
		if c == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	if t.lines[len(t.lines)-1] != len(data) {
		t.lines = append(t.lines, len(data))
	}
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		t.end = "\r\n"
	}
	return t
}

// line is the text of a line, counted from 1, without its end.
func (t *source) line(n int) string {
	return strings.TrimRight(string(t.data[t.lines[n-1]:t.lines[n]]), "\r\n")
}

// count is how many lines there are.
func (t *source) count() int { return len(t.lines) - 1 }

// offset is where a node begins: the parser counts characters.
func (t *source) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line > t.count() {
		return len(t.data)
	}
	at := t.lines[n.Line-1]
	column := 1
	for i := range t.line(n.Line) {
		if column == n.Column {
			return at + i
		}
		column++
	}
	return at + len(t.line(n.Line))
}

// splice is the text with what stands from one offset to another replaced.
func (t *source) splice(from, to int, with string) []byte {
	return slices.Concat(t.data[:from], []byte(with), t.data[to:])
}

// insert puts lines behind line n, in the manner of the text: where that has no
// end of its last line it gets none now.
func (t *source) insert(n int, lines []string) []byte {
	at := t.lines[n]
	text := strings.Join(lines, t.end)
	if at > 0 && t.data[at-1] != '\n' {
		return t.splice(at, at, t.end+text)
	}
	return t.splice(at, at, text+t.end)
}

// cut takes out the lines from first to last.
func (t *source) cut(first, last int) []byte {
	from, to := t.lines[first-1], t.lines[last]
	if to == len(t.data) && to > 0 && t.data[to-1] != '\n' && from > 0 {
		from-- // the end of the line before
		if from > 0 && t.data[from-1] == '\r' {
			from--
		}
	}
	return t.splice(from, to, "")
}

func (t *source) add(root, mapping *yaml.Node, e edit) ([]byte, error) {
	switch {
	case mapping == nil && isFlow(root):
		return t.addFlow(root, e.key, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar(e.name), e.value}})
	case mapping == nil:
		lines := append([]string{e.key + ":"}, block(e.name, e.value, "  ", "  ")...)
		return t.insert(t.count(), lines), nil
	case isFlow(mapping):
		return t.addFlow(mapping, e.name, e.value)
	case len(mapping.Content) > 0:
		first := mapping.Content[0]
		last := t.lastLine(root, mapping, len(mapping.Content)-2)
		indent := strings.Repeat(" ", first.Column-1)
		return t.insert(last, block(e.name, e.value, indent, cmp.Or(indent, "  "))), nil
	case mapping.Value != "":
		at := t.offset(mapping)
		t = newSource(t.splice(at, at+len(mapping.Value), ""))
	}
	key := keyOf(root, e.key)
	return t.insert(key.Line, block(e.name, e.value, strings.Repeat(" ", key.Column+1), "  ")), nil
}

func isFlow(n *yaml.Node) bool { return n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0 }

// keyOf is the node of a key that is there.
func keyOf(m *yaml.Node, key string) *yaml.Node {
	i := slices.IndexFunc(m.Content, func(n *yaml.Node) bool { return n.Value == key })
	return m.Content[i]
}

// lastLine is the last line of the entry at i of a mapping in block style that
// stands under a key of root. Blank lines and comments behind it are not its own,
// unless they are indented more than its key.
func (t *source) lastLine(root, mapping *yaml.Node, i int) int {
	next := t.count() + 1
	if i+2 < len(mapping.Content) {
		next = mapping.Content[i+2].Line
	} else {
		for k := 0; k+1 < len(root.Content); k += 2 {
			if line := root.Content[k].Line; line > mapping.Content[i].Line {
				next = min(next, line)
			}
		}
	}
	indent := mapping.Content[i].Column - 1
	for next--; next > mapping.Content[i].Line && isBeside(t.line(next), indent); next-- {
	}
	return next
}

func isBeside(line string, indent int) bool {
	text := strings.TrimLeft(line, " ")
	switch {
	case strings.TrimSpace(text) == "", line == "...", line == "---":
		return true
	}
	return text[0] == '#' && len(line)-len(text) <= indent
}

func (t *source) remove(root, mapping *yaml.Node, e edit) ([]byte, error) {
	i := slices.Index(mapping.Content, keyOf(mapping, e.name))
	if isFlow(mapping) {
		return t.removeFlow(mapping, i)
	}
	return t.cut(mapping.Content[i].Line, t.lastLine(root, mapping, i)), nil
}

func (t *source) setEnabled(mapping *yaml.Node, e edit) ([]byte, error) {
	server := member(mapping, e.name)
	word := fmt.Sprint(*e.enabled)
	if now := member(server, "enabled"); now != nil {
		at := t.offset(now)
		if now.Style != 0 || !bytes.HasPrefix(t.data[at:], []byte(now.Value)) {
			return nil, &UneditableError{`"enabled" is written in an unusual way`}
		}
		return t.splice(at, at+len(now.Value), word), nil
	}
	if isFlow(server) {
		at := t.offset(server)
		if at >= len(t.data) || t.data[at] != '{' {
			return nil, errUnusual
		}
		text := "enabled: " + word
		if len(server.Content) > 0 {
			text = flowKey("enabled", isQuoted(server.Content[0])) + ": " + word + ", "
		}
		return t.splice(at+1, at+1, text), nil
	}
	key := keyOf(mapping, e.name)
	if len(server.Content) == 0 || server.Content[0].Line == key.Line {
		return nil, errUnusual
	}
	return t.insert(key.Line, []string{strings.Repeat(" ", server.Content[0].Column-1) + "enabled: " + word}), nil
}

var errUnusual = &UneditableError{"the entry is written in an unusual way"}

// block is the lines of an entry in block style; those within it are indented by
// one step more.
func block(name string, value *yaml.Node, indent, step string) []string {
	switch {
	case value.Kind == yaml.MappingNode && len(value.Content) > 0:
		lines := []string{indent + plainOrQuoted(name) + ":"}
		for i := 0; i+1 < len(value.Content); i += 2 {
			lines = append(lines, block(value.Content[i].Value, value.Content[i+1], indent+step, step)...)
		}
		return lines
	case value.Kind == yaml.ScalarNode:
		return []string{indent + plainOrQuoted(name) + ": " + scalarText(value, false)}
	}
	return []string{indent + plainOrQuoted(name) + ": " + flow(value, true)}
}

// flow is a value on one line.
func flow(n *yaml.Node, quoted bool) string {
	var parts []string
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, flowKey(n.Content[i].Value, quoted)+": "+flow(n.Content[i+1], quoted))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		for _, item := range n.Content {
			parts = append(parts, flow(item, quoted))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.ScalarNode, yaml.DocumentNode, yaml.AliasNode: // a change has no others than scalars
	}
	return scalarText(n, quoted)
}

// scalarText is a scalar as it is written: what is no text stands as it is.
func scalarText(n *yaml.Node, quoted bool) string {
	if n.ShortTag() != "!!str" {
		return n.Value
	}
	return flowKey(n.Value, quoted)
}

func flowKey(text string, quoted bool) string {
	if quoted {
		return quote(text)
	}
	return plainOrQuoted(text)
}

func isQuoted(n *yaml.Node) bool { return n.Style&yaml.DoubleQuotedStyle != 0 }

// plainOrQuoted writes a text without quotes where everybody reads it as that
// text, in braces and outside.
func plainOrQuoted(text string) string {
	plain := text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !isWord(r) && !strings.ContainsRune("-./@", r)
	}) && (isWord(rune(text[0])) || text[0] == '/')
	var n yaml.Node
	if plain && yaml.Unmarshal([]byte(text), &n) == nil && n.Content[0].ShortTag() == "!!str" && n.Content[0].Value == text && !isOldWord(text) {
		return text
	}
	return quote(text)
}

// isOldWord reports whether YAML 1.1 takes a word for something else than text.
func isOldWord(text string) bool {
	return slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(text))
}

// quote writes a text in a way that JSON and YAML read as the same.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// addFlow adds an entry behind the others of a mapping in braces.
func (t *source) addFlow(mapping *yaml.Node, name string, value *yaml.Node) ([]byte, error) {
	f, err := t.braces(mapping)
	if err != nil {
		return nil, err
	}
	if len(mapping.Content) == 0 {
		return t.splice(f.open+1, f.open+1, flowKey(name, false)+": "+flow(value, false)), nil
	}
	last := mapping.Content[len(mapping.Content)-2]
	entry := flowKey(name, isQuoted(last)) + ": " + flow(value, isQuoted(last))
	gap := " "
	if before := string(t.data[t.lines[last.Line-1]:t.offset(last)]); strings.TrimSpace(before) == "" && last.Line != mapping.Line {
		gap = t.end + before
	}
	if f.trailing() {
		return t.splice(f.last, f.last, gap+entry+","), nil
	}
	return t.splice(f.last, f.last, ","+gap+entry), nil
}

// removeFlow removes the entry whose key is at i of a mapping in braces.
func (t *source) removeFlow(mapping *yaml.Node, i int) ([]byte, error) {
	f, err := t.braces(mapping)
	if err != nil {
		return nil, err
	}
	key := t.offset(mapping.Content[i])
	switch {
	case i+2 < len(mapping.Content):
		return t.splice(key, t.offset(mapping.Content[i+2]), ""), nil
	case i == 0:
		return t.splice(key, f.last, ""), nil
	case i/2 > len(f.commas):
		return nil, errUnusual
	}
	comma := f.commas[i/2-1]
	if f.trailing() {
		comma++
	}
	return t.splice(comma, f.last, ""), nil
}

// A braced is where the parts of a mapping in braces stand.
type braced struct {
	open   int
	commas []int // between and behind its entries
	last   int   // behind the last character that is neither white space nor comment
}

// trailing reports whether a comma stands behind the last entry.
func (f *braced) trailing() bool { return len(f.commas) > 0 && f.commas[len(f.commas)-1] == f.last-1 }

// braces finds the parts of a mapping in braces. It knows enough of YAML for what
// people write; what it takes for something else is found when the text is read
// again.
func (t *source) braces(n *yaml.Node) (*braced, error) {
	f := &braced{open: t.offset(n)}
	if f.open >= len(t.data) || t.data[f.open] != '{' {
		return nil, errUnusual
	}
	depth, fresh := 0, true // fresh: a value may begin here
	for i := f.open; i < len(t.data); i++ {
		switch c := t.data[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c == '#' && strings.ContainsRune(" \t\n", rune(t.data[i-1])):
			for i < len(t.data) && t.data[i] != '\n' {
				i++
			}
			continue
		case c == '{' || c == '[':
			depth++
			fresh = true
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return f, nil
			}
			fresh = false
		case c == ',' || c == ':':
			if c == ',' && depth == 1 {
				f.commas = append(f.commas, i)
			}
			fresh = true
		case fresh && (c == '"' || c == '\''):
			i = endOfQuotes(t.data, i)
			fresh = false
		default:
			fresh = false
		}
		f.last = i + 1
	}
	return nil, errUnusual
}

// endOfQuotes is where the quotes close that open at i; the end of the text if
// they do not.
func endOfQuotes(text []byte, i int) int {
	q := text[i]
	for i++; i < len(text); i++ {
		switch {
		case q == '"' && text[i] == '\\':
			i++
		case text[i] == q && q == '\'' && i+1 < len(text) && text[i+1] == q:
			i++
		case text[i] == q:
			return i
		}
	}
	return len(text) - 1
}
