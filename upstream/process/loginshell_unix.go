//go:build unix

package process

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"time"
)

const (
	shellTime   = 4 * time.Second // for one try
	shellOutput = 1 << 20         // bytes read of what start-up files print
)

// askLoginShell returns the PATH that the user's shell sets up in env, or "".
// Version managers of Node and Python add themselves in files that only
// interactive shells read, so that is what is tried first.
func askLoginShell(g *Guardian, env []string) string {
	shell := lookup(env, "SHELL")
	if !filepath.IsAbs(shell) {
		shell = "/bin/sh"
	}
	for _, flags := range []string{"-ilc", "-lc"} {
		spec := Spec{Path: shell, Args: []string{flags, printPath}, Env: env, Dir: "/"}
		if path := askShell(spec, g); path != "" {
			return path
		}
	}
	return ""
}

const (
	pathMark = "@weir-path@"

	// The inner shell prints PATH as it is exported, in whatever way the outer
	// one keeps it; the marks tell it from what start-up files print.
	printPath = `/bin/sh -c 'printf "%s%s%s" "` + pathMark + `" "$PATH" "` + pathMark + `"'`
)

func askShell(spec Spec, g *Guardian) string {
	child, err := Start(spec, g)
	if err != nil {
		return ""
	}
	child.Stop(Patience{EOF: shellTime})
	// A shell that fails or hangs may have told its PATH all the same.
	out, _ := io.ReadAll(io.LimitReader(child.Stdout(), shellOutput))
	child.Stop(Patience{})
	<-child.Done()
	return betweenMarks(out)
}

func betweenMarks(out []byte) string {
	_, rest, found := bytes.Cut(out, []byte(pathMark))
	path, _, ended := bytes.Cut(rest, []byte(pathMark))
	if !found || !ended || bytes.ContainsAny(path, "\n\x00") {
		return ""
	}
	return strings.TrimSpace(string(path))
}
