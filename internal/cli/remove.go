package cli

import (
	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/config"
)

func (a *app) removeCommand() *cobra.Command {
	return a.changeServersCommand(&cobra.Command{
		Use:   "remove NAME…",
		Short: "Take servers out of mcp.yaml",
		Long: `Take servers out of mcp.yaml, and the aliases that lead to them. What is kept of
their logins stays until "weir logout".

` + editWords,
		Example: `  weir remove github
  weir remove github linear --dry-run
  weir remove --undo`,
	}, func(name string) config.Change { return config.RemoveServer{Name: name} })
}

func (a *app) enableCommand() *cobra.Command {
	return a.changeServersCommand(&cobra.Command{
		Use:   "enable NAME…",
		Short: "Use servers again that were disabled",
		Long: `Use servers again that were disabled.

` + editWords,
		Example: `  weir enable github
  weir enable --undo`,
	}, func(name string) config.Change { return config.SetEnabled{Name: name, Enabled: true} })
}

func (a *app) disableCommand() *cobra.Command {
	return a.changeServersCommand(&cobra.Command{
		Use:   "disable NAME…",
		Short: "Keep servers in mcp.yaml, but do not use them",
		Long: `Keep servers in mcp.yaml, but do not use them: hosts are not shown what they have,
until "weir enable".

` + editWords,
		Example: `  weir disable github linear
  weir disable --undo`,
	}, func(name string) config.Change { return config.SetEnabled{Name: name} })
}

// changeServersCommand makes a command of cmd that makes a change for each server
// it is given, all of them or none.
func (a *app) changeServersCommand(cmd *cobra.Command, change func(name string) config.Change) *cobra.Command {
	var edit editFlags
	cmd.Args = edit.wordsOrUndo(atLeastOne("the NAME of a server"))
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		changes := make([]config.Change, len(names))
		for i, name := range names {
			changes[i] = change(name)
		}
		_, err := a.changeConfig(cmd.Context(), edit, changes...)
		return err
	}
	edit.add(cmd)
	return cmd
}
