package redact

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Redactor replaces secrets by [redacted:NAME], NAME being that of the
// detector that knew it. It is immutable and safe for concurrent use; nil is one
// that knows none. It takes time in proportion to the text.
type Redactor struct {
	finders [256][]finder // by the byte that makes one look closer
	keys    bool          // members named like secrets
}

// A finder looks for a secret around text[at] and returns where it stands; 0, 0
// for none.
type finder struct {
	name string
	find func(text []byte, at int) (start, end int)
}

// All is the name that stands for every detector.
const All = "all"

// SecretKeys is the detector of members, headers and variables by their names.
const SecretKeys = "secret_keys"

// New returns a Redactor with the detectors of these names; All stands for every
// one of them.
func New(names ...string) (*Redactor, error) {
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("unknown detector %q (want %s)", name, strings.Join(Names(), ", "))
		}
	}
	r := &Redactor{}
	for _, d := range detectors {
		if !slices.Contains(names, d.name) && !slices.Contains(names, All) {
			continue
		}
		r.keys = r.keys || d.name == SecretKeys
		for i := range len(d.begins) {
			r.finders[d.begins[i]] = append(r.finders[d.begins[i]], finder{d.name, d.find})
		}
	}
	return r, nil
}

// Names returns the names of all detectors, and All.
func Names() []string {
	names := []string{All}
	for _, d := range detectors {
		if !slices.Contains(names, d.name) {
			names = append(names, d.name)
		}
	}
	return names
}

// Text returns a text without the secrets in it; the same text if there are
// none.
func (r *Redactor) Text(text string) string {
	if out, found := r.text([]byte(text)); found {
		return string(out)
	}
	return text
}

// JSON appends a raw JSON value to dst without the secrets in its strings. What
// has none keeps its bytes; a string that has some is written anew, with other
// escapes perhaps. Members named like secrets lose their whole value. dst must
// not alias raw.
func (r *Redactor) JSON(dst, raw []byte) []byte {
	if r == nil {
		return append(dst, raw...)
	}
	for len(raw) > 0 {
		start := bytes.IndexByte(raw, '"')
		if start < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:start]...)
		raw = raw[start:]
		end := stringEnd(raw)
		quoted := raw[:end]
		raw = raw[end:]
		if !isKey(raw) {
			dst = r.appendString(dst, quoted)
			continue
		}
		dst = append(dst, quoted...)
		if !r.keys || !isSecretKey(unquoted(quoted)) {
			continue
		}
		colon := bytes.IndexByte(raw, ':') + 1
		value := raw[colon:]
		skipped := len(value) - len(bytes.TrimLeft(value, " \t\r\n"))
		dst = append(dst, raw[:colon+skipped]...)
		value = value[skipped:]
		if n := valueEnd(value); !isSchema(value[:n]) {
			dst = appendHidden(dst, value[:n])
			value = value[n:]
		}
		raw = value
	}
	return dst
}

// appendString appends a quoted string without the secrets in it.
func (r *Redactor) appendString(dst, quoted []byte) []byte {
	if with, found := r.text(unquoted(quoted)); found {
		return jsonrpc.AppendString(dst, string(with))
	}
	return append(dst, quoted...)
}

// text returns a text without the secrets in it, if there are any.
func (r *Redactor) text(text []byte) (out []byte, found bool) {
	if r == nil {
		return nil, false
	}
	copied := 0
	for at := 0; at < len(text); at++ {
		if at > 0 && alnum[text[at]] && alnum[text[at-1]] {
			continue // nothing begins within a word
		}
		for _, f := range r.finders[text[at]] {
			start, end := f.find(text, at)
			if end == 0 {
				continue
			}
			out = append(out, text[copied:start]...)
			out = append(append(append(out, mark...), f.name...), ']')
			copied, at, found = end, end-1, true
			break
		}
	}
	return append(out, text[copied:]...), found
}

// mark is the beginning of what stands for a secret.
const mark = "[redacted:"

// appendHidden appends what stands for the value of a member named like a
// secret. Nothing is hidden by null, true, false and the empty string.
func appendHidden(dst, value []byte) []byte {
	switch string(value) {
	case "null", "true", "false", `""`:
		return append(dst, value...)
	}
	return append(dst, `"`+mark+SecretKeys+`]"`...)
}

// isSchema reports whether a value is a JSON Schema: what a secret looks like, not
// a secret.
func isSchema(value []byte) bool {
	const longest = 1024
	if value[0] != '{' || len(value) > longest {
		return false
	}
	members, _ := jsonrpc.ParseObject(nil, value) // it is one
	if jsonrpc.Find(members, "$ref") != nil {
		return true
	}
	switch string(jsonrpc.Find(members, "type")) {
	case `"string"`, `"number"`, `"integer"`, `"boolean"`, `"array"`, `"object"`, `"null"`:
		return true
	}
	return false
}

// unquoted is the text of a JSON string. It aliases the string if nothing in that
// is escaped.
func unquoted(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsonrpc.String(quoted) // it is one
	return []byte(text)
}

// isKey reports whether the string before raw is the name of a member.
func isKey(raw []byte) bool {
	rest := bytes.TrimLeft(raw, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

// stringEnd is the length of the quoted string at the head of raw.
func stringEnd(raw []byte) int {
	for i := 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// valueEnd is the length of the value at the head of raw.
func valueEnd(raw []byte) int {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i += stringEnd(raw[i:]) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(raw)
}
