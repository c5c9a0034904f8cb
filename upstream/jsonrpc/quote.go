package jsonrpc

import (
	"bytes"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

var errNotString = errors.New("not a JSON string")

// String decodes a value that is valid JSON, and should be a string. Lone surrogates
// become U+FFFD.
func String(raw []byte) (string, error) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", errNotString
	}
	return string(unquote(raw)), nil
}

// AppendText appends the text of a JSON string, as String decodes it.
func AppendText(dst, raw []byte) ([]byte, error) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return dst, errNotString
	}
	return append(dst, unquote(raw)...), nil
}

// unquote returns the text of a valid JSON string. It aliases raw when there
// is nothing to unescape.
func unquote(raw []byte) []byte {
	text := raw[1 : len(raw)-1]
	i := bytes.IndexByte(text, '\\')
	if i < 0 {
		return text
	}
	out := append(make([]byte, 0, len(text)), text[:i]...)
	for i < len(text) {
		if text[i] != '\\' {
			out = append(out, text[i])
			i++
			continue
		}
		var n int
		out, n = appendUnescaped(out, text[i:])
		i += n
	}
	return out
}

// appendUnescaped appends what the escape sequence at the head of p stands
// for, a surrogate pair being one, and returns the bytes it took.
func appendUnescaped(dst, p []byte) ([]byte, int) {
	switch p[1] {
	case 'b':
		return append(dst, '\b'), 2
	case 'f':
		return append(dst, '\f'), 2
	case 'n':
		return append(dst, '\n'), 2
	case 'r':
		return append(dst, '\r'), 2
	case 't':
		return append(dst, '\t'), 2
	case 'u':
		r := hexRune(p[2:6])
		if utf16.IsSurrogate(r) {
			if len(p) >= 12 && p[6] == '\\' && p[7] == 'u' {
				if pair := utf16.DecodeRune(r, hexRune(p[8:12])); pair != utf8.RuneError {
					return utf8.AppendRune(dst, pair), 12
				}
			}
			r = utf8.RuneError
		}
		return utf8.AppendRune(dst, r), 6
	}
	return append(dst, p[1]), 2
}

func hexRune(p []byte) rune {
	return hexDigit(p[0])<<12 | hexDigit(p[1])<<8 | hexDigit(p[2])<<4 | hexDigit(p[3])
}

const hexDigits = "0123456789abcdef"

// AppendStrings appends texts as an array of strings, as [AppendString] writes them.
func AppendStrings(dst []byte, texts []string) []byte {
	dst = append(dst, '[')
	for i, text := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, text)
	}
	return append(dst, ']')
}

// AppendString appends text as a JSON string. It escapes what JSON demands and
// nothing else, so "<>&" stay as they are; bytes that are not UTF-8 become
// U+FFFD.
func AppendString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, text[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, text[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}
