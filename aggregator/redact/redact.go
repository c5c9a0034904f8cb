package redact

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Redactor replaces secrets by [redacted:NAME], NAME being that of the
// detector that knew it. It is immutable and safe for concurrent use.
type Redactor struct {
	finders []finder
	keys    bool // members named like secrets
}

// All is the name that stands for every detector.
const All = "all"

// SecretKeys is the detector of members by their names.
const SecretKeys = "secret_keys"

// New returns a Redactor with the detectors of these names; All stands for every
// one of them.
func New(names ...string) (*Redactor, error) {
	r := &Redactor{}
	wanted := map[string]bool{}
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("unknown detector %q (want %s)", name, strings.Join(Names(), ", "))
		}
		wanted[name] = true
	}
	r.keys = wanted[SecretKeys] || wanted[All]
	for _, d := range detectors {
		if wanted[d.name] || wanted[All] {
			r.finders = append(r.finders, d.finder())
		}
	}
	return r, nil
}

// Names returns the names of all detectors, and All.
func Names() []string {
	names := []string{All, SecretKeys}
	for _, d := range detectors {
		names = append(names, d.name)
	}
	return names
}

// Text returns a text without the secrets in it; the same text if there are
// none.
func (r *Redactor) Text(text string) string {
	for i := range r.finders {
		f := &r.finders[i]
		if f.hint == "" || strings.Contains(text, f.hint) {
			text = f.pattern.ReplaceAllString(text, f.replacement)
		}
	}
	return text
}

// JSON appends a raw JSON value to dst without the secrets in its strings. What
// has none keeps its bytes. Members named like secrets lose their whole value.
func (r *Redactor) JSON(dst, raw []byte) []byte {
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
		n := valueEnd(value)
		dst = appendHidden(dst, value[:n])
		raw = value[n:]
	}
	return dst
}

// appendString appends a quoted string without the secrets in it.
func (r *Redactor) appendString(dst, quoted []byte) []byte {
	text := unquoted(quoted)
	if clean := r.Text(text); clean != text {
		return jsonrpc.AppendString(dst, clean)
	}
	return append(dst, quoted...)
}

// appendHidden appends what stands for the value of a member named like a
// secret. Nothing is hidden by null, true, false and the empty string.
func appendHidden(dst, value []byte) []byte {
	switch string(value) {
	case "null", "true", "false", `""`:
		return append(dst, value...)
	}
	return append(dst, `"[redacted:`+SecretKeys+`]"`...)
}

func unquoted(quoted []byte) string {
	text, err := jsonrpc.String(quoted)
	if err != nil {
		return ""
	}
	return text
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
