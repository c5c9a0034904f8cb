package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	mcpgotypes "github.com/mark3labs/mcp-go/mcp"
	mcpgo "github.com/mark3labs/mcp-go/server"
	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// An sdkServer is a server of one of the two Go libraries, with the same tools:
// over stdio as a command of the test binary, and over HTTP.
type sdkServer struct {
	command string
	stdio   func() error
	web     func() http.Handler
}

var sdkServers = []sdkServer{
	{"mcp-go-server", func() error { return mcpgo.ServeStdio(mcpGoServer()) }, func() http.Handler { return mcpgo.NewStreamableHTTPServer(mcpGoServer()) }},
	{
		"go-sdk-server",
		func() error { return goSDKServer().Run(context.Background(), &gosdk.StdioTransport{}) },
		func() http.Handler {
			return gosdk.NewStreamableHTTPHandler(func(*http.Request) *gosdk.Server { return goSDKServer() }, nil)
		},
	},
}

func (s sdkServer) main() {
	if err := s.stdio(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var echoSchema = json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`)

func mcpGoServer() *mcpgo.MCPServer {
	s := mcpgo.NewMCPServer("mcp-go", "1.0.0", mcpgo.WithToolCapabilities(true), mcpgo.WithInstructions("Be kind."))
	add := func(name string, handle mcpgo.ToolHandlerFunc) {
		s.AddTool(mcpgotypes.NewToolWithRawSchema(name, "a tool called "+name, echoSchema), handle)
	}
	add("echo", func(_ context.Context, r mcpgotypes.CallToolRequest) (*mcpgotypes.CallToolResult, error) {
		return mcpgotypes.NewToolResultStructured(r.GetArguments(), "<>& ö"), nil
	})
	add("fails", func(context.Context, mcpgotypes.CallToolRequest) (*mcpgotypes.CallToolResult, error) {
		return nil, errors.New("out of luck")
	})
	add("is_error", func(context.Context, mcpgotypes.CallToolRequest) (*mcpgotypes.CallToolResult, error) {
		return mcpgotypes.NewToolResultError("no such row"), nil
	})
	add("image", func(context.Context, mcpgotypes.CallToolRequest) (*mcpgotypes.CallToolResult, error) {
		return mcpgotypes.NewToolResultImage("a picture", "AAEC", "image/png"), nil
	})
	return s
}

func goSDKServer() *gosdk.Server {
	s := gosdk.NewServer(&gosdk.Implementation{Name: "go-sdk", Version: "1.0.0"}, &gosdk.ServerOptions{Instructions: "Be kind."})
	add := func(name string, handle gosdk.ToolHandler) {
		s.AddTool(&gosdk.Tool{Name: name, Description: "a tool called " + name, InputSchema: echoSchema}, handle)
	}
	add("echo", func(_ context.Context, r *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		return &gosdk.CallToolResult{
			Content: []gosdk.Content{&gosdk.TextContent{Text: "<>& ö"}}, StructuredContent: r.Params.Arguments,
		}, nil
	})
	add("fails", func(context.Context, *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		return nil, errors.New("out of luck")
	})
	add("is_error", func(context.Context, *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		return &gosdk.CallToolResult{Content: []gosdk.Content{&gosdk.TextContent{Text: "no such row"}}, IsError: true}, nil
	})
	add("image", func(context.Context, *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		return &gosdk.CallToolResult{Content: []gosdk.Content{&gosdk.ImageContent{Data: []byte{0, 1, 2}, MIMEType: "image/png"}}}, nil
	})
	return s
}

// TestSDKServers: servers that others wrote, which speak both eras, are through
// weir what they are without it, in the era of the host.
func TestSDKServers(t *testing.T) {
	for _, server := range sdkServers {
		for _, transport := range []string{"stdio", "http"} {
			for _, version := range []string{"2025-06-18", upstreamtest.Legacy, upstreamtest.Modern} {
				t.Run(fmt.Sprintf("%s over %s, %s host", server.command, transport, version), func(t *testing.T) {
					t.Parallel()
					p := testPlaces(t)
					entry := "{command: " + server.command + "}"
					if transport == "http" {
						web := httptest.NewServer(server.web())
						t.Cleanup(func() {
							web.CloseClientConnections()
							web.Close()
						})
						entry = fmt.Sprintf("{url: %q}", web.URL)
					}
					direct := openSession(t, version, p.command(context.Background(), server.command))
					through := openSession(t, version, p.weir(t, "policy: {default: execute}\nservers: {u: "+entry+"}\n"))
					if diff := cmp.Diff(expose(t, "u__", direct.tools(t)), through.tools(t)); diff != "" {
						t.Errorf("tools (-direct +through weir):\n%s", diff)
					}
					for _, call := range []toolCall{
						{"echo", `{"text":"<>& \u00e9 ö","n":1.50}`},
						{"echo", `{"text":7}`},
						{"fails", `{"text":""}`},
						{"is_error", `{"text":""}`},
						{"image", `{"text":""}`},
					} {
						want := outcome(t, direct.call(t, call.name, call.arguments))
						if got := outcome(t, through.call(t, "u__"+call.name, call.arguments)); got != want {
							t.Errorf("calling %s with %s:\ngot  %s\nwant %s", call.name, call.arguments, got, want)
						}
					}
				})
			}
		}
	}
}
