package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPagesAreAsTheProgramSays compares what is in docs with what the program says.
func TestPagesAreAsTheProgramSays(t *testing.T) {
	files, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", "..", "docs", filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/%s is not what the program says (%v): go run ./scripts/manual", name, err)
		}
	}
	there, err := os.ReadDir(filepath.Join("..", "..", "docs", "man"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range there {
		if files["man/"+entry.Name()] == nil {
			t.Errorf("docs/man/%s is of nothing that there is: go run ./scripts/manual", entry.Name())
		}
	}
}

func TestPieces(t *testing.T) {
	text := "THE HEADING\n\nA paragraph\nof two lines.\n\nAnother.\n    a block\n\n      of three\n\nThe end.\n"
	want := []piece{
		{heading, []string{"THE HEADING"}},
		{paragraph, []string{"A paragraph", "of two lines."}},
		{paragraph, []string{"Another."}},
		{block, []string{"a block", "", "  of three"}},
		{paragraph, []string{"The end."}},
	}
	if diff := cmp.Diff(want, piecesOf(text), cmp.AllowUnexported(piece{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRoff writes what roff would take for its own.
func TestRoff(t *testing.T) {
	for line, want := range map[string]string{
		`.weir`:          "\\&.weir\n",
		`'one'`:          "\\(aqone\\(aq\n",
		`weir --a "\\n"`: "weir \\-\\-a \\(dq\\e\\en\\(dq\n",
		``:               "\\&\n",
	} {
		if got := roffLines([]string{line}); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}
