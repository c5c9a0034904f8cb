package transport

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Params says which arguments of a tool travel in Mcp-Param-* headers as well,
// as its input schema demands by "x-mcp-header" (2026-07-28, Streamable HTTP,
// custom headers from tool parameters). nil demands none. It is immutable.
type Params []param

// param is a property of an object: one that travels in a header, or one with
// such properties below it.
type param struct {
	name   string // of the property
	header string // whole; "" if the property itself travels in none
	within Params
}

const (
	annotation  = "x-mcp-header"
	paramPrefix = "Mcp-Param-"

	// schemaDepth is how deep the schemas in an annotated schema may nest.
	schemaDepth = 64
)

// ParseParamHeaders finds the annotations in a tool's inputSchema. An error
// means that the definition breaks the rules: a client over HTTP must leave
// that tool out of its lists, and no other.
func ParseParamHeaders(inputSchema []byte) (Params, error) {
	// A server that writes letters of the word as \u escapes goes without.
	if !bytes.Contains(inputSchema, []byte(annotation)) {
		return nil, nil
	}
	p := paramParser{seen: make(map[string]bool)}
	root, err := p.schema(inputSchema, position{})
	if err != nil {
		return nil, fmt.Errorf("input schema: %w", err)
	}
	return root.within, nil
}

// Header returns the headers for a call with these arguments, encoded; nil if
// there are none. What is absent or null, or no string, integer or boolean,
// gets no header. Where a member stands twice the last one counts, as it does
// for most servers.
func (p Params) Header(arguments []byte) http.Header {
	if len(p) == 0 {
		return nil
	}
	header := make(http.Header)
	p.addTo(header, arguments)
	if len(header) == 0 {
		return nil
	}
	return header
}

func (p Params) addTo(header http.Header, object []byte) {
	members, err := jsonrpc.ParseObject(nil, object)
	if err != nil {
		return
	}
	for _, one := range p {
		value := findLast(members, one.name)
		if value == nil {
			continue
		}
		if one.header != "" {
			if text, ok := headerText(value); ok {
				header.Set(one.header, encodeHeader(text))
			}
		}
		if one.within != nil {
			one.within.addTo(header, value)
		}
	}
}

func findLast(members []jsonrpc.Member, key string) []byte {
	for i := len(members) - 1; i >= 0; i-- {
		if string(members[i].Key) == key {
			return members[i].Value
		}
	}
	return nil
}

// headerText returns a JSON value as it is written in a header.
func headerText(value []byte) (text string, ok bool) {
	switch value[0] {
	case '"':
		text, err := jsonrpc.String(value)
		return text, err == nil
	case 't', 'f':
		return string(value), true
	case 'n', '{', '[':
		return "", false
	}
	return decimal(string(value))
}

// decimal returns an integer literal without fraction and exponent. A literal
// that has none stays exact at any length.
func decimal(literal string) (text string, ok bool) {
	if !strings.ContainsAny(literal, ".eE") {
		return literal, true
	}
	const exact = 1 << 53
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || f < -exact || f > exact || f != math.Trunc(f) {
		return "", false
	}
	return strconv.FormatInt(int64(f), 10), true
}

const (
	sentinelStart = "=?base64?"
	sentinelEnd   = "?="
)

// encodeHeader writes the value of an Mcp-Name or Mcp-Param-* header: as it is
// where a header can carry it, else in base64.
func encodeHeader(text string) string {
	if isPlain(text) {
		return text
	}
	return sentinelStart + base64.StdEncoding.EncodeToString([]byte(text)) + sentinelEnd
}

func isPlain(text string) bool {
	if strings.Trim(text, " \t") != text {
		return false
	}
	if strings.HasPrefix(text, sentinelStart) && strings.HasSuffix(text, sentinelEnd) {
		return false
	}
	for _, c := range []byte(text) {
		if c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}

// paramParser walks a schema. Every annotation in it must be found on the way
// along properties; one that lies elsewhere is an error.
type paramParser struct {
	seen map[string]bool // the headers so far, in lower case
}

// position is where in the schema the parser stands.
type position struct {
	path  string // the names of the properties, for errors
	depth int

	// property is whether this is the schema of a property that is reached
	// from the root through properties alone; astray, whether it is below
	// anything else. The root is neither.
	property, astray bool
}

func (at position) step(name string) position {
	at.depth++
	at.property = !at.astray
	if at.path != "" {
		at.path += "."
	}
	at.path += name
	return at
}

func (at position) leave() position {
	at.depth++
	at.property, at.astray = false, true
	return at
}

func (at position) errorf(format string, args ...any) error {
	if at.path == "" {
		return fmt.Errorf(format, args...)
	}
	return fmt.Errorf("property %q: "+format, append([]any{at.path}, args...)...)
}

func (p *paramParser) schema(raw []byte, at position) (param, error) {
	if !bytes.Contains(raw, []byte(annotation)) {
		return param{}, nil
	}
	if at.depth > schemaDepth {
		return param{}, at.errorf("schemas nest more than %d deep", schemaDepth)
	}
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return param{}, at.errorf("reading schema: %w", err)
	}
	if err := onlyOnce(members, annotation, "type", "properties"); err != nil {
		return param{}, at.errorf("%w", err)
	}
	var found param
	for _, m := range members {
		switch string(m.Key) {
		case annotation:
			found.header, err = p.header(m.Value, jsonrpc.Find(members, "type"), at)
		case "properties":
			found.within, err = p.properties(m.Value, at)
		case "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies":
			err = p.named(m.Value, at.leave())
		case "default", "const", "enum", "example", "examples":
			// Data: what looks like an annotation in here is none.
		default:
			err = p.elsewhere(m.Value, at.leave())
		}
		if err != nil {
			return param{}, err
		}
	}
	return found, nil
}

func onlyOnce(members []jsonrpc.Member, keys ...string) error {
	for _, key := range keys {
		count := 0
		for i := range members {
			if string(members[i].Key) == key {
				count++
			}
		}
		if count > 1 {
			return fmt.Errorf("%q stands twice", key)
		}
	}
	return nil
}

// header checks one annotation and returns the name of its header.
func (p *paramParser) header(value, kind []byte, at position) (string, error) {
	if !at.property {
		return "", at.errorf("%s where it cannot be reached through properties alone", annotation)
	}
	name, err := jsonrpc.String(value)
	if err != nil || !isToken(name) {
		return "", at.errorf("%s must be an HTTP header name, not %.100s", annotation, value)
	}
	if !isHeaderType(kind) {
		return "", at.errorf("%s needs the type string, integer or boolean", annotation)
	}
	lower := strings.ToLower(name)
	if p.seen[lower] {
		return "", at.errorf("%s %q stands on another property too", annotation, name)
	}
	p.seen[lower] = true
	return paramPrefix + name, nil
}

// isHeaderType takes one type or an array of them. null may be among them: a
// value that is null has no header.
func isHeaderType(raw []byte) bool {
	types := [][]byte{raw}
	if len(raw) > 0 && raw[0] == '[' {
		types, _ = jsonrpc.ParseArray(nil, raw)
	}
	usable := 0
	for _, t := range types {
		switch string(t) {
		case `"string"`, `"integer"`, `"boolean"`:
			usable++
		case `"null"`:
		default:
			return false
		}
	}
	return usable > 0
}

// isToken is the token of RFC 9110, which is what a header name is made of.
func isToken(name string) bool {
	for _, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// properties walks what may be annotated.
func (p *paramParser) properties(raw []byte, at position) (Params, error) {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, at.errorf("reading properties: %w", err)
	}
	var found Params
	for _, m := range members {
		one, err := p.schema(m.Value, at.step(string(m.Key)))
		if err != nil {
			return nil, err
		}
		if one.header == "" && one.within == nil {
			continue
		}
		one.name = string(m.Key)
		found = append(found, one)
	}
	return found, nil
}

// named walks schemas that stand under names of the server's choice, where
// nothing may be annotated.
func (p *paramParser) named(raw []byte, at position) error {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return at.errorf("reading schema: %w", err)
	}
	for _, m := range members {
		if err := p.elsewhere(m.Value, at.leave()); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere walks the value of any other keyword: a schema, an array of them,
// or no schema at all.
func (p *paramParser) elsewhere(raw []byte, at position) error {
	switch raw[0] {
	case '{':
		_, err := p.schema(raw, at)
		return err
	case '[':
		if at.depth > schemaDepth {
			return at.errorf("schemas nest more than %d deep", schemaDepth)
		}
		elements, err := jsonrpc.ParseArray(nil, raw)
		if err != nil {
			return at.errorf("reading schema: %w", err)
		}
		for _, element := range elements {
			if err := p.elsewhere(element, at.leave()); err != nil {
				return err
			}
		}
	}
	return nil
}
