package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const complaintsTable = "../docs/complaints.md"

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	named    = regexp.MustCompile(`^([a-z0-9/]+)\.((?:Test|Fuzz)[A-Za-z0-9]+)$`)
)

// TestComplaintsAreShown: each row of the table names tests, and each test that it
// names is there.
func TestComplaintsAreShown(t *testing.T) {
	text, err := os.ReadFile(complaintsTable)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for i, line := range strings.Split(string(text), "\n") {
		tests := testsIn(line)
		for _, test := range tests {
			if err := isThere(test); err != nil {
				t.Errorf("%s:%d: %v", complaintsTable, i+1, err)
			}
		}
		switch {
		case !strings.HasPrefix(line, "| ") || line == "| Reported | Shown by |":
		case len(tests) == 0:
			t.Errorf("%s:%d: the row names no test", complaintsTable, i+1)
		default:
			rows++
		}
	}
	if rows < 50 {
		t.Errorf("got %d rows, want those of all complaints", rows)
	}
}

// testsIn are the tests that a line names: functions after their folder, and
// scripts.
func testsIn(line string) (tests []string) {
	for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
		if named.MatchString(span[1]) || strings.HasSuffix(span[1], ".txtar") {
			tests = append(tests, span[1])
		}
	}
	return tests
}

// isThere looks for a test in the sources, whatever system they are for.
func isThere(test string) error {
	parts := named.FindStringSubmatch(test)
	if parts == nil {
		_, err := os.Stat(filepath.Join("..", filepath.FromSlash(test)))
		return err
	}
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(parts[1]), "*_test.go"))
	if err != nil {
		return err
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if strings.Contains("\n"+string(source), "\nfunc "+parts[2]+"(") {
			return nil
		}
	}
	return fmt.Errorf("there is no %s in %d files", test, len(files))
}
