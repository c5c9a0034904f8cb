package discovery

import (
	"cmp"
	"slices"
	"strings"
)

// The bounds of what is read of the headers of one refusal, in bytes and in
// challenges.
const (
	maxChallengeBytes = 64 << 10
	maxChallenges     = 32
	maxScopes         = 512
)

// ParseChallenge reads the WWW-Authenticate headers of a refusal (RFC 9110,
// section 11.6.1). Of several challenges for bearer tokens the first counts, the
// others fill in what it does not say; those for DPoP (RFC 9449) come after them.
// It reports whether there is any. What cannot be read is passed over.
func ParseChallenge(headers []string) (Challenge, bool) {
	s := scanner{left: maxChallengeBytes}
	for _, header := range headers {
		s.scan(header)
	}
	var c Challenge
	found := false
	for _, scheme := range []string{"bearer", "dpop"} {
		for _, one := range s.found {
			if one.scheme == scheme {
				c.fill(one)
				found = true
			}
		}
	}
	return c, found
}

// fill takes from a challenge what c does not have.
func (c *Challenge) fill(from challenge) {
	c.ResourceMetadata = cmp.Or(c.ResourceMetadata, from.params["resource_metadata"])
	if c.Scopes == nil {
		c.Scopes = scopesOf(from.params["scope"])
	}
	code := from.params["error"]
	if !isErrorCode(code) {
		code = ""
	}
	c.Error = cmp.Or(c.Error, code)
	if from.scheme == "dpop" {
		c.DPoP = true
		c.ProofError = cmp.Or(c.ProofError, code)
	}
}

// scopesOf splits a list of scopes (RFC 6749, section 3.3). It leaves out what
// cannot be one, and what is there already; nil if nothing is left.
func scopesOf(list string) []string {
	var scopes []string
	for scope := range strings.FieldsSeq(list) {
		if len(scopes) < maxScopes && isScope(scope) && !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

func isScope(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}

// isErrorCode reports whether a text can be an OAuth error code (RFC 6749,
// section 5.2), of a length that such codes have.
func isErrorCode(text string) bool {
	return len(text) <= 64 && isScope(strings.ReplaceAll(text, " ", ""))
}

// A challenge is one of an authentication scheme.
type challenge struct {
	scheme string            // in lower case
	params map[string]string // by name in lower case; of those named twice, the first
}

// A scanner gathers the challenges of headers, up to its bounds.
type scanner struct {
	text  string // what is left of a header
	left  int    // how many bytes more may be read
	found []challenge
}

// scan reads one header. A challenge does not go on in the next.
func (s *scanner) scan(header string) {
	if s.left -= len(header); s.left < 0 {
		s.left = 0
		return
	}
	s.text = header
	var params map[string]string // of the challenge that the text is in; nil before the first
	for {
		s.text = strings.TrimLeft(s.text, " \t,")
		if s.text == "" {
			return
		}
		if s.text[0] == '"' {
			s.quoted() // belongs to nothing
			continue
		}
		name := strings.ToLower(s.token())
		switch {
		case name == "":
			s.text = s.text[1:] // nothing begins like that
		case s.equals():
			value, ok := s.value()
			if _, twice := params[name]; ok && !twice && params != nil {
				params[name] = value
			}
		case len(s.found) == maxChallenges:
			return
		default:
			params = make(map[string]string)
			s.found = append(s.found, challenge{name, params})
			s.token68()
		}
	}
}

// token takes a token; "" if there is none.
func (s *scanner) token() string {
	end := strings.IndexFunc(s.text, func(r rune) bool { return !isTokenRune(r) })
	if end < 0 {
		end = len(s.text)
	}
	token := s.text[:end]
	s.text = s.text[end:]
	return token
}

func isTokenRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		r < 0x80 && strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// equals takes the = of a parameter, with spaces around it, if it is there.
func (s *scanner) equals() bool {
	rest := strings.TrimLeft(s.text, " \t")
	if !strings.HasPrefix(rest, "=") {
		return false
	}
	s.text = strings.TrimLeft(rest[1:], " \t")
	return true
}

// value takes the value of a parameter. Without quotes it should be a token, but
// some servers write URLs so.
func (s *scanner) value() (string, bool) {
	if strings.HasPrefix(s.text, `"`) {
		return s.quoted()
	}
	end := strings.IndexAny(s.text, " \t,")
	if end < 0 {
		end = len(s.text)
	}
	value := s.text[:end]
	s.text = s.text[end:]
	return value, true
}

// quoted takes a quoted string; one without an end is nothing, to the end of the
// header.
func (s *scanner) quoted() (string, bool) {
	var value strings.Builder
	for i := 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.text = s.text[i+1:]
			return value.String(), true
		case c == '\\' && i+1 < len(s.text):
			i++
			value.WriteByte(s.text[i])
		default:
			value.WriteByte(c)
		}
	}
	s.text = ""
	return "", false
}

// token68 passes over the one value that some schemes have instead of
// parameters, if that is what comes ("Basic YWJj==").
func (s *scanner) token68() {
	rest := strings.TrimLeft(s.text, " \t")
	if len(rest) == len(s.text) {
		return
	}
	after := strings.TrimLeftFunc(rest, func(r rune) bool { return isTokenRune(r) || r == '/' })
	after = strings.TrimLeft(after, "=")
	if end := strings.TrimLeft(after, " \t"); end == "" || end[0] == ',' {
		s.text = end
	}
}
