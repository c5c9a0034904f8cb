package cli

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/doctor"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/process"
)

// programs finds those that servers are started by, as weir would here, and as it
// would where a desktop has started it. By the names of the servers.
func (c *checkup) programs(ctx context.Context) map[string]*doctor.Program {
	found := map[string]*doctor.Program{}
	if c.file == nil {
		return found
	}
	guard := process.NewGuardian(guardian(zerolog.Nop()), nil)
	defer func() { <-guard.Close() }()
	here := process.NewFinder(guard, c.Environ)
	bare := desktopEnviron(c.Environ)
	desktop := process.NewFinder(guard, bare)
	for i := range c.file.Servers {
		s := &c.file.Servers[i]
		if s.Transport != upstream.Stdio || s.Command == "" || s.Broken != nil {
			continue
		}
		p := &doctor.Program{Command: s.Command}
		p.Found, _, _ = here.Find(ctx, s.Command, environOf(s, c.Environ))
		theirs := environOf(s, bare)
		program, with, _ := desktop.Find(ctx, s.Command, theirs)
		p.Desktop = program
		p.ByShell = program != "" && !slices.Equal(with, theirs)
		if s.Command != filepath.Base(s.Command) && p.Found != "" {
			p.Reader = missingReader(p.Found, pathOf(theirs))
		}
		found[s.Name] = p
	}
	return found
}

// environOf is the environment that a server is started in.
func environOf(s *config.Server, own []string) []string {
	return process.Environment(process.EnvSpec{Own: own, Inherit: s.InheritEnv, InheritAll: s.InheritAll, Set: s.Env})
}

// desktopEnviron is an environment as a desktop has it: nothing is known to be in it
// but what every session has.
func desktopEnviron(own []string) (bare []string) {
	for _, entry := range own {
		name, value, _ := strings.Cut(entry, "=")
		if name == "PATH" {
			entry = name + "=" + process.DesktopPath(value)
		}
		bare = append(bare, entry)
	}
	return bare
}

func pathOf(environ []string) string {
	for _, entry := range environ {
		if path, ok := strings.CutPrefix(entry, "PATH="); ok {
			return path
		}
	}
	return ""
}

// maxFirstLine is how much of a program is read to find out what runs it.
const maxFirstLine = 256

// missingReader is the program that a script's first line names by env, if that is
// nowhere on path; else "".
func missingReader(script, path string) string {
	if info, err := os.Stat(script); err != nil || !info.Mode().IsRegular() {
		return "" // a pipe would wait for its writer
	}
	file, err := os.Open(script)
	if err != nil {
		return ""
	}
	defer file.Close()
	head := make([]byte, maxFirstLine)
	n, _ := io.ReadFull(file, head) // a short one is whole
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(words) < 2 || filepath.Base(words[0]) != "env" {
		return ""
	}
	words = slices.DeleteFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "-") || strings.Contains(w, "=") })
	if len(words) == 0 {
		return ""
	}
	for _, dir := range filepath.SplitList(path) {
		if _, err := exec.LookPath(filepath.Join(dir, words[0])); err == nil {
			return ""
		}
	}
	return words[0]
}
