package jsonrpc

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// MaxDepth is how deep arrays and objects may nest in a message. It is the
// limit of encoding/json, so what passes here can be read by any Go peer.
const MaxDepth = 10000

// MaxMembers is how many members an object or elements an array may have to be
// taken apart. Noting a member takes far more memory than writing one does.
const MaxMembers = 1 << 17

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
	if i := skipSpace(raw, 0); i == len(raw) || raw[i] != '{' {
		return into, &SyntaxError{i, "want an object"}
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
	if i := skipSpace(raw, 0); i == len(raw) || raw[i] != '[' {
		return into, &SyntaxError{i, "want an array"}
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

// scanner validates JSON and notes members on its way. Its methods scan what
// begins at i and return where it ends, or failed. They take where to note the
// members of the object they scan, and those of the payloads in it; nil notes
// nothing.
type scanner struct {
	data     []byte
	depth    int
	escaped  bool      // the last string has escapes
	elements *[][]byte // where to note the elements of the next array; may be nil
	err      error     // why it has failed

	// Of a text that is not whole yet: how many bytes of it must be there at each
	// token, and what reads on. The text stays where it is. See ahead.go.
	reserve int
	more    func() (text []byte, all bool)
}

const failed = -1

// document scans one value and nothing after it.
func (s *scanner) document(members, fields *[]Member) error {
	i := s.value(s.space(0), members, fields)
	if i == failed {
		return s.err
	}
	if i = s.space(i); i != len(s.data) {
		s.bad(i, "text after the value")
	}
	return s.err
}

func (s *scanner) value(i int, members, fields *[]Member) int {
	if i >= len(s.data) {
		return s.bad(i, "text ends early")
	}
	switch c := s.data[i]; c {
	case '"':
		return s.str(i)
	case '{':
		return s.object(i, members, fields)
	case '[':
		return s.array(i)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		if c == '-' || c-'0' < 10 {
			return s.number(i)
		}
		return s.bad(i, "want a value")
	}
}

func (s *scanner) object(i int, members, fields *[]Member) int {
	if s.depth++; s.depth > MaxDepth {
		return s.bad(i, "nested too deep")
	}
	if i = s.space(i + 1); i < len(s.data) && s.data[i] == '}' {
		s.depth--
		return i + 1
	}
	for {
		if i = s.member(i, members, fields); i == failed {
			return failed
		}
		if i = s.space(i); i >= len(s.data) {
			return s.bad(i, `want "," or "}" after a member`)
		}
		switch s.data[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			s.depth--
			return i + 1
		default:
			return s.bad(i, `want "," or "}" after a member`)
		}
	}
}

// member scans a member and notes it in members. Those of a payload (params,
// result, error) are noted as well, in fields.
func (s *scanner) member(i int, members, fields *[]Member) int {
	start := i
	if i = s.name(i); i == failed {
		return failed
	}
	name, escaped := s.data[start:i], s.escaped
	if next := i + 1; next < len(s.data)-s.reserve && s.data[i] == ':' && s.data[next] > ' ' {
		i = next // as nearly always
	} else {
		if i = s.space(i); i >= len(s.data) || s.data[i] != ':' {
			return s.bad(i, `want ":" after a member name`)
		}
		i = s.space(i + 1)
	}
	if members == nil {
		return s.value(i, nil, nil)
	}
	if len(*members) >= MaxMembers {
		return s.bad(i, "too many members")
	}
	key := name[1 : len(name)-1]
	if escaped {
		key = unquote(name)
	}
	if !isPayload(key) {
		fields = nil
	}
	start = i
	if i = s.value(i, fields, nil); i == failed {
		return failed
	}
	last := grown(members) // filled in place: a Member is large to copy
	last.Key, last.Name, last.Value = key, name, s.data[start:i]
	return i
}

// name scans the name of a member. Most are plain, and end within a word.
func (s *scanner) name(i int) int {
	data := s.data
	if i >= len(data) || data[i] != '"' {
		return s.bad(i, "want a member name")
	}
	if i+9 <= len(data) {
		stop := stops(binary.LittleEndian.Uint64(data[i+1:])) & highs
		if end := i + 1 + bits.TrailingZeros64(stop)/8; stop != 0 && data[end] == '"' {
			s.escaped = false
			return end + 1
		}
	}
	return s.str(i)
}

// grown makes the list longer by one and returns that.
func grown(list *[]Member) *Member {
	n := len(*list)
	if n == cap(*list) {
		*list = append(*list, Member{})
	} else {
		*list = (*list)[:n+1]
	}
	return &(*list)[n]
}

func isPayload(key []byte) bool {
	return string(key) == "params" || string(key) == "result" || string(key) == "error"
}

func (s *scanner) array(i int) int {
	if s.depth++; s.depth > MaxDepth {
		return s.bad(i, "nested too deep")
	}
	note := s.elements
	s.elements = nil
	if i = s.space(i + 1); i < len(s.data) && s.data[i] == ']' {
		s.depth--
		return i + 1
	}
	for {
		start := i
		if i = s.value(i, nil, nil); i == failed {
			return failed
		}
		if note != nil {
			if len(*note) >= MaxMembers {
				return s.bad(i, "too many elements")
			}
			*note = append(*note, s.data[start:i])
		}
		if i = s.space(i); i >= len(s.data) {
			return s.bad(i, `want "," or "]" after an element`)
		}
		switch s.data[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			s.depth--
			return i + 1
		default:
			return s.bad(i, `want "," or "]" after an element`)
		}
	}
}

func (s *scanner) number(i int) int {
	data := s.data
	if data[i] == '-' {
		i++
	}
	start := i
	if i < len(data) && data[i] == '0' {
		i++
	} else if i = digits(data, i); i == start {
		return s.bad(i, "want a digit")
	}
	if i < len(data) && data[i] == '.' {
		start = i + 1
		if i = digits(data, start); i == start {
			return s.bad(i, "want a digit")
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		if i++; i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		start = i
		if i = digits(data, i); i == start {
			return s.bad(i, "want a digit")
		}
	}
	return i
}

// digits returns where the digits at i end.
func digits(data []byte, i int) int {
	for i < len(data) && data[i]-'0' < 10 {
		i++
	}
	return i
}

func (s *scanner) literal(i int, word string) int {
	if len(s.data)-i < len(word) || string(s.data[i:i+len(word)]) != word {
		return s.bad(i, "want a value")
	}
	return i + len(word)
}

// space passes over white space. It stands before and behind each token, and sees
// to it that the next one is there.
func (s *scanner) space(i int) int {
	if i >= len(s.data)-s.reserve || s.data[i] <= ' ' {
		return s.spaces(i)
	}
	return i
}

func (s *scanner) spaces(i int) int {
	for i > len(s.data)-s.reserve && s.refill() {
	}
	return skipSpace(s.data, i)
}

// skipSpace returns where the white space at i ends.
func skipSpace(data []byte, i int) int {
	for i < len(data) && isSpace(data[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// bad notes what is wrong at i.
func (s *scanner) bad(i int, what string) int {
	s.err = &SyntaxError{Offset: i, What: what}
	return failed
}
