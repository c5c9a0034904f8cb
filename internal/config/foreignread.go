package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/policy"
)

// A ForeignServer is an entry of another program's file, and what it becomes.
type ForeignServer struct {
	Name       string // as it stands there
	Pos        policy.Position
	StartsWeir bool // then there is nothing else
	Definition Definition
	Problems   []error  // why weir could not use it
	Notes      []string // what is left out, one sentence part each
}

// ParseTree reads JSON, with comments and trailing commas, or YAML into a tree of
// nodes that know their lines; nil if there is nothing in it.
func ParseTree(path string, data []byte) (*yaml.Node, error) {
	if !utf8.Valid(data) {
		return nil, &Error{Pos: policy.Position{File: path}, Text: "it is no UTF-8; save it as that"}
	}
	return parseTree(path, data)
}

// ReadForeign reads servers that stand in a mapping under their names, in the
// shape of mcpServers. What is wrong with one of them is its own problem; the
// error is one that says nothing of any.
func ReadForeign(file string, servers *yaml.Node) ([]ForeignServer, error) {
	d := &decoder{file: file, lenient: true}
	var all mapping[tree]
	d.value(servers, &all)
	if len(d.errs) > 0 {
		return nil, inOrder(d.errs)
	}
	read := make([]ForeignServer, 0, len(all))
	for _, s := range all {
		if s.value.root == nil {
			continue // aliases make the file too large
		}
		own := &decoder{file: file, lenient: true, units: d.units, shapes: d.shapes}
		f, made := convertOne(own, s)
		d.units, d.shapes = own.units, own.shapes
		one := ForeignServer{Name: s.key, Pos: s.pos, StartsWeir: f.startsWeir(), Problems: made.problems}
		if !one.StartsWeir {
			one.Definition = definitionOf(made)
			one.Problems = append(one.Problems, one.Definition.misses(s.pos)...)
			one.Notes = notesOf(own.warn, file, s.key)
		}
		read = append(read, one)
	}
	return read, nil
}

// misses says what a definition lacks to be one.
func (d Definition) misses(pos policy.Position) []error {
	if d.Text("command") == "" && d.Text("url") == "" {
		return []error{&Error{Pos: pos, Text: `it needs a "command" or a "url"`}}
	}
	return nil
}

// notesOf are warnings without where they stand, unknown keys in one of them.
func notesOf(warnings []string, file, server string) (notes []string) {
	var keys []string
	for _, w := range warnings {
		if at := strings.TrimPrefix(w, file+":"); at != w {
			if _, said, ok := strings.Cut(at, ": "); ok {
				w = strings.TrimPrefix(said, server+": ")
			}
		}
		if key, ok := strings.CutPrefix(w, "ignoring unknown key "); ok {
			keys = append(keys, strings.Trim(key, `"`))
			continue
		}
		notes = append(notes, w)
	}
	if len(keys) > 0 {
		slices.Sort(keys)
		notes = append(notes, fmt.Sprintf("left out: %s", strings.Join(slices.Compact(keys), ", ")))
	}
	return notes
}

// LegalName makes a name legal for a server and different from those taken, and
// takes it.
func LegalName(name string, taken map[string]bool) string { return legalName(name, taken) }
