package reference_test

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	mcpgo "github.com/mark3labs/mcp-go/client"
	mcpgotransport "github.com/mark3labs/mcp-go/client/transport"
	mcpgotypes "github.com/mark3labs/mcp-go/mcp"
	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
	"github.com/weir-mcp/weir/upstream/upstreamtest/reference"
)

// serve serves the server over HTTP until the test ends.
func serve(t *testing.T, version string, sse bool) (url string) {
	t.Helper()
	server := httptest.NewServer(reference.New(upstreamtest.Script{Versions: []string{version}, SSE: sse}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// TestGoSDK: it is a server not only to us, but to the go-sdk's client, in both
// eras.
func TestGoSDK(t *testing.T) {
	for _, version := range []string{upstreamtest.Legacy, upstreamtest.Modern} {
		for _, transport := range []string{"lines", "http", "http stream"} {
			t.Run(version+" over "+transport, func(t *testing.T) { goSDK(t, version, transport) })
		}
	}
}

func goSDK(t *testing.T, version, transport string) {
	progress := make(chan string, 3)
	client := gosdk.NewClient(&gosdk.Implementation{Name: "peer", Version: "1"}, &gosdk.ClientOptions{
		ElicitationHandler: func(_ context.Context, r *gosdk.ElicitRequest) (*gosdk.ElicitResult, error) {
			return &gosdk.ElicitResult{Action: "accept", Content: map[string]any{"sure": true, "said": r.Params.Message}}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, r *gosdk.ProgressNotificationClientRequest) {
			progress <- r.Params.Message
		},
	})
	var way gosdk.Transport
	if transport == "lines" {
		conn := reference.New(upstreamtest.Script{Versions: []string{version}}).Pipe()
		way = &gosdk.IOTransport{Reader: conn, Writer: conn}
	} else {
		way = &gosdk.StreamableClientTransport{Endpoint: serve(t, version, transport == "http stream")}
	}
	session, err := client.Connect(t.Context(), way, &gosdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if got := session.InitializeResult(); got.ProtocolVersion != version || got.ServerInfo.Name != "reference" {
		t.Errorf("handshake: got %+v", got)
	}

	count := 0
	for _, err := range session.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	for _, err := range session.Prompts(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	for _, err := range session.Resources(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if want := 41 + 3 + 7; count != want {
		t.Errorf("listed: got %d items, want %d", count, want)
	}

	call := func(name string, want string) {
		t.Helper()
		params := &gosdk.CallToolParams{Name: name, Arguments: map[string]any{"a": 1}}
		params.SetProgressToken("t")
		result, err := session.CallTool(t.Context(), params)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if text := asJSON(t, result); !strings.Contains(text, want) {
			t.Errorf("%s: got %s, want it to contain %s", name, text, want)
		}
	}
	call("echo", `"arguments":{"a":1}`)
	call("progress", `"content":[]`)
	if got := <-progress; got != "<é>&" {
		t.Errorf("progress: got %q", got)
	}
	call("content", `"resource_link"`)
	call("ask_form", `it? é`)
	if version == upstreamtest.Legacy { // in the modern era it wants params where there need not be any
		call("ask_roots", `"roots":[]`)
	}
	call("ask_thrice", `"accept`)

	read, err := session.ReadResource(t.Context(), &gosdk.ReadResourceParams{URI: "ref:///many/"})
	if err != nil || len(read.Contents) != 3 {
		t.Errorf("resources/read: got %v, %v", read, err)
	}
	got, err := session.GetPrompt(t.Context(), &gosdk.GetPromptParams{Name: "ask"})
	if err != nil || !strings.Contains(asJSON(t, got), "accept") {
		t.Errorf("prompts/get: got %v, %v", got, err)
	}
	completed, err := session.Complete(t.Context(), &gosdk.CompleteParams{
		Ref: &gosdk.CompleteReference{Type: "ref/prompt", Name: "args"}, Argument: gosdk.CompleteParamsArgument{Name: "who", Value: "x"},
	})
	if err != nil || len(completed.Completion.Values) != 3 {
		t.Errorf("completion/complete: got %v, %v", completed, err)
	}
}

// TestMCPGo: and so it is to mcp-go's.
func TestMCPGo(t *testing.T) {
	for _, version := range []string{upstreamtest.Legacy, upstreamtest.Modern} {
		for _, transport := range []string{"lines", "http", "http stream"} {
			t.Run(version+" over "+transport, func(t *testing.T) { mcpGo(t, version, transport) })
		}
	}
}

type mcpGoUser struct{}

func (mcpGoUser) Elicit(_ context.Context, r mcpgotypes.ElicitationRequest) (*mcpgotypes.ElicitationResult, error) {
	result := &mcpgotypes.ElicitationResult{}
	result.Action = mcpgotypes.ElicitationResponseActionAccept
	result.Content = map[string]any{"sure": true, "said": r.Params.Message}
	return result, nil
}

func mcpGo(t *testing.T, version, transport string) {
	var way mcpgotransport.Interface
	if transport == "lines" {
		conn := reference.New(upstreamtest.Script{Versions: []string{version}}).Pipe()
		way = mcpgotransport.NewIO(conn, conn, io.NopCloser(strings.NewReader("")))
	} else {
		web, err := mcpgotransport.NewStreamableHTTP(serve(t, version, transport == "http stream"))
		if err != nil {
			t.Fatal(err)
		}
		way = web
	}
	client := mcpgo.NewClient(way, mcpgo.WithElicitationHandler(mcpGoUser{}))
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	begin := mcpgotypes.InitializeRequest{}
	begin.Params.ProtocolVersion = version
	begin.Params.ClientInfo = mcpgotypes.Implementation{Name: "peer", Version: "1"}
	greeted, err := client.Initialize(t.Context(), begin)
	if err != nil {
		t.Fatal(err)
	}
	if greeted.ProtocolVersion != version || greeted.ServerInfo.Name != "reference" {
		t.Errorf("handshake: got %+v", greeted)
	}

	tools, err := client.ListTools(t.Context(), mcpgotypes.ListToolsRequest{})
	if err != nil || len(tools.Tools) != 41 {
		t.Errorf("tools/list: got %v, %v", tools, err)
	}
	resources, err := client.ListResources(t.Context(), mcpgotypes.ListResourcesRequest{})
	if err != nil || len(resources.Resources) != 7 {
		t.Errorf("resources/list: got %v, %v", resources, err)
	}
	for name, want := range map[string]string{"echo": `"arguments":{"a":1}`, "content": `"resource_link"`, "ask_form": `it? é`, "ask_thrice": `accept`} {
		request := mcpgotypes.CallToolRequest{}
		request.Params.Name, request.Params.Arguments = name, map[string]any{"a": 1}
		result, err := client.CallTool(t.Context(), request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text := asJSON(t, result); !strings.Contains(text, want) {
			t.Errorf("%s: got %s, want it to contain %s", name, text, want)
		}
	}
}
