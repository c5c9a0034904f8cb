package jsonrpc

import "bytes"

// FindID returns the id of a message that is not valid JSON, or not whole, if
// one can be made out in its outermost object; else nil. It never says that the
// rest of the message is to be believed. Text before the object is passed over.
func FindID(raw []byte) []byte {
	var f IDFinder
	f.Feed(raw)
	return f.ID()
}

// An IDFinder is [FindID] for a message that comes in pieces and is never held
// whole. The zero IDFinder is ready for use. It follows nesting and strings, and
// checks no grammar.
type IDFinder struct {
	depth    int
	inObject bool // the outermost value is an object
	inString bool
	escaped  bool
	token    []byte // of the outermost object: the one under way
	isID     bool   // what comes is the value of an "id"
	id       []byte
	names    int // how many members are called "id"; two name no call
}

// idLimit is how long an id may be to be found.
const idLimit = 256

// Feed takes the next piece.
func (f *IDFinder) Feed(p []byte) {
	for i := 0; i < len(p); i++ {
		if !f.inString {
			f.structure(p[i])
			continue
		}
		if !f.keeping() && !f.escaped {
			// Only quotes and escapes matter in here: go straight to the next.
			n := bytes.IndexAny(p[i:], `"\`)
			if n < 0 {
				return
			}
			i += n
		}
		f.text(p[i])
	}
}

func (f *IDFinder) outermost() bool { return f.depth == 1 && f.inObject }

// keeping reports whether the token under way is kept. One over the limit is no
// id, and the bytes over it only mark that.
func (f *IDFinder) keeping() bool { return f.outermost() && len(f.token) <= idLimit+1 }

// structure takes a byte that is not in a string. At depth 0 that is anything
// which is not JSON, so quotes mean nothing there.
func (f *IDFinder) structure(c byte) {
	switch {
	case c == '{' || c == '[':
		if f.depth == 0 {
			f.inObject = c == '{'
		}
		f.depth++
		f.endToken()
	case f.depth == 0:
	case c == '}' || c == ']':
		f.endValue()
		f.depth--
	case c == '"':
		f.inString = true
		f.keep(c)
	case !f.outermost():
	case c == ':':
		if f.isID = f.isKey(); f.isID {
			f.names++
		}
		f.token = f.token[:0]
	case c == ',':
		f.endValue()
	default:
		f.keep(c)
	}
}

// text takes a byte that is in a string.
func (f *IDFinder) text(c byte) {
	f.keep(c)
	switch {
	case f.escaped:
		f.escaped = false
	case c == '\\':
		f.escaped = true
	case c == '"':
		f.inString = false
	}
}

// keep appends a byte to the token, as far as it can matter: white space at the
// head does not, and a run of it is one blank.
func (f *IDFinder) keep(c byte) {
	if !f.keeping() {
		return
	}
	if c <= ' ' && !f.inString {
		if len(f.token) == 0 || f.token[len(f.token)-1] == ' ' {
			return
		}
		c = ' '
	}
	f.token = append(f.token, c)
}

func (f *IDFinder) isKey() bool {
	name := bytes.TrimSuffix(f.token, []byte{' '})
	return Valid(name) && name[0] == '"' && string(unquote(name)) == "id"
}

// endValue looks at a finished value of the outermost object.
func (f *IDFinder) endValue() {
	if f.outermost() && f.isID {
		f.id = append(f.id[:0], bytes.TrimSuffix(f.token, []byte{' '})...)
	}
	f.endToken()
}

func (f *IDFinder) endToken() {
	f.token = f.token[:0]
	f.isID = false
}

// ID returns the id, or nil if none was found. It is good until the next Feed.
func (f *IDFinder) ID() []byte {
	if f.names != 1 || len(f.id) > idLimit || !Valid(f.id) || !validID(f.id) {
		return nil
	}
	return f.id
}
