package jsonrpc

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The bytes of a word that end a run of plain text in a string: quotes,
// backslashes, control characters, and whatever is not ASCII.
const (
	ones   = 0x0101010101010101
	highs  = 0x8080808080808080
	quotes = ones * '"'
	slash  = ones * '\\'
	blanks = ones * ' '
)

// str scans a string and notes in s.escaped whether it has escapes.
func (s *scanner) str() error {
	data, i := s.data, s.pos+1
	s.escaped = false
	for {
		for i+8 <= len(data) {
			w := binary.LittleEndian.Uint64(data[i:])
			stop := ((w - blanks) | ((w ^ quotes) - ones) | ((w ^ slash) - ones) | w) & highs
			if stop != 0 {
				// The lowest mark is exact: what is not ASCII marks itself by w, and
				// borrows can only add marks above the byte that they come from.
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		if i >= len(data) {
			s.pos = len(data)
			return s.bad("string ends early")
		}
		var n int
		switch c := data[i]; {
		case c == '"':
			s.pos = i + 1
			return nil
		case c == '\\':
			s.escaped = true
			if i+1 < len(data) && escapes[data[i+1]] {
				n = 2
			} else if i+5 < len(data) && data[i+1] == 'u' && isHex(data[i+2:i+6]) {
				n = 6
			} else {
				s.pos = i
				return s.bad("unknown escape in a string")
			}
		case c < ' ':
			s.pos = i
			return s.bad("control character in a string")
		case c < utf8.RuneSelf:
			n = 1
		default:
			if n = multibyte(data[i:]); n == 0 {
				s.pos = i
				return s.bad("text is not UTF-8")
			}
		}
		i += n
	}
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
			n = common(binary.LittleEndian.Uint64(p[i:]))
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
// these in a word, lowest byte first.
const (
	twoMask, twoMarks     = 0xC0E0, 0x80C0
	threeMask, threeMarks = 0xC0C0F0_C0C0F0, 0x8080E0_8080E0
	overlong              = 0x1E            // two bytes: none of these bits
	narrowed              = 1<<0x0 | 1<<0xD // three bytes: E0 and ED, which not every byte may follow
)

// common returns how many bytes at the head of w are one character of two bytes
// or two of three, or 0 for all else, which is for package utf8 to judge.
func common(w uint64) int {
	switch {
	case w&threeMask == threeMarks && (1<<(w&0xF)|1<<(w>>24&0xF))&narrowed == 0:
		return 6
	case w&twoMask == twoMarks && w&overlong != 0:
		return 2
	}
	return 0
}
