package search

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// maxWord is how many bytes of a word are looked at.
const maxWord = 40

// A splitter takes texts apart. The zero splitter is ready for use, by one
// goroutine.
type splitter struct {
	room [maxWord + utf8.UTFMax]byte
}

// words calls yield for every word of a text, in lower case and with its endings;
// the bytes are not to be changed, and are good until yield returns. What is written
// in camelCase is its parts, and then the whole. A character of a script without
// spaces is a word.
func (s *splitter) words(text []byte, yield func(word []byte)) {
	whole, was := s.room[:0], other
	from, last := 0, 0 // where the part begins, and the latest character
	for at := 0; at < len(text); {
		c := text[at]
		r, size, is := rune(c), 1, kinds[c]
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[at:])
			is = kindOf(r)
		}
		at += size
		switch {
		case is == other || is == alone:
			flush(whole, from, yield)
			whole, from, last = whole[:0], 0, 0
			if is == alone {
				yield(utf8.AppendRune(s.room[:0], r))
			}
			was = is
			continue
		case is == upper && (was == lower || was == digit):
			part(whole, from, yield)
			from = len(whole)
		case is == lower && was == upper && last > from && !endsAcronym(r, text[at:]):
			part(whole[:last], from, yield) // as in XMLFile
			from = last
		}
		was = is
		if len(whole) >= maxWord {
			continue
		}
		last = len(whole)
		if is == upper {
			r = unicode.ToLower(r)
		}
		whole = utf8.AppendRune(whole, r)
	}
	flush(whole, from, yield)
}

// part yields the part of a word that begins at from.
func part(word []byte, from int, yield func([]byte)) {
	if from < len(word) {
		yield(word[from:])
	}
}

// flush yields the last part of a word, and the whole if it has others.
func flush(word []byte, from int, yield func([]byte)) {
	part(word, from, yield)
	if from > 0 {
		yield(word)
	}
}

// endsAcronym reports whether r, after capitals, is the s of a plural such as URLs.
func endsAcronym(r rune, rest []byte) bool {
	if r != 's' {
		return false
	}
	next, _ := utf8.DecodeRune(rest)
	return len(rest) == 0 || kindOf(next) != lower
}

// A kind of characters.
type kind uint8

const (
	other kind = iota
	lower
	upper
	digit
	alone // a word by itself
)

// kinds are those of the characters of ASCII.
var kinds = [256]kind{
	'0': digit, '1': digit, '2': digit, '3': digit, '4': digit, '5': digit, '6': digit, '7': digit, '8': digit, '9': digit,
	'a': lower, 'b': lower, 'c': lower, 'd': lower, 'e': lower, 'f': lower, 'g': lower, 'h': lower, 'i': lower,
	'j': lower, 'k': lower, 'l': lower, 'm': lower, 'n': lower, 'o': lower, 'p': lower, 'q': lower, 'r': lower,
	's': lower, 't': lower, 'u': lower, 'v': lower, 'w': lower, 'x': lower, 'y': lower, 'z': lower,
	'A': upper, 'B': upper, 'C': upper, 'D': upper, 'E': upper, 'F': upper, 'G': upper, 'H': upper, 'I': upper,
	'J': upper, 'K': upper, 'L': upper, 'M': upper, 'N': upper, 'O': upper, 'P': upper, 'Q': upper, 'R': upper,
	'S': upper, 'T': upper, 'U': upper, 'V': upper, 'W': upper, 'X': upper, 'Y': upper, 'Z': upper,
}

func kindOf(r rune) kind {
	switch {
	case r < utf8.RuneSelf:
		return kinds[r]
	case r == utf8.RuneError:
		return other
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
		return alone
	case unicode.IsUpper(r):
		return upper
	case unicode.IsLetter(r), unicode.IsMark(r):
		return lower
	case unicode.IsDigit(r):
		return digit
	}
	return other
}

// stem cuts off what a word has only for its place in a sentence, as far as that
// helps: the result need not be a word.
func stem(word string) string {
	w := singular([]byte(word))
	switch {
	case len(w) > 4 && bytes.HasSuffix(w, []byte("ied")):
		w = append(w[:len(w)-3], 'y')
	case bytes.HasSuffix(w, []byte("ing")):
		w = without(w, 3)
	case bytes.HasSuffix(w, []byte("ed")):
		w = without(w, 2)
	case len(w) > 6 && (bytes.HasSuffix(w, []byte("tion")) || bytes.HasSuffix(w, []byte("sion"))):
		w = w[:len(w)-3]
	}
	if len(w) > 3 && w[len(w)-1] == 'e' {
		w = w[:len(w)-1]
	}
	if n := len(w); n > 3 && w[n-1] == w[n-2] && !isVowel(w[n-1]) && !isDigit(w[n-1]) {
		w = w[:n-1]
	}
	return string(w)
}

func singular(w []byte) []byte {
	n := len(w)
	if n < 3 || w[n-1] != 's' {
		return w
	}
	for _, suffix := range []string{"sses", "xes", "ches", "shes", "zes"} {
		if n > len(suffix) && string(w[n-len(suffix):]) == suffix {
			return w[:n-2]
		}
	}
	switch w[n-2] {
	case 's', 'u', 'i':
		return w
	case 'e':
		if n > 4 && w[n-3] == 'i' {
			return append(w[:n-3], 'y')
		}
	}
	return w[:n-1]
}

// without is a word without an ending of n bytes, where what remains can be one.
func without(w []byte, n int) []byte {
	rest := w[:len(w)-n]
	if len(rest) < 3 || !bytes.ContainsAny(rest, "aeiouy") {
		return w
	}
	return rest
}

func isVowel(c byte) bool { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' }

func isDigit(c byte) bool { return c-'0' < 10 }
