package jsonrpc

import (
	"errors"
	"fmt"
	"math/bits"
)

// Kind is what a message is, by the members it has.
type Kind uint8

// The kinds of message of JSON-RPC 2.0. The zero Kind is no message at all.
const (
	Invalid Kind = iota
	Request
	Notification
	Response // carries result
	Failure  // carries error
)

// A Message is one JSON-RPC message. All its slices alias the text given to
// Parse, so they live as long as that does. The zero Message is ready for use,
// and reusing one spares its memory.
type Message struct {
	Raw    []byte // the whole message, without white space around it
	Kind   Kind
	ID     []byte // raw: a JSON string or number; nil without one
	Method []byte // unescaped
	Params []byte // raw, of any kind; nil if absent
	Result []byte // raw
	Error  []byte // raw: an object

	Members []Member // of the message, in order, repeated ones included
	Fields  []Member // of params, result or error where that is an object

	// Loan is the memory of Raw, for who takes the message and knows when nobody
	// reads it any more; nil for most. Parse sets none.
	Loan *Loan

	scanned []byte // what scanAhead has scanned; nil for nothing
	known   int    // how many of Members are those of JSON-RPC, each once
}

// IsPlain reports whether a message that was parsed without an error has the members
// of JSON-RPC only: so there is none beside them that some reader could take for
// one.
func (m *Message) IsPlain() bool { return m.known == len(m.Members) }

// ErrBatch is what Parse returns for a JSON array: a batch, to be taken apart
// by [ParseArray].
var ErrBatch = errors.New("a batch")

// An InvalidError says why JSON text is not a JSON-RPC 2.0 message.
type InvalidError struct{ What string }

func (e *InvalidError) Error() string { return "invalid message: " + e.What }

// Parse validates raw, finds its members and classifies it, in one scan. The
// error is a [*SyntaxError] for what is not JSON or is beyond [MaxDepth] or
// [MaxMembers], ErrBatch for an array (its elements are then valid JSON), an
// [*InvalidError] for JSON that is no JSON-RPC message. With an InvalidError, ID
// is set if it could be read and stands there once; Kind is Invalid.
//
// A repeated member of the message is an InvalidError: its readers would
// differ on which one counts. Those below it pass.
func (m *Message) Parse(raw []byte) error {
	raw = trimmed(raw)
	if m.isScanned(raw) {
		raw = m.scanned // with the capacity that its members have
		*m = Message{Raw: raw, Members: m.Members, Fields: m.Fields}
	} else {
		*m = Message{Raw: raw, Members: emptied(m.Members), Fields: emptied(m.Fields)}
		s := scanner{data: raw}
		if err := s.document(&m.Members, &m.Fields); err != nil {
			return err
		}
	}
	switch raw[0] {
	case '{':
		return m.classify()
	case '[':
		return ErrBatch
	}
	return &InvalidError{"want an object"}
}

// trimmed is raw without the white space of JSON around it. Some readers take
// none between a message and its line end.
func trimmed(raw []byte) []byte {
	if len(raw) > 0 && raw[0] > ' ' && raw[len(raw)-1] > ' ' {
		return raw
	}
	raw = raw[skipSpace(raw, 0):]
	for len(raw) > 0 && isSpace(raw[len(raw)-1]) {
		raw = raw[:len(raw)-1]
	}
	return raw
}

// emptied returns list for reuse: it holds on to no text of the message before,
// and to no more memory than messages usually take.
func emptied(list []Member) []Member {
	if cap(list) > 256 {
		return nil
	}
	clear(list)
	return list[:0]
}

func (m *Message) classify() error {
	var seen, twice members
	var version, method []byte
	for i := range m.Members {
		value := m.Members[i].Value
		var which members
		switch string(m.Members[i].Key) {
		case "jsonrpc":
			which, version = hasVersion, value
		case "id":
			which, m.ID = hasID, value
		case "method":
			which, method = hasMethod, value
		case "params":
			which, m.Params = hasParams, value
		case "result":
			which, m.Result = hasResult, value
		case "error":
			which, m.Error = hasError, value
		}
		twice |= seen & which
		seen |= which
	}
	if twice&hasID != 0 {
		m.ID = nil // two name no call
	}
	if m.ID != nil && !validID(m.ID) {
		m.ID = nil
		return &InvalidError{"id must be a string or an integer"}
	}
	if twice != 0 {
		return &InvalidError{fmt.Sprintf("member %q stands twice", twice)}
	}
	if string(version) != `"2.0"` {
		return &InvalidError{`want "jsonrpc":"2.0"`}
	}
	m.known = bits.OnesCount8(uint8(seen))
	return m.decide(seen, method)
}

// decide finds the kind from the members that are there.
func (m *Message) decide(seen members, method []byte) error {
	switch seen &^ (hasVersion | hasParams) {
	case hasMethod | hasID:
		return m.called(Request, method)
	case hasMethod:
		return m.called(Notification, method)
	}
	switch seen &^ hasVersion {
	case hasResult | hasID:
		m.Kind = Response
		return nil
	case hasError | hasID, hasError:
		if m.Error[0] != '{' {
			return &InvalidError{"error must be an object"}
		}
		m.Kind = Failure
		return nil
	}
	return &InvalidError{"want a method, or an id and one of result and error"}
}

func (m *Message) called(kind Kind, method []byte) error {
	if method[0] != '"' {
		return &InvalidError{"method must be a string"}
	}
	m.Kind, m.Method = kind, unquote(method)
	return nil
}

// members is a set of the members that JSON-RPC knows.
type members uint8

const (
	hasVersion members = 1 << iota
	hasID
	hasMethod
	hasParams
	hasResult
	hasError
)

func (s members) String() string {
	for i, name := range []string{"jsonrpc", "id", "method", "params", "result", "error"} {
		if s&(1<<i) != 0 {
			return name
		}
	}
	return ""
}

// validID reports whether raw is a string or an integer (MCP 2025-11-25, basic:
// "the ID MUST NOT be null").
func validID(raw []byte) bool {
	if raw[0] == '"' {
		return true
	}
	for i, c := range raw {
		if c-'0' >= 10 && (c != '-' || i > 0) {
			return false
		}
	}
	return true
}
