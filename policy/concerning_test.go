package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConcerning(t *testing.T) {
	text := func(s string) *string { return &s }
	level := func(l Level) *Level { return &l }
	yes := true
	p, err := Compile(Config{
		Default: level(Read),
		Servers: &Gate{Deny: []string{"out"}},
		Rules: []Rule{
			{Server: text("*"), Tool: text("read_*"), Level: level(Execute)},
			{Server: text("named"), Level: level(Admin)},
			{Server: text("n*"), Ask: &yes},
			{Server: text("weir"), Level: level(Execute)},
		},
	}, Servers{Aliases: Aliases{"nick": "other"}})
	if err != nil {
		t.Fatal(err)
	}
	const every, fallback = `rule 1 gives execute to tool "read_*" of server "*"`, "no rule matches; the default is read"
	for name, want := range map[string][]string{
		"new":   {every, "ask", fallback},
		"named": {every, `rule 2 gives admin to all of server "named"`, "ask", fallback},
		"x":     {every, fallback},
		"other": {every, "ask", fallback},
		"out":   {`servers.deny has "out"`},
		"weir":  {`rule 4 gives execute to all of server "weir"`, `no rule names server "weir"`},
	} {
		var got []string
		for _, v := range p.Concerning(name) {
			if v.Ask {
				v.Reason = "ask"
			}
			got = append(got, v.Reason)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := (*Policy)(nil).Concerning("x"); len(got) != 1 || got[0].Listed() {
		t.Errorf("no policy: got %+v", got)
	}
}
