package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/internal/spell"
)

// A Change is one that Edit can make: an AddServer, RemoveServer, SetEnabled,
// AddAlias or RemoveAlias.
type Change interface {
	// plan makes the change in the tree of a file, and says which edits of its text
	// come to the same. It fails where the change makes no sense.
	plan(root *yaml.Node) ([]edit, error)
}

// An AddServer puts a server behind the others. Texts are as they stand in the
// file: "${" begins a reference; see Literal.
type AddServer struct {
	Name string

	// These, or those below.
	Command string
	Args    []string
	Env     map[string]string
	Cwd     string

	URL       string
	Transport string // "" = by the URL
	Headers   map[string]string

	Prefix      *string // nil = the name
	Description string
	Tags        []string
}

// A RemoveServer takes a server out, and the aliases that lead to it.
type RemoveServer struct{ Name string }

// A SetEnabled says whether a server is used.
type SetEnabled struct {
	Name    string
	Enabled bool
}

// An AddAlias gives a server a further name.
type AddAlias struct{ Alias, Server string }

// A RemoveAlias takes an alias out.
type RemoveAlias struct{ Alias string }

// Literal is the text that stands for exactly text: nothing in it is a reference.
// At the beginning of a command, a working folder, an argument or a variable "~/"
// is the home folder all the same.
func Literal(text string) string { return strings.ReplaceAll(text, "${", "$${") }

// A NameError is a change that does not go with the names there are.
type NameError struct {
	Name string
	Text string // what is wrong with it
	Used bool   // something has this name already
}

func (e *NameError) Error() string { return fmt.Sprintf("%q: %s", e.Name, e.Text) }

func freeName(root *yaml.Node, name string) error {
	if why := badName(name); why != "" {
		return &NameError{Name: name, Text: why}
	}
	switch {
	case member(sub(root, "servers"), name) != nil:
		return &NameError{Name: name, Text: "a server has this name already: choose another", Used: true}
	case member(sub(root, "aliases"), name) != nil:
		return &NameError{Name: name, Text: "an alias has this name already: choose another", Used: true}
	}
	return nil
}

func knownServer(root *yaml.Node, name string) error {
	servers := sub(root, "servers")
	if member(servers, name) != nil {
		return nil
	}
	if target := member(sub(root, "aliases"), name); target != nil {
		return &NameError{Name: name, Text: fmt.Sprintf("there is no server of this name in the file; it is an alias of %q", target.Value)}
	}
	return &NameError{Name: name, Text: "there is no server of this name in the file" + nearest(name, servers)}
}

// nearest asks whether one of the keys of a mapping was meant; "" for none.
func nearest(name string, m *yaml.Node) string {
	var names []string
	for i := 0; i+1 < len(m.Content); i += 2 {
		names = append(names, m.Content[i].Value)
	}
	if near := spell.Nearest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// sub is the mapping that stands under a key of the file; one with nothing in it
// if there is none.
func sub(root *yaml.Node, key string) *yaml.Node {
	if n := member(root, key); n != nil {
		return n
	}
	return &yaml.Node{Kind: yaml.MappingNode}
}

func (c AddServer) plan(root *yaml.Node) ([]edit, error) {
	if err := freeName(root, c.Name); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	put(root, "servers", c.Name, c.node())
	return []edit{{key: "servers", name: c.Name, value: c.node()}}, nil
}

// check refuses what cannot be written down so that it is read again as it was.
func (c AddServer) check() error {
	texts := slices.Concat([]string{c.Command, c.Cwd, c.URL, c.Transport, c.Description}, c.Args, c.Tags)
	if c.Prefix != nil {
		texts = append(texts, *c.Prefix)
	}
	for _, m := range []map[string]string{c.Env, c.Headers} {
		texts = slices.Concat(texts, slices.Collect(maps.Keys(m)), slices.Collect(maps.Values(m)))
	}
	for _, t := range texts {
		if !writable(t) {
			return fmt.Errorf("server %q: %.40q has characters that cannot be written down", c.Name, t)
		}
	}
	return nil
}

// writable reports whether a text can be written as a JSON string that YAML reads
// in the same way.
func writable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r == 0 || r > 0xffff && !unicode.IsPrint(r)
	})
}

// node is the server as it is to be read.
func (c AddServer) node() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	add := func(key string, value *yaml.Node) { n.Content = append(n.Content, scalar(key), value) }
	text := func(key, value string) {
		if value != "" {
			add(key, scalar(value))
		}
	}
	texts := func(key string, values map[string]string) {
		if len(values) == 0 {
			return
		}
		m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, k := range slices.Sorted(maps.Keys(values)) {
			m.Content = append(m.Content, scalar(k), scalar(values[k]))
		}
		add(key, m)
	}
	list := func(key string, values []string) {
		if len(values) == 0 {
			return
		}
		l := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, value := range values {
			l.Content = append(l.Content, scalar(value))
		}
		add(key, l)
	}
	text("command", c.Command)
	list("args", c.Args)
	texts("env", c.Env)
	text("cwd", c.Cwd)
	text("url", c.URL)
	text("transport", c.Transport)
	texts("headers", c.Headers)
	if c.Prefix != nil {
		add("prefix", scalar(*c.Prefix))
	}
	text("description", c.Description)
	list("tags", c.Tags)
	return n
}

func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

func boolean(b bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(b)}
}

func (c RemoveServer) plan(root *yaml.Node) ([]edit, error) {
	if err := knownServer(root, c.Name); err != nil {
		return nil, err
	}
	var edits []edit
	gone := map[string]bool{c.Name: true}
	aliases := sub(root, "aliases")
	for found := true; found; {
		found = false
		for i := 0; i+1 < len(aliases.Content); i += 2 {
			alias, target := aliases.Content[i].Value, aliases.Content[i+1].Value
			if gone[target] && !gone[alias] {
				gone[alias], found = true, true
				edits = append(edits, edit{key: "aliases", name: alias})
			}
		}
	}
	for _, e := range edits {
		take(root, e.key, e.name)
	}
	take(root, "servers", c.Name)
	return append(edits, edit{key: "servers", name: c.Name}), nil
}

func (c SetEnabled) plan(root *yaml.Node) ([]edit, error) {
	if err := knownServer(root, c.Name); err != nil {
		return nil, err
	}
	server := member(sub(root, "servers"), c.Name)
	now := member(server, "enabled")
	switch {
	case server.Kind != yaml.MappingNode:
		return nil, fmt.Errorf("server %q: it is no set of keys with values", c.Name)
	case now == nil && c.Enabled, now != nil && now.Value == fmt.Sprint(c.Enabled):
		return nil, nil
	case now != nil:
		*now = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(c.Enabled), Line: now.Line, Column: now.Column}
	default:
		server.Content = append([]*yaml.Node{scalar("enabled"), boolean(c.Enabled)}, server.Content...)
	}
	return []edit{{key: "servers", name: c.Name, enabled: &c.Enabled}}, nil
}

func (c AddAlias) plan(root *yaml.Node) ([]edit, error) {
	if err := freeName(root, c.Alias); err != nil {
		return nil, err
	}
	if err := knownServer(root, c.Server); err != nil {
		return nil, err
	}
	put(root, "aliases", c.Alias, scalar(c.Server))
	return []edit{{key: "aliases", name: c.Alias, value: scalar(c.Server)}}, nil
}

func (c RemoveAlias) plan(root *yaml.Node) ([]edit, error) {
	if member(sub(root, "aliases"), c.Alias) == nil {
		return nil, &NameError{Name: c.Alias, Text: "there is no such alias in the file" + nearest(c.Alias, sub(root, "aliases"))}
	}
	take(root, "aliases", c.Alias)
	return []edit{{key: "aliases", name: c.Alias}}, nil
}

// put adds an entry to a mapping of the file, which is made if need be.
func put(root *yaml.Node, key, name string, value *yaml.Node) {
	m := member(root, key)
	switch {
	case m == nil:
		m = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		root.Content = append(root.Content, scalar(key), m)
	case m.Kind == yaml.ScalarNode: // nothing stands there
		*m = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	m.Content = append(m.Content, scalar(name), value)
}

// take removes an entry.
func take(root *yaml.Node, key, name string) {
	m := sub(root, key)
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == name {
			m.Content = slices.Delete(m.Content, i, i+2)
			return
		}
	}
}
