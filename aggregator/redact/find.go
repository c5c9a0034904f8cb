package redact

import (
	"bytes"
	"strings"
)

// findPrivateKey finds a key in PEM: from its beginning to its end, or to where
// the next one begins, or the text ends.
func findPrivateKey(text []byte, at int) (start, end int) {
	const begin, label, dashes = "-----BEGIN ", "PRIVATE KEY", "-----"
	if !bytes.HasPrefix(text[at:], []byte(begin)) {
		return 0, 0
	}
	head := capitals.run(text, at+len(begin))
	if !bytes.Contains(text[at:head], []byte(label)) || !bytes.HasPrefix(text[head:], []byte(dashes)) {
		return 0, 0
	}
	head += len(dashes)
	tail := bytes.Index(text[head:], []byte(dashes))
	if tail < 0 {
		return at, len(text)
	}
	tail += head
	if !bytes.HasPrefix(text[tail:], []byte(dashes+"END ")) {
		return at, tail
	}
	end = capitals.run(text, tail+len(dashes+"END "))
	if bytes.HasPrefix(text[end:], []byte(dashes)) {
		end += len(dashes)
	}
	return at, end
}

var capitals = setOf("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ")

// findJWT finds a JSON Web Token: three parts, of which the first two are JSON
// objects in base64.
func findJWT(text []byte, at int) (start, end int) {
	const least = 13
	if at > 0 && (dotted[text[at-1]] || text[at-1] == '+' || text[at-1] == '/') {
		return 0, 0
	}
	end = at
	for range 2 {
		part := end
		end = token.run(text, part)
		if end-part < least || !bytes.HasPrefix(text[part:], []byte("eyJ")) || end == len(text) || text[end] != '.' {
			return 0, 0
		}
		end++
	}
	return at, token.run(text, end)
}

// findBearer finds what a bearer is authorized by (RFC 6750). Words have no
// digits.
func findBearer(text []byte, at int) (start, end int) {
	const scheme, least = "bearer", 16
	head := at + len(scheme)
	if head >= len(text) || !strings.EqualFold(string(text[at:head]), scheme) || at > 0 && word[text[at-1]] {
		return 0, 0
	}
	start = spaces.run(text, head)
	end = token68.run(text, start)
	if start == head || end-start < least || !digit.in(text[start:end]) {
		return 0, 0
	}
	return start, end
}

var spaces = setOf(" \t")

// findURLPassword finds the password in a URL: scheme://user:password@host.
func findURLPassword(text []byte, at int) (start, end int) {
	if !bytes.HasPrefix(text[at:], []byte("://")) {
		return 0, 0
	}
	user := at + len("://")
	end = user
	for end < len(text) && !outsideUser[text[end]] {
		end++
	}
	colon := bytes.IndexByte(text[user:end], ':')
	if end == len(text) || text[end] != '@' || colon < 0 {
		return 0, 0
	}
	start = user + colon + 1
	if start == end || standsForOther(text[start:end]) {
		return 0, 0
	}
	return start, end
}

// outsideUser are the bytes that end the user's part of a URL.
var outsideUser = setOf("@/?#\\\"'`()[]| \t\r\n\x00")

// standsForOther reports whether a value is a variable, or stars, or a word in
// brackets.
func standsForOther(value []byte) bool {
	return strings.IndexByte("$<{[%*", value[0]) >= 0
}
