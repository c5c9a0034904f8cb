package upstreamtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// scriptVariable names the script in the environment of a child.
const scriptVariable = "UPSTREAMTEST_SCRIPT"

// Child makes the process a scripted server over its standard streams, and
// ends it, if it was started by [Command]; else it does nothing. It belongs
// first into TestMain.
func Child() {
	if file := os.Getenv(scriptVariable); file != "" {
		os.Exit(Main(file))
	}
}

// Main runs the script in this file over the standard streams and returns the
// exit code.
func Main(file string) int {
	script, err := Load(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return New(script).Main()
}

// Main serves the standard streams and returns the exit code.
func (s *Server) Main() int {
	err := s.ServeLines(context.Background(), os.Stdin, os.Stdout, os.Stderr)
	if ended, ok := errors.AsType[*EndedError](err); ok {
		return ended.Code
	}
	return 0
}

// Command returns how to start this test binary as a child that runs the
// script: a program, and what it needs in its environment.
func Command(t testing.TB, script Script) (program string, env map[string]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script.json")
	if err := script.Save(file); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatalf("finding the test binary: %v", err)
	}
	return program, map[string]string{scriptVariable: file}
}
