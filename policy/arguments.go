package policy

import (
	"bytes"
	"errors"
	"math"
	"strconv"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// maxNesting is how deep the arguments that a condition looks at may nest.
const maxNesting = 64

var (
	errNotObject   = errors.New("not an object")
	errNotJSON     = errors.New("not JSON")
	errTwice       = errors.New("a member stands twice in one object")
	errTooDeep     = errors.New("nested more than " + strconv.Itoa(maxNesting) + " deep")
	errUnfair      = errors.New("nested too deep for its size")
	errTooLarge    = errors.New("a whole number beyond 64 bits")
	errNotANumber  = errors.New("a number beyond what a double can hold")
	errNotBoolean  = errors.New("a hint that is neither true nor false")
	errNotAString  = errors.New("a title that is no text")
	errAnnotations = errors.New("annotations that are no object")
)

// decodeObject returns what a raw JSON object means to a condition: strings,
// booleans and nil, int64 for a number without fraction and exponent, float64
// for any other, []any, map[string]any. What readers could understand in two
// ways is an error, and so is a number that would have to be bent. Empty raw and
// null stand for {}. The errors repeat nothing that stands in raw.
func decodeObject(raw []byte) (map[string]any, error) {
	raw = bytes.Trim(raw, " \t\r\n")
	if len(raw) == 0 || string(raw) == "null" {
		return map[string]any{}, nil
	}
	if raw[0] != '{' {
		return nil, errNotObject
	}
	if !jsonrpc.Fair(raw) {
		return nil, errUnfair
	}
	return decodeMembers(raw, maxNesting)
}

func decodeMembers(raw []byte, depth int) (map[string]any, error) {
	members, err := parseMembers(raw)
	if err != nil {
		return nil, err
	}
	decoded := make(map[string]any, len(members))
	for _, m := range members {
		if decoded[string(m.Key)], err = decodeValue(m.Value, depth); err != nil {
			return nil, err
		}
	}
	return decoded, nil
}

// parseMembers returns the members of an object, of which none has the name of
// another.
func parseMembers(raw []byte) ([]jsonrpc.Member, error) {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, errNotJSON
	}
	seen := make(map[string]bool, len(members))
	for _, m := range members {
		if seen[string(m.Key)] {
			return nil, errTwice
		}
		seen[string(m.Key)] = true
	}
	return members, nil
}

func decodeValue(raw []byte, depth int) (any, error) {
	switch raw[0] {
	case '{', '[':
		if depth--; depth == 0 {
			return nil, errTooDeep
		}
		if raw[0] == '{' {
			return decodeMembers(raw, depth)
		}
		return decodeElements(raw, depth)
	case '"':
		return jsonrpc.String(raw)
	case 't':
		return true, nil
	case 'f':
		return false, nil
	case 'n':
		return nil, nil
	default:
		return decodeNumber(raw)
	}
}

func decodeElements(raw []byte, depth int) (any, error) {
	elements, err := jsonrpc.ParseArray(nil, raw)
	if err != nil {
		return nil, errNotJSON
	}
	decoded := make([]any, len(elements))
	for i, e := range elements {
		if decoded[i], err = decodeValue(e, depth); err != nil {
			return nil, err
		}
	}
	return decoded, nil
}

func decodeNumber(raw []byte) (any, error) {
	if !bytes.ContainsAny(raw, ".eE") {
		i, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return nil, errTooLarge
		}
		return i, nil
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, errNotANumber
	}
	return f, nil
}

// decodeTool returns what a tool's definition says of the tool: its title, ""
// without one, and its annotations, with the defaults of those it has not.
func decodeTool(definition []byte) (title string, annotations map[string]any, err error) {
	if len(definition) == 0 {
		definition = []byte("{}")
	}
	members, err := parseMembers(definition)
	if err != nil {
		return "", nil, err
	}
	if annotations, err = decodeAnnotations(jsonrpc.Find(members, "annotations")); err != nil {
		return "", nil, err
	}
	title, _ = annotations["title"].(string)
	raw := jsonrpc.Find(members, "title")
	switch {
	case raw == nil || raw[0] == 'n':
		return title, annotations, nil
	case raw[0] != '"':
		return "", nil, errNotAString
	}
	title, err = jsonrpc.String(raw)
	return title, annotations, err
}

// decodeAnnotations fills in what the specification (2025-06-18 and later,
// schema, ToolAnnotations) takes for true where a server is silent, but that a
// tool which says that it only reads is not taken to destroy. null is silence:
// servers in Python write it.
func decodeAnnotations(raw []byte) (map[string]any, error) {
	decoded, err := decodeObject(raw)
	switch {
	case errors.Is(err, errNotObject):
		return nil, errAnnotations
	case err != nil:
		return nil, err
	}
	if decoded["title"] == nil {
		decoded["title"] = ""
	}
	if _, isString := decoded["title"].(string); !isString {
		return nil, errNotAString
	}
	for _, hint := range []struct {
		name     string
		fallback func() any
	}{
		{"readOnlyHint", func() any { return false }},
		{"destructiveHint", func() any { return decoded["readOnlyHint"] != true }},
		{"idempotentHint", func() any { return false }},
		{"openWorldHint", func() any { return true }},
	} {
		if decoded[hint.name] == nil {
			decoded[hint.name] = hint.fallback()
		}
		if _, isBool := decoded[hint.name].(bool); !isBool {
			return nil, errNotBoolean
		}
	}
	return decoded, nil
}
