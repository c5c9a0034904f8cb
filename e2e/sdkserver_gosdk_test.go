package e2e

import (
	"context"
	"encoding/json"
	"errors"

	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func goSDKServer() *gosdk.Server {
	nothing := func(context.Context, *gosdk.SubscribeRequest) error { return nil }
	s := gosdk.NewServer(&gosdk.Implementation{Name: "go-sdk", Version: "1.0.0"}, &gosdk.ServerOptions{
		Instructions:       "Be kind.",
		CompletionHandler:  goSDKComplete,
		SubscribeHandler:   nothing,
		UnsubscribeHandler: func(context.Context, *gosdk.UnsubscribeRequest) error { return nil },
	})
	addGoSDKTools(s)
	s.AddPrompt(
		&gosdk.Prompt{Name: "greet", Description: "a prompt", Arguments: []*gosdk.PromptArgument{{Name: "name", Required: true}}},
		func(_ context.Context, r *gosdk.GetPromptRequest) (*gosdk.GetPromptResult, error) {
			return goSDKPrompt("Hello " + r.Params.Arguments["name"]), nil
		})
	s.AddPrompt(&gosdk.Prompt{Name: "asking"}, func(_ context.Context, r *gosdk.GetPromptRequest) (*gosdk.GetPromptResult, error) {
		if answer := r.Params.InputResponses["form"]; answer != nil {
			return goSDKPrompt(textOfAnswer(answer)), nil
		}
		return &gosdk.GetPromptResult{InputRequests: goSDKQuestions("form"), RequestState: "state <&>"}, nil
	})
	read := func(_ context.Context, r *gosdk.ReadResourceRequest) (*gosdk.ReadResourceResult, error) {
		return &gosdk.ReadResourceResult{Contents: []*gosdk.ResourceContents{{URI: r.Params.URI, MIMEType: "text/plain", Text: "of " + r.Params.URI}}}, nil
	}
	s.AddResource(&gosdk.Resource{URI: "mem://a", Name: "A", MIMEType: "text/plain"}, read)
	s.AddResourceTemplate(&gosdk.ResourceTemplate{URITemplate: "mem://items/{id}", Name: "items"}, read)
	s.AddTool(&gosdk.Tool{Name: "grows", InputSchema: echoSchema}, func(context.Context, *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		s.AddResource(&gosdk.Resource{URI: "mem://b", Name: "B"}, read)
		return goSDKText("grown"), nil
	})
	s.AddTool(&gosdk.Tool{Name: "touches", InputSchema: echoSchema}, func(ctx context.Context, _ *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		return goSDKText("touched"), s.ResourceUpdated(ctx, &gosdk.ResourceUpdatedNotificationParams{URI: "mem://a"})
	})
	return s
}

func addGoSDKTools(s *gosdk.Server) {
	add := func(name string, handle gosdk.ToolHandler) {
		s.AddTool(&gosdk.Tool{Name: name, Description: "a tool called " + name, InputSchema: echoSchema}, handle)
	}
	add("echo", func(_ context.Context, r *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		result := goSDKText("<>& ö")
		result.StructuredContent = r.Params.Arguments
		return result, nil
	})
	add("fails", func(context.Context, *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		return nil, errors.New("out of luck")
	})
	add("is_error", func(context.Context, *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		result := goSDKText("no such row")
		result.IsError = true
		return result, nil
	})
	add("image", func(context.Context, *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		return &gosdk.CallToolResult{Content: []gosdk.Content{&gosdk.ImageContent{Data: []byte{0, 1, 2}, MIMEType: "image/png"}}}, nil
	})
	add("asks", func(_ context.Context, r *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		var arguments struct{ Text string }
		if err := json.Unmarshal(r.Params.Arguments, &arguments); err != nil {
			return nil, err
		}
		if answer := r.Params.InputResponses[arguments.Text]; answer != nil {
			return goSDKText(r.Params.RequestState + textOfAnswer(answer)), nil
		}
		return &gosdk.CallToolResult{InputRequests: goSDKQuestions(arguments.Text), RequestState: "state <&>"}, nil
	})
	add("waits", func(ctx context.Context, r *gosdk.CallToolRequest) (*gosdk.CallToolResult, error) {
		if err := r.Session.Log(ctx, &gosdk.LoggingMessageParams{Level: "notice", Logger: "some", Data: map[string]any{"<": 1}}); err != nil {
			return nil, err
		}
		progress := &gosdk.ProgressNotificationParams{ProgressToken: r.Params.GetProgressToken(), Progress: 1, Total: 2, Message: "<one>"}
		if err := r.Session.NotifyProgress(ctx, progress); err != nil {
			return nil, err
		}
		return nil, untilCancelled(ctx)
	})
}

func goSDKText(text string) *gosdk.CallToolResult {
	return &gosdk.CallToolResult{Content: []gosdk.Content{&gosdk.TextContent{Text: text}}}
}

func goSDKPrompt(text string) *gosdk.GetPromptResult {
	return &gosdk.GetPromptResult{Messages: []*gosdk.PromptMessage{{Role: "user", Content: &gosdk.TextContent{Text: text}}}}
}

// goSDKQuestions is what is asked, under its own name.
func goSDKQuestions(what string) gosdk.InputRequestMap {
	switch what {
	case "form":
		return gosdk.InputRequestMap{what: &gosdk.ElicitParams{Mode: "form", Message: askedMessage, RequestedSchema: askedSchema}}
	case "url":
		return gosdk.InputRequestMap{what: &gosdk.ElicitParams{Mode: "url", Message: askedMessage, URL: askedURL, ElicitationID: "e-1"}}
	case "sample":
		return gosdk.InputRequestMap{what: &gosdk.CreateMessageParams{
			MaxTokens: 20, Messages: []*gosdk.SamplingMessage{{Role: "user", Content: &gosdk.TextContent{Text: askedMessage}}},
		}}
	}
	return gosdk.InputRequestMap{what: &gosdk.ListRootsParams{}}
}

func goSDKComplete(_ context.Context, r *gosdk.CompleteRequest) (*gosdk.CompleteResult, error) {
	values := []string{r.Params.Ref.Type, r.Params.Ref.Name + r.Params.Ref.URI, r.Params.Argument.Name + "=" + r.Params.Argument.Value}
	return &gosdk.CompleteResult{Completion: gosdk.CompletionResultDetails{Values: values, Total: 3}}, nil
}
