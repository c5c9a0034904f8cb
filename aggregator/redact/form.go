package redact

import "bytes"

// A set is one of bytes.
type set [256]bool

func setOf(bytes string) *set { return new(set).with(bytes) }

func (s *set) with(bytes string) *set {
	more := *s
	for i := range len(bytes) {
		more[bytes[i]] = true
	}
	return &more
}

var (
	digit   = setOf("0123456789")
	alnum   = digit.with("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
	word    = alnum.with("_")
	dashed  = alnum.with("-")
	token   = alnum.with("_-") // base64 for URLs
	dotted  = token.with(".")
	chars64 = alnum.with("+/=")
	path    = alnum.with("/")
	token68 = alnum.with("-._~+/=") // RFC 7235
)

// run is the end of what is made of the bytes of a set.
func (s *set) run(text []byte, at int) int {
	for at < len(text) && s[text[at]] {
		at++
	}
	return at
}

// in reports whether a text has a byte of the set.
func (s *set) in(text []byte) bool {
	for _, c := range text {
		if s[c] {
			return true
		}
	}
	return false
}

// A form is how tokens of a kind look: a head, and then so many bytes of a set,
// among them a digit, which no placeholder in a manual has.
type form struct {
	name     string
	head     string
	of       *set
	min, max int
}

func (f form) detector() detector { return detector{f.name, f.head[:1], f.find} }

func (f form) find(text []byte, at int) (start, end int) {
	if !bytes.HasPrefix(text[at:], []byte(f.head)) || goesOn(text, at, f) {
		return 0, 0
	}
	body := at + len(f.head)
	end = f.of.run(text, body)
	if n := end - body; n < f.min || n > f.max || n > 0 && !f.likely(text[body:end]) {
		return 0, 0
	}
	return at, end
}

// likely reports whether a body is not one that only stands for others. Those of
// AWS have no lower case.
func (f form) likely(body []byte) bool {
	if f.name == "aws" {
		return !bytes.ContainsFunc(body, func(r rune) bool { return r >= 'a' && r <= 'z' })
	}
	return bytes.Count(body, body[:1]) < len(body) // xxxxxxxx
}

// goesOn reports whether what is at at goes on with a word before, or with
// base64, in which any letters may stand. Nor can it begin within what it is made
// of, so that no run is looked at twice.
func goesOn(text []byte, at int, f form) bool {
	if at == 0 {
		return false
	}
	before := text[at-1]
	return token[before] || before == '+' || before == '.' && f.of['.'] ||
		before == '/' && chars64.run([]byte(f.head), 0) == len(f.head)
}
