package formats

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A dialect is the part of JSON Schema that an API's strict mode takes.
type dialect struct {
	optionalIsNull bool // all arguments are required; one that need not be there may be null
	recursion      bool
	keywords       []string // beside those that tell a value's type and parts
	formats        []string
	leastItems     []string // values of minItems; nil for any
	maxProperties  int      // in all; 0 for no limit
	maxDepth       int      // of objects within each other
	maxEnum        int      // values in all enums
}

// formatsOfAll are those formats of texts that both strict modes know.
var formatsOfAll = []string{"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}

var openAIDialect = &dialect{
	optionalIsNull: true,
	recursion:      true,
	keywords: []string{
		"$schema", "title", "description", "pattern", "multipleOf",
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems",
	},
	formats:       formatsOfAll,
	maxProperties: 5000,
	maxDepth:      10,
	maxEnum:       1000,
}

var dialects = map[API]*dialect{
	OpenAI:          openAIDialect,
	OpenAIResponses: openAIDialect,
	Anthropic: {
		keywords:   []string{"$schema", "title", "description", "default", "minItems"},
		formats:    append([]string{"uri"}, formatsOfAll...),
		leastItems: []string{"0", "1"},
		maxDepth:   maxNesting,
	},
}

// structural are the keywords that a node is made of; what is no keyword of the
// dialect and not among these is left out.
var structural = []string{
	"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const", "$ref", "$defs", "definitions", "format",
}

// strictSchema returns a schema as a strict mode takes it, and what it has lost.
// An error says why there is none.
func strictSchema(d *dialect, raw []byte) ([]byte, notes, error) {
	if !isManageable(raw) {
		return nil, nil, fmt.Errorf("its schema is larger than %d KiB, or nests too deep", maxSchema>>10)
	}
	root := object(raw)
	n := &narrowing{dialect: d, root: root, references: make(map[string][]string), narrowed: make(map[string][]byte)}
	narrow, err := n.schema(raw, place{})
	if err == nil {
		err = n.referred()
	}
	if err == nil {
		err = n.overall()
	}
	if err != nil {
		return nil, nil, err
	}
	return n.withDefinitions(narrow), n.lost, nil
}

// A narrowing is the work on one schema.
type narrowing struct {
	*dialect
	root       node
	lost       notes
	properties int
	values     int                 // of enums
	looks      int                 // of acceptsNull
	within     string              // the definition that is being worked on; "" for the arguments
	references map[string][]string // from each definition to others
	open       []string            // definitions that are referred to and not narrowed yet
	narrowed   map[string][]byte   // those that are
}

// A place is where a node is.
type place struct {
	path    string
	depth   int // of nodes
	objects int // around it
}

func (p place) argument(name string) place {
	p.depth++
	p.objects++
	if p.path != "" {
		name = p.path + "." + name
	}
	p.path = name
	return p
}

func (p place) element() place {
	p.depth++
	p.path += "[]"
	return p
}

func (p place) branch() place {
	p.depth++
	return p
}

func (p place) errorf(format string, args ...any) error {
	where := p.path
	if where == "" {
		where = "the tool"
	}
	return fmt.Errorf("%s %w", where, fmt.Errorf(format, args...))
}

// referred narrows the definitions that are referred to, and those that they
// refer to. Generators put all that they know into every schema: what nothing
// leads to is no reason not to be strict.
func (n *narrowing) referred() error {
	for len(n.open) > 0 {
		n.within = n.open[0]
		n.open = n.open[1:]
		name := n.within[strings.LastIndexByte(n.within, '/')+1:]
		narrow, err := n.schema(definition(n.root, n.within), place{path: name})
		if err != nil {
			return err
		}
		n.narrowed[n.within] = narrow
	}
	return nil
}

// withDefinitions returns the narrowed root with the narrowed definitions.
func (n *narrowing) withDefinitions(raw []byte) []byte {
	root := object(raw)
	for _, key := range definitionKeys {
		if !root.has(key) {
			continue
		}
		all := object(root.find(key))
		for i, m := range all {
			all[i].Value = n.narrowed["#/"+key+"/"+string(m.Key)] // nil, which is left out, if nothing leads there
		}
		root.set(key, all.raw())
	}
	return root.raw()
}

// schema narrows one node.
func (n *narrowing) schema(raw []byte, at place) ([]byte, error) {
	if at.depth > maxNesting {
		return nil, errNesting
	}
	if !isObject(raw) {
		return nil, at.errorf("takes any value")
	}
	m := single(object(raw))
	var err error
	switch {
	case m.has("$ref"):
		return n.reference(m, at)
	case m.has("anyOf") || m.has("oneOf"):
		err = n.union(&m, at)
	default:
		err = n.plain(&m, at)
	}
	if err != nil {
		return nil, err
	}
	n.leaveOut(&m, at)
	return m.raw(), nil
}

// single takes the one schema of an allOf for the node itself, as generators
// write it to put a description beside a reference.
func single(m node) node {
	all := elements(m.find("allOf"))
	if len(all) != 1 || !isObject(all[0]) || !m.only(append(slices.Clone(annotations), "allOf")...) {
		return m
	}
	inner := object(all[0])
	for _, o := range m {
		if key := string(o.Key); key != "allOf" {
			inner.set(key, o.Value)
		}
	}
	return inner
}

// annotations are the keywords that say nothing about which values fit.
var annotations = []string{"title", "description", "default", "examples", "deprecated", "$comment"}

// reference narrows a node that refers to another. Strict modes take nothing
// beside a reference, so a description moves to a node around it.
func (n *narrowing) reference(m node, at place) ([]byte, error) {
	target := text(m.find("$ref"))
	if definition(n.root, target) == nil {
		return nil, at.errorf("refers to %q, which is none of the schema's definitions", target)
	}
	to := target
	if to == "#" {
		to = "" // the arguments
	}
	n.references[n.within] = append(n.references[n.within], to)
	if to != "" && n.narrowed[to] == nil && !slices.Contains(n.open, to) && to != n.within {
		n.open = append(n.open, to)
	}
	for _, o := range m {
		if key := string(o.Key); key != "$ref" && key != "description" {
			n.lost.drop(key, at.path)
		}
	}
	bare := write(member("$ref", quote(target)))
	if !m.has("description") {
		return bare, nil
	}
	return write(member("description", m.find("description")), member("anyOf", arrayOf([][]byte{bare}))), nil
}

// union narrows a node of alternatives.
func (n *narrowing) union(m *node, at place) error {
	key := "anyOf"
	if !m.has(key) {
		key = "oneOf"
	} else if m.has("oneOf") {
		return at.errorf("has both anyOf and oneOf")
	}
	branches := elements(m.find(key))
	if !slices.ContainsFunc(branches, saysType) && m.has("type") {
		n.lost.drop(key, at.path) // it only narrows what the node says
		m.remove(key)
		return n.plain(m, at)
	}
	for _, k := range []string{"properties", "items", "enum", "const"} {
		if m.has(k) {
			return at.errorf("combines %s with %s", key, k)
		}
	}
	common := m.find("type")
	m.remove("type")
	for i, branch := range branches {
		b := object(branch)
		if common != nil && isObject(branch) && !saysType(branch) {
			b.set("type", common)
			branch = b.raw()
		}
		narrow, err := n.schema(branch, at.branch())
		if err != nil {
			return err
		}
		branches[i] = narrow
	}
	if key == "oneOf" {
		n.lost.add("takes anyOf for oneOf at", at.path)
	}
	m.rename(key, "anyOf", arrayOf(branches))
	return nil
}

// saysType reports whether a schema says by itself what kind of value fits.
func saysType(raw []byte) bool {
	m := object(raw)
	return slices.ContainsFunc([]string{"type", "$ref", "enum", "const", "anyOf", "oneOf", "allOf", "properties", "items"}, m.has)
}

// plain narrows a node that is neither a reference nor a union.
func (n *narrowing) plain(m *node, at place) error {
	for _, key := range []string{"allOf", "prefixItems", "patternProperties", "additionalItems"} {
		if m.has(key) {
			return at.errorf("has %s", key)
		}
	}
	if err := n.setType(m, at); err != nil {
		return err
	}
	types := m.types()
	if slices.Contains(types, "object") {
		if err := n.object(m, at); err != nil {
			return err
		}
	}
	if slices.Contains(types, "array") {
		if err := n.array(m, at); err != nil {
			return err
		}
	}
	values := elements(m.find("enum"))
	n.values += len(values)
	for _, value := range values {
		if isObject(value) || isArray(value) {
			return at.errorf("has an enum of objects or arrays")
		}
	}
	return nil
}

// setType says what type a node is of that says it by its other members only.
func (n *narrowing) setType(m *node, at place) error {
	if len(m.types()) > 0 {
		return nil
	}
	var types []string
	values := elements(m.find("enum"))
	if m.has("const") {
		values = [][]byte{m.find("const")}
	}
	for _, value := range values {
		if t := typeOf(value); !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	switch {
	case len(types) == 0 && m.has("properties"):
		types = []string{"object"}
	case len(types) == 0 && m.has("items"):
		types = []string{"array"}
	case len(types) == 0:
		return at.errorf("takes any value")
	}
	declared := stringArray(types)
	if len(types) == 1 {
		declared = quote(types[0])
	}
	*m = slices.Insert(*m, 0, member("type", declared))
	return nil
}

func typeOf(value []byte) string {
	switch value[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	}
	if strings.ContainsAny(string(value), ".eE") {
		return "number"
	}
	return "integer"
}

// object closes an object: it takes the properties that it names, and no others.
func (n *narrowing) object(m *node, at place) error {
	if at.objects >= n.maxDepth {
		return at.errorf("is an object within %d others", at.objects)
	}
	properties := object(m.find("properties"))
	closed := string(m.find("additionalProperties")) == "false" || string(m.find("unevaluatedProperties")) == "false"
	mentioned := m.has("additionalProperties") || m.has("unevaluatedProperties")
	noArguments := at == place{} && n.within == "" && m.has("properties") // a tool's own word, not an object of anything
	if !closed && (mentioned || len(properties) == 0 && !noArguments) {
		return at.errorf("takes any key")
	}
	required := stringsOf(m.find("required"))
	for _, name := range required {
		if !properties.has(name) {
			return at.errorf("requires %q and does not say what it is", name)
		}
	}
	names := make([]string, len(properties))
	for i, p := range properties {
		names[i] = string(p.Key)
		value, err := n.schema(p.Value, at.argument(names[i]))
		if err != nil {
			return err
		}
		if n.optionalIsNull && !slices.Contains(required, names[i]) {
			value = n.nullable(value)
		}
		properties[i].Value = value
	}
	n.properties += len(names)
	m.set("properties", properties.raw())
	if n.optionalIsNull {
		m.set("required", stringArray(names))
	}
	m.remove("unevaluatedProperties")
	m.set("additionalProperties", []byte("false"))
	return nil
}

func (n *narrowing) array(m *node, at place) error {
	items := m.find("items")
	if !isObject(items) {
		return at.element().errorf("takes any value")
	}
	narrow, err := n.schema(items, at.element())
	if err != nil {
		return err
	}
	m.set("items", narrow)
	return nil
}

// nullable returns a narrowed schema that takes null as well.
func (n *narrowing) nullable(raw []byte) []byte {
	if n.acceptsNull(raw, 0) {
		return raw
	}
	null := []byte(`{"type":"null"}`)
	m := object(raw)
	switch {
	case m.has("anyOf"):
		m.set("anyOf", arrayOf(append(elements(m.find("anyOf")), null)))
		return m.raw()
	case m.has("$ref") || m.has("const"):
		return alternation([][]byte{raw, null})
	}
	if types := m.types(); !slices.Contains(types, "null") {
		m.set("type", stringArray(append(types, "null")))
	}
	if m.has("enum") {
		m.set("enum", arrayOf(append(elements(m.find("enum")), []byte("null"))))
	}
	return m.raw()
}

// acceptsNull reports whether null fits a schema. What it cannot tell, it
// denies.
func (n *narrowing) acceptsNull(raw []byte, depth int) bool {
	m := object(raw)
	n.looks++
	if depth > maxNesting || n.looks > maxLooks || len(m) == 0 {
		return false
	}
	if m.has("$ref") {
		return n.acceptsNull(definition(n.root, text(m.find("$ref"))), depth+1)
	}
	accepts := func(branch []byte) bool { return n.acceptsNull(branch, depth+1) }
	if slices.ContainsFunc(alternativesOf(m), accepts) {
		return true
	}
	if m.has("const") {
		return isNull(m.find("const"))
	}
	if m.has("enum") {
		return slices.ContainsFunc(elements(m.find("enum")), isNull)
	}
	return slices.Contains(m.types(), "null")
}

// maxLooks bounds what is looked at to find out where null fits: references can
// lead to the same places by many ways.
const maxLooks = 10_000

// leaveOut takes out what the dialect does not know. What is left fits whatever
// fitted before, and more: the server checks what it wants checked.
func (n *narrowing) leaveOut(m *node, at place) {
	*m = slices.DeleteFunc(*m, func(o jsonrpc.Member) bool {
		key := string(o.Key)
		isRoot := at == place{} && n.within == ""
		if n.knows(key, o.Value) && (isRoot || !slices.Contains(definitionKeys, key)) {
			return false
		}
		n.lost.drop(key, at.path)
		return true
	})
}

func (n *narrowing) knows(key string, value []byte) bool {
	switch key {
	case "format":
		return slices.Contains(n.formats, text(value))
	case "pattern":
		return slices.Contains(n.keywords, key) && !looksAround(text(value))
	case "minItems":
		return n.leastItems == nil || slices.Contains(n.leastItems, string(value))
	case "exclusiveMinimum", "exclusiveMaximum": // truth values in draft 4
		return slices.Contains(n.keywords, key) && string(value) != "true" && string(value) != "false"
	}
	return slices.Contains(structural, key) || slices.Contains(n.keywords, key)
}

// looksAround reports whether a pattern has look-around, which no strict mode
// takes.
func looksAround(pattern string) bool {
	return slices.ContainsFunc([]string{"(?=", "(?!", "(?<=", "(?<!"}, func(s string) bool { return strings.Contains(pattern, s) })
}

// overall checks what only shows when all is done.
func (n *narrowing) overall() error {
	switch {
	case n.maxProperties > 0 && n.properties > n.maxProperties:
		return fmt.Errorf("it has %d properties, more than %d", n.properties, n.maxProperties)
	case n.maxEnum > 0 && n.values > n.maxEnum:
		return errors.New("its enums have " + strconv.Itoa(n.values) + " values, more than " + strconv.Itoa(n.maxEnum))
	case !n.recursion && n.isRecursive():
		return errors.New("a definition contains itself")
	}
	return nil
}

// isRecursive reports whether a definition leads back to itself, or to the
// arguments, which contain all.
func (n *narrowing) isRecursive() bool {
	done := make(map[string]bool)
	var open []string
	var visit func(name string) bool
	visit = func(name string) bool {
		if slices.Contains(open, name) {
			return true
		}
		if done[name] {
			return false
		}
		open = append(open, name)
		found := slices.ContainsFunc(n.references[name], visit)
		open = open[:len(open)-1]
		done[name] = true
		return found
	}
	for name := range n.references {
		if visit(name) {
			return true
		}
	}
	return false
}
