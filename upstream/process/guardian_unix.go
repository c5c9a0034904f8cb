//go:build unix

package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

const guarded = true

// stageVariable tells the process that is to become the guardian which of its
// two stages it is in.
const stageVariable = "WEIR_GUARDIAN"

const (
	stageFork  = "fork"
	stageWatch = "watch"
)

// guardianEnv keeps the guardian small: one thread that runs Go code. There is
// no token in it, or the guardian of a weir above would end this one first.
func guardianEnv(stage string) []string {
	return []string{stageVariable + "=" + stage, "GOMAXPROCS=1", "GOGC=20"}
}

// startWatch starts the guardian in two stages: the first is weir's child and
// ends at once, so the second is not: hosts end what they find by its parent.
func startWatch(command []string) (*watch, error) {
	in, pipe, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	alive, out, err := os.Pipe()
	if err != nil {
		_ = pipe.Close()
		return nil, err
	}
	defer out.Close()
	cmd := &exec.Cmd{
		Path:        command[0],
		Args:        command,
		Env:         guardianEnv(stageFork),
		Dir:         "/",
		Stdin:       in,
		Stdout:      out,
		SysProcAttr: groupAttributes(),
	}
	if err := cmd.Start(); err != nil {
		closeAll(pipe, alive)
		return nil, fmt.Errorf("starting %q: %w", command[0], err)
	}
	w := &watch{pipe: pipe, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		defer alive.Close()
		_ = cmd.Wait()                    // if it failed, the pipe has no reader: see tell
		_, _ = io.Copy(io.Discard, alive) // its end is the guardian's
	}()
	return w, nil
}

// GuardianMain is the whole life of the guardian process. It returns when its
// standard input has ended and nothing is left to end.
func GuardianMain() {
	if os.Getenv(stageVariable) == stageFork {
		becomeWatch()
		return
	}
	ignoreSignals()
	w := readWatched(os.Stdin, stayOutOfMemory)
	w.endAll()
}

// becomeWatch starts the second stage, in a session of its own. An error has
// nobody to be told to; weir notices that nobody reads its pipe.
func becomeWatch() {
	program, err := os.Executable()
	if err != nil {
		return
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return
	}
	_, _ = os.StartProcess(program, os.Args, &os.ProcAttr{
		Dir:   "/",
		Env:   guardianEnv(stageWatch),
		Files: []*os.File{os.Stdin, os.Stdout, null}, //nolint:forbidigo // the guardian is no server: these are its pipes
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}
