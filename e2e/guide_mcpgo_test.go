package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	mcpgo "github.com/mark3labs/mcp-go/client"
	mcpgotypes "github.com/mark3labs/mcp-go/mcp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

var (
	mcpGo       = guide{name: "mcp-go", mode: upstreamtest.Legacy, lead: leadMCPGo}
	mcpGoModern = guide{name: "mcp-go, modern", mode: upstreamtest.Modern, lead: leadMCPGo}
)

func leadMCPGo(t *testing.T, to target, through tour) [][]event {
	t.Helper()
	g := &mcpGoGuide{notes: newNotes()}
	start := mcpgotypes.InitializeRequest{}
	start.Params.ProtocolVersion = through.mode
	start.Params.ClientInfo = mcpgotypes.Implementation{Name: "driver", Version: "1"}
	if err := json.Unmarshal([]byte(through.capabilities), &start.Params.Capabilities); err != nil {
		t.Fatal(err)
	}
	g.client = openMCPGo(t, to, through.mode,
		mcpgo.WithClientCapabilities(start.Params.Capabilities),
		mcpgo.WithSamplingHandler(g), mcpgo.WithElicitationHandler(g), mcpgo.WithRootsHandler(g))
	defer func() {
		// Some of the real servers do not end by themselves, and are killed.
		if err := g.client.Close(); err != nil && !to.isOne {
			t.Error(err)
		}
	}()
	g.client.OnNotification(g.hear)
	if err := g.client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.client.Initialize(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	if through.mode == upstreamtest.Modern {
		if err := g.listen(t, mcpgotypes.SubscriptionFilter{ResourcesListChanged: true}); err != nil {
			t.Fatal(err)
		}
	}
	return g.follow(t, to, through, func(s step, params string) (any, error) { return g.take(t, s, params) })
}

type mcpGoGuide struct {
	*notes
	client *mcpgo.Client
	stop   func() // ends the stream of subscriptions (2026-07-28)
}

func (g *mcpGoGuide) CreateMessage(_ context.Context, r mcpgotypes.CreateMessageRequest) (*mcpgotypes.CreateMessageResult, error) {
	answer := new(mcpgotypes.CreateMessageResult)
	return answer, g.asked("sampling/createMessage", r.CreateMessageParams, answer)
}

func (g *mcpGoGuide) Elicit(_ context.Context, r mcpgotypes.ElicitationRequest) (*mcpgotypes.ElicitationResult, error) {
	answer := new(mcpgotypes.ElicitationResult)
	return answer, g.asked("elicitation/create", r.Params, answer)
}

func (g *mcpGoGuide) ListRoots(context.Context, mcpgotypes.ListRootsRequest) (*mcpgotypes.ListRootsResult, error) {
	answer := new(mcpgotypes.ListRootsResult)
	return answer, g.listRoots(answer)
}

// hear takes notifications. Servers may send more than the others' clients tell
// of.
func (g *mcpGoGuide) hear(n mcpgotypes.JSONRPCNotification) {
	switch n.Method {
	case acknowledged, "notifications/message", "notifications/resources/updated", "notifications/resources/list_changed":
		g.told(n.Method, n.Params)
	case "notifications/progress":
		g.progressed(n.Params)
	}
}

// take takes one step.
func (g *mcpGoGuide) take(t *testing.T, s step, params string) (any, error) {
	t.Helper()
	ctx, c := t.Context(), g.client
	switch s.do {
	case "ping":
		return struct{}{}, c.Ping(ctx)
	case "tools/list":
		return untilListed(t, func() (*mcpgotypes.ListToolsResult, error) { return c.ListTools(ctx, mcpgotypes.ListToolsRequest{}) },
			func(r *mcpgotypes.ListToolsResult) int { return len(r.Tools) })
	case "prompts/list":
		return c.ListPrompts(ctx, mcpgotypes.ListPromptsRequest{})
	case "resources/list":
		return c.ListResources(ctx, mcpgotypes.ListResourcesRequest{})
	case "resources/templates/list":
		return c.ListResourceTemplates(ctx, mcpgotypes.ListResourceTemplatesRequest{})
	case "tools/call":
		return g.call(ctx, s, params)
	case "prompts/get":
		r := mcpgotypes.GetPromptRequest{}
		return asking(params, &r.Params, func() (any, error) { return c.GetPrompt(ctx, r) })
	case "resources/read":
		r := mcpgotypes.ReadResourceRequest{}
		return asking(params, &r.Params, func() (any, error) { return c.ReadResource(ctx, r) })
	case "completion/complete":
		r := mcpgotypes.CompleteRequest{}
		return asking(params, &r.Params, func() (any, error) { return c.Complete(ctx, r) })
	case "logging/setLevel":
		r := mcpgotypes.SetLevelRequest{}
		return asking(params, &r.Params, func() (any, error) { return struct{}{}, c.SetLevel(ctx, r) })
	case "resources/subscribe":
		return g.subscribe(t, params)
	case "resources/unsubscribe":
		return g.unsubscribe(ctx, params)
	case "roots":
		g.setRoots(jsonrpc.Find(objectOf(t, []byte(params)), "roots"))
		return struct{}{}, c.RootListChanges(ctx)
	}
	return nil, fmt.Errorf("unknown step %s", s.do)
}

func (g *mcpGoGuide) call(ctx context.Context, s step, params string) (any, error) {
	r := mcpgotypes.CallToolRequest{}
	if err := json.Unmarshal([]byte(params), &r.Params); err != nil {
		return nil, err
	}
	if s.progress || s.cancel {
		if r.Params.Meta == nil {
			r.Params.Meta = &mcpgotypes.Meta{}
		}
		r.Params.Meta.ProgressToken = "t"
	}
	ctx, end := g.calling(ctx, s)
	defer end()
	return g.client.CallTool(ctx, r)
}

// listen opens a stream of subscriptions (2026-07-28, subscriptions), in place of
// the one before.
func (g *mcpGoGuide) listen(t *testing.T, filter mcpgotypes.SubscriptionFilter) error {
	t.Helper()
	stop, err := g.client.ListenAsync(t.Context(), filter, nil)
	if err != nil {
		return err
	}
	g.await(t, acknowledged)
	g.stop = stop
	return nil
}

func (g *mcpGoGuide) subscribe(t *testing.T, params string) (any, error) {
	t.Helper()
	r := mcpgotypes.SubscribeRequest{}
	return asking(params, &r.Params, func() (any, error) {
		if g.stop != nil {
			return struct{}{}, g.listen(t, mcpgotypes.SubscriptionFilter{ResourceSubscriptions: []string{r.Params.URI}, ResourcesListChanged: true})
		}
		return struct{}{}, g.client.Subscribe(t.Context(), r)
	})
}

func (g *mcpGoGuide) unsubscribe(ctx context.Context, params string) (any, error) {
	r := mcpgotypes.UnsubscribeRequest{}
	return asking(params, &r.Params, func() (any, error) {
		if g.stop != nil {
			g.stop()
			return struct{}{}, nil
		}
		return struct{}{}, g.client.Unsubscribe(ctx, r)
	})
}

// asking reads params as the library has them, and asks.
func asking[P any](params string, into *P, ask func() (any, error)) (any, error) {
	if err := json.Unmarshal([]byte(params), into); err != nil {
		return nil, err
	}
	return ask()
}
