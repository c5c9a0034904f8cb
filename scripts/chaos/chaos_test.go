package main

import (
	"errors"
	"fmt"
	random "math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/internal/cli"
	"github.com/weir-mcp/weir/scripts/rig"
	"github.com/weir-mcp/weir/upstream/process"
)

// TestMain lets the test binary be weir, its guardian and its children too, so
// that they are built as the test is: with the race detector or without.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 2 && os.Args[1] == rig.RelayCommand:
		os.Exit(rig.Relay(os.Args[2:]))
	case len(os.Args) == 2 && os.Args[1] == cli.GuardianCommand:
		process.GuardianMain()
	case filepath.Base(os.Args[0]) == "weir":
		os.Exit(cli.Main(cli.Process{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()}))
	default:
		os.Exit(m.Run())
	}
}

// testMachine is one whose weir is the test binary.
func testMachine(t *testing.T) *machine {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	weir := filepath.Join(t.TempDir(), "weir")
	if err := os.Symlink(self, weir); err != nil {
		t.Fatal(err)
	}
	return &machine{weir: []string{weir}, relay: self, steps: 25}
}

// found are seeds whose rounds have shown what was wrong once.
var found = []struct {
	seed uint64
	what string
}{
	{100, "questions went to calls that ended, and so did their answers"},
	{105, "a call was made again that its server had taken before it forgot the session"},
}

// TestRounds plays the seeds that have found something, and one at random.
func TestRounds(t *testing.T) {
	seeds := []uint64{uint64(random.Uint32())}
	for _, f := range found {
		if !testing.Short() {
			seeds = append(seeds, f.seed)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			err := testMachine(t).round(seed)
			if wrong, ok := errors.AsType[*roundError](err); ok {
				t.Log(strings.Join(wrong.tail, "\n"))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}
