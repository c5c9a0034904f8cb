package cli

import (
	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/demo"
)

func (a *app) demoServerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo-server",
		Short: "Be a small MCP server to try weir with",
		Long: `Be a small MCP server on stdin and stdout, of every protocol revision from
2024-11-05 to 2026-07-28, with a few harmless tools: echo, add, now, slow, fail,
big, and delete_everything, which deletes nothing and is there to be denied.`,
		Example: `  # in mcp.yaml
  servers:
    demo:
      command: weir
      args: [demo-server]`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := takeStdio(a.Stdin, a.Stdout)
			if err != nil {
				return err
			}
			defer s.giveBack()
			s.endWith(cmd.Context())
			return demo.New("weir-demo", version).Serve(cmd.Context(), s.in, s.out)
		},
	}
}
