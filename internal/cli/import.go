package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/internal/spell"
)

// importOptions are the flags of the command.
type importOptions struct {
	dryRun, yes, asJSON, undo, project bool

	secrets string // keyring or keep; "" to ask
}

func (a *app) importCommand() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import [HOST… | FILE…]",
		Short: "Take over the servers that your assistants have in their files",
		Long: `Read the files in which assistants keep their MCP servers, show what weir would make
of each, and add those that you say yes to to mcp.yaml, whose comments and order
stay. The files of the assistants are only read: "weir install --take-over" also puts
weir into them, in the place of these servers.

Without arguments it looks at all hosts: claude-desktop, claude-code, cursor,
vscode, windsurf, codex, gemini, zed, opencode. Name some of them, or a FILE of
any of these shapes. What belongs to the folder you are in is read with --project
only: such files may come from others.

A server that is in several files, or in mcp.yaml already, is added once. Each
command is shown in full before anything is written: it will be run. Values that
look like secrets are not shown; you are asked whether to move them into the
keyring of your system. What VS Code asks for (inputs) is asked here.

The exit code is 3 if a file could not be read, or a server could not be taken
over.`,
		Example: `  weir import --dry-run           what is there, and what would become of it
  weir import                     look, say yes, done
  weir import cursor codex
  weir import ./team-servers.json
  weir import --project           what this folder has for its assistants, too
  weir import --yes --secrets=keyring
  weir import --undo              mcp.yaml as it was, to the byte`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkSecrets(o.secrets); err != nil {
				return err
			}
			if o.undo {
				return a.undoImport(cmd.Context(), args, o)
			}
			return a.importServers(cmd.Context(), args, o)
		},
	}
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "only show what would be done")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print an object; without --yes that is all that is done")
	cmd.Flags().BoolVar(&o.project, "project", false, "also what belongs to the folder you are in")
	addSecrets(cmd, &o.secrets)
	cmd.Flags().BoolVar(&o.undo, "undo", false, "give back mcp.yaml as it was before the last import")
	return cmd
}

// The words for importOptions.secrets.
const (
	secretsKeyring = "keyring"
	secretsKeep    = "keep"
)

func addSecrets(cmd *cobra.Command, word *string) {
	cmd.Flags().StringVar(word, "secrets", "", "`keyring` moves values that look like secrets there, keep leaves\nthem (default: ask; keep with --yes)")
}

func checkSecrets(word string) error {
	if word != "" && word != secretsKeep && word != secretsKeyring {
		return usageError("unknown --secrets %q (want %s or %s)", word, secretsKeyring, secretsKeep)
	}
	return nil
}

func (a *app) importServers(ctx context.Context, args []string, o importOptions) error {
	p, err := a.planImport(args, o)
	if err != nil {
		return err
	}
	chosen := p.candidates(hosts.New)
	if o.asJSON {
		if !o.yes || o.dryRun {
			return p.outcome(p.printJSON(false))
		}
		return p.outcome(errors.Join(p.write(ctx, chosen, o), p.printJSON(len(chosen) > 0)))
	}
	p.print()
	switch {
	case len(chosen) == 0:
		fmt.Fprintln(a.Stdout, "There is nothing to add.")
		return p.outcome(nil)
	case o.dryRun:
		fmt.Fprintf(a.Stdout, "With --dry-run nothing is written: %s would be added to %s.\n", plural(len(chosen), "server", "servers"), homeless(p.path))
		return p.outcome(nil)
	case o.yes:
	case !isTerminal(a.Stdin) || !isTerminal(a.Stdout):
		return usageError("nothing was written: run it in a terminal, where it asks you, or with --yes")
	default:
		if chosen, err = p.choose(ctx, chosen); err != nil || len(chosen) == 0 {
			return endOfInput(err)
		}
	}
	if err := p.write(ctx, chosen, o); err != nil {
		return endOfInput(err)
	}
	fmt.Fprintf(a.Stdout, "%s %s in %s. (Back again: weir import --undo)\n\n",
		a.paint().green("Added."), plural(len(chosen), "server is", "servers are"), homeless(p.path))
	a.listOnce(ctx)
	return p.outcome(nil)
}

// listOnce lists all servers: then a host's first list is whole.
func (a *app) listOnce(ctx context.Context) {
	err := a.servers(ctx, a.printServers)
	if exit, ok := errors.AsType[*exitError](err); err != nil && (!ok || exit.err != nil) {
		fmt.Fprintln(a.Stderr, a.errorPaint().yellow("weir:"), "the servers could not be listed:", err)
	}
}

// An importing is what was found, and what becomes of it.
type importing struct {
	*app
	path     string // of the configuration
	machine  hosts.Machine
	files    []*hosts.File
	troubles []trouble
	found    []*hosts.Candidate
	keys     []string // accounts of secrets that were put into the keyring

	agreed *config.Draft // what a person has seen of the change, if that is not to change
	record *importRecord // of what was written
}

// A trouble is a file that could not be read.
type trouble struct {
	place hosts.Place
	err   error
}

func (a *app) planImport(args []string, o importOptions) (*importing, error) {
	p, err := a.newImporting(o.project)
	if err != nil {
		return nil, err
	}
	if err := p.read(args); err != nil {
		return nil, err
	}
	if err := p.plan(); err != nil {
		return nil, err
	}
	_, err = p.try()
	return p, err
}

func workingFolder() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the folder you are in: %w", err)
	}
	return folder, nil
}

// newImporting finds nothing yet. The folder that somebody is in counts if the
// project's files are wanted.
func (a *app) newImporting(project bool) (_ *importing, err error) {
	folder := ""
	if project {
		if folder, err = workingFolder(); err != nil {
			return nil, err
		}
	}
	p := &importing{app: a, path: config.Where(a.configFlag), machine: hosts.ThisMachine(a.getenv, folder)}
	if p.path == "" {
		return nil, errors.New("no place for a configuration is known (--config and $WEIR_CONFIG name one)")
	}
	return p, nil
}

// plan works out what becomes of all servers of the files.
func (p *importing) plan() error {
	before, _, err := config.Preview(p.options(nil), config.Changes{})
	if err != nil {
		return fmt.Errorf("%s cannot be added to: %w", homeless(p.path), err)
	}
	have, aliases, err := config.Define(before)
	if err != nil {
		return err
	}
	p.found = hosts.Plan(p.files, have, aliases)
	return nil
}

// try loads the configuration as it would be, and notes what would not work in it
// at once: a variable that is not set, say.
func (p *importing) try() (*config.File, error) {
	var changes config.Changes
	byName := map[string]*hosts.Candidate{}
	for _, c := range p.candidates(hosts.New) {
		if len(c.Inputs) == 0 {
			changes = append(changes, config.DefineServer{Name: c.As, Definition: c.Definition})
			byName[c.As] = c
		}
	}
	_, file, err := config.Preview(p.options(nil), changes)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be added to: %w", homeless(p.path), err)
	}
	for _, s := range file.Servers {
		c := byName[s.Name]
		if c == nil || s.Broken == nil {
			continue
		}
		for _, said := range brokenWords(s) {
			c.Notes = append(c.Notes, "will not start yet: "+said)
		}
	}
	return file, nil
}

// brokenWords say why a server cannot be used.
func brokenWords(s config.Server) (all []string) {
	for said := range strings.Lines(s.Broken.Error()) {
		said = strings.TrimSpace(said)
		if _, what, ok := strings.Cut(said, fmt.Sprintf("server %q: ", s.Name)); ok {
			said = what
		}
		all = append(all, said)
	}
	return all
}

// read reads all files that the arguments name. A file that is not there is no
// trouble, unless it is named itself.
func (p *importing) read(args []string) error {
	var places []hosts.Place
	if len(args) == 0 {
		places = p.machine.Places()
	}
	for _, arg := range args {
		if h, ok := hosts.ByID(arg); ok {
			places = append(places, p.machine.PlacesOf(h)...)
			continue
		}
		if err := p.readNamed(arg); err != nil {
			return err
		}
	}
	for _, place := range places {
		f, err := p.machine.Read(place)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			// One file may be several places: its trouble is told once.
			if !slices.ContainsFunc(p.troubles, func(t trouble) bool { return t.place.Path == place.Path }) {
				p.troubles = append(p.troubles, trouble{place, err})
			}
		default:
			p.files = append(p.files, f)
		}
	}
	return nil
}

func (p *importing) readNamed(arg string) error {
	path, err := filepath.Abs(arg)
	if err != nil {
		return fmt.Errorf("finding %q: %w", arg, err)
	}
	_, missing := os.Lstat(path)
	if missing != nil && !strings.ContainsAny(arg, `/\.`) {
		return usageError("%q is neither a host nor a file%s", arg, nearHost(arg))
	}
	f, err := p.machine.ReadFile(path)
	if err != nil {
		return err
	}
	p.files = append(p.files, f)
	return nil
}

func nearHost(word string) string {
	if near := spell.Nearest(strings.ToLower(word), hostIDs()); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return " (hosts are " + strings.Join(hostIDs(), ", ") + ")"
}

// candidates are those with this verdict.
func (p *importing) candidates(v hosts.Verdict) (all []*hosts.Candidate) {
	for _, c := range p.found {
		if c.Verdict == v {
			all = append(all, c)
		}
	}
	return all
}

// choose asks which of the servers to add.
func (p *importing) choose(ctx context.Context, all []*hosts.Candidate) ([]*hosts.Candidate, error) {
	question := fmt.Sprintf(`Type "yes" to add these %d servers to %s, "each" to be asked for each, or press Enter to leave it: `, len(all), homeless(p.path))
	if len(all) == 1 {
		question = fmt.Sprintf(`Type "yes" to add this server to %s, or press Enter to leave it: `, homeless(p.path))
	}
	answer, err := p.askLine(ctx, question)
	switch {
	case err != nil:
		return nil, err
	case answer == "yes":
		return all, nil
	case answer != "each":
		fmt.Fprintln(p.Stdout, "Nothing was written.")
		return nil, nil
	}
	var chosen []*hosts.Candidate
	for _, c := range all {
		p.printCandidate(c)
		answer, err := p.askLine(ctx, fmt.Sprintf(`Type "yes" to add %s, or press Enter to leave it: `, c.As))
		if err != nil {
			return nil, err
		}
		if answer == "yes" {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		fmt.Fprintln(p.Stdout, "Nothing was written.")
	}
	return chosen, nil
}

// outcome is how the command ends: partly, where something was left behind.
func (p *importing) outcome(err error) error {
	if err == nil && (len(p.troubles) > 0 || len(p.candidates(hosts.Broken)) > 0) {
		return &exitError{exitPartly, nil}
	}
	return err
}
