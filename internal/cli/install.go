package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/internal/spell"
)

// hostNames is how the hosts are written in help texts.
const hostNames = `claude-desktop, claude-code, cursor,
vscode, windsurf, codex, gemini, zed and opencode`

func (a *app) installCommand() *cobra.Command {
	var f hostFlags
	var all takeOverFlags
	cmd := &cobra.Command{
		Use:   "install HOST...",
		Short: "Put weir into the settings of your assistants",
		Long: `Put weir into the settings of hosts: ` + hostNames + `.

Each file is shown as it will change before anything is written, and nothing but
weir's entry is touched: comments, order, line ends and the other servers stay as
they are. What the file was before is kept among weir's own files, and "weir
uninstall" puts it back. Where weir is in already, nothing is done.

The entry starts this very program with "serve", and with --config, --key-file and
--profile if they are given here. Claude Code and Codex add it themselves where
their program is at hand. With --project it goes into the file of the folder you are
in, which others may share.

With --take-over the servers that stand in that file go to mcp.yaml, as with "weir
import", and out of the host's file: they are behind weir then, once for all hosts.
A server that weir could not serve as the host does stays where it is, and weir says
why. The exit code is 3 then. Only after mcp.yaml has them all, the hosts' files are
written. "weir uninstall" gives a host its servers back.`,
		Example: `  weir install claude-desktop cursor vscode --take-over
  weir install claude-desktop --dry-run
  weir install cursor vscode --yes
  weir install codex --profile work
  weir install claude-code --project`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case all.wanted:
				return a.takeOverHosts(cmd.Context(), args, f, all.secrets)
			case all.secrets != "":
				return usageError("--secrets is for servers that are taken over: give --take-over too")
			}
			return a.changeHosts(cmd.Context(), args, f, a.planInstall)
		},
	}
	f.add(cmd)
	all.add(cmd)
	return cmd
}

func (a *app) uninstallCommand() *cobra.Command {
	var f hostFlags
	cmd := &cobra.Command{
		Use:   "uninstall HOST...",
		Short: "Take weir out of the settings of your assistants",
		Long: `Take weir's entry out of the settings of hosts: ` + hostNames + `.

A file that nobody has changed since "weir install" becomes what it was before, to
the byte. Of one that was changed, weir's entry is taken out, and the servers that
"weir install --take-over" took are put in again; mcp.yaml keeps them, for other
hosts. What changes is shown first.`,
		Example: `  weir uninstall claude-desktop
  weir uninstall cursor vscode --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeHosts(cmd.Context(), args, f, a.planUninstall)
		},
	}
	f.add(cmd)
	return cmd
}

// hostFlags are those of both commands.
type hostFlags struct {
	name                 string
	project, dryRun, yes bool
}

func (f *hostFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "name", "weir", "the `NAME` of the entry")
	cmd.Flags().BoolVar(&f.project, "project", false, "change the file of the folder you are in, not yours")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only show what would change")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "change it without asking")
}

// takeOverFlags say what becomes of the servers that a host has already.
type takeOverFlags struct {
	wanted  bool
	secrets string // as of importOptions
}

func (f *takeOverFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.wanted, "take-over", false, "also put the host's own servers behind weir")
	addSecrets(cmd, &f.secrets)
}

func completeHosts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return hostIDs(), cobra.ShellCompDirectiveNoFileComp
}

func hostIDs() (ids []string) {
	for _, h := range hosts.All() {
		ids = append(ids, h.ID)
	}
	return ids
}

// A planner works out what is to be done in a host; nil for nothing, which it has
// said.
type planner func(h hosts.Host, f hostFlags) (*hostChange, error)

// changeHosts shows what would change in hosts, asks, and changes it. A host that
// cannot be changed does not keep the others from it.
func (a *app) changeHosts(ctx context.Context, ids []string, f hostFlags, plan planner) error {
	chosen, err := chooseHosts(ids, f.name)
	if err != nil {
		return err
	}
	var changes []*hostChange
	var failed []error
	for _, h := range chosen {
		c, err := plan(h, f)
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("%s: %w", h.Title, err))
		case c != nil:
			a.printHostChange(c)
			changes = append(changes, c)
		}
	}
	if len(changes) > 0 && !f.dryRun {
		if !f.yes {
			agreed, err := a.agree(ctx, fmt.Sprintf(`Type "yes" to change %s, or press Enter to leave all as it is: `, plural(len(changes), "this file", "these files")))
			if err != nil || !agreed {
				return errors.Join(append(failed, err)...)
			}
		}
		failed = append(failed, a.applyAll(ctx, changes)...)
	}
	return joined(failed, len(chosen))
}

// joined is how a command ends of whose parts some have failed.
func joined(failed []error, parts int) error {
	err := errors.Join(failed...)
	if err != nil && len(failed) < parts {
		return &exitError{exitPartly, err}
	}
	return err
}

func (a *app) applyAll(ctx context.Context, changes []*hostChange) (failed []error) {
	for _, c := range changes {
		if err := a.applyHostChange(ctx, c); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", c.host.Title, err))
			continue
		}
		fmt.Fprintf(a.Stdout, "%s %s\n", a.paint().green(c.host.Title+":"), c.done)
	}
	return failed
}

// maxEntryName leaves hosts room for the names of tools behind that of the entry.
const maxEntryName = 32

func chooseHosts(ids []string, name string) (chosen []hosts.Host, err error) {
	if len(ids) == 0 {
		return nil, usageError("missing HOST: one or more of %s", strings.Join(hostIDs(), ", "))
	}
	isOdd := func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	if name == "" || len(name) > maxEntryName || strings.ContainsFunc(name, isOdd) {
		return nil, usageError("--name %q: hosts want letters, digits, _ and -, and at most %d of them", name, maxEntryName)
	}
	seen := map[hosts.Host]bool{}
	for _, id := range ids {
		h, err := hostCalled(id)
		if err != nil {
			return nil, err
		}
		if !seen[h] {
			seen[h] = true
			chosen = append(chosen, h)
		}
	}
	return chosen, nil
}

// hostCalled is the host that goes by this word on a command line.
func hostCalled(id string) (hosts.Host, error) {
	h, known := hosts.ByID(id)
	if known {
		return h, nil
	}
	if near := spell.Nearest(id, hostIDs()); near != "" {
		return h, usageError("unknown host %q; did you mean %q?", id, near)
	}
	return h, usageError("unknown host %q (known are %s)", id, strings.Join(hostIDs(), ", "))
}

// servingArgs are what a host starts weir with.
func (a *app) servingArgs() ([]string, error) {
	if a.identity.key.given {
		return nil, usageError("--key would stand in the host's settings for all to read: put the key into a file and give --key-file")
	}
	args := []string{"serve"}
	for _, file := range []struct{ flag, path string }{{"--config", a.configFlag}, {"--key-file", a.identity.keyFile.text}} {
		if file.path == "" {
			continue
		}
		path, err := filepath.Abs(file.path)
		if err != nil {
			return nil, err
		}
		args = append(args, file.flag, path)
	}
	if a.identity.profile.given {
		args = append(args, "--profile", a.identity.profile.text)
	}
	return args, nil
}

// installedProgram is the path of weir that a host is to start: where the user's
// PATH finds it, if that is this program, as such a link stays when a package manager
// puts a new version behind it.
func (a *app) installedProgram() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding weir's own program: %w", err)
	}
	self, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("finding weir's own program: %w", err)
	}
	for _, folder := range filepath.SplitList(a.getenv("PATH")) {
		onPath := filepath.Join(folder, "weir"+filepath.Ext(path))
		if info, err := os.Stat(onPath); err == nil && filepath.IsAbs(onPath) && os.SameFile(info, self) {
			return onPath, nil
		}
	}
	if dir := filepath.Dir(path); filepath.Base(dir) == "exe" && strings.Contains(dir, "go-build") {
		return "", errors.New(`this weir was built for one run only ("go run"): install it first, with "go install"`)
	}
	return path, nil
}
