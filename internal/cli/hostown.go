package cli

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// ownCommand is the command by which a host adds an entry to its settings itself;
// nil if it has none here.
func (a *app) ownCommand(h hosts.Host, name, program string, args []string, members []jsonrpc.Member) []string {
	switch h {
	case hosts.ClaudeCode:
		return ownProgram("claude", "mcp", "add-json", name, string(jsonrpc.AppendObject(nil, members)), "-s", "user")
	case hosts.Codex:
		return ownProgram("codex", slices.Concat([]string{"mcp", "add", name, "--", program}, args)...)
	}
	return nil
}

// ownProgram is a command with its program's path; nil if there is no such program,
// or only a script of Windows', which would read the quotes in an argument as its own.
func ownProgram(name string, args ...string) []string {
	path, err := exec.LookPath(name)
	if err != nil || !filepath.IsAbs(path) || slices.Contains([]string{".cmd", ".bat", ".ps1"}, strings.ToLower(filepath.Ext(path))) {
		return nil
	}
	return append([]string{path}, args...)
}

// ownDeadline is what a host's program may take to add an entry.
const ownDeadline = 30 * time.Second

// addByHost lets the host add the entry, and looks whether it is as it was to be. It
// reports false if the file is still to be written: c is then what is to be done.
func (a *app) addByHost(ctx context.Context, c *hostChange) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, ownDeadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.own[0], c.own[1:]...)
	cmd.Env = a.Environ
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(a.Stderr, "%s %s: %v: %s (weir writes the file itself)\n",
			a.errorPaint().yellow("warning:"), filepath.Base(c.own[0]), err, oneLine(string(out), 200))
	}
	file, err := readHostFile(c.file.Place, c.name)
	if err != nil {
		return false, err
	}
	after, err := c.edited(file)
	if err != nil {
		return false, file.explain(err)
	}
	if !file.isNew && !bytes.Equal(file.text, c.after) && !bytes.Equal(file.text, c.file.text) {
		c.record.More = true
	}
	c.file, c.after = file, after
	return bytes.Equal(after, file.text), nil
}
