package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Glob is a pattern for names. It is case-sensitive and matches the whole
// name: "*" stands for any characters, "/" among them, and for none; "?" for
// one character; "[a-z_]" for one of those, "[!a-z]" for one of the others. Each
// may stand more than once. Everything else stands for itself ("[*]" for a
// star). The zero Glob matches the empty name only.
type Glob struct {
	pattern string
	plain   string // the pattern without its stars, where there is nothing else special
	shape   shape
}

// A shape is a form of pattern that can be matched without a search.
type shape uint8

const (
	literal shape = iota
	anything
	prefix
	suffix
	general
)

// ParseGlob checks a pattern. The empty one is an error.
func ParseGlob(pattern string) (Glob, error) {
	if err := checkPattern(pattern); err != nil {
		return Glob{}, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	g := Glob{pattern: pattern, plain: strings.Trim(pattern, "*"), shape: general}
	if strings.ContainsAny(g.plain, "*?[") {
		return g, nil
	}
	switch head, tail := pattern[0] == '*', pattern[len(pattern)-1] == '*'; {
	case g.plain == "":
		g.shape = anything
	case !head && !tail:
		g.shape = literal
	case !head:
		g.shape = prefix
	case !tail:
		g.shape = suffix
	}
	return g, nil
}

// Literal reports whether the glob is a name: nothing in it is special.
func (g Glob) Literal() bool { return g.shape == literal }

// Match reports whether the glob matches a name. It takes time in proportion to
// the lengths of both at worst, multiplied, and no memory.
func (g Glob) Match(name string) bool {
	switch g.shape {
	case literal:
		return name == g.plain
	case anything:
		return true
	case prefix:
		return strings.HasPrefix(name, g.plain)
	case suffix:
		return strings.HasSuffix(name, g.plain)
	default:
		return search(g.pattern, name)
	}
}

// head returns the byte that every name begins with which the glob matches; ""
// if there is none.
func (g Glob) head() string {
	if g.pattern == "" || strings.ContainsRune("*?[", rune(g.pattern[0])) {
		return ""
	}
	return g.pattern[:1]
}

func (g Glob) String() string { return g.pattern }

// search matches name from left to right. Where it gets stuck, it lets the last
// star take one character more; an earlier star never has to, since what
// stands between it and the last one was found at its first place.
func search(pattern, name string) bool {
	star, taken := "", "" // the pattern behind the last star; the name behind what that takes
	starred := false
	for len(name) > 0 {
		if len(pattern) > 0 && pattern[0] == '*' {
			star, taken, starred = pattern[1:], name, true
			pattern = star
			continue
		}
		if size, behind, ok := matchOne(pattern, name); ok {
			name, pattern = name[size:], behind
			continue
		}
		if !starred {
			return false
		}
		_, size := utf8.DecodeRuneInString(taken)
		taken = taken[size:]
		name, pattern = taken, star
	}
	return strings.Trim(pattern, "*") == ""
}

// matchOne matches the first element of a pattern, which is not a star, with
// the first character of a name. It returns the character's size and the rest
// of the pattern.
func matchOne(pattern, name string) (size int, behind string, ok bool) {
	if pattern == "" {
		return 0, "", false
	}
	switch char, size := utf8.DecodeRuneInString(name); pattern[0] {
	case '?':
		return size, pattern[1:], true
	case '[':
		in, behind := matchClass(pattern[1:], char)
		return size, behind, in
	default:
		return 1, pattern[1:], pattern[0] == name[0]
	}
}

// matchClass matches a character with a class that begins behind its bracket.
func matchClass(class string, char rune) (in bool, behind string) {
	negated := class[0] == '!'
	if negated {
		class = class[1:]
	}
	for first := true; first || class[0] != ']'; first = false {
		var low, high rune
		low, high, class, _ = cutRange(class)
		in = in || low <= char && char <= high
	}
	return in != negated, class[1:]
}

var (
	errEmpty     = errors.New("it is empty")
	errUnclosed  = errors.New("a [ without its ]")
	errBackwards = errors.New("a range that runs backwards")
)

func checkPattern(pattern string) error {
	if pattern == "" {
		return errEmpty
	}
	for pattern != "" {
		isClass := pattern[0] == '['
		pattern = pattern[1:]
		if !isClass {
			continue
		}
		pattern = strings.TrimPrefix(pattern, "!")
		for first := true; first || !strings.HasPrefix(pattern, "]"); first = false {
			var err error
			if _, _, pattern, err = cutRange(pattern); err != nil {
				return err
			}
		}
		pattern = pattern[1:]
	}
	return nil
}

// cutRange cuts one character, or a range of them, off the inside of a class.
func cutRange(class string) (low, high rune, rest string, err error) {
	if class == "" {
		return 0, 0, "", errUnclosed
	}
	low, size := utf8.DecodeRuneInString(class)
	high, rest = low, class[size:]
	if len(rest) >= 2 && rest[0] == '-' && rest[1] != ']' {
		high, size = utf8.DecodeRuneInString(rest[1:])
		rest = rest[1+size:]
	}
	if high < low {
		return 0, 0, "", errBackwards
	}
	return low, high, rest, nil
}
