package schema

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// types are a set of JSON types, one bit each.
type types uint8

const (
	null types = 1 << iota
	boolean
	integer // of a value: a number that is whole
	fraction
	text
	array
	object

	anyNumber = integer | fraction
)

var typeNames = []struct {
	name  string
	words string
	types types
}{
	{"string", "a string", text},
	{"number", "a number", anyNumber},
	{"integer", "an integer", integer},
	{"boolean", "true or false", boolean},
	{"array", "an array", array},
	{"object", "an object", object},
	{"null", "null", null},
}

// typeOf returns the types that the name stands for; none if it is unknown.
func typeOf(name string) types {
	for _, t := range typeNames {
		if t.name == name {
			return t.types
		}
	}
	return 0
}

// String is the set in words: "a string or null".
func (t types) String() string {
	var words []string
	for _, known := range typeNames {
		if t&known.types == known.types {
			words = append(words, known.words)
			t &^= known.types
		}
	}
	if t&fraction != 0 {
		words = append(words, "a number")
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// A value is a JSON value that is checked.
type value struct {
	kind    types    // one
	text    string   // of a string; of a number, true, false and null as written
	number  *big.Rat // of a number
	items   []*value
	members []member

	known string // what key has returned; "" before
}

type member struct {
	name  string
	value *value
}

// find returns the member called name, or nil.
func (v *value) find(name string) *value {
	for i := range v.members {
		if v.members[i].name == name {
			return v.members[i].value
		}
	}
	return nil
}

// The bounds of a value that is checked.
const (
	maxValueNodes = 200_000
	maxValueDepth = 200
)

// A decoder makes values of JSON text, up to a number of them.
type decoder struct {
	left int
}

var (
	errTooDeep = fmt.Errorf("it is nested deeper than %d", maxValueDepth)
	errTooMany = errors.New("it has too many parts")
)

func (d *decoder) decode(raw []byte, depth int) (*value, error) {
	if depth > maxValueDepth {
		return nil, errTooDeep
	}
	if d.left--; d.left < 0 {
		return nil, errTooMany
	}
	switch raw[0] {
	case '{':
		return d.object(raw, depth)
	case '[':
		return d.array(raw, depth)
	case '"':
		s, err := jsonrpc.String(raw)
		return &value{kind: text, text: s}, err
	case 't', 'f':
		return &value{kind: boolean, text: string(raw)}, nil
	case 'n':
		return &value{kind: null, text: "null"}, nil
	}
	number, ok := parseNumber(string(raw))
	if !ok {
		return nil, fmt.Errorf("the number %.40s has too many digits", raw)
	}
	v := &value{kind: fraction, text: string(raw), number: number}
	if number.IsInt() {
		v.kind = integer
	}
	return v, nil
}

func (d *decoder) array(raw []byte, depth int) (*value, error) {
	list, err := jsonrpc.ParseArray(nil, raw)
	if err != nil {
		return nil, errTooMany
	}
	v := &value{kind: array, items: make([]*value, 0, min(len(list), d.left))}
	for _, item := range list {
		decoded, err := d.decode(item, depth+1)
		if err != nil {
			return nil, err
		}
		v.items = append(v.items, decoded)
	}
	return v, nil
}

func (d *decoder) object(raw []byte, depth int) (*value, error) {
	list, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, errTooMany
	}
	v := &value{kind: object, members: make([]member, 0, min(len(list), d.left))}
	seen := make(map[string]bool, len(list))
	for i := range list {
		name := string(list[i].Key)
		if seen[name] {
			return nil, fmt.Errorf("member %.100q stands twice", name)
		}
		seen[name] = true
		decoded, err := d.decode(list[i].Value, depth+1)
		if err != nil {
			return nil, err
		}
		v.members = append(v.members, member{name, decoded})
	}
	return v, nil
}

// The bounds of a number: an exponent costs little to write and much to follow.
const (
	maxDigits   = 1000
	maxExponent = 1000
)

// parseNumber reads a JSON number exactly. It reports false for one out of
// bounds, and for what is none.
func parseNumber(literal string) (*big.Rat, bool) {
	if len(literal) > maxDigits || strings.ContainsAny(literal, "/_xXpP") {
		return nil, false
	}
	if i := strings.IndexAny(literal, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(literal[i+1:])
		if err != nil || exponent > maxExponent || exponent < -maxExponent {
			return nil, false
		}
	}
	return new(big.Rat).SetString(literal)
}

// key is a text that two values share when they are equal, and else not. It is
// remembered: the first call is for one goroutine.
func (v *value) key() string {
	if v.known == "" {
		var b strings.Builder
		v.appendKey(&b)
		v.known = b.String()
	}
	return v.known
}

func (v *value) appendKey(b *strings.Builder) {
	switch v.kind {
	case object:
		b.WriteByte('{')
		for _, m := range sorted(v.members) {
			b.WriteString(strconv.Quote(m.name) + ":")
			m.value.appendKey(b)
			b.WriteByte(',')
		}
		b.WriteByte('}')
	case array:
		b.WriteByte('[')
		for _, item := range v.items {
			item.appendKey(b)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case text:
		b.WriteString(strconv.Quote(v.text))
	case integer, fraction:
		b.WriteString(v.number.RatString())
	default:
		b.WriteString(v.text)
	}
}
