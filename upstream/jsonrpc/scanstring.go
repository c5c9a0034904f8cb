package jsonrpc

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// A string is looked at by words first, since most are short, and what is beyond
// shortString bytes by blocks.
const (
	shortString = 64
	blockSize   = 64 // as many as a word has bits
)

// str scans a string and notes in s.escaped whether it has escapes.
func (s *scanner) str(i int) int {
	s.escaped = false
	i++
	data := s.data
	near := data[:min(len(data), i+shortString)]
	for {
		for i+8 <= len(near) {
			if stop := stops(binary.LittleEndian.Uint64(near[i:])) & highs; stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		if i >= len(near) {
			if len(near) == len(data) && !s.refill() {
				return s.bad(len(data), "string ends early")
			}
			data = s.data
			i, near = s.blocks(i), data
			continue
		}
		n := 1
		switch c := near[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			s.escaped = true
			if n = escape(data, i); n == 0 {
				if s.refill() {
					data, near = s.data, s.data[:i]
					continue // it may have been cut
				}
				return s.bad(i, "unknown escape in a string")
			}
		case c < ' ':
			return s.bad(i, "control character in a string")
		case c >= utf8.RuneSelf:
			if n = multibyte(data[i:]); n == 0 {
				if s.refill() {
					data, near = s.data, s.data[:i]
					continue // it may have been cut
				}
				return s.bad(i, "text is not UTF-8")
			}
		}
		i += n
	}
}

// blocks passes over what belongs into the string that i is in, and returns where
// that ends: at its last quote, at what str is to refuse, or where no whole block
// is left.
func (s *scanner) blocks(i int) int {
	data := s.data
	for len(data)-i >= blockSize {
		next := i + blockSize
		for marks := marksIn((*[blockSize]byte)(data[i:next])); marks != 0; {
			at := i + bits.TrailingZeros64(marks)
			n := 1
			if c := data[at]; c == '\\' {
				s.escaped = true
				n = escape(data, at)
			} else if c >= utf8.RuneSelf {
				n = multibyte(data[at:])
			} else if c == '"' || c < ' ' {
				return at
			}
			if n == 0 {
				return at
			}
			if at += n; at >= next {
				next = at
				break
			}
			marks &= ^uint64(0) << ((at - i) % blockSize)
		}
		i = next
	}
	return i
}

// The bytes of a word that end a run of plain text in a string: quotes,
// backslashes, control characters, and whatever is not ASCII.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
	slash = ones * '\\'

	// With this bit turned, the quote stands where the blank was, next to the control
	// characters; and what is turned below it are these, or there is no quote.
	turned = ones * ('"' ^ ' ')
	beyond = ones * (' ' + 1)
)

// stops marks them by the highest bit of their bytes; other bits mean nothing. The
// lowest mark is exact: what is not ASCII marks itself, and borrows can only add
// marks above the byte that they come from.
func stops(w uint64) uint64 {
	return ((w ^ turned) - beyond) | ((w ^ slash) - ones) | w
}

// marksIn is the stops of a block: a bit for each byte, the first byte's lowest. A
// byte right above a stop may be marked though it is none.
func marksIn(p *[blockSize]byte) uint64 {
	a := stops(binary.LittleEndian.Uint64(p[0:]))
	b := stops(binary.LittleEndian.Uint64(p[8:]))
	c := stops(binary.LittleEndian.Uint64(p[16:]))
	d := stops(binary.LittleEndian.Uint64(p[24:]))
	e := stops(binary.LittleEndian.Uint64(p[32:]))
	f := stops(binary.LittleEndian.Uint64(p[40:]))
	g := stops(binary.LittleEndian.Uint64(p[48:]))
	h := stops(binary.LittleEndian.Uint64(p[56:]))
	if (a|b|c|d|e|f|g|h)&highs == 0 {
		return 0
	}
	return gathered(a) | gathered(b)<<8 | gathered(c)<<16 | gathered(d)<<24 |
		gathered(e)<<32 | gathered(f)<<40 | gathered(g)<<48 | gathered(h)<<56
}

// gathered is the highest bits of the eight bytes of a word, side by side. The
// factor moves each to where no other comes.
func gathered(w uint64) uint64 { return (w & highs) * 0x0002040810204081 >> 56 }

// escape returns the length of the escape sequence at at, or 0 if it is none.
func escape(data []byte, at int) int {
	if at+1 < len(data) && escapes[data[at+1]] {
		return 2
	}
	return unicodeEscape(data[at:])
}

func unicodeEscape(p []byte) int {
	const length = len(`\u0000`)
	if len(p) >= length && p[1] == 'u' && isHex(p[2:length]) {
		return length
	}
	return 0
}

// escapes are the bytes that may follow a backslash, besides "u".
var escapes = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

func isHex(p []byte) bool {
	for _, c := range p {
		if hexDigit(c) < 0 {
			return false
		}
	}
	return true
}

func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// multibyte returns the length of the run of characters beyond ASCII that p
// begins with, or 0 if the first is not UTF-8.
func multibyte(p []byte) int {
	i := 0
	for i < len(p) && p[i] >= utf8.RuneSelf {
		n := 0
		if i+8 <= len(p) {
			w := binary.LittleEndian.Uint64(p[i:])
			if w&threeMask == threeMarks && (1<<(w&0xF)|1<<(w>>24&0xF))&narrowed == 0 {
				i += 6
				continue
			}
			n = twoByte(w)
		}
		if n == 0 {
			if _, n = utf8.DecodeRune(p[i:]); n == 1 {
				break
			}
		}
		i += n
	}
	return i
}

// What is beyond ASCII is mostly characters of two bytes (Cyrillic, Greek,
// accents), and of three (Chinese, Japanese), which come in runs: the marks of
// these in a word, lowest byte first. All else is for package utf8 to judge.
const (
	lanes             = 0x0001000100010001 // a word is four pairs of bytes
	twoMask, twoMarks = lanes * 0xC0E0, lanes * 0x80C0
	overlong          = lanes * 0x1E // two bytes: none of these bits

	threeMask, threeMarks = 0xC0C0F0_C0C0F0, 0x8080E0_8080E0
	narrowed              = 1<<0x0 | 1<<0xD // three bytes: E0 and ED, which not every byte may follow
)

// twoByte returns how many bytes at the head of w are characters of two bytes.
func twoByte(w uint64) int {
	const top = lanes * 0x8000
	isOverlong := ^(w&overlong + (top - lanes)) & top
	return bits.TrailingZeros64(w&twoMask^twoMarks|isOverlong) / 16 * 2
}
