package jsonrpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest in a message. It is the
// limit of encoding/json, so what passes here can be read by any Go peer.
const MaxDepth = 10000

// A SyntaxError says where a text stops being JSON (RFC 8259), or where its
// bytes stop being UTF-8.
type SyntaxError struct {
	Offset int    // of the first byte that does not fit
	What   string // what is wrong there
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.What)
}

// A Member is one name and value of an object. Key is unescaped; Name (with
// its quotes) and Value are the bytes as they stand in the text.
type Member struct {
	Key   []byte
	Name  []byte
	Value []byte
}

// Valid reports whether data is exactly one JSON value. Names may repeat and
// escaped lone surrogates pass; raw bytes that are not UTF-8 do not.
func Valid(data []byte) bool {
	s := scanner{data: data}
	return s.document(nil, nil) == nil
}

// ParseObject returns the members of a JSON object in their order, repeated
// ones included, appended to into. They alias raw.
func ParseObject(into []Member, raw []byte) ([]Member, error) {
	s := scanner{data: raw}
	s.space()
	if s.pos == len(raw) || raw[s.pos] != '{' {
		return into, &SyntaxError{s.pos, "want an object"}
	}
	noted := into
	if err := s.document(&noted, nil); err != nil {
		return into, err
	}
	return noted, nil
}

// ParseArray returns the elements of a JSON array, appended to into. They
// alias raw.
func ParseArray(into [][]byte, raw []byte) ([][]byte, error) {
	s := scanner{data: raw}
	s.space()
	if s.pos == len(raw) || raw[s.pos] != '[' {
		return into, &SyntaxError{s.pos, "want an array"}
	}
	noted := into
	s.elements = &noted
	if err := s.document(nil, nil); err != nil {
		return into, err
	}
	return noted, nil
}

// Find returns the value of the first member called key, or nil.
func Find(members []Member, key string) []byte {
	for i := range members {
		if string(members[i].Key) == key {
			return members[i].Value
		}
	}
	return nil
}

// scanner validates JSON and notes members on its way. Its methods take where
// to note the members of the object they scan, and those of the payloads in it;
// nil notes nothing.
type scanner struct {
	data     []byte
	pos      int
	depth    int
	escaped  bool      // the last string has escapes
	elements *[][]byte // where to note the elements of the next array; may be nil
}

// document scans one value and nothing after it.
func (s *scanner) document(members, fields *[]Member) error {
	s.space()
	if err := s.value(members, fields); err != nil {
		return err
	}
	s.space()
	if s.pos != len(s.data) {
		return s.bad("text after the value")
	}
	return nil
}

func (s *scanner) value(members, fields *[]Member) error {
	if s.pos >= len(s.data) {
		return s.bad("text ends early")
	}
	switch c := s.data[s.pos]; c {
	case '"':
		return s.str()
	case '{':
		return s.object(members, fields)
	case '[':
		return s.array()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		if c == '-' || c-'0' < 10 {
			return s.number()
		}
		return s.bad("want a value")
	}
}

func (s *scanner) object(members, fields *[]Member) error {
	if s.depth++; s.depth > MaxDepth {
		return s.bad("nested too deep")
	}
	s.pos++
	s.space()
	if s.next('}') {
		s.depth--
		return nil
	}
	for {
		if s.pos >= len(s.data) || s.data[s.pos] != '"' {
			return s.bad("want a member name")
		}
		nameStart := s.pos
		if err := s.str(); err != nil {
			return err
		}
		nameEnd := s.pos
		s.space()
		if !s.next(':') {
			return s.bad(`want ":" after a member name`)
		}
		s.space()
		if members == nil {
			if err := s.value(nil, nil); err != nil {
				return err
			}
		} else if err := s.member(nameStart, nameEnd, members, fields); err != nil {
			return err
		}
		s.space()
		if s.next(',') {
			s.space()
			continue
		}
		if s.next('}') {
			s.depth--
			return nil
		}
		return s.bad(`want "," or "}" after a member`)
	}
}

// member scans the value of a member that is to be noted. The members of a
// payload (params, result, error) are noted as well, in fields.
func (s *scanner) member(nameStart, nameEnd int, members, fields *[]Member) error {
	name := s.data[nameStart:nameEnd]
	key := name[1 : len(name)-1]
	if s.escaped {
		key = unquote(name)
	}
	valueStart := s.pos
	var within *[]Member
	if fields != nil && isPayload(key) {
		within = fields
	}
	if err := s.value(within, nil); err != nil {
		return err
	}
	list := append(*members, Member{})
	last := &list[len(list)-1] // filled in place: a Member is large to copy
	last.Key, last.Name, last.Value = key, name, s.data[valueStart:s.pos]
	*members = list
	return nil
}

func isPayload(key []byte) bool {
	return string(key) == "params" || string(key) == "result" || string(key) == "error"
}

func (s *scanner) array() error {
	if s.depth++; s.depth > MaxDepth {
		return s.bad("nested too deep")
	}
	note := s.elements
	s.elements = nil
	s.pos++
	s.space()
	if s.next(']') {
		s.depth--
		return nil
	}
	for {
		start := s.pos
		if err := s.value(nil, nil); err != nil {
			return err
		}
		if note != nil {
			*note = append(*note, s.data[start:s.pos])
		}
		s.space()
		if s.next(',') {
			s.space()
			continue
		}
		if s.next(']') {
			s.depth--
			return nil
		}
		return s.bad(`want "," or "]" after an element`)
	}
}

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
			q, b := w^quotes, w^slash
			stop := ((w-blanks)&^w | (q-ones)&^q | (b-ones)&^b | w) & highs
			if stop != 0 {
				// The lowest mark is exact; borrows can only add marks above it.
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
			if n = escape(data[i:]); n == 0 {
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

// escapes are the bytes that may follow a backslash, but for "u".
var escapes = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// escape returns the length of the escape sequence that p begins with, or 0.
func escape(p []byte) int {
	if len(p) < 2 {
		return 0
	}
	if escapes[p[1]] {
		return 2
	}
	if p[1] != 'u' || len(p) < 6 {
		return 0
	}
	for _, c := range p[2:6] {
		if hexDigit(c) < 0 {
			return 0
		}
	}
	return 6
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

// Two characters of three bytes, the bulk of Chinese and Japanese text, as they
// stand in a word; and the two leading bytes, E0 and ED, that narrow what may
// follow and so are left to package utf8.
const (
	pairMask  = 0xC0C0F0_C0C0F0
	pairBits  = 0x8080E0_8080E0
	leadAlone = 1<<0x0 | 1<<0xD
)

// multibyte returns the length of the run of characters beyond ASCII that p
// begins with, or 0 if the first is not UTF-8.
func multibyte(p []byte) int {
	i := 0
	for i < len(p) {
		if i+8 <= len(p) {
			w := binary.LittleEndian.Uint64(p[i:])
			if w&pairMask == pairBits && (1<<(w&0xF)|1<<(w>>24&0xF))&leadAlone == 0 {
				i += 6
				continue
			}
		}
		if p[i] < utf8.RuneSelf {
			break
		}
		_, n := utf8.DecodeRune(p[i:])
		if n == 1 {
			break
		}
		i += n
	}
	return i
}

func (s *scanner) number() error {
	s.next('-')
	if !s.next('0') && !s.digits() {
		return s.bad("want a digit")
	}
	if s.next('.') && !s.digits() {
		return s.bad("want a digit")
	}
	if s.next('e') || s.next('E') {
		if !s.next('+') {
			s.next('-')
		}
		if !s.digits() {
			return s.bad("want a digit")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos]-'0' < 10 {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) literal(word string) error {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return s.bad("want a value")
	}
	s.pos += len(word)
	return nil
}

func (s *scanner) next(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) space() {
	if s.pos < len(s.data) && s.data[s.pos] <= ' ' {
		s.spaces()
	}
}

func (s *scanner) spaces() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) bad(what string) error {
	return &SyntaxError{Offset: s.pos, What: what}
}

var errNotString = errors.New("not a JSON string")

// String decodes a JSON string. Lone surrogates become U+FFFD.
func String(raw []byte) (string, error) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", errNotString
	}
	return string(unquote(raw)), nil
}
