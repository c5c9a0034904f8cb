package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// WithText is the definition with a text under a key, in the place of what is
// there. Further keys lead into what stands under the first.
func (d Definition) WithText(text string, path ...string) Definition {
	return d.put(path, scalar(text))
}

// WithList is WithText for a list of texts.
func (d Definition) WithList(texts []string, path ...string) Definition {
	return d.put(path, sequenceOf(texts))
}

// WithYAML is WithText for any value, as YAML writes it.
func (d Definition) WithYAML(text string, path ...string) (Definition, error) {
	value, err := parseYAML("", []byte(text))
	if err != nil {
		return d, fmt.Errorf("%q cannot be read as YAML", text)
	}
	if value == nil {
		return d, errors.New("a value is missing")
	}
	return d.put(path, plainTree(value)), nil
}

func (d Definition) put(path []string, value *yaml.Node) Definition {
	return Definition{withNode(d.tree, path, value)}
}

// withNode is a copy of a mapping, which may be nil, with a value where the path
// leads.
func withNode(n *yaml.Node, path []string, value *yaml.Node) *yaml.Node {
	if len(path) == 0 {
		return value
	}
	made := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if n != nil && n.Kind == yaml.MappingNode {
		made.Content = slices.Clone(n.Content)
	}
	for i := 0; i+1 < len(made.Content); i += 2 {
		if made.Content[i].Value == path[0] {
			made.Content[i+1] = withNode(resolved(made.Content[i+1]), path[1:], value)
			return made
		}
	}
	made.Content = append(made.Content, scalar(path[0]), withNode(nil, path[1:], value))
	return made
}

// A KeyError is what is wrong with the value of a key.
type KeyError struct {
	Key  string // with those that lead to it, and dots between them; "" for the whole
	Text string
}

func (e *KeyError) Error() string {
	if e.Key == "" {
		return e.Text
	}
	return e.Key + ": " + e.Text
}

// Check says what is wrong with the definition as such, whatever its references
// stand for. All errors are *KeyErrors.
func (d Definition) Check() (wrong []*KeyError) {
	const name = "x"
	text, err := Edit(nil, DefineServer{Name: name, Definition: d})
	if err != nil {
		return []*KeyError{{Text: err.Error()}}
	}
	file, err := parse(Options{}, text)
	if err == nil {
		err = file.Servers[0].Broken
	}
	for _, each := range flat(err) {
		e := keyError(each, name)
		if !strings.Contains(d.textAt(e.Key), "${") {
			wrong = append(wrong, e)
		}
	}
	return wrong
}

// flat are the errors that are joined in one.
func flat(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, each := range joined.Unwrap() {
			all = append(all, flat(each)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// keyError takes what an error says of the server of this name apart. Those of the
// decoder and those of a server begin differently.
func keyError(err error, name string) *KeyError {
	text := err.Error()
	if e, ok := errors.AsType[*Error](err); ok {
		text = (&Error{Text: e.Text, Err: e.Err}).Error()
	}
	text = strings.TrimPrefix(text, "servers."+name+".")
	text = strings.TrimPrefix(text, "servers."+name+": ")
	text = strings.TrimPrefix(text, fmt.Sprintf("server %q: ", name))
	if key, rest, ok := strings.Cut(text, ": "); ok && !strings.ContainsAny(key, " \"") {
		return &KeyError{Key: key, Text: rest}
	}
	return &KeyError{Text: text}
}

// textAt is the text where a path with dots leads; "" if there is none.
func (d Definition) textAt(path string) string {
	n := d.tree
	for path != "" && n != nil {
		n, path = d.step(n, path)
	}
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// step goes one key along a path, in which keys may have dots of their own.
// Places in lists count from 1.
func (Definition) step(n *yaml.Node, path string) (*yaml.Node, string) {
	if n.Kind == yaml.SequenceNode {
		for i, item := range n.Content {
			if rest, ok := cutKey(path, fmt.Sprint(i+1)); ok {
				return resolved(item), rest
			}
		}
		return nil, ""
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if rest, ok := cutKey(path, n.Content[i].Value); ok {
			return resolved(n.Content[i+1]), rest
		}
	}
	return nil, ""
}

// cutKey takes a key off the beginning of a path.
func cutKey(path, key string) (rest string, ok bool) {
	if path == key {
		return "", true
	}
	return strings.CutPrefix(path, key+".")
}
