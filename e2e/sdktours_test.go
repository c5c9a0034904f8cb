package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// sdkSteps are all that the servers of the Go libraries have.
var sdkSteps = []step{
	{do: "tools/list"},
	{do: "prompts/list"},
	{do: "resources/list"},
	{do: "resources/templates/list"},
	{do: "tools/call", params: `{"name":"echo","arguments":{"text":"<>& ö"}}`},
	{do: "tools/call", params: `{"name":"fails","arguments":{"text":""}}`},
	{do: "tools/call", params: `{"name":"is_error","arguments":{"text":""}}`},
	{do: "tools/call", params: `{"name":"image","arguments":{"text":""}}`},
	{do: "prompts/get", params: `{"name":"greet","arguments":{"name":"<Ada>"}}`},
	{do: "resources/read", params: `{"uri":"mem://a"}`},
	{do: "resources/read", params: `{"uri":"mem://items/7"}`},
	{do: "resources/read", params: `{"uri":"mem://none"}`},
	{do: "completion/complete", params: `{"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"name","value":"A"}}`},
	{do: "completion/complete", params: `{"ref":{"type":"ref/resource","uri":"mem://items/{id}"},"argument":{"name":"id","value":"7"}}`},

	{do: "tools/call", params: `{"name":"asks","arguments":{"text":"form"}}`, answers: `[{"action":"accept","content":{"name":"<Ada>"}}]`},
	{do: "tools/call", params: `{"name":"asks","arguments":{"text":"form"}}`, answers: `[{"action":"decline"}]`},
	{do: "tools/call", params: `{"name":"asks","arguments":{"text":"url"}}`, answers: tourAccepted},
	{do: "tools/call", params: `{"name":"asks","arguments":{"text":"sample"}}`, answers: tourSampled},
	sdkAsksRoots,
	{do: "prompts/get", params: `{"name":"asking"}`, answers: `[{"action":"accept","content":{"name":"<Ada>"}}]`},

	{do: "logging/setLevel", params: `{"level":"info"}`, era: "legacy"},
	{do: "tools/call", params: `{"name":"grows","arguments":{"text":""}}`, awaits: "resources/list_changed"},
	{do: "resources/list"},
	{do: "resources/subscribe", params: `{"uri":"mem://a"}`},
	sdkTouches,
	{do: "resources/unsubscribe", params: `{"uri":"mem://a"}`},
	// Late: what mcp-go tells over HTTP while it ends a call may be lost with that.
	{do: "tools/call", params: `{"name":"waits","arguments":{"text":""},"_meta":{"io.modelcontextprotocol/logLevel":"info"}}`, cancel: true, awaits: "notifications/message"},
	{do: "tools/call", params: `{"name":"echo","arguments":{"text":"still there"}}`},
}

// Steps that not all can take.
var (
	sdkAsksRoots = step{do: "tools/call", params: `{"name":"asks","arguments":{"text":"roots"}}`}
	sdkTouches   = step{do: "tools/call", params: `{"name":"touches","arguments":{"text":""}}`, awaits: "resources/updated"}
)

// steps are those of the server with the guide's client.
func (s sdkServer) steps(g *guide) []step {
	var steps []step
	for _, each := range sdkSteps {
		ofMCPGo := s.command == "mcp-go-server"
		switch {
		case each.params == sdkAsksRoots.params && ofMCPGo && g == &goSDKModern:
			continue // the one takes no question without params, the other asks so
		case each.params == sdkTouches.params && ofMCPGo:
			each.on = "stdio" // it has no way to tell a modern host over HTTP
		}
		steps = append(steps, each)
	}
	return steps
}

// TestSDKTours: what servers of the Go libraries have and ask is through weir
// what it is without, for clients of both libraries and both eras, whichever of
// their eras weir speaks with the servers.
func TestSDKTours(t *testing.T) {
	for _, server := range sdkServers {
		for _, g := range []*guide{&goSDK, &goSDKModern, &mcpGo, &mcpGoModern} {
			t.Run(g.name+" with "+server.command, func(t *testing.T) {
				t.Parallel()
				makeTours(t, server.serve, []string{"stdio", "stdio, legacy", "stdio, modern", "http"}, server.steps(g), []*guide{g})
			})
		}
	}
}

// serve serves the server over the transport, in the era if one is named.
func (s sdkServer) serve(t *testing.T, how string) target {
	t.Helper()
	transport, era, _ := strings.Cut(how, ", ")
	served := target{isOne: true, protocol: map[string]string{"legacy": upstreamtest.Legacy, "modern": upstreamtest.Modern}[era]}
	if transport == "http" {
		served.url = web(t, s.web())
		return served
	}
	p := testPlaces(t)
	served.command = func() *exec.Cmd { return p.command(context.Background(), s.command) }
	return served
}
