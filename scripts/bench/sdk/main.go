// Sdk is what mcp-go makes of the same things as peer: a program apart, so
// that peer links none of it.
//
//	sdk tools N                a server as its author would write it
//	sdk gateway COMMAND ARG... a gateway as one would write it first
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sdk:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("want tools or gateway, and what for")
	}
	switch args[0] {
	case "tools":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return serve(n)
	case "gateway":
		return forward(args[1], args[2:])
	}
	return fmt.Errorf("unknown role %q", args[0])
}

func newServer(name string) *server.MCPServer {
	return server.NewMCPServer(name, "1", server.WithToolCapabilities(false))
}

func serve(n int) error {
	s := newServer("tools")
	for i := range n {
		s.AddTool(mcp.NewTool("tool_"+strconv.Itoa(i),
			mcp.WithDescription("Does what a tool of its kind does, and says so in a sentence or two. "+
				"Use it when you need to know how long a list of tools takes."),
			mcp.WithString("path", mcp.Required(), mcp.Description("where to look")),
			mcp.WithNumber("limit", mcp.Min(1), mcp.Max(100), mcp.DefaultNumber(10.0)),
			mcp.WithString("mode", mcp.Enum("fast", "thorough")),
			mcp.WithReadOnlyHintAnnotation(true),
		), echo)
	}
	return server.ServeStdio(s)
}

func echo(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	text, err := json.Marshal(request.Params.Arguments)
	if err != nil {
		return nil, err
	}
	return mcp.NewToolResultText(string(text)), nil
}

// forward serves the tools of one server, and calls that server: all that a
// gateway must do, and nothing that it had better do.
func forward(command string, args []string) error {
	ctx := context.Background()
	upstream, err := client.NewStdioMCPClient(command, nil, args...)
	if err != nil {
		return err
	}
	defer upstream.Close()
	request := mcp.InitializeRequest{}
	request.Params.ProtocolVersion = "2025-11-25"
	request.Params.ClientInfo = mcp.Implementation{Name: "gateway", Version: "1"}
	if _, err := upstream.Initialize(ctx, request); err != nil {
		return err
	}
	listed, err := upstream.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return err
	}
	s := newServer("gateway")
	for _, tool := range listed.Tools {
		s.AddTool(tool, func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return upstream.CallTool(ctx, request)
		})
	}
	return server.ServeStdio(s)
}
