package redact

import (
	"bytes"
	"slices"
	"strings"
)

// secretWords are names of members that hold a secret, and ends of such names,
// without their capitals and separators.
var secretWords = []string{
	"password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "accesskey", "secretkey",
	"privatekey", "credential", "credentials", "cookie", "pwd",
}

// publicWords are ends of names that secretWords would take for secret: places in
// a list, what a model reads.
var publicWords = []string{
	"pagetoken", "nexttoken", "continuationtoken", "synctoken", "progresstoken", "cancellationtoken",
	"starttoken", "stoptoken", "endtoken", "eostoken", "bostoken", "padtoken", "unktoken", "masktoken",
}

// longestName is how long a name may be that means anything.
const longestName = 128

// isSecretKey reports whether a member's name says that its value is a secret:
// api_key, githubToken, X-Api-Key, but not max_tokens or nextPageToken.
func isSecretKey(name []byte) bool {
	if len(name) > longestName {
		return false
	}
	var room [longestName]byte
	plain := room[:0]
	for _, c := range name {
		switch {
		case c >= 'A' && c <= 'Z':
			plain = append(plain, c|0x20)
		case c != '_' && c != '-' && c != '.' && c != ' ':
			plain = append(plain, c)
		}
	}
	return endsWithOne(plain, secretWords) && !endsWithOne(plain, publicWords)
}

func endsWithOne(name []byte, words []string) bool {
	for _, w := range words {
		if len(name) >= len(w) && string(name[len(name)-len(w):]) == w {
			return true
		}
	}
	return false
}

// findNamed finds the value behind a name that says that it is secret, in what a
// program has written: a header, a variable, a query, JSON in a text.
func findNamed(text []byte, at int) (start, end int) {
	name, open := nameBefore(text, at)
	if !isSecretKey(name) {
		return 0, 0
	}
	sign := at
	if sign+1 < len(text) && (text[sign+1] == '=' || text[sign+1] == '>') {
		sign++ // := and =>
	}
	value := assignment{name: name, spaced: true}
	start = spaces.run(text, sign+1)
	if start-sign > maxGap || start == len(text) {
		return 0, 0
	}
	value.spaced = start > sign+1 || open < at && spaces[text[at-1]]
	value.sure = text[at] == '=' && sign == at && !value.spaced
	if isSchemed(name) {
		return value.schemed(text, start)
	}
	return value.find(text, start)
}

// maxGap is how many bytes of space may stand around the sign.
const maxGap = 8

// nameBefore is the name before the sign at at, and where it ends: there may be a
// quote, and space.
func nameBefore(text []byte, at int) (name []byte, end int) {
	end = at
	for end > 0 && at-end < maxGap && spaces[text[end-1]] {
		end--
	}
	for end > 0 && at-end < 2*maxGap && (quotes[text[end-1]] || text[end-1] == '\\') {
		end--
	}
	first := end
	for first > 0 && end-first < longestName && dotted[text[first-1]] {
		first--
	}
	return text[first:end], end
}

var quotes = setOf("\"'`")

// An assignment is a secret name with something behind it.
type assignment struct {
	name   []byte
	spaced bool // there is space around the sign
	sure   bool // it is no prose: NAME=value
}

// find finds the value that begins at at, in quotes or without.
func (a assignment) find(text []byte, at int) (start, end int) {
	start = at
	for start < len(text) && text[start] == '\\' && start-at < 4 {
		start++
	}
	if start < len(text) && quotes[text[start]] {
		return quotedValue(text, start+1, text[start], start-at)
	}
	start = at
	if end = endOfValue(text[:min(len(text), start+maxSeen)], start); !a.mayBe(text[start:end]) {
		return 0, 0
	}
	if end < len(text) && strings.IndexByte("([{", text[end]) >= 0 {
		return 0, 0 // it is called, or has parts: code
	}
	return start, endOfValue(text, end)
}

// maxSeen is how many bytes decide whether a value is one, so that no text is
// looked at again and again.
const maxSeen = 256

// mayBe reports whether a value without quotes may be a secret.
func (a assignment) mayBe(value []byte) bool {
	const least, leastUnsure = 4, 6
	if len(value) < least || isHarmless(value) {
		return false
	}
	return a.sure || len(value) >= leastUnsure && digit.in(value)
}

func endOfValue(text []byte, at int) int {
	for at < len(text) && !outsideValue[text[at]] {
		at++
	}
	return at
}

// outsideValue are the bytes that end a value without quotes.
var outsideValue = setOf(" \t\r\n\"'`,;&<>()[]{}|\\")

// quotedValue is a value from at up to its closing quote, on one line, that quote
// having so many backslashes before it as the opening one. Prose has spaces.
func quotedValue(text []byte, at int, quote byte, slashes int) (start, end int) {
	const least = 4
	end = at
	for ; end < len(text) && text[end] != quote; end++ {
		if text[end] <= ' ' {
			return 0, 0
		}
		if text[end] == '\\' && slashes == 0 {
			end++
		}
	}
	if end >= len(text) || end-slashes-at < least || isHarmless(text[at:end-slashes]) {
		return 0, 0
	}
	return at, end - slashes
}

// isHarmless reports whether a value is a mark, a variable or a word of those who
// write about values.
func isHarmless(value []byte) bool {
	if standsForOther(value) {
		return true
	}
	switch strings.ToLower(strings.TrimRight(string(value[:min(len(value), 16)]), ".!?")) {
	case "string", "number", "integer", "boolean", "object", "array", "null", "none", "undefined", "true", "false",
		"required", "optional", "secret", "password", "token", "hidden", "redacted":
		return true
	}
	return false
}

// isSchemed reports whether the value of a name is a header's, of words.
func isSchemed(name []byte) bool {
	name = bytes.ToLower(name[max(0, len(name)-len("authorization")):])
	return bytes.HasSuffix(name, []byte("authorization")) || bytes.HasSuffix(name, []byte("cookie"))
}

// schemed finds the value of a header: a cookie goes on to the end of the line,
// and authorization is behind its scheme, that of bearers being another's.
func (a assignment) schemed(text []byte, at int) (start, end int) {
	if quotes[text[at]] {
		at++
	}
	if bytes.HasSuffix(bytes.ToLower(a.name), []byte("cookie")) {
		end = dotted.run(text, at)
		if end == at || end == len(text) || text[end] != '=' {
			return 0, 0
		}
		for end < len(text) && !outsideHeader[text[end]] {
			end++
		}
		return at, end
	}
	start, end = at, token68.run(text, at)
	if strings.EqualFold(string(text[start:end]), "bearer") {
		return 0, 0
	}
	known := slices.Contains(schemes, strings.ToLower(string(text[start:min(end, start+maxScheme)])))
	if end+1 < len(text) && text[end] == ' ' && token68[text[end+1]] {
		start, end = end+1, token68.run(text, end+1)
	}
	const least = 8
	if value := text[start:end]; len(value) < least || !known && !digit.in(value[:min(len(value), maxSeen)]) {
		return 0, 0
	}
	return start, end
}

// schemes are those of authorization behind which there is a secret (RFC 9110).
var schemes = []string{"basic", "token", "digest", "negotiate", "apikey"}

// maxScheme is longer than any of them.
const maxScheme = 16

// outsideHeader are the bytes that end the value of a header.
var outsideHeader = setOf("\r\n\"'`\\")
