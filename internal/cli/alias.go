package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/config"
)

func (a *app) aliasCommand() *cobra.Command {
	var edit editFlags
	var remove bool
	cmd := &cobra.Command{
		Use:   "alias [NAME SERVER]",
		Short: "Give a server a further name, or list these",
		Long: `Give a server a further name, which is accepted wherever a server is named: in
calls, commands, and the patterns of policies. Alone it lists the aliases there
are, and with --remove it takes some away.

` + editWords,
		Example: `  weir alias
  weir alias gh github
  weir alias --remove gh
  weir alias --undo`,
		Args: edit.wordsOrUndo(func(cmd *cobra.Command, args []string) error {
			switch {
			case remove:
				return atLeastOne("the NAME of an alias")(cmd, args)
			case len(args) == 0:
				return nil
			}
			return exactArgs("the NAME of the alias", "the SERVER that it is for")(cmd, args)
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case edit.undo:
				_, err := a.changeConfig(cmd.Context(), edit)
				return err
			case remove:
				_, err := a.changeConfig(cmd.Context(), edit, withoutAliases(args)...)
				return err
			case len(args) == 0:
				return a.listAliases()
			}
			alias := config.AddAlias{Alias: args[0], Server: args[1]}
			a.warnOfPattern(alias)
			_, err := a.changeConfig(cmd.Context(), edit, alias)
			return err
		},
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "take these aliases away")
	edit.add(cmd)
	return cmd
}

func withoutAliases(names []string) []config.Change {
	changes := make([]config.Change, len(names))
	for i, name := range names {
		changes[i] = config.RemoveAlias{Alias: name}
	}
	return changes
}

// warnOfPattern tells of a policy that says something else of a server once it has
// this alias.
func (a *app) warnOfPattern(alias config.AddAlias) {
	_, err := config.NewDraft(a.options(nil), config.HarmlessAlias{AddAlias: alias})
	if moved, ok := errors.AsType[*config.AliasError](err); ok {
		fmt.Fprintf(a.Stderr, "%s the pattern %q of a policy (%s) matches %q: with this alias it is about server %q too.\n",
			a.errorPaint().yellow("warning:"), moved.Pattern, moved.Pos, moved.Alias, alias.Server)
	}
}

func (a *app) listAliases() error {
	file, err := a.load()
	if err != nil {
		return loadError(err)
	}
	if len(file.Aliases) == 0 {
		fmt.Fprintln(a.Stdout, `There are no aliases ("weir alias NAME SERVER" makes one).`)
		return nil
	}
	p := a.paint()
	t := table{head: []string{"ALIAS", "SERVER"}}
	for _, alias := range slices.Sorted(maps.Keys(file.Aliases)) {
		t.rows = append(t.rows, []cell{{alias, p.bold}, plain(file.Aliases[alias])})
	}
	t.print(a.Stdout, p, a.width())
	return nil
}
