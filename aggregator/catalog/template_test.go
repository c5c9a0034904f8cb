package catalog

import (
	"strings"
	"testing"

	"github.com/yosida95/uritemplate/v3"
)

func TestTemplate(t *testing.T) {
	for _, tt := range []struct {
		template string
		yes, no  string // URIs, with spaces between
	}{
		{"file:///{path}", "file:///a file:/// file:///a%20b file:///größe:@?", "file:///a/b file:// file:/x xfile:///a"},
		{"file:///{+path}", "file:///a/b?c#d file:///", "file://x"},
		{"db://{table}/rows/{id}", "db://t/rows/1 db:///rows/", "db://t/rows db://t/u/rows/1 db://t/rows/1/2"},
		{"x:{a,b}", "x:1,2 x:", "x:1/2"},
		{"x{/path*}/end", "x/end x/a/end x/a/b/end", "x/a xy/end x/a/b"},
		{"x{.ext}", "x x.txt x.tar.gz", "xtxt x.a/b"},
		{"x{;a,b}", "x x;a=1;b x;a", "x?a x;a/b"},
		{"x{?q,n}", "x x?q=1&n=2 x?q=a/b", "x&q=1 x?q=1#f"},
		{"x?fixed{&q*}", "x?fixed x?fixed&q=1", "x?fixed?q x"},
		{"x{#part}", "x x#a/b", "xa"},
		{"{scheme}://x", "a://x ://x", "a:/x a/b://x"},
		{"{+any}", "a/b:c#?", ""},
		{"aa{x}aa", "aaaa aaaaa", "aaa aa"},
		{"plain", "plain", "plain2 plai"},
		{"{a}{b}{+c}", "x x/y", ""},
		{"{x:3}", "abcd", "a/b"},
	} {
		parsed, err := parseTemplate(tt.template)
		if err != nil {
			t.Errorf("%s: %v", tt.template, err)
			continue
		}
		for _, uri := range strings.Fields(tt.yes) {
			if !parsed.matches(uri) {
				t.Errorf("%s does not match %q, want a match", tt.template, uri)
			}
		}
		for _, uri := range strings.Fields(tt.no) {
			if parsed.matches(uri) {
				t.Errorf("%s matches %q, want no match", tt.template, uri)
			}
		}
	}
}

func TestTemplateRefused(t *testing.T) {
	for _, text := range []string{
		"{", "}", "a{b", "a}b", "{}", "{+}", "{a,}", "{,a}", "{a b}", "{{a}}", "{=a}", "{!a}", "a{b}}",
		strings.Repeat("x", maxTemplate+1), strings.Repeat("{a}", maxParts+1),
	} {
		if _, err := parseTemplate(text); err == nil {
			t.Errorf("%.40q: got a template, want an error", text)
		}
	}
	if parsed, err := parseTemplate(""); err != nil || parsed.matches("") || parsed.matches("x") {
		t.Errorf("empty template: got %v or a match, want neither", err)
	}
	parsed, _ := parseTemplate("{+a}")
	if !parsed.matches(strings.Repeat("x", maxTemplateURI)) || parsed.matches(strings.Repeat("x", maxTemplateURI+1)) {
		t.Error("the length of a URI is not bounded")
	}
}

// FuzzTemplate holds matching against expansion: what a template becomes, it
// matches.
func FuzzTemplate(f *testing.F) {
	f.Add("file:///{path}", "a b", "ü", "x")
	f.Add("db://{+table}/{/rows*}{?a,b}", "t/u", "1", "")
	f.Add("x{;list*}{&map*}{.a,b}{#c}", "", "&", "#")
	f.Add("{a:3}{a}lit%20eral{#b*}", "abc", "def", "/")
	f.Fuzz(func(t *testing.T, text, one, two, three string) {
		parsed, err := parseTemplate(text)
		if err != nil {
			return
		}
		parsed.matches(one)
		reference, err := uritemplate.New(text)
		if err != nil {
			return
		}
		values := uritemplate.Values{}
		for i, name := range reference.Varnames() {
			switch i % 3 {
			case 0:
				values.Set(name, uritemplate.String(one))
			case 1:
				values.Set(name, uritemplate.List(one, two, three))
			case 2:
				values.Set(name, uritemplate.KV("k", two, "l", three))
			}
		}
		uri, err := reference.Expand(values)
		if err != nil || uri == "" || len(uri) > maxTemplateURI {
			return
		}
		if !parsed.matches(uri) {
			t.Errorf("template %q does not match %q, which it becomes", text, uri)
		}
	})
}
