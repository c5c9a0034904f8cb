// Gosdk is the gateway of sdk once more, on the official Go SDK: a program
// apart, since either library costs a start.
//
//	gosdk gateway COMMAND ARG... a gateway as one would write it first
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gosdk:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 || args[0] != "gateway" {
		return errors.New("want gateway, and the command of a server")
	}
	return forward(context.Background(), exec.Command(args[1], args[2:]...))
}

// forward serves the tools of one server, and calls that server: all that a
// gateway must do, and nothing that it had better do.
func forward(ctx context.Context, command *exec.Cmd) error {
	me := &mcp.Implementation{Name: "gateway", Version: "1"}
	upstream, err := mcp.NewClient(me, nil).Connect(ctx, &mcp.CommandTransport{Command: command}, nil)
	if err != nil {
		return err
	}
	defer upstream.Close()
	listed, err := upstream.ListTools(ctx, nil)
	if err != nil {
		return err
	}
	s := mcp.NewServer(me, nil)
	for _, tool := range listed.Tools {
		s.AddTool(tool, func(ctx context.Context, request *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return upstream.CallTool(ctx, &mcp.CallToolParams{Name: request.Params.Name, Arguments: request.Params.Arguments})
		})
	}
	return s.Run(ctx, &mcp.StdioTransport{})
}
