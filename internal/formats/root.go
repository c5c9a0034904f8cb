package formats

import (
	"bytes"
	"slices"
)

// flatRoot returns a schema with a plain object at its root: OpenAI and
// Anthropic take no combinations there. It is raw itself if that is so already.
func flatRoot(raw []byte, n *notes) []byte {
	root := object(raw)
	if isPlainRoot(root) {
		return raw
	}
	f := flattening{root: root, lost: n}
	return f.flat(root, 0).raw()
}

func isPlainRoot(root node) bool {
	return string(root.find("type")) == `"object"` && !slices.ContainsFunc(rootless, root.has)
}

// rootless are the keywords that may not stand at the root.
var rootless = []string{"$ref", "allOf", "anyOf", "oneOf", "enum", "const", "not"}

// A flattening makes a plain object of a schema that need not be one.
type flattening struct {
	root  node
	lost  *notes
	nodes int // looked at: references can make many of few
}

// maxFlattened is how many nodes are looked at; the combinations in what lies
// beyond are left out.
const maxFlattened = 1000

// flat returns n as a plain object. Alternatives become one object that may have
// the arguments of any of them, and requires those that all require.
func (f *flattening) flat(n node, depth int) node {
	n = slices.Clone(n)
	f.nodes++
	if depth < maxNesting && f.nodes < maxFlattened {
		n = f.inlined(n, depth)
		for _, branch := range elements(n.find("allOf")) {
			n = merged(n, []node{f.flat(object(branch), depth+1)})
		}
		n = f.alternatives(n, "anyOf", depth)
		n = f.alternatives(n, "oneOf", depth)
	}
	for _, key := range rootless {
		if key != "$ref" && key != "allOf" && n.has(key) {
			f.lost.drop(key, "")
		}
	}
	n.remove(rootless...)
	n.set("type", []byte(`"object"`))
	return n
}

// inlined puts what a node refers to in its place. What stands beside the
// reference counts more.
func (f *flattening) inlined(n node, depth int) node {
	if !n.has("$ref") {
		return n
	}
	target := definition(f.root, text(n.find("$ref")))
	n.remove("$ref")
	if target == nil {
		f.lost.drop("$ref", "")
		return n
	}
	for _, m := range f.flat(object(target), depth+1) {
		if key := string(m.Key); !n.has(key) {
			n.set(key, m.Value)
		}
	}
	return n
}

func (f *flattening) alternatives(n node, key string, depth int) node {
	var branches []node
	for _, raw := range elements(n.find(key)) {
		if branch := object(raw); string(branch.find("type")) != `"null"` {
			branches = append(branches, f.flat(branch, depth+1))
		}
	}
	if len(branches) > 0 {
		n = merged(n, branches)
	}
	return n
}

// merged adds the properties of branches to n. It requires what n does and all
// branches do.
func merged(n node, branches []node) node {
	properties := object(n.find("properties"))
	for _, branch := range branches {
		for _, p := range object(branch.find("properties")) {
			key := string(p.Key)
			properties.set(key, either(properties.find(key), p.Value))
		}
	}
	required := stringsOf(n.find("required"))
	for _, name := range stringsOf(branches[0].find("required")) {
		everywhere := !slices.ContainsFunc(branches, func(b node) bool {
			return !slices.Contains(stringsOf(b.find("required")), name)
		})
		if everywhere && !slices.Contains(required, name) {
			required = append(required, name)
		}
	}
	n.set("properties", properties.raw())
	if len(required) > 0 {
		n.set("required", stringArray(required))
	}
	return n
}

// either returns a schema for what fits one of two.
func either(a, b []byte) []byte {
	switch {
	case a == nil || bytes.Equal(a, b):
		return b
	case object(a).only("anyOf") && isArray(object(a).find("anyOf")):
		return alternation(append(elements(object(a).find("anyOf")), b))
	}
	return alternation([][]byte{a, b})
}

func alternation(branches [][]byte) []byte {
	return write(member("anyOf", arrayOf(branches)))
}

// withProperties gives a schema the member without which OpenAI takes none.
func withProperties(raw []byte) []byte {
	root := object(raw)
	if root.has("properties") {
		return raw
	}
	root.set("properties", []byte("{}"))
	return root.raw()
}

// withItems says of each array in a schema that does not say what it holds that
// it holds anything: it means the same, and OpenAI wants it said. It is raw
// itself if nothing is to be said.
func withItems(raw []byte) []byte {
	return itemsWithin(raw, 0)
}

func itemsWithin(raw []byte, depth int) []byte {
	n, err := parseNode(raw)
	if err != nil || depth > maxNesting {
		return raw
	}
	changed := false
	put := func(key string, value []byte) {
		if !bytes.Equal(value, n.find(key)) {
			n.set(key, value)
			changed = true
		}
	}
	for _, key := range []string{"properties", "$defs", "definitions"} {
		if isObject(n.find(key)) {
			put(key, eachMember(n.find(key), depth))
		}
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf", "prefixItems"} {
		if isArray(n.find(key)) {
			put(key, eachElement(n.find(key), depth))
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if isObject(n.find(key)) {
			put(key, itemsWithin(n.find(key), depth+1))
		}
	}
	if slices.Contains(n.types(), "array") && !n.has("items") {
		put("items", []byte("{}"))
	}
	if !changed {
		return raw
	}
	return n.raw()
}

func eachMember(raw []byte, depth int) []byte {
	members := object(raw)
	changed := false
	for i, m := range members {
		if value := itemsWithin(m.Value, depth+1); !bytes.Equal(value, m.Value) {
			members[i].Value = value
			changed = true
		}
	}
	if !changed {
		return raw
	}
	return members.raw()
}

func eachElement(raw []byte, depth int) []byte {
	all := elements(raw)
	changed := false
	for i, element := range all {
		if value := itemsWithin(element, depth+1); !bytes.Equal(value, element) {
			all[i] = value
			changed = true
		}
	}
	if !changed {
		return raw
	}
	return arrayOf(all)
}
