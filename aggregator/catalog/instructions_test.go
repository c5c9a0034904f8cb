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

func asSent(s Server) Server {
	s.AsSent = true
	return s
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
		{"hidden text", []Server{instructing("a", "", "a\x00b\x1b[31;1mc\u202ed\r\ne")}, "abcd\ne"},
		{"visible text", []Server{instructing("a", "", "größe 👩\u200d👧 می\u200cخواهم \u00ad\u200e<b>&\ttab")}, "größe 👩\u200d👧 می\u200cخواهم \u00ad\u200e<b>&\ttab"},
		{"hidden text as it was sent", []Server{asSent(instructing("a", "", "a\x00b"))}, "a\x00b"},
		{"hidden text of one of two", []Server{instructing("a", "", "a\x00b"), asSent(instructing("b", "", "c\x00d"))}, "# a\nab\n\n# b\nc\x00d"},
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
