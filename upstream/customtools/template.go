package customtools

import (
	"errors"
	"strings"
)

// A Template is a text in which {name} stands for an argument.
type Template struct {
	parts []part
}

// A part is a literal text, or an argument's value.
type part struct {
	literal string
	name    string // of an argument; "" for a literal
}

// An Expander replaces the references ${…} in a literal text.
type Expander func(text string) (string, error)

// ParseTemplate reads a template: {name} is a placeholder, {{ and }} are braces,
// and references (${…}) are given to expand with the literal text around them. What
// they are replaced by is never looked at for placeholders.
func ParseTemplate(text string, expand Expander) (Template, error) {
	p := parser{rest: text, expand: expand}
	for p.rest != "" && p.err == nil {
		p.next()
	}
	p.endLiteral()
	return Template{p.parts}, p.err
}

type parser struct {
	rest    string
	expand  Expander
	literal strings.Builder
	parts   []part
	err     error
}

var (
	errBrace  = errors.New("a brace that belongs to no placeholder (write {{ or }} where one is meant)")
	errSpread = errors.New("{name...} stands for a list of elements, and must be all of one")
	errName   = errors.New("a placeholder is {name}, with a name of A-Z, a-z, 0-9, _, - and . (write {{ for a brace)")
)

// next takes what comes next: a brace with what belongs to it, or the text up to
// it.
func (p *parser) next() {
	at := strings.IndexAny(p.rest, "{}")
	switch {
	case at < 0:
		p.take(len(p.rest))
	case at > 0 && p.rest[at] == '{' && p.rest[at-1] == '$':
		end := strings.IndexByte(p.rest, '}')
		if end < at {
			end = len(p.rest) - 1 // expand says what is wrong
		}
		p.take(end + 1)
	case at > 0:
		p.take(at)
	case len(p.rest) > 1 && p.rest[1] == p.rest[0]:
		p.literal.WriteByte(p.rest[0])
		p.rest = p.rest[2:]
	case p.rest[0] == '}':
		p.err = errBrace
	default:
		p.placeholder()
	}
}

func (p *parser) take(n int) {
	text := p.rest[:n]
	p.rest = p.rest[n:]
	if p.expand != nil {
		expanded, err := p.expand(text)
		if err != nil && p.err == nil {
			p.err = err
		}
		text = expanded
	}
	p.literal.WriteString(text)
}

func (p *parser) placeholder() {
	name, behind, closed := strings.Cut(p.rest[1:], "}")
	if !closed || !isName(name) {
		p.err = errName
		return
	}
	p.rest = behind
	p.endLiteral()
	p.parts = append(p.parts, part{name: name})
}

func (p *parser) endLiteral() {
	if p.literal.Len() > 0 {
		p.parts = append(p.parts, part{literal: p.literal.String()})
		p.literal.Reset()
	}
}

func isName(name string) bool {
	return name != "" && !strings.Contains(name, "..") && !strings.ContainsFunc(name, isNotInName)
}

func isNotInName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("_-.", r)
}

// Names returns the arguments that the template mentions.
func (t Template) Names() (names []string) {
	for _, p := range t.parts {
		if p.name != "" {
			names = append(names, p.name)
		}
	}
	return names
}

// alone returns the argument that the template consists of; "" if it is another.
func (t Template) alone() string {
	if len(t.parts) != 1 {
		return ""
	}
	return t.parts[0].name
}

// Literal returns the text of a template that has no placeholders.
func (t Template) Literal() (text string, ok bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].name == "":
		return t.parts[0].literal, true
	}
	return "", false
}

// fill returns the text with values in place, each as escape writes it. It reports
// false if an argument is missing.
func (t Template) fill(a *arguments, escape func(string) string) (text string, ok bool, err error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.name == "" {
			b.WriteString(p.literal)
			continue
		}
		value, ok, err := a.text(p.name)
		if err != nil || !ok {
			return "", false, err
		}
		b.WriteString(escape(value))
	}
	return b.String(), true, nil
}

func asItIs(text string) string { return text }

// An Element is a template for one element of an argument vector, or for as many
// as a list has: {name...}.
type Element struct {
	Template

	spread string // the argument that is a list; "" for a template
}

// ParseElement reads an element.
func ParseElement(text string, expand Expander) (Element, error) {
	if name, ok := strings.CutSuffix(strings.TrimPrefix(text, "{"), "...}"); ok && strings.HasPrefix(text, "{") && isName(name) {
		return Element{spread: name}, nil
	}
	t, err := ParseTemplate(text, expand)
	if err != nil && strings.Contains(text, "...}") {
		return Element{}, errSpread
	}
	return Element{Template: t}, err
}

// Names returns the arguments that the element mentions.
func (e Element) Names() []string {
	if e.spread != "" {
		return []string{e.spread}
	}
	return e.Template.Names()
}

// Spread returns the argument that must be a list, or "".
func (e Element) Spread() string { return e.spread }
