package cli

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/pins"
)

// TestCompareSequences: what is told is both sequences, whole and in order.
func TestCompareSequences(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	letters := func(most int) []string {
		all := make([]string, random.IntN(most+1))
		for i := range all {
			all[i] = string(rune('a' + random.IntN(4)))
		}
		return all
	}
	for round := range 2000 {
		most := 8
		if round%500 == 0 {
			most = 5000 // more than is compared
		}
		before, after := letters(most), letters(most)
		var gotBefore, gotAfter, shared []string
		compareSequences(before, after, func(old, fresh, both []string) {
			gotBefore = append(append(gotBefore, old...), both...)
			gotAfter = append(append(gotAfter, fresh...), both...)
			shared = append(shared, both...)
		})
		if !slices.Equal(gotBefore, before) || !slices.Equal(gotAfter, after) {
			t.Fatalf("%v and %v: told %v and %v", before, after, gotBefore, gotAfter)
		}
		if slices.Equal(before, after) != (len(shared) == len(before) && len(shared) == len(after)) {
			t.Fatalf("%v and %v: told that they share %v", before, after, shared)
		}
	}
}

func TestDiffPrinter(t *testing.T) {
	lines := func(n int, changed string) string {
		text := ""
		for i := range n {
			text += fmt.Sprintf("line %d\\n", i)
		}
		return `"` + text + changed + `"`
	}
	tests := []struct {
		name, before, after string
		colours             bool
		want                string
	}{
		{
			"words on a terminal", `"read the file"`, `"read the ~/.ssh file"`, true,
			"      \x1b[31m-\x1b[0m \x1b[31mread the \x1b[0m\x1b[31mfile\x1b[0m\n      \x1b[32m+\x1b[0m \x1b[32mread the \x1b[0m\x1b[7m\x1b[32m~/.ssh \x1b[0m\x1b[32mfile\x1b[0m\n",
		},
		{"a text that is none any more", `"1"`, `1`, false, "      - \"1\"\n      + 1\n"},
		{"what cannot be seen", `"a"`, `"a\u200b\u001b[31m\u202e\ud800"`, false, "      - a\n      + a\\u200b\\u001b[31m\\u202e\\ufffd\n"},
		{"far lines", lines(20, "x"), lines(20, "y"), false, "        line 0\n        line 1\n        line 2\n        … 14 lines that are the same\n" +
			"        line 17\n        line 18\n        line 19\n      - x\n      + y\n"},
		{"an object", `{"a":[1,"\u0007"]}`, `2`, false, "      - {\n      -   \"a\": [\n      -     1,\n      -     \"\\u0007\"\n      -   ]\n      - }\n      + 2\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			d := diffPrinter{out: &out, paint: paint{test.colours}}
			d.print(pins.Difference{Old: []byte(test.before), New: []byte(test.after)})
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
