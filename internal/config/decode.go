package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/internal/spell"
	"github.com/weir-mcp/weir/policy"
)

// maxUnits bounds what aliases can make of a file: each visit of a node costs
// the length of its text, and one more. Without aliases a file of maxFileSize
// cannot get there.
const maxUnits = 2 * maxFileSize

// A decoder carries nodes into values and gathers what is wrong with them. The
// values are structs (with the tags yaml for a key, and pos for the position of a
// key's value), slices, pointers, strings, booleans, integers, and what decodes itself. A key that is
// absent leaves its field as it is. A key needs a value; only a mapping may be
// left empty.
type decoder struct {
	file    string
	sources *Sources // nil for nobody
	lenient bool     // unknown keys are warnings, and keys without a value are absent
	path    []string
	units   int
	errs    []error
	warn    []string
	shapes  map[reflect.Type]*shape
}

// A decodable takes itself out of a node that is neither null nor an alias.
type decodable interface {
	decode(d *decoder, n *yaml.Node)
}

// A shape is what the tags of a struct say.
type shape struct {
	fields    map[string]int
	positions map[string]int // the fields for positions, by key; "" = of the struct itself
	keys      []string
}

// value decodes n into what target points to.
func (d *decoder) value(n *yaml.Node, target any) {
	d.into(n, reflect.ValueOf(target).Elem())
}

func (d *decoder) into(n *yaml.Node, v reflect.Value) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if d.units += 1 + len(n.Value); d.units > maxUnits {
		if d.units-1-len(n.Value) <= maxUnits {
			d.fail(n, "aliases make the file too large")
		}
		return
	}
	target := v.Addr().Interface()
	_, isMapping := target.(interface{ decodeEmpty() })
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" && !isMapping {
		d.fail(n, "a value is missing")
		return
	}
	switch target := target.(type) {
	case decodable:
		target.decode(d, n)
		return
	case encoding.TextUnmarshaler:
		d.unmarshalText(n, target)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.into(n, v.Elem())
	case reflect.Struct:
		d.structure(n, v)
	case reflect.Slice:
		d.slice(n, v)
	default:
		d.scalar(n, v)
	}
}

func (d *decoder) unmarshalText(n *yaml.Node, target encoding.TextUnmarshaler) {
	if !d.isString(n) {
		return
	}
	if err := target.UnmarshalText([]byte(n.Value)); err != nil {
		d.fail(n, err.Error())
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value) {
	s := d.shapeOf(v.Type())
	d.setPosition(v, s, "", n)
	d.pairs(n, func(key, value *yaml.Node) {
		index, known := s.fields[key.Value]
		if !known {
			d.unknown(key, s)
			return
		}
		if d.lenient && value.ShortTag() == "!!null" {
			return
		}
		d.setPosition(v, s, key.Value, value)
		d.path = append(d.path, key.Value)
		d.into(value, v.Field(index))
		d.path = d.path[:len(d.path)-1]
	})
}

func (d *decoder) setPosition(v reflect.Value, s *shape, key string, n *yaml.Node) {
	if index, ok := s.positions[key]; ok {
		v.Field(index).Set(reflect.ValueOf(d.pos(n)))
	}
}

// pairs calls each for the keys of a mapping, which are strings and different.
func (d *decoder) pairs(n *yaml.Node, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, "keys with values")
		return
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		first, twice := seen[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null":
			d.fail(key, "a key must be text")
		case key.ShortTag() == "!!merge":
			d.fail(key, "merge keys (<<) are not supported; write the keys out")
		case twice:
			d.fail(key, fmt.Sprintf("key %q stands here twice (first on line %d)", key.Value, first))
		default:
			seen[key.Value] = key.Line
			each(key, n.Content[i+1])
		}
	}
}

func (d *decoder) unknown(key *yaml.Node, s *shape) {
	switch near := spell.Nearest(key.Value, s.keys); {
	case d.lenient:
		d.warn = append(d.warn, d.errorAt(key, fmt.Sprintf("ignoring unknown key %q", key.Value)).Error())
	case near != "":
		d.fail(key, fmt.Sprintf("unknown key %q (did you mean %q?)", key.Value, near))
	default:
		d.fail(key, fmt.Sprintf("unknown key %q (known are %s)", key.Value, strings.Join(s.keys, ", ")))
	}
}

// slice decodes a list; an empty one is not nil.
func (d *decoder) slice(n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.wrongType(n, "a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.path = append(d.path, strconv.Itoa(i+1))
		d.into(item, v.Index(i))
		d.path = d.path[:len(d.path)-1]
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if d.isString(n) {
			d.noReference(n)
			v.SetString(n.Value)
		}
	case reflect.Bool:
		var b bool
		if n.ShortTag() != "!!bool" || n.Decode(&b) != nil {
			d.wrongType(n, "true or false")
			return
		}
		v.SetBool(b)
	case reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if n.ShortTag() != "!!int" || err != nil {
			d.wrongType(n, "a whole number")
			return
		}
		v.SetInt(int64(i))
	default:
		panic("config: no way to decode a " + v.Type().String())
	}
}

func (d *decoder) isString(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		return true
	}
	d.wrongType(n, "text")
	return false
}

// noReference refuses what the user would expect to be expanded.
func (d *decoder) noReference(n *yaml.Node) {
	if strings.Contains(n.Value, "${") {
		d.fail(n, "references (${…}) are not expanded here")
	}
}

func (d *decoder) wrongType(n *yaml.Node, want string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	got := map[string]string{
		"!!map": "keys with values", "!!seq": "a list", "!!str": "text", "!!int": "a number", "!!float": "a number",
		"!!bool": "true or false", "!!null": "nothing", "!!timestamp": "a date",
	}[n.ShortTag()]
	if got == "" {
		got = "a value tagged " + n.ShortTag()
	}
	hint := ""
	if want == "text" && n.Kind == yaml.ScalarNode {
		hint = "; put it in quotes"
	}
	d.fail(n, fmt.Sprintf("this is %s, want %s%s", got, want, hint))
}

func (d *decoder) fail(n *yaml.Node, text string) {
	d.errs = append(d.errs, d.errorAt(n, text))
}

// errorAt returns an error that names the place in the file and among the keys.
func (d *decoder) errorAt(n *yaml.Node, text string) *Error {
	if len(d.path) > 0 {
		text = strings.Join(d.path, ".") + ": " + text
	}
	return &Error{Pos: d.pos(n), Text: text}
}

func (d *decoder) pos(n *yaml.Node) policy.Position {
	return policy.Position{File: d.file, Line: n.Line}
}

func (d *decoder) shapeOf(t reflect.Type) *shape {
	if s := d.shapes[t]; s != nil {
		return s
	}
	s := &shape{fields: map[string]int{}, positions: map[string]int{}}
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		if key, ok := tag.Lookup("pos"); ok {
			s.positions[key] = i
		}
		if key := tag.Get("yaml"); key != "" && key != "-" {
			s.fields[key] = i
			s.keys = append(s.keys, key)
		}
	}
	if d.shapes == nil {
		d.shapes = map[reflect.Type]*shape{}
	}
	d.shapes[t] = s
	return s
}
