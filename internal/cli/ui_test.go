package cli

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestTableFits(t *testing.T) {
	tests := []struct {
		name  string
		width int
		want  string
	}{
		{"no limit", 0, `TOOL      DESCRIPTION
gh__a     Finds a needle in the haystack that was asked for.
gh__long  x
`},
		{"narrow", 30, `TOOL      DESCRIPTION
gh__a     Finds a needle in t…
gh__long  x
`},
		{"too narrow for anything", 5, `TOOL      DESCRIPTION
gh__a     Finds a nee…
gh__long  x
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := table{head: []string{"TOOL", "DESCRIPTION"}, rows: [][]cell{
				{plain("gh__a"), plain("Finds a needle\n  in the haystack that was asked for.")},
				{plain("gh__long"), plain("x\x1b\x07")},
			}}
			var b strings.Builder
			table.print(&b, paint{}, tt.width)
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestPrintable(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain", "plain"},
		{" two\n lines\t", "two lines"},
		{"\x1b[31mred\x1b[0m", "[31mred[0m"},
		{"a\u202eb", "ab"},       // right-to-left override
		{"c1 \u009b2J", "c1 2J"}, // one-character CSI
		{"ä 漢 🙂", "ä 漢 🙂"},
	}
	for _, tt := range tests {
		if got := printable(tt.in); got != tt.want {
			t.Errorf("printable(%q): got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	tests := []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{"longer", 5, "long…"},
		{"a  b c", 4, "a b…"},
		{"äöüß", 3, "äö…"},
	}
	for _, tt := range tests {
		got := oneLine(tt.in, tt.limit)
		if got != tt.want || utf8.RuneCountInString(got) > tt.limit {
			t.Errorf("oneLine(%q, %d): got %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

func TestVisibleLength(t *testing.T) {
	p := paint{on: true}
	for _, text := range []string{"", "abc", "ä→"} {
		painted := "x" + p.bold(text) + p.red(text)
		if got, want := visibleLength(painted), 1+2*utf8.RuneCountInString(text); got != want {
			t.Errorf("visibleLength(%q): got %d, want %d", painted, got, want)
		}
	}
	if got, want := visibleLength("\x1b[3"), 0; got != want {
		t.Errorf("visibleLength of half a sequence: got %d, want %d", got, want)
	}
}

func TestPaintIsForTerminalsOnly(t *testing.T) {
	a := &app{Process: Process{Stdout: &strings.Builder{}}}
	if got := a.paint().red("x"); got != "x" {
		t.Errorf("got %q, want no colour on what is no terminal", got)
	}
}

func TestAge(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{time.Second, "just now"},
		{90 * time.Second, "1 min ago"},
		{3 * time.Hour, "3 h ago"},
		{100 * time.Hour, "4 days ago"},
	}
	for _, tt := range tests {
		if got := age(tt.d); got != tt.want {
			t.Errorf("age(%v): got %q, want %q", tt.d, got, tt.want)
		}
	}
}
