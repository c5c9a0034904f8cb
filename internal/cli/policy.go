package cli

import "github.com/spf13/cobra"

// policyCommand is the parent of the commands about who may do what.
func (a *app) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Say who may do what, find mistakes in policies, and make keys",
		Long: `Say what the policy of the configuration makes of a call, find rules that do
nothing, hold a policy to what you expect of it, and make keys for hosts that are
to be told apart. How a policy is written: docs/policy.md.`,
		Example: `  weir policy explain files__delete_file
  weir policy lint
  weir policy check expectations.yaml
  weir policy key laptop`,
		Args: a.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.policyCheckCommand(),
		a.policyExplainCommand(),
		a.policyLintCommand(),
		a.policyKeyCommand(),
	)
	return cmd
}
