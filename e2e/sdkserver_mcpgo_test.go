package e2e

import (
	"context"
	"errors"

	mcpgotypes "github.com/mark3labs/mcp-go/mcp"
	mcpgo "github.com/mark3labs/mcp-go/server"
)

func mcpGoServer() *mcpgo.MCPServer {
	s := mcpgo.NewMCPServer(
		"mcp-go", "1.0.0", mcpgo.WithToolCapabilities(true), mcpgo.WithInstructions("Be kind."),
		mcpgo.WithResourceCapabilities(true, true), mcpgo.WithPromptCapabilities(true), mcpgo.WithLogging(), mcpgo.WithCompletions(),
		mcpgo.WithElicitation(), mcpgo.WithRoots(),
		mcpgo.WithPromptCompletionProvider(mcpGoCompletion{}), mcpgo.WithResourceCompletionProvider(mcpGoCompletion{}),
	)
	s.EnableSampling()
	addMCPGoTools(s)
	s.AddPrompt(
		mcpgotypes.NewPrompt("greet", mcpgotypes.WithPromptDescription("a prompt"), mcpgotypes.WithArgument("name", mcpgotypes.RequiredArgument())),
		func(_ context.Context, r mcpgotypes.GetPromptRequest) (*mcpgotypes.GetPromptResult, error) {
			return mcpGoPrompt("Hello " + r.Params.Arguments["name"]), nil
		})
	s.AddPrompt(mcpgotypes.NewPrompt("asking"), func(_ context.Context, r mcpgotypes.GetPromptRequest) (*mcpgotypes.GetPromptResult, error) {
		if answer, ok := mcpgo.InputResponse(r.Params.InputResponses, "form"); ok {
			return mcpGoPrompt(textOfAnswer(answer)), nil
		}
		return mcpGoQuestions("form").PromptResult(), nil
	})
	read := func(_ context.Context, r mcpgotypes.ReadResourceRequest) ([]mcpgotypes.ResourceContents, error) {
		return []mcpgotypes.ResourceContents{mcpgotypes.TextResourceContents{URI: r.Params.URI, MIMEType: "text/plain", Text: "of " + r.Params.URI}}, nil
	}
	s.AddResource(mcpgotypes.NewResource("mem://a", "A", mcpgotypes.WithMIMEType("text/plain")), read)
	s.AddResourceTemplate(mcpgotypes.NewResourceTemplate("mem://items/{id}", "items"), read)
	s.AddTool(mcpgotypes.NewToolWithRawSchema("grows", "", echoSchema), func(context.Context, mcpgotypes.CallToolRequest) (*mcpgotypes.CallToolResult, error) {
		s.AddResource(mcpgotypes.NewResource("mem://b", "B"), read)
		return mcpgotypes.NewToolResultText("grown"), nil
	})
	s.AddTool(mcpgotypes.NewToolWithRawSchema("touches", "", echoSchema), func(context.Context, mcpgotypes.CallToolRequest) (*mcpgotypes.CallToolResult, error) {
		s.SendNotificationToAllClients("notifications/resources/updated", map[string]any{"uri": "mem://a"})
		return mcpgotypes.NewToolResultText("touched"), nil
	})
	return s
}

func addMCPGoTools(s *mcpgo.MCPServer) {
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
	add("asks", func(_ context.Context, r mcpgotypes.CallToolRequest) (*mcpgotypes.CallToolResult, error) {
		what := r.GetString("text", "")
		if answer, ok := mcpgo.InputResponse(r.Params.InputResponses, what); ok {
			return mcpgotypes.NewToolResultText(r.Params.RequestState + textOfAnswer(answer)), nil
		}
		return mcpGoQuestions(what).ToolResult(), nil
	})
	add("waits", func(ctx context.Context, r mcpgotypes.CallToolRequest) (*mcpgotypes.CallToolResult, error) {
		message := mcpgotypes.NewLoggingMessageNotification(mcpgotypes.LoggingLevelNotice, "some", map[string]any{"<": 1})
		if err := s.SendLogMessageToClient(ctx, message); err != nil {
			return nil, err
		}
		progress := map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": 1, "total": 2, "message": "<one>"}
		if err := s.SendNotificationToClient(ctx, "notifications/progress", progress); err != nil {
			return nil, err
		}
		return nil, untilCancelled(ctx)
	})
}

func mcpGoPrompt(text string) *mcpgotypes.GetPromptResult {
	return mcpgotypes.NewGetPromptResult("", []mcpgotypes.PromptMessage{mcpgotypes.NewPromptMessage(mcpgotypes.RoleUser, mcpgotypes.NewTextContent(text))})
}

// mcpGoQuestions is what is asked, under its own name.
func mcpGoQuestions(what string) *mcpgo.InputRequestBuilder {
	b := mcpgo.NewInputRequestBuilder("state <&>")
	switch what {
	case "form":
		return b.Elicit(what, mcpgotypes.ElicitationParams{Mode: "form", Message: askedMessage, RequestedSchema: askedSchema})
	case "url":
		return b.Elicit(what, mcpgotypes.ElicitationParams{Mode: "url", Message: askedMessage, URL: askedURL, ElicitationID: "e-1"})
	case "sample":
		return b.Sample(what, mcpgotypes.CreateMessageParams{
			MaxTokens: 20, Messages: []mcpgotypes.SamplingMessage{{Role: "user", Content: mcpgotypes.NewTextContent(askedMessage)}},
		})
	}
	return b.Roots(what)
}

type mcpGoCompletion struct{}

func (mcpGoCompletion) CompletePromptArgument(_ context.Context, name string, a mcpgotypes.CompleteArgument, _ mcpgotypes.CompleteContext) (*mcpgotypes.Completion, error) {
	return &mcpgotypes.Completion{Values: []string{"ref/prompt", name, a.Name + "=" + a.Value}, Total: 3}, nil
}

func (mcpGoCompletion) CompleteResourceArgument(_ context.Context, uri string, a mcpgotypes.CompleteArgument, _ mcpgotypes.CompleteContext) (*mcpgotypes.Completion, error) {
	return &mcpgotypes.Completion{Values: []string{"ref/resource", uri, a.Name + "=" + a.Value}, Total: 3}, nil
}
