package prelude

import "bytes"

// matches reports whether a line of a host is the one of the cue, but for its id,
// and where it has that.
func (c *cue) matches(line []byte) (id Span, ok bool) {
	if c.id == (Span{}) {
		return Span{}, bytes.Equal(c.line, line)
	}
	head, tail := c.line[:c.id.At], c.line[c.id.end():]
	id = Span{c.id.At, len(line) - len(head) - len(tail)}
	if id.Len < 1 || !bytes.HasPrefix(line, head) || !bytes.HasSuffix(line, tail) || !isPlain(id.of(line)) {
		return Span{}, false
	}
	return id, true
}

// maxID is how long an id may be to be taken without being parsed.
const maxID = 64

// isPlain reports whether the bytes in the place of an id are one: a number of
// digits, or a string of characters that stand for themselves. Nothing else can be
// hidden in those.
func isPlain(id []byte) bool {
	n := len(id)
	if n > maxID {
		return false
	}
	if id[0] != '"' {
		return isPlainNumber(id)
	}
	if n < 2 || id[n-1] != '"' {
		return false
	}
	for _, c := range id[1 : n-1] {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// isPlainNumber leaves out what readers differ about: leading zeros, and numbers
// that a double does not hold.
func isPlainNumber(id []byte) bool {
	if len(id) > 15 || id[0] == '0' && len(id) > 1 {
		return false
	}
	for _, c := range id {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
