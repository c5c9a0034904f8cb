package redact

import (
	"regexp"
	"strings"
)

// A detector knows one kind of secret by how it looks. What the first group of
// its pattern matches stays, as what stands before the secret.
type detector struct {
	name string
	hint string // stands in every match; "" for nothing in particular
	expr string
}

// A finder is a detector that is ready for use. Making one costs too much to be
// done at a start that needs none.
type finder struct {
	detector
	pattern     *regexp.Regexp
	replacement string
}

func (d detector) finder() finder {
	return finder{d, regexp.MustCompile(d.expr), "${1}[redacted:" + d.name + "]"}
}

var detectors = []detector{
	{"private_key", "PRIVATE KEY", `()-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`},
	{"github", "", `(\b)(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})`},
	{"aws", "", `(\b)(?:AKIA|ASIA)[A-Z0-9]{16}\b`},
	{"google", "AIza", `(\b)AIza[A-Za-z0-9_-]{35}`},
	{"slack", "xox", `(\b)xox[abeoprs]-[A-Za-z0-9-]{10,}`},
	{"jwt", "eyJ", `(\b)eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*`},
	{"bearer", "", `(\b[Bb]earer\s+)[A-Za-z0-9._~+/-]{16,}=*`},
}

// secretWords are names of members that hold a secret, and ends of such names,
// without their capitals and separators.
var secretWords = []string{
	"password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "accesskey", "secretkey",
	"privatekey", "credential", "credentials", "cookie", "pwd",
}

// isSecretKey reports whether a member's name says that its value is a secret:
// api_key, githubToken, X-Api-Key, but not max_tokens.
func isSecretKey(name string) bool {
	const longest = 128 // no name that means anything is longer
	if len(name) > longest {
		return false
	}
	plain := strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(name))
	for _, word := range secretWords {
		if strings.HasSuffix(plain, word) {
			return true
		}
	}
	return false
}
