package catalog

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/namespace"
)

func instructing(name, prefix, text string) Server {
	return Server{Server: namespace.Server{Name: name, Prefix: prefix}, Lists: &Lists{Instructions: text}}
}

func TestInstructions(t *testing.T) {
	long := strings.Repeat("é", maxInstructions)
	for _, tt := range []struct {
		name    string
		servers []Server
		want    string
	}{
		{"no server", nil, ""},
		{"nothing said", []Server{instructing("a", "a", ""), instructing("b", "b", " \n"), server("c", nil)}, ""},
		{"one", []Server{instructing("github", "gh", "Use it.\n")}, "# github (tools: gh__*)\nUse it."},
		{"several", []Server{instructing("a", "a", "One."), instructing("b", "b", ""), instructing("c", "", "Three.")}, "# a (tools: a__*)\nOne.\n\n# c\nThree."},
		{"denied", []Server{instructing("denied", "", "One."), instructing("b", "b", "Two.")}, "# b (tools: b__*)\nTwo."},
		{"alone as it is", []Server{instructing("a", "", " Use\tit.\n\n")}, " Use\tit.\n\n"},
		{"alone and long", []Server{instructing("a", "", strings.Repeat("x", 2*maxInstructions))}, strings.Repeat("x", 2*maxInstructions)},
		{"alone and denied", []Server{instructing("denied", "", "One.")}, ""},
		{"cut at a rune", []Server{instructing("a", "a", "x"+long)}, "# a (tools: a__*)\nx" + strings.Repeat("é", maxInstructions/2-2) + "…"},
		{"hidden text", []Server{instructing("a", "", "a\x00b\x1b[31;1mc\x1b]d\x7fe\u009b2Jf\u202eg\u200bh\ufeffi\U000e0041j\r\nk\u00adl\x1b[")}, "abc]defghij\nkl"},
		{"visible text", []Server{instructing("a", "", "größe 日本 👍🏽 <b>&\ttab")}, "größe 日本 👍🏽 <b>&\ttab"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Merge(namespace.Rules{}, tt.servers).Instructions(func(server string) bool { return server != "denied" })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("instructions differ (-want +got):\n%s", diff)
			}
		})
	}
	var many []Server
	for _, name := range strings.Fields("a b c d e f g h") {
		many = append(many, instructing(name, name, long))
	}
	got := Merge(namespace.Rules{}, many).Instructions(func(string) bool { return true })
	if len(got) > maxAllInstructions || len(got) < maxAllInstructions-4 || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
		t.Errorf("together: got %d bytes, …%q, want %d at most, and a cut", len(got), got[len(got)-10:], maxAllInstructions)
	}
}

// FuzzPlain: what is left has nothing in it that is not seen, and what is seen is
// left.
func FuzzPlain(f *testing.F) {
	f.Add("a\x1b[31mb\u202ec\xffd")
	f.Add("\x1b\x1b[[\u009b1;2Hx")
	f.Fuzz(func(t *testing.T, text string) {
		got := plain(text)
		if strings.ContainsFunc(got, unseen) || !utf8.ValidString(got) || plain(got) != got {
			t.Errorf("%q became %q", text, got)
		}
		if !strings.ContainsFunc(text, unseen) && utf8.ValidString(text) && got != text {
			t.Errorf("%q became %q, want it unchanged", text, got)
		}
	})
}
