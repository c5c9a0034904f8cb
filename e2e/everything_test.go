package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// The answers that users give on the tour.
const (
	tourSampled  = `[{"role":"assistant","model":"some","stopReason":"endTurn","content":{"type":"text","text":"<>& ö"}}]`
	tourFilledIn = `[{"action":"accept","content":{"name":"Ada","check":true,"integer":7,"number":2.5,"untitledMultipleSelectEnum":["Violin","Bass"],"titledSingleSelectEnum":"hero-2"}}]`
	tourAccepted = `[{"action":"accept"}]`
)

// everythingSteps are all that server-everything has, but for the static
// resources and its get-env, which TestRealServers calls.
var everythingSteps = []step{
	{do: "ping", era: "legacy"},
	{do: "tools/list"},
	{do: "prompts/list"},
	{do: "resources/list"},
	{do: "resources/templates/list"},

	{do: "tools/call", params: `{"name":"echo","arguments":{"message":"<>& \u00e9 \"quoted\" ö"}}`},
	{do: "tools/call", params: `{"name":"echo","arguments":{"message":7}}`},
	{do: "tools/call", params: `{"name":"get-annotated-message","arguments":{"messageType":"error","includeImage":true}}`},
	{do: "tools/call", params: `{"name":"get-annotated-message","arguments":{"messageType":"debug"}}`},
	{do: "tools/call", params: `{"name":"get-resource-links","arguments":{"count":4}}`},
	{do: "tools/call", params: `{"name":"get-resource-reference","arguments":{"resourceType":"Text","resourceId":3}}`},
	{do: "tools/call", params: `{"name":"get-resource-reference","arguments":{"resourceType":"Blob","resourceId":2}}`},
	{do: "tools/call", params: `{"name":"get-structured-content","arguments":{"location":"Chicago"}}`},
	{do: "tools/call", params: `{"name":"get-sum","arguments":{"a":1e2,"b":-0.5}}`},
	{do: "tools/call", params: `{"name":"get-tiny-image","arguments":{}}`},

	{do: "resources/read", params: `{"uri":"demo://resource/dynamic/text/5"}`},
	{do: "resources/read", params: `{"uri":"demo://resource/dynamic/blob/7"}`},
	{do: "resources/read", params: `{"uri":"demo://resource/dynamic/text/zero"}`},

	{do: "prompts/get", params: `{"name":"simple-prompt"}`},
	{do: "prompts/get", params: `{"name":"args-prompt","arguments":{"city":"Köln","state":"<NRW>"}}`},
	{do: "prompts/get", params: `{"name":"args-prompt","arguments":{}}`},
	{do: "prompts/get", params: `{"name":"completable-prompt","arguments":{"department":"Sales","name":"Eve"}}`},
	{do: "prompts/get", params: `{"name":"resource-prompt","arguments":{"resourceType":"Text","resourceId":"2"}}`},
	{do: "prompts/get", params: `{"name":"resource-prompt","arguments":{"resourceType":"Blob","resourceId":"3"}}`},

	{do: "completion/complete", params: `{"ref":{"type":"ref/prompt","name":"completable-prompt"},"argument":{"name":"department","value":""}}`},
	{do: "completion/complete", params: `{"ref":{"type":"ref/prompt","name":"completable-prompt"},"argument":{"name":"name","value":"D"},"context":{"arguments":{"department":"Sales"}}}`},
	{do: "completion/complete", params: `{"ref":{"type":"ref/prompt","name":"resource-prompt"},"argument":{"name":"resourceType","value":"T"}}`},
	{do: "completion/complete", params: `{"ref":{"type":"ref/resource","uri":"demo://resource/dynamic/text/{resourceId}"},"argument":{"name":"resourceId","value":"3"}}`},

	{do: "tools/call", params: `{"name":"get-roots-list","arguments":{}}`, era: "legacy"},
	{do: "roots", params: `{"roots":[{"uri":"file:///two","name":"Two"},{"uri":"file:///three%20"}]}`, awaits: "Roots updated: 2", era: "legacy"},
	{do: "tools/call", params: `{"name":"get-roots-list","arguments":{}}`, era: "legacy"},

	// A modern host tells its roots with a call. This server asks once, when there
	// may be none.
	{do: "tools/call", params: `{"name":"get-roots-list","arguments":{}}`, era: "modern", got: []string{"roots"}},

	{do: "tools/call", params: `{"name":"trigger-sampling-request","arguments":{"prompt":"<why>","maxTokens":20}}`, answers: tourSampled},
	{do: "tools/call", params: `{"name":"trigger-elicitation-request","arguments":{}}`, answers: tourFilledIn},
	{do: "tools/call", params: `{"name":"trigger-elicitation-request","arguments":{}}`, answers: `[{"action":"decline"}]`},
	{do: "tools/call", params: `{"name":"trigger-elicitation-request","arguments":{}}`, answers: `[{"action":"cancel"}]`},
	{do: "tools/call", params: `{"name":"trigger-url-elicitation","arguments":{"url":"https://example.com/a?b=1&c","message":"Please go there.","elicitationId":"e-1"}}`, answers: tourAccepted},
	{do: "tools/call", params: `{"name":"trigger-url-elicitation","arguments":{"url":"https://example.com/b","errorPath":true,"elicitationId":"e-2"}}`, era: "legacy"},
	{do: "tools/call", params: `{"name":"trigger-url-elicitation","arguments":{"url":"https://example.com/b","errorPath":true,"elicitationId":"e-2"}}`, answers: tourAccepted, era: "legacy"},
	// An error that asks for it is no more: weir asks, and calls again.
	{
		do: "tools/call", params: `{"name":"trigger-url-elicitation","arguments":{"url":"https://example.com/c","errorPath":true,"elicitationId":"e-3"}}`,
		answers: `[{"action":"accept"},{"action":"accept"}]`, era: "modern",
		got: []string{`"url":"https://modelcontextprotocol.io"`, `"url":"https://example.com/c"`, "User completed the URL elicitation flow"},
	},

	{do: "tools/call", params: `{"name":"trigger-long-running-operation","arguments":{"duration":1,"steps":2}}`, progress: true},
	{do: "tools/call", params: `{"name":"trigger-long-running-operation","arguments":{"duration":1,"steps":10}}`, cancel: true},

	{do: "logging/setLevel", params: `{"level":"debug"}`, era: "legacy"},
	{do: "tools/call", params: `{"name":"toggle-simulated-logging","arguments":{}}`, awaits: "notifications/message", era: "legacy"},
	{do: "tools/call", params: `{"name":"toggle-simulated-logging","arguments":{}}`, era: "legacy"},
	// Only over a pipe it is sure to come before the answer to the call that wants it.
	{
		do: "tools/call", params: `{"name":"toggle-simulated-logging","arguments":{},"_meta":{"io.modelcontextprotocol/logLevel":"debug"}}`,
		awaits: "notifications/message", era: "modern", on: "stdio", got: []string{"Started simulated", "A message"},
	},
	{do: "tools/call", params: `{"name":"toggle-simulated-logging","arguments":{}}`, era: "modern", on: "stdio", got: []string{"Stopped simulated"}},

	// From here on only what is asked for is told.
	{do: "logging/setLevel", params: `{"level":"emergency"}`, era: "legacy"},
	{do: "resources/subscribe", params: `{"uri":"demo://resource/dynamic/text/1"}`},
	{do: "tools/call", params: `{"name":"toggle-subscriber-updates","arguments":{}}`, awaits: "resources/updated"},
	{do: "tools/call", params: `{"name":"toggle-subscriber-updates","arguments":{}}`},
	{do: "tools/call", params: `{"name":"gzip-file-as-resource","arguments":{"name":"a.gz","data":"data:text/plain,hello","outputType":"resourceLink"}}`, awaits: "resources/list_changed"},
	{do: "resources/list"},
	{do: "resources/read", params: `{"uri":"demo://resource/session/a.gz"}`},
	{do: "resources/unsubscribe", params: `{"uri":"demo://resource/dynamic/text/1"}`},

	{do: "tools/call", params: `{"name":"simulate-research-query","arguments":{"topic":"Python","ambiguous":true}}`, answers: `[{"action":"accept","content":{"interpretation":"snake"}}]`, task: true},
	{do: "tasks/list", task: true},
	// A modern host is not told of such tasks: weir waits for their end.
	{
		do: "tools/call", params: `{"name":"simulate-research-query","arguments":{"topic":"Python","ambiguous":true}}`,
		answers: `[{"action":"accept","content":{"interpretation":"snake"}}]`, era: "modern",
		got: []string{"could have multiple interpretations", "Research Report: Python (snake)"},
	},
	{do: "tools/call", params: `{"name":"trigger-sampling-request-async","arguments":{"prompt":"<why>"}}`, answers: tourSampled, task: true},
	{do: "tools/call", params: `{"name":"trigger-elicitation-request-async","arguments":{}}`, answers: `[{"action":"accept","content":{"name":"Ada"}}]`, task: true},
}

// everythingTour is the steps with those that read the static resources, which
// are files.
func everythingTour(t *testing.T) []step {
	t.Helper()
	files, err := filepath.Glob(npmServer("server-everything/dist/docs/*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("server-everything has no static resources: %v", err)
	}
	at := slices.IndexFunc(everythingSteps, func(s step) bool { return s.do == "resources/read" })
	steps := slices.Clone(everythingSteps)
	for _, file := range files {
		steps = slices.Insert(steps, at, step{
			do: "resources/read", params: fmt.Sprintf(`{"uri":"demo://resource/static/document/%s"}`, filepath.Base(file)),
		})
	}
	return steps
}

// npmServer is the path of a file of the reference servers.
func npmServer(file string) string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err) // there is no working folder
	}
	return filepath.Join(dir, "npm/node_modules/@modelcontextprotocol", file)
}

// TestEverything: all that server-everything can, over its three transports, is
// through weir what it is without, for hosts of both eras.
func TestEverything(t *testing.T) {
	needNode(t)
	steps := everythingTour(t)
	all := []string{"stdio", "streamableHttp", "sse"}
	// Most of a tour is waiting for what the server does by and by.
	var lanes sync.WaitGroup
	lanes.Go(func() { makeTours(t, serveEverything, all, steps, []*guide{&typeScript1}) })
	lanes.Go(func() { makeTours(t, serveEverything, all, steps, []*guide{&typeScript2, &typeScript2Modern}) })
	lanes.Go(func() { makeTours(t, serveEverything, all[:1], steps, []*guide{&goSDK, &goSDKModern}) })
	lanes.Go(func() { makeTours(t, serveEverything, all[:1], steps, []*guide{&mcpGo, &mcpGoModern}) })
	lanes.Wait()
}

// serveEverything is server-everything, over HTTP started. That its transport
// may be HTTP+SSE weir is to find out.
func serveEverything(t *testing.T, transport string) target {
	t.Helper()
	p, script := testPlaces(t), npmServer("server-everything/dist/index.js")
	switch transport {
	case "streamableHttp":
		return target{url: p.startNode(t, script, transport) + "/mcp", isOne: true}
	case "sse":
		return target{url: p.startNode(t, script, transport) + "/sse", isOne: true}
	}
	return target{isOne: true, command: func() *exec.Cmd {
		return p.command(context.Background(), "node", script, transport)
	}}
}
