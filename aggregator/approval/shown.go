package approval

import (
	"bytes"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is how a person is shown what others wrote: all of it, and nothing
// that could move, hide or turn around what stands beside it.

// isPlain reports whether r is seen as what it is. Space is the only white space
// that is: others cannot be told from it.
func isPlain(r rune) bool {
	return unicode.IsPrint(r) && r != utf8.RuneError &&
		!unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// Visible is a text on one line, with escape sequences of JSON for all that is
// not plain.
func Visible(text string) string {
	return string(appendVisible(nil, text))
}

func appendVisible(dst []byte, text string) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		if isPlain(r) {
			dst = append(dst, text[:n]...)
		} else {
			dst = appendEscaped(dst, r)
		}
		text = text[n:]
	}
	return dst
}

func appendEscaped(dst []byte, r rune) []byte {
	switch r {
	case '\n':
		return append(dst, `\n`...)
	case '\t':
		return append(dst, `\t`...)
	case '\r':
		return append(dst, `\r`...)
	}
	if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
		return appendUnit(appendUnit(dst, high), low)
	}
	return appendUnit(dst, r)
}

func appendUnit(dst []byte, r rune) []byte {
	digits := strconv.FormatUint(uint64(r)|1<<16, 16)
	return append(append(dst, `\u`...), digits[1:]...)
}

// Shown is JSON for a person: over several lines, each of them behind indent but
// the first, its strings as they will be read, with escape sequences for all that
// is not plain. It says the same as raw.
func Shown(raw []byte, indent string) string {
	if !jsonrpc.Valid(raw) {
		return Visible(string(raw)) // which does not happen to what came over the wire
	}
	p := printer{indent: indent}
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; b {
		case ' ', '\t', '\n', '\r':
		case '"':
			i += p.str(raw[i:]) - 1
		case '{', '[':
			p.open(b, raw[i+1:])
		case '}', ']':
			p.close(b)
		case ',':
			p.out = append(p.out, b)
			p.line()
		case ':':
			p.out = append(p.out, ": "...)
		default:
			p.out = append(p.out, b)
		}
	}
	return string(p.out)
}

type printer struct {
	out    []byte
	indent string
	depth  int
}

// maxIndented is how deep lines move to the right.
const maxIndented = 20

func (p *printer) line() {
	p.out = append(append(p.out, '\n'), p.indent...)
	for range min(p.depth, maxIndented) {
		p.out = append(p.out, "  "...)
	}
}

func (p *printer) open(b byte, rest []byte) {
	p.out = append(p.out, b)
	p.depth++
	if rest = bytes.TrimLeft(rest, " \t\r\n"); rest[0] != b+2 { // ] and } stand two behind [ and {
		p.line()
	}
}

func (p *printer) close(b byte) {
	p.depth--
	if last := p.out[len(p.out)-1]; last != b-2 {
		p.line()
	}
	p.out = append(p.out, b)
}

// str shows the string at the head of raw and returns its length.
func (p *printer) str(raw []byte) int {
	p.out = append(p.out, '"')
	for i := 1; ; {
		switch raw[i] {
		case '"':
			p.out = append(p.out, '"')
			return i + 1
		case '\\':
			i += p.escape(raw[i:])
		default:
			r, n := utf8.DecodeRune(raw[i:])
			if isPlain(r) {
				p.out = append(p.out, raw[i:i+n]...)
			} else {
				p.out = appendEscaped(p.out, r)
			}
			i += n
		}
	}
}

// escape shows an escape sequence: as what it stands for where that is plain.
func (p *printer) escape(raw []byte) int {
	switch {
	case raw[1] == '/':
		p.out = append(p.out, '/')
		return 2
	case raw[1] != 'u':
		p.out = append(p.out, raw[:2]...)
		return 2
	}
	n, r := 6, unit(raw)
	if utf16.IsSurrogate(r) && len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		if pair := utf16.DecodeRune(r, unit(raw[6:])); pair != unicode.ReplacementChar {
			n, r = 12, pair
		}
	}
	if isPlain(r) && r != '"' && r != '\\' {
		p.out = utf8.AppendRune(p.out, r)
	} else {
		p.out = append(p.out, raw[:n]...)
	}
	return n
}

func unit(raw []byte) rune {
	n, _ := strconv.ParseUint(string(raw[2:6]), 16, 16) // it is valid
	return rune(n)
}
