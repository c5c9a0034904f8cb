package formats

import (
	"slices"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// WithoutNulls returns arguments without the nulls that stand for what a model
// left out, where a strict mode made it say something: a null goes if the schema,
// as the server wrote it, neither requires the member nor takes a null there. All
// else stays as it is, byte for byte.
func WithoutNulls(schema, arguments []byte) []byte {
	if !isObject(schema) || !isManageable(schema) || !jsonrpc.Fair(arguments) {
		return arguments
	}
	var lost notes
	flat := flatRoot(schema, &lost) // as the model was shown it
	p := pruning{root: object(flat)}
	return p.value(flat, arguments, 0)
}

// A pruning takes nulls out of a value by a schema.
type pruning struct {
	root  node
	nodes int
}

// maxPruned is how many values are looked at; those beyond stay.
const maxPruned = 100_000

func (p *pruning) value(schema, raw []byte, depth int) []byte {
	p.nodes++
	if depth > maxNesting || p.nodes > maxPruned {
		return raw
	}
	switch m := p.resolved(object(schema)); {
	case isObject(raw):
		return p.object(p.branchFor(m, raw), raw, depth)
	case isArray(raw):
		return p.array(p.arrayBranch(m), raw, depth)
	}
	return raw
}

func (p *pruning) object(m node, raw []byte, depth int) []byte {
	properties := object(m.find("properties"))
	required := stringsOf(m.find("required"))
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil || len(properties) == 0 {
		return raw
	}
	changed := false
	for i, member := range members {
		property := properties.find(string(member.Key))
		value := member.Value
		switch {
		case property == nil:
		case isNull(value) && !slices.Contains(required, string(member.Key)) && p.refusesNull(property, 0):
			value = nil // is left out
		default:
			value = p.value(property, value, depth+1)
		}
		changed = changed || len(value) != len(member.Value)
		members[i].Value = value
	}
	if !changed {
		return raw
	}
	return jsonrpc.AppendObject(nil, members)
}

func (p *pruning) array(m node, raw []byte, depth int) []byte {
	items := m.find("items")
	if !isObject(items) {
		return raw
	}
	all := elements(raw)
	changed := false
	for i, element := range all {
		value := p.value(items, element, depth+1)
		changed = changed || len(value) != len(element)
		all[i] = value
	}
	if !changed {
		return raw
	}
	return arrayOf(all)
}

// resolved follows references and the one schema of an allOf.
func (p *pruning) resolved(m node) node {
	for range maxNesting {
		m = single(m)
		if !m.has("$ref") {
			return m
		}
		m = object(definition(p.root, text(m.find("$ref"))))
	}
	return nil
}

// branchFor returns the alternative of a schema that an object was made by: the
// first that knows all of its members. A strict mode has it say all that one of
// them knows.
func (p *pruning) branchFor(m node, raw []byte) node {
	members := object(raw)
	for _, branch := range alternativesOf(m) {
		b := p.resolved(object(branch))
		properties := object(b.find("properties"))
		unknown := func(o jsonrpc.Member) bool { return !properties.has(string(o.Key)) }
		unfit := func(o jsonrpc.Member) bool { return !p.fits(properties.find(string(o.Key)), o.Value) }
		if len(properties) > 0 && !slices.ContainsFunc(members, unknown) && !slices.ContainsFunc(members, unfit) {
			return b
		}
	}
	return m
}

// fits reports whether a value is one of those that tell alternatives apart: a
// constant, or one of an enum. What is neither fits.
func (p *pruning) fits(schema, value []byte) bool {
	m := p.resolved(object(schema))
	same := func(o []byte) bool { return sameScalar(o, value) }
	switch {
	case isNull(value):
		return true
	case m.has("const"):
		return same(m.find("const"))
	case m.has("enum"):
		return slices.ContainsFunc(elements(m.find("enum")), same)
	}
	return true
}

func sameScalar(a, b []byte) bool {
	if isString(a) && isString(b) {
		return text(a) == text(b)
	}
	return string(a) == string(b)
}

func (p *pruning) arrayBranch(m node) node {
	for _, branch := range alternativesOf(m) {
		if b := p.resolved(object(branch)); b.has("items") {
			return b
		}
	}
	return m
}

func alternativesOf(m node) [][]byte {
	return append(elements(m.find("anyOf")), elements(m.find("oneOf"))...)
}

// refusesNull reports whether null surely does not fit a schema.
func (p *pruning) refusesNull(raw []byte, depth int) bool {
	m := p.resolved(object(raw))
	if len(m) == 0 || depth > maxNesting {
		return false
	}
	if branches := alternativesOf(m); len(branches) > 0 {
		p.nodes += len(branches)
		accepts := func(b []byte) bool { return !p.refusesNull(b, depth+1) }
		return p.nodes < maxPruned && !slices.ContainsFunc(branches, accepts)
	}
	switch {
	case m.has("const"):
		return !isNull(m.find("const"))
	case m.has("enum"):
		return !slices.ContainsFunc(elements(m.find("enum")), isNull)
	case len(m.types()) > 0:
		return !slices.Contains(m.types(), "null")
	}
	return m.has("properties") || m.has("items") // an object or an array, which strict modes say
}
