package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/weir-mcp/weir/internal/prelude/first"
	"github.com/weir-mcp/weir/upstream/process"
)

// TestMain lets the test binary be weir: as a child of the tests, and as the
// guardian and the demo server that weir starts.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-test.") {
		// With the race detector a program sleeps for a second before it exits.
		// What inherits this does not; the rest exits past it.
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
		time.Local = time.UTC // before anybody reads it: tests show times
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case GuardianCommand:
		process.GuardianMain()
		syscall.Exit(exitOK)
	case fakeBrowser:
		os.Exit(browse(os.Args[2]))
	case strayPrint:
		os.Exit(printAstray())
	}
	code := Main(Process{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(),
		Prelude: first.Take(),
	})
	if os.Args[1] == "demo-server" {
		syscall.Exit(code)
	}
	os.Exit(code)
}

// strayPrint is a command of the test binary: a server with a library that
// prints.
const strayPrint = "stray-print"

func printAstray() int {
	stdout := os.Stdout // as a library could have kept it
	s, err := takeStdio(os.Stdin, os.Stdout)
	if err != nil {
		return exitFailed
	}
	defer s.giveBack()
	fmt.Println("stray: fmt")
	_, _ = fmt.Fprintln(os.Stdout, "stray: os.Stdout")
	_, _ = fmt.Fprintln(stdout, "stray: kept os.Stdout")
	_, _ = syscall.Write(1, []byte("stray: descriptor 1\n"))
	fmt.Fprintln(s.out, "protocol")
	return exitOK
}

// newHome gives the test a home of its own and returns it.
func newHome(t *testing.T) string {
	home := t.TempDir()
	for _, name := range []string{"HOME", "USERPROFILE", "AppData", "LocalAppData"} {
		t.Setenv(name, home)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(home, "no-bus")) // nobody's keyring
	keyring.MockInitWithError(keyring.ErrUnsupportedPlatform)                        // nor one that another test has left
	t.Setenv("BROWSER", "none")
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "WEIR_CONFIG", keyVariable, profileVariable, chainVariable, "COLUMNS"} {
		t.Setenv(name, "")
	}
	return home
}

// writeConfig writes a configuration, with the test binary for WEIR, and
// returns its path.
func writeConfig(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "mcp.yaml")
	text = strings.ReplaceAll(text, "WEIR", quoted(program(t)))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func program(t *testing.T) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// outcome is what became of a command.
type outcome struct {
	code           int
	stdout, stderr string
}

// weir runs a command in this process.
func weir(t *testing.T, args ...string) outcome {
	t.Helper()
	return weirWithInput(t, "", args...)
}

func weirWithInput(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr strings.Builder
	code := Main(Process{
		Args: args, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Environ: os.Environ(),
	})
	return outcome{code, stdout.String(), stderr.String()}
}

// wants checks the exit code, and that the output has all of the parts.
func (o outcome) wants(t *testing.T, code int, parts ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code: got %d, want %d", o.code, code)
	}
	all := o.stdout + o.stderr
	for _, part := range parts {
		if !strings.Contains(all, part) {
			t.Errorf("output has no %q", part)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", o.stdout, o.stderr)
	}
}
