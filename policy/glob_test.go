package policy

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		yes     string // separated by spaces, '' for the empty name
		no      string
	}{
		{"read_file", "read_file", "read_files Read_file read_fil ''"},
		{"*", "'' a a/b file:///x", ""},
		{"**", "'' a", ""},
		{"read_*", "read_ read_file read_a/b", "read xread_ Read_x"},
		{"*_file", "_file read_file a/b_file", "_files file"},
		{"*file*", "file a_file files xfilex", "fil f-ile"},
		{"a*a", "aa aba a/a", "a ab"},
		{"a*b*c", "abc axbxc abcbc a/b/c", "ab acb abcd"},
		{"*ab*ab*", "abab xabyabz", "ab aba"},
		{"r?ad", "read r-ad räad", "rad reead"},
		{"??", "ab äö", "a abc"},
		{"?*", "a ab", "''"},
		{"[a-c]x", "ax bx cx", "dx Ax x ax]"},
		{"[a-cx-z_]", "a c x _", "d w -"},
		{"[!a-c]x", "dx !x", "ax x"},
		{"[]]", "]", "[ [] ''"},
		{"[!]]", "x", "]"},
		{"[*]", "*", "a **"},
		{"[a-]", "a -", "b"},
		{"[ä-ü]", "ö", "o"},
		{"*[0-9]", "a1 9 a/1", "a a1b"},
		{`a\*`, `a\ a\b`, "a*"},
		{"file:///home/*/notes/*.md", "file:///home/u/notes/a.md file:///home/u/x/notes/b/c.md", "file:///home/notes/a.md"},
	} {
		g, err := ParseGlob(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		for name := range strings.FieldsSeq(tt.yes) {
			if name = strings.Trim(name, "'"); !g.Match(name) {
				t.Errorf("%s: got no match for %q", tt.pattern, name)
			}
		}
		for name := range strings.FieldsSeq(tt.no) {
			if name = strings.Trim(name, "'"); g.Match(name) {
				t.Errorf("%s: got a match for %q", tt.pattern, name)
			}
		}
	}
}

func TestGlobErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"":      `pattern "": it is empty`,
		"[":     `pattern "[": a [ without its ]`,
		"[]":    `pattern "[]": a [ without its ]`,
		"[!]":   `pattern "[!]": a [ without its ]`,
		"a[b":   `pattern "a[b": a [ without its ]`,
		"[a-":   `pattern "[a-": a [ without its ]`,
		"[z-a]": `pattern "[z-a]": a range that runs backwards`,
	} {
		if _, err := ParseGlob(pattern); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

// FuzzGlob compares with regular expressions, and holds the time down.
func FuzzGlob(f *testing.F) {
	f.Add("a*b?[c-e]", "axxbyd")
	f.Add("*a*a*a*a*a*b", strings.Repeat("a", 100))
	f.Add("[]-a]*", "]")
	f.Add("[!ä]?", "öö")
	f.Add("*\xff", "a\xff")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		g, err := ParseGlob(pattern)
		if err != nil {
			return
		}
		start := time.Now()
		got := g.Match(name)
		if took := time.Since(start); took > time.Second {
			t.Fatalf("got %v for %q and %q", took, pattern, name)
		}
		if !utf8.ValidString(pattern) || !utf8.ValidString(name) {
			return
		}
		if want := matchByRegexp(pattern, name); got != want {
			t.Fatalf("got %t for %q and %q, want %t", got, pattern, name, want)
		}
	})
}

// matchByRegexp is Match by other means, for a valid pattern.
func matchByRegexp(pattern, name string) bool {
	return regexp.MustCompile(`\A(?s:` + translate([]rune(pattern)) + `)\z`).MatchString(name)
}

func translate(pattern []rune) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			end := classEnd(pattern, i)
			b.WriteString(translateClass(pattern[i+1 : end]))
			i = end
		default:
			b.WriteString(regexp.QuoteMeta(string(pattern[i])))
		}
	}
	return b.String()
}

// classEnd returns where the bracket stands that closes the class at open. One
// that is the class's first character, or ends a range, does not close it.
func classEnd(pattern []rune, open int) int {
	i := open + 1
	if pattern[i] == '!' {
		i++
	}
	for i++; pattern[i] != ']'; i++ {
	}
	return i
}

func translateClass(class []rune) string {
	out := "["
	if class[0] == '!' {
		out, class = "[^", class[1:]
	}
	for len(class) > 0 {
		if len(class) > 2 && class[1] == '-' {
			out += quoteRune(class[0]) + "-" + quoteRune(class[2])
			class = class[3:]
			continue
		}
		out += quoteRune(class[0])
		class = class[1:]
	}
	return out + "]"
}

func quoteRune(r rune) string {
	if r == '-' || r == '^' || r == ']' || r == '[' {
		return `\` + string(r)
	}
	return regexp.QuoteMeta(string(r))
}

func BenchmarkGlobWorst(b *testing.B) {
	g, err := ParseGlob("*" + strings.Repeat("a*", 20) + "b")
	if err != nil {
		b.Fatal(err)
	}
	name := strings.Repeat("a", 1000)
	for b.Loop() {
		g.Match(name)
	}
}
