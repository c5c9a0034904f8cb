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
		runPrivately(m)
	}
}

// runPrivately runs the tests where they can mount. It is for the test itself only:
// whatever else came here would run itself without end.
func runPrivately(m *testing.M) {
	var code int
	var done bool
	if mounts, code, done, errMounts = rig.Privately(); !done {
		code = m.Run()
	}
	os.Exit(code)
}

// mounts are the means of the test binary, and errMounts is why there are none.
var (
	mounts    *rig.Mounts
	errMounts error
)

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
	if mounts == nil {
		t.Logf("no disk gets full, and no name comes to be known: %v", errMounts)
	}
	return &machine{weir: []string{weir}, relay: self, steps: 25, mounts: mounts}
}

// found are rounds that have shown what was wrong once. What it was has a test
// of its own beside the code: a seed means another round as soon as there is a
// further step or deed.
var found = []struct {
	seed       uint64
	transports []rig.Transport // that are hurt; nil for all
	what       string
}{
	{100, nil, "questions went to calls that ended, and so did their answers"},
	{312, []rig.Transport{rig.SSE}, "a call was made again that its server had taken before it forgot the session"},
	{2636708263, nil, "a subscription was lost that a server could not take when its client came back"},
}

// TestRounds plays the rounds that have found something, and one at random.
func TestRounds(t *testing.T) {
	seed := uint64(random.Uint32())
	t.Run(fmt.Sprint("any, seed ", seed), func(t *testing.T) { playRound(t, seed, nil) })
	if testing.Short() {
		return
	}
	for _, f := range found {
		t.Run(f.what, func(t *testing.T) { playRound(t, f.seed, f.transports) })
	}
}

func playRound(t *testing.T, seed uint64, transports []rig.Transport) {
	t.Helper()
	t.Parallel()
	m := testMachine(t)
	m.transports = transports
	err := m.round(seed)
	if err == nil {
		return
	}
	if wrong, ok := errors.AsType[*roundError](err); ok {
		const most = 100 // more than that nobody reads here; scripts/chaos -log has all
		t.Log(strings.Join(wrong.tail[max(0, len(wrong.tail)-most):], "\n"))
	}
	t.Error(err)
}
