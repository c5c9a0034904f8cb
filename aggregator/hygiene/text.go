package hygiene

import (
	"strings"
	"unicode/utf8"
)

// Text returns text without what is not to be seen: C0 (but newline and tab),
// DEL, C1, whole escape sequences (ECMA-48), tag characters, the embeddings,
// overrides and isolates of direction, U+200B, U+2060 and U+FEFF. A text that
// has nothing of it is returned as it is; in another one, bytes that are no
// UTF-8 become U+FFFD.
func Text(text string) string {
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	text = strings.ToValidUTF8(text, "\uFFFD") // what is left could else become a character when it is put together
	return string(clean(make([]byte, 0, len(text)), []byte(text), utf8.DecodeRune))
}

// hidden reports whether a rune is not to be seen.
func hidden(r rune) bool {
	switch {
	case r < ' ':
		return r != '\n' && r != '\t'
	case r < 0x7f:
		return false
	case r <= 0x9f: // DEL, C1
		return true
	case r < 0x200b:
		return false
	case r == 0x200b, r == 0x2060, r == 0xfeff: // no width
		return true
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // direction
		return true
	}
	return r >= 0xe0000 && r <= 0xe007f // tags
}

// A decoder returns the character that text begins with, and its length: in
// UTF-8, or as it stands in a JSON string. Text is not empty.
type decoder func(text []byte) (rune, int)

// clean appends what may be seen of a text. It takes time in proportion to its
// length.
func clean(dst, text []byte, next decoder) []byte {
	var last rune // that was appended
	for len(text) > 0 {
		r, n := next(text)
		if hidden(r) {
			text = text[max(n, sequence(text, next)):]
			continue
		}
		if isLow(r) && isHigh(last) {
			// They stood apart, and would be one character now.
			dst, r = append(dst, `\ufffd`...), utf8.RuneError
		} else {
			dst = append(dst, text[:n]...)
		}
		last, text = r, text[n:]
	}
	return dst
}

// Characters of escape sequences (ECMA-48).
const (
	bell = 0x07
	esc  = 0x1b
	dcs  = 0x90
	sos  = 0x98
	csi  = 0x9b
	st   = 0x9c
	osc  = 0x9d
	pm   = 0x9e
	apc  = 0x9f
)

// sequence returns the length of the complete escape sequence that text begins
// with, 0 for none.
func sequence(text []byte, next decoder) int {
	r, at := next(text)
	if r == esc && at < len(text) {
		second, n := next(text[at:])
		switch {
		case second >= '(' && second <= '+':
			return endOfCharset(text, at+n, next)
		case second >= 0x40 && second <= 0x5f:
			r, at = second+0x40, at+n // the form of C1 in seven bits
		}
	}
	switch r {
	case csi:
		return endOfControl(text, at, next)
	case dcs, sos, osc, pm, apc:
		return endOfString(text, at, next)
	}
	return 0
}

// endOfCharset is the end of the choice of a character set: one character.
func endOfCharset(text []byte, at int, next decoder) int {
	if at < len(text) {
		if r, n := next(text[at:]); r >= '0' && r <= '~' {
			return at + n
		}
	}
	return 0
}

// endOfControl is the end of a control sequence: after its parameters.
func endOfControl(text []byte, at int, next decoder) int {
	for at < len(text) {
		r, n := next(text[at:])
		at += n
		switch {
		case r >= '@' && r <= '~':
			return at
		case r < ' ' || r > '?':
			return 0
		}
	}
	return 0
}

// endOfString is the end of a control string: after its terminator. No other
// control can stand in it, so that the search for one ends where that for the
// next begins.
func endOfString(text []byte, at int, next decoder) int {
	for at < len(text) {
		r, n := next(text[at:])
		at += n
		switch {
		case r == bell, r == st:
			return at
		case r == esc && at < len(text):
			if second, n := next(text[at:]); second == '\\' {
				return at + n
			}
			return 0
		case r < ' ', r >= 0x7f && r <= 0x9f:
			return 0
		}
	}
	return 0
}
