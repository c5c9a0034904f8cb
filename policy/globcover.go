package policy

import (
	"strings"
	"unicode/utf8"
)

// maxRunes is up to how many characters a class is taken apart to compare it.
const maxRunes = 256

// covers reports whether g surely matches every name that other matches. Where
// it cannot tell, it says no.
func (g Glob) covers(other Glob) bool {
	if g.pattern == other.pattern || g.shape == anything {
		return true
	}
	a, ok := elementsOf(g.pattern)
	if !ok {
		return false
	}
	b, ok := elementsOf(other.pattern)
	return ok && coverAll(a, b)
}

// An element is what a pattern has for one character, or its star.
type element struct {
	text  string // as in the pattern
	char  rune   // what it stands for, unless it is special
	runes []rune // the only ones that it matches, if they are few
}

func (e element) isStar() bool { return e.text == "*" }

// covers reports whether e surely matches the characters that other matches.
// Neither is a star.
func (e element) covers(other element) bool {
	if e.text == "?" || e.text == other.text {
		return true
	}
	for _, r := range other.runes {
		if !e.matches(r) {
			return false
		}
	}
	return len(other.runes) > 0
}

func (e element) matches(r rune) bool {
	if e.text[0] == '[' && len(e.text) > 1 {
		in, _ := matchClass(e.text[1:], r)
		return in
	}
	return e.char == r
}

// coverAll fills in a table: which ends of a cover which ends of b. A star of a
// takes nothing, or whatever b has next, or is next to nothing else; what is no
// star of a takes one element of b that is none either.
func coverAll(a, b []element) bool {
	next := make([]bool, len(b)+1) // for the end of a that is one shorter
	next[len(b)] = true
	for i := len(a) - 1; i >= 0; i-- {
		row := make([]bool, len(b)+1)
		for j := len(b); j >= 0; j-- {
			switch {
			case a[i].isStar():
				row[j] = next[j] || j < len(b) && row[j+1]
			case j < len(b) && !b[j].isStar():
				row[j] = next[j+1] && a[i].covers(b[j])
			}
		}
		next = row
	}
	return next[0]
}

// elementsOf takes a valid pattern apart. One with bytes that are no UTF-8, or
// with the character that stands for those, is left alone.
func elementsOf(pattern string) (elements []element, ok bool) {
	if strings.ContainsRune(pattern, utf8.RuneError) {
		return nil, false
	}
	for pattern != "" {
		char, size := utf8.DecodeRuneInString(pattern)
		e := element{text: pattern[:size], char: char}
		switch char {
		case '*', '?':
		case '[':
			behind := classBehind(pattern)
			e.text = pattern[:len(pattern)-len(behind)]
			e.runes = runesOf(e.text)
			size = len(e.text)
		default:
			e.runes = []rune{char}
		}
		elements, pattern = append(elements, e), pattern[size:]
	}
	return elements, true
}

// classBehind returns what is behind a class with which a pattern begins.
func classBehind(pattern string) string {
	_, behind := matchClass(pattern[1:], 0)
	return behind
}

// runesOf returns all characters in a class, nil if they are many.
func runesOf(class string) (runes []rune) {
	rest := class[1 : len(class)-1]
	if rest[0] == '!' {
		return nil
	}
	for rest != "" {
		low, high, behind, err := cutRange(rest)
		if err != nil || int(high-low) >= maxRunes-len(runes) {
			return nil
		}
		for r := low; r <= high; r++ {
			runes = append(runes, r)
		}
		rest = behind
	}
	return runes
}
