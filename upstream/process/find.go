package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// A Finder finds the programs that commands name. A desktop starts programs
// with a bare PATH, so what is not on that is sought on the PATH of the user's
// login shell too, which is asked for it at most once. It is safe for
// concurrent use.
type Finder struct {
	guardian *Guardian
	env      []string

	once sync.Once
	path string        // the login shell's PATH; "" if it has none to tell
	done chan struct{} // closed when path is known
}

// NewFinder returns a Finder that runs the login shell, $SHELL of env, in env
// and under g. What configures weir itself is left out of env: keys are among
// that, and what people start from their shell's files is no part of weir.
func NewFinder(g *Guardian, env []string) *Finder {
	return &Finder{guardian: g, env: withoutOwn(env), done: make(chan struct{})}
}

// Find returns the program that command names in the environment env, and the
// environment to start it in: env, with the login shell's PATH where the
// program was found only there, since what it starts itself will be there too.
// A command with a path separator is taken as it stands. No shell ever runs a
// command; asking the login shell takes some seconds at most, in which ctx may
// end the wait. The error is exec.ErrNotFound or fs.ErrPermission, wrapped.
func (f *Finder) Find(ctx context.Context, command string, env []string) (string, []string, error) {
	if command != filepath.Base(command) {
		program, err := exec.LookPath(command)
		return program, env, notFound(command, err)
	}
	own := lookup(env, "PATH")
	program, err := search(own, command)
	if err == nil {
		return program, env, nil
	}
	login, askErr := f.loginPath(ctx)
	if askErr != nil {
		return "", nil, fmt.Errorf("finding %q: asking the login shell for its PATH: %w", command, askErr)
	}
	if program, loginErr := search(login, command); loginErr == nil {
		return program, replace(env, "PATH", joinPaths(login, own)), nil
	}
	return "", nil, notFound(command, err)
}

func notFound(command string, err error) error {
	if err == nil {
		return nil
	}
	// The texts of exec and fs repeat the command or name $PATH where none was used.
	for _, cause := range []error{exec.ErrNotFound, fs.ErrPermission, fs.ErrNotExist} {
		if errors.Is(err, cause) {
			return &FindError{Command: command, Err: cause}
		}
	}
	return &FindError{Command: command, Err: err}
}

// A FindError is a command that names no program. Err is exec.ErrNotFound,
// fs.ErrNotExist, fs.ErrPermission or another reason.
type FindError struct {
	Command string
	Err     error
}

func (e *FindError) Error() string {
	reason := e.Err.Error()
	switch {
	case errors.Is(e.Err, exec.ErrNotFound), errors.Is(e.Err, fs.ErrNotExist):
		reason = "no such program"
	case errors.Is(e.Err, fs.ErrPermission):
		reason = "not executable"
	}
	return fmt.Sprintf("finding %q: %s", e.Command, reason)
}

func (e *FindError) Unwrap() error { return e.Err }

// search looks for a bare command in the folders of path. Relative folders are
// passed over: they would lie in whatever folder the host was started from.
func search(path, command string) (string, error) {
	err := exec.ErrNotFound
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		program, lookErr := exec.LookPath(filepath.Join(dir, command))
		if lookErr == nil {
			return program, nil
		}
		if errors.Is(lookErr, fs.ErrPermission) {
			err = fs.ErrPermission
		}
	}
	return "", err
}

// joinPaths returns the folders of both lists, each once.
func joinPaths(first, second string) string {
	dirs := filepath.SplitList(first)
	for _, dir := range filepath.SplitList(second) {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return strings.Join(dirs, string(filepath.ListSeparator))
}

// loginPath returns the PATH of the login shell, which the first caller has
// asked for. The asking is bounded by itself and goes on when ctx ends.
func (f *Finder) loginPath(ctx context.Context) (string, error) {
	f.once.Do(func() {
		go func() {
			defer close(f.done)
			f.path = askLoginShell(f.guardian, f.env)
		}()
	})
	select {
	case <-f.done:
		return f.path, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// desktopPaths are what desktops start programs with, by system, where no start-up
// file of a shell has been read: launchd's on macOS, on Linux what systemd and
// common display managers set. On Windows it is that of all programs.
var desktopPaths = map[string]string{
	"darwin": "/usr/bin:/bin:/usr/sbin:/sbin",
	"linux":  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}

// DesktopPath is the PATH of a program that a desktop has started; own is that of
// this process, which it is where desktops have no other.
func DesktopPath(own string) string {
	if path, known := desktopPaths[runtime.GOOS]; known {
		return path
	}
	return own
}
