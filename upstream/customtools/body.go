package customtools

import (
	"fmt"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Body is the JSON that a request sends, with placeholders in its texts: one
// that is all of a text becomes the argument's value as the host wrote it, of any
// type; one within a text becomes part of it.
type Body struct {
	raw      []byte    // a value without placeholders
	template *Template // a text with some
	members  []bodyMember
	items    []*Body
	kind     byte // '{', '[', '"' for a template, 0 for raw
}

type bodyMember struct {
	name  []byte // raw
	value *Body
}

// ParseBody reads a body: JSON with templates for texts.
func ParseBody(raw []byte, expand Expander) (*Body, error) {
	switch raw[0] {
	case '{':
		return parseObjectBody(raw, expand)
	case '[':
		items, err := jsonrpc.ParseArray(nil, raw)
		if err != nil {
			return nil, err
		}
		b := &Body{kind: '['}
		for _, item := range items {
			value, err := ParseBody(item, expand)
			if err != nil {
				return nil, err
			}
			b.items = append(b.items, value)
		}
		return b, nil
	case '"':
		text, err := jsonrpc.String(raw)
		if err != nil {
			return nil, err
		}
		t, err := ParseTemplate(text, expand)
		if err != nil {
			return nil, err
		}
		if literal, ok := t.Literal(); ok {
			return &Body{raw: jsonrpc.AppendString(nil, literal)}, nil
		}
		return &Body{kind: '"', template: &t}, nil
	}
	return &Body{raw: raw}, nil
}

func parseObjectBody(raw []byte, expand Expander) (*Body, error) {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, err
	}
	b := &Body{kind: '{'}
	for i := range members {
		value, err := ParseBody(members[i].Value, expand)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", members[i].Key, err)
		}
		b.members = append(b.members, bodyMember{members[i].Name, value})
	}
	return b, nil
}

// Names returns the arguments that the body mentions.
func (b *Body) Names() (names []string) {
	if b.template != nil {
		return b.template.Names()
	}
	for _, m := range b.members {
		names = append(names, m.value.Names()...)
	}
	for _, item := range b.items {
		names = append(names, item.Names()...)
	}
	return names
}

// append appends the body with values in place. It reports false if an argument is
// missing: then the member or item it belongs to is left out.
func (b *Body) append(dst []byte, a *arguments) (_ []byte, ok bool, err error) {
	switch b.kind {
	case '"':
		return b.appendText(dst, a)
	case '{':
		dst = append(dst, '{')
		start := len(dst)
		for _, m := range b.members {
			before := len(dst)
			if len(dst) > start {
				dst = append(dst, ',')
			}
			dst = append(append(dst, m.name...), ':')
			if dst, ok, err = m.value.append(dst, a); err != nil {
				return nil, false, err
			} else if !ok {
				dst = dst[:before]
			}
		}
		return append(dst, '}'), true, nil
	case '[':
		dst = append(dst, '[')
		start := len(dst)
		for _, item := range b.items {
			before := len(dst)
			if len(dst) > start {
				dst = append(dst, ',')
			}
			if dst, ok, err = item.append(dst, a); err != nil {
				return nil, false, err
			} else if !ok {
				dst = dst[:before]
			}
		}
		return append(dst, ']'), true, nil
	}
	return append(dst, b.raw...), true, nil
}

func (b *Body) appendText(dst []byte, a *arguments) ([]byte, bool, error) {
	if name := b.template.alone(); name != "" {
		raw := a.raw(name)
		return append(dst, raw...), raw != nil, nil
	}
	text, ok, err := b.template.fill(a, asItIs)
	if err != nil || !ok {
		return dst, false, err
	}
	return jsonrpc.AppendString(dst, text), true, nil
}
