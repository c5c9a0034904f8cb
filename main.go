// Weir is one MCP server in front of many: see README.md and package cli.
package main

import (
	"os"

	"github.com/weir-mcp/weir/internal/cli"
	"github.com/weir-mcp/weir/internal/prelude/first"
	"github.com/weir-mcp/weir/upstream/process"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == cli.GuardianCommand {
		process.GuardianMain()
		return
	}
	os.Exit(cli.Main(cli.Process{
		Args:    os.Args[1:],
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Environ: os.Environ(),
		Prelude: first.Take(),
	}))
}
