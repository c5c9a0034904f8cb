package catalog

import (
	"errors"
	"strings"
)

// A template is a URI template (RFC 6570) as far as it tells what URIs it can
// become. It takes a value to be wider than the expansion of one is: servers
// read URIs with patterns of their own, which let most characters stand for
// themselves. It is the server that decides in the end.
type template struct {
	parts    []part
	literals int // bytes of all literals
}

// A part is a literal, or the place of an expression, which can be empty.
type part struct {
	literal string
	head    byte   // what a value begins with; 0 = nothing in particular
	stop    string // what cannot stand in a value
}

// Bounds against servers whose templates cost much to match.
const (
	maxTemplate    = 2 << 10 // bytes
	maxParts       = 64
	maxTemplateURI = 4 << 10 // bytes of a URI that is matched
)

var errTemplate = errors.New("not a URI template, or a very long one")

// expressions are the places of expressions by their operators (RFC 6570,
// section 2.2). A slash parts values, but for those with a reserved expansion.
var expressions = map[byte]part{
	'+': {},
	'#': {head: '#'},
	'.': {head: '.', stop: "/"},
	'/': {head: '/'},
	';': {head: ';', stop: "/"},
	'?': {head: '?', stop: "#"},
	'&': {head: '&', stop: "#"},
}

func parseTemplate(text string) (template, error) {
	var t template
	if len(text) > maxTemplate {
		return t, errTemplate
	}
	for text != "" {
		literal, rest, more := strings.Cut(text, "{")
		if strings.Contains(literal, "}") {
			return t, errTemplate
		}
		if literal != "" {
			t.parts = append(t.parts, part{literal: literal})
			t.literals += len(literal)
		}
		if !more {
			break
		}
		expression, rest, closed := strings.Cut(rest, "}")
		place, ok := parseExpression(expression)
		if !closed || !ok {
			return t, errTemplate
		}
		t.parts = append(t.parts, place)
		text = rest
	}
	if len(t.parts) > maxParts {
		return t, errTemplate
	}
	return t, nil
}

// parseExpression takes what stands between braces: perhaps an operator, and a
// list of variables.
func parseExpression(text string) (part, bool) {
	if text == "" {
		return part{}, false
	}
	place, special := expressions[text[0]]
	if special {
		text = text[1:]
	} else {
		place = part{stop: "/"}
	}
	for name := range strings.SplitSeq(text, ",") {
		if name == "" || strings.ContainsAny(name, "{=!@| \t\r\n") {
			return part{}, false
		}
	}
	return place, true
}

// matches reports whether the template can become the URI. It takes time in
// proportion to the length of both.
func (t *template) matches(uri string) bool {
	if len(uri) > maxTemplateURI || len(t.parts) == 0 {
		return false
	}
	first := t.parts[0].literal
	if !strings.HasPrefix(uri, first) || !strings.HasSuffix(uri, t.parts[len(t.parts)-1].literal) {
		return false
	}
	// reached tells which lengths of the URI the parts so far can become.
	reached := make([]bool, len(uri)+1)
	reached[0] = true
	for _, p := range t.parts {
		if p.literal != "" {
			reached = p.afterLiteral(uri, reached)
		} else {
			p.addValues(uri, reached)
		}
	}
	return reached[len(uri)]
}

func (p *part) afterLiteral(uri string, reached []bool) []bool {
	after := make([]bool, len(reached))
	for at := range reached {
		if reached[at] && strings.HasPrefix(uri[at:], p.literal) {
			after[at+len(p.literal)] = true
		}
	}
	return after
}

// addValues adds what can be reached with a value more. A value that goes on
// where another could begin needs no telling apart.
func (p *part) addValues(uri string, reached []bool) {
	inside := false // a value that began before could go on
	for at := range len(uri) {
		if reached[at] && (p.head == 0 || uri[at] == p.head) {
			inside = true
		}
		if p.stop != "" && strings.IndexByte(p.stop, uri[at]) >= 0 {
			inside = false
		}
		if inside {
			reached[at+1] = true
		}
	}
}
