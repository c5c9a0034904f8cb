package formats

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// TestTokens compares the estimate with what tokenizers count.
func TestTokens(t *testing.T) {
	raw, err := os.ReadFile("testdata/tokens.txt")
	if err != nil {
		t.Fatal(err)
	}
	counted := make(map[string][2]int)
	for line := range strings.Lines(string(raw)) {
		var name string
		var n [2]int
		if _, err := fmt.Sscan(line, &name, &n[0], &n[1]); err == nil {
			counted[name] = n
		}
	}
	definitions, _ := Style{API: Anthropic}.Define(realTools(t))
	estimate, sum := 0, [2]int{}
	for _, d := range definitions {
		got := Tokens(d.Raw)
		estimate += got
		for i, want := range counted[d.Name] {
			sum[i] += want
			if off := float64(got)/float64(want) - 1; math.Abs(off) > 0.1 {
				t.Errorf("%s: got %d tokens, want %d", d.Name, got, want)
			}
		}
	}
	for _, want := range sum {
		if off := float64(estimate)/float64(want) - 1; math.Abs(off) > 0.03 {
			t.Errorf("got %d tokens in all, want %d", estimate, want)
		}
	}
}

func TestTokensOfRuns(t *testing.T) {
	for _, tt := range []struct {
		text     string
		from, to int
	}{
		{"", 0, 0},
		{"word", 1, 1},
		{"two words", 2, 2},
		{"twoWords", 2, 2},
		{"    \n", 0, 0},
		{"123456", 1, 1},
		{strings.Repeat("a", 2000), 100, 1000},
		{"日本語のツール", 5, 9},
		{strings.Repeat("\x80", 10), 2, 10},
	} {
		if got := Tokens([]byte(tt.text)); got < tt.from || got > tt.to {
			t.Errorf("%.20q: got %d, want %d to %d", tt.text, got, tt.from, tt.to)
		}
	}
}
