package telemetry

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// A Context is a place in a trace: a span, as others refer to it (W3C Trace
// Context, level 1). The zero Context is none.
type Context struct {
	Trace [16]byte
	Span  [8]byte
	Flags byte
}

// sampled is the flag of traces that are recorded.
const sampled = 0x01

// Sampled reports whether who has made the Context records the trace.
func (c Context) Sampled() bool { return c.Flags&sampled != 0 }

// IsZero reports whether c is no place at all.
func (c Context) IsZero() bool { return c.Trace == [16]byte{} }

// parentLength is that of a traceparent of version 00.
const parentLength = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-00")

// Parse reads a traceparent. It reports false for what is none: then nothing of it
// is of use (W3C Trace Context, 3.2.2.5). A later version than 00 may go on behind
// a dash.
func Parse(text string) (c Context, ok bool) {
	if len(text) < parentLength || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return Context{}, false
	}
	var version, flags [1]byte
	ok = lowerHex(version[:], text[:2]) && lowerHex(c.Trace[:], text[3:35]) && lowerHex(c.Span[:], text[36:52]) && lowerHex(flags[:], text[53:55])
	switch {
	case !ok, version[0] == 0xff, c.Trace == [16]byte{}, c.Span == [8]byte{}:
		return Context{}, false
	case len(text) > parentLength && (version[0] == 0 || text[parentLength] != '-'):
		return Context{}, false
	}
	c.Flags = flags[0]
	return c, true
}

// lowerHex decodes lower-case hexadecimal digits: others are not allowed.
func lowerHex(dst []byte, text string) bool {
	for i := range len(text) {
		if 'A' <= text[i] && text[i] <= 'F' {
			return false
		}
	}
	_, err := hex.Decode(dst, []byte(text))
	return err == nil
}

// Append appends c as a traceparent of version 00.
func (c Context) Append(dst []byte) []byte {
	dst = append(dst, "00-"...)
	dst = append(hex.AppendEncode(dst, c.Trace[:]), '-')
	dst = append(hex.AppendEncode(dst, c.Span[:]), '-')
	return hex.AppendEncode(dst, []byte{c.Flags & sampled})
}

// Child returns a new place in the trace of c.
func (c Context) Child() Context {
	for c.Span = [8]byte{}; c.Span == [8]byte{}; {
		binary.BigEndian.PutUint64(c.Span[:], rand.Uint64())
	}
	return c
}

// newTrace returns the first place of a trace that is recorded.
func newTrace() Context {
	c := Context{Flags: sampled}
	for c.Trace == [16]byte{} {
		binary.BigEndian.PutUint64(c.Trace[:8], rand.Uint64())
		binary.BigEndian.PutUint64(c.Trace[8:], rand.Uint64())
	}
	return c.Child()
}
