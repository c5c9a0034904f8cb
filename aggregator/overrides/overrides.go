// Package overrides changes how a tool looks to hosts, and what is sent when it is
// called: another name or description, arguments that the user has fixed, given a
// default or hidden. It is pure, and works on raw JSON: what an [Override] does not
// speak of stays as it is, to the byte.
package overrides

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// An Override is what the user wants otherwise with one tool. It is not changed
// any more, and safe for concurrent use. No argument is in two of its lists.
type Override struct {
	Name        string  // "" = the server's own
	Title       *string // nil = the server's own
	Description *string // likewise

	// Fixed arguments are sent with every call, and hosts do not see them.
	Fixed []Argument

	// Default arguments are sent with calls that do not have them.
	Default []Argument

	// Hide are arguments that hosts do not see, and may not send.
	Hide []string
}

// An Argument is one with a value, raw.
type Argument struct {
	Name  string
	Value []byte
}

// EditsArguments reports whether calls are changed, or may be refused.
func (o *Override) EditsArguments() bool { return len(o.Fixed)+len(o.Default)+len(o.Hide) > 0 }

// Definition returns the definition of a tool as hosts are to see it. raw must not
// be cut in capacity.
func (o *Override) Definition(raw []byte) ([]byte, error) {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, fmt.Errorf("reading a definition: %w", err)
	}
	if jsonrpc.Find(members, "name") == nil {
		return nil, errors.New("definition has no name")
	}
	e := editor{raw: raw}
	if o.Name != "" {
		e.replace(members, "name", jsonrpc.AppendString(nil, o.Name))
	}
	if o.Title != nil {
		e.set(members, "title", jsonrpc.AppendString(nil, *o.Title))
	}
	if o.Description != nil {
		e.set(members, "description", jsonrpc.AppendString(nil, *o.Description))
	}
	if o.EditsArguments() {
		for i := range members {
			if string(members[i].Key) == "inputSchema" {
				o.editSchema(&e, members[i].Value)
			}
		}
	}
	return e.done(), nil
}

// editSchema takes fixed and hidden arguments out, and shows defaults.
func (o *Override) editSchema(e *editor, schema []byte) {
	members, err := jsonrpc.ParseObject(nil, schema)
	if err != nil {
		return // a schema that is true, or none
	}
	for i := range members {
		switch string(members[i].Key) {
		case "properties":
			o.editProperties(e, members[i].Value)
		case "required":
			o.editRequired(e, members[i].Value)
		}
	}
}

func (o *Override) editProperties(e *editor, properties []byte) {
	members, err := jsonrpc.ParseObject(nil, properties)
	if err != nil {
		return
	}
	e.remove(members, func(m jsonrpc.Member) bool { return o.isUnseen(string(m.Key)) })
	for i := range members {
		at := slices.IndexFunc(o.Default, func(a Argument) bool { return a.Name == string(members[i].Key) })
		if at < 0 {
			continue
		}
		if property, err := jsonrpc.ParseObject(nil, members[i].Value); err == nil {
			e.setIn(members[i].Value, property, "default", o.Default[at].Value)
		}
	}
}

func (o *Override) editRequired(e *editor, required []byte) {
	names, err := jsonrpc.ParseArray(nil, required)
	if err != nil {
		return
	}
	left := slices.DeleteFunc(slices.Clone(names), func(raw []byte) bool {
		name, err := jsonrpc.String(raw)
		return err == nil && (o.isUnseen(name) || has(o.Default, name))
	})
	if len(left) < len(names) {
		e.edits = append(e.edits, jsonrpc.Edit{At: required, With: slices.Concat([]byte("["), bytes.Join(left, []byte(",")), []byte("]"))})
	}
}

// isUnseen reports whether hosts do not see an argument.
func (o *Override) isUnseen(name string) bool {
	return has(o.Fixed, name) || slices.Contains(o.Hide, name)
}

func has(arguments []Argument, name string) bool {
	return slices.ContainsFunc(arguments, func(a Argument) bool { return a.Name == name })
}

// Arguments returns what is to be sent in place of the arguments that a host has
// sent, raw and nil for none, in which no member stands twice; raw itself if that is
// the same. What the host may not have sent is listed in words: then nothing is to
// be sent.
func (o *Override) Arguments(raw []byte) (amended []byte, problems []string) {
	host := raw
	if raw == nil {
		raw = []byte("{}")
	}
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return host, nil // no object: the server says so
	}
	e := editor{raw: raw}
	e.hide(members, o.Hide, &problems)
	var more []Argument
	for _, fixed := range o.Fixed {
		value := jsonrpc.Find(members, fixed.Name)
		switch {
		case value == nil:
			more = append(more, fixed)
		case !bytes.Equal(value, fixed.Value):
			problems = append(problems, fmt.Sprintf("%q cannot be given: the user has fixed it", fixed.Name))
			e.replace(members, fixed.Name, fixed.Value)
		}
	}
	for _, standard := range o.Default {
		if jsonrpc.Find(members, standard.Name) == nil {
			more = append(more, standard)
		}
	}
	e.add(members, o.Hide, more)
	if len(e.edits) == 0 {
		return host, problems
	}
	return e.done(), problems
}

// An editor gathers edits of one text.
type editor struct {
	raw   []byte
	edits []jsonrpc.Edit
}

// replace gives all members of a name another value.
func (e *editor) replace(members []jsonrpc.Member, key string, value []byte) (found bool) {
	for i := range members {
		if string(members[i].Key) == key {
			found = true
			e.edits = append(e.edits, jsonrpc.Edit{At: members[i].Value, With: value})
		}
	}
	return found
}

// set is replace, or a further member of the whole text.
func (e *editor) set(members []jsonrpc.Member, key string, value []byte) {
	e.setIn(e.raw, members, key, value)
}

// setIn is set for an object within the text.
func (e *editor) setIn(object []byte, members []jsonrpc.Member, key string, value []byte) {
	if !e.replace(members, key, value) {
		e.append(object, members, len(members) > 0, []Argument{{key, value}})
	}
}

// add puts further members at the end of the whole text, some of whose are taken
// out.
func (e *editor) add(members []jsonrpc.Member, gone []string, more []Argument) {
	if len(more) == 0 {
		return
	}
	left := slices.ContainsFunc(members, func(m jsonrpc.Member) bool { return !slices.Contains(gone, string(m.Key)) })
	e.append(e.raw, members, left, more)
}

// append puts further members behind the last one of an object, or behind its
// brace; with a comma if some are left.
func (e *editor) append(object []byte, members []jsonrpc.Member, left bool, more []Argument) {
	texts := make([]string, len(more))
	for i, m := range more {
		texts[i] = string(jsonrpc.AppendString(nil, m.Name)) + ":" + string(m.Value)
	}
	text := strings.Join(texts, ",")
	at := object[1:1]
	if len(members) > 0 {
		at = end(members[len(members)-1].Value)
	}
	if left {
		text = "," + text
	}
	e.edits = append(e.edits, jsonrpc.Edit{At: at, With: []byte(text)})
}

// hide takes out what hosts may not send, and says so.
func (e *editor) hide(members []jsonrpc.Member, names []string, problems *[]string) {
	unknown := func(m jsonrpc.Member) bool { return slices.Contains(names, string(m.Key)) }
	for _, m := range members {
		if unknown(m) {
			*problems = append(*problems, fmt.Sprintf("%q cannot be given: the user has hidden it", m.Key))
		}
	}
	e.remove(members, unknown)
}

// remove takes members out of an object, each with one of the commas beside it.
func (e *editor) remove(members []jsonrpc.Member, unwanted func(jsonrpc.Member) bool) {
	first := slices.IndexFunc(members, func(m jsonrpc.Member) bool { return !unwanted(m) })
	switch {
	case first < 0 && len(members) > 0:
		e.cut(members[0].Name, end(members[len(members)-1].Value))
		return
	case first > 0:
		e.cut(members[0].Name, members[first].Name)
	}
	for i := first + 1; i < len(members); i++ {
		if unwanted(members[i]) {
			e.cut(end(members[i-1].Value), end(members[i].Value))
		}
	}
}

// end is the place behind a part of the text.
func end(part []byte) []byte { return part[len(part):] }

// cut takes out what stands from the beginning of one part to that of another.
func (e *editor) cut(from, to []byte) {
	e.edits = append(e.edits, jsonrpc.Edit{At: from[:cap(from)-cap(to)]})
}

// done returns the text with all edits.
func (e *editor) done() []byte {
	slices.SortStableFunc(e.edits, func(a, b jsonrpc.Edit) int { return cap(b.At) - cap(a.At) })
	return jsonrpc.Splice(nil, e.raw, e.edits...)
}
