package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// A Definition is one server as it stands in weir's own form: references are not
// replaced. It is not changed after it was made. The zero Definition is a server
// of nothing.
type Definition struct{ tree *yaml.Node }

// A Pair is a key with its text, of env or headers.
type Pair struct{ Key, Text string }

// NewDefinition is a server of a command line.
func NewDefinition(command string, args ...string) Definition {
	d := Definition{mappingOf("command", scalar(command))}
	if len(args) > 0 {
		d = d.with("args", sequenceOf(args))
	}
	return d
}

// Text is what stands under a key: command, cwd, url, transport, description;
// "" if nothing does, or what is no text.
func (d Definition) Text(key string) string {
	n := d.member(key)
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// List is what stands under a key with a list: args, inherit_env.
func (d Definition) List(key string) (list []string) {
	n := d.member(key)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	for _, item := range n.Content {
		list = append(list, resolved(item).Value)
	}
	return list
}

// Pairs are what stands under a key with keys of its own: env, headers, auth. Of
// auth, what is no text is left out.
func (d Definition) Pairs(key string) (pairs []Pair) {
	n := d.member(key)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if value := resolved(n.Content[i+1]); value.Kind == yaml.ScalarNode {
			pairs = append(pairs, Pair{n.Content[i].Value, value.Value})
		}
	}
	return pairs
}

// Keys are those that the definition has, in their order.
func (d Definition) Keys() (keys []string) {
	if d.tree == nil {
		return nil
	}
	for i := 0; i+1 < len(d.tree.Content); i += 2 {
		keys = append(keys, d.tree.Content[i].Value)
	}
	return keys
}

// Enabled reports whether the server is used.
func (d Definition) Enabled() bool { return d.Text("enabled") != "false" }

// Enable is the definition with the server used.
func (d Definition) Enable() Definition {
	if d.Enabled() {
		return d
	}
	made := Definition{&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}}
	for i := 0; i+1 < len(d.tree.Content); i += 2 {
		if d.tree.Content[i].Value != "enabled" {
			made.tree.Content = append(made.tree.Content, d.tree.Content[i:i+2]...)
		}
	}
	return made
}

// Disable is the definition with the server not used.
func (d Definition) Disable() Definition { return d.Enable().with("enabled", boolean(false)) }

// expandable are the keys in whose texts references are replaced.
var expandable = []string{"command", "args", "env", "cwd", "url", "headers", "auth"}

// Map is the definition with each text in which references are replaced changed
// by f. The path is the keys that lead there, and the place in a list, from 0.
func (d Definition) Map(f func(path []string, text string) string) Definition {
	if d.tree == nil {
		return d
	}
	made := Definition{&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}}
	for i := 0; i+1 < len(d.tree.Content); i += 2 {
		key, value := d.tree.Content[i], d.tree.Content[i+1]
		if slices.Contains(expandable, key.Value) {
			value = mapTexts(value, []string{key.Value}, f)
		}
		made.tree.Content = append(made.tree.Content, key, value)
	}
	return made
}

// Variables are the names of those of weir's environment that the server needs, each
// once: its texts refer to them, or it inherits them.
func (d Definition) Variables() []string {
	names := slices.Clone(d.List("inherit_env"))
	d.Map(func(_ []string, text string) string {
		_, _ = replace(text, "", func(ref string) (string, error) { // what is no reference names no variable
			if name, _, _ := strings.Cut(strings.TrimPrefix(ref, "env:"), ":-"); isVariable(name) {
				names = append(names, name)
			}
			return "", nil
		})
		return text
	})
	slices.Sort(names)
	return slices.Compact(names)
}

func mapTexts(n *yaml.Node, path []string, f func([]string, string) string) *yaml.Node {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.ShortTag() == "!!str" {
			return scalar(f(path, n.Value))
		}
	case yaml.SequenceNode:
		made := &yaml.Node{Kind: n.Kind, Tag: n.Tag}
		for i, item := range n.Content {
			made.Content = append(made.Content, mapTexts(item, append(slices.Clip(path), strconv.Itoa(i)), f))
		}
		return made
	case yaml.MappingNode:
		made := &yaml.Node{Kind: n.Kind, Tag: n.Tag}
		for i := 0; i+1 < len(n.Content); i += 2 {
			made.Content = append(made.Content, n.Content[i], mapTexts(n.Content[i+1], append(slices.Clip(path), n.Content[i].Value), f))
		}
		return made
	case yaml.DocumentNode, yaml.AliasNode: // a definition has none, and one of a file is not changed
	}
	return n
}

func (d Definition) member(key string) *yaml.Node {
	if d.tree == nil {
		return nil
	}
	if n := member(d.tree, key); n != nil {
		return resolved(n)
	}
	return nil
}

func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func (d Definition) with(key string, value *yaml.Node) Definition {
	made := Definition{&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}}
	if d.tree != nil {
		made.tree.Content = slices.Clone(d.tree.Content)
	}
	made.tree.Content = append(made.tree.Content, scalar(key), value)
	return made
}

// definitionOf writes a server down as weir's own form has it.
func definitionOf(s server) Definition {
	var d Definition
	add := func(key string, value *yaml.Node) { d = d.with(key, value) }
	word := func(key string, t *text) {
		if t != nil {
			add(key, scalar(t.value))
		}
	}
	pairs := func(key string, all mapping[text]) {
		if len(all) == 0 {
			return
		}
		m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, p := range all {
			m.Content = append(m.Content, scalar(p.key), scalar(p.value.value))
		}
		add(key, m)
	}
	span := func(key string, t *duration) {
		if t != nil {
			add(key, scalar(time.Duration(*t).String()))
		}
	}
	word("command", s.Command)
	if len(s.Args) > 0 {
		list := make([]string, len(s.Args))
		for i, arg := range s.Args {
			list[i] = arg.value
		}
		add("args", sequenceOf(list))
	}
	pairs("env", s.Env)
	if s.InheritEnv != nil {
		add("inherit_env", sequenceOf(s.InheritEnv.names))
	}
	word("cwd", s.Cwd)
	word("url", s.URL)
	if s.Transport != nil && !isUsual(s) {
		add("transport", scalar(s.Transport.value))
	}
	pairs("headers", s.Headers)
	if s.Auth != nil {
		add("auth", s.Auth.tree())
	}
	span("timeout", s.Timeout)
	span("connect_timeout", s.ConnectTimeout)
	if s.Tools != nil {
		add("tools", s.Tools.tree())
	}
	if s.Description != nil {
		add("description", scalar(*s.Description))
	}
	if s.Enabled != nil && !*s.Enabled {
		add("enabled", boolean(false))
	}
	return d
}

// isUsual reports whether the transport of a server is the one that its command
// or url stands for anyway.
func isUsual(s server) bool {
	if s.Command != nil {
		return s.Transport.value == "stdio"
	}
	return s.URL != nil && s.Transport.value == byScheme(s.URL.value)
}

// tree is what others can say of authentication: the rest of weir's own keys no
// foreign file leads to.
func (a *authentication) tree() *yaml.Node {
	n := mappingOf("type", scalar(a.kind.value))
	o := &a.oauth
	for _, t := range []struct {
		key  string
		text *text
	}{
		{"token", a.bearer.Token},
		{"value", a.apiKey.Value},
		{"header", a.apiKey.Header},
		{"prefix", a.apiKey.Prefix},
		{"username", a.basic.Username},
		{"password", a.basic.Password},
		{"grant", o.Grant},
		{"client_id", o.ClientID},
		{"client_secret", o.ClientSecret},
		{"issuer", o.Issuer},
		{"token_url", o.TokenURL},
	} {
		if t.text != nil {
			n.Content = append(n.Content, scalar(t.key), scalar(t.text.value))
		}
	}
	if o.Scopes != nil {
		n.Content = append(n.Content, scalar("scopes"), sequenceOf(o.Scopes))
	}
	if o.CallbackPort != nil {
		port := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(*o.CallbackPort)}
		n.Content = append(n.Content, scalar("callback_port"), port)
	}
	return n
}

// plainTree is a tree without the style and the places of its file.
func plainTree(n *yaml.Node) *yaml.Node {
	made := &yaml.Node{Kind: n.Kind, Tag: n.ShortTag(), Value: n.Value}
	for _, part := range n.Content {
		made.Content = append(made.Content, plainTree(resolved(part)))
	}
	return made
}

func sequenceOf(texts []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, t := range texts {
		n.Content = append(n.Content, scalar(t))
	}
	return n
}

func mappingOf(key string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{scalar(key), value}}
}

// A DefineServer puts a server behind the others. References in the definition
// stay references.
type DefineServer struct {
	Name       string
	Definition Definition
}

func (c DefineServer) plan(root *yaml.Node) ([]edit, error) {
	if err := freeName(root, c.Name); err != nil {
		return nil, err
	}
	if c.Definition.tree == nil {
		return nil, fmt.Errorf("server %q: there is nothing to write down", c.Name)
	}
	if t, ok := c.Definition.unwritable(c.Definition.tree); ok {
		return nil, fmt.Errorf("server %q: %.40q has characters that cannot be written down", c.Name, t)
	}
	value := plainTree(c.Definition.tree)
	put(root, "servers", c.Name, value)
	return []edit{{key: "servers", name: c.Name, value: value}}, nil
}

// unwritable returns a text below n that could not be read again as it was.
func (d Definition) unwritable(n *yaml.Node) (text string, found bool) {
	if n.Kind == yaml.ScalarNode {
		return n.Value, !writable(n.Value)
	}
	for _, part := range n.Content {
		if text, found = d.unwritable(resolved(part)); found {
			return text, true
		}
	}
	return "", false
}

// Changes are made one after the other, all of them or none.
type Changes []Change

func (c Changes) plan(root *yaml.Node) (all []edit, err error) {
	for _, change := range c {
		edits, err := change.plan(root)
		if err != nil {
			return nil, err
		}
		all = append(all, edits...)
	}
	return all, nil
}

// A Defined is a server with its name, and where it stands.
type Defined struct {
	Name       string
	Line       int
	Definition Definition
}

// Define returns the servers of a text that Edit could change, and the other
// names that are taken in it: those of aliases. Entries that are no set of keys
// with values are of nothing.
func Define(data []byte) (servers []Defined, aliases []string, err error) {
	root, err := editableTree([]byte(strings.TrimPrefix(string(data), byteOrderMark)))
	if err != nil {
		return nil, nil, err
	}
	all := sub(root, "servers")
	for i := 0; i+1 < len(all.Content); i += 2 {
		s := Defined{Name: all.Content[i].Value, Line: all.Content[i].Line}
		if tree := resolved(all.Content[i+1]); tree.Kind == yaml.MappingNode {
			s.Definition.tree = tree
		}
		servers = append(servers, s)
	}
	names := sub(root, "aliases")
	for i := 0; i+1 < len(names.Content); i += 2 {
		aliases = append(aliases, names.Content[i].Value)
	}
	return servers, aliases, nil
}
