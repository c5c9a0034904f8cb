// Package canonical writes JSON in one spelling, so that what says the same can
// be told by a digest: definitions that were pinned, arguments that were approved.
package canonical

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The bounds of what Text takes: no honest value comes near them, and none may
// cost the machine more than a moment.
const (
	MaxSize  = 1 << 20 // bytes
	maxDepth = 128
)

var (
	errTooLarge = fmt.Errorf("more than %d bytes", MaxSize)
	errTooDeep  = fmt.Errorf("nested deeper than %d levels", maxDepth)
	errNoJSON   = errors.New("not JSON")
)

// A Digest is a SHA-256 of a value.
type Digest [sha256.Size]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// DigestOf returns the SHA-256 of the canonical text of a value. Of one that Text
// does not take it is that of the bytes as they are, behind a byte that no JSON
// begins with: then every other spelling is another value.
func DigestOf(raw []byte) Digest {
	text, err := Text(make([]byte, 0, len(raw)), raw)
	if err != nil {
		text = append([]byte{0}, raw...)
	}
	return sha256.Sum256(text)
}

// Text appends the canonical text of a JSON value: the members of objects in the
// order of their keys, those of the same key in the order in which they stand; strings with no escapes but for what must have one; no white space.
// Numbers stay as they are spelled. Texts that differ in nothing else have the
// same canonical text, and no others do.
//
// The error says why raw is not taken: it is no JSON, has more than 1 MiB, or is
// nested deeper than 128 levels. Then dst is returned as it was.
func Text(dst, raw []byte) ([]byte, error) {
	if len(raw) > MaxSize {
		return dst, errTooLarge
	}
	if !jsonrpc.Valid(raw) {
		return dst, errNoJSON
	}
	c := canonicaliser{in: raw, out: dst}
	c.value(0)
	if c.tooDeep {
		return dst, errTooDeep
	}
	return c.out, nil
}

// A canonicaliser writes a text that is known to be JSON anew.
type canonicaliser struct {
	in      []byte // what is left of it
	out     []byte
	members []span // of the objects that are being written
	spare   []byte
	tooDeep bool
}

// A span is a member in out.
type span struct{ start, keyEnd, end int }

func (c *canonicaliser) value(depth int) {
	c.space()
	switch {
	case depth > maxDepth:
		c.tooDeep, c.in = true, nil
	case c.in[0] == '{':
		c.object(depth)
	case c.in[0] == '[':
		c.array(depth)
	case c.in[0] == '"':
		c.text()
	default:
		n := bytes.IndexAny(c.in, ",]} \t\r\n")
		if n < 0 {
			n = len(c.in)
		}
		c.out, c.in = append(c.out, c.in[:n]...), c.in[n:]
	}
}

func (c *canonicaliser) space() { c.in = bytes.TrimLeft(c.in, " \t\r\n") }

// next takes the next byte that is no white space; 0 at the end, where it was
// given up.
func (c *canonicaliser) next() byte {
	c.space()
	if len(c.in) == 0 {
		return 0
	}
	b := c.in[0]
	c.in = c.in[1:]
	return b
}

func (c *canonicaliser) isNext(b byte) bool {
	c.space()
	if len(c.in) == 0 || c.in[0] != b {
		return false
	}
	c.in = c.in[1:]
	return true
}

func (c *canonicaliser) array(depth int) {
	c.next()
	c.out = append(c.out, '[')
	for more := !c.isNext(']'); more; {
		c.value(depth + 1)
		if more = c.next() == ','; more {
			c.out = append(c.out, ',')
		}
	}
	c.out = append(c.out, ']')
}

func (c *canonicaliser) object(depth int) {
	c.next()
	c.out = append(c.out, '{')
	first := len(c.members)
	for more := !c.isNext('}'); more; {
		at := span{start: len(c.out)}
		c.space()
		c.text()
		at.keyEnd = len(c.out)
		c.next()
		c.out = append(c.out, ':')
		c.value(depth + 1)
		at.end = len(c.out)
		c.members = append(c.members, at)
		if more = c.next() == ','; more {
			c.out = append(c.out, ',')
		}
	}
	c.sort(c.members[first:])
	c.members = c.members[:first]
	c.out = append(c.out, '}')
}

// sort puts the members at the end of out into the order of their keys.
func (c *canonicaliser) sort(members []span) {
	byKey := func(a, b span) int { return bytes.Compare(c.out[a.start:a.keyEnd], c.out[b.start:b.keyEnd]) }
	if slices.IsSortedFunc(members, byKey) {
		return
	}
	start := members[0].start
	slices.SortStableFunc(members, byKey)
	c.spare = c.spare[:0]
	for i, m := range members {
		if i > 0 {
			c.spare = append(c.spare, ',')
		}
		c.spare = append(c.spare, c.out[m.start:m.end]...)
	}
	copy(c.out[start:], c.spare)
}

// text writes a string. What is left escaped has one spelling: a surrogate that
// stands alone too, which is no character.
func (c *canonicaliser) text() {
	c.out = append(c.out, '"')
	for p := c.in[1:]; ; {
		n := bytes.IndexAny(p, `"\`)
		c.out = append(c.out, p[:n]...)
		if p[n] == '"' {
			c.in = p[n+1:]
			break
		}
		p = c.escape(p[n:])
	}
	c.out = append(c.out, '"')
}

// escape writes the escape sequence that p begins with, and returns what is
// behind it.
func (c *canonicaliser) escape(p []byte) []byte {
	if p[1] != 'u' {
		r := rune(p[1])
		if i := bytes.IndexByte([]byte("bfnrt"), p[1]); i >= 0 {
			r = rune("\b\f\n\r\t"[i])
		}
		c.character(r)
		return p[2:]
	}
	r := hexRune(p[2:6])
	if utf16.IsSurrogate(r) && len(p) >= 12 && p[6] == '\\' && p[7] == 'u' {
		if pair := utf16.DecodeRune(r, hexRune(p[8:12])); pair != utf8.RuneError {
			c.character(pair)
			return p[12:]
		}
	}
	c.character(r)
	return p[6:]
}

func (c *canonicaliser) character(r rune) {
	switch {
	case r == '"', r == '\\':
		c.out = append(c.out, '\\', byte(r))
	case r < ' ', utf16.IsSurrogate(r):
		c.out = fmt.Appendf(c.out, `\u%04x`, r)
	default:
		c.out = utf8.AppendRune(c.out, r)
	}
}

func hexRune(p []byte) (r rune) {
	var b [2]byte
	_, _ = hex.Decode(b[:], p) // it is known to be hexadecimal
	return rune(b[0])<<8 | rune(b[1])
}
