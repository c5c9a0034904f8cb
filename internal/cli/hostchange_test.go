package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
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
	for _, tt := range []struct{ before, after, want string }{
		{`{"a":"` + secret + `"}`, `{"a":"` + secret + `","weir":1}`, `+…,"weir":1…`},
		{"a\nb\nc\n", "a\nx\ny\nc\n", "-b +x +y"},
		{"a\nb\nc\nd\ne\n", "a\nc\ne\nf\n", "-b -d +f"},
	} {
		var got []string
		changedRegions([]byte(tt.before), []byte(tt.after), func(gone, come []string) {
			for _, line := range gone {
				got = append(got, "-"+line)
			}
			for _, line := range come {
				got = append(got, "+"+line)
			}
		})
		if strings.Join(got, " ") != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestHostEntryNamesVariables: to those that somebody has named, the ones are added
// that are needed.
func TestHostEntryNamesVariables(t *testing.T) {
	a := &app{}
	for _, tt := range []struct {
		host       hosts.Host
		have, want string
	}{
		{hosts.Codex, "", `{"command":"weir","args":[],"env_vars":["A","B"]}`},
		{hosts.Codex, `{"env_vars":["X",{"name":"Y"},"B"]}`, `{"command":"weir","args":[],"env_vars":["X",{"name":"Y"},"B","A"]}`},
		{hosts.Codex, `{"env_vars":["B","A"]}`, `{"command":"weir","args":[]}`},
		{hosts.Gemini, "", `{"command":"weir","args":[],"env":{"A":"$A","B":"$B"}}`},
		{hosts.Gemini, `{"env":{"B":"mine","X":"y"}}`, `{"command":"weir","args":[],"env":{"B":"mine","X":"y","A":"$A"}}`},
		{hosts.Gemini, `{"env":{"B":"mine","A":""}}`, `{"command":"weir","args":[]}`},
		{hosts.Cursor, `{"env":{"X":"y"}}`, `{"command":"weir","args":[]}`},
	} {
		got := string(jsonrpc.AppendObject(nil, a.hostEntry(tt.host, "weir", nil, []byte(tt.have), []string{"A", "B"})))
		if got != tt.want {
			t.Errorf("%s with %s: got %s, want %s", tt.host.Title, tt.have, got, tt.want)
		}
	}
}
