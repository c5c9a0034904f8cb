package customtools

import (
	"errors"
	"net/url"
	"strings"
)

// An Address is the URL of a request, with placeholders in its path and in the
// values of its query.
type Address struct {
	base     string // scheme, host and port; with no slash behind
	segments []Template
	query    []pair
}

// A pair is one name with its value in a query, as they are written between the &.
type pair struct {
	name  string // escaped, with its "="
	value Template
}

var (
	errWhere    = errors.New("scheme, host and port must be without placeholders: an argument would choose who is asked")
	errScheme   = errors.New("it must begin with https:// or http://")
	errUser     = errors.New("a name or password in it is not possible; use a header")
	errFragment = errors.New("it must not have a fragment (#)")
	errKey      = errors.New("the names in its query must be without placeholders")
	errAddress  = errors.New("it is not a URL")
)

// ParseAddress reads the address of a request.
func ParseAddress(text string, expand Expander) (*Address, error) {
	t, err := ParseTemplate(text, expand)
	if err != nil {
		return nil, err
	}
	path, query, hasQuery := t.cut('?')
	a := &Address{}
	if path, err = a.takeBase(path); err != nil {
		return nil, err
	}
	for more := true; more; {
		var segment Template
		segment, path, more = path.cut('/')
		a.segments = append(a.segments, segment)
	}
	for hasQuery {
		var one Template
		one, query, hasQuery = query.cut('&')
		name, value, _ := one.cut('=')
		literal, ok := name.Literal()
		if !ok {
			return nil, errKey
		}
		if !strings.Contains(one.literals(), "=") {
			a.query = append(a.query, pair{name: literal})
			continue
		}
		a.query = append(a.query, pair{literal + "=", value})
	}
	return a, a.check(t)
}

// takeBase takes scheme, host and port, and returns the rest: the path behind its
// first slash.
func (a *Address) takeBase(t Template) (path Template, err error) {
	if len(t.parts) == 0 || t.parts[0].name != "" {
		return Template{}, errWhere
	}
	head := t.parts[0].literal
	scheme, behind, ok := strings.Cut(head, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "https" && scheme != "http" {
		return Template{}, errScheme
	}
	host, _, hasPath := strings.Cut(behind, "/")
	if !hasPath && len(t.parts) > 1 {
		return Template{}, errWhere
	}
	a.base = scheme + "://" + host
	_, path, _ = Template{append([]part{{literal: behind}}, t.parts[1:]...)}.cut('/')
	return path, nil
}

// check parses the address with values in place.
func (a *Address) check(t Template) error {
	if strings.Contains(t.literals(), "#") {
		return errFragment
	}
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.literal)
		if p.name != "" {
			b.WriteByte('x')
		}
	}
	u, err := url.Parse(b.String())
	switch {
	case err != nil || u.Hostname() == "":
		return errAddress
	case u.User != nil:
		return errUser
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil || u.Scheme+"://"+u.Host != a.base {
		return errAddress
	}
	return nil
}

// Secure reports whether the request is encrypted.
func (a *Address) Secure() bool { return strings.HasPrefix(a.base, "https:") }

// Host is who is asked, without the port.
func (a *Address) Host() string {
	u, err := url.Parse(a.base)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// InPath returns the arguments in the path: they must not be missing.
func (a *Address) InPath() (names []string) {
	for _, s := range a.segments {
		names = append(names, s.Names()...)
	}
	return names
}

// Names returns all arguments in the address.
func (a *Address) Names() []string {
	names := a.InPath()
	for _, p := range a.query {
		names = append(names, p.value.Names()...)
	}
	return names
}

// fill returns the URL with values in place.
func (a *Address) fill(args *arguments) (string, error) {
	var b strings.Builder
	b.WriteString(a.base)
	for _, s := range a.segments {
		text, err := s.segment(args)
		if err != nil {
			return "", err
		}
		b.WriteByte('/')
		b.WriteString(text)
	}
	separator := byte('?')
	for _, p := range a.query {
		text, ok, err := p.value.fill(args, url.QueryEscape)
		if err != nil {
			return "", err
		}
		if !ok {
			continue // an optional argument that is missing
		}
		b.WriteByte(separator)
		b.WriteString(p.name)
		b.WriteString(text)
		separator = '&'
	}
	return b.String(), nil
}

// segment is one segment of a path, which values cannot leave: what escaping does
// not help against is refused. Servers differ on whether an escaped slash is one,
// so that a ".." beside it is refused too.
func (t Template) segment(a *arguments) (string, error) {
	names := t.Names()
	for _, name := range names {
		value, ok, err := a.text(name)
		if err != nil {
			return "", err
		}
		if !ok {
			return "", refuse("argument %q is missing: it is part of the address", name)
		}
		steps := strings.FieldsFunc(value, func(r rune) bool { return r == '/' || r == '\\' })
		for _, step := range steps {
			if step == ".." || step == "." && len(steps) > 1 {
				return "", refuse("argument %q must not hold the step %q: it is part of the address", name, step)
			}
		}
	}
	text, _, err := t.fill(a, url.PathEscape)
	if err != nil || len(names) == 0 {
		return text, err
	}
	if plain, err := url.PathUnescape(text); err != nil || plain == "" || plain == "." || plain == ".." {
		return "", refuse("argument %q must not make a part of the address empty, %q or %q", names[0], ".", "..")
	}
	return text, nil
}

// cut splits a template at the first separator in its literal text.
func (t Template) cut(separator byte) (before, after Template, found bool) {
	for i, p := range t.parts {
		head, tail, ok := strings.Cut(p.literal, string(separator))
		if !ok {
			continue
		}
		before = Template{append(append([]part{}, t.parts[:i]...), literalPart(head)...)}
		after = Template{append(literalPart(tail), t.parts[i+1:]...)}
		return before, after, true
	}
	return t, Template{}, false
}

func literalPart(text string) []part {
	if text == "" {
		return nil
	}
	return []part{{literal: text}}
}

// literals is the literal text of a template.
func (t Template) literals() string {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.literal)
	}
	return b.String()
}
