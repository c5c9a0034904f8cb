package search

import (
	"bytes"
	"iter"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Bounds of what is read of one definition: enough for any that helps a reader, and
// little enough for one that is made to fill the memory.
const (
	maxText  = 4 << 10 // bytes of one text
	maxDepth = 6       // of schemas within the schema of the arguments
	maxTexts = 500     // texts in that
)

// Tool adds the definition of a tool as it stands in a list, by the server that has
// it. What is no object, or is none where one should be, is passed over.
func (b *Builder) Tool(server string, definition []byte) {
	b.Begin()
	b.Text(Server, []byte(server))
	for key, value := range b.members(definition) {
		switch string(key) {
		case "name":
			b.raw(Name, value)
		case "title":
			b.raw(Title, value)
		case "description":
			b.raw(Description, value)
		case "annotations":
			b.annotations(value)
		case "inputSchema":
			r := schemaReader{b: b, texts: maxTexts}
			r.schema(value, 0)
		}
	}
}

// members are those of an object; anything else has none.
func (b *Builder) members(raw []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		if len(raw) == 0 || raw[0] != '{' {
			return
		}
		from := len(b.room)
		members, err := jsonrpc.ParseObject(b.room, raw)
		if err != nil {
			return
		}
		b.room = members
		for _, m := range members[from:] {
			if !yield(m.Key, m.Value) {
				break
			}
		}
		b.room = b.room[:from]
	}
}

// raw adds a text that is a JSON string; anything else is none.
func (b *Builder) raw(f Field, value []byte) {
	if len(value) < 2 || value[0] != '"' {
		return
	}
	text := value[1 : len(value)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		decoded, err := jsonrpc.AppendText(nil, value)
		if err != nil {
			return
		}
		text = decoded
	}
	b.Text(f, text[:min(len(text), maxText)])
}

func (b *Builder) annotations(raw []byte) {
	for key, value := range b.members(raw) {
		if string(key) == "title" {
			b.raw(Title, value)
		}
	}
}

// A schemaReader adds what a schema tells of the arguments.
type schemaReader struct {
	b     *Builder
	texts int // that may still be added
}

func (r *schemaReader) text(f Field, raw []byte) {
	if r.texts--; r.texts >= 0 {
		r.b.raw(f, raw)
	}
}

// schema reads the schema of a value; that of all arguments has the depth 0.
func (r *schemaReader) schema(raw []byte, depth int) {
	if depth > maxDepth || r.texts <= 0 {
		return
	}
	for key, value := range r.b.members(raw) {
		switch string(key) {
		case "properties":
			r.properties(value, depth)
		case "title", "description":
			if depth > 0 {
				r.text(ArgumentDescription, value)
			}
		case "enum":
			r.each(value, func(word []byte) { r.text(ArgumentDescription, word) })
		case "items":
			r.schema(value, depth+1)
		case "anyOf", "oneOf", "allOf":
			r.each(value, func(schema []byte) { r.schema(schema, depth+1) })
		}
	}
}

func (r *schemaReader) properties(raw []byte, depth int) {
	for key, value := range r.b.members(raw) {
		if r.texts--; r.texts < 0 {
			return
		}
		r.b.Text(Argument, key[:min(len(key), maxText)])
		r.schema(value, depth+1)
	}
}

func (r *schemaReader) each(raw []byte, then func([]byte)) {
	elements, err := jsonrpc.ParseArray(nil, raw)
	if err != nil {
		return
	}
	for _, element := range elements {
		if r.texts <= 0 {
			return
		}
		then(element)
	}
}
