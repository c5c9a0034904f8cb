package customtools

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/schema"
)

// An Input is what arguments a tool takes.
type Input struct {
	raw        []byte
	schema     *schema.Schema
	properties []jsonrpc.Member
	required   []string
}

// NewInput reads a JSON Schema of arguments, raw; nil stands for none. Arguments
// that it does not name are refused, unless it has additionalProperties itself.
func NewInput(raw []byte) (*Input, error) {
	if raw == nil {
		raw = []byte(`{"type":"object","properties":{}}`)
	}
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, fmt.Errorf("it must be a JSON Schema: an object")
	}
	if kind, err := jsonrpc.String(jsonrpc.Find(members, "type")); err != nil || kind != "object" {
		return nil, fmt.Errorf("it must say type: object")
	}
	if jsonrpc.Find(members, "additionalProperties") == nil {
		members = append(members, jsonrpc.NewMember("additionalProperties", []byte("false")))
	}
	in := &Input{raw: jsonrpc.AppendObject(nil, members)}
	if in.schema, err = schema.Compile(in.raw); err != nil {
		return nil, err
	}
	in.properties, _ = jsonrpc.ParseObject(nil, jsonrpc.Find(members, "properties")) // compiled before
	required, _ := jsonrpc.ParseArray(nil, jsonrpc.Find(members, "required"))
	for _, name := range required {
		text, _ := jsonrpc.String(name)
		in.required = append(in.required, text)
	}
	return in, nil
}

// Has reports whether there is a property of this name.
func (in *Input) Has(name string) bool { return jsonrpc.Find(in.properties, name) != nil }

// Names returns the names of all properties.
func (in *Input) Names() (names []string) {
	for i := range in.properties {
		names = append(names, string(in.properties[i].Key))
	}
	return names
}

// Type returns the type of a property; "" if it has none, or several.
func (in *Input) Type(name string) string {
	property, err := jsonrpc.ParseObject(nil, jsonrpc.Find(in.properties, name))
	if err != nil {
		return ""
	}
	kind, err := jsonrpc.String(jsonrpc.Find(property, "type"))
	if err != nil {
		return ""
	}
	return kind
}

// Sure reports whether an argument always has a value: it is required, or has a
// default.
func (in *Input) Sure(name string) bool {
	return slices.Contains(in.required, name) || in.standard(name) != nil
}

// standard is the raw default of an argument, or nil.
func (in *Input) standard(name string) []byte {
	property, err := jsonrpc.ParseObject(nil, jsonrpc.Find(in.properties, name))
	if err != nil {
		return nil
	}
	return jsonrpc.Find(property, "default")
}

// arguments are those of one call, which fit the input.
type arguments struct {
	members []jsonrpc.Member
	input   *Input
}

// check reads the arguments of a call, raw; nil stands for none.
func (in *Input) check(raw []byte) (*arguments, error) {
	if raw == nil {
		raw = []byte("{}")
	}
	if problems := in.schema.Check(raw); problems != nil {
		lines := make([]string, len(problems))
		for i, p := range problems {
			lines[i] = "- " + p.String()
		}
		return nil, &refusedError{"the arguments do not fit the tool's input schema:\n" + strings.Join(lines, "\n")}
	}
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, &refusedError{"the arguments must be an object"}
	}
	return &arguments{members: members, input: in}, nil
}

// A refusedError is a call that was refused for its arguments: nothing ran.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

func refuse(format string, args ...any) error {
	return &refusedError{fmt.Sprintf(format, args...)}
}

// raw is the JSON of an argument, or of its default; nil if it is missing or null.
func (a *arguments) raw(name string) []byte {
	raw := jsonrpc.Find(a.members, name)
	if raw == nil {
		raw = a.input.standard(name)
	}
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// text is the value of an argument as a text: numbers and booleans as they are
// written.
func (a *arguments) text(name string) (text string, ok bool, err error) {
	raw := a.raw(name)
	if raw == nil {
		return "", false, nil
	}
	text, err = scalar(name, raw)
	return text, err == nil, err
}

func scalar(name string, raw []byte) (string, error) {
	text := string(raw)
	switch raw[0] {
	case '{', '[':
		return "", refuse("argument %q must be a text, a number or a boolean here", name)
	case '"':
		text, _ = jsonrpc.String(raw) // it is one
	}
	if strings.Contains(text, "\x00") {
		return "", refuse("argument %q must not hold a NUL character", name)
	}
	return text, nil
}

// list is the values of an argument that is a list.
func (a *arguments) list(name string) ([]string, error) {
	raw := a.raw(name)
	if raw == nil {
		return nil, nil
	}
	items, err := jsonrpc.ParseArray(nil, raw)
	if err != nil || raw[0] != '[' {
		return nil, refuse("argument %q must be a list", name)
	}
	texts := make([]string, 0, len(items))
	for _, item := range items {
		text, err := scalar(name, item)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}
