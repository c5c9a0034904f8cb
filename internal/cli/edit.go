package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/aggregator/redact"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/upstream/state"
)

// editFlags are the flags of the commands that change mcp.yaml.
type editFlags struct{ dryRun, yes, undo bool }

func (f *editFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "only show what would change in the file")
	flags.BoolVarP(&f.yes, "yes", "y", false, "write it without asking")
	flags.BoolVar(&f.undo, "undo", false, "give back the file as it was before weir changed it last")
}

// editWords is what the help of these commands has in common.
const editWords = `What will change in mcp.yaml is shown, and written once you type yes to it; comments
and order stay. The file as it was lies beside it then, with ".bak" behind its name,
and --undo gives it back. A weir that runs takes the change over by itself.`

// wordsOrUndo demands arguments, but for --undo, which takes none.
func (f *editFlags) wordsOrUndo(want cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if f.undo {
			return exactArgs()(cmd, args)
		}
		return want(cmd, args)
	}
}

// atLeastOne demands one or more names.
func atLeastOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError("missing %s (see: %s --help)", name, cmd.CommandPath())
		}
		return nil
	}
}

// changeConfig makes changes in the configuration, or takes the last one back,
// after a person has seen them. It reports whether the file is another one now.
func (a *app) changeConfig(ctx context.Context, f editFlags, changes ...config.Change) (written bool, err error) {
	var draft *config.Draft
	if f.undo {
		draft, err = config.UndoDraft(a.options(nil))
	} else {
		draft, err = config.NewDraft(a.options(nil), changes...)
	}
	if err != nil {
		return false, err
	}
	return a.saveDraft(ctx, f, draft)
}

func (a *app) saveDraft(ctx context.Context, f editFlags, d *config.Draft) (written bool, err error) {
	if !d.Changes() {
		fmt.Fprintln(a.Stdout, "There is nothing to change: it is so already.")
		return false, nil
	}
	if err := a.printDraft(d); err != nil {
		return false, err
	}
	if f.dryRun {
		fmt.Fprintln(a.Stdout, "Nothing was written.")
		return false, nil
	}
	if !f.yes {
		agreed, err := a.agree(ctx, `Type "yes" to write it, or press Enter to leave it: `)
		if !agreed || err != nil {
			return false, err
		}
	}
	locks, err := state.UserFolder(a.getenv)
	if err != nil {
		return false, fmt.Errorf("changing the configuration: %w (set $HOME or $XDG_STATE_HOME)", err)
	}
	if err := d.Save(ctx, locks); err != nil {
		return false, err
	}
	fmt.Fprintf(a.Stdout, "%s As it was: %s (--undo gives it back)\n", a.paint().green("Written."), homeless(d.Backup()))
	a.tellRunning(ctx)
	return true, nil
}

// agree asks the person at the terminal whether what was shown is to be written.
func (a *app) agree(ctx context.Context, question string) (bool, error) {
	if !isTerminal(a.Stdin) || !isTerminal(a.Stdout) {
		return false, usageError("nothing was written: it is asked about on a terminal, and --yes writes it without asking")
	}
	answer, err := a.askLine(ctx, question)
	if err := endOfInput(err); err != nil {
		return false, err
	}
	if answer != "yes" {
		fmt.Fprintln(a.Stdout, "Nothing was written.")
	}
	return answer == "yes", nil
}

// tellRunning says which weirs will take a change over.
func (a *app) tellRunning(ctx context.Context) {
	weirs, _, err := a.listLive(ctx)
	if err != nil {
		return // nobody can be found, and nobody was asked about
	}
	file := homeless(config.Where(a.configFlag))
	var hosts []string
	running := 0
	for _, w := range weirs {
		if w.Config == file {
			running++
			hosts = append(hosts, w.Hosts...)
		}
	}
	switch {
	case running == 0:
		fmt.Fprintln(a.Stdout, "No weir is running with this file: the next one that a host starts reads it.")
		return
	case len(hosts) > 0:
		fmt.Fprintf(a.Stdout, "%s over by itself: that of %s.\n", plural(running, "running weir takes it", "running weirs take it"), printable(strings.Join(hosts, ", ")))
	default:
		fmt.Fprintf(a.Stdout, "%s over by itself.\n", plural(running, "running weir takes it", "running weirs take it"))
	}
}

// contextLines are how many lines around a change are shown.
const contextLines = 2

// printDraft shows what a draft changes: the lines that go and come, and a few
// around them. What looks like a secret is not shown.
func (a *app) printDraft(d *config.Draft) error {
	secrets, err := redact.New(redact.All)
	if err != nil {
		return err
	}
	title := homeless(d.Path)
	switch {
	case d.Before == nil:
		title += " (a new file)"
	case len(d.After) == 0:
		title += " (it is removed)"
	}
	paint := a.paint()
	fmt.Fprintln(a.Stdout, paint.bold(title))
	shown := diffPrinter{out: a.Stdout, paint: paint}
	skipped := false
	lines := changedLines(fileLines(d.Before), fileLines(d.After))
	for i, line := range lines {
		if !isNearChange(lines, i) {
			skipped = true
			continue
		}
		if skipped {
			fmt.Fprintln(a.Stdout, diffIndent+paint.dim("…"))
			skipped = false
		}
		line.words[0].text = approval.Visible(secrets.Text(line.words[0].text))
		shown.line(line)
	}
	return nil
}

// fileLines are the lines of a file, without their ends.
func fileLines(data []byte) []string {
	if len(data) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(strings.TrimPrefix(string(data), "\ufeff"), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	return lines
}

// changedLines puts all lines of two texts beside each other.
func changedLines(before, after []string) (lines []diffLine) {
	add := func(sign byte, texts []string) {
		for _, text := range texts {
			lines = append(lines, wholeLine(sign, text))
		}
	}
	compareSequences(before, after, func(old, fresh, both []string) {
		add('-', old)
		add('+', fresh)
		add(' ', both)
	})
	return lines
}

// isNearChange reports whether a line is one that is changed, or stands near one.
func isNearChange(lines []diffLine, i int) bool {
	near := lines[max(0, i-contextLines):min(len(lines), i+contextLines+1)]
	return slices.ContainsFunc(near, func(l diffLine) bool { return l.sign != ' ' })
}
