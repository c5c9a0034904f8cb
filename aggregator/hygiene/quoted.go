package hygiene

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape is the decoder of what stands between the quotes of a JSON string. A
// surrogate without its other half is returned as it is.
func unescape(text []byte) (r rune, n int) {
	if text[0] != '\\' {
		return utf8.DecodeRune(text)
	}
	switch text[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return rune(text[1]), 2
	}
	r = hex(text[2:6])
	if isHigh(r) && len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
		if low := hex(text[8:12]); isLow(low) {
			return utf16.DecodeRune(r, low), 12
		}
	}
	return r, 6
}

func isHigh(r rune) bool { return r >= 0xd800 && r < 0xdc00 }

func isLow(r rune) bool { return r >= 0xdc00 && r < 0xe000 }

// hex is the value of four hexadecimal digits.
func hex(digits []byte) (r rune) {
	for _, c := range digits {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c&^0x20 - 'A' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

const (
	ones    = 0x0101010101010101
	highs   = 0x8080808080808080
	slashes = ones * '\\'
	deletes = ones * 0x7f
)

// suspect reports whether anything in a JSON text may have to be taken out, or
// only looks so. It costs one scan, which most texts pass eight bytes at a time.
func suspect(text []byte) bool {
	for i := 0; i < len(text); {
		if i+8 <= len(text) {
			w := binary.LittleEndian.Uint64(text[i:])
			slash, del := w^slashes, w^deletes
			stop := ((slash-ones)&^slash | (del-ones)&^del | w) & highs
			if stop == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(stop) / 8 // the lowest mark is exact
		}
		n := 1
		switch c := text[i]; {
		case c == 0x7f:
			return true
		case c == '\\':
			var r rune
			if r, n = unescape(text[i:]); hidden(r) || isHigh(r) {
				return true
			}
		case c >= utf8.RuneSelf:
			var r rune
			if r, n = utf8.DecodeRune(text[i:]); hidden(r) {
				return true
			}
		}
		i += n
	}
	return false
}
