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
	"time"

	"github.com/google/go-cmp/cmp"
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

// What both servers ask, each by the name that the argument "text" of their tool
// "asks" has.
const (
	askedMessage = "Who <are> you?"
	askedURL     = "https://example.com/a?b=1&c"
)

var askedSchema = json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`)

// untilCancelled waits for the end of a call, or until nobody can be waiting for
// it any more: a server that is being closed waits for its calls.
func untilCancelled(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(patience):
		return errors.New("was not cancelled")
	}
}

// textOfAnswer is an answer as the server has it, with its members in order.
func textOfAnswer(answer any) string {
	text, err := json.Marshal(answer)
	if err != nil {
		return err.Error()
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		return err.Error()
	}
	text, err = json.Marshal(members)
	if err != nil {
		return err.Error()
	}
	return string(text)
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
