package hygiene

import (
	"bytes"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Suspect reports whether [Edits] may have anything to say of a definition, of
// which members are the ones that it has. That it has nothing to say is certain.
// It allocates nothing.
func Suspect(raw []byte, members []jsonrpc.Member) bool {
	for i := range members {
		if isIcons(members[i].Key) {
			return true
		}
	}
	return suspect(raw)
}

// Edits returns what is to be other in the definition of a tool, a prompt, a
// resource or a template when it is shown, in the order of the text; nil for
// nothing. raw must be a valid JSON object and not cut in capacity, as
// [jsonrpc.Splice] wants it.
//
// Shown are the name, the title and the description, those of its arguments
// without their names, the title among its annotations, and titles and
// descriptions anywhere in its schemas. A reader of structs may take a member of
// another case for one of these (encoding/json does), so case does not count,
// but in schemas.
func Edits(raw []byte) []jsonrpc.Edit {
	w := walker{raw: raw}
	w.space()
	w.definition()
	return w.edits
}

// A walker goes through valid JSON once. Its methods begin at a value and end
// behind it.
type walker struct {
	raw   []byte
	at    int
	edits []jsonrpc.Edit
}

func (w *walker) definition() {
	w.members(func(key []byte) {
		switch {
		case isShown(key), folds(key, "name"):
			w.text()
		case folds(key, "annotations"):
			w.titled()
		case folds(key, "arguments"):
			w.elements(w.titled)
		case folds(key, "inputSchema"), folds(key, "outputSchema"):
			w.schema()
		case isIcons(key):
			w.icons()
		default:
			w.skip()
		}
	})
}

func isShown(key []byte) bool { return folds(key, "title") || folds(key, "description") }

func isIcons(key []byte) bool { return folds(key, "icons") }

// folds reports whether a key is the same as another but for case.
func folds(key []byte, other string) bool { return bytes.EqualFold(key, []byte(other)) }

// titled is an object that has a title, a description, or both.
func (w *walker) titled() {
	w.members(func(key []byte) {
		if isShown(key) {
			w.text()
			return
		}
		w.skip()
	})
}

// schema is a JSON Schema, or a list of some. What a keyword means that is not
// known, is not known: a schema, perhaps.
func (w *walker) schema() {
	if w.raw[w.at] == '[' {
		w.elements(w.schema)
		return
	}
	w.members(func(key []byte) {
		switch string(key) {
		case "title", "description":
			w.text()
		case "enum", "const", "default", "examples", "example", "required":
			w.skip()
		case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies":
			w.members(func([]byte) { w.schema() }) // by names of its own
		default:
			w.schema()
		}
	})
}

// text is one that is shown, or something else.
func (w *walker) text() {
	if w.raw[w.at] != '"' {
		w.skip()
		return
	}
	quoted := w.quoted()
	if !suspect(quoted) {
		return
	}
	inner := quoted[1 : len(quoted)-1]
	cleaned := append(clean(append(make([]byte, 0, len(quoted)), '"'), inner, unescape), '"')
	if len(cleaned) < len(quoted) {
		w.edits = append(w.edits, jsonrpc.Edit{At: quoted, With: cleaned})
	}
}

// members goes through an object, with the value of each member; another value
// is skipped.
func (w *walker) members(value func(key []byte)) {
	if w.raw[w.at] != '{' {
		w.skip()
		return
	}
	w.at++
	for w.space(); w.raw[w.at] != '}'; w.space() {
		if w.raw[w.at] == ',' {
			w.at++
			w.space()
		}
		key := unquoted(w.quoted())
		w.space()
		w.at++ // the colon
		w.space()
		value(key)
	}
	w.at++
}

// unquoted is a JSON string's text.
func unquoted(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsonrpc.String(quoted) // it is one
	return []byte(text)
}

// elements goes through an array; another value is skipped.
func (w *walker) elements(value func()) {
	if w.raw[w.at] != '[' {
		w.skip()
		return
	}
	w.at++
	for w.space(); w.raw[w.at] != ']'; w.space() {
		if w.raw[w.at] == ',' {
			w.at++
			w.space()
		}
		value()
	}
	w.at++
}

// skip goes behind any value.
func (w *walker) skip() {
	depth := 0
	for {
		switch w.raw[w.at] {
		case '"':
			w.quoted()
		case '{', '[':
			depth++
			w.at++
		case '}', ']':
			depth--
			w.at++
		case ',', ':', ' ', '\t', '\r', '\n':
			w.at++
			continue
		default:
			w.literal()
		}
		if depth == 0 {
			return
		}
	}
}

// literal goes behind a number, true, false or null.
func (w *walker) literal() {
	for w.at < len(w.raw) && bytes.IndexByte([]byte(",]} \t\r\n"), w.raw[w.at]) < 0 {
		w.at++
	}
}

// quoted returns the string that begins here, quotes included.
func (w *walker) quoted() []byte {
	start := w.at
	for w.at++; w.raw[w.at] != '"'; w.at++ {
		if w.raw[w.at] == '\\' {
			w.at++
		}
	}
	w.at++
	return w.raw[start:w.at]
}

func (w *walker) space() {
	for {
		switch w.raw[w.at] {
		case ' ', '\t', '\r', '\n':
			w.at++
		default:
			return
		}
	}
}
