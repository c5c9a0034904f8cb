package jsonrpc

import "fmt"

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
		if err := s.member(members, fields); err != nil {
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

// member scans a member and notes it in members. Those of a payload (params,
// result, error) are noted as well, in fields.
func (s *scanner) member(members, fields *[]Member) error {
	if s.pos >= len(s.data) || s.data[s.pos] != '"' {
		return s.bad("want a member name")
	}
	start := s.pos
	if err := s.str(); err != nil {
		return err
	}
	name, escaped := s.data[start:s.pos], s.escaped
	s.space()
	if !s.next(':') {
		return s.bad(`want ":" after a member name`)
	}
	s.space()
	if members == nil {
		return s.value(nil, nil)
	}
	if len(*members) >= MaxMembers {
		return s.bad("too many members")
	}
	key := name[1 : len(name)-1]
	if escaped {
		key = unquote(name)
	}
	if !isPayload(key) {
		fields = nil
	}
	start = s.pos
	if err := s.value(fields, nil); err != nil {
		return err
	}
	list := append(*members, Member{})
	last := &list[len(list)-1] // filled in place: a Member is large to copy
	last.Key, last.Name, last.Value = key, name, s.data[start:s.pos]
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
			if len(*note) >= MaxMembers {
				return s.bad("too many elements")
			}
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
	for s.pos < len(s.data) && isSpace(s.data[s.pos]) {
		s.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (s *scanner) bad(what string) error {
	return &SyntaxError{Offset: s.pos, What: what}
}
