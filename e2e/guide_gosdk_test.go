package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

var (
	goSDK       = guide{name: "Go SDK", mode: upstreamtest.Legacy, lead: leadGoSDK}
	goSDKModern = guide{name: "Go SDK, modern", mode: upstreamtest.Modern, lead: leadGoSDK}
)

func leadGoSDK(t *testing.T, to target, through tour) [][]event {
	t.Helper()
	g := &goSDKGuide{notes: newNotes()}
	capabilities, err := paramsOf[gosdk.ClientCapabilities](through.capabilities)
	if err != nil {
		t.Fatal(err)
	}
	capabilities.RootsV2 = &gosdk.RootCapabilities{ListChanged: true}
	g.client = gosdk.NewClient(&gosdk.Implementation{Name: "driver", Version: "1"}, &gosdk.ClientOptions{
		Capabilities:          capabilities,
		CreateMessageHandler:  g.sample,
		ElicitationHandler:    g.elicit,
		LoggingMessageHandler: func(_ context.Context, r *gosdk.LoggingMessageRequest) { g.told("notifications/message", r.Params) },
		ResourceUpdatedHandler: func(_ context.Context, r *gosdk.ResourceUpdatedNotificationRequest) {
			g.told("notifications/resources/updated", r.Params)
		},
		ResourceListChangedHandler: func(_ context.Context, r *gosdk.ResourceListChangedRequest) {
			g.told("notifications/resources/list_changed", r.Params)
		},
		ProgressNotificationHandler: func(_ context.Context, r *gosdk.ProgressNotificationClientRequest) {
			g.progressed(r.Params)
		},
	})
	g.client.AddReceivingMiddleware(g.noteMore)
	g.client.AddRoots(rootsOf(t, tourRoots)...)
	g.session, err = g.client.Connect(t.Context(), goSDKTransport(to), &gosdk.ClientSessionOptions{ProtocolVersion: through.mode})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		// Some of the real servers do not end by themselves, and are killed.
		if err := g.session.Close(); err != nil && !to.isOne {
			t.Error(err)
		}
	}()
	return g.follow(t, to, through, func(s step, params string) (any, error) { return g.take(t, s, params) })
}

func goSDKTransport(to target) gosdk.Transport {
	if to.url != "" {
		return &gosdk.StreamableClientTransport{Endpoint: to.url}
	}
	return &gosdk.CommandTransport{Command: to.command()}
}

type goSDKGuide struct {
	*notes
	client  *gosdk.Client
	session *gosdk.ClientSession
}

func (g *goSDKGuide) sample(_ context.Context, r *gosdk.CreateMessageRequest) (*gosdk.CreateMessageResult, error) {
	answer := new(gosdk.CreateMessageResult)
	return answer, g.asked("sampling/createMessage", r.Params, answer)
}

func (g *goSDKGuide) elicit(_ context.Context, r *gosdk.ElicitRequest) (*gosdk.ElicitResult, error) {
	answer := new(gosdk.ElicitResult)
	return answer, g.asked("elicitation/create", r.Params, answer)
}

// noteMore notes what the client deals with itself.
func (g *goSDKGuide) noteMore(next gosdk.MethodHandler) gosdk.MethodHandler {
	return func(ctx context.Context, method string, r gosdk.Request) (gosdk.Result, error) {
		switch method {
		case "roots/list":
			g.add(event{Asked: method})
		case acknowledged:
			g.add(event{Told: method})
		}
		return next(ctx, method, r)
	}
}

// take takes one step.
func (g *goSDKGuide) take(t *testing.T, s step, params string) (any, error) {
	t.Helper()
	ctx, c := t.Context(), g.session
	switch s.do {
	case "ping":
		return struct{}{}, c.Ping(ctx, nil)
	case "tools/list":
		return untilListed(t, func() (*gosdk.ListToolsResult, error) { return c.ListTools(ctx, nil) },
			func(r *gosdk.ListToolsResult) int { return len(r.Tools) })
	case "prompts/list":
		return c.ListPrompts(ctx, nil)
	case "resources/list":
		return c.ListResources(ctx, nil)
	case "resources/templates/list":
		return c.ListResourceTemplates(ctx, nil)
	case "tools/call":
		return g.call(ctx, s, params)
	case "prompts/get":
		return with(ctx, params, c.GetPrompt)
	case "resources/read":
		return with(ctx, params, c.ReadResource)
	case "completion/complete":
		return with(ctx, params, c.Complete)
	case "logging/setLevel":
		return empty(ctx, params, c.SetLoggingLevel)
	case "resources/subscribe":
		return g.subscribe(t, params)
	case "resources/unsubscribe":
		return empty(ctx, params, c.Unsubscribe)
	case "roots":
		g.client.RemoveRoots("file:///one")
		g.client.AddRoots(rootsOf(t, string(jsonrpc.Find(objectOf(t, []byte(params)), "roots")))...)
		return struct{}{}, nil
	}
	return nil, fmt.Errorf("unknown step %s", s.do)
}

func (g *goSDKGuide) subscribe(t *testing.T, params string) (any, error) {
	t.Helper()
	result, err := empty(t.Context(), params, g.session.Subscribe)
	if err == nil && g.session.InitializeResult().ProtocolVersion == upstreamtest.Modern {
		g.await(t, acknowledged)
	}
	return result, err
}

func (g *goSDKGuide) call(ctx context.Context, s step, params string) (any, error) {
	call, err := paramsOf[gosdk.CallToolParams](params)
	if err != nil {
		return nil, err
	}
	if s.progress || s.cancel {
		call.SetProgressToken("t")
	}
	ctx, end := g.calling(ctx, s)
	defer end()
	return g.session.CallTool(ctx, call)
}

func rootsOf(t *testing.T, raw string) []*gosdk.Root {
	t.Helper()
	var roots []*gosdk.Root
	if err := json.Unmarshal([]byte(raw), &roots); err != nil {
		t.Fatal(err)
	}
	return roots
}

// with asks for something with params as the library has them.
func with[P, R any](ctx context.Context, params string, ask func(context.Context, *P) (*R, error)) (any, error) {
	value, err := paramsOf[P](params)
	if err != nil {
		return nil, err
	}
	return ask(ctx, value)
}

// empty asks for something that has an empty result.
func empty[P any](ctx context.Context, params string, ask func(context.Context, *P) error) (any, error) {
	value, err := paramsOf[P](params)
	if err != nil {
		return nil, err
	}
	return struct{}{}, ask(ctx, value)
}
