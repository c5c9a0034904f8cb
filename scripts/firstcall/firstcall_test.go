package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/internal/cli"
	"github.com/weir-mcp/weir/upstream/process"
)

// TestMain is weir, where that is started.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-test.") {
		os.Exit(m.Run())
	}
	if os.Args[1] == cli.GuardianCommand {
		process.GuardianMain()
		return
	}
	os.Exit(cli.Main(cli.Process{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()}))
}

// TestFirstCall takes all steps but the clone and the build: the weir is this test.
func TestFirstCall(t *testing.T) {
	const server = "../../e2e/npm/node_modules/@modelcontextprotocol/server-filesystem"
	if _, err := os.Stat(server); err != nil {
		t.Skip("e2e/npm/node_modules is missing; to get it: npm ci --prefix e2e/npm")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	t.Setenv("TMPDIR", t.TempDir())
	weir, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), options{from: "../..", weir: weir}, &out); err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"weir add", "weir install", "tools/list", "tools/call", "from clone to first call"} {
		if !strings.Contains(out.String(), step) {
			t.Errorf("got %s, want it to have %q", &out, step)
		}
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// TestFirstCallFails: a step that goes wrong ends the run, and is named.
func TestFirstCallFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	err := run(t.Context(), options{from: t.TempDir(), weir: "/no/such/weir"}, &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), "weir add: ") {
		t.Errorf("got error %v, want that weir could not be run", err)
	}
}
