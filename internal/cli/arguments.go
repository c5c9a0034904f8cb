package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/internal/spell"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A parameter is what a tool's inputSchema says of one argument, as far as it
// helps to type what a person writes.
type parameter struct {
	types  []string // JSON Schema types; empty if the schema does not tell
	items  *parameter
	values []string // those it may have, as they are typed; empty if there are no few
	about  string
}

// A schema is the arguments of one tool.
type schema struct {
	names      []string // in the order of the schema
	parameters map[string]*parameter
	open       bool // says in so many words that it takes any argument
}

// parseSchema reads an inputSchema. What it cannot read, it leaves out: the
// server has the last word on arguments.
func parseSchema(raw []byte) *schema {
	s := &schema{parameters: make(map[string]*parameter)}
	members, _ := jsonrpc.ParseObject(nil, raw)
	more := jsonrpc.Find(members, "additionalProperties")
	s.open = more != nil && string(more) != "false"
	properties, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(members, "properties"))
	for _, p := range properties {
		name := string(p.Key)
		s.names = append(s.names, name)
		s.parameters[name] = parseParameter(p.Value)
	}
	s.open = s.open || len(s.names) == 0
	return s
}

func parseParameter(raw []byte) *parameter {
	members, _ := jsonrpc.ParseObject(nil, raw)
	p := &parameter{about: described(members)}
	p.addTypes(jsonrpc.Find(members, "type"))
	p.addValues(members)
	for _, key := range []string{"anyOf", "oneOf"} {
		variants, _ := jsonrpc.ParseArray(nil, jsonrpc.Find(members, key))
		for _, variant := range variants {
			p.addVariant(variant)
		}
	}
	if items := jsonrpc.Find(members, "items"); items != nil {
		p.items = parseParameter(items)
	}
	return p
}

// addTypes takes the value of "type": a string, or an array of them.
func (p *parameter) addTypes(raw []byte) {
	if name, err := jsonrpc.String(raw); err == nil {
		p.types = append(p.types, name)
	}
	names, _ := jsonrpc.ParseArray(nil, raw)
	for _, name := range names {
		p.addTypes(name)
	}
}

// addValues takes the values that a schema lists.
func (p *parameter) addValues(schema []jsonrpc.Member) {
	values, _ := jsonrpc.ParseArray(nil, jsonrpc.Find(schema, "enum"))
	for _, raw := range values {
		if isScalar(raw) {
			p.values = append(p.values, scalarText(raw))
		}
	}
	if kind, err := jsonrpc.String(jsonrpc.Find(schema, "type")); err == nil && kind == "boolean" && len(values) == 0 {
		p.values = append(p.values, "true", "false")
	}
}

func (p *parameter) addVariant(raw []byte) {
	members, _ := jsonrpc.ParseObject(nil, raw)
	p.addTypes(jsonrpc.Find(members, "type"))
	p.addValues(members)
	if items := jsonrpc.Find(members, "items"); items != nil {
		p.items = parseParameter(items)
	}
}

// parseArguments makes the arguments of a call from words: "key=value" typed
// by the tool's inputSchema, "key:=json" as it stands, or one word that is a
// whole JSON object. A repeated key makes an array where the schema wants one.
func parseArguments(words []string, inputSchema []byte) ([]byte, error) {
	if len(words) == 1 && strings.HasPrefix(strings.TrimSpace(words[0]), "{") {
		return wholeObject(words[0])
	}
	s := parseSchema(inputSchema)
	b := argumentsBuilder{}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		if !ok || key == "" || key == ":" {
			return nil, usageError("argument %q is not of the form key=value, key:=json or {…}", word)
		}
		if err := b.add(s, key, value); err != nil {
			return nil, err
		}
	}
	return b.object(), nil
}

func wholeObject(word string) ([]byte, error) {
	if _, err := jsonrpc.ParseObject(nil, []byte(word)); err != nil {
		return nil, usageError("arguments: %w", err)
	}
	return []byte(word), nil
}

// An argumentsBuilder gathers values under their keys, in the order in which
// the keys first came.
type argumentsBuilder struct {
	keys   []string
	values [][]byte   // raw; nil where elements stand
	lists  [][][]byte // the elements of an argument given one by one
}

func (b *argumentsBuilder) add(s *schema, key, value string) error {
	if name, raw := strings.CutSuffix(key, ":"); raw {
		if !jsonrpc.Valid([]byte(value)) {
			return usageError("argument %q: %q is not JSON", name, value)
		}
		return b.set(name, []byte(value))
	}
	p := s.parameters[key]
	if p == nil {
		if !s.open {
			return unknownArgument(s, key)
		}
		return b.set(key, guess(value))
	}
	if slices.Contains(p.types, "array") && !slices.Contains(p.types, "string") && !strings.HasPrefix(value, "[") {
		return b.addElement(p, key, value)
	}
	raw, err := p.encode(value)
	if err != nil {
		return usageError("argument %q: %w", key, err)
	}
	return b.set(key, raw)
}

func (b *argumentsBuilder) set(key string, raw []byte) error {
	if slices.Contains(b.keys, key) {
		return usageError("argument %q is given twice", key)
	}
	b.keys = append(b.keys, key)
	b.values = append(b.values, raw)
	b.lists = append(b.lists, nil)
	return nil
}

func (b *argumentsBuilder) addElement(p *parameter, key, value string) error {
	element := guess(value)
	if p.items != nil {
		var err error
		if element, err = p.items.encode(value); err != nil {
			return usageError("argument %q: %w", key, err)
		}
	}
	i := slices.Index(b.keys, key)
	if i < 0 {
		i = len(b.keys)
		b.keys = append(b.keys, key)
		b.values = append(b.values, nil)
		b.lists = append(b.lists, nil)
	}
	if b.values[i] != nil {
		return usageError("argument %q is given twice", key)
	}
	b.lists[i] = append(b.lists[i], element)
	return nil
}

func (b *argumentsBuilder) object() []byte {
	members := make([]jsonrpc.Member, len(b.keys))
	for i, key := range b.keys {
		value := b.values[i]
		if value == nil {
			value = array(b.lists[i])
		}
		members[i] = jsonrpc.NewMember(key, value)
	}
	return jsonrpc.AppendObject(nil, members)
}

func array(elements [][]byte) []byte {
	raw := []byte{'['}
	for i, element := range elements {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(raw, element...)
	}
	return append(raw, ']')
}

func unknownArgument(s *schema, key string) error {
	if near := spell.Nearest(key, s.names); near != "" {
		return usageError("the tool has no argument %q; did you mean %q? (%s:=… sends it all the same)", key, near, key)
	}
	return usageError("the tool has no argument %q; it has %s (%s:=… sends it all the same)",
		key, strings.Join(s.names, ", "), key)
}

// narrow lists the types from the one that fits least to the one that fits
// anything; the first that fits a word wins.
var narrow = []string{"null", "boolean", "integer", "number", "array", "object", "string"}

// encode returns value as raw JSON of one of the parameter's types.
func (p *parameter) encode(value string) ([]byte, error) {
	if len(p.types) == 0 {
		return guess(value), nil
	}
	for _, name := range narrow {
		if slices.Contains(p.types, name) && fits(name, value) {
			return encodeAs(name, value), nil
		}
	}
	return nil, fmt.Errorf("want %s, got %q", strings.Join(p.types, " or "), value)
}

func encodeAs(typeName, value string) []byte {
	if typeName == "string" {
		return jsonrpc.AppendString(nil, value)
	}
	return []byte(value)
}

// fits reports whether value is JSON text of a type; any text is a string.
func fits(typeName, value string) bool {
	if typeName == "string" {
		return true
	}
	if !jsonrpc.Valid([]byte(value)) || strings.TrimSpace(value) != value {
		return false
	}
	switch typeName {
	case "null":
		return value == "null"
	case "boolean":
		return value == "true" || value == "false"
	case "integer":
		return isNumber(value) && !strings.ContainsAny(value, ".eE")
	case "number":
		return isNumber(value)
	case "array":
		return value[0] == '['
	}
	return value[0] == '{'
}

func isNumber(value string) bool { return value[0] == '-' || '0' <= value[0] && value[0] <= '9' }

// guess takes what looks like a JSON value for one, and all else for a string.
func guess(value string) []byte {
	if jsonrpc.Valid([]byte(value)) {
		return []byte(value)
	}
	return jsonrpc.AppendString(nil, value)
}
