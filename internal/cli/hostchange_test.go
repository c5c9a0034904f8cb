package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/internal/hosts"
)

// TestHostFileThatChanged: what a host wrote after the change was shown stays.
func TestHostFileThatChanged(t *testing.T) {
	for name, before := range map[string]string{"changed": "{}", "made": ""} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(newHome(t), ".cursor", "mcp.json")
			if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			write := func(text string) {
				t.Helper()
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if before != "" {
				write(before)
			}
			a := &app{Process: Process{Stdout: &strings.Builder{}, Environ: os.Environ()}}
			c, err := a.planInstall(hosts.Cursor, hostFlags{name: "weir"})
			if err != nil {
				t.Fatal(err)
			}
			write(`{"theirs": 1}`)
			if err := a.applyHostChange(t.Context(), c); !errors.Is(err, errChanged) {
				t.Errorf("got %v, want %v", err, errChanged)
			}
			if got, err := os.ReadFile(file); string(got) != `{"theirs": 1}` || err != nil {
				t.Errorf("got %s, %v, want what the host wrote", got, err)
			}
		})
	}
}

// TestChangedLines: of a file in one line, only what changes is shown.
func TestChangedLines(t *testing.T) {
	secret := strings.Repeat("s", maxWholeLine)
	gone, come := changedRegion([]byte(`{"a":"`+secret+`"}`), []byte(`{"a":"`+secret+`","weir":1}`))
	if len(gone) > 0 || len(come) != 1 || come[0] != `…,"weir":1…` {
		t.Errorf("got %q and %q", gone, come)
	}
	gone, come = changedRegion([]byte("a\nb\nc\n"), []byte("a\nx\ny\nc\n"))
	if strings.Join(gone, " ") != "b" || strings.Join(come, " ") != "x y" {
		t.Errorf("got %q and %q", gone, come)
	}
}
