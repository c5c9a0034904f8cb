package schema

import (
	"fmt"
	"net/url"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A reader fills a node from the members of its schema. The first error stays.
type reader struct {
	c       *compiler
	n       *node
	members []jsonrpc.Member
	base    *url.URL
	depth   int
	err     error
}

func (r *reader) find(key string) []byte { return jsonrpc.Find(r.members, key) }

func (r *reader) fail(key, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("keyword %q: want %s", key, want)
	}
}

func (r *reader) read() {
	if raw := r.find("$ref"); raw != nil {
		to, err := jsonrpc.String(raw)
		if err != nil {
			r.fail("$ref", "a text")
			return
		}
		r.c.open = append(r.c.open, reference{r.n, to, r.base})
		if r.c.old {
			return // draft-07, 8.3: all beside $ref is ignored
		}
	}
	for _, key := range []string{"$dynamicRef", "$recursiveRef"} {
		if r.find(key) != nil && !r.c.old {
			r.err = fmt.Errorf("keyword %q is not supported", key)
			return
		}
	}
	r.values()
	r.objects()
	r.list()
	r.combinations()
}

// values reads what is said of values that have no parts.
func (r *reader) values() {
	n := r.n
	n.types = r.types()
	if raw := r.find("enum"); raw != nil {
		list, err := jsonrpc.ParseArray(nil, raw)
		if err != nil {
			r.fail("enum", "a list")
		}
		n.enum = make([]*value, 0, len(list))
		for _, item := range list {
			n.enum = append(n.enum, r.value("enum", item))
		}
	}
	if raw := r.find("const"); raw != nil {
		constant := r.value("const", raw)
		if n.enum == nil {
			n.enum = []*value{constant}
		} else {
			n.allOf = append(n.allOf, &node{enum: []*value{constant}})
		}
	}
	n.multipleOf = r.number("multipleOf")
	if n.multipleOf != nil && n.multipleOf.rat.Sign() <= 0 {
		r.fail("multipleOf", "more than 0")
	}
	n.minimum, n.maximum = r.number("minimum"), r.number("maximum")
	n.above, n.below = r.number("exclusiveMinimum"), r.number("exclusiveMaximum")
	n.minLength, n.maxLength = r.count("minLength"), r.count("maxLength")
	if raw := r.find("pattern"); raw != nil {
		n.pattern = r.pattern("pattern", raw)
	}
}

func (r *reader) value(key string, raw []byte) *value {
	d := decoder{left: maxNodes}
	v, err := d.decode(raw, 0)
	if err != nil {
		r.fail(key, "other values: "+err.Error())
		return &value{}
	}
	v.key()
	return v
}

func (r *reader) types() (set types) {
	raw := r.find("type")
	if raw == nil {
		return 0
	}
	list := [][]byte{raw}
	if raw[0] == '[' {
		var err error
		if list, err = jsonrpc.ParseArray(nil, raw); err != nil {
			r.fail("type", "types")
		}
	}
	for _, item := range list {
		name, err := jsonrpc.String(item)
		known := typeOf(name)
		if err != nil || known == 0 {
			r.fail("type", "the name of a type, or a list of them")
		}
		set |= known
	}
	return set
}

func (r *reader) number(key string) *number {
	raw := r.find(key)
	if raw == nil {
		return nil
	}
	rat, ok := parseNumber(string(raw))
	if !ok {
		r.fail(key, "a number")
		return nil
	}
	return &number{rat, string(raw)}
}

// count reads a number that is whole and not negative.
func (r *reader) count(key string) *int {
	n := r.number(key)
	if n == nil {
		return nil
	}
	if !n.rat.IsInt() || n.rat.Sign() < 0 {
		r.fail(key, "a whole number")
		return nil
	}
	count := int(1 << 40) // more than any value can have
	if n.rat.Num().IsInt64() {
		count = int(min(n.rat.Num().Int64(), 1<<40))
	}
	return &count
}

func (r *reader) pattern(key string, raw []byte) *pattern {
	text, err := jsonrpc.String(raw)
	if err != nil {
		r.fail(key, "a text")
		return nil
	}
	re, err := compilePattern(text)
	if err != nil && r.err == nil {
		r.err = err
	}
	return re
}

// objects reads what is said of objects.
func (r *reader) objects() {
	n := r.n
	n.properties = r.named("properties")
	if len(n.properties) > 0 {
		n.property = make(map[string]*node, len(n.properties))
		for _, p := range n.properties {
			n.property[p.name] = p.node
		}
	}
	for _, p := range r.named("patternProperties") {
		re, err := compilePattern(p.name)
		if err != nil && r.err == nil {
			r.err = err
		}
		n.patternProperties = append(n.patternProperties, patterned{re, p.node})
	}
	n.additional = r.schema("additionalProperties")
	n.propertyNames = r.schema("propertyNames")
	n.required = r.texts("required", r.find("required"))
	n.minMembers, n.maxMembers = r.count("minProperties"), r.count("maxProperties")
	if r.c.old {
		r.dependencies()
		return
	}
	for _, m := range r.object("dependentRequired") {
		n.dependentRequired = append(n.dependentRequired, dependency{string(m.Key), r.texts("dependentRequired", m.Value)})
	}
	n.dependentSchemas = r.named("dependentSchemas")
	n.unevaluatedMembers = r.schema("unevaluatedProperties")
	r.c.notes = r.c.notes || n.unevaluatedMembers != nil
}

// dependencies are both of what later drafts tell apart.
func (r *reader) dependencies() {
	for _, m := range r.object("dependencies") {
		if m.Value[0] == '[' {
			r.n.dependentRequired = append(r.n.dependentRequired, dependency{string(m.Key), r.texts("dependencies", m.Value)})
			continue
		}
		r.n.dependentSchemas = append(r.n.dependentSchemas, named{string(m.Key), r.compile(m.Value)})
	}
}

// list reads what is said of arrays. A list of schemas under items is what later
// drafts call prefixItems.
func (r *reader) list() {
	n := r.n
	switch items := r.find("items"); {
	case !r.c.old:
		n.prefix, n.items = r.schemas("prefixItems"), r.schema("items")
	case items != nil && items[0] == '[':
		n.prefix, n.items = r.schemas("items"), r.schema("additionalItems")
	default:
		n.items = r.schema("items")
	}
	n.contains = r.schema("contains")
	n.minItems, n.maxItems = r.count("minItems"), r.count("maxItems")
	n.unique = string(r.find("uniqueItems")) == "true"
	if r.c.old {
		return
	}
	n.minContains, n.maxContains = r.count("minContains"), r.count("maxContains")
	n.unevaluatedItems = r.schema("unevaluatedItems")
	r.c.notes = r.c.notes || n.unevaluatedItems != nil
}

// combinations reads what makes one schema of several.
func (r *reader) combinations() {
	n := r.n
	n.allOf = append(n.allOf, r.schemas("allOf")...)
	n.anyOf = r.schemas("anyOf")
	n.oneOf = r.schemas("oneOf")
	n.not = r.schema("not")
	n.cond, n.then, n.other = r.schema("if"), r.schema("then"), r.schema("else")
}

func (r *reader) compile(raw []byte) *node {
	n, err := r.c.compile(raw, r.base, r.depth+1)
	if err != nil && r.err == nil {
		r.err = err
	}
	return n
}

func (r *reader) schema(key string) *node {
	raw := r.find(key)
	if raw == nil {
		return nil
	}
	return r.compile(raw)
}

func (r *reader) schemas(key string) (nodes []*node) {
	raw := r.find(key)
	if raw == nil {
		return nil
	}
	list, err := jsonrpc.ParseArray(nil, raw)
	if err != nil {
		r.fail(key, "a list of schemas")
	}
	for _, item := range list {
		nodes = append(nodes, r.compile(item))
	}
	return nodes
}

func (r *reader) object(key string) []jsonrpc.Member {
	raw := r.find(key)
	if raw == nil {
		return nil
	}
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		r.fail(key, "an object")
	}
	return members
}

func (r *reader) named(key string) (out []named) {
	for _, m := range r.object(key) {
		out = append(out, named{string(m.Key), r.compile(m.Value)})
	}
	return out
}

func (r *reader) texts(key string, raw []byte) (out []string) {
	if raw == nil {
		return nil
	}
	list, err := jsonrpc.ParseArray(nil, raw)
	if err != nil {
		r.fail(key, "a list of texts")
	}
	for _, item := range list {
		text, err := jsonrpc.String(item)
		if err != nil {
			r.fail(key, "a list of texts")
		}
		out = append(out, text)
	}
	return out
}
