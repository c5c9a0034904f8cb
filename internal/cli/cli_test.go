package cli

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestHelp(t *testing.T) {
	newHome(t)
	for _, command := range []string{"", "call", "servers"} {
		t.Run(command, func(t *testing.T) {
			args := strings.Fields(command + " --help")
			got := weir(t, args...)
			got.wants(t, exitOK)
			golden(t, "help"+strings.TrimSuffix("-"+command, "-")+".txt", got.stdout)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got (-update writes it anew):\n%s", path, diff)
	}
}

func TestEachCommandTeaches(t *testing.T) {
	a := &app{}
	for _, c := range a.rootCommand().Commands() {
		t.Run(c.Name(), func(t *testing.T) {
			if c.Short == "" || c.Long == "" {
				t.Error("there is no description")
			}
			if !teaches(c) {
				t.Error("there is no example")
			}
			for line := range strings.Lines(c.Long + "\n" + c.Example) {
				if len(line) > 90 {
					t.Errorf("line does not fit a terminal: %q", line)
				}
			}
		})
	}
}

// teaches reports whether a command has an example, or nothing to give one of.
func teaches(c *cobra.Command) bool {
	return c.Example != "" || c.Name() == "demo" || c.Name() == "version"
}

func TestUsageErrors(t *testing.T) {
	newHome(t)
	tests := []struct {
		args string
		want string
	}{
		{"tols", `unknown command "tols"; did you mean "weir tools"?`},
		{"xyzzy", `unknown command "xyzzy" (see: weir --help)`},
		{"--confg x", `unknown flag: --confg (see: weir --help)`},
		{"tools --format xml", `unknown format "xml" (want table, json, openai, openai-responses, anthropic or gemini)`},
		{"tools --json --format table", `--json and --format table contradict`},
		{"tools extra", `unexpected argument "extra" (see: weir tools --help)`},
		{"call", `missing the NAME of a tool`},
		{"call a -", `arguments:`},
		{"servers --jsn", `unknown flag: --jsn`},
		{"version 1", `unexpected argument "1"`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := weir(t, strings.Fields(tt.args)...)
			got.wants(t, exitUsage, "weir: "+tt.want)
			if got.stdout != "" {
				t.Errorf("stdout: got %q, want nothing", got.stdout)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	weir(t, "version").wants(t, exitOK, "weir "+version)
}

func TestCompletion(t *testing.T) {
	weir(t, "completion", "bash").wants(t, exitOK, "weir")
}
