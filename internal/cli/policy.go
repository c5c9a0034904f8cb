package cli

import "github.com/spf13/cobra"

// policyCommand is the parent of the commands about who may do what.
func (a *app) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Who may do what",
		Args:  a.noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.policyKeyCommand(),
	)
	return cmd
}
