package hygiene

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"größe 日本 👍🏽 <b>&\ttab\n", "größe 日本 👍🏽 <b>&\ttab\n"},
		{"👩\u200d👩\u200d👧 می\u200cخواهم \u200e\u200fא\u00ad\u061c\u2061", "👩\u200d👩\u200d👧 می\u200cخواهم \u200e\u200fא\u00ad\u061c\u2061"},
		{"a\x00b\x07c\r\nd\x7fe\u0080f\u009fg", "abc\ndefg"},
		{"a\u202ab\u202ec\u2066d\u2069e", "abcde"},
		{"a\u200bb\u2060c\ufeffd", "abcd"},
		{"🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🏴"},
		{"\x1b[1;31mred\x1b[0m \u009b2Jx \x1b(B\x1b[m", "red x "},
		{"\x1b]8;;http://x\x07link\x1b]8;;\x1b\\ \x1b]0;title\u009cz \u009dx\u009cy", "link z y"},
		{"\x1bPq#0\x1b\\a\x1b_hidden\x1b\\b\x1b^c\x07\x1bXd\x07e", "abe"},
		{"\x1b", ""},
		{"\x1b[", "["},
		{"\x1b[1;é", "[1;é"},
		{"\x1b(", "("},
		{"\x1b]open", "]open"},
		{"\x1b]a\x1b]b\x07c", "]ac"},
		{"\x1b]a\nb\x07", "]a\nb"},
		{"\x1bHello \x1b7", "Hello 7"},
		{"a\xff\x00b", "a\uFFFDb"},
		{"\xe2\x7f\x80\x8b", "\uFFFD\uFFFD"},
	} {
		if got := Text(tt.text); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

// FuzzText: what is left has nothing in it that is hidden, and what is not hidden
// is left.
func FuzzText(f *testing.F) {
	f.Add("a\x1b[31mb\u202ec\xffd")
	f.Add("\x1b\x1b[[\u009b1;2Hx\x1b]\x1b]\x07")
	f.Fuzz(func(t *testing.T, text string) {
		got := Text(text)
		if strings.ContainsFunc(got, hidden) || Text(got) != got {
			t.Errorf("%q became %q", text, got)
		}
		if !strings.ContainsFunc(text, hidden) && got != text {
			t.Errorf("%q became %q, want it unchanged", text, got)
		}
		if utf8.ValidString(text) && !isSubsequence([]rune(got), []rune(text)) {
			t.Errorf("%q became %q, which is more than taking out", text, got)
		}
	})
}

func isSubsequence(part, whole []rune) bool {
	for _, r := range whole {
		if len(part) > 0 && part[0] == r {
			part = part[1:]
		}
	}
	return len(part) == 0
}

// The time must be in proportion to the text, whatever is in it.
func BenchmarkTextHostile(b *testing.B) {
	for name, unit := range map[string]string{"strings": "\x1b]a", "C1": "\u009d", "controls": "\x1b[1", "charsets": "\x1b("} {
		text := strings.Repeat(unit, 1<<20/len(unit))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Text(text)
			}
		})
	}
}
