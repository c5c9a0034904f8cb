package namespace

import (
	"crypto/sha256"
	"encoding/base32"
	"unicode/utf8"
)

// What a zero Rules means, and the least Max that is honoured.
const (
	DefaultMax       = 50
	DefaultSeparator = "__"
	MinMax           = 16
)

// Rules say what an exposed name looks like. The zero Rules are the defaults.
type Rules struct {
	Max       int    // characters of an exposed name; 0 = DefaultMax, less than MinMax = MinMax
	Separator string // between prefix and original, of [A-Za-z0-9_-]; "" = DefaultSeparator
}

// A Server is one upstream, as far as names go.
type Server struct {
	Name    string   // as configured
	Prefix  string   // of its exposed names; "" = they have none
	Aliases []string // accepted in its place on a call
}

// Exposed returns the exposed name of an original, before collisions: the plain
// form prefix + separator + original if that is legal, else the hashed form.
func Exposed(r Rules, s Server, original string) string {
	head := r.head(s.Prefix)
	if original == "" || len(head)+len(original) > r.max() || !legal(head) || !legal(original) {
		return Hashed(r, s, original)
	}
	return head + original
}

// Hashed returns the hashed form of an exposed name: the plain form with every
// character outside [A-Za-z0-9_-] as "_", cut where it is too long, then "_" and
// six characters of the digest of server and original.
func Hashed(r Rules, s Server, original string) string {
	return r.hashed(s, original, hashLength)
}

// A digest has hashLength characters, or a multiple of it where that many are
// taken, up to maxHashLength.
const (
	hashLength    = 6
	maxHashLength = 48
)

var digits = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// hashed is Hashed with a digest of n characters.
func (r Rules) hashed(s Server, original string, n int) string {
	sum := sha256.Sum256([]byte(s.Name + "\x00" + original))
	digest := digits.EncodeToString(sum[:])
	n = min(n, len(digest), r.max()-1)

	b := make([]byte, 0, r.max())
	b = appendLegal(b, r.head(s.Prefix), r.max()-n-1)
	b = appendLegal(b, original, r.max()-n-1)
	b = append(b, '_')
	return string(append(b, digest[:n]...))
}

func (r Rules) max() int {
	if r.Max == 0 {
		return DefaultMax
	}
	return max(r.Max, MinMax)
}

func (r Rules) separator() string {
	if r.Separator == "" {
		return DefaultSeparator
	}
	return r.Separator
}

// Head is what the exposed names of a server begin with; "" for nothing in
// particular.
func Head(r Rules, s Server) string { return r.head(s.Prefix) }

// head is what the exposed names under a prefix begin with.
func (r Rules) head(prefix string) string {
	if prefix == "" {
		return ""
	}
	return prefix + r.separator()
}

// appendLegal appends text to b until b has limit bytes, with each character
// that is not legal as one "_".
func appendLegal(b []byte, text string, limit int) []byte {
	for len(text) > 0 && len(b) < limit {
		char, size := text[0], 1
		if !legalByte[char] {
			_, size = utf8.DecodeRuneInString(text)
			char = '_'
		}
		b = append(b, char)
		text = text[size:]
	}
	return b
}

func legal(text string) bool {
	for i := range len(text) {
		if !legalByte[text[i]] {
			return false
		}
	}
	return true
}

// legalByte holds the characters that every known host takes in a name.
var legalByte = func() (set [256]bool) {
	const chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}()
